"""From action units to tokens: the projector of spec 1's AU expert, Linear - ReLU - Linear, one token per frame.

Legend of shapes: B clips, T frames, R intensities (17), P presences (18), A = R + P columns, D width of a token.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AUProjector(nn.Module):
    """Action units with their mask, (B, T, A), to tokens (B, T, D).

    Intensities (0..`full_level`) are brought to 0..1, where presences lie already, so that no column outweighs another by
    its unit. The mask stands beside the values as A more inputs: a masked cell enters as 0, and without its mask the
    network could not tell it from a unit that was looked for and not there. A frame in which nothing was measured has
    no face to speak of: its token is a learned vector of its own, `unseen`, rather than what biases happen to make of
    zeros, so that training on frames without a face does not pull at the biases of those with one.
    """

    def __init__(
        self, *, intensities: int = 17, presences: int = 18, hidden: int = 256, dim: int = 768, full_level: float = 5.0
    ) -> None:
        super().__init__()
        columns = intensities + presences
        scale = torch.cat([torch.full((intensities,), 1 / full_level), torch.ones(presences)])
        self.register_buffer("scale", scale, persistent=False)  # (A,)
        self.layers = nn.Sequential(nn.Linear(2 * columns, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.unseen = nn.Parameter(0.02 * torch.randn(dim))

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Tokens (B, T, D) of values (B, T, A) and their mask (B, T, A), True where measured; what is masked has no effect.

        Raises:
            ValueError: shapes that do not fit.
        """
        scale = self.get_buffer("scale")
        if values.shape != mask.shape or values.shape[-1] != len(scale):
            raise ValueError(
                f"action units {tuple(values.shape)} with mask {tuple(mask.shape)}; expected two of (B, T, {len(scale)})"
            )
        known = mask.bool()
        level = torch.where(known, values, 0.0).to(scale.dtype) * scale  # where, not *: a masked NaN must not live on
        tokens: Tensor = self.layers(torch.cat([level, known.to(scale.dtype)], dim=-1))  # (B, T, 2A) -> (B, T, D)
        return torch.where(known.any(dim=-1, keepdim=True), tokens, self.unseen)
