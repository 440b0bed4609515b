"""Talking portraits: the mouth follows the sound as drawn, and a filmed clip holds both on one clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hero.data.render import UNITS, FaceRenderer
from hero.data.talking import COLUMNS, FPS, RATE_HZ, Coupling, draw, film, measured, move
from hero.observe.synergy.axis import MOTION_COLUMNS

pytest.importorskip("skimage", reason="the portrait comes with scikit-image")

STEADY = Coupling(0.0, 2.0, 1.0, 0.02, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def bursts(seconds: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """(sound (N,), its envelope): four syllables of noise with gaps."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    envelope = sum(np.exp(-0.5 * ((t - at) / 0.07) ** 2) for at in (0.5, 1.1, 1.6, 2.4))
    hum = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 12))
    return (envelope * hum * 0.1 + 1e-5 * rng.normal(size=t.size)).astype(np.float32), envelope


@pytest.fixture(scope="module")
def renderer() -> FaceRenderer:
    return FaceRenderer()


def best_lag_s(units: dict[int, np.ndarray], envelope: np.ndarray) -> float:
    """By how many seconds the mouth comes before the sound."""
    level = np.interp(np.arange(len(units[25])) / FPS, np.arange(envelope.size) / RATE_HZ, envelope)
    lags = range(-6, 7)
    fit = [np.corrcoef(np.roll(units[25], lag), level)[0, 1] for lag in lags]
    return lags[int(np.argmax(fit))] / FPS


def test_the_mouth_opens_with_the_sound_and_leads_as_drawn() -> None:
    sound, envelope = bursts()
    for lead_s in (0.0, 0.08):
        units = move(sound, replace(STEADY, lead_s=lead_s), np.random.default_rng(0))
        assert best_lag_s(units, envelope) == pytest.approx(lead_s, abs=0.02)
        assert np.corrcoef(units[25], units[26])[0, 1] > 0.8


def test_levels_are_ones_that_can_be_rendered(renderer: FaceRenderer) -> None:
    sound, _ = bursts()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        units = move(sound, draw(rng), rng)
        assert set(units) <= set(UNITS)
        assert {len(v) for v in units.values()} == {75}
        assert max(float(v.max()) for v in units.values()) <= 5
        track = measured(units, renderer, rng)
        assert track.columns == COLUMNS == MOTION_COLUMNS
        assert np.isfinite(track.values).all() and track.values.shape == (75, 4)


def test_the_same_seed_gives_the_same_mouth() -> None:
    sound, _ = bursts()
    first, again = (move(sound, draw(g), g) for g in (np.random.default_rng(3), np.random.default_rng(3)))
    assert all(np.array_equal(first[k], again[k]) for k in first)


def test_a_film_holds_picture_and_sound_on_one_clock(tmp_path: Path, renderer: FaceRenderer) -> None:
    from hero.media.clip import Clip

    sound, envelope = bursts(0.8)
    rng = np.random.default_rng(0)
    film(tmp_path / "talk.mp4", sound, move(sound, STEADY, rng), renderer, rng)
    clip = Clip.open(tmp_path / "talk.mp4")
    assert clip.video is not None and clip.audio is not None
    assert clip.duration_s == pytest.approx(0.8, abs=0.1)
    heard = np.concatenate([block.samples for block in clip.sound(rate_hz=RATE_HZ)])
    loudest = np.argmax(np.convolve(np.abs(heard), np.ones(800), "same")) / RATE_HZ
    assert loudest == pytest.approx(float(np.argmax(envelope)) / RATE_HZ, abs=0.06)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mp4"]
