"""Frame-wise voice descriptors: pitch, voicing, voice quality, spectral shape, formant-like peaks, cepstra.

Values that do not exist in a frame (pitch of a voiceless sound) are NaN, never zero.

Letters: T frames (10 ms), F frequency bins, C pitch candidates, D descriptors, P linear-prediction order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hero.observe.heads import spectra
from hero.observe.heads.spectra import FFT, RATE_HZ

PITCH_WINDOW = 768
PITCH_FFT = 1024
LOW_HZ, HIGH_HZ = 65.0, 700.0
CANDIDATES = 6
VOICED_FROM = 0.45
CEPSTRA = 16
VOICED_ONLY = ("f0_semitones", "hnr_db", "h1_h2", "h1_h3", "h1_a3", "f0_step")
LPC_ORDER = 16


@dataclass(frozen=True)
class Contours:
    """Descriptors of one utterance: `values` (T, D) with `names` (D), `voiced` (T,), `loud` (T,) frames with speech."""

    values: np.ndarray
    names: tuple[str, ...]
    voiced: np.ndarray
    loud: np.ndarray
    mel: np.ndarray  # (T, 64) dB re the loudest cell
    cepstra: np.ndarray  # (T, 24) of `mel`, with the zeroth
    f0_semitones: np.ndarray  # (T,) NaN where voiceless; 0 = 27.5 Hz
    loudness: np.ndarray  # (T,)

    def columns(self, names: tuple[str, ...]) -> np.ndarray:
        """The named descriptors, (T, len(names))."""
        return self.values[:, [self.names.index(name) for name in names]]


@lru_cache(maxsize=1)
def _window_autocorrelation() -> np.ndarray:
    window = spectra.hann(PITCH_WINDOW)
    full = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * PITCH_FFT)) ** 2)[: PITCH_FFT // 2]
    return (full / full[0]).astype(np.float32)


def pitch(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fundamental frequency in Hz (NaN where voiceless) and periodicity 0..1, both (T,).

    Autocorrelation divided by that of the window, the path through the candidates by dynamic programming
    (Boersma 1993, "Accurate short-term analysis of the fundamental frequency").
    """
    from scipy.fft import irfft, rfft

    frames = spectra.frame(samples, window=PITCH_WINDOW)
    frames = (frames - frames.mean(1, keepdims=True)) * spectra.hann(PITCH_WINDOW)
    spectrum = rfft(frames, PITCH_FFT, axis=1)
    correlation = irfft(spectrum.real**2 + spectrum.imag**2, axis=1)[:, : PITCH_FFT // 2]
    energy = correlation[:, :1]
    correlation = correlation / (energy + 1e-9) / _window_autocorrelation()
    low, high = int(RATE_HZ / HIGH_HZ), int(RATE_HZ / LOW_HZ) + 1
    hz, strength = _candidates(correlation, low, high)
    score = strength + 0.02 * np.log2(hz / LOW_HZ)  # a whole number of periods fits as well: prefer the shortest
    quiet = energy[:, 0] < 1e-4 * np.percentile(energy, 95)
    score[quiet] -= 0.5
    chosen = _best_path(hz, score)
    rows = np.arange(len(hz))
    periodicity = np.clip(strength[rows, chosen], 0.0, 0.9999)
    voiced = (periodicity >= VOICED_FROM) & ~quiet
    return np.where(voiced, hz[rows, chosen], np.nan), periodicity


def _candidates(correlation: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """The strongest local maxima per frame with parabolic interpolation: Hz and strength, both (T, C)."""
    left, middle, right = (correlation[:, low + shift : high + shift] for shift in (-1, 0, 1))
    peak = (middle >= left) & (middle > right)
    value = np.where(peak, middle, -1.0)
    best = np.argpartition(-value, CANDIDATES, axis=1)[:, :CANDIDATES]
    a, b, c = (np.take_along_axis(side, best, 1) for side in (left, middle, right))
    bend = a - 2 * b + c
    shift = np.clip(np.where(np.abs(bend) > 1e-9, 0.5 * (a - c) / np.where(bend == 0, 1, bend), 0.0), -0.5, 0.5)
    strength = np.where(np.take_along_axis(peak, best, 1), b - 0.25 * (a - c) * shift, -1.0)
    return RATE_HZ / (best + low + shift), strength


def _best_path(hz: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Index of the candidate per frame that maximises score minus 0.25 per octave jumped, (T,)."""
    octaves = np.log2(hz)
    jump = 0.25 * np.abs(octaves[1:, :, None] - octaves[:-1, None, :])  # (T-1, C now, C before)
    back = np.zeros(hz.shape, np.int64)
    total = score[0]
    rows = np.arange(hz.shape[1])
    for step in range(1, len(hz)):
        reached = total - jump[step - 1]
        back[step] = reached.argmax(1)
        total = reached[rows, back[step]] + score[step]
    path = np.empty(len(hz), np.int64)
    path[-1] = total.argmax()
    for step in range(len(hz) - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path


def describe(samples: np.ndarray) -> Contours:
    """All frame descriptors of one speech-trimmed utterance of unit power."""
    power = spectra.power_spectrum(samples)  # (T, F)
    mel = spectra.log_mel(power, 26)
    fine = spectra.log_mel(power, 64)
    hz, periodicity = pitch(samples)
    voiced = np.isfinite(hz)
    semitones = 12.0 * np.log2(hz / 27.5)
    energy_db = 10.0 * np.log10(power.sum(1) + 1e-8)
    energy_db = np.maximum(energy_db - energy_db.max(), -spectra.FLOOR_DB)
    loudness = np.log(np.sum(np.maximum(10.0 ** (mel / 10.0), 1e-6) ** 0.3, axis=1))
    columns: dict[str, np.ndarray] = {"energy_db": energy_db, "loudness": loudness, "f0_semitones": semitones}
    columns["periodicity"] = periodicity
    columns["hnr_db"] = np.where(voiced, 10.0 * np.log10(periodicity / (1.0 - periodicity + 1e-4) + 1e-4), np.nan)
    columns |= _shape(power, samples)
    columns |= _quality(power, hz)
    columns |= _formants(power)
    cepstra = mel @ cosine(26, CEPSTRA)
    columns |= {f"mfcc{index + 1}": cepstra[:, index] for index in range(CEPSTRA)}
    values = np.stack(list(columns.values()), axis=1).astype(np.float32)  # (T, D)
    fine_cepstra = np.concatenate([fine.mean(1, keepdims=True) * 8.0, fine @ cosine(64, 23)], axis=1)
    return Contours(values, tuple(columns), voiced, energy_db > -35.0, fine, fine_cepstra, semitones, loudness)


@lru_cache(maxsize=64)
def cosine(size: int, count: int) -> np.ndarray:
    """Cosine basis without the constant, (size, count)."""
    position = np.pi * (np.arange(size) + 0.5) / size
    return (np.sqrt(2.0 / size) * np.cos(position[:, None] * np.arange(1, count + 1))).astype(np.float32)


@lru_cache(maxsize=1)
def _bins_hz() -> np.ndarray:
    return np.arange(FFT // 2 + 1) * RATE_HZ / FFT


def _shape(power: np.ndarray, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Spectral tilt, balance, spread, noisiness, change and zero crossings; levels in dB, frequencies in octaves."""
    bins = _bins_hz()
    decibel = 10.0 * np.log10(power + 1e-8)
    share = power / (power.sum(1, keepdims=True) + 1e-8)
    octave = np.log2(np.maximum(bins, 30.0) / 1000.0)
    centroid = share @ octave
    cumulated = np.cumsum(share, axis=1)
    out = {
        "slope_0_500": _slope(decibel, bins, 30, 500),
        "slope_500_1500": _slope(decibel, bins, 500, 1500),
        "slope_1500_5000": _slope(decibel, bins, 1500, 5000),
        "alpha_ratio": _band_db(power, bins, 50, 1000) - _band_db(power, bins, 1000, 5000),
        "hammarberg": _peak_db(decibel, bins, 0, 2000) - _peak_db(decibel, bins, 2000, 5000),
        "low_share": _band_db(power, bins, 60, 400) - _band_db(power, bins, 60, 7600),
        "high_share": _band_db(power, bins, 4000, 7600) - _band_db(power, bins, 60, 7600),
        "centroid": centroid,
        "spread": np.sqrt(np.maximum((share @ octave**2) - centroid**2, 0.0)),
        "entropy": -np.sum(share * np.log2(share + 1e-10), axis=1),
        "flatness": decibel[:, 4:240].mean(1) - 10.0 * np.log10(power[:, 4:240].mean(1) + 1e-8),
    }
    for part in (0.25, 0.5, 0.85, 0.95):
        out[f"rolloff_{int(100 * part)}"] = octave[np.minimum((cumulated < part).sum(1), len(bins) - 1)]
    root = np.sqrt(share)
    out["flux"] = np.concatenate([[0.0], np.sqrt(np.sum(np.diff(root, axis=0) ** 2, axis=1))])
    signs = spectra.frame(samples, window=spectra.WINDOW) >= 0
    out["zero_crossings"] = np.log2(1.0 + np.count_nonzero(signs[:, 1:] != signs[:, :-1], axis=1))
    return out


def _slope(decibel: np.ndarray, bins: np.ndarray, low: float, high: float) -> np.ndarray:
    inside = (bins >= low) & (bins <= high)
    centred = (bins[inside] - bins[inside].mean()) / 1000.0
    return decibel[:, inside] @ (centred / np.sum(centred**2))


def _band_db(power: np.ndarray, bins: np.ndarray, low: float, high: float) -> np.ndarray:
    return 10.0 * np.log10(power[:, (bins >= low) & (bins < high)].sum(1) + 1e-8)


def _peak_db(decibel: np.ndarray, bins: np.ndarray, low: float, high: float) -> np.ndarray:
    return decibel[:, (bins >= low) & (bins < high)].max(1)


def _quality(power: np.ndarray, hz: np.ndarray) -> dict[str, np.ndarray]:
    """Harmonic level differences, cepstral peak prominence and cycle irregularity; NaN in voiceless frames."""
    from scipy.fft import irfft

    decibel = 10.0 * np.log10(power + 1e-8)
    known = np.where(np.isfinite(hz), hz, 200.0)
    first, second, third = (_harmonic_db(decibel, known * order) for order in (1.0, 2.0, 3.0))
    formant = _peak_db(decibel, _bins_hz(), 2200, 3500)
    cepstrum = irfft(decibel, axis=1)[:, : FFT // 2]  # quefrency in samples
    quefrencies = slice(int(RATE_HZ / 500), 240)
    prominence = cepstrum[:, quefrencies].max(1) - np.abs(cepstrum[:, quefrencies]).mean(1)
    step = np.abs(np.diff(12.0 * np.log2(known), prepend=np.nan))
    return {
        "h1_h2": np.where(np.isfinite(hz), first - second, np.nan),
        "h1_h3": np.where(np.isfinite(hz), first - third, np.nan),
        "h1_a3": np.where(np.isfinite(hz), first - formant, np.nan),
        "cpp": prominence,
        "f0_step": np.where(np.isfinite(hz) & np.isfinite(np.roll(hz, 1)), np.log(step + 0.01), np.nan),
    }


def _harmonic_db(decibel: np.ndarray, hz: np.ndarray) -> np.ndarray:
    centre = np.clip(np.round(hz * FFT / RATE_HZ).astype(int), 1, FFT // 2 - 1)
    rows = np.arange(len(centre))
    return np.max([decibel[rows, centre + shift] for shift in (-1, 0, 1)], axis=0)


def _formants(power: np.ndarray) -> dict[str, np.ndarray]:
    """Three lowest peaks of the linear-prediction envelope: octaves re 1 kHz and sharpness in dB, NaN where absent."""
    from scipy.fft import irfft, rfft

    emphasis = 1.0 + 0.97**2 - 2 * 0.97 * np.cos(2 * np.pi * _bins_hz() / RATE_HZ)
    correlation = irfft(power * emphasis, axis=1)[:, : LPC_ORDER + 1]
    predictor = _levinson(correlation)  # (T, P + 1)
    envelope = -10.0 * np.log10(np.abs(rfft(predictor, 512, axis=1)) ** 2 + 1e-8)  # (T, 257)
    inside = envelope[:, 5:150]
    peak = np.zeros(inside.shape, bool)
    peak[:, 1:-1] = (inside[:, 1:-1] > inside[:, :-2]) & (inside[:, 1:-1] >= inside[:, 2:])
    rank = np.cumsum(peak, axis=1)
    out: dict[str, np.ndarray] = {}
    rows = np.arange(len(peak))
    for order in (1, 2, 3):
        hit = peak & (rank == order)
        where = hit.argmax(1)
        there = hit.any(1)
        out[f"formant{order}"] = np.where(there, np.log2((where + 5) * RATE_HZ / FFT / 1000.0), np.nan)
        level = inside[rows, where] - envelope.mean(1)
        out[f"formant{order}_db"] = np.where(there, level, np.nan)
    return out


def _levinson(correlation: np.ndarray) -> np.ndarray:
    """Linear-prediction polynomials of all frames at once by the Levinson-Durbin recursion, (T, P + 1)."""
    order = correlation.shape[1] - 1
    lag = correlation.astype(np.float64)
    error = lag[:, 0] * 1.0001 + 1e-9
    predictor = np.zeros_like(lag)
    predictor[:, 0] = 1.0
    for step in range(1, order + 1):
        reflection = -np.einsum("tp,tp->t", predictor[:, :step], lag[:, step:0:-1]) / error
        predictor[:, 1 : step + 1] += reflection[:, None] * predictor[:, step - 1 :: -1][:, :step]
        error = error * (1.0 - reflection**2)
    return predictor
