"""The expert as a whole: when it is absent, and what it says about real voices."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from voice_signals import RATE_HZ, load, noise, observe, voice

from hero.observe import voice as package
from hero.observe.voice import VoiceExpert, speech
from hero.types import Baseline


def test_absent_without_sound_or_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(clip=SimpleNamespace(audio=None), lang="en", baseline=None, settings={})
    absence = VoiceExpert().start(context)
    assert absence is not None and "no audio stream" in absence.reason
    monkeypatch.setattr(speech, "make_detector", lambda: None)
    heard = SimpleNamespace(clip=SimpleNamespace(audio=object()), lang="en", baseline=None, settings={})
    absence = VoiceExpert().start(heard)
    assert absence is not None and absence.cure == speech.CURE


@pytest.mark.parametrize("seconds", [0.0, 0.1, 2.0])
def test_silence_is_absent(seconds: float) -> None:
    absent = observe(np.zeros(int(seconds * RATE_HZ), np.float32)).absent
    assert absent is not None and "silent" in absent.reason


@pytest.mark.parametrize("sound", ["noise", "tone", "sweep"])
def test_sound_without_speech_is_absent_with_its_level(sound: str) -> None:
    samples = {
        "noise": noise(2.0, 0.1), "tone": voice(200.0, 2.0), "sweep": voice(np.geomspace(100, 500, 2 * RATE_HZ), 2.0),
    }[sound]  # fmt: skip
    absent = observe(samples).absent
    assert absent is not None and "no speech" in absent.reason and "dB" in absent.reason


def test_a_real_sentence(hero_data: Path) -> None:
    observation = observe(load(hero_data / "speech" / "jfk.flac"))
    assert observation.absent is None
    track = observation.tracks["prosody"]
    assert track.columns == package.COLUMNS and len(track.times_s) == 1100
    f0, voiced = track.column("f0_hz")
    assert 120 < np.median(f0[voiced]) < 260 and 0.3 < voiced.mean() < 0.8
    semitones, _ = track.column("f0_semitones")
    assert abs(float(np.median(semitones[voiced]))) < 0.01
    assert len(observation.spans["speech"]) >= 3 and len(observation.spans["pauses"]) >= 2
    pauses = [ev for ev in observation.evidence if ev.cue == "pause"]
    assert pauses and all(0.5 <= ev.measures["pause_s"] < 2 for ev in pauses)
    assert all(0 <= ev.span.start_s <= ev.span.end_s <= 11.0 for ev in observation.evidence)


def test_a_raised_second_half_is_heard(hero_data: Path) -> None:
    import soxr

    sound = load(hero_data / "speech" / "librivox" / "sense_and_sensibility_01_austen_64kb-0880.wav")
    raised = soxr.resample(sound, RATE_HZ, RATE_HZ / 1.4).astype(np.float32)  # 5.8 semitones up
    gap = np.zeros(RATE_HZ // 2, np.float32)
    clip = np.concatenate([sound, gap, sound, gap, sound, gap, 2 * raised])
    from_s = (3 * len(sound) + 3 * len(gap)) / RATE_HZ - 0.1
    found = observe(np.clip(clip, -1, 1))
    high = [ev for ev in found.evidence if ev.cue == "pitch_high"]
    assert high and all(ev.span.start_s >= from_s for ev in high)
    assert high[0].measures["f0_semitones"] == pytest.approx(5.8, abs=1.0)
    assert any(ev.cue == "louder" and ev.span.start_s >= from_s for ev in found.evidence)


def test_a_baseline_from_outside_is_the_measure(hero_data: Path) -> None:
    sound = load(hero_data / "speech" / "librivox" / "sense_and_sensibility_01_austen_64kb-0880.wav")
    usual = Baseline(mean={"voice.f0_hz": 200.0}, spread={"voice.f0_hz": 20.0}, count=5)
    low = [ev for ev in observe(sound, baseline=usual).evidence if ev.cue == "pitch_low"]
    assert low and "the speaker's usual level" in low[0].text
    assert not [ev for ev in observe(sound).evidence if ev.cue == "pitch_low"]


def test_screamed_words_count_as_speech_with_a_note(hero_data: Path) -> None:
    observation = observe(load(hero_data / "ravdess_speech" / "Actor_06" / "03-01-05-02-02-02-06.flac"))
    assert observation.absent is None and "unsure" in observation.notes[0]
    assert observation.spans["speech"][0].confidence < 0.2
    assert any(ev.cue == "voice_very_high" for ev in observation.evidence)


@pytest.mark.parametrize("clip", ["face_noface.mov", "noface_face.mov", "no_face.mp4", "single_face.mp4"])
def test_music_is_no_voice(hero_data: Path, clip: str) -> None:
    from hero.media.clip import Clip

    absent = observe(np.concatenate([block.samples for block in Clip.open(hero_data / "faces" / clip).sound()])).absent
    assert absent is not None and "no speech" in absent.reason


def test_chinese_words(hero_data: Path) -> None:
    observation = observe(load(hero_data / "speech" / "jfk.flac"), lang="zh")
    assert any("停顿" in ev.text for ev in observation.evidence)
