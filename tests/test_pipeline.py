"""The road from a clip to a verdict, on the demo clip, on real clips, and with parts missing."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hero
from hero.config import load_preset
from hero.errors import ConfigError
from hero.observe.stream import shrink
from hero.pipeline import Analysis
from hero.reason.verdict import cited, sentences

DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"
FAST = ("face.fps=8", "motion.fps=4")


def check(analysis: Analysis) -> None:
    """What holds for every answer: sentences cite existing ids, weights are whole, absences have reasons."""
    result = analysis.as_json()
    ids = {row["id"] for row in result["evidence"]}
    assert len(ids) == len(result["evidence"])
    verdict = analysis.verdict
    for text in (verdict.emotion_caption, verdict.reasoning_process):
        for sentence in sentences(text):
            assert set(cited(sentence)) <= ids
            assert cited(sentence) or verdict.abstained, sentence
    assert analysis.support.rate == 1.0
    assert all(row["reason"] for row in result["absent"])
    assert set(analysis.provenance["experts"]) == set(analysis.timeline.observations)
    duration_s = result["clip"]["duration_s"]
    assert all(0 <= row["span"][0] <= row["span"][1] <= duration_s + 1e-3 for row in result["evidence"])
    if analysis.case.posterior is not None:
        assert analysis.case.posterior.sum() == pytest.approx(1)
        assert sum(analysis.case.weights.values()) == pytest.approx(1)
    else:
        assert verdict.abstained


@pytest.fixture(scope="module")
def demo() -> Analysis:
    """The demo clip with its words."""
    return hero.analyze(DEMO, transcript=DEMO.with_suffix(".srt"))


def test_demo_clip(demo: Analysis) -> None:
    check(demo)
    assert demo.case.weights["voice"] > 0
    assert demo.case.weights["words"] > 0
    assert not demo.timeline.observations["words"].absent


def test_two_runs_agree(demo: Analysis) -> None:
    again = hero.analyze(DEMO, transcript=DEMO.with_suffix(".srt"))
    assert again.verdict == demo.verdict
    assert [ev.as_json() for ev in again.timeline] == [ev.as_json() for ev in demo.timeline]


def test_chinese(demo: Analysis) -> None:
    analysis = hero.analyze(DEMO, transcript=DEMO.with_suffix(".srt"), lang="zh", overrides=FAST)
    check(analysis)
    assert any("\u4e00" <= ch <= "\u9fff" for ch in analysis.verdict.reasoning_process)
    assert analysis.verdict.lang == "zh"
    english = [ev.text for ev in analysis.timeline if ev.cue != "utterance" and ev.text.isascii()]
    assert not english


def test_open_licence_leaves_out_restricted_heads() -> None:
    analysis = hero.analyze(DEMO, licence="open", overrides=FAST)
    check(analysis)
    assert all(model["commercial"] for model in analysis.provenance["models"])
    absent = {row.expert: row.reason for row in analysis.timeline.absent}
    assert "licence" in absent["voice_emotion"]
    open_to_all = hero.analyze(DEMO, overrides=FAST)
    assert any(not model["commercial"] for model in open_to_all.provenance["models"])
    assert any("free for commercial use" in note for note in open_to_all.provenance["notes"])


def test_sound_only_names_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    samples = np.concatenate([block.samples for block in hero.Clip.open(DEMO).sound(rate_hz=16_000)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    analysis = hero.analyze(path)
    check(analysis)
    assert {"face", "words"} <= set(analysis.case.missing)
    assert analysis.case.weights["voice"] == pytest.approx(1)
    assert {ev.id[:3] for ev in analysis.case.inferred} == {"IVE", "ITE"}
    absent = {row.expert for row in analysis.timeline.absent}
    assert {"face", "motion", "scene"} <= absent


def test_box_averaging_keeps_the_mean() -> None:
    from hero.media.clip import Frame

    rgb = np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8)
    small = shrink(Frame(0.0, rgb), 50)
    assert small.rgb.shape == (30, 50, 3)
    assert abs(float(small.rgb.mean()) - float(rgb.mean())) < 1
    assert shrink(Frame(0.0, rgb), 200).rgb is rgb


REAL: dict[str, Callable[[Analysis], bool]] = {
    "ravdess_video/01-01-01-01-01-01-01.mp4": lambda a: not a.verdict.abstained and a.case.weights["face"] > 0,
    "grid/bbaf2n.mpg": lambda a: a.case.weights["voice"] > 0,
    "faces/single_face.mp4": lambda a: not a.timeline.observations["face"].absent,
    "faces/no_face.mp4": lambda a: "face" in a.case.missing,
    "faces/face_noface.mov": lambda a: any("%" in ev.text for ev in a.timeline if ev.modality == "face"),
    "faces/silent_short.mp4": lambda a: "voice" in a.case.missing and a.case.weights["voice"] == 0,
}


@pytest.mark.parametrize("name", REAL)
def test_real_clips(name: str, hero_data: Path) -> None:
    analysis = hero.analyze(hero_data / name, overrides=FAST)
    check(analysis)
    assert REAL[name](analysis)


def test_a_reasoner_can_be_named() -> None:
    named = hero.analyze(DEMO, overrides=FAST, reasoner="adjudicator")
    assert named.provenance["reasoner"] == "adjudicator"
    with pytest.raises(ConfigError, match="no reasoner is called 'oracle'"):
        hero.analyze(DEMO, reasoner="oracle")
    with pytest.raises(ConfigError, match="ready-made preset"):
        hero.analyze(DEMO, preset=load_preset("embedded"), reasoner="remote")
