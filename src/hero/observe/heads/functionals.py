"""One vector per utterance from its contours: statistics, course over time, modulation and rhythm.

A measure that does not exist (pitch statistics of a whispered clip) is NaN; whoever learns from the vector masks it.

Letters: T frames (10 ms), D descriptors, S statistics, M mel bands, K cosine coefficients.
"""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np

from hero.observe.heads.contours import VOICED_ONLY, Contours, cosine

FRAME_S = 0.01
PARTS = 4
PERCENTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MODULATION_EDGES_HZ = (0.5, 1.5, 3.0, 5.0, 8.0, 12.0, 20.0)
COURSE = 8


def functionals(contours: Contours) -> np.ndarray:
    """The vector of all functionals, float32 (1140,); order fixed by this code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=RuntimeWarning)  # all-NaN columns are meant to stay NaN
        parts = [
            _statistics(contours.values, contours.loud),
            _dynamics(contours.values, contours.loud),
            _voiced_means(contours),
            _course(contours),
            _modulation(contours),
            _rhythm(contours),
        ]
    vector = np.concatenate(parts).astype(np.float32)
    return np.where(np.isfinite(vector), vector, np.nan)


def _statistics(values: np.ndarray, loud: np.ndarray) -> np.ndarray:
    """Mean, spread, five percentiles and two ranges of every descriptor over loud frames, (9 D,)."""
    chosen = values[loud]
    ordered = np.sort(chosen, axis=0)  # NaN goes last
    count = np.sum(np.isfinite(chosen), axis=0)
    columns = np.arange(values.shape[1])
    cuts = []
    for part in PERCENTILES:
        place = part * np.maximum(count - 1, 0)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        weight = place - low
        cuts.append(ordered[low, columns] * (1 - weight) + ordered[high, columns] * weight)
    mean, spread = _mean_and_spread(chosen)
    return np.concatenate([mean, spread, *cuts, cuts[4] - cuts[0], cuts[3] - cuts[1]])


def _mean_and_spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    there = np.isfinite(values)
    count = there.sum(0)
    filled = np.where(there, values, 0.0)
    mean = np.where(count > 0, filled.sum(0) / np.maximum(count, 1), np.nan)
    spread = np.sqrt(np.where(there, (filled - mean) ** 2, 0.0).sum(0) / np.maximum(count - 1, 1))
    return mean, np.where(count > 1, spread, np.nan)


def _dynamics(values: np.ndarray, loud: np.ndarray) -> np.ndarray:
    """Trend, bend, mean absolute change and spread of change (over 40 ms) of every descriptor, (5 D,)."""
    used = np.where(loud[:, None], values, np.nan)
    time = np.linspace(-1.0, 1.0, len(values))[:, None]
    there = np.isfinite(used)
    weight = there / np.maximum(there.sum(0), 1)
    filled = np.where(there, used, 0.0)
    out = []
    for basis in (time, 1.5 * time**2 - 0.5):
        centred = np.where(there, basis - (weight * basis).sum(0), 0.0)
        out.append((weight * centred * filled).sum(0) / ((weight * centred**2).sum(0) + 1e-6))
    change = used[4:] - used[:-4]
    spread = _mean_and_spread(change)[1]
    rising, _ = _mean_and_spread(np.where(change > 0, change, np.nan))
    return np.concatenate([*out, spread, _mean_and_spread(np.abs(change))[0], rising])


def _voiced_means(contours: Contours) -> np.ndarray:
    """Mean and spread of every descriptor over voiced frames, mean over voiceless ones where it can exist."""
    mean, spread = _mean_and_spread(contours.values[contours.voiced])
    anywhere = [index for index, name in enumerate(contours.names) if name not in VOICED_ONLY]
    quiet, _ = _mean_and_spread(contours.values[contours.loud & ~contours.voiced][:, anywhere])
    return np.concatenate([mean, spread, quiet])


def _course(contours: Contours) -> np.ndarray:
    """How the descriptors move over four equal parts of the utterance, and cosine shapes of pitch and loudness."""
    mean = _mean_and_spread(np.where(contours.loud[:, None], contours.values, np.nan))[0]
    blocks = np.array_split(np.where(contours.loud[:, None], contours.values, np.nan), PARTS)
    parts = [(_mean_and_spread(block)[0] - mean) for block in blocks]
    pitch = _bridge(contours.f0_semitones)
    shapes = [
        (curve - curve.mean()) @ cosine(len(curve), COURSE) / np.sqrt(len(curve))
        for curve in (pitch, contours.loudness)
    ]
    return np.concatenate([*parts, *shapes])


def _bridge(curve: np.ndarray) -> np.ndarray:
    """The curve with straight lines over its gaps; all NaN stays NaN."""
    there = np.flatnonzero(np.isfinite(curve))
    if len(there) < 2:
        return np.full(len(curve), np.nan)
    return np.interp(np.arange(len(curve)), there, curve[there])


def _modulation(contours: Contours) -> np.ndarray:
    """Log power of temporal modulation, six bands of 0.5-20 Hz, of 16 mel groups, loudness and pitch, (108,)."""
    curves = np.column_stack(
        [contours.mel.reshape(len(contours.mel), 16, 4).mean(2), 10 * contours.loudness, _bridge(contours.f0_semitones)]
    )  # (T, 18)
    centred = (curves - curves.mean(0)) * np.hanning(len(curves) + 2)[1:-1, None]
    power = np.abs(np.fft.rfft(centred, 1024, axis=0)) ** 2 / len(curves)
    rate = np.fft.rfftfreq(1024, FRAME_S)
    bands = [power[(rate >= low) & (rate < high)].mean(0) for low, high in pairwise(MODULATION_EDGES_HZ)]
    return np.log(np.concatenate(bands) + 1e-3)


def _rhythm(contours: Contours) -> np.ndarray:
    """Length, voiced share, voiced stretches, pauses and loudness peaks per second, (11,)."""
    length_s = len(contours.loud) * FRAME_S
    voiced_runs, quiet_runs = _runs(contours.voiced), _runs(~contours.loud)
    pauses = quiet_runs[quiet_runs > 8]
    smooth = np.convolve(contours.loudness, np.hanning(11) / np.hanning(11).sum(), mode="same")
    peak = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]) & (smooth[1:-1] > np.median(smooth))
    voiced_db = contours.values[:, 0]
    return np.array(
        [
            np.log(length_s),
            contours.voiced.mean(),
            contours.loud.mean(),
            len(voiced_runs) / length_s,
            np.log(voiced_runs.mean() + 1) if len(voiced_runs) else np.nan,
            np.log(voiced_runs.max() + 1) if len(voiced_runs) else np.nan,
            voiced_runs.std() if len(voiced_runs) else np.nan,
            len(pauses) / length_s,
            pauses.sum() / len(contours.loud),
            peak.sum() / length_s,
            np.argmax(voiced_db) / len(voiced_db),
        ]
    )


def _runs(mask: np.ndarray) -> np.ndarray:
    """Lengths of the stretches of True in frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return edges[1::2] - edges[::2]
