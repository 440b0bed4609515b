"""Tracks as small SVG paths: long ones become envelopes of maxima and minima, unmeasured stretches stay gaps.

Legend: T time steps, N bins. Paths live in a box `WIDTH` wide and `HEIGHT` high that the page stretches to its lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 4000
HEIGHT = 100
BINS = 1200


@dataclass(frozen=True)
class Curve:
    """One drawn column: `path` is SVG path data, `gaps` are (left, width) of unmeasured stretches in percent."""

    path: str
    gaps: tuple[tuple[float, float], ...]
    low: float
    high: float


def envelope(
    times_s: NDArray[np.float64], values: NDArray[np.float32], mask: NDArray[np.bool_], duration_s: float, *,
    bins: int = BINS,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """(times, minima, maxima) of the measured samples, at most `bins` long; short tracks pass unchanged.

    times_s, values and mask are (T,). Spikes survive: the maximum of the result is the maximum of the track.
    """
    times, kept = times_s[mask], values[mask].astype(float)
    if times.size <= bins:
        return times, kept, kept
    index = np.clip((times / max(duration_s, 1e-9) * bins).astype(int), 0, bins - 1)  # (T,)
    used, first = np.unique(index, return_index=True)
    minima = np.minimum.reduceat(kept, first)
    maxima = np.maximum.reduceat(kept, first)
    return (used + 0.5) * duration_s / bins, minima, maxima


def runs(times_s: NDArray[np.float64], step_s: float) -> list[slice]:
    """Stretches of times that follow each other closely (no hole beyond three steps)."""
    if not times_s.size:
        return []
    cuts = np.flatnonzero(np.diff(times_s) > 3 * step_s) + 1
    edges = [0, *cuts.tolist(), len(times_s)]
    return [slice(a, b) for a, b in pairwise(edges)]


def draw(
    times_s: NDArray[np.float64], values: NDArray[np.float32], mask: NDArray[np.bool_], duration_s: float, *,
    low: float, high: float, filled: bool, bins: int = BINS,
) -> Curve:  # fmt: skip
    """A column (T,) as a curve between `low` and `high`; `filled` draws the area under the maxima."""
    times, minima, maxima = envelope(times_s, values, mask, duration_s, bins=bins)
    step = _step_s(times, times_s, duration_s)
    parts = []
    for run in runs(times, step):
        xs = _ticks(times[run] / max(duration_s, 1e-9) * WIDTH, 0, WIDTH)
        tops = _ticks(HEIGHT * (1 - (maxima[run] - low) / max(high - low, 1e-9)), 0, HEIGHT)
        bottoms = _ticks(HEIGHT * (1 - (minima[run] - low) / max(high - low, 1e-9)), 0, HEIGHT)
        parts.append(_shape(xs, tops, bottoms, filled=filled))
    return Curve("".join(parts), _gaps(times, step, duration_s), low, high)


def _step_s(times: NDArray[np.float64], all_times_s: NDArray[np.float64], duration_s: float) -> float:
    source = all_times_s if all_times_s.size > 1 else times
    usual = float(np.median(np.diff(source))) if source.size > 1 else duration_s
    return max(usual, duration_s / BINS, 1e-3)


def _ticks(values: NDArray[np.float64], low: int, high: int) -> list[int]:
    return [int(v) for v in np.clip(np.round(values), low, high)]


def _shape(xs: list[int], tops: list[int], bottoms: list[int], *, filled: bool) -> str:
    if len(xs) == 1:
        xs, tops, bottoms = [xs[0], xs[0] + 12], tops * 2, bottoms * 2
    line = "L".join(f"{x} {y}" for x, y in zip(xs, tops, strict=True))
    if filled:
        return f"M{xs[0]} {HEIGHT}L{line}L{xs[-1]} {HEIGHT}Z"
    if tops == bottoms:
        return f"M{line}"
    back = "L".join(f"{x} {y}" for x, y in zip(reversed(xs), reversed(bottoms), strict=True))
    return f"M{line}L{back}Z"


def _gaps(times: NDArray[np.float64], step_s: float, duration_s: float) -> tuple[tuple[float, float], ...]:
    """Unmeasured stretches longer than three steps and a 200th of the clip, as (left, width) in percent."""
    least = max(3 * step_s, duration_s / 200)
    edges = [0.0]
    for run in runs(times, step_s):
        edges += [float(times[run][0]), float(times[run][-1])]
    edges.append(duration_s)
    found = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start > least:
            found.append((round(100 * start / duration_s, 2), round(100 * (end - start) / duration_s, 2)))
    return tuple(found)
