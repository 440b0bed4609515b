"""Rises and falls of the pitch inside one stretch of talk.

Shapes: F frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.voice.stream import HOP_S
from hero.observe.voice.utterance import steady
from hero.types import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP = 12  # a movement may cross up to 120 ms without voice (a consonant)
LONGEST = 80  # 0.8 s: slower drifts are no movements
BACK = 1.0  # semitones the pitch may turn back before a movement counts as over
STEEPEST = 1.5  # semitones per 10 ms: faster is an octave slip, no voice does it (Xu & Sun 2002: about 1 at most)


@dataclass(frozen=True)
class Movement:
    """A rise (positive) or fall of the pitch by `semitones` over `span`."""

    span: Span
    semitones: float


def movements(semitones: NDArray[np.float32], start_s: float, least: float) -> list[Movement]:
    """Rises and falls of at least `least` semitones in a contour (F,) with NaN where unvoiced."""
    smooth = steady(semitones)
    found: list[Movement] = []
    for frames in _pieces(smooth):
        values = smooth[frames]
        for a, b in (_core(values, *turn) for turn in _turns(values)):
            first, last = int(frames[a]), int(frames[b])
            change = float(values[b] - values[a])
            slow = last - first > LONGEST
            if abs(change) >= least and not slow and _plausible(values[a : b + 1], frames[a : b + 1]):
                found.append(Movement(Span(start_s + first * HOP_S, start_s + (last + 1) * HOP_S), change))
    return found


def _pieces(smooth: NDArray[np.float32]) -> list[NDArray[np.intp]]:
    voiced = np.flatnonzero(np.isfinite(smooth))
    cuts = np.flatnonzero(np.diff(voiced) > GAP) + 1
    return [piece for piece in np.split(voiced, cuts) if len(piece) >= 5]


def _turns(values: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs of turning points between which the contour moves one way but for wobbles below `BACK`."""
    points = [0]
    low = high = 0
    direction = 0
    for t in range(1, len(values)):
        low = t if values[t] <= values[low] else low
        high = t if values[t] >= values[high] else high
        if direction >= 0 and values[high] - values[t] > BACK and high >= points[-1]:
            points.append(high)
            direction, low = -1, t
            high = t
        elif direction <= 0 and values[t] - values[low] > BACK and low >= points[-1]:
            points.append(low)
            direction, high = 1, t
            low = t
    points.append(high if direction > 0 else low if direction < 0 else len(values) - 1)
    return [(a, b) for a, b in pairwise(points) if b > a]


def _core(values: NDArray[np.float32], a: int, b: int) -> tuple[int, int]:
    """The part between two turning points in which the pitch really moves: from 5 to 95 percent of the change."""
    way = (values[a : b + 1] - values[a]) / (values[b] - values[a] or 1.0)
    last = int(np.argmax(way >= 0.95))
    first = int(np.flatnonzero(way[: last + 1] <= 0.05)[-1])
    return a + first, a + last


def _plausible(values: NDArray[np.float32], frames: NDArray[np.intp]) -> bool:
    steps = np.abs(np.diff(values)) / np.maximum(np.diff(frames), 1)
    return bool(len(steps) == 0 or steps.max() <= STEEPEST)
