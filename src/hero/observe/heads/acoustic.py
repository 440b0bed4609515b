"""From samples to the vector that the voice heads learn from: trim, level, describe, summarise.

The vector belongs to one utterance of one voice. It does not depend on the recording level, nor on other clips.

Letters: N samples, D functionals.
"""

from __future__ import annotations

import numpy as np

from hero.errors import InputError, UsageError
from hero.observe.heads import contours, covariation, functionals, spectra

LEAST_S = 0.3
LONGEST_S = 8.0
PIECE_S = 6.0
LOUDEST = 1e6  # squares of larger samples leave the range of float32


def utterances(samples: np.ndarray, *, rate_hz: int = spectra.RATE_HZ) -> list[np.ndarray]:
    """The sounding part at unit power, cut into equal pieces of at most 6 s when longer than 8 s.

    Args:
        samples: mono sound (N,), any level.

    Returns:
        Pieces of float32 samples; empty where nothing stands out of silence or less than 0.3 s sounds.

    Raises:
        UsageError: the rate is not 16 kHz or the array is not mono.
        InputError: the samples hold NaN or infinity, or values that no decoder gives.
    """
    if rate_hz != spectra.RATE_HZ:
        raise UsageError(f"the voice head hears sound at 16000 Hz, this has {rate_hz} Hz; resample it first")
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise UsageError(f"the voice head hears mono sound of shape (N,), this has shape {samples.shape}; mix it down")
    if not np.isfinite(samples).all():
        raise InputError("the sound holds NaN or infinite samples; only finite ones can be heard, decode it again")
    if len(samples) < LEAST_S * rate_hz:
        return []
    if (peak := float(np.abs(samples).max())) > LOUDEST:
        raise InputError(
            f"the sound reaches {peak:.3g}, decoded sound stays within +-1 (16-bit: 32768); decode it again"
        )
    bounds = spectra.speech_bounds(samples)
    if bounds is None or bounds[1] - bounds[0] < LEAST_S * rate_hz:
        return []
    speech = samples[bounds[0] : bounds[1]].astype(np.float64)
    speech = (speech / np.sqrt(np.mean(speech**2))).astype(np.float32)
    count = 1 if len(speech) <= LONGEST_S * rate_hz else int(np.ceil(len(speech) / (PIECE_S * rate_hz)))
    return np.array_split(speech, count)


def vector(utterance: np.ndarray) -> np.ndarray:
    """Functionals and co-variation of one piece from `utterances`, float32 (D,), NaN where a measure does not exist."""
    described = contours.describe(utterance)
    parts = [block(described) for block in BLOCKS.values()]
    joined = np.concatenate(parts).astype(np.float32)
    return np.where(np.isfinite(joined), joined, np.nan)


BLOCKS = {
    "functionals": functionals.functionals,
    "voiced_correlation": covariation.voiced_correlation,
    "mixed_correlation": covariation.mixed_correlation,
    "cepstral_correlation": covariation.cepstral_correlation,
    "cepstral_lag": covariation.cepstral_lag,
    "voice_lag": covariation.voice_lag,
}


def blocks() -> dict[str, slice]:
    """Where each block of measures lies in the vector, found by describing a short tone."""
    tone = np.sin(2 * np.pi * 200 * np.arange(spectra.RATE_HZ) / spectra.RATE_HZ).astype(np.float32) * np.sqrt(2)
    described = contours.describe(tone)
    out, start = {}, 0
    for name, block in BLOCKS.items():
        size = len(block(described))
        out[name] = slice(start, start + size)
        start += size
    return out
