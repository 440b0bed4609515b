"""Multi-head attention and the feed-forward block, shared by the resampler and the evidence decoder.

Keys and values are projected apart from the attending, so that a decoder can keep them from step to step.

Legend: B samples, Q queries, L keys, H heads, D columns, E = D / H columns of a head.
Source: Vaswani et al. 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from hero.errors import ConfigError


class KeysValues(NamedTuple):
    """Projected keys and values, each (B, H, L, E)."""

    keys: torch.Tensor
    values: torch.Tensor

    def then(self, more: KeysValues) -> KeysValues:
        """These followed by the keys and values of later steps."""
        return KeysValues(torch.cat([self.keys, more.keys], dim=2), torch.cat([self.values, more.values], dim=2))


class Attention(nn.Module):
    """Scaled dot-product attention with `heads` heads over `dim` columns.

    Raises:
        ConfigError: the columns cannot be shared evenly among the heads.
    """

    def __init__(self, *, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if dim < 1 or heads < 1 or dim % heads:
            raise ConfigError(f"{dim} columns cannot be shared by {heads} heads; give a multiple of the heads")
        self.heads, self.dropout = heads, dropout
        self.query, self.value, self.out = (nn.Linear(dim, dim) for _ in range(3))
        self.key = nn.Linear(dim, dim, bias=False)  # a bias here shifts all scores of a query alike: softmax drops it

    def project(self, keys: torch.Tensor, values: torch.Tensor) -> KeysValues:
        """Keys and values (B, L, D) as the heads see them."""
        return KeysValues(self._split(self.key(keys)), self._split(self.value(values)))

    def forward(
        self, queries: torch.Tensor, known: KeysValues, mask: torch.Tensor | None = None, *, causal: bool = False
    ) -> torch.Tensor:
        """What queries (B, Q, D) gather: (B, Q, D).

        `mask` is (B, 1, 1, L) or (B, 1, Q, L): bool, True = may be looked at, or float, added to the scores.
        """
        dropout = self.dropout if self.training else 0.0
        asked = self._split(self.query(queries))  # (B, H, Q, E)
        if mask is not None and mask.dtype != torch.bool:
            mask = mask.to(asked.dtype)  # under autocast the queries may be narrower than what was added up for them
        found = F.scaled_dot_product_attention(
            asked, known.keys, known.values, attn_mask=mask, dropout_p=dropout, is_causal=causal
        )
        joined = found.transpose(1, 2).flatten(2)  # (B, Q, D)
        gathered: torch.Tensor = self.out(joined)
        return gathered

    def weights(self, queries: torch.Tensor, known: KeysValues, mask: torch.Tensor | None = None) -> torch.Tensor:
        """How much each query looks at each key: (B, Q, L), the mean over the heads, rows summing to 1.

        `mask` as in `forward`.
        """
        asked = self._split(self.query(queries))
        scores = asked @ known.keys.transpose(-1, -2) / asked.shape[-1] ** 0.5  # (B, H, Q, L)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
        return scores.softmax(dim=-1).mean(dim=1)

    def _split(self, joined: torch.Tensor) -> torch.Tensor:
        samples, steps, dim = joined.shape
        return joined.view(samples, steps, self.heads, dim // self.heads).transpose(1, 2)  # (B, L, D) -> (B, H, L, E)


class FeedForward(nn.Module):
    """Two linear layers with a GELU between; the inner one is `expansion` times as wide."""

    def __init__(self, *, dim: int, expansion: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, expansion * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(expansion * dim, dim)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., D)."""
        made: torch.Tensor = self.layers(inputs)
        return made


def small_normal(module: nn.Module) -> None:
    """Initial weights as BERT's: linear layers and embeddings from N(0, 0.02), biases 0. For `Module.apply`."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
