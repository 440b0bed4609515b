"""Small encoders of the real architectures with seeded random weights, in the real format, and a preset that names them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import yaml
from transformers import CLIPConfig, CLIPModel, HubertConfig, HubertModel, VideoMAEConfig, VideoMAEModel

from hero.config import Preset, load_preset

WIDTH, LAYERS, HEADS, SIDE = 384, 4, 6, 224


def build(folder: Path) -> Preset:
    """Write a CLIP, a VideoMAE and a HuBERT of 384 columns and four layers, 224 pixels; the preset with these experts."""
    torch.manual_seed(0)
    trunk = {
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 4 * WIDTH,
    }
    made = {
        "clip": CLIPModel(CLIPConfig(
            vision_config={**trunk, "patch_size": 16, "image_size": SIDE},
            text_config={"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64},
        )),
        "videomae": VideoMAEModel(VideoMAEConfig(**trunk, image_size=SIDE, num_frames=16, use_mean_pooling=True)),
        "hubert": HubertModel(HubertConfig(
            **trunk, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True, num_conv_pos_embeddings=32,
        )),
    }  # fmt: skip
    for name, model in made.items():
        model.save_pretrained(folder / name)
    sound = {"feature_size": 1, "sampling_rate": 16000, "do_normalize": True, "return_attention_mask": True}
    (folder / "hubert" / "preprocessor_config.json").write_text(json.dumps(sound), "utf-8")
    experts = {
        "scene_features": {"model": str(folder / "clip"), "fps": 1, "max_side": 640},
        "motion_features": {"model": str(folder / "videomae"), "fps": 30, "max_side": 640},
        "voice_features": {"model": str(folder / "hubert")},
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({"name": "small", "experts": experts}, sort_keys=False), "utf-8")
    return load_preset(str(path))
