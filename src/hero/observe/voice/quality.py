"""How a voice sounds, frame by frame and period by period: loudness, tilt, jitter, shimmer, harmonics-to-noise.

Loudness is K-weighted (ITU-R BS.1770-4, annex 1, evaluated as a weight on the power spectrum); the tilt is the ratio of
the energy at 1-5 kHz to that at 50-1000 Hz (Eyben et al. 2016, GeMAPS, "alpha ratio", with the sign of "brighter is
larger"). Jitter and shimmer are "local": the mean absolute difference of neighbouring periods (of their amplitudes)
over their mean, with the usual exclusions of neighbours that differ by more than 1.3 (1.6) times.

Shapes: F frames, B frequency bins, N samples, P periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.voice.pitch import FFT, RATE_HZ, window

if TYPE_CHECKING:
    from numpy.typing import NDArray

SILENCE_DB = -100.0
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_LEAST_PERIODS = 5
_LEAST_MATCH = 0.5  # below this correlation two neighbouring periods are not the same voice


@dataclass(frozen=True, eq=False)
class Levels:
    """Per frame (F,): level of the plain signal, K-weighted loudness, speech-band level, spectral tilt; all in dB."""

    level_db: NDArray[np.float32]
    loudness_db: NDArray[np.float32]
    band_db: NDArray[np.float32]
    tilt_db: NDArray[np.float32]


@dataclass(frozen=True)
class Steadiness:
    """Jitter and shimmer in percent over a number of periods."""

    jitter_pct: float
    shimmer_pct: float
    periods: int


def _response(sections: tuple[tuple[float, ...], ...], hz: NDArray[np.float64]) -> NDArray[np.float64]:
    # power response at hz (B,) of a filter given as (numerator, denominator) at 48 kHz
    z = np.exp(-2j * np.pi * hz / 48000)
    above, below = (sum(c * z**k for k, c in enumerate(section)) for section in sections)
    power: NDArray[np.float64] = np.abs(above / below) ** 2
    return power


@lru_cache
def _weights() -> NDArray[np.float32]:
    hz = np.fft.rfftfreq(FFT, 1 / RATE_HZ).astype(np.float64)
    twice = np.where((hz > 0) & (hz < RATE_HZ / 2), 2.0, 1.0)  # a real spectrum holds half of the energy
    loud = _response(_SHELF, hz) * _response(_HIGH_PASS, hz) * 10 ** (-0.0691)
    bands = [np.ones_like(hz), loud, (hz >= 300) & (hz < 3300), (hz >= 50) & (hz < 1000), (hz >= 1000) & (hz < 5000)]
    scale = 1 / (FFT * float((window() ** 2).sum()))
    table: NDArray[np.float32] = (np.stack(bands, axis=1) * twice[:, None] * scale).astype(np.float32)  # (B, 5)
    return table


def levels(power: NDArray[np.float32]) -> Levels:
    """Levels from power spectra (F, B) of Hann-windowed frames; a full-scale sine at 1 kHz has -3 dB."""
    energy = power @ _weights()  # (F, 5)
    with np.errstate(divide="ignore"):
        db: NDArray[np.float32] = 10 * np.log10(np.maximum(energy, 10 ** (SILENCE_DB / 10)))
    return Levels(db[:, 0], db[:, 1], db[:, 2], db[:, 4] - db[:, 3])


def hnr_db(periodicity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Harmonics-to-noise ratio 10 log10(r / (1 - r)) of periodicities (F,), bounded to -20..40 dB."""
    r = np.clip(periodicity.astype(np.float64), 1e-4, 1 - 1e-4)
    ratio: NDArray[np.float32] = np.clip(10 * np.log10(r / (1 - r)), -20, 40).astype(np.float32)
    return ratio


def periods_of(
    samples: NDArray[np.float32], hz: NDArray[np.float32], hop: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Successive period lengths in samples (P,) and their amplitudes (P,) of one voiced stretch.

    `samples` (N,) starts with the stretch, `hz` holds its pitch per `hop` samples. Each step looks for the lag at which
    one period around the present place correlates best with what follows (waveform matching). Where nothing that
    follows is alike, both values are NaN: the chain is broken there.
    """
    lengths: list[float] = []
    sizes: list[float] = []
    at = int(RATE_HZ / float(hz[0]))
    while True:
        guess = RATE_HZ / float(hz[min(at // hop, len(hz) - 1)])
        half, low, high = int(guess / 2), int(0.8 * guess), int(1.25 * guess) + 1
        if at - half < 0 or at + high + half + 1 > len(samples):
            break
        template = samples[at - half : at + half + 1]
        lag, match = _matching_lag(template, samples[at + low - half : at + high + half + 1])
        alike = match >= _LEAST_MATCH
        lengths.append(low + lag if alike else np.nan)
        sizes.append(_peak(template) if alike else np.nan)
        at += max(1, round(low + lag))
    return np.asarray(lengths), np.asarray(sizes)


def _matching_lag(template: NDArray[np.float32], region: NDArray[np.float32]) -> tuple[float, float]:
    products = np.correlate(region, template, "valid")
    squares = np.concatenate([[0.0], np.cumsum(region.astype(np.float64) ** 2)])
    energy = squares[len(template) :] - squares[: -len(template)]
    match = products / np.sqrt(np.maximum(energy * np.dot(template, template), 1e-12))
    best = int(match.argmax())
    return best + _vertex(match, best), float(match[best])


def _peak(period: NDArray[np.float32]) -> float:
    """The largest absolute value, read between the samples."""
    height = np.abs(period)
    best = int(height.argmax())
    shift = _vertex(height, best)
    return float(height[best]) - (0.25 * shift * float(height[best - 1] - height[best + 1]) if shift else 0.0)


def _vertex(values: NDArray[np.floating], at: int) -> float:
    """How far from `at` the parabola through it and its neighbours has its top; 0 at the edges."""
    if not 0 < at < len(values) - 1:
        return 0.0
    left, mid, right = (float(v) for v in values[at - 1 : at + 2])
    bend = left - 2 * mid + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0


def steadiness(lengths: NDArray[np.float64], sizes: NDArray[np.float64]) -> Steadiness | None:
    """Local jitter and shimmer of successive periods (P,) and amplitudes (P,); None below five periods."""
    known = int(np.isfinite(lengths).sum())
    if known < _LEAST_PERIODS:
        return None
    jitter = _local(lengths, 1.3)
    shimmer = _local(np.maximum(sizes, 1e-9), 1.6)
    return Steadiness(100 * jitter, 100 * shimmer, known)


def _local(values: NDArray[np.float64], most: float) -> float:
    ratio = np.maximum(values[1:], values[:-1]) / np.minimum(values[1:], values[:-1])
    steps = np.abs(np.diff(values))[ratio <= most]
    return float(steps.mean() / np.nanmean(values)) if len(steps) else float("nan")
