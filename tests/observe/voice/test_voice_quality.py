"""Loudness, harmonics, jitter and shimmer against values that the signal was made with."""

from __future__ import annotations

import numpy as np
import pytest
from voice_signals import RATE_HZ, noise, prosody_of, pulses, voice

from hero.observe.voice import quality


def inner(values: np.ndarray) -> np.ndarray:
    """Finite values away from the edges."""
    values = values[10:-10]
    return values[np.isfinite(values)]


def sine(hz: float, level: float = 1.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)


def test_a_full_sine_at_1_khz_has_minus_three_decibels() -> None:
    found = prosody_of(sine(997.0))
    assert inner(found.level_db).mean() == pytest.approx(-3.01, abs=0.05)
    assert inner(found.loudness_db).mean() == pytest.approx(-3.01, abs=0.15)  # BS.1770: -3.01 LKFS at 997 Hz


def test_loudness_weights_low_tones_less_and_high_tones_more() -> None:
    low, mid, high = (inner(prosody_of(sine(hz)).loudness_db).mean() for hz in (40.0, 997.0, 4000.0))
    assert low < mid - 4
    assert high == pytest.approx(mid + 3.3, abs=0.8)


def test_halving_the_amplitude_costs_six_decibels() -> None:
    loud, soft = (inner(prosody_of(voice(150.0, 1.0, level=v)).loudness_db).mean() for v in (0.4, 0.2))
    assert loud - soft == pytest.approx(6.02, abs=0.05)


@pytest.mark.parametrize("snr_db", [5.0, 10.0, 20.0])
def test_harmonics_to_noise_ratio_is_the_one_mixed(snr_db: float) -> None:
    clean = voice(160.0, 3.0)
    mixed = clean + noise(3.0, float(clean.std()) * 10 ** (-snr_db / 20))
    assert np.median(inner(prosody_of(mixed).hnr_db)) == pytest.approx(snr_db, abs=1.2)


def test_a_bright_sound_has_less_tilt() -> None:
    dark, bright = (inner(prosody_of(voice(150.0, 1.0, harmonics=h)).tilt_db).mean() for h in (4, 40))
    assert bright > dark + 10


@pytest.mark.parametrize("jitter", [0.0, 0.01, 0.03])
def test_jitter_is_the_one_made(jitter: float) -> None:
    rng = np.random.default_rng(1)
    periods = 120.0 * (1 + jitter * rng.standard_normal(250))
    truth = 100 * np.abs(np.diff(periods)).mean() / periods.mean()
    found = inner(prosody_of(pulses(periods, np.ones(250))).jitter_pct).mean()
    assert found == pytest.approx(truth, rel=0.15, abs=0.15)


@pytest.mark.parametrize("shimmer", [0.0, 0.05, 0.1])
def test_shimmer_is_the_one_made(shimmer: float) -> None:
    rng = np.random.default_rng(2)
    sizes = 1 + shimmer * rng.uniform(-1, 1, 250)
    truth = 100 * np.abs(np.diff(sizes)).mean() / sizes.mean()
    found = inner(prosody_of(pulses(np.full(250, 120.0), sizes)).shimmer_pct).mean()
    assert found == pytest.approx(truth, rel=0.2, abs=0.3)


def test_too_few_periods_are_not_measured() -> None:
    assert quality.steadiness(np.full(4, 100.0), np.ones(4)) is None
    steady = quality.steadiness(np.full(6, 100.0), np.ones(6))
    assert steady is not None and steady.jitter_pct == 0
