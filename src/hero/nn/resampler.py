"""The resampler (Q-Former): a fixed number of learnable queries sums up any number of input steps.

One class for sequences, pictures and video: they differ only in the coordinates of their steps (`hero.nn.positions`).
Masked steps are cut out before anything is computed, so that even NaN in them cannot be felt. A sample without any
valid step gives what the queries say by themselves, and `present` is False for it.

Legend: B samples, L input steps, I input columns, A coordinates (1 time; 2 row, column; 3 time, row, column),
Q queries, N layers, D output columns.
Source: BLIP-2 (Li et al. 2023, Q-Former), Perceiver (Jaegle et al. 2021, learnable latents that attend to the input).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from hero.errors import ConfigError, InputError
from hero.nn.attention import Attention, FeedForward, small_normal
from hero.nn.positions import sine_cosine

DIM = 768
QUERIES = 32


class Resampled(NamedTuple):
    """`tokens` (B, Q, D), `present` (B,) True where a sample had a valid step, `attention` (B, N, Q, L) if asked for."""

    tokens: torch.Tensor
    present: torch.Tensor
    attention: torch.Tensor | None = None


class Resampler(nn.Module):
    """`[B, L, I] -> [B, Q, D]` with masks and continuous coordinates.

    Each layer is self-attention among the queries, cross-attention to the input and a feed-forward block, each behind
    a layer norm of its own (pre-norm). Positions are added to the keys only.

    Raises:
        ConfigError: a size is below 1, or the heads do not divide the columns.
    """

    def __init__(
        self,
        *,
        dim_in: int,
        dim: int = DIM,
        queries: int = QUERIES,
        layers: int = 2,
        heads: int = 12,
        expansion: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if min(dim_in, dim, queries, layers, heads, expansion) < 1:
            raise ConfigError(
                f"a resampler of {dim_in} input columns, {dim} columns, {queries} queries, {layers} layers, {heads} heads "
                "cannot be made; each must be 1 or more"
            )
        self.dim_in, self.dim = dim_in, dim
        self.queries = nn.Parameter(torch.empty(queries, dim))
        self.enter = nn.Sequential(nn.LayerNorm(dim_in), nn.Linear(dim_in, dim))
        self.layers = nn.ModuleList(
            ResamplerLayer(dim=dim, heads=heads, expansion=expansion, dropout=dropout) for _ in range(layers)
        )
        self.leave = nn.LayerNorm(dim)
        self.apply(small_normal)
        nn.init.normal_(self.queries, std=0.02)

    def forward(
        self,
        inputs: torch.Tensor,
        mask: torch.Tensor | None = None,
        coordinates: torch.Tensor | None = None,
        *,
        with_attention: bool = False,
    ) -> Resampled:
        """Sum up `inputs` (B, L, I).

        Args:
            inputs: (B, L, I); L may be 0.
            mask: (B, L) bool, True = valid; all valid without it.
            coordinates: (B, L, A): seconds, and fractions of the picture's height and width.
            with_attention: also say which steps each query looked at (for reports; slower).

        Raises:
            InputError: the shapes do not fit.
        """
        values, mask = self.steps(inputs, mask)
        return self.sum_up(values, mask, coordinates, with_attention=with_attention)

    def steps(self, inputs: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Each step at the resampler's own width, (B, L, D), and the mask (B, L): what `sum_up` reads.

        Raises:
            InputError: the shapes do not fit.
        """
        mask = self._check(inputs, mask)
        return self.enter(inputs.masked_fill(~mask[..., None], 0)), mask

    def sum_up(
        self,
        values: torch.Tensor,
        mask: torch.Tensor,
        coordinates: torch.Tensor | None = None,
        *,
        with_attention: bool = False,
    ) -> Resampled:
        """Sum up what `steps` gave; coordinates (B, L, A) and `with_attention` as in `forward`.

        Raises:
            InputError: the coordinates do not fit.
        """
        if coordinates is not None and coordinates.shape[:-1] != mask.shape:
            raise InputError(
                f"the coordinates of {tuple(mask.shape)} steps have shape {tuple(coordinates.shape)}; "
                f"give ({mask.shape[0]}, {mask.shape[1]}, 1 to 3)"
            )
        if not values.shape[1]:  # attention over nothing is undefined: one step that nobody may look at
            values = values.new_zeros(len(values), 1, self.dim)
            mask, coordinates = mask.new_zeros(len(values), 1), None
        present = mask.any(dim=1)  # (B,)
        keys = values
        if coordinates is not None:
            placed = sine_cosine(coordinates.masked_fill(~mask[..., None], 0), dim=self.dim)
            keys = values + placed.to(values.dtype)
        open_mask = (mask | ~present[:, None])[:, None, None, :]  # (B, 1, 1, L); no row without any open step
        tokens = self.queries.expand(len(values), -1, -1)  # (B, Q, D)
        looks = []
        for layer in self.layers:
            tokens, look = layer(tokens, keys, values, open_mask, present, with_attention=with_attention)
            looks.append(look)
        return Resampled(self.leave(tokens), present, torch.stack(looks, dim=1) if with_attention else None)

    def _check(self, inputs: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        if inputs.ndim != 3 or inputs.shape[2] != self.dim_in:
            raise InputError(
                f"a resampler of {self.dim_in} columns got {tuple(inputs.shape)}; give (B, L, {self.dim_in})"
            )
        if mask is None:
            mask = torch.ones(inputs.shape[:2], dtype=torch.bool, device=inputs.device)
        if mask.shape != inputs.shape[:2] or mask.dtype != torch.bool:
            raise InputError(
                f"the mask of {tuple(inputs.shape)} is {mask.dtype} {tuple(mask.shape)}; give bool {tuple(inputs.shape[:2])}"
            )
        return mask


class ResamplerLayer(nn.Module):
    """Self-attention among the queries, cross-attention to the input, feed-forward."""

    def __init__(self, *, dim: int, heads: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.norm_self, self.norm_cross, self.norm_forward = (nn.LayerNorm(dim) for _ in range(3))
        self.self_attention = Attention(dim=dim, heads=heads, dropout=dropout)
        self.cross_attention = Attention(dim=dim, heads=heads, dropout=dropout)
        self.feed_forward = FeedForward(dim=dim, expansion=expansion, dropout=dropout)

    def forward(
        self,
        tokens: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor,
        present: torch.Tensor,
        *,
        with_attention: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Tokens (B, Q, D) after the layer and, if asked for, where they looked (B, Q, L).

        `mask` (B, 1, 1, L) as `Attention` takes it; samples that are not `present` (B,) take nothing from the input.
        """
        normed = self.norm_self(tokens)
        tokens = tokens + self.self_attention(normed, self.self_attention.project(normed, normed))
        asked = self.norm_cross(tokens)
        known = self.cross_attention.project(keys, values)
        here = present[:, None, None]
        tokens = tokens + self.cross_attention(asked, known, mask).masked_fill(~here, 0)
        look = self.cross_attention.weights(asked, known, mask).masked_fill(~here, 0) if with_attention else None
        return tokens + self.feed_forward(self.norm_forward(tokens)), look
