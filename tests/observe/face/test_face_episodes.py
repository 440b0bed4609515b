"""Episodes, talking, gaze and the words made from them, on synthetic tracks; no weights needed."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hero.labels import LABELS
from hero.observe.face.action_units import AU_C, AU_R, presences
from hero.observe.face.describe import PER_10_S, Scene, describe, visibility
from hero.observe.face.episodes import au_episodes, away_spans, blinks, talking_spans
from hero.observe.face.gaze import COLUMNS as GAZE_COLUMNS
from hero.observe.face.measure import MOUTH_COLUMNS, POSE_COLUMNS, Measured, energy
from hero.phrases import LANGUAGES, phrases
from hero.types import Span, Track

FPS = 20


def au_track(seconds: float, **levels: tuple[float, float, float]) -> Track:
    """AU tracks at rest, with `AU12=(start_s, end_s, level)` raised; presence follows."""
    times = np.arange(int(seconds * FPS)) / FPS
    values = np.zeros((len(times), 17), np.float32)
    values[:, AU_R.index("AU23_r")] = np.nan
    for name, (start, end, level) in levels.items():
        values[(times >= start) & (times < end), AU_R.index(f"{name}_r")] = level
    both = np.hstack([values, presences(values, np.full(len(times), np.nan, np.float32))])
    return Track("au", both, times, np.isfinite(both), AU_R + AU_C)


def scene(au: Track, *, opening: np.ndarray | None = None, yaw: float = 0.0, lang: str = "en", **more: object) -> Scene:
    times, count = au.times_s, len(au.times_s)
    mouth = np.zeros((count, 3)) if opening is None else np.column_stack([opening, opening, opening])
    pose, gaze = np.zeros((count, 3)), np.zeros((count, 4))
    pose[:, 1] = yaw
    tracks = {
        "au": au, "mouth": Track("mouth", mouth, times, np.ones(count, bool), MOUTH_COLUMNS),
        "pose": Track("pose", pose, times, np.ones(count, bool), POSE_COLUMNS),
        "gaze": Track("gaze", gaze, times, np.ones(count, bool), GAZE_COLUMNS),
    }  # fmt: skip
    return Scene(Measured(0, tracks, 1.0, count / FPS), phrases("face", lang), "bundle", "face@1", **more)  # type: ignore[arg-type]


def talk(seconds: float, start: float, end: float) -> np.ndarray:
    times = np.arange(int(seconds * FPS)) / FPS
    return np.where((times >= start) & (times < end), 0.05 + 0.05 * np.sin(2 * np.pi * 4 * times), 0.0)


def test_episode_has_span_peak_and_apex() -> None:
    (episode,) = au_episodes(au_track(4, AU04=(1.0, 2.0, 2.5)), 4)
    assert episode.span.as_list() == [1.0, 2.0]
    assert episode.peak == 2.5 and episode.apex_s == 1.0


def test_short_flickers_are_dropped() -> None:
    assert au_episodes(au_track(4, AU04=(1.0, 1.1, 3.0)), 4) == []


def test_speech_explains_parted_lips_but_not_lowered_brows() -> None:
    au, speech = au_track(4, AU25=(1, 3, 3), AU26=(1, 3, 2), AU04=(1, 3, 2)), [Span(0.5, 3.5)]
    assert au_episodes(au, 25, speech) == [] and au_episodes(au, 26, speech) == []
    assert len(au_episodes(au, 4, speech)) == 1
    assert len(au_episodes(au, 26)) == 1


def test_talking_is_lips_going_up_and_down() -> None:
    still = scene(au_track(5), opening=np.full(100, 0.1)).face.tracks["mouth"]
    assert talking_spans(still) == []
    (span,) = talking_spans(scene(au_track(5), opening=talk(5, 2, 4)).face.tracks["mouth"])
    assert span.start_s == pytest.approx(2, abs=0.4) and span.end_s == pytest.approx(4, abs=0.4)


@pytest.mark.parametrize(("cheeks", "cue"), [(2.0, "smile_with_cheeks"), (0.2, "smile_without_cheeks")])
def test_smile_says_whether_the_cheeks_rise(cheeks: float, cue: str) -> None:
    (ev,) = describe(scene(au_track(4, AU12=(1, 3, 3), AU06=(1, 3, cheeks))), 4.0)
    assert ev.cue == cue
    assert ev.measures["AU12"] == 3 and ev.measures["AU06"] == pytest.approx(cheeks)


def test_smile_with_unmeasured_cheeks_is_only_a_smile() -> None:
    au = au_track(4, AU12=(1, 3, 3))
    mask = au.mask.copy()
    mask[:, AU_R.index("AU06_r")] = False
    (ev,) = describe(scene(Track("au", au.values, au.times_s, mask, au.columns)), 4.0)
    assert ev.cue == "smile"


def test_both_brow_units_become_one_sentence() -> None:
    (ev,) = describe(scene(au_track(4, AU01=(1, 3, 2), AU02=(1, 3, 2.5))), 4.0)
    assert ev.cue == "AU02" and ev.text.startswith("Brows clearly raised") and ev.measures["AU01"] == 2


def test_stronger_means_more_strength_and_turned_heads_less_confidence() -> None:
    (weak,), (strong,) = (describe(scene(au_track(4, AU04=(1, 3, level))), 4.0) for level in (1.5, 4.0))
    assert strong.strength > weak.strength and strong.confidence >= weak.confidence
    (turned,) = describe(scene(au_track(4, AU04=(1, 3, 4.0)), yaw=35.0), 4.0)
    assert turned.confidence < strong.confidence


def test_budget_keeps_the_strongest() -> None:
    times = {f"AU{n:02d}": (0.5, 9.5, 1.2) for n in (4, 5, 6, 7, 9, 10, 14, 15, 17, 20)}
    rng = np.random.default_rng(0)
    values = au_track(10, **times).values.copy()
    for start in range(0, 200, 10):
        values[start : start + 4, :17] = rng.uniform(1, 5)
        values[start + 4 : start + 10, :17] = 0
    values[:, 17:] = presences(values[:, :17], np.zeros(200, np.float32))
    au = au_track(10)
    found = describe(scene(Track("au", values, au.times_s, np.ones_like(values, bool), au.columns)), 10.0)
    assert 3 <= len(found) <= PER_10_S
    assert [ev.span for ev in found] == sorted(ev.span for ev in found)


def test_blinks_do_not_make_the_peak() -> None:
    au = au_track(4, AU45=(1, 1.2, 5), AU12=(2, 3, 2))
    assert au.times_s[np.argmax(energy(au))] == pytest.approx(2.0)
    short, long = blinks(au_track(6, AU45=(1, 1.2, 5)))
    assert len(short) == 1 and long == []
    short, long = blinks(au_track(6, AU45=(1, 2.5, 5)))
    assert short == [] and len(long) == 1


def test_gaze_away_is_relative_to_the_usual_direction() -> None:
    times = np.arange(100) / FPS
    values = np.full((100, 4), 10.0)
    values[60:80, 2] = 40
    ((span, right, up),) = away_spans(Track("gaze", values, times, np.ones(100, bool), GAZE_COLUMNS))
    assert span.as_list() == [3.0, 4.0] and right == 30 and up == 0


def test_visibility() -> None:
    here, whole = scene(au_track(4)), Span(0, 4)
    assert visibility(here, whole, 0.95) is None
    seen = visibility(here, whole, 0.44)
    assert seen is not None and "44 %" in seen.text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_sentence_names_an_emotion(lang: str) -> None:
    table = phrases("face", lang).table
    chinese = ("愤怒", "生气", "厌恶", "恐惧", "高兴", "悲伤", "惊讶")
    names = chinese if lang == "zh" else (*LABELS, "anger", "fear", "joy", "sadness")
    said = " ".join(str(entry) for entry in table.values()).lower()
    assert not [name for name in names if re.search(name if lang == "zh" else rf"\b{name}\b", said)]


def test_languages_have_the_same_entries() -> None:
    assert phrases("face", "en").table.keys() == phrases("face", "zh").table.keys()


def test_a_blink_at_uneven_sampling_is_one_blink() -> None:
    au = au_track(4, AU45=(1.0, 1.4, 5))
    times = np.cumsum(np.tile([1 / 24, 1 / 24, 2 / 24], 30)[:80])
    short, long = blinks(Track("au", au.values, times, au.mask, au.columns))
    assert len(short) == 1 and long == []
