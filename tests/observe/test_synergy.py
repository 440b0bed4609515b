"""Lips against sound on made tracks with known lags, and the agreement of face and voice."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hero.observe.expert import create
from hero.observe.synergy import SynergyExpert, matches, mismatches, sync_track
from hero.observe.synergy.agree import agreement, energy, voice_under_raised_corners
from hero.observe.synergy.sync import STEP_S, circular_correlation, judge, lag_curve, pair_up
from hero.types import Absence, Observation, Track

PROSODY = ("f0_semitones", "loudness_db", "speech")


def syllables(seed: int, seconds: float) -> np.ndarray:
    """(100 Hz) an envelope of random syllables between 0 and 1, some three to five a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * 100)) / 100
    envelope, at = np.zeros(t.size), 0.1
    while at < seconds:
        width = rng.uniform(0.05, 0.1)
        envelope = np.maximum(envelope, rng.uniform(0.4, 1.0) * np.exp(-0.5 * ((t - at) / width) ** 2))
        at += rng.uniform(0.18, 0.38)
    return envelope


def voice(envelope: np.ndarray, speech: np.ndarray | None = None, tones: np.ndarray | None = None) -> Observation:
    """The voice expert's prosody with loudness 30 dB over the floor at full envelope."""
    times = (np.arange(envelope.size) + 0.5) / 100
    talk = np.ones(envelope.size) if speech is None else speech
    pitch = np.zeros(envelope.size) if tones is None else tones
    values = np.stack([pitch, -60 + 30 * envelope * talk, talk], axis=1)
    mask = np.stack([talk > 0.5, np.ones(talk.size, bool), np.ones(talk.size, bool)], axis=1)
    return Observation("voice", "voice", {"prosody": Track("prosody", values, times, mask, PROSODY)})


def mouth(envelope: np.ndarray, lag_s: float = 0.0, noise: float = 0.1, mask=None, fps: float = 20.0) -> Track:
    """The face expert's mouth track that opens with the envelope, `lag_s` before the sound."""
    times = np.arange(round(envelope.size / 100 * fps)) / fps
    opening = np.interp(times + lag_s, np.arange(envelope.size) / 100, envelope)
    opening = opening + np.random.default_rng(5).normal(0, noise, times.size)
    valid = np.ones(times.size, bool) if mask is None else mask(times)
    return Track("mouth", opening, times, valid, ("opening",), "eye distances")


def face(*tracks: Track) -> Observation:
    return Observation("face", "face", {track.name: track for track in tracks})


def finish(seen: Observation | None, heard: Observation | None, lang: str = "en") -> Observation:
    expert = SynergyExpert()
    assert expert.start(SimpleNamespace(lang=lang, licence="any", weights_folder=None)) is None
    return expert.finish({o.expert: o for o in (seen, heard) if o is not None})


def cues(obs: Observation) -> list[str]:
    return [ev.cue for ev in obs.evidence]


@pytest.mark.parametrize("lag_s", [-0.4, -0.2, 0.0, 0.08, 0.2, 0.32])
def test_a_known_lag_is_recovered(lag_s: float):
    sound = syllables(1, 6)
    sync = judge(pair_up(mouth(sound, lag_s), voice(sound).tracks["prosody"]))
    assert sync.lag_s == pytest.approx(lag_s, abs=STEP_S)
    assert sync.best_r > 0.6
    assert sync.chance_best < 0.05


def test_lips_that_fit_are_told_so():
    sound = syllables(2, 5)
    obs = finish(face(mouth(sound, 0.04)), voice(sound))
    assert cues(obs) == ["lips_match"]
    assert obs.evidence[0].text.startswith("Lips and sound move together (r 0.")
    assert abs(obs.evidence[0].measures["lag_s"]) <= 0.08


@pytest.mark.parametrize(("lag_s", "cue"), [(0.36, "sound_late"), (-0.36, "sound_early")])
def test_sound_out_of_step_is_told_with_its_side(lag_s: float, cue: str):
    sound = syllables(3, 6)
    obs = finish(face(mouth(sound, lag_s)), voice(sound))
    assert cues(obs) == [cue]
    assert "0.36 s" in obs.evidence[0].text


def test_lips_seen_rarely_are_not_judged():
    sound = syllables(1, 6)
    obs = finish(face(mouth(sound, 0.3, fps=5)), voice(sound))
    assert not {"lips_match", "sound_late", "sound_early", "lips_mismatch"} & set(cues(obs))
    assert any("every 0.20 s" in note for note in obs.notes)


def test_another_sound_rarely_matches_and_the_right_one_mostly_does():
    right = wrong = 0
    for seed in range(20):
        sound, other = syllables(seed, 4), syllables(seed + 100, 4)
        right += matches(judge(pair_up(mouth(sound, noise=0.3), voice(sound).tracks["prosody"])))
        wrong += matches(judge(pair_up(mouth(sound, noise=0.3), voice(other).tracks["prosody"])))
    assert right >= 18
    assert wrong <= 4


def test_a_stretch_with_another_sound_is_mostly_found_and_the_rest_left_alone():
    found_right = false_alarms = 0
    for seed in range(10):
        sound, other = syllables(seed, 16), syllables(seed + 40, 16)
        seen = sound.copy()
        seen[500:1000] = other[500:1000]
        for span, r in mismatches(sync_track(pair_up(mouth(seen), voice(sound).tracks["prosody"]))):
            right = span.start_s > 3.9 and span.end_s < 11.1
            found_right += right
            false_alarms += not right
            assert r < 0.3
    assert found_right >= 7
    assert false_alarms == 0


def test_a_fitting_sound_is_never_called_a_mismatch():
    for seed in range(10):
        sound = syllables(seed, 12)
        assert mismatches(sync_track(pair_up(mouth(sound, noise=0.3), voice(sound).tracks["prosody"]))) == []


def test_rows_use_no_later_samples():
    sound = syllables(5, 8)
    whole = sync_track(pair_up(mouth(sound), voice(sound).tracks["prosody"]))
    changed = sound.copy()
    changed[500:] = syllables(55, 8)[500:]
    other = sync_track(pair_up(mouth(sound), voice(changed).tracks["prosody"]))
    before = whole.times_s < 4.95
    assert before.sum() > 8
    np.testing.assert_array_equal(whole.values[before], other.values[before])
    assert not np.array_equal(whole.values[~before], other.values[~before])


def test_a_hidden_mouth_is_masked_and_its_values_do_not_count():
    sound = syllables(6, 8)

    def visible(times):
        return (times < 3) | (times >= 6)

    hidden = mouth(sound, mask=visible)
    values = np.where(hidden.mask[:, 0], hidden.values[:, 0], 99.0)
    spoiled = Track("mouth", values, hidden.times_s, hidden.mask, ("opening",))
    heard = voice(sound).tracks["prosody"]
    pair = pair_up(hidden, heard)
    assert not pair.valid[(pair.times_s > 3.0) & (pair.times_s < 5.9)].any()
    assert judge(pair) == judge(pair_up(spoiled, heard))
    assert not sync_track(pair).mask[(sync_track(pair).times_s > 5.2) & (sync_track(pair).times_s < 6.2)].any()


def test_silent_stretches_are_masked():
    sound = syllables(7, 8)
    speech = np.where(np.arange(800) < 300, 1.0, 0.0)
    track = sync_track(pair_up(mouth(sound), voice(sound, speech).tracks["prosody"]))
    assert track.mask[track.times_s < 3].all()
    assert not track.mask[track.times_s > 5].any()


def test_little_speech_is_declared_not_judged():
    sound, other = syllables(8, 3), syllables(80, 3)
    speech = np.where((np.arange(300) > 100) & (np.arange(300) < 170), 1.0, 0.0)
    obs = finish(face(mouth(other)), voice(sound, speech))
    assert obs.absent is None
    assert obs.evidence == ()
    assert any("too little speech" in note for note in obs.notes)


@pytest.mark.parametrize(
    ("seen", "heard", "reason"),
    [
        (None, voice(syllables(1, 2)), "face expert did not run"),
        (face(mouth(syllables(1, 2))), None, "voice expert did not run"),
        (Observation("face", "face", absent=Absence("face", "no face was found")), voice(syllables(1, 2)), "no face"),
        (face(), voice(syllables(1, 2)), "no track 'mouth'"),
        (face(mouth(syllables(1, 2))), voice(syllables(1, 2), np.zeros(200)), "nobody speaks"),
    ],
)
def test_what_is_missing_is_named(seen, heard, reason: str):
    obs = finish(seen, heard)
    assert obs.absent is not None
    assert reason in obs.absent.reason
    assert obs.absent.cure


def test_an_unmoving_mouth_is_no_match():
    sound = syllables(9, 5)
    still = mouth(sound * 0, noise=0.0)
    assert "lips_match" not in cues(finish(face(still), voice(sound)))


def test_lag_curve_and_circular_correlation_agree_on_a_turned_signal():
    rng = np.random.default_rng(0)
    lips = rng.normal(size=100)
    shifted = circular_correlation(lips, np.roll(lips, 7), np.ones(100, bool))
    assert int(np.argmax(shifted)) == 7
    assert shifted[7] == pytest.approx(1.0, abs=1e-6)
    direct = np.corrcoef(lips, np.roll(np.roll(lips, 7), -3))[0, 1]
    assert shifted[3] == pytest.approx(direct, abs=1e-6)


def test_tracks_without_overlap_give_nothing():
    sound = syllables(10, 3)
    early = mouth(sound)
    late = Track("mouth", early.values, early.times_s + 50, early.mask, ("opening",))
    pair = pair_up(late, voice(sound).tracks["prosody"])
    assert pair.times_s.size == 0
    assert judge(pair) is None
    assert finish(face(late), voice(sound)).evidence == ()
    lags, curve = lag_curve(pair)
    assert lags.size == curve.size
    assert not np.isfinite(curve).any()


# Face and voice


def openface(track: Track) -> Track:
    """The same as the face expert names it: intensities, then presences."""
    names = [f"{name}_r" for name in track.columns] + [f"{name}_c" for name in track.columns]
    values, mask = np.tile(track.values, 2), np.tile(track.mask, 2)
    return Track("au", values, track.times_s, mask, tuple(names), "0-5, 0/1")


def units(corners: np.ndarray, brows: np.ndarray, fps: float = 20.0) -> Track:
    times = np.arange(corners.size) / fps
    values = np.stack([corners, brows, np.zeros(corners.size)], axis=1)
    return Track("au", values, times, np.ones(corners.size, bool), ("AU12", "AU04", "AU45"), "0-5")


def lively(seconds: int, rhythm: np.ndarray, fps: int) -> np.ndarray:
    """A signal whose movement follows one number per second."""
    t = np.arange(seconds * fps) / fps
    return np.repeat(rhythm, fps)[: t.size] * (1 + np.sin(2 * np.pi * 2.5 * t))


def test_face_and_voice_lively_together_and_apart():
    rhythm = np.array([0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1], float)
    brows = lively(20, rhythm, 20)
    for seen, cue in ((rhythm, "lively_together"), (1 - rhythm, "lively_apart")):
        heard = voice(np.repeat(0.3 + 0.6 * seen, 100), tones=np.repeat(4 * seen, 100))
        track = energy(units(np.zeros(400), brows), heard.tracks["prosody"])
        found = agreement(track)
        assert abs(found.correlation) > 0.5
        obs = finish(face(mouth(syllables(1, 20)), openface(units(np.zeros(400), brows))), heard)
        assert cue in cues(obs)


def test_energy_is_masked_where_nobody_speaks():
    speech = np.where(np.arange(1000) < 500, 1.0, 0.0)
    seen = units(np.zeros(200), lively(10, np.ones(10), 20))
    track = energy(seen, voice(np.full(1000, 0.5), speech).tracks["prosody"])
    known = track.column("voice")[1]
    assert known[track.times_s <= 5].all()
    assert not known[track.times_s > 5.6].any()
    assert track.column("face")[1].all()


def test_the_voice_under_raised_corners_is_measured():
    corners = np.where((np.arange(120) >= 40) & (np.arange(120) < 60), 3.0, 0.0)
    envelope = np.where((np.arange(600) >= 200) & (np.arange(600) < 300), 0.4, 0.8)
    t = np.arange(600) / 100
    tones = np.where((t >= 2) & (t < 3), -3.0 - 2.0 * (t - 2.5), 0.0)
    heard = voice(envelope, tones=tones)
    ((span, measures),) = voice_under_raised_corners(units(corners, np.zeros(120)), heard.tracks["prosody"])
    assert span.as_list() == [2.0, 3.0]
    assert measures["f0_semitones"] == pytest.approx(-3.0, abs=0.1)
    assert measures["f0_slope_semitones_s"] == pytest.approx(-2.0, abs=0.1)
    assert measures["loudness_over_usual_db"] == pytest.approx(-12.0, abs=0.5)
    obs = finish(face(mouth(syllables(1, 6)), openface(units(corners, np.zeros(120)))), heard)
    text = next(ev.text for ev in obs.evidence if ev.cue == "corners_up_voice")
    assert "3 semitones below" in text
    assert "12 dB quieter" in text


def test_chinese_speaks_chinese():
    sound = syllables(2, 5)
    obs = finish(face(mouth(sound)), voice(sound), "zh")
    assert all(any("\u4e00" <= c <= "\u9fff" for c in ev.text) for ev in obs.evidence)
    assert obs.evidence


def test_the_table_of_experts_makes_it():
    assert create("synergy").name == "synergy"
