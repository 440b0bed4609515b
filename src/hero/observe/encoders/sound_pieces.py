"""Long sound in pieces with context on both sides, and their features as one sequence without a seam.

Pieces are 20 s long; neighbours share 2 s, of which each keeps the half that is farther from its own edge, so that
every step that is kept was heard with at least 1 s of sound around it. Pieces begin on a grid of 20 ms, which the steps
of the speech encoders follow: joined steps are as evenly spaced as those of one long piece. Pieces of like lengths may
share a forward pass.

Legend of shapes: N samples at 16 kHz; n steps of one piece; T steps of the whole; D columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hero.observe.encoders.encoder import Features

RATE_HZ = 16_000
GRID = 320  # samples: 20 ms
LENGTH = 20 * RATE_HZ
CONTEXT = RATE_HZ  # on each side of what is kept
NEARLY_S = 1e-6


@dataclass(frozen=True)
class SoundPiece:
    """A stretch of samples to encode, `first` <= k < `after`, of which the steps in `keep_from`..`keep_until` count."""

    first: int
    after: int
    keep_from: int
    keep_until: int


def pieces_of(samples_count: int) -> list[SoundPiece]:
    """Pieces that cover so many samples, of 20 s each; the last one has 2 to 20 s, or less where it is the only one."""
    if samples_count <= 0:
        return []
    starts = range(0, max(1, samples_count - 2 * CONTEXT), LENGTH - 2 * CONTEXT)
    ends = [min(start + LENGTH, samples_count) for start in starts]
    borders = [0, *(end - CONTEXT for end in ends[:-1]), samples_count]
    return [SoundPiece(*four) for four in zip(starts, ends, borders[:-1], borders[1:], strict=True)]


def joined(pieces: Sequence[SoundPiece], features: Sequence[Features]) -> Features:
    """Features of the whole sound (T, D) out of those of its pieces; `at` counts from the sound's first sample.

    Raises:
        ValueError: there is no piece, or not one set of features for each.
    """
    if not pieces:
        raise ValueError("there is no piece to join; a sound without samples has no features")
    values: list[NDArray[np.float32]] = []
    at: list[NDArray[np.float64]] = []
    for piece, found in zip(pieces, features, strict=True):
        time_s = found.at + piece.first / RATE_HZ  # (n,)
        kept = (time_s >= piece.keep_from / RATE_HZ - NEARLY_S) & (time_s < piece.keep_until / RATE_HZ - NEARLY_S)
        values.append(found.values[kept])
        at.append(time_s[kept])
    return Features(np.concatenate(values), np.concatenate(at))


def alike(lengths: Sequence[int], waste: float) -> Iterator[list[int]]:
    """Numbers of items in groups whose lengths differ by at most `waste` of the longest, the longest group first."""
    order = sorted(range(len(lengths)), key=lambda k: -lengths[k])
    group: list[int] = []
    for k in order:
        if group and lengths[k] < (1 - waste) * lengths[group[0]]:
            yield group
            group = []
        group.append(k)
    if group:
        yield group


class SoundCutter:
    """The same pieces from sound that arrives in blocks of any size; holds at most 20 s of it and a block."""

    def __init__(self) -> None:
        self._held = np.zeros(0, np.float32)  # from the next piece's first sample on
        self._first = 0
        self._keep_from = 0

    def push(self, samples: NDArray[np.float32]) -> Iterator[tuple[SoundPiece, NDArray[np.float32]]]:
        """Take the next samples (N,) and give the pieces that they complete."""
        self._held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        while len(self._held) > LENGTH:
            yield self._cut(LENGTH, CONTEXT)
            stride = LENGTH - 2 * CONTEXT
            self._held, self._first = self._held[stride:], self._first + stride

    def flush(self) -> Iterator[tuple[SoundPiece, NDArray[np.float32]]]:
        """The last piece: what is left."""
        if len(self._held):
            yield self._cut(len(self._held), 0)

    def _cut(self, length: int, context: int) -> tuple[SoundPiece, NDArray[np.float32]]:
        after = self._first + length
        piece = SoundPiece(self._first, after, self._keep_from, after - context)
        self._keep_from = after - context
        return piece, self._held[:length].copy()
