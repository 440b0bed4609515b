"""The pitch tracker: autocorrelation candidates per frame and the cheapest path through them.

Candidates follow Boersma (1993), "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise
ratio of a sampled sound", IFA Proceedings 17: the autocorrelation of a Hann-windowed frame divided by that of its
window gives at the lag of a period the share r of periodic energy, hence the harmonics-to-noise ratio
10 log10(r / (1 - r)). The path is Viterbi's over "unvoiced" and K pitches per frame. It is decoded piecewise at frames
without any candidate (every path runs through them, so nothing is lost) and at the latest after `LONGEST` frames, so
memory stays bounded and the size of the incoming blocks cannot matter.

Shapes: F frames, B frequency bins, L lags, K candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 16000
HOP = 160  # 10 ms
WINDOW = 960  # 60 ms: three periods of the lowest pitch
FFT = 1536  # window plus the longest lag, without wrap-around
FINE = 2  # the autocorrelation is computed at twice the sampling rate, so that a parabola finds its peaks exactly
KEPT = 6
LONGEST = 1000


@dataclass(frozen=True)
class PitchRule:
    """Range and costs (Boersma 1993, section 4; the values are those in common use).

    A frame much quieter than `quiet` times the loudest so far is rather unvoiced; "loudest so far" starts at
    `first_peak_db` and fades by `peak_decay_db_s`, because a stream does not know its loudest frame in advance.
    """

    lowest_hz: float = 50.0
    highest_hz: float = 600.0
    voicing: float = 0.45
    octave_cost: float = 0.01
    octave_jump_cost: float = 0.35
    voicing_change_cost: float = 0.14
    quiet: float = 0.03
    floor_db: float = -65.0
    first_peak_db: float = -40.0
    peak_decay_db_s: float = 0.6


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pitches of F frames: hz (F, K), periodicity r in [0, 1] (F, K), valid (F, K), path scores of the pitches (F, K)
    and of "unvoiced" (F,)."""

    hz: NDArray[np.float32]
    periodicity: NDArray[np.float32]
    valid: NDArray[np.bool_]
    score: NDArray[np.float32]
    unvoiced: NDArray[np.float32]


_FIELDS = tuple(Candidates.__dataclass_fields__)


@lru_cache
def window() -> NDArray[np.float32]:
    """The Hann window (960,)."""
    n = np.arange(WINDOW) + 0.5
    return (0.5 - 0.5 * np.cos(2 * np.pi * n / WINDOW)).astype(np.float32)


@lru_cache
def _window_lags(longest: int) -> NDArray[np.float32]:
    power = np.abs(np.fft.rfft(window(), FFT)) ** 2
    lags = _autocorrelation(power[None].astype(np.float32), longest)[0]
    share: NDArray[np.float32] = lags / lags[0]
    return share


def _autocorrelation(power: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    # zero-padding the spectrum interpolates the autocorrelation exactly: (F, B) -> (F, L)
    return np.fft.irfft(power, FFT * FINE, axis=1)[:, :longest].astype(np.float32)


def candidates(
    power: NDArray[np.float32], level_db: NDArray[np.float32], peak_db: NDArray[np.float32], rule: PitchRule
) -> Candidates:
    """Up to K pitches per frame from power spectra (F, B) of windowed frames, their levels and the peak so far (F,)."""
    fine_hz = RATE_HZ * FINE
    first, last = int(fine_hz / rule.highest_hz), int(np.ceil(fine_hz / rule.lowest_hz))
    r = _autocorrelation(power, last + 2)  # (F, L)
    r /= np.maximum(r[:, :1], 1e-20) * _window_lags(last + 2)[None]
    inner = r[:, first : last + 1]
    peak = (inner > r[:, first - 1 : last]) & (inner >= r[:, first + 1 : last + 2]) & (inner > rule.voicing / 2)
    peak &= (level_db > rule.floor_db)[:, None]
    lags = np.arange(first, last + 1, dtype=np.float32)
    bonus = rule.octave_cost * np.log2(rule.lowest_hz * lags / fine_hz)  # (L,)
    ranked = np.where(peak, inner - bonus, -np.inf)
    best = np.argpartition(-ranked, KEPT - 1, axis=1)[:, :KEPT]  # (F, K)
    valid = np.take_along_axis(peak, best, axis=1)
    lag, height = _refine(r, best + first)
    hz = np.where(valid, fine_hz / lag, 0).astype(np.float32)
    height = np.where(height > 1, 1 / np.maximum(height, 1e-6), height)  # Boersma: an overshoot is mirrored at 1
    score = np.where(valid, height + rule.octave_cost * np.log2(np.where(valid, hz, 1) / rule.lowest_hz), -np.inf)
    share = 10 ** ((level_db - peak_db) / 20) * (1 + rule.voicing) / rule.quiet
    unvoiced = rule.voicing + np.maximum(0, 2 - share)
    periodicity = np.where(valid, height, 0)
    return Candidates(hz, periodicity.astype(np.float32), valid, score.astype(np.float32), unvoiced.astype(np.float32))


def _refine(r: NDArray[np.float32], at: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    left, mid, right = (np.take_along_axis(r, at + k, axis=1) for k in (-1, 0, 1))
    bend = np.minimum(left - 2 * mid + right, -1e-9)
    shift = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    return at + shift, mid - 0.25 * (left - right) * shift


@dataclass(eq=False)
class PathFinder:
    """Viterbi over candidates that arrive piece by piece; `push` returns what is settled, `flush` the rest.

    State: the candidates of frames not yet settled, and what the last settled frame was.
    """

    rule: PitchRule = field(default_factory=PitchRule)
    _open: list[Candidates] = field(default_factory=list)
    _last_hz: float = 0.0

    def push(self, new: Candidates) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pitch in Hz (F',) with 0 for unvoiced, and its periodicity (F',), of the frames settled by this piece."""
        self._open.append(new)
        waiting = _concatenate(self._open)
        empty = np.flatnonzero(~waiting.valid.any(axis=1))
        settled = int(empty[-1]) + 1 if len(empty) else 0
        whole = len(waiting.hz)
        if whole - settled >= LONGEST:
            settled += (whole - settled) // LONGEST * LONGEST
        return self._settle(waiting, settled)

    def flush(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Settle all that is still open."""
        if not self._open:
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        waiting = _concatenate(self._open)
        return self._settle(waiting, len(waiting.hz))

    def _settle(self, waiting: Candidates, settled: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        hz, periodicity = np.zeros(settled, np.float32), np.zeros(settled, np.float32)
        tonal: NDArray[np.bool_] = np.any(waiting.valid[:settled], axis=1)
        for begin, end in stretches(tonal):
            part = _slice(waiting, begin, end)
            before_hz = float(hz[begin - 1]) if begin else self._last_hz
            hz[begin:end], periodicity[begin:end] = best_path(part, self.rule, before_hz)
        if settled:
            self._last_hz = float(hz[-1])
        self._open = [_slice(waiting, settled, len(waiting.hz))]
        return hz, periodicity


def best_path(part: Candidates, rule: PitchRule, before_hz: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The best path through F frames, each "unvoiced" or one of K pitches; `before_hz` is the pitch before or 0."""
    frames = len(part.hz)
    log_hz = np.log2(np.where(part.valid, part.hz, 1.0))  # (F, K)
    local = np.concatenate([part.unvoiced[:, None], part.score], axis=1)  # (F, K + 1)
    change = np.full((frames, KEPT + 1, KEPT + 1), rule.voicing_change_cost, np.float32)  # (F, from, to)
    change[:, 0, 0] = 0
    previous = np.concatenate([np.full((1, KEPT), np.log2(max(before_hz, 1.0))), log_hz[:-1]])
    change[:, 1:, 1:] = rule.octave_jump_cost * np.abs(previous[:, :, None] - log_hz[:, None, :])
    back = np.zeros((frames, KEPT + 1), np.int8)
    total = np.full(KEPT + 1, -np.inf, np.float32)
    total[1 if before_hz else 0] = 0
    columns = np.arange(KEPT + 1)
    for t in range(frames):
        step = total[:, None] - change[t]
        chosen = step.argmax(axis=0)
        back[t] = chosen
        total = step[chosen, columns] + local[t]
    state = int(total.argmax())
    hz, periodicity = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
    for t in range(frames - 1, -1, -1):
        if state:
            hz[t], periodicity[t] = part.hz[t, state - 1], part.periodicity[t, state - 1]
        state = int(back[t, state])
    return hz, periodicity


def stretches(on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of True as (first, after), none longer than `LONGEST`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    pieces: list[tuple[int, int]] = []
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        pieces += [(a, min(a + LONGEST, end)) for a in range(begin, end, LONGEST)]
    return pieces


def _slice(c: Candidates, begin: int, end: int) -> Candidates:
    return Candidates(*(getattr(c, name)[begin:end] for name in _FIELDS))


def _concatenate(parts: list[Candidates]) -> Candidates:
    joined = (np.concatenate([getattr(p, name) for p in parts]) for name in _FIELDS)
    return Candidates(*joined)
