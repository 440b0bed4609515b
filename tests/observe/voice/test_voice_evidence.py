"""The sentences: each cue fires on measures made for it, in both languages, and says nothing about feelings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hero.labels import LABELS
from hero.observe.voice.evidence import Anchors, Writer, write
from hero.observe.voice.movement import movements
from hero.observe.voice.utterance import Usual, Utterance
from hero.phrases import phrases
from hero.types import Evidence, Span

LEVEL = np.zeros(200, np.float32)
PLAIN = Utterance(
    span=Span(0.0, 2.0), speech_s=2.0, voiced_s=1.4, f0_hz=150.0, range_semitones=7.0, loudness_db=-25.0, hnr_db=11.0,
    tilt_db=-12.0, jitter_pct=2.0, shimmer_pct=10.0, rate_syl_s=4.5, semitones=LEVEL, loudness=LEVEL - 25,
)  # fmt: skip
USUAL = Usual(f0_hz=150.0, loudness_db=-25.0, rate_syl_s=4.5, hnr_db=11.0, known=False, phrases=4, voiced_s=5.0)


def told(
    utterance: Utterance = PLAIN, usual: Usual = USUAL, pauses: tuple[Span, ...] = (), lang: str = "en"
) -> dict[str, Evidence]:
    writer = Writer(phrases("voice", lang), "voice@1", snr_db=20.0)
    write(writer, [utterance], usual, pauses, Anchors())
    return {ev.cue: ev for ev in writer.strongest(2.0, 2)}


def test_a_plain_voice_is_called_middling_and_nothing_else() -> None:
    assert set(told()) == {"profile_middling"}


CASES = {
    "pitch_high": {"f0_hz": 200.0}, "pitch_low": {"f0_hz": 110.0}, "voice_very_high": {"f0_hz": 400.0},
    "voice_very_low": {"f0_hz": 60.0}, "pitch_flat": {"range_semitones": 2.0}, "pitch_wide": {"range_semitones": 19.0},
    "louder": {"loudness_db": -18.0}, "softer": {"loudness_db": -33.0}, "slow": {"rate_syl_s": 2.2},
    "fast": {"rate_syl_s": 6.6}, "faster": {"rate_syl_s": 6.2}, "slower": {"rate_syl_s": 2.9},
    "breathy": {"hnr_db": 3.0}, "clearer": {"hnr_db": 16.0},
    "rougher": {"hnr_db": 6.0}, "unsteady": {"jitter_pct": 5.0},
    "little_voicing": {"voiced_s": 0.2},
    "grows_louder": {"loudness": np.linspace(-35, -20, 200).astype(np.float32)},
    "grows_softer": {"loudness": np.linspace(-20, -35, 200).astype(np.float32)},
    "pitch_rise": {
        "semitones": np.concatenate([np.zeros(40), np.linspace(0, 7, 30), np.full(130, 7.0)]).astype(np.float32)
    },
    "pitch_fall_end": {"semitones": np.concatenate([np.zeros(150), np.linspace(0, -8, 50)]).astype(np.float32)},
}  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("cue", sorted(CASES))
def test_each_cue_fires_on_its_measure(cue: str, lang: str) -> None:
    ev = told(replace(PLAIN, **CASES[cue]), lang=lang)[cue]
    assert ev.modality == "voice" and ev.text and ev.brief and "{" not in ev.text
    assert 0.3 <= ev.strength <= 1 and 0 < ev.confidence < 1
    assert ev.measures and all(np.isfinite(v) for v in ev.measures.values())


def test_nothing_relative_without_something_to_compare_with() -> None:
    single = replace(USUAL, phrases=1)
    assert "pitch_high" not in told(replace(PLAIN, f0_hz=200.0), single)
    known = replace(single, known=True)
    ev = told(replace(PLAIN, f0_hz=200.0), known)["pitch_high"]
    assert "the speaker's usual level" in ev.text and ev.measures["f0_semitones"] == pytest.approx(4.98, abs=0.01)


def test_pauses_are_told_from_half_a_second_on() -> None:
    found = told(pauses=(Span(2.0, 2.4), Span(3.0, 3.8)))
    assert found["pause"].text == "Pause of 0.8 s." and found["pause"].span == Span(3.0, 3.8)
    assert "pause" not in told(pauses=(Span(2.0, 2.4),))


def test_only_the_strongest_of_a_kind_are_kept() -> None:
    writer = Writer(phrases("voice", "en"), "voice@1", snr_db=20.0)
    pauses = [Span(k * 2.0, k * 2.0 + 0.5 + 0.1 * k) for k in range(6)]
    write(writer, [PLAIN], USUAL, pauses, Anchors())
    kept = [ev for ev in writer.strongest(10.0, 2) if ev.cue == "pause"]
    assert [ev.span for ev in kept] == [pauses[4], pauses[5]]


def test_an_octave_slip_is_no_movement_but_a_glide_is() -> None:
    slip = np.concatenate([np.zeros(30), np.full(30, 12.0)]).astype(np.float32)
    assert movements(slip, 0.0, 4.0) == []
    glide = np.concatenate([np.zeros(30), np.linspace(0, 6, 20), np.full(30, 6.0)]).astype(np.float32)
    (move,) = movements(glide, 1.0, 4.0)
    assert move.semitones == pytest.approx(6.0, abs=0.1)
    assert 1.0 <= move.span.start_s <= 1.35 and 1.45 <= move.span.end_s <= 1.85


def test_noisy_sound_lowers_confidence() -> None:
    quiet, loud = (Writer(phrases("voice", "en"), "voice@1", snr_db=snr) for snr in (25.0, 2.0))
    for writer in (quiet, loud):
        write(writer, [replace(PLAIN, rate_syl_s=2.0)], USUAL, (), Anchors())
    assert loud.strongest(2.0, 2)[0].confidence < 0.6 * quiet.strongest(2.0, 2)[0].confidence


def test_no_template_names_an_emotion() -> None:
    forbidden = {*LABELS, "anger", "sadness", "joy", "fearful", "emotion"} - {"neutral"}
    for part in ("voice", "sounds", "words"):
        for entry in phrases(part, "en").table.values():
            said = " ".join(entry.values()) if isinstance(entry, dict) else entry
            assert not forbidden & set(said.lower().replace(".", " ").replace(",", " ").split()), said
