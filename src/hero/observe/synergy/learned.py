"""The synergy model without PyTorch: `hero.nn.cross_modal` in NumPy on the shipped weights, over sliding windows.

Track `features` (T, D) on the common axis, 25 a second: each moment's mean over the windows that hold it. Track `belongs`:
probability that sound and picture of the last window belong together, stamped at the window's end. Trained by
`recipes/synergy.py`; a test holds this forward pass against the PyTorch model.

Legend of shapes: W windows, T frames, K rows of a track, Dm and Da columns of picture and sound, D width, H heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero import weights
from hero.errors import WeightsError
from hero.observe.synergy.axis import AUDIO_COLUMNS, MOTION_COLUMNS, resample
from hero.types import Track

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hero.types import ModelUsed

NAME = "synergy"
STEP_S = 0.04
HOP_S = 0.48
CHUNK = 64  # windows at a time: memory does not grow with the clip
AUDIBLE_S = 0.4
"""Sound above the middle of its range that a window needs before it is judged."""
AUDIBLE = 0.0
SLOWEST_S = 0.12
"""Lips seen less often than this do not tell syllables apart; the model was trained on 20 frames a second."""
SMALL = 1e-5  # of PyTorch's LayerNorm


@dataclass(frozen=True, eq=False)
class SynergyModel:
    """Trained weights with what they need to be used: window length, heads, and the logit's scale and shift.

    `sides` names the tracks (`expert.track`) that are read, picture then sound; None for the embedded experts' measures,
    which are judged only where lips are seen often enough and something sounds.
    """

    tensors: Mapping[str, NDArray[np.float32]]
    used: ModelUsed
    window_s: float
    heads: int
    scale: float
    shift: float
    sides: tuple[str, str] | None = None

    @classmethod
    def load(cls, folder: Path | None = None) -> SynergyModel:
        """Read `synergy.safetensors` from `folder`, else from the package.

        Raises:
            WeightsError: the weights are missing, damaged, or not for these columns.
        """
        read = weights.read(NAME, folder)
        sides = tuple(read.card.get(key, "") for key in ("motion", "audio"))
        named = (sides[0], sides[1]) if all(isinstance(side, str) and "." in side for side in sides) else None
        if named is None and [list(side) for side in sides] != [list(MOTION_COLUMNS), list(AUDIO_COLUMNS)]:
            raise WeightsError(
                f"weights '{NAME}' read the columns {sides}, this version has {[MOTION_COLUMNS, AUDIO_COLUMNS]}; "
                "reinstall hero or train them again (recipes/synergy.py)"
            )
        tensors = {name: np.asarray(value, np.float32) for name, value in read.tensors.items()}
        setting = {key: float(read.card[key]) for key in ("window_s", "heads", "scale", "shift")}
        heads = int(setting["heads"])
        return cls(tensors, read.used, setting["window_s"], heads, setting["scale"], setting["shift"], named)

    @property
    def dims(self) -> tuple[int, int]:
        """Columns of picture and sound that the model reads (values and their steps come in together)."""
        picture, sound = (self.tensors[f"{side}.linear.weight"].shape[1] // 2 for side in ("motion", "audio"))
        return picture, sound

    def tracks(self, motion: Track, audio: Track) -> tuple[Track, Track] | None:
        """Tracks `features` and `belongs` of two normalised sides; None for a clip shorter than a window or lips seen rarely.

        Windows in which the lips were hidden for more than half of the time or hardly anything sounds are masked.
        """
        if min(motion.times_s.size, audio.times_s.size) < 2:
            return None
        if self.sides is None and np.median(np.diff(motion.times_s)) > SLOWEST_S:
            return None
        first_s = max(motion.times_s[0], audio.times_s[0])
        last_s = min(motion.times_s[-1], audio.times_s[-1])
        count, width = int((last_s - first_s) / STEP_S + 1e-6), round(self.window_s / STEP_S)
        if count < width:
            return None
        times_s = first_s + (np.arange(count) + 0.5) * STEP_S
        lips, seen = _known(motion, times_s)
        sound, heard = _known(audio, times_s)
        starts = np.unique(np.append(np.arange(0, count - width + 1, round(HOP_S / STEP_S)), count - width))
        at = starts[:, None] + np.arange(width)  # (W, T)
        features, logit = self._slide(lips, seen, sound, heard, at)
        usable = seen[at].mean(axis=1) >= 0.5
        if self.sides is None:
            usable &= (sound[at, 0] > AUDIBLE).sum(axis=1) * STEP_S >= AUDIBLE_S
        chance = 1 / (1 + np.exp(-np.clip(self.scale * logit + self.shift, -50, 50)))
        names = tuple(f"s{n:02d}" for n in range(features.shape[1]))
        return (
            Track("features", features, times_s, seen & heard, names, "1"),
            Track("belongs", chance, times_s[at[:, -1]] + STEP_S / 2, usable, ("probability",), "1"),
        )

    def _slide(
        self, lips: NDArray[np.float32], seen: NDArray[np.bool_], sound: NDArray[np.float32], heard: NDArray[np.bool_],
        at: NDArray[np.int_],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # fmt: skip
        """Features (T, D), the mean over the windows (W, width) of frames `at`, and logits (W,)."""
        total, times, logits = np.zeros((len(lips), 0), np.float32), np.zeros(len(lips)), []
        for chunk in (at[k : k + CHUNK] for k in range(0, len(at), CHUNK)):
            features, logit = forward(
                self.tensors, lips[chunk], seen[chunk], sound[chunk], heard[chunk], heads=self.heads
            )
            total = total if total.shape[1] else np.zeros((len(lips), features.shape[2]), np.float32)
            np.add.at(total, chunk, features)
            np.add.at(times, chunk, 1)
            logits.append(logit)
        return np.asarray(total / np.maximum(times, 1)[:, None], np.float32), np.concatenate(logits)


def _known(track: Track, times_s: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values (T, D) and whether all columns were measured (T,)."""
    values, mask = resample(track, times_s)
    return values, np.asarray(mask.all(axis=1), bool)


def forward(
    tensors: Mapping[str, NDArray[np.float32]], motion: NDArray[np.float32], motion_mask: NDArray[np.bool_],
    audio: NDArray[np.float32], audio_mask: NDArray[np.bool_], *, heads: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # fmt: skip
    """Features (W, T, D) and logits (W,) of motion (W, T, Dm), audio (W, T, Da) and their masks (W, T)."""
    net = _Net(tensors, heads)
    x, y = net.embed("motion", motion, motion_mask), net.embed("audio", audio, audio_mask)
    layers = sorted({name.split(".")[1] for name in tensors if name.startswith("layers.")}, key=int)
    for layer in layers:
        x, y = net.layer(f"layers.{layer}", x, motion_mask, y, audio_mask)
    both = (motion_mask & audio_mask)[..., None].astype(np.float32)
    features = net.norm("norm", gelu(net.linear("join", np.concatenate([x, y, x * y], axis=-1)))) * both
    pooled = features.sum(1) / np.maximum(both.sum(1), 1.0)
    return features, net.linear("verdict", pooled)[:, 0]


def gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaussian error linear unit in its tanh form (Hendrycks & Gimpel 2016)."""
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), np.float32)


@dataclass(frozen=True, eq=False)
class _Net:
    """The blocks of `hero.nn.cross_modal` by the names of their weights."""

    tensors: Mapping[str, NDArray[np.float32]]
    heads: int

    def linear(self, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def norm(self, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + SMALL)
        return np.asarray(scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"], np.float32)

    def embed(self, name: str, values: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        known = mask[..., None].astype(np.float32)
        values = np.where(mask[..., None], values, 0).astype(np.float32)
        steps = np.zeros_like(values)
        steps[:, 1:] = (values[:, 1:] - values[:, :-1]) * known[:, 1:] * known[:, :-1]
        x = self.linear(f"{name}.linear", np.concatenate([values, steps], axis=-1)) * known
        taps = self.tensors[f"{name}.near.weight"][:, 0]  # (D, kernel)
        half = taps.shape[1] // 2
        padded = np.pad(x, ((0, 0), (half, half), (0, 0)))
        near = sum(padded[:, k : k + x.shape[1]] * taps[:, k] for k in range(taps.shape[1]))
        x = x + gelu(near + self.tensors[f"{name}.near.bias"])
        return self.norm(f"{name}.norm", x) * known

    def layer(
        self,
        name: str,
        x: NDArray[np.float32],
        x_mask: NDArray[np.bool_],
        y: NDArray[np.float32],
        y_mask: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        x_known, y_known = x_mask[..., None].astype(np.float32), y_mask[..., None].astype(np.float32)
        seen = x + self.attend(f"{name}.to_sound", x, y, y_mask)
        heard = y + self.attend(f"{name}.to_picture", y, x, x_mask)
        product = self.linear(f"{name}.point_x", seen) * self.linear(f"{name}.point_y", heard) * x_known * y_known
        seen, heard = seen + self.linear(f"{name}.take_x", product), heard + self.linear(f"{name}.take_y", product)
        return self.feed(f"{name}.feed_x", seen) * x_known, self.feed(f"{name}.feed_y", heard) * y_known

    def attend(
        self, name: str, x: NDArray[np.float32], y: NDArray[np.float32], y_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        batch, size, dim = x.shape
        told = self.norm(f"{name}.tell", y)

        def split(z: NDArray[np.float32]) -> NDArray[np.float32]:
            return z.reshape(batch, size, self.heads, dim // self.heads).transpose(0, 2, 1, 3)  # (W, H, T, D / H)

        q = split(self.linear(f"{name}.query", self.norm(f"{name}.ask", x)))
        k, v = split(self.linear(f"{name}.key", told)), split(self.linear(f"{name}.value", told))
        bias = self.tensors[f"{name}.bias"]  # (H, 2 reach + 1)
        reach, place = bias.shape[1] // 2, np.arange(size)
        apart = np.clip(place[None] - place[:, None], -reach, reach) + reach  # (T, T)
        score = q @ k.transpose(0, 1, 3, 2) / np.sqrt(np.float32(dim // self.heads)) + bias[:, apart]
        known = y_mask[:, None, None]
        score = np.where(known, score, np.float32(-1e4))
        weight = np.exp(score - score.max(-1, keepdims=True))
        weight = weight / weight.sum(-1, keepdims=True) * known
        return self.linear(f"{name}.out", (weight @ v).transpose(0, 2, 1, 3).reshape(batch, size, dim))

    def feed(self, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return x + self.linear(f"{name}.narrow", gelu(self.linear(f"{name}.wide", self.norm(f"{name}.norm", x))))
