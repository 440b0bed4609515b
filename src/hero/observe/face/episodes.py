"""Stretches of a face's tracks that are worth a sentence: action unit episodes, talking, gaze turned away, eyes closed.

Legend: T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.measure import intensity, presence
from hero.observe.spans import runs
from hero.types import Span, Track

BRIDGE_S = 0.25
MIN_EPISODE_S = 0.2
MIN_TALKING_EPISODE_S = 0.4
LOWER_FACE = frozenset({10, 14, 15, 17, 20, 23, 25, 26})
"""Units that articulation moves; while somebody talks they need to last to count."""
ARTICULATION = frozenset({25, 26})
"""Units that are speech itself while somebody talks."""
TALK_WINDOW_S = 0.7
TALK_MOTION = 0.012
"""Spread of the lip opening (eye distances) within the window from which lips count as talking."""
UNEVEN_S = 0.1
"""Steps up to this long are no hole: 20 samples a second of a 24 frames film come unevenly."""
AWAY_DEG, AWAY_MIN_S = 15.0, 0.4
CLOSED_MIN_S = 0.6


@dataclass(frozen=True)
class Episode:
    """One unit over one stretch: its highest and mean level, and when it peaked."""

    number: int
    span: Span
    peak: float
    mean: float
    apex_s: float


def au_episodes(au: Track, number: int, talking: Sequence[Span] = ()) -> list[Episode]:
    """Episodes of one unit, in order of time; those that speech explains are left out."""
    active, (level, _) = presence(au, number), intensity(au, number)
    found = []
    for span in runs(active, au.times_s, min_s=MIN_EPISODE_S, gap_s=BRIDGE_S):
        share = sum(span.overlap_s(other) for other in talking) / max(span.duration_s, 1e-6)
        if share > 0.3 and number in ARTICULATION:
            continue
        if share > 0.3 and number in LOWER_FACE and span.duration_s < MIN_TALKING_EPISODE_S:
            continue
        inside = (au.times_s >= span.start_s) & (au.times_s < span.end_s) & active
        if not inside.any():
            continue
        values = np.where(inside, level, -1)
        peak = int(np.argmax(values))
        found.append(Episode(number, span, float(values[peak]), float(level[inside].mean()), float(au.times_s[peak])))
    return found


def talking_spans(mouth: Track) -> list[Span]:
    """Stretches in which the lips keep opening and closing, as in speech."""
    opening, known = mouth.column("opening")
    times = mouth.times_s[known]
    if len(times) < 5:
        return []
    values, half = opening[known], TALK_WINDOW_S / 2
    left, right = np.searchsorted(times, times - half), np.searchsorted(times, times + half, side="right")
    sums, squares = np.append(0, np.cumsum(values, dtype=float)), np.append(0, np.cumsum(values.astype(float) ** 2))
    count = right - left
    spread = np.sqrt(
        np.maximum((squares[right] - squares[left]) / count - ((sums[right] - sums[left]) / count) ** 2, 0)
    )
    turns = np.abs(np.diff(np.sign(np.diff(values)), append=0, prepend=0)) > 0  # the opening changes direction
    turned = np.append(0, np.cumsum(turns[: len(values)]))
    return runs((spread > TALK_MOTION) & (turned[right] - turned[left] >= 2), times, min_s=0.3, gap_s=0.3)


def away_spans(gaze: Track) -> list[tuple[Span, float, float]]:
    """Stretches with eye and head turned from the clip's usual direction: (span, degrees right, degrees up)."""
    x, known = gaze.column("x_deg")
    y, _ = gaze.column("y_deg")
    if known.sum() < 10:
        return []
    dx, dy = x - np.median(x[known]), y - np.median(y[known])
    away = known & (np.hypot(dx, 0.7 * dy) > AWAY_DEG)  # up and down is measured less well
    found = []
    for span in runs(away, gaze.times_s, min_s=AWAY_MIN_S, gap_s=BRIDGE_S):
        inside = away & (gaze.times_s >= span.start_s) & (gaze.times_s < span.end_s)
        found.append((span, float(np.median(dx[inside])), float(np.median(dy[inside]))))
    return found


def blinks(au: Track) -> tuple[list[Span], list[Span]]:
    """(blinks, longer closures) of the eyes; eyes cast down look closed to the landmarks."""
    closed = runs(presence(au, 45), au.times_s, gap_s=UNEVEN_S)
    return [s for s in closed if s.duration_s < CLOSED_MIN_S], [s for s in closed if s.duration_s >= CLOSED_MIN_S]


def visible_spans(box: Track) -> list[Span]:
    """Stretches in which the face was found."""
    return runs(box.mask[:, 0], box.times_s, gap_s=0.5)


def mean_level(au: Track, number: int, span: Span) -> float | None:
    """Mean intensity of a unit within a span; None where it was not measured."""
    level, known = intensity(au, number)
    inside: NDArray[np.bool_] = known & (au.times_s >= span.start_s) & (au.times_s < span.end_s)
    return float(level[inside].mean()) if inside.any() else None
