"""Streaming: the cut into blocks, odd lengths and broken samples change nothing."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from voice_signals import RATE_HZ, load, noise, observe, prosody_of, voice

from hero.observe.voice.stream import GROUP, Prosody, ProsodyStream


def same(a: Prosody, b: Prosody) -> bool:
    """Whether all columns agree exactly."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name), equal_nan=True) for f in fields(Prosody))


@pytest.mark.parametrize("block", [160, 777, 4096, 50_000])
def test_streaming_equals_offline_whatever_the_blocks(block: int) -> None:
    rng = np.random.default_rng(3)
    pieces = [voice(f, 0.4 + rng.random(), level=0.1 + 0.2 * rng.random()) for f in (110, 180, 250)]
    sound = np.concatenate([p for piece in pieces for p in (piece, noise(0.3, 0.003))])
    assert same(prosody_of(sound, block), prosody_of(sound, len(sound)))


def test_the_expert_is_blind_to_blocks(hero_data: Path) -> None:
    sound = load(hero_data / "speech" / "jfk.flac")
    whole, parts = observe(sound, block=len(sound)), observe(sound, block=1234)
    assert whole.evidence == parts.evidence
    assert np.array_equal(whole.tracks["prosody"].values, parts.tracks["prosody"].values)


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 1600, 16001])
def test_short_sounds_give_one_frame_per_begun_hop(samples: int) -> None:
    prosody = prosody_of(voice(150.0, 2.0)[:samples])
    assert all(len(getattr(prosody, f.name)) == -(-samples // 160) for f in fields(Prosody))


def test_broken_samples_do_not_spread() -> None:
    sound = voice(150.0, 1.0)
    broken = sound.copy()
    broken[8000:8010] = np.nan
    broken[8020] = np.inf
    assert np.isfinite(prosody_of(broken).level_db).all()


def test_clipping_keeps_the_pitch() -> None:
    loud = np.clip(20 * voice(150.0, 1.0), -1, 1)
    assert np.abs(prosody_of(loud).f0_hz[10:-10] / 150 - 1).max() < 0.01


def test_a_long_stream_keeps_only_a_little_sound() -> None:
    stream = ProsodyStream()
    for _ in range(60):
        stream.push(voice(150.0, 1.0))
    assert len(stream._waiting) < 2 * GROUP * 160
    assert len(stream._unsettled) < 15 * RATE_HZ


def test_a_late_start_and_a_hole_keep_the_clock(hero_data: Path) -> None:
    sound = load(hero_data / "speech" / "librivox" / "sense_and_sensibility_01_austen_64kb-0880.wav")
    early, late = observe(sound), observe(sound, start_s=2.0)
    shift = late.spans["speech"][0].span.start_s - early.spans["speech"][0].span.start_s
    assert shift == pytest.approx(2.0, abs=0.1)
