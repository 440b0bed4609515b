"""Seeded random checkpoints of every encoder and language model, in the real layout and a few hundred kilobytes each.

They are written by `save_pretrained` and read by the same code that reads the published ones, so that tests and the
`tiny` preset need no network. What they say about a clip means nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hero.errors import ConfigError
from hero.observe.encoders import tiny_sound
from hero.observe.encoders.picture import CLIP_MEAN, CLIP_SPREAD, HALF, IMAGENET_MEAN, IMAGENET_SPREAD, Colour
from hero.pretrained.loading import libraries
from hero.pretrained.random_folder import Builder, put_random
from hero.pretrained.tiny_language import LANGUAGE_MODELS

SIDE_PX = 32
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
PICTURE = {"image_size": SIDE_PX, "patch_size": 8}
WINDOW = {"image_size": SIDE_PX, "patch_size": 16, "num_frames": 16, "tubelet_size": 2}


def build(name: str, folder: Path, *, seed: int = 0) -> Path:
    """Write the tiny checkpoint `name` to `folder`, all of it or nothing; a folder that is there stays as it is.

    Raises:
        ConfigError: no tiny checkpoint has that name.
        OutputError: the folder cannot be written.
        WeightsError: torch or transformers is missing.
    """
    if name not in TINY:
        raise ConfigError(f"no tiny checkpoint is called '{name}'; known: {', '.join(TINY)}; correct the name")
    return put_random(name, folder, TINY[name], seed=seed)


def build_clip(folder: Path, seed: int = 0) -> None:
    """A whole CLIP with a byte tokenizer: pictures of 32 pixels, D = 32."""
    torch, hub = libraries()
    tokens = _byte_tokens()
    end = len(tokens) - 1
    words = {**SIZES, "vocab_size": len(tokens), "max_position_embeddings": 77}
    words |= {"bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end}
    torch.manual_seed(seed)
    config = hub.CLIPConfig(text_config=words, vision_config={**SIZES, **PICTURE}, projection_dim=16)
    hub.CLIPModel(config).save_pretrained(folder)
    hub.CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[]).save_pretrained(folder)
    _processor(folder, "CLIPImageProcessor", CLIP_MEAN, CLIP_SPREAD, resample=3, cut=True)


def build_siglip(folder: Path, seed: int = 0) -> None:
    """A whole SigLIP without a tokenizer: pictures of 32 pixels, D = 32."""
    torch, hub = libraries()
    torch.manual_seed(seed)
    words = {**SIZES, "vocab_size": 64, "bos_token_id": 61, "eos_token_id": 62, "pad_token_id": 63}
    hub.SiglipModel(hub.SiglipConfig(text_config=words, vision_config={**SIZES, **PICTURE})).save_pretrained(folder)
    _processor(folder, "SiglipImageProcessor", HALF, HALF, resample=3, cut=False)


def build_videomae(folder: Path, seed: int = 0) -> None:
    """A VideoMAE of the first version: windows of 16 frames of 32 pixels, D = 32."""
    torch, hub = libraries()
    torch.manual_seed(seed)
    hub.VideoMAEModel(hub.VideoMAEConfig(**SIZES, **WINDOW)).save_pretrained(folder)
    _processor(folder, "VideoMAEImageProcessor", IMAGENET_MEAN, IMAGENET_SPREAD, resample=2, cut=True)


def _processor(folder: Path, name: str, mean: Colour, spread: Colour, *, resample: int, cut: bool) -> None:
    """The processor's file as the published checkpoints have it."""
    whole = {"height": SIDE_PX, "width": SIDE_PX}
    lines: dict[str, Any] = {
        "image_processor_type": name,
        "do_resize": True,
        "size": {"shortest_edge": SIDE_PX} if cut else whole,
        "resample": resample,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": spread,
    }
    if cut:
        lines |= {"do_center_crop": True, "crop_size": whole}
    (folder / "preprocessor_config.json").write_text(json.dumps(lines, indent=2) + "\n", "utf-8")


def _byte_tokens() -> list[str]:
    """A vocabulary of single bytes, inside and at the end of a word, and the two marks of CLIP."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    return [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]


TINY: dict[str, Builder] = {
    "tiny-clip": build_clip,
    "tiny-siglip": build_siglip,
    "tiny-videomae": build_videomae,
    "tiny-hubert": tiny_sound.build_hubert,
    "tiny-distilhubert": tiny_sound.build_distilhubert,
    "tiny-whisper": tiny_sound.build_whisper,
    "tiny-bert": tiny_sound.build_bert,
    **LANGUAGE_MODELS,
}
"""Builders by the name that a preset uses."""
