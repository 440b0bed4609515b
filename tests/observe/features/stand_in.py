"""An encoder whose features tell what it was given, in place of a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hero.checkpoints import Checkpoint
from hero.observe.encoders.encoder import Features
from hero.types import ModelUsed

STEP = 320  # samples at 16 kHz


class Telling:
    """Pictures: mean colour and count. Sound: the mean of each 20 ms. Words: their length."""

    dim, batch = 2, 4

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.piece_frames = {"image": 1, "video": 16}.get(kind, 0)
        self.used = ModelUsed(f"telling {kind} {id(self)}", "a" * 64, "MIT")
        self.lengths: list[int] = []

    def prepare(self, raw: Any) -> Any:
        return raw

    def encode(self, pieces: Sequence[Any]) -> list[Features]:
        self.lengths += [len(piece) for piece in pieces]
        return [getattr(self, self.kind)(piece) for piece in pieces]

    def image(self, rgb: np.ndarray) -> Features:
        return Features(np.array([[rgb.mean(), rgb.shape[0]]], np.float32), np.zeros(1))

    def video(self, frames: list[np.ndarray]) -> Features:
        first, last = frames[0].mean(), frames[-1].mean()
        return Features(np.array([[first, last]], np.float32), np.zeros(1))

    def sound(self, samples: np.ndarray) -> Features:
        steps = len(samples) // STEP
        means = samples[: steps * STEP].reshape(steps, STEP).mean(axis=1)
        at = (np.arange(steps) + 0.5) * STEP / 16_000
        return Features(np.stack([means, np.ones(steps)], axis=1).astype(np.float32), at)

    def words(self, words: list[str]) -> Features:
        tokens = [(number, len(part)) for number, word in enumerate(words) for part in word.split("-")]
        values = np.array([[length, number] for number, length in tokens], np.float32).reshape(-1, 2)
        return Features(values, np.array([number for number, _ in tokens], np.float64))


def checkpoint(kind: str = "clip_vision", *, licence: str = "MIT", commercial: bool = True) -> Checkpoint:
    """A checkpoint that is nowhere."""
    return Checkpoint("stand-in", kind, Path("nowhere"), "", licence, commercial, "a" * 64)
