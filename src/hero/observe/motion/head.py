"""Nods and head shakes in a head-pose track: quick swings to and fro about one axis.

A swing is a turn between two turning points (the zigzag rule: a turning point counts once the head has come back by
`TURN_DEG`). Two swings of pitch make a nod, three of yaw a shake, when they follow each other without rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from hero.types import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.types import Track

TURN_DEG = 3.0
SWING_S = (0.06, 0.6)
HOLE_S = 0.3
REST_S = 0.3
REST_SHARE = 0.15
DOMINANCE = 1.5
SWINGS_NEEDED = {"nod": 2, "head_shake": 3}
AXES = {"nod": ("pitch_deg", "yaw_deg"), "head_shake": ("yaw_deg", "pitch_deg")}


@dataclass(frozen=True)
class HeadGesture:
    """One nod or shake: how many swings, how far on average, and how many to-and-fro a second."""

    kind: Literal["nod", "head_shake"]
    span: Span
    swings: int
    amplitude_deg: float
    rate_hz: float


def head_gestures(pose: Track) -> list[HeadGesture]:
    """Nods and shakes in a pose track with columns pitch_deg and yaw_deg, in order of time; masked ones are skipped."""
    found = _gestures(pose, "nod") + _gestures(pose, "head_shake")
    return sorted(found, key=lambda gesture: gesture.span)


def _gestures(pose: Track, kind: Literal["nod", "head_shake"]) -> list[HeadGesture]:
    main, other = AXES[kind]
    angle, valid = pose.column(main)
    across, across_valid = pose.column(other)
    valid = valid & across_valid
    times, angle, across = pose.times_s[valid], angle[valid], across[valid]
    found = []
    for part in np.split(np.arange(times.size), np.flatnonzero(np.diff(times) > HOLE_S) + 1):
        for swings in _swinging(times[part], angle[part]):
            far = np.array([abs(float(angle[part[b]] - angle[part[a]])) for a, b in swings])  # degrees of each swing
            chosen = part[swings[0][0] : swings[-1][1] + 1]
            if far.size < SWINGS_NEEDED[kind] or np.ptp(across[chosen]) * DOMINANCE > far.max():
                continue
            span = Span(float(times[chosen[0]]), float(times[chosen[-1]]))
            found.append(HeadGesture(kind, span, far.size, float(far.mean()), far.size / (2 * span.duration_s)))
    return found


def _swinging(times_s: NDArray[np.float64], angle: NDArray[np.float32]) -> list[list[tuple[int, int]]]:
    """Groups of quick swings (first index, last index) that follow each other without rest."""
    groups: list[list[tuple[int, int]]] = []
    points = turning_points(angle)
    for first, last in pairwise(points):
        a, b = _moving_part(angle, first, last)
        if not SWING_S[0] <= times_s[b] - times_s[a] <= SWING_S[1]:
            continue
        if groups and times_s[a] - times_s[groups[-1][-1][1]] <= REST_S:
            groups[-1].append((a, b))
        else:
            groups.append([(a, b)])
    return groups


def _moving_part(angle: NDArray[np.float32], first: int, last: int) -> tuple[int, int]:
    """A swing without the rest before and after it: from leaving its first angle to reaching its last."""
    near = REST_SHARE * abs(angle[last] - angle[first])
    piece = angle[first : last + 1]
    start = int(np.flatnonzero(np.abs(piece - angle[first]) <= near)[-1])
    end = int(np.flatnonzero(np.abs(piece - angle[last]) <= near)[0])
    return (first + start, first + end) if start < end else (first, last)


def turning_points(angle: NDArray[np.float32], turn: float = TURN_DEG) -> list[int]:
    """Indices of alternating highs and lows of angle (T,), each at least `turn` from its neighbours."""
    points: list[int] = []
    low = high = direction = 0
    for i in range(angle.size):
        high = i if angle[i] > angle[high] else high
        low = i if angle[i] < angle[low] else low
        if direction >= 0 and angle[high] - angle[i] >= turn:
            points.append(high)
            direction, low = -1, i
        elif direction <= 0 and angle[i] - angle[low] >= turn:
            points.append(low)
            direction, high = 1, i
    if direction:
        points.append(high if direction > 0 else low)
    return points
