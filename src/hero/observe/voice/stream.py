"""Prosody of a sound stream: 10 ms frames from blocks of any size, with bounded memory.

Frames are centred at 5, 15, 25 ... ms. They are computed in groups of a fixed number counted from the start of the clip
and pitch paths are settled at fixed places, so the result does not depend on how the stream was cut into blocks
(a test proves it). Kept for the whole clip: eight float32 per 10 ms. Kept for a while: the samples of open paths.

Shapes: N samples, F frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.voice import quality
from hero.observe.voice.pitch import FFT, HOP, RATE_HZ, WINDOW, PathFinder, PitchRule, candidates, stretches, window
from hero.observe.voice.speech import clean

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUP = 100
HOP_S = HOP / RATE_HZ
_LEAD = (WINDOW - HOP) // 2  # silence before the first frame, which is centred at half a hop


@dataclass(frozen=True, eq=False)
class Prosody:
    """Columns over F frames; `f0_hz` is 0 where unvoiced, jitter and shimmer are NaN where not measured."""

    times_s: NDArray[np.float64]
    f0_hz: NDArray[np.float32]
    hnr_db: NDArray[np.float32]
    level_db: NDArray[np.float32]
    loudness_db: NDArray[np.float32]
    band_db: NDArray[np.float32]
    tilt_db: NDArray[np.float32]
    jitter_pct: NDArray[np.float32]
    shimmer_pct: NDArray[np.float32]


class ProsodyStream:
    """Pitch, level, tilt, harmonics, jitter and shimmer of a 16 kHz stream; push blocks, then flush once."""

    def __init__(self, rule: PitchRule | None = None) -> None:
        self._rule = rule or PitchRule()
        self._path = PathFinder(self._rule)
        self._waiting = np.zeros(_LEAD, np.float32)  # samples of frames not yet analysed
        self._unsettled = np.zeros(_LEAD, np.float32)  # samples of frames whose pitch is not yet settled
        self._count = 0
        self._framed = 0
        self._peak_db = self._rule.first_peak_db
        self._columns: dict[str, list[NDArray[np.float32]]] = {}

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples (N,)."""
        self._count += len(samples)
        self._add(clean(samples))

    def _add(self, samples: NDArray[np.float32]) -> None:
        self._waiting = np.concatenate([self._waiting, samples])
        self._unsettled = np.concatenate([self._unsettled, samples])
        needed = (GROUP - 1) * HOP + WINDOW
        while len(self._waiting) >= needed:
            self._analyse(GROUP)

    def flush(self) -> Prosody:
        """Finish the last frames and hand out all columns."""
        total = -(-self._count // HOP)
        self._add(np.zeros(WINDOW + HOP, np.float32))
        if total > self._framed:
            self._analyse(total - self._framed)
        self._keep_pitch(*self._path.flush())
        columns = {name: np.concatenate(parts)[:total] for name, parts in self._columns.items()}
        names = ("f0_hz", "hnr_db", "level_db", "loudness_db", "band_db", "tilt_db", "jitter_pct", "shimmer_pct")
        empty = np.zeros(0, np.float32)
        times_s = (np.arange(total, dtype=np.float64) + 0.5) * HOP_S
        return Prosody(times_s, **{name: columns.get(name, empty) for name in names})

    def _analyse(self, frames: int) -> None:
        view = np.lib.stride_tricks.sliding_window_view(self._waiting, WINDOW)[: frames * HOP : HOP]  # (F, 960)
        centred = view - view.mean(axis=1, keepdims=True)
        spectrum = np.fft.rfft(centred * window(), FFT, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)  # (F, B)
        found = quality.levels(power)
        for name in ("level_db", "loudness_db", "band_db", "tilt_db"):
            self._columns.setdefault(name, []).append(getattr(found, name))
        self._waiting = self._waiting[frames * HOP :]
        self._framed += frames
        self._keep_pitch(*self._path.push(candidates(power, found.level_db, self._peaks(found.level_db), self._rule)))

    def _peaks(self, level_db: NDArray[np.float32]) -> NDArray[np.float32]:
        fade_db = self._rule.peak_decay_db_s * HOP_S * np.arange(1, len(level_db) + 1)
        raised = np.concatenate([[self._peak_db], level_db + fade_db])
        peaks = np.maximum.accumulate(raised)[1:] - fade_db
        self._peak_db = max(self._rule.first_peak_db, float(peaks[-1]))
        raised_db: NDArray[np.float32] = np.maximum(peaks, self._rule.first_peak_db).astype(np.float32)
        return raised_db

    def _keep_pitch(self, hz: NDArray[np.float32], periodicity: NDArray[np.float32]) -> None:
        jitter, shimmer = np.full(len(hz), np.nan, np.float32), np.full(len(hz), np.nan, np.float32)
        for first, after in stretches(hz > 0):
            begin = _LEAD + first * HOP
            measured = quality.steadiness(
                *quality.periods_of(self._unsettled[begin : _LEAD + after * HOP], hz[first:after], HOP)
            )
            if measured:
                jitter[first:after], shimmer[first:after] = measured.jitter_pct, measured.shimmer_pct
        harmonics = np.where(hz > 0, quality.hnr_db(periodicity), np.nan).astype(np.float32)
        for name, values in (("f0_hz", hz), ("hnr_db", harmonics), ("jitter_pct", jitter), ("shimmer_pct", shimmer)):
            self._columns.setdefault(name, []).append(values)
        self._unsettled = self._unsettled[len(hz) * HOP :]
