"""Panoramic guided attention: learned queries, led by the global query, gather details from the bank of all modalities.

Legend: B samples, N learned queries, L steps of the bank, D columns.
Source: spec 1 section 2.2 (Panoramic Dynamic Guided Attention); the layers are those of the resampler.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hero.errors import ConfigError, InputError
from hero.nn.attention import small_normal
from hero.nn.resampler import ResamplerLayer


class Panorama(NamedTuple):
    """`tokens` (B, N, D), and `attention_weights` (B, L): they sum to 1 over the open steps, 0 where there is none."""

    tokens: Tensor
    attention_weights: Tensor


class PanoramicAttention(nn.Module):
    """A global query (B, D) and a bank of details (B, L, D) to N tokens (B, N, D).

    The global query is added to each learned query, so that all of them search for what it names. A sample without any
    open step gives what the queries say by themselves.

    Raises:
        ConfigError: a size is below 1, or the heads do not divide the columns.
    """

    def __init__(
        self, *, dim: int = 768, heads: int = 12, queries: int = 32, layers: int = 1, expansion: int = 4
    ) -> None:
        super().__init__()
        if min(dim, heads, queries, layers, expansion) < 1:
            raise ConfigError(
                f"a panorama of {dim} columns, {heads} heads, {queries} queries and {layers} layers cannot be made; each "
                "must be 1 or more"
            )
        self.dim = dim
        self.queries = nn.Parameter(torch.empty(queries, dim))
        self.guide = nn.Linear(dim, dim)
        self.enter, self.leave = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.layers = nn.ModuleList(
            ResamplerLayer(dim=dim, heads=heads, expansion=expansion, dropout=0.0) for _ in range(layers)
        )
        self.apply(small_normal)
        nn.init.normal_(self.queries, std=0.02)
        # A global query comes with a spread of 1: brought to 0.02 too, it does not drown what tells the queries apart.
        nn.init.normal_(self.guide.weight, std=0.02 / dim**0.5)

    def forward(
        self, query: Tensor, bank: Tensor, mask: Tensor, bias: Tensor | None = None, positions: Tensor | None = None
    ) -> Panorama:
        """Gather what the query asks for.

        Args:
            query: (B, D).
            bank: (B, L, D); L may be 0. What stands in closed steps has no effect.
            mask: (B, L) bool, True = open.
            bias: (B, L), added to the scores of each step before the softmax.
            positions: (B, L, D), added to the keys, not to the values.

        Raises:
            InputError: the shapes do not fit.
        """
        self._check(query, bank, mask, bias, positions)
        steps = bank.shape[1]
        if not steps:  # attention over nothing is undefined: one step that nobody may look at
            bank, mask = bank.new_zeros(len(bank), 1, self.dim), mask.new_zeros(len(bank), 1)
            bias = positions = None
        closed, present = ~mask, mask.any(dim=1)  # (B, L), (B,)
        values = self.enter(bank.masked_fill(closed[..., None], 0.0))
        keys = values if positions is None else values + positions.to(values.dtype).masked_fill(closed[..., None], 0.0)
        lean = torch.zeros_like(values[..., 0]) if bias is None else bias.to(values.dtype)
        lean = torch.where(present[:, None], lean.masked_fill(closed, float("-inf")), 0.0)[:, None, None, :]
        tokens = self.queries + self.guide(query)[:, None]  # (B, N, D)
        looks = []
        for layer in self.layers:
            tokens, look = layer(tokens, keys, values, lean, present, with_attention=True)
            looks.append(look.mean(dim=1))  # (B, N, L) -> (B, L)
        return Panorama(self.leave(tokens), torch.stack(looks).mean(dim=0)[:, :steps])

    def _check(self, query: Tensor, bank: Tensor, mask: Tensor, bias: Tensor | None, positions: Tensor | None) -> None:
        if bank.ndim != 3 or bank.shape[2] != self.dim or query.shape != (len(bank), self.dim):
            raise InputError(
                f"a panorama of {self.dim} columns got query {tuple(query.shape)} and bank {tuple(bank.shape)}; give "
                f"(B, {self.dim}) and (B, L, {self.dim})"
            )
        if mask.shape != bank.shape[:2] or mask.dtype != torch.bool:
            raise InputError(
                f"the mask of a bank {tuple(bank.shape)} is {mask.dtype} {tuple(mask.shape)}; give bool "
                f"{tuple(bank.shape[:2])}"
            )
        if bias is not None and bias.shape != mask.shape:
            raise InputError(f"the bias of a bank {tuple(bank.shape)} is {tuple(bias.shape)}; give {tuple(mask.shape)}")
        if positions is not None and positions.shape != bank.shape:
            raise InputError(f"the positions of a bank {tuple(bank.shape)} are {tuple(positions.shape)}; give as many")
