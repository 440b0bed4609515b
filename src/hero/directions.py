"""Marks that turn the direction of writing: harmless in the right place, they make a line read as something else."""

from __future__ import annotations

import re

_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u206a-\u206f]")


def without_marks(text: str) -> str:
    """The text without Unicode's bidirectional controls (UAX #9) and their deprecated kin."""
    return _MARKS.sub("", text)
