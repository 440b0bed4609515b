"""The pitch tracker on sounds whose pitch is known, above all where trackers slip by an octave."""

from __future__ import annotations

import numpy as np
import pytest
from voice_signals import RATE_HZ, noise, prosody_of, voice

from hero.observe.voice.pitch import LONGEST


def middle(values: np.ndarray) -> np.ndarray:
    """Frames away from the edges."""
    return values[10:-10]


@pytest.mark.parametrize("hz", [55.0, 80.0, 123.4, 220.0, 330.0, 466.2, 580.0])
def test_constant_pitch_is_found_within_three_cents(hz: float) -> None:
    found = middle(prosody_of(voice(hz, 1.0)).f0_hz)
    assert (found > 0).all()
    assert 1200 * np.abs(np.log2(found / hz)).max() < 3


def test_a_glide_is_followed() -> None:
    pitch = np.geomspace(100, 400, 2 * RATE_HZ)
    prosody = prosody_of(voice(pitch, 2.0))
    truth = pitch[np.minimum((prosody.times_s * RATE_HZ).astype(int), len(pitch) - 1)]
    cents = 1200 * np.abs(np.log2(middle(prosody.f0_hz) / middle(truth)))
    assert np.percentile(cents, 95) < 30


@pytest.mark.parametrize("kind", ["no fundamental", "strong second harmonic", "weak subharmonic"])
def test_no_octave_slips(kind: str) -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    tone = {k: np.cos(2 * np.pi * 150 * k * time_s) for k in (0.5, 1, 2, 3, 4, 5)}
    mixed = {
        "no fundamental": tone[2] + tone[3] + tone[4] + tone[5],
        "strong second harmonic": 0.15 * tone[1] + tone[2] + 0.15 * tone[3],
        "weak subharmonic": 0.02 * tone[0.5] + tone[1] + 0.7 * tone[2] + 0.5 * tone[3],
    }[kind]
    found = middle(prosody_of((0.1 * mixed).astype(np.float32)).f0_hz)
    assert np.abs(found / 150 - 1).max() < 0.02


def test_noise_and_silence_have_no_pitch() -> None:
    assert (prosody_of(noise(2.0, 0.1)).f0_hz > 0).mean() < 0.05
    assert not (prosody_of(np.zeros(RATE_HZ, np.float32)).f0_hz > 0).any()


def test_pitch_survives_noise_at_ten_decibels_below() -> None:
    clean = voice(140.0, 2.0)
    found = prosody_of(clean + noise(2.0, float(clean.std()) / 10 ** (10 / 20))).f0_hz
    assert (found > 0).mean() > 0.9
    assert np.abs(found[found > 0] / 140 - 1).max() < 0.03


def test_voice_without_end_is_settled_piecewise() -> None:
    seconds = 2.3 * LONGEST / 100
    found = middle(prosody_of(voice(200.0, seconds)).f0_hz)
    assert len(found) == round(seconds * 100) - 20
    assert np.abs(found / 200 - 1).max() < 0.01
