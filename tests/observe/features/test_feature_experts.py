"""Experts on encoders: what they send, where the features lie on the clip's clock, and why they may be absent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from observe.features.stand_in import Telling, checkpoint

from hero import checkpoints
from hero.errors import ConfigError, WeightsError
from hero.media.clip import Block, Frame
from hero.observe.encoders.tiny import build
from hero.observe.expert import Context, create
from hero.observe.features import feed
from hero.types import Absence, LabelledSpan, Observation, Span

RATE = 16_000
Install = Callable[[Telling], Telling]


@dataclass
class NoClip:
    video: object = True
    audio: object = True
    duration_s: float = 60.0


@dataclass
class Known:
    """Contexts for an expert under test."""

    settings: dict[str, Any] = field(default_factory=dict)

    def context(self, **more: Any) -> Context:
        return Context(NoClip(), settings=self.settings, **more)  # type: ignore[arg-type]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    def use(encoder: Telling) -> Telling:
        monkeypatch.setattr(feed.checkpoints, "find", lambda name: checkpoint(checkpoints.known(name).kind))
        monkeypatch.setattr(feed, "open_encoder", lambda *_, **__: encoder)
        return encoder

    return use


def frame(number: int, fps: float = 25.0) -> Frame:
    return Frame(number / fps, np.full((4, 6, 3), number % 256, np.uint8))


def observe(
    name: str, pieces: list[Any], earlier: dict[str, Observation] | None = None, **settings: Any
) -> Observation:
    expert = create(name)
    assert expert.start(Known(settings).context()) is None
    for piece in pieces:
        expert.take(piece)
    return expert.finish(earlier or {})


def test_one_scene_vector_per_frame_at_its_time(install: Install) -> None:
    install(Telling("image"))
    seen = observe("scene_features", [frame(n, fps=1.0) for n in range(5)])
    track = seen.tracks["features"]
    assert track.times_s.tolist() == [0, 1, 2, 3, 4]
    assert track.values[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert track.unit == "feature" and track.mask.all()
    assert seen.models[0].name == "stand-in"


@pytest.mark.parametrize(
    ("frames", "windows"),
    [(16, [(0, 15)]), (32, [(0, 15), (16, 31)]), (40, [(0, 15), (16, 31), (24, 39)]), (5, [(0, 4)]), (1, [(0, 0)])],
)
def test_windows_of_sixteen_frames_cover_the_clip(
    install: Install, frames: int, windows: list[tuple[int, int]]
) -> None:
    encoder = install(Telling("video"))
    moved = observe("motion_features", [frame(n) for n in range(frames)])
    assert moved.tracks["features"].values.tolist() == [list(window) for window in windows]
    assert set(encoder.lengths) == {16}
    spans = [item.span for item in moved.spans["windows"]]
    assert spans[0].start_s == 0 and spans[-1].end_s >= (frames - 1) / 25


@pytest.mark.parametrize("seconds", [0.5, 19.9, 20.0, 20.5, 21.0, 22.0, 47.3, 60.0])
@pytest.mark.parametrize("block_s", [1.0, 0.37])
def test_pieces_of_long_sound_join_without_hole_or_double(install: Install, seconds: float, block_s: float) -> None:
    encoder = install(Telling("sound"))
    ramp = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    size = round(block_s * RATE)
    blocks = [Block(2.0 + at / RATE, ramp[at : at + size], RATE) for at in range(0, ramp.size, size)]
    track = observe("voice_features", blocks).tracks["features"]
    whole = Telling("sound").sound(ramp)
    assert track.times_s == pytest.approx(2.0 + whole.at)
    assert track.values == pytest.approx(whole.values, abs=1e-5)
    assert max(encoder.lengths) <= 22 * RATE


def test_tokens_lie_on_their_words(install: Install) -> None:
    install(Telling("words"))
    words = (LabelledSpan(Span(1, 2), "un-believ-able"), LabelledSpan(Span(3, 4), "news"))
    said = Observation("words", "words", spans={"words": words})
    track = observe("words_features", [], {"words": said}).tracks["features"]
    assert track.times_s.tolist() == [1.5, 1.5, 1.5, 3.5]
    assert track.values[:, 0].tolist() == [2, 6, 4, 4]


def test_absent_words_give_their_reason_on(install: Install) -> None:
    install(Telling("words"))
    unsaid = Observation("words", "words", absent=Absence("words", "no transcript"))
    found = observe("words_features", [], {"words": unsaid})
    assert found.absent and found.absent.reason == "no transcript"


@pytest.mark.parametrize("name", ["scene_features", "motion_features", "voice_features"])
def test_a_clip_that_gave_nothing_is_an_absence(install: Install, name: str) -> None:
    install(Telling("image"))
    found = observe(name, [])
    assert found.absent and found.absent.cure


def test_a_forward_pass_that_fails_is_this_experts_absence(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = install(Telling("image"))

    def fail(pieces: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(encoder, "encode", fail)
    with pytest.raises(WeightsError, match=r"no memory.*device=cpu"):
        observe("scene_features", [frame(0)])


def test_a_checkpoint_that_cannot_be_loaded_stops_only_its_own_expert(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(Telling("image"))

    def damaged(*_: object, **__: object) -> None:
        raise WeightsError("the weights are cut short; fetch them again")

    monkeypatch.setattr(feed, "open_encoder", damaged)
    expert = create("scene_features")
    assert expert.start(Known().context()) is None
    expert.take(frame(0))  # the thread that feeds other experts goes on
    with pytest.raises(WeightsError, match="cut short"):
        expert.finish({})


def test_why_an_expert_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed.checkpoints, "find", lambda name, **_: None)
    missing = create("scene_features").start(Known().context())
    assert missing and missing.cure == "hero models fetch clip-vit-large-patch14"
    monkeypatch.setattr(feed.checkpoints, "find", lambda name, **_: checkpoint(licence="CC-BY-NC", commercial=False))
    closed = create("scene_features").start(Known().context(licence="open"))
    assert closed and "--licence open" in closed.reason
    monkeypatch.setattr(feed.util, "find_spec", lambda name: None)
    bare = create("scene_features").start(Known().context())
    assert bare and bare.cure == "pip install 'hero-emotion[model]'"


def test_the_model_may_depend_on_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(feed.checkpoints, "find", lambda name, **_: asked.append(name))
    choice = Known({"model": {"en": "wavlm-large", "zh": "chinese-hubert-large"}})
    create("voice_features").start(choice.context(lang="zh"))
    assert asked == ["chinese-hubert-large"]
    with pytest.raises(ConfigError, match="'en'"):
        create("voice_features").start(Known({"model": {"zh": "chinese"}}).context())


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no setting 'modell'; known: fps, max_side, model"):
        create("scene_features").start(Known({"modell": "x"}).context())


@pytest.mark.parametrize(
    ("expert", "name", "said"),
    [
        (
            "scene_features",
            "hubert-large-ll60k",
            "of kind 'speech_encoder'; scene_features takes clip_vision or siglip_",
        ),
        ("motion_features", "tiny-clip", "of kind 'clip_vision'; motion_features takes videomae, such as videomae"),
        ("voice_features", "openai/clip-vit-large-patch14", "takes speech_encoder or whisper, such as hubert"),
        ("words_features", "whisper-large-v3", "words_features takes bert, such as bert-base-uncased"),
        ("voice_labels", "hubert-large-ll60k", "voice_labels takes audio_classifier"),
    ],
)
def test_a_name_of_another_kind_is_refused_before_it_is_fetched(
    monkeypatch: pytest.MonkeyPatch, expert: str, name: str, said: str
) -> None:
    monkeypatch.setattr(feed.checkpoints, "find", lambda name: pytest.fail("looked for it"))
    with pytest.raises(ConfigError, match=said):
        create(expert).start(Known({"model": name}).context())


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        ("gone", "scene_features: there is no folder"),
        ("file", "is a file, not a folder; name a checkpoint's folder"),
        ("empty", "it has no config.json; name a folder that holds the whole model"),
        ("cut", "is damaged: it has .*; name a folder that holds the whole model"),
        ("bert", "of kind 'bert'; scene_features takes clip_vision or siglip_vision"),
    ],
)
def test_a_folder_that_was_named_and_is_not_usable_stops_the_run(tmp_path: Path, flaw: str, said: str) -> None:
    folder = tmp_path / "mine"
    if flaw == "file":
        folder.write_text("x")
    if flaw == "empty":
        folder.mkdir()
    if flaw in ("cut", "bert"):
        build({"cut": "tiny-clip", "bert": "tiny-bert"}[flaw], folder)
    if flaw == "cut":
        whole = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(ConfigError, match=said) as caught:
        create("scene_features").start(Known({"model": str(folder)}).context())
    assert "fetch" not in str(caught.value)


def test_a_damaged_checkpoint_of_the_catalogue_is_an_absence_with_its_own_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERO_MODELS", str(tmp_path))
    (tmp_path / "clip-vit-large-patch14").mkdir()
    absent = create("scene_features").start(Known().context())
    assert absent and absent.reason.endswith("it has no config.json")
    assert absent.cure.startswith("delete that folder and run `hero models fetch clip-vit-large-patch14`")
