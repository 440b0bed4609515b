"""Sounds with known measures, and clips and blocks that stand for real ones."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from hero.observe.voice import VoiceExpert
from hero.observe.voice.stream import Prosody, ProsodyStream
from hero.types import Baseline, Observation

RATE_HZ = 16000


def voice(hz: float | np.ndarray, seconds: float, *, level: float = 0.2, harmonics: int = 40) -> np.ndarray:
    """A harmonic tone (N,) with falling harmonics, of a constant pitch or one per sample."""
    pitch = np.broadcast_to(np.asarray(hz, float), (int(seconds * RATE_HZ),))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    total = np.zeros(len(phase))
    for k in range(1, harmonics + 1):
        total += np.where(k * pitch < 7000, np.cos(k * phase) / k, 0)
    return (level * total / 2).astype(np.float32)


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    """White noise (N,) of the given RMS."""
    return (level * np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ))).astype(np.float32)


def pulses(periods: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Smooth pulses (N,) whose distances in samples and sizes are given: a voice of known jitter and shimmer."""
    centres = np.cumsum(periods) + periods[0]
    n = np.arange(int(centres[-1] + periods[-1] * 2))
    total = np.zeros(len(n))
    for centre, size in zip(centres, sizes, strict=True):
        near = slice(max(0, int(centre) - 40), int(centre) + 41)
        x = (n[near] - centre) / 6.0
        total[near] += size * (1 - x**2) * np.exp(-(x**2) / 2)
    return (0.2 * total).astype(np.float32)


def prosody_of(samples: np.ndarray, block: int = RATE_HZ) -> Prosody:
    """Prosody of samples pushed in blocks of the given length."""
    stream = ProsodyStream()
    for at in range(0, len(samples), block):
        stream.push(samples[at : at + block])
    return stream.flush()


def observe(
    samples: np.ndarray,
    *,
    block: int = RATE_HZ,
    lang: str = "en",
    baseline: Baseline | None = None,
    start_s: float = 0.0,
) -> Observation:
    """The voice expert's observation of samples at 16 kHz."""
    expert = VoiceExpert()
    clip = SimpleNamespace(audio=SimpleNamespace(rate_hz=RATE_HZ))
    context = SimpleNamespace(clip=clip, lang=lang, baseline=baseline, settings={})
    assert expert.start(context) is None
    for at in range(0, len(samples), block):
        expert.take(SimpleNamespace(start_s=start_s + at / RATE_HZ, samples=samples[at : at + block], rate_hz=RATE_HZ))
    return expert.finish({})


def load(path: object) -> np.ndarray:
    """Mono samples at 16 kHz of a sound file."""
    import soundfile
    import soxr

    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return mono if rate_hz == RATE_HZ else soxr.resample(mono, rate_hz, RATE_HZ)
