"""Posterior experts: the licence switch, windows, masks of unseen classes, and absences with reasons."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hero.labels import LABELS
from hero.observe.expert import Context, create
from hero.observe.posteriors import FaceEmotion, TextEmotion
from hero.types import Absence, LabelledSpan, Observation, Span, Track
from hero.weights import packaged, read_card

UNITS = tuple(f"AU{number:02d}_r" for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45))


def _context(**more: Any) -> Context:
    return Context(SimpleNamespace(duration_s=8.0), **more)  # type: ignore[arg-type]


def _face(seconds: float, **levels: float) -> Observation:
    times_s = np.arange(0, seconds, 0.1)
    values = np.zeros((len(times_s), 17), np.float32)
    for unit, level in levels.items():
        values[:, UNITS.index(unit)] = level
    mask = np.ones_like(values, bool)
    mask[:, UNITS.index("AU23_r")] = False
    return Observation("face", "face", {"au": Track("au", values, times_s, mask, UNITS)})


def _words(*lines: str) -> Observation:
    spans = tuple(LabelledSpan(Span(i, i + 1), line) for i, line in enumerate(lines))
    return Observation("words", "words", spans={"utterances": spans})


@pytest.mark.parametrize("name", ["voice_emotion", "face_emotion", "text_emotion"])
def test_open_licence_switches_off_restricted_heads(name: str) -> None:
    expert = create(name)
    reason = expert.start(_context(licence="open"))
    if read_card(name)["commercial"]:
        assert reason is None
    else:
        assert isinstance(reason, Absence)
        assert "licence" in reason.reason


def test_cards_are_whole() -> None:
    assert {"voice_emotion", "face_emotion", "text_emotion", "fusion"} <= set(packaged())
    for name in packaged():
        card = read_card(name)
        assert {"name", "licence", "commercial", "data", "split", "ids_seen", "scores"} <= set(card), name
        assert card["commercial"] is ("NC" not in str(card["licence"])), name


def test_smile_raises_happy_in_the_face_posterior() -> None:
    expert = FaceEmotion()
    assert expert.start(_context()) is None
    smiling = expert.finish({"face": _face(6, AU12_r=3.5, AU06_r=2.5)}).tracks["posterior"]
    still = expert.finish({"face": _face(6)}).tracks["posterior"]
    happy = LABELS.index("happy")
    assert smiling.values[:, happy].mean() > still.values[:, happy].mean()
    np.testing.assert_allclose(smiling.values.sum(1), 1, rtol=1e-4)


def test_long_faces_are_cut_into_windows() -> None:
    expert = FaceEmotion()
    expert.start(_context())
    obs = expert.finish({"face": _face(12)})
    assert len(obs.spans["windows"]) == 3
    assert len(obs.tracks["posterior"].times_s) == 3


def test_absent_face_is_passed_on() -> None:
    expert = FaceEmotion()
    expert.start(_context())
    gone = Observation("face", "face", absent=Absence("face", "no face was found"))
    absent = expert.finish({"face": gone}).absent
    assert absent
    assert absent.reason == "no face was found"
    brief = expert.finish({"face": _face(0.3)}).absent
    assert brief
    assert "too briefly" in brief.reason


def test_text_posterior_follows_the_words() -> None:
    expert = TextEmotion()
    assert expert.start(_context()) is None
    track = expert.finish(
        {"words": _words("I am so happy, this is wonderful!", "I hate you, this makes me furious.")}
    ).tracks["posterior"]
    assert track.values[0, LABELS.index("happy")] > track.values[1, LABELS.index("happy")]
    assert track.values[1, LABELS.index("angry")] > track.values[0, LABELS.index("angry")]


def test_words_it_never_learned_are_not_judged() -> None:
    expert = TextEmotion()
    expert.start(_context())
    absent = expert.finish({"words": _words("xxxxxx qqqq zzzzz")}).absent
    assert absent
    assert "learned" in absent.reason
    assert expert.finish({"words": _words("thanks", "xxxxxx")}).tracks["posterior"].values.shape == (1, 7)


def test_chinese_text_is_declared_absent() -> None:
    expert = TextEmotion()
    expert.start(_context())
    absent = expert.finish({"words": _words("孩子们在门口说话。")}).absent
    assert absent
    assert "Chinese" in absent.reason
