"""Spec 1's table of shapes, end to end: real widths and sampling, one layer each, random weights, loaded as any checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from hero.config import Preset
from hero.media.clip import Clip
from hero.nn.connector import SPEC_SIZES, Connector, Connectors
from hero.nn.connector_files import Training
from hero.observe.connect import ConnectorSet, summarise
from hero.observe.encoders.tiny_sound import build_bert
from hero.observe.expert import Context
from hero.observe.stream import observe
from hero.types import ModelUsed

ROOT = Path(__file__).parents[3]
GOLDEN = json.loads((ROOT / "tests/golden/feature_shapes.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """CLIP ViT-L/14, VideoMAE base, HuBERT large and BERT base with one layer each, saved by `save_pretrained`."""
    folder = tmp_path_factory.mktemp("wide")
    torch.manual_seed(0)
    large = {"hidden_size": 1024, "num_hidden_layers": 1, "num_attention_heads": 16, "intermediate_size": 64}
    base = {"hidden_size": 768, "num_hidden_layers": 1, "num_attention_heads": 12, "intermediate_size": 64}
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    vision = {**large, "patch_size": 14, "image_size": 224}
    made = {
        "clip": transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=text)),
        "videomae": transformers.VideoMAEModel(transformers.VideoMAEConfig(**base, image_size=224, num_frames=16)),
        "hubert": transformers.HubertModel(
            transformers.HubertConfig(**large, feat_extract_norm="layer", conv_dim=(32,) * 7, do_stable_layer_norm=True)
        ),
    }
    for name, model in made.items():
        model.save_pretrained(folder / name)
    build_bert(folder / "bert")  # for its vocabulary
    config = transformers.BertConfig.from_pretrained(folder / "bert")
    config.update(base)
    transformers.BertModel(config).save_pretrained(folder / "bert")
    return {name: str(folder / name) for name in (*made, "bert")}


def test_every_encoder_gives_the_shapes_of_the_spec(checkpoints: Mapping[str, str]) -> None:
    preset = Preset("wide", {
        "face": {"fps": 5, "max_side": 320},
        "au": {"source": "mediapipe"},
        "words": {"recognizer": "none"},
        "scene_features": {"model": checkpoints["clip"], "fps": 1, "device": "cpu", "precision": "fp32"},
        "motion_features": {"model": checkpoints["videomae"], "fps": 30, "device": "cpu", "precision": "fp32"},
        "voice_features": {"model": checkpoints["hubert"], "device": "cpu", "precision": "fp32"},
        "words_features": {"model": checkpoints["bert"], "device": "cpu", "precision": "fp32"},
    })  # fmt: skip
    clip = Clip.open(ROOT / "examples/demo.mp4", ROOT / "examples/demo.srt")
    timeline = observe(clip, preset, Context(clip))
    if timeline.observations["face"].absent:
        pytest.skip(f"no face models are at hand: {timeline.observations['face'].absent.reason}")
    assert not timeline.absent
    shapes = {name: list(track.values.shape) for name, track in timeline.tracks.items() if name in GOLDEN}
    assert shapes == {name: shape for name, shape in GOLDEN.items() if "." in name}

    torch.manual_seed(0)
    connectors = Connectors({m: Connector(**sizes, layers=1) for m, sizes in SPEC_SIZES.items()}).eval()
    tensors = summarise(timeline.observations, ConnectorSet(connectors, Training(), ModelUsed("made", "0" * 64, "MIT")))
    assert {modality: list(tensor.values.shape) for modality, tensor in tensors.items()} == GOLDEN["tokens"]
    assert all(tensor.present for tensor in tensors.values())
