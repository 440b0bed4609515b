"""How many people are in view, from what the face expert found; its faces are the only ones counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.spans import runs
from hero.types import Span

if TYPE_CHECKING:
    from hero.types import Observation

TOGETHER_MIN_S = 0.3


@dataclass(frozen=True)
class People:
    """The most faces in view at once, and the longest stretch with that many (None for fewer than two)."""

    most: int
    together: Span | None = None


def count_people(face: Observation | None) -> People | None:
    """People in view, from the face expert's tracks `box`, `box_person1` ...; None where it did not run."""
    if face is None:
        return None
    if face.absent:
        return People(0) if face.absent.reason.startswith("no face") else None
    boxes = [track for name, track in face.tracks.items() if name == "box" or name.startswith("box_person")]
    if not boxes:
        return None
    times = np.unique(np.concatenate([track.times_s for track in boxes]))
    count = np.zeros(times.size, int)
    for track in boxes:
        count[np.searchsorted(times, track.times_s)] += track.valid
    for most in range(int(count.max(initial=0)), 1, -1):
        stretches = runs(count >= most, times, min_s=TOGETHER_MIN_S, gap_s=0.5)
        if stretches:
            return People(most, max(stretches, key=lambda span: span.duration_s))
    return People(min(1, int(count.max(initial=0))))
