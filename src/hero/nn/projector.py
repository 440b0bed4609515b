"""The projection head: feature tokens to the width of a language model.

Legend: B samples, Q tokens, D their columns, W the language model's width.
Source: BLIP-2 (Li et al. 2023, one linear layer), LLaVA 1.5 (Liu et al. 2023, two layers with a GELU).
"""

from __future__ import annotations

import torch
from torch import nn

from hero.errors import ConfigError
from hero.nn.attention import small_normal


class Projector(nn.Module):
    """`[B, Q, D] -> [B, Q, W]`: layer norm, one linear layer (two with `hidden`), layer norm.

    `scale` is the spread of each projected token at the start of training: set it to that of the language model's own
    token embeddings (about 0.02), so that the model meets tokens of the size it is used to.

    Raises:
        ConfigError: a size is below 1 or the scale is not above 0.
    """

    def __init__(
        self, *, dim_in: int = 768, dim_out: int = 4096, hidden: int | None = None, scale: float = 1.0
    ) -> None:
        super().__init__()
        if min(dim_in, dim_out) < 1 or (hidden is not None and hidden < 1) or not scale > 0:
            raise ConfigError(
                f"a projection of {dim_in} to {dim_out} columns (hidden {hidden}, scale {scale}) cannot be made; sizes are "
                "1 or more, the scale is above 0"
            )
        width = hidden or dim_out
        layers: list[nn.Module] = [nn.LayerNorm(dim_in), nn.Linear(dim_in, width)]
        if hidden is not None:
            layers += [nn.GELU(), nn.Linear(width, dim_out)]
        self.layers = nn.Sequential(*layers, nn.LayerNorm(dim_out))
        self.apply(small_normal)
        leave = self.layers[-1]
        assert isinstance(leave, nn.LayerNorm)
        nn.init.constant_(leave.weight, scale)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (B, Q, D) as the language model reads them: (B, Q, W)."""
        projected: torch.Tensor = self.layers(tokens)
        return projected
