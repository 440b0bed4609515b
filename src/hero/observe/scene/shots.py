"""Shot boundaries while frames stream by: colours and structure must change at once, and stay changed.

A frame's signature is a colour histogram per quarter of the picture and a tiny grey picture. The change between
neighbours is judged against the usual change of the last seconds (adaptive threshold), and a frame is a cut only if the
frame after it still differs from the one before it, so that a flash is none. Legend of shapes: Q quarters, B bins.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.motion.flow import small_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRUCTURE_PX = 32
MEMORY = 8
CHANGE_FLOOR = 0.30
OVER_USUAL = 3.0
STAYS = 0.6
FULL_CHANGE = 0.6


@dataclass(frozen=True, eq=False)
class Signature:
    """What is kept of a frame: its time, colours (Q, B) that sum to 1 each, and a tiny grey picture (h, w)."""

    time_s: float
    colours: NDArray[np.float32]
    grey: NDArray[np.floating]


@dataclass(frozen=True)
class Cut:
    """A shot begins at `time_s`; `score` in [0, 1] is how much colours and structure changed."""

    time_s: float
    score: float


class CutFinder:
    """Feed signatures in order; a cut is settled one frame after it. State: three signatures and the last changes."""

    def __init__(self) -> None:
        self.cuts: list[Cut] = []
        self._past: Signature | None = None
        self._last: Signature | None = None
        self._pending: float | None = None  # change between _past and _last where that looks like a cut
        self._usual: deque[float] = deque(maxlen=MEMORY)

    def push(self, sign: Signature) -> None:
        """Take the next frame's signature."""
        if self._last is None:
            self._last = sign
            return
        step = change(self._last, sign)
        if self._pending is not None and not self._settle(sign):
            step = 0.0  # back from a flash
        usual = float(np.median(self._usual)) if self._usual else 0.0
        if step >= max(CHANGE_FLOOR, OVER_USUAL * usual):
            self._pending = step
        else:
            self._usual.append(step)
        self._past, self._last = self._last, sign

    def flush(self) -> list[Cut]:
        """All cuts, the last frame's included if it looked like one."""
        if self._pending is not None and self._last is not None:
            self._add(self._last.time_s, self._pending)
        self._pending = None
        return self.cuts

    def _settle(self, sign: Signature) -> bool:
        """Whether the frame before was a cut, now that the one after it is known."""
        assert self._past is not None and self._last is not None and self._pending is not None
        stays = change(self._past, sign) >= STAYS * self._pending
        if stays:
            self._add(self._last.time_s, self._pending)
        self._pending = None
        return stays

    def _add(self, time_s: float, score: float) -> None:
        self.cuts.append(Cut(time_s, min(1.0, score / FULL_CHANGE)))


def signature(time_s: float, rgb: NDArray[np.uint8]) -> Signature:
    """Signature of a frame rgb (H, W, 3); works from one pixel on."""
    height, width = rgb.shape[:2]
    code = (rgb[..., 0] >> 6).astype(np.intp) * 16 + (rgb[..., 1] >> 6) * 4 + (rgb[..., 2] >> 6)  # (H, W), 64 colours
    rows, columns = max(1, height // 2), max(1, width // 2)
    quarters = [code[:rows, :columns], code[:rows, columns:], code[rows:, :columns], code[rows:, columns:]]
    counts = [np.bincount(part.ravel(), minlength=64) / part.size for part in quarters if part.size]
    return Signature(time_s, np.array(counts, np.float32), small_grey(rgb, STRUCTURE_PX))


def change(a: Signature, b: Signature) -> float:
    """How much two frames differ, 0 (same) to 1: the geometric mean of colour and structure change.

    Both must change: a hand before the lens changes colours, a light switch changes colours, a pan changes structure.
    """
    if a.colours.shape != b.colours.shape or a.grey.shape != b.grey.shape:
        return 1.0
    colour = float(np.abs(a.colours - b.colours).sum(axis=1).mean()) / 2
    return float(np.sqrt(colour * _structure_change(a.grey, b.grey)))


def _structure_change(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """0 where two tiny pictures show the same structure, 1 where they have nothing in common."""
    a, b = a - a.mean(), b - b.mean()
    size_a, size_b = float(np.sqrt((a * a).mean())), float(np.sqrt((b * b).mean()))
    if max(size_a, size_b) < 2.0:  # two plain pictures: their colours alone decide
        return 1.0
    if min(size_a, size_b) < 2.0:
        return 1.0
    return float(np.clip(1 - (a * b).mean() / (size_a * size_b), 0, 1))
