"""Voice emotion: how likely each RAVDESS class is, from one utterance of an unknown speaker.

Weights come from `recipes/heads/voice.py`: regularised linear discriminants and small perceptrons over the vector of
`hero.observe.heads.acoustic`; their scores are added with two factors fitted on held-out actors, which also
calibrates the probabilities. The weights are trained on RAVDESS (CC BY-NC-SA 4.0), so they are not for commercial use.

Letters: N samples, D functionals, C = 8 classes of RAVDESS, U utterances (pieces of long speech).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero import labels, weights
from hero.observe.heads import acoustic, networks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hero.types import ModelUsed

NAME = "voice_emotion"
DATASET = "ravdess"
CLIP = 4.0


def standardise(vectors: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Deviations from the training mean, within +-4; a measure that does not exist (NaN) says nothing, so 0."""
    return np.nan_to_num(np.clip((vectors - mean) / scale, -CLIP, CLIP), nan=0.0).astype(np.float32)


def log_probabilities(vectors: np.ndarray, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Calibrated log probabilities (U, C) of functionals (U, D)."""
    x = standardise(vectors, tensors["mean"], tensors["scale"])
    logits = networks.linear(x, tensors["linear.weight"], tensors["linear.bias"])
    nets = sorted({name.split(".")[1] for name in tensors if name.startswith("net.")})
    if nets:
        votes = [networks.log_softmax(networks.perceptron(x, tensors, f"net.{index}")) for index in nets]
        logits = logits + tensors["net_factor"] * np.mean(votes, axis=0)
    return networks.log_softmax(logits)


@dataclass(frozen=True, eq=False)
class VoiceHead:
    """A trained head: tensors by name, its provenance, the RAVDESS classes, and which common labels it can see (7,)."""

    tensors: Mapping[str, np.ndarray]
    used: ModelUsed
    classes: tuple[str, ...]
    seen: np.ndarray

    @classmethod
    def load(cls, folder: Path | None = None) -> VoiceHead:
        """Read `voice_emotion.safetensors` from `folder`, else from the package.

        Raises:
            WeightsError: the weights are missing or damaged.
        """
        read = weights.read(NAME, folder)
        label_map = labels.mapping(DATASET)
        tensors = {name: np.asarray(value, np.float32) for name, value in read.tensors.items()}
        return cls(tensors, read.used, label_map.sources, label_map.seen)

    def posterior(self, samples: np.ndarray, rate_hz: int = 16_000) -> np.ndarray | None:
        """Probabilities of `classes` (8,) for one voice, any level; None where less than 0.3 s of sound stands out.

        Meant for an utterance of 1 to 8 s; longer speech is heard in equal pieces of at most 6 s whose log
        probabilities are averaged.

        Args:
            samples: mono sound at 16 kHz (N,).

        Raises:
            UsageError: wrong rate or not mono.
            InputError: NaN or infinite samples.
        """
        pieces = acoustic.utterances(samples, rate_hz=rate_hz)
        if not pieces:
            return None
        vectors = np.stack([acoustic.vector(piece) for piece in pieces])  # (U, D)
        log_mean = log_probabilities(vectors, self.tensors).mean(0)
        probs = np.exp(networks.log_softmax(log_mean).astype(np.float64))
        return probs / probs.sum()

    def common(self, samples: np.ndarray, rate_hz: int = 16_000) -> np.ndarray | None:
        """The same on the common labels (7,), calm counted as neutral; None as in `posterior`."""
        probs = self.posterior(samples, rate_hz)
        return None if probs is None else labels.to_common(probs, DATASET)
