"""Fit and judge the synergy expert's cross-modal transformer on squares of pairs (`hero.data.sync_pairs`).

The loss is the logistic loss of each pair plus that of each square's right pairs against its wrong ones. `blind` trains a
control that sees one side only: the other is replaced by zeros, in training and in use.
Legend of shapes: B pairs (4 per square), T frames.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from hero.data.sync_pairs import Batch, Pair, Rule, Sides, draw, shifted, stack
from hero.nn.cross_modal import CrossModalTransformer

Blind = Literal["", "picture", "sound"]


@dataclass(frozen=True)
class Fit:
    """How a model is trained; lines of `recipes/synergy/*.yaml`."""

    dim: int = 32
    layers: int = 2
    heads: int = 4
    reach: int = 12
    kernel: int = 5
    dropout: float = 0.1
    window_s: float = 2.0
    shift_least_s: float = 0.2
    shift_most_s: float = 1.0
    swaps: float = 0.3
    jitter_s: float = 0.04
    squares: int = 16
    steps: int = 600
    learning_rate: float = 0.002
    weight_decay: float = 0.02
    tune_steps: int = 60
    tune_learning_rate: float = 0.0007
    real_share: float = 0.7
    hide: float = 0.15
    noise: float = 0.15

    @property
    def rule(self) -> Rule:
        """How pairs are drawn."""
        return Rule(self.window_s, (self.shift_least_s, self.shift_most_s), self.swaps, self.jitter_s)


def build(fit: Fit, motion_dim: int, audio_dim: int, seed: int) -> CrossModalTransformer:
    """A model with fresh weights."""
    torch.manual_seed(seed)
    return CrossModalTransformer(
        motion_dim=motion_dim, audio_dim=audio_dim, dim=fit.dim, layers=fit.layers, heads=fit.heads, reach=fit.reach,
        kernel=fit.kernel, dropout=fit.dropout,
    )  # fmt: skip


def train(
    model: CrossModalTransformer, clips: Sequence[Sides], fit: Fit, *, steps: int, rate: float, seed: int,
    chances: Sequence[float] | None = None, blind: Blind = "", tell: int = 0,
) -> CrossModalTransformer:  # fmt: skip
    """The model after `steps` batches; its last quarter is averaged (Izmailov et al. 2018)."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=fit.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps, pct_start=0.15)
    kept, count, running = None, 0, 0.0
    model.train()
    for step in range(steps):
        pairs = [pair for _ in range(fit.squares) for pair in draw(clips, rng, fit.rule, chances)]
        batch = disturb(stack(clips, pairs, window_s=fit.window_s), fit, rng)
        loss = loss_of(logits(model, batch, blind), torch.from_numpy(batch.belongs))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        running = 0.98 * running + 0.02 * float(loss.detach()) if step else float(loss.detach())
        if tell and step % tell == tell - 1:
            print(f"step {step + 1}: loss {running:.3f}", flush=True)
        if step >= 0.75 * steps:
            now = {name: value.detach().clone() for name, value in model.state_dict().items()}
            kept = now if kept is None else {n: v + (now[n] - v) / (count + 1) for n, v in kept.items()}
            count += 1
    if kept is not None:
        model.load_state_dict(kept)
    return model.eval()


def loss_of(scores: Tensor, belongs: Tensor) -> Tensor:
    """Loss of scores (B,) whose pairs come in squares of right, right, wrong, wrong."""
    corners = scores.view(-1, 4)
    apart = corners[:, :2].sum(1) - corners[:, 2:].sum(1)
    return binary_cross_entropy_with_logits(scores, belongs) + 0.5 * softplus(-apart).mean()


def logits(model: CrossModalTransformer, batch: Batch, blind: Blind = "") -> Tensor:
    """Logits (B,) of a batch."""
    motion, audio = torch.from_numpy(batch.motion), torch.from_numpy(batch.audio)
    seen, heard = torch.from_numpy(batch.motion_mask), torch.from_numpy(batch.audio_mask)
    if blind == "picture":
        motion, seen = torch.zeros_like(motion), torch.ones_like(seen)
    elif blind == "sound":
        audio, heard = torch.zeros_like(audio), torch.ones_like(heard)
    return model(motion, seen, audio, heard)[1]


def disturb(batch: Batch, fit: Fit, rng: np.random.Generator) -> Batch:
    """Gain, noise and hidden stretches, the same for the two pairs of a square that share a picture or a sound."""
    squares, size = len(batch.belongs) // 4, batch.motion.shape[1]

    def place(kind: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
        return np.concatenate([kind[2 * n + np.array(order)] for n in range(squares)])

    gains = np.exp(rng.normal(0, 0.2, (2 * squares, 1, batch.motion.shape[2]))).astype(np.float32)
    rough = rng.normal(0, fit.noise, (2 * squares, *batch.motion.shape[1:])).astype(np.float32)
    level = rng.normal(0, 0.1, (2 * squares, 1, batch.audio.shape[2])).astype(np.float32)
    at, long = rng.integers(0, size, 2 * squares), rng.integers(3, 11, 2 * squares)
    hidden = (rng.uniform(size=2 * squares) < fit.hide)[:, None] & _between(at, at + long, size)
    seen, heard = (0, 1, 0, 1), (0, 1, 1, 0)  # of (a, a), (b, b), (a, b), (b, a)
    return replace(
        batch, motion=batch.motion * place(gains, seen) + place(rough, seen), audio=batch.audio + place(level, heard),
        motion_mask=batch.motion_mask & ~place(hidden, seen),
    )  # fmt: skip


def _between(first: np.ndarray, last: np.ndarray, size: int) -> np.ndarray:
    place = np.arange(size)
    return (place >= first[:, None]) & (place < last[:, None])


@dataclass(frozen=True, eq=False)
class Judged:
    """Test pairs of one shift with their scores, and for each the clip it is cut from."""

    pairs: list[Pair]
    scores: np.ndarray

    def auc(self, of: np.ndarray | None = None) -> float:
        """Area under the ROC curve of right pairs against wrong ones, each pair weighing `of` (B,)."""
        return auc(self.scores, np.array([p.belongs for p in self.pairs]), of)


def auc(scores: np.ndarray, belongs: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Weighted share of (right, wrong) pairs in the right order, ties half."""
    weights = np.ones(len(scores)) if weights is None else weights
    right, wrong = belongs.astype(bool), ~belongs.astype(bool)
    order = (scores[right][:, None] > scores[wrong][None]) + 0.5 * (scores[right][:, None] == scores[wrong][None])
    both = weights[right][:, None] * weights[wrong][None]
    return float((order * both).sum() / both.sum())


def score(
    model: CrossModalTransformer, clips: Sequence[Sides], pairs: Sequence[Pair], fit: Fit, blind: Blind = ""
) -> np.ndarray:
    """Logits (B,) of any number of pairs."""
    with torch.inference_mode():
        parts = [
            logits(model, stack(clips, pairs[k : k + 256], window_s=fit.window_s), blind).numpy()
            for k in range(0, len(pairs), 256)
        ]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def judge(
    model: CrossModalTransformer, clips: Sequence[Sides], fit: Fit, *, shift_s: float = 0.5, blind: Blind = ""
) -> Judged:
    """All squares of all clips at one shift, and what the model makes of them."""
    pairs = shifted_pairs(clips, fit, shift_s)
    return Judged(pairs, score(model, clips, pairs, fit, blind))


def shifted_pairs(clips: Sequence[Sides], fit: Fit, shift_s: float) -> list[Pair]:
    """All squares of all clips at one shift."""
    return [pair for n, clip in enumerate(clips) for pair in shifted(clip, n, shift_s=shift_s, window_s=fit.window_s)]


def tuned(
    model: CrossModalTransformer,
    real: Sequence[Sides],
    made: Sequence[Sides],
    fit: Fit,
    *,
    seed: int,
    blind: Blind = "",
) -> CrossModalTransformer:
    """A copy that has also seen real clips, portraits still among them."""
    share = fit.real_share if made else 1.0
    chances = [share / len(real)] * len(real) + [(1 - share) / max(1, len(made))] * len(made)
    return train(copy.deepcopy(model), [*real, *made], fit, steps=fit.tune_steps, rate=fit.tune_learning_rate, seed=seed,
                 chances=chances, blind=blind)  # fmt: skip


def out_of_fold(
    model: CrossModalTransformer, real: Sequence[Sides], made: Sequence[Sides], fit: Fit, *, seed: int,
    folds: int | None = None, shifts_s: Sequence[float] = (0.5,), blind: Blind = "",
) -> Judged:  # fmt: skip
    """Every real clip judged by a model tuned without its speaker; `folds` None leaves out one speaker at a time.

    The squares of all shifts follow each other.
    """
    speakers = sorted({sides.speaker for sides in real})
    order = np.random.default_rng(seed).permutation(len(speakers))
    groups = np.array_split(order, min(folds or len(speakers), len(speakers)))
    pairs = [pair for shift_s in shifts_s for pair in shifted_pairs(real, fit, shift_s)]
    scores = np.zeros(len(pairs), np.float32)
    for group in groups:
        out = {speakers[n] for n in group}
        inside = [sides for sides in real if sides.speaker not in out]
        own = tuned(model, inside, made, fit, seed=seed, blind=blind)
        rows = [n for n, pair in enumerate(pairs) if real[pair.seen].speaker in out]
        scores[rows] = score(own, real, [pairs[n] for n in rows], fit, blind)
    return Judged(pairs, scores)


def calibrated(judged: Judged) -> tuple[float, float]:
    """Scale and shift of the logit by logistic regression on held-out scores (Platt 1999), every clip weighing the same."""
    x = torch.from_numpy(judged.scores.astype(np.float64))
    y = torch.tensor([float(pair.belongs) for pair in judged.pairs], dtype=torch.float64)
    if not len(x):
        return 1.0, 0.0
    clip = np.array([pair.seen for pair in judged.pairs])
    share = torch.from_numpy(1.0 / np.bincount(clip)[clip])
    free = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        each = binary_cross_entropy_with_logits(free[0] * x + free[1], y, weight=share, reduction="sum")
        loss = each / share.sum() + 1e-3 * (free[0] - 1) ** 2
        loss.backward()
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return float(free[0].detach()), float(free[1].detach())


def fingerprint(clips: Sequence[Sides], fit: Fit) -> str:
    """Eight characters that change with the clips' content or the settings."""
    digest = hashlib.sha256(repr(fit).encode())
    for sides in clips:
        digest.update(sides.name.encode() + sides.motion.values.tobytes() + sides.audio.values.tobytes())
    return digest.hexdigest()[:8]
