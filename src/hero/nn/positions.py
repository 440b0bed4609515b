"""Sine-cosine positions of continuous coordinates: where a step lies, in units that outlive a change of rate or size.

A coordinate is a time in seconds or a place as a fraction of the picture (0 top or left, 1 bottom or right), never an
index: features taken at 10 or 25 per second, or from 14 or 27 patches a side, keep the meaning of their positions.

Legend: B samples, L input steps, A coordinates of a step (1: time; 2: row, column; 3: time, row, column), D columns.
Source: Vaswani et al. 2017 (sine-cosine positions); Mildenhall et al. 2020 (continuous coordinates).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import torch

from hero.errors import ConfigError

Wavelengths = tuple[float, float]
"""The shortest and the longest wavelength of one axis, in its unit."""

TIME: Wavelengths = (0.04, 600.0)  # s: one frame at 25 per second to ten minutes
PLACE: Wavelengths = (0.03, 4.0)  # of the picture's side: one patch of 32 to a slope without repetition
AXES: dict[int, tuple[Wavelengths, ...]] = {1: (TIME,), 2: (PLACE, PLACE), 3: (TIME, PLACE, PLACE)}


def sine_cosine(
    coordinates: torch.Tensor, *, dim: int, wavelengths: Sequence[Wavelengths] | None = None
) -> torch.Tensor:
    """Positions (B, L, D) float32 of coordinates (B, L, A); the columns are shared evenly among the axes.

    `wavelengths` has one pair for each axis; by default those of time and place in `AXES`. Columns that are left over
    when D is no multiple of 2 A are 0.

    Raises:
        ConfigError: no default fits A axes, the pairs are not A, or D has no room for them.
    """
    count = coordinates.shape[-1]
    pairs = tuple(wavelengths) if wavelengths is not None else AXES.get(count, ())
    if not count or len(pairs) != count:
        raise ConfigError(
            f"positions have {count} coordinates but {len(pairs)} pairs of wavelengths; give 1 (time in s), 2 (row, column) "
            "or 3 (time, row, column) coordinates, or `wavelengths` for each"
        )
    steps = dim // (2 * count)
    if steps < 1:
        raise ConfigError(f"{dim} columns cannot hold positions on {count} axes; give at least {2 * count}")
    parts = [_one_axis(coordinates[..., axis].float(), steps, pair) for axis, pair in enumerate(pairs)]
    found = torch.cat(parts, dim=-1)  # (B, L, A * 2 * steps)
    return torch.nn.functional.pad(found, (0, dim - found.shape[-1]))  # (B, L, D)


def _one_axis(values: torch.Tensor, steps: int, pair: Wavelengths) -> torch.Tensor:
    """(B, L) to (B, L, 2 * steps): sines, then cosines, at wavelengths that grow geometrically."""
    shortest, longest = pair
    ratio = longest / shortest
    exponents = torch.arange(steps, device=values.device, dtype=torch.float32) / max(steps - 1, 1)
    waves = shortest * torch.pow(torch.tensor(ratio, device=values.device), exponents)  # (steps,)
    turns = values[..., None] / waves  # whole turns go before the sine, which keeps long times exact in float32
    angle = 2 * math.pi * (turns - turns.round())
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def picture_grid(rows: int, columns: int) -> torch.Tensor:
    """Coordinates (rows * columns, 2) of a picture's patches, row by row: the middle of each patch as fractions."""
    return torch.tensor([((r + 0.5) / rows, (c + 0.5) / columns) for r, c in product(range(rows), range(columns))])


def video_grid(times_s: Sequence[float], rows: int, columns: int) -> torch.Tensor:
    """Coordinates (len(times_s) * rows * columns, 3) of the patches of frames, frame by frame, row by row."""
    places = picture_grid(rows, columns)
    times = torch.tensor(list(times_s), dtype=torch.float32).repeat_interleave(len(places))
    return torch.cat([times[:, None], places.repeat(len(times_s), 1)], dim=1)
