"""Do lips and sound belong together: how the mouth opens against how loudness rises, over lags, windows and chance.

Both series are differenced before they are correlated (prewhitening, Box & Jenkins 1976): slow series go together by
chance, their steps do not. Correlation is normalised under masks (Padfield 2012); circular shifts of the sound are the
measure of chance.
Legend of shapes: T samples on one grid, K lags, W windows. A positive lag means that the sound comes after the lips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hero.types import Track

STEP_S = 0.04
LAG_S = 0.5
NEAR_S = 0.12  # lags that people do not notice and face trackers cause
WINDOW_S = 2.0
HOP_S = 0.25
MOUTH_HOLE_S = 0.2
LOUD_RANGE_DB = 35.0
SMOOTH = 3  # samples
MIN_PAIRS = 20
MIN_SPEECH_IN_WINDOW_S = 0.6
PEAK_S = 0.2  # shifts closer than this to the one found belong to the same peak


@dataclass(frozen=True, eq=False)
class Pair:
    """Lips and sound on one grid: mouth, sound_db (T,), speech (T,) bool, valid (T,) where both were measured."""

    times_s: NDArray[np.floating]
    mouth: NDArray[np.floating]
    sound_db: NDArray[np.floating]
    speech: NDArray[np.bool_]
    valid: NDArray[np.bool_]

    def part(self, first: int, last: int) -> Pair:
        """Samples `first` to `last`, end exclusive."""
        cut = slice(first, last)
        return Pair(self.times_s[cut], self.mouth[cut], self.sound_db[cut], self.speech[cut], self.valid[cut])

    @property
    def speech_s(self) -> float:
        """Seconds of speech in which the mouth was seen."""
        return float((self.speech & self.valid).sum()) * STEP_S


@dataclass(frozen=True)
class Sync:
    """How well lips and sound fit over a stretch.

    `near_r` is the best correlation at lags up to `NEAR_S`, `best_r` at `lag_s` the best up to `LAG_S`; `chance_near`
    and `chance_best` are the shares of circular shifts of the sound that fit as well (1 where there were none to try).
    """

    near_r: float
    near_lag_s: float
    best_r: float
    lag_s: float
    chance_near: float
    chance_best: float
    speech_s: float


def pair_up(mouth: Track, prosody: Track) -> Pair:
    """Put mouth `opening` and sound `loudness_db`, `speech` on one grid of `STEP_S`, masked where either is missing."""
    opening, open_known = mouth.column("opening")
    loudness, loud_known = prosody.column("loudness_db")
    speech, speech_known = prosody.column("speech")
    seen_s, heard_s = mouth.times_s[open_known], prosody.times_s[speech_known]
    if seen_s.size < 2 or heard_s.size < 2:
        nothing = np.zeros(0)
        return Pair(nothing, nothing, nothing, np.zeros(0, bool), np.zeros(0, bool))
    start, end = max(seen_s[0], heard_s[0]), min(seen_s[-1], heard_s[-1])
    first = int(np.ceil(start / STEP_S - 1e-6))
    times = np.arange(first, int(np.floor(end / STEP_S + 1e-6)) + 1) * STEP_S
    lips = np.interp(times, seen_s, opening[open_known])
    after = np.clip(np.searchsorted(seen_s, times), 1, seen_s.size - 1)
    valid = seen_s[after] - seen_s[after - 1] <= MOUTH_HOLE_S
    silence = float(loudness[loud_known].min()) if loud_known.any() else 0.0
    level = _box_average(times, prosody.times_s, np.where(loud_known, loudness, silence))
    talk = _box_average(times, heard_s, speech[speech_known])
    return Pair(times, lips, level, talk >= 0.5, valid & np.isfinite(level) & np.isfinite(talk))


def _box_average(times: NDArray[np.floating], at_s: NDArray[np.floating], values: ArrayLike) -> NDArray[np.floating]:
    """Mean of values within half a step around each time; the nearest value where none lies within; (T,)."""
    values = np.asarray(values, np.float64)
    total = np.concatenate([[0.0], np.cumsum(values)])
    low = np.searchsorted(at_s, times - STEP_S / 2)
    high = np.searchsorted(at_s, times + STEP_S / 2)
    near = np.clip(low, 0, values.size - 1)
    return np.where(high > low, (total[high] - total[low]) / np.maximum(high - low, 1), values[near])


def windows(pair: Pair) -> NDArray[np.floating]:
    """Sliding windows (W, 5): end time, best correlation, its lag_s, best near correlation of steps and of levels.

    A row uses only samples up to its own time; NaN where the mouth was hidden or too little was said.
    """
    width, hop = round(WINDOW_S / STEP_S), round(HOP_S / STEP_S)
    rows = []
    for last in range(width, pair.times_s.size + 1, hop):
        part = pair.part(last - width, last)
        row = (np.nan,) * 4
        if part.speech_s >= MIN_SPEECH_IN_WINDOW_S:
            lags, curve = lag_curve(part)
            near = np.abs(lags) <= NEAR_S + 1e-9
            if np.isfinite(curve[near]).any():
                best = int(np.nanargmax(curve))
                level = np.nan_to_num(lag_curve(part, levels=True)[1][near], nan=-1.0)
                row = (float(curve[best]), float(lags[best]), float(np.nanmax(curve[near])), float(level.max()))
        rows.append((float(part.times_s[-1]), *row))
    return np.array(rows, np.float64).reshape(-1, 5)


def lag_curve(pair: Pair, *, levels: bool = False) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(lags_s (K,), correlation (K,)) of lips with the sound that comes `lag` later; NaN where too little overlaps.

    Steps are correlated, or with `levels` the opening and the loudness themselves.
    """
    reach = round(LAG_S / STEP_S)
    lips, sound, known = _levels(pair) if levels else _changes(pair)
    curve = np.full(2 * reach + 1, np.nan)
    size = lips.size
    for k in range(-reach, reach + 1):
        a, b = max(0, -k), size - max(0, k)
        if b - a < MIN_PAIRS:
            continue
        both = known[a:b] & known[a + k : b + k]
        if both.sum() >= MIN_PAIRS:
            curve[k + reach] = _pearson(lips[a:b][both], sound[a + k : b + k][both])
    return np.arange(-reach, reach + 1) * STEP_S, curve


def judge(pair: Pair) -> Sync | None:
    """Sync of a whole stretch against chance; None where too little overlaps to correlate at all."""
    lags, curve = lag_curve(pair)
    if not np.isfinite(curve).any():
        return None
    near = np.abs(lags) <= NEAR_S + 1e-9
    best = int(np.nanargmax(curve))
    near_curve = np.where(near & np.isfinite(curve), curve, -2.0)
    close = int(np.argmax(near_curve))
    shifted = circular_correlation(*_changes(pair))
    return Sync(
        near_r=float(near_curve[close]), near_lag_s=float(lags[close]), best_r=float(curve[best]),
        lag_s=float(lags[best]), chance_near=_chance(shifted, float(near_curve[close]), NEAR_S, float(lags[close])),
        chance_best=_chance(shifted, float(curve[best]), LAG_S, float(lags[best])), speech_s=pair.speech_s,
    )  # fmt: skip


def circular_correlation(
    lips: NDArray[np.floating], sound: NDArray[np.floating], valid: NDArray[np.bool_]
) -> NDArray[np.floating]:
    """Correlation (T,) under a mask of lips with sound turned round by 0, 1, 2 ... samples."""
    w = valid.astype(np.float64)
    x, y = np.where(valid, lips, 0.0), np.where(valid, sound, 0.0)

    def turn(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
        product: NDArray[np.floating] = np.fft.irfft(np.conj(np.fft.rfft(a)) * np.fft.rfft(b), a.size)
        return product

    count = np.maximum(turn(w, w), 1e-9)
    mean_x, mean_y = turn(x, w) / count, turn(w, y) / count
    cov = turn(x, y) / count - mean_x * mean_y
    var = (turn(x * x, w) / count - mean_x**2) * (turn(w, y * y) / count - mean_y**2)
    return np.where(count >= MIN_PAIRS, cov / np.sqrt(np.maximum(var, 1e-12)), np.nan)


def _chance(shifted: NDArray[np.floating], reached: float, reach_s: float, at_s: float) -> float:
    """Share of other circular shifts whose best correlation within +- reach_s is at least the one reached at `at_s`."""
    from scipy.ndimage import maximum_filter1d

    size = shifted.size
    apart = round(PEAK_S / STEP_S) + round(reach_s / STEP_S)
    if size <= 2 * apart:
        return 1.0
    best = maximum_filter1d(np.nan_to_num(shifted, nan=-1.0), 2 * round(reach_s / STEP_S) + 1, mode="wrap")
    others = np.roll(best, -round(at_s / STEP_S))[apart : size - apart]
    return float((1 + np.count_nonzero(others >= reached)) / (1 + others.size))


def _levels(pair: Pair) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.bool_]]:
    """Smoothed lips and loudness over a floor that silence shares, and where both are known; (T,) each."""
    heard = pair.sound_db[pair.speech]
    floor = (float(heard.max()) if heard.size else float(np.max(pair.sound_db, initial=0.0))) - LOUD_RANGE_DB
    sound = np.where(pair.speech, np.maximum(pair.sound_db - floor, 0.0), 0.0)
    return _smoothed(pair.mouth), _smoothed(sound), pair.valid


def _changes(pair: Pair) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.bool_]]:
    """Steps of `_levels`, (T - 1,) each."""
    lips, sound, known = _levels(pair)
    return np.diff(lips), np.diff(sound), known[1:] & known[:-1]


def _smoothed(values: NDArray[np.floating]) -> NDArray[np.floating]:
    if values.size < SMOOTH:
        return values
    kernel = np.ones(SMOOTH)
    return np.asarray(np.convolve(values, kernel, "same") / np.convolve(np.ones(values.size), kernel, "same"))


def _pearson(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) if size > 1e-9 else 0.0
