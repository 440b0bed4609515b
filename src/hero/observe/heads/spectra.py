"""Speech-trimmed frames, power spectra and mel bands in NumPy, the ground of every voice feature.

Everything here is independent of the recording level: the signal is scaled to unit power over its speech before
any measure is taken, and mel levels are floored relative to the clip's own maximum.

Letters: N samples, T frames (10 ms apart), F = 257 frequency bins, M mel bands, W window samples.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RATE_HZ = 16_000
HOP = 160
WINDOW = 400
FFT = 512
FLOOR_DB = 55.0
MARGIN_FRAMES = 4
MIN_DB_OVER_FLOOR = 3.0


def frame(samples: np.ndarray, *, window: int, hop: int = HOP) -> np.ndarray:
    """Overlapping frames centred on multiples of the hop, the ends padded with silence.

    Returns:
        (T, W) view with T = 1 + N // hop, so that every window length gives the same T.
    """
    half = window // 2
    padded = np.concatenate([np.zeros(half, np.float32), samples, np.zeros(window, np.float32)])
    count = 1 + len(samples) // hop
    return np.lib.stride_tricks.sliding_window_view(padded, window)[: count * hop : hop]  # (T, W)


def level_db(samples: np.ndarray) -> np.ndarray:
    """Mean power per 10 ms frame in dB, (T,)."""
    frames = frame(samples, window=WINDOW)
    return 10.0 * np.log10(np.einsum("tw,tw->t", frames, frames) / WINDOW + 1e-12)


def speech_bounds(samples: np.ndarray) -> tuple[int, int] | None:
    """First and last sample of the sounding part, or None where nothing stands out of the silence.

    A frame sounds when it lies less than 35 dB under the loudest frames and in the upper 70 % of the range between
    the background (5th percentile) and them, so that a hissing room does not count as speech.
    """
    level = level_db(samples)
    top, bottom = np.percentile(level, (98.0, 5.0))
    if top < -100.0:
        return None
    threshold = max(top - 35.0, bottom + 0.3 * (top - bottom)) if top - bottom > MIN_DB_OVER_FLOOR else top - 35.0
    sounding = np.flatnonzero(level >= threshold)
    first = max(0, int(sounding[0]) - MARGIN_FRAMES) * HOP
    last = min(len(samples), (int(sounding[-1]) + MARGIN_FRAMES + 1) * HOP)
    return first, last


def power_spectrum(samples: np.ndarray) -> np.ndarray:
    """Power of Hann-windowed 25 ms frames, (T, F)."""
    from scipy.fft import rfft

    spectrum = rfft(frame(samples, window=WINDOW) * hann(WINDOW), FFT, axis=1)
    return (spectrum.real**2 + spectrum.imag**2).astype(np.float32)


@lru_cache(maxsize=8)
def hann(window: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(window) + 0.5) / window)).astype(np.float32)


@lru_cache(maxsize=32)
def mel_bank(bands: int, *, low_hz: float = 60.0, high_hz: float = 7600.0, warp: float = 1.0) -> np.ndarray:
    """Triangular mel filters, (F, M), each summing to one.

    Args:
        warp: stretches the frequency axis of the speaker (vocal tract length perturbation, Jaitly & Hinton 2013).
    """
    mel = np.linspace(_mel(low_hz), _mel(high_hz), bands + 2)
    edges = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    edges = np.minimum(edges * warp, RATE_HZ / 2)
    bins = np.arange(FFT // 2 + 1) * RATE_HZ / FFT
    rise = (bins[:, None] - edges[:-2]) / np.maximum(edges[1:-1] - edges[:-2], 1e-6)
    fall = (edges[2:] - bins[:, None]) / np.maximum(edges[2:] - edges[1:-1], 1e-6)
    bank = np.maximum(0.0, np.minimum(rise, fall))
    empty = bank.sum(0) <= 0
    nearest = np.argmin(np.abs(bins[:, None] - edges[1:-1]), axis=0)
    bank[nearest[empty], np.flatnonzero(empty)] = 1.0
    return (bank / bank.sum(0)).astype(np.float32)


def _mel(hz: float) -> float:
    return 2595.0 * float(np.log10(1.0 + hz / 700.0))


def log_mel(power: np.ndarray, bands: int, *, warp: float = 1.0) -> np.ndarray:
    """Mel levels in dB relative to the clip's loudest cell, floored at -55 dB, (T, M)."""
    mel = power @ mel_bank(bands, warp=warp)
    decibel = 10.0 * np.log10(mel + 1e-10)
    return np.maximum(decibel, decibel.max() - FLOOR_DB) - decibel.max()
