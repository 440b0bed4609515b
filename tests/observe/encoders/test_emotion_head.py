"""Emotion heads: labels to the common ones, batches, and the expert `voice_labels` on made clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hero.checkpoints import Checkpoint
from hero.errors import ConfigError, WeightsError
from hero.labels import LABELS
from hero.media.clip import Block
from hero.observe.encoders.emotion_head import label_map_of, to_common
from hero.observe.expert import Context
from hero.types import LabelledSpan, Observation, Span

torch = pytest.importorskip("torch")
hub = pytest.importorskip("transformers")

from hero.observe.encoders import tiny_sound
from hero.observe.encoders.emotion_head import EmotionHead, load_emotion_head
from hero.observe.features.labels import VoiceLabels

RATE_HZ = 16_000
SUPERB = ("neu", "hap", "ang", "sad")


def made(folder: Path, labels: tuple[str, ...], **design: Any) -> Path:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    config = hub.HubertConfig(
        hidden_size=32, num_attention_heads=2, intermediate_size=48, conv_dim=(16,) * 7, num_hidden_layers=2,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, classifier_proj_size=16, initializer_range=0.2,
        feat_extract_norm="layer", do_stable_layer_norm=True, use_weighted_layer_sum=True,
        id2label=dict(enumerate(labels)), label2id={label: k for k, label in enumerate(labels)}, **design,
    )  # fmt: skip
    hub.HubertForSequenceClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"do_normalize": true, "sampling_rate": 16000}', "utf-8")
    return folder


def load(folder: Path) -> EmotionHead:
    own = Checkpoint("made", "audio_classifier", folder, "", "MIT", True, "0" * 64)
    return load_emotion_head(own, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def superb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("heads") / "superb", SUPERB)


class MadeClip:
    """Ten seconds of noise."""

    transcript = None
    duration_s = 10.0

    def __init__(self, *, audio: bool = True) -> None:
        self.audio = SimpleNamespace(rate_hz=RATE_HZ) if audio else None

    def sound(self, rate_hz: int = RATE_HZ, block_s: float = 1.0) -> Iterator[Block]:
        for k in range(10):
            samples = np.random.default_rng(k).normal(0, 0.1, rate_hz).astype(np.float32)
            yield Block(float(k), samples, rate_hz)


def context(folder: Path | str, *, clip: MadeClip | None = None, **more: Any) -> Context:
    settings = {"model": str(folder), "device": "cpu", "precision": "fp32", **more.pop("settings", {})}
    return Context(clip or MadeClip(), settings=settings, **more)  # type: ignore[arg-type]


SPEECH = tuple(LabelledSpan(Span(a, b), "speech") for a, b in ((1.0, 3.0), (6.0, 9.0)))
VOICE = {"voice": Observation("voice", "voice", spans={"speech": SPEECH})}


def test_labels_find_their_common_ones() -> None:
    found = label_map_of("made", {"0": "Neutral", "1": "生气/angry", "2": "frustrated", "3": "HAP", "4": "LABEL_4"})
    assert list(found.classes.values()) == ["neutral", "angry", None, "happy", None]
    assert found.seen.tolist() == [True, False, False, True, False, False, True]
    assert to_common(np.array([0.2, 0.3, 0.4, 0.1, 0.0]), found) == pytest.approx([1 / 2, 0, 0, 1 / 6, 0, 0, 1 / 3])
    assert to_common(np.array([0.0, 0, 1, 0, 0]), found) is None
    with pytest.raises(WeightsError, match="id2label"):
        label_map_of("made", {0: "sad", 2: "angry"})
    with pytest.raises(WeightsError, match="each once"):
        label_map_of("made", {0: "sad", 1: "sad"})


def test_a_batch_equals_single_sounds_and_short_ones_have_none(superb: Path) -> None:
    head = load(superb)
    sounds = [np.random.default_rng(k).normal(0, 0.1, n).astype(np.float32) for k, n in enumerate((16000, 15500, 100))]
    batch = head.probabilities(sounds)
    single = [head.probabilities([sound])[0] for sound in sounds]
    assert batch[2] is None and single[2] is None
    for a, b in zip(batch[:2], single[:2], strict=True):
        assert a is not None and a == pytest.approx(b, abs=1e-5) and a.sum() == pytest.approx(1)


def test_posteriors_on_the_common_labels(superb: Path) -> None:
    expert = VoiceLabels()
    assert expert.start(context(superb)) is None
    found = expert.finish(VOICE)
    track = found.tracks["posterior"]
    assert found.absent is None and not found.evidence and track.columns == LABELS
    assert len(track.times_s) == len(found.spans["windows"]) == 2
    assert track.values.sum(1) == pytest.approx([1, 1], abs=1e-5)
    assert track.mask[0].tolist() == [label in {"neutral", "happy", "angry", "sad"} for label in LABELS]
    assert "disgust, fear, surprise" in found.notes[0] and found.models[0].name == "superb"
    assert expert.identity.startswith(found.models[0].sha256)


def test_labels_of_another_kind_are_noted_or_end_in_an_absence(tmp_path: Path) -> None:
    expert = VoiceLabels()
    assert expert.start(context(made(tmp_path / "mixed", ("angry", "bored", "sad", "tired")))) is None
    found = expert.finish(VOICE)
    assert "bored, tired" in found.notes[0] and found.tracks["posterior"].values.sum(1) == pytest.approx(
        [1, 1], abs=1e-5
    )
    other = VoiceLabels()
    assert other.start(context(made(tmp_path / "genres", ("jazz", "rock")))) is None
    absent = other.finish(VOICE).absent
    assert absent is not None and "jazz, rock" in absent.reason and "neutral" in absent.cure


def test_absences_and_wrong_settings(tmp_path: Path, superb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HERO_CACHE", str(tmp_path))
    missing = VoiceLabels().start(context("hubert-large-superb-er"))
    assert missing is not None and missing.cure == "hero models fetch hubert-large-superb-er"
    silent = VoiceLabels().start(context(superb, clip=MadeClip(audio=False)))
    assert silent is not None and "no sound" in silent.reason
    with pytest.raises(ConfigError, match="no setting 'modell'"):
        VoiceLabels().start(context(superb, settings={"modell": "x"}))
    expert = VoiceLabels()
    assert expert.start(context(superb)) is None
    for earlier in ({}, {"voice": Observation("voice", "voice")}):
        assert expert.finish(earlier).absent is not None


def test_a_speech_encoder_without_a_head_is_refused(tmp_path: Path) -> None:
    tiny_sound.build_hubert(tmp_path)
    with pytest.raises(WeightsError, match="classifier"):
        load(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "bert"}), "utf-8")
    with pytest.raises(WeightsError, match="type 'bert'"):
        load(tmp_path)
