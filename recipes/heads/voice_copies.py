"""Altered copies of the training clips and the cache of their acoustic vectors.

A copy is the clip played faster or slower (pitch, formants and tempo move together, as between speakers), through a
random smooth equaliser (another microphone or room), or in noise. Copies are for training only.

Letters: V copies, B clips, D functionals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero.data.formats import ravdess
from hero.labels import mapping
from hero.observe.heads import acoustic, spectra

if TYPE_CHECKING:
    from pathlib import Path

COPIES = 12
SPEED = 0.12
NOISE_FROM = 6
NOISE_DB = (12.0, 35.0)
EQUALISER_DB = 4.0
EQUALISED_FROM = 9


@dataclass(frozen=True, eq=False)
class Clips:
    """RAVDESS speech: file, class and actor of each clip (B,)."""

    paths: tuple[Path, ...]
    label: np.ndarray
    actor: np.ndarray

    @property
    def fold(self) -> np.ndarray:
        """Test fold by actor (B,): 0 holds actors 1-4, 4 holds 17-20."""
        return ravdess.fold_of(self.actor)


def read_clips(data: Path) -> Clips:
    """The clips that `metadata.csv` lists."""
    listed = ravdess.speech_clips(data)
    label = np.array([mapping("ravdess").sources.index(clip.emotion) for clip in listed])
    return Clips(tuple(clip.path for clip in listed), label, np.array([clip.actor for clip in listed]))


def sound(path: Path) -> np.ndarray:
    """Samples of a clip, float32 (N,)."""
    import soundfile

    return soundfile.read(path, dtype="float32")[0]


def with_noise(samples: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """The clip in noise between white and brown, `snr_db` under its speech."""
    first, last = spectra.speech_bounds(samples) or (0, len(samples))
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    spectrum *= np.arange(1, len(spectrum) + 1) ** -rng.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, len(samples))
    wanted = np.mean(samples[first:last] ** 2) * 10.0 ** (-snr_db / 10.0)
    return (samples + noise * np.sqrt(wanted / np.mean(noise**2))).astype(np.float32)


def equalised(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The clip through a random gain curve, smooth over octaves."""
    spectrum = np.fft.rfft(samples)
    octave = np.log2(np.linspace(0.0, spectra.RATE_HZ / 2, len(spectrum)) + 60.0)
    knots = np.linspace(octave[0], octave[-1], 5)
    gain_db = np.interp(octave, knots, rng.uniform(-EQUALISER_DB, EQUALISER_DB, 5))
    return np.fft.irfft(spectrum * 10.0 ** (gain_db / 20.0), len(samples)).astype(np.float32)


def altered(samples: np.ndarray, copy: int, rng: np.random.Generator) -> np.ndarray:
    """Copy 0 is the clip itself, 1-5 change speed, 6-8 speed and noise, 9-12 speed, equaliser and (11, 12) noise."""
    import soxr

    if copy == 0:
        return samples
    out = soxr.resample(samples, spectra.RATE_HZ, spectra.RATE_HZ * rng.uniform(1 - SPEED, 1 + SPEED))
    if copy >= EQUALISED_FROM:
        out = equalised(out, rng)
    if NOISE_FROM <= copy < EQUALISED_FROM or copy > COPIES - 2:
        out = with_noise(out, rng.uniform(*NOISE_DB), rng)
    return out


def vectors(clips: Clips, copy: int, cache: Path) -> np.ndarray:
    """Acoustic vectors (B, D) of one copy of every clip, read from or written to the cache folder."""
    path = cache / f"copy{copy:02d}.npy"
    if path.is_file():
        return np.load(path)
    rows = []
    for index, source in enumerate(clips.paths):
        rng = np.random.default_rng([copy, index])
        rows.append(acoustic.vector(acoustic.utterances(altered(sound(source), copy, rng))[0]))
    cache.mkdir(parents=True, exist_ok=True)
    table = np.stack(rows)
    np.save(path.with_suffix(".part.npy"), table)
    path.with_suffix(".part.npy").rename(path)
    return table
