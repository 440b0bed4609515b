"""HERO models of a few thousand weights, batches of text and feeds for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hero.hero_model import HeroModel, Lora, feeds_of
from hero.nn.integration import Feed
from hero.types import Track

FAMILIES = ("tiny-qwen2", "tiny-qwen3", "tiny-llama")
PARTS: dict[Any, dict[str, Any]] = {  # an order that no sorting gives
    "voice": {"dim_in": 6, "queries": 4},
    "face": {"dim_in": 35, "queries": 2, "projection": "action_units"},
    "synergy": {"dim_in": 3, "queries": 2},
    "motion": {"dim_in": 5, "queries": 2},
}
SIZES: dict[str, Any] = {"parts": PARTS, "dim": 16, "heads": 2, "layers": 1, "queries": 4}
TEXTS = ("The voice is low.", "Brows lowered; 他说话很慢 and the mouth is shut.", "He smiles")


def tiny_hero(
    bases: Path, family: str = "tiny-qwen2", *, seed: int = 0, lora: Lora | None = None, **sizes: Any
) -> HeroModel:
    """A fresh model; adapters, if any, are not zero."""
    torch.manual_seed(seed)
    model = HeroModel.from_base(bases / family, integration={**SIZES, **sizes}, lora=lora, device="cpu")
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_B" in name:  # fresh adapters change nothing
                value.normal_(std=0.2)
    return model


def track(steps: int, columns: int, *, seed: int = 0, rate_hz: float = 10.0) -> Track:
    """A track of random numbers, all of it measured."""
    values = np.random.default_rng(seed).normal(size=(steps, columns))
    return Track("features", values, np.arange(steps) / rate_hz, np.ones((steps, columns), bool), tuple("x" * columns))


def clips() -> list[Mapping[Any, Track]]:
    """Three clips: all modalities, two of them, and nothing."""
    whole = {name: track(4 + place, sizes["dim_in"], seed=place) for place, (name, sizes) in enumerate(PARTS.items())}
    return [whole, {"voice": track(9, 6, seed=8), "motion": track(3, 5, seed=9)}, {}]


def batch(model: HeroModel, texts: Sequence[str] = TEXTS, *, side: str = "right") -> dict[str, Any]:
    """Token ids and mask of the texts, and the feeds of as many clips."""
    tokens = model.tokenizer(list(texts), padding=True, padding_side=side, return_tensors="pt")
    feeds = feeds_of(clips()[: len(texts)], model.integration).feeds if model.integration else None
    return {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"], "feeds": feeds}


def only(feeds: Mapping[Any, Feed], row: int) -> dict[Any, Feed]:
    """The feeds of one clip."""
    return {name: Feed(*(part[row : row + 1] for part in feed)) for name, feed in feeds.items()}
