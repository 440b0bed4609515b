"""How the descriptors of an utterance move together: correlations at one instant and 100 ms apart.

Which measures rise and fall together says how a voice is used and depends little on whose voice it is. The linear
heads here gain more from these than from any other group of functionals.

Letters: T frames (10 ms), D descriptors, K cepstra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hero.observe.heads.contours import Contours

VOICED_SET = ("loudness", "f0_semitones", "alpha_ratio", "centroid", *(f"mfcc{index + 1}" for index in range(16)))
LEVEL_SET = (
    "loudness", "f0_semitones", "periodicity", "hnr_db", "slope_0_500", "alpha_ratio", "high_share", "entropy",
    "flux", "zero_crossings", "h1_h3", "cpp", "formant1",
)  # fmt: skip
CHANGE_SET = ("energy_db", "f0_semitones", "periodicity", "alpha_ratio", "entropy")
LAG_SET = (
    "energy_db", "loudness", "f0_semitones", "periodicity", "slope_0_500", "alpha_ratio", "entropy", "rolloff_50",
    "zero_crossings", "h1_h2", "cpp", "f0_step", "formant1", "formant2", "formant3",
)  # fmt: skip
LAG_FRAMES = 10


def voiced_correlation(contours: Contours) -> np.ndarray:
    """Correlations over voiced frames, upper triangle, (190,); NaN with fewer than 10 voiced frames."""
    values = contours.columns(VOICED_SET)[contours.voiced]
    pairs = np.triu_indices(len(VOICED_SET), 1)
    if len(values) < LAG_FRAMES:
        return np.full(len(pairs[0]), np.nan)
    centred = (values - values.mean(0)) / (values.std(0) + 1e-6)
    return (centred.T @ centred / len(values))[pairs]


def cepstral_correlation(contours: Contours) -> np.ndarray:
    """Correlations among cepstra 0-19, 14 slopes and 8 bends over loud frames, upper triangle, (861,)."""
    cepstra = contours.cepstra
    streams = [cepstra[:, :20], _change(cepstra)[:, :14], _bend(cepstra)[:, :8]]
    return _correlation(np.concatenate(streams, axis=1), contours.mel.max(1) > -40.0)


def mixed_correlation(contours: Contours) -> np.ndarray:
    """Correlations among voice descriptors, their slopes, cepstra and theirs over loud frames, (703,)."""
    streams = [
        _filled(contours.columns(LEVEL_SET), contours.loud),
        _change(_filled(contours.columns(CHANGE_SET), contours.loud)),
        contours.cepstra[:, :12],
        _change(contours.cepstra)[:, :8],
    ]
    return _correlation(np.concatenate(streams, axis=1), contours.loud)


def cepstral_lag(contours: Contours) -> np.ndarray:
    """Correlation of each of 16 cepstra with each 100 ms earlier, (256,)."""
    return _lagged(contours.cepstra[:, :16], contours.mel.max(1) > -40.0)


def voice_lag(contours: Contours) -> np.ndarray:
    """Correlation of each of 15 voice descriptors with each 100 ms earlier, (225,)."""
    return _lagged(_filled(contours.columns(LAG_SET), contours.loud), contours.loud)


def _filled(values: np.ndarray, loud: np.ndarray) -> np.ndarray:
    """Gaps set to the mean over loud frames, so that they add nothing to a correlation."""
    there = np.isfinite(values) & loud[:, None]
    mean = np.where(there, values, 0.0).sum(0) / np.maximum(there.sum(0), 1)
    return np.where(np.isfinite(values), values, mean)


def _change(values: np.ndarray) -> np.ndarray:
    """Difference over 40 ms, zero at the ends, (T, D)."""
    out = np.zeros_like(values)
    out[2:-2] = values[4:] - values[:-4]
    return out


def _bend(values: np.ndarray) -> np.ndarray:
    """Second difference over 80 ms, zero at the ends, (T, D)."""
    out = np.zeros_like(values)
    out[4:-4] = values[8:] - 2 * values[4:-4] + values[:-8]
    return out


def _normed(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    chosen = values[used]
    return (values - chosen.mean(0)) / (chosen.std(0) + 1e-6)


def _correlation(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    chosen = _normed(values, used)[used]
    return (chosen.T @ chosen / len(chosen))[np.triu_indices(values.shape[1], 1)]


def _lagged(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    normed = _normed(values, used) * used[:, None]
    return (normed[LAG_FRAMES:].T @ normed[:-LAG_FRAMES] / max(int(used.sum()), 1)).ravel()
