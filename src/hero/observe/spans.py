"""From samples over time to spans: hysteresis, and runs with bridged gaps.

Legend of shapes: T samples. A sample holds from its own time to the next one's, but never longer than 1.5 usual
steps, so that a hole in the recording ends a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hero.types import Span

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

HOLE_STEPS = 1.5


def runs(active: ArrayLike, times_s: ArrayLike, *, min_s: float = 0.0, gap_s: float = 0.0) -> list[Span]:
    """Spans over which `active` (T,) is true, in order; `times_s` (T,) are the samples' times, not decreasing.

    Pauses of at most `gap_s` inside a run are bridged first, then runs shorter than `min_s` are dropped.

    Raises:
        ValueError: shapes differ, or times run backwards.
    """
    on, times = np.asarray(active, bool), np.asarray(times_s, np.float64)
    if on.shape != times.shape or on.ndim != 1:
        raise ValueError(f"runs needs two arrays of one shape (T,), got {on.shape} and {times.shape}")
    if not on.any():
        return []
    ends = sample_ends(times)
    found: list[list[float]] = []
    for start, end in zip(times[on], ends[on], strict=True):
        if found and start - found[-1][1] <= gap_s + 1e-9:
            found[-1][1] = float(end)
        else:
            found.append([float(start), float(end)])
    return [Span(max(0.0, a), max(0.0, b)) for a, b in found if b - a >= min_s - 1e-9]


def sample_ends(times_s: ArrayLike) -> NDArray[np.float64]:
    """Until when each sample holds, (T,): the next sample's time, at most 1.5 median steps after its own.

    Raises:
        ValueError: times run backwards.
    """
    times = np.asarray(times_s, np.float64)
    if times.size < 2:
        return times.copy()
    steps = np.diff(times)
    if np.any(steps < 0):
        raise ValueError("times run backwards; sort the samples by time first")
    usual = float(np.median(steps))
    return times + np.append(np.minimum(steps, HOLE_STEPS * usual), usual)


def hysteresis(values: ArrayLike, *, on: float, off: float, mask: ArrayLike | None = None) -> NDArray[np.bool_]:
    """(T,) True from where values (T,) reach `on` until they fall below `off`; a masked sample ends the run.

    Raises:
        ValueError: `off` lies above `on`.
    """
    if off > on:
        raise ValueError(f"hysteresis needs off <= on, got on {on} and off {off}")
    level = np.asarray(values, np.float64)
    valid = np.ones(level.shape, bool) if mask is None else np.asarray(mask, bool)
    state = np.zeros(level.shape, bool)
    inside = False
    for index in range(level.size):
        inside = bool(valid[index]) and level[index] >= (off if inside else on)
        state[index] = inside
    return state
