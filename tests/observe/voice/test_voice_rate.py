"""Syllables, phrases and pauses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from voice_signals import RATE_HZ, load, noise, observe, prosody_of, voice

from hero.observe.voice import rate
from hero.types import Span


@pytest.mark.parametrize("per_s", [2.0, 4.0, 6.0])
def test_beats_of_a_voice_are_counted(per_s: float) -> None:
    seconds = 4.0
    swell = 0.03 + 0.97 * np.sin(np.pi * per_s * np.arange(int(seconds * RATE_HZ)) / RATE_HZ) ** 2
    prosody = prosody_of((voice(150.0, seconds) * swell).astype(np.float32) + noise(seconds, 1e-4))
    found = rate.nuclei(prosody, np.ones(len(prosody.times_s), bool))
    assert len(found) == pytest.approx(per_s * seconds, abs=1)


@pytest.mark.parametrize(
    ("clip", "syllables"),  # counted by hand from the transcripts
    [
        ("librivox/sense_and_sensibility_01_austen_64kb-0870.wav", 30),
        ("speechbrain/ASR/spk1_snt5.wav", 9),
        ("jfk.flac", 29),
    ],
)
def test_syllables_of_real_sentences(hero_data: Path, clip: str, syllables: int) -> None:
    observation = observe(load(hero_data / "speech" / clip))
    rates, mask = observation.tracks["rate"].column("rate_syl_s")
    prosody = observation.tracks["prosody"]
    talk, _ = prosody.column("speech")
    spoken = [talk[(prosody.times_s >= s.span.start_s) & (prosody.times_s < s.span.end_s)].sum() / 100
              for s in observation.spans["phrases"]]  # fmt: skip
    assert float((rates * mask) @ np.asarray(spoken)) == pytest.approx(syllables, rel=0.2)


def test_phrases_join_short_gaps_and_cut_long_talk() -> None:
    spans = [Span(0.0, 1.0), Span(1.2, 2.0), Span(3.0, 17.0)]
    phrases = rate.phrases_of(spans, 0.3)
    assert phrases[0] == Span(0.0, 2.0)
    assert len(phrases) == 4 and phrases[1].start_s == 3.0 and phrases[-1].end_s == 17.0
    assert max(p.duration_s for p in phrases) <= rate.LONGEST_PART_S


def test_pauses_lie_between_speech_only() -> None:
    assert rate.pauses_of([Span(1.0, 2.0), Span(2.1, 3.0), Span(4.0, 5.0)], 0.3) == [Span(3.0, 4.0)]
    assert rate.pauses_of([Span(1.0, 2.0)], 0.3) == []
