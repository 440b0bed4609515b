"""The shared evidence decoder: feature tokens of any modality become a sentence, byte by byte.

A task token at the start says whose features these are, so that one decoder serves all experts. The vocabulary is the
256 bytes of UTF-8, an end, a padding and the tasks: Chinese and English need no tokenizer file. Nothing is ever said of
a sample without any valid feature.

Legend: B samples, Q feature tokens, I their columns, S bytes of the longest text with its end, D columns, V vocabulary.
Source: Vaswani et al. 2017 (decoder, pre-norm here), ByT5 (Xue et al. 2022, bytes), T5 (Raffel et al. 2020, task prefix).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn import functional as F

from hero.errors import ConfigError, InputError
from hero.nn.attention import Attention, FeedForward, KeysValues, small_normal
from hero.nn.positions import sine_cosine

Task = Literal["visual", "motion", "au", "audio", "text", "synergy"]
TASKS: tuple[Task, ...] = get_args(Task)
TASK_TOKENS: tuple[str, ...] = tuple(f"<{task}_task>" for task in TASKS)
PAD, END, FIRST_TASK = 256, 257, 258
VOCABULARY = FIRST_TASK + len(TASKS)
MAX_BYTES = 400
ORDER = (4.0, 10_000.0)  # shortest and longest wavelength of byte positions, in bytes


@dataclass(frozen=True)
class Decoded:
    """A decoded text; `confidence` is the mean probability of its tokens, `finished` is False where it was cut off."""

    text: str
    confidence: float
    finished: bool


NOTHING = Decoded("", 0.0, True)


class EvidenceDecoder(nn.Module):
    """A causal transformer over bytes that attends to feature tokens (B, Q, I); input and output embedding are one.

    `sizes` are the arguments as given, so that a saved decoder can be made again.

    Raises:
        ConfigError: a size is below 1, or the heads do not divide the columns.
    """

    def __init__(
        self,
        *,
        dim_features: int = 768,
        dim: int = 768,
        layers: int = 2,
        heads: int = 12,
        expansion: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if min(dim_features, dim, layers, expansion) < 1:
            raise ConfigError(
                f"a decoder of {dim_features} feature columns, {dim} columns and {layers} layers cannot be made; each must "
                "be 1 or more"
            )
        self.sizes = {
            "dim_features": dim_features, "dim": dim, "layers": layers, "heads": heads, "expansion": expansion,
        }  # fmt: skip
        self.dim_features, self.dim = dim_features, dim
        self.embed = nn.Embedding(VOCABULARY, dim)
        self.enter = nn.Sequential(nn.LayerNorm(dim_features), nn.Linear(dim_features, dim))
        self.layers = nn.ModuleList(
            DecoderLayer(dim=dim, heads=heads, expansion=expansion, dropout=dropout) for _ in range(layers)
        )
        self.leave = nn.LayerNorm(dim)
        self.apply(small_normal)

    def forward(
        self, features: torch.Tensor, mask: torch.Tensor | None, task: Task | Sequence[Task], tokens: torch.Tensor
    ) -> torch.Tensor:
        """Logits (B, 1 + S, V): place 0 predicts the first byte from the task alone, place i + 1 what follows byte i.

        Args:
            features: (B, Q, I).
            mask: (B, Q) bool, True = valid; all valid without it.
            task: one for the batch, or one for each sample.
            tokens: (B, S) from `encode_texts`, the bytes so far; S may be 0.

        Raises:
            ConfigError: a task is unknown.
            InputError: the shapes do not fit.
        """
        memory = self._memory(features, mask)
        starts = task_tokens(task, len(features), features.device)
        logits, _ = self._run(torch.cat([starts, tokens], dim=1), memory, None)
        return logits

    def loss(
        self, features: torch.Tensor, mask: torch.Tensor | None, task: Task | Sequence[Task], texts: Sequence[str]
    ) -> torch.Tensor:
        """Mean cross entropy per byte of the texts; samples without any valid feature teach nothing.

        Raises:
            ConfigError, InputError: as for `forward`, or the texts are not one for each sample.
        """
        check_texts(texts, len(features))
        tokens = encode_texts(texts).to(features.device)  # (B, S)
        logits = self(features, mask, task, tokens[:, :-1])  # (B, S, V)
        if mask is not None:
            tokens = tokens.masked_fill(~mask.any(dim=1, keepdim=True), PAD)
        total = F.cross_entropy(logits.transpose(1, 2), tokens, ignore_index=PAD, reduction="sum")
        return total / (tokens != PAD).sum().clamp(min=1)

    @torch.no_grad()
    def generate(
        self,
        features: torch.Tensor,
        mask: torch.Tensor | None,
        task: Task | Sequence[Task],
        *,
        max_bytes: int = MAX_BYTES,
        cached: bool = True,
    ) -> list[Decoded]:
        """The most probable text byte by byte, one for each sample; broken UTF-8 is left out.

        `cached` keeps keys and values from step to step; without it every step starts over (slower, the same text).

        Raises:
            ConfigError, InputError: as for `forward`.
        """
        memory = self._memory(features, mask)
        tokens = task_tokens(task, len(features), features.device)  # (B, 1)
        heard = memory.present[:, 0, 0]  # (B,)
        done = ~heard
        chances = features.new_zeros(len(features), 0)
        past: list[KeysValues] | None = None
        for _ in range(max_bytes):
            if bool(done.all()):
                break
            logits, known = self._run(tokens[:, -1:] if past else tokens, memory, past)
            past = known if cached else None
            allowed = logits[:, -1, : END + 1].clone()  # (B, V) without the tasks
            allowed[:, PAD] = float("-inf")
            chance, chosen = allowed.softmax(dim=-1).max(dim=-1)  # (B,)
            tokens = torch.cat([tokens, chosen[:, None]], dim=1)
            chances = torch.cat([chances, chance[:, None]], dim=1)
            done = done | (chosen == END)
        rows = zip(heard.tolist(), tokens[:, 1:].tolist(), chances.tolist(), strict=True)
        return [_decoded(row, chance) if h else NOTHING for h, row, chance in rows]

    def _memory(self, features: torch.Tensor, mask: torch.Tensor | None) -> Memory:
        """What every layer looks at, with masked features cut out."""
        mask = check_features(features, mask, self.dim_features)
        present = mask.any(dim=1)
        entered = self.enter(features.masked_fill(~mask[..., None], 0))  # (B, Q, D)
        known = [layer.cross_attention.project(entered, entered) for layer in self._decoder_layers()]
        return Memory(known, (mask | ~present[:, None])[:, None, None, :], present[:, None, None])

    def _run(
        self, tokens: torch.Tensor, memory: Memory, past: list[KeysValues] | None
    ) -> tuple[torch.Tensor, list[KeysValues]]:
        """Logits of `tokens` (B, S), which follow what `past` holds, and the keys and values of both."""
        done = past[0].keys.shape[2] if past else 0
        order = torch.arange(done, done + tokens.shape[1], device=tokens.device, dtype=torch.float32)
        placed = sine_cosine(order[None, :, None], dim=self.dim, wavelengths=(ORDER,))
        state = self.embed(tokens) * self.dim**0.5
        state = state + placed.to(state.dtype)  # (B, S, D)
        kept = []
        for number, layer in enumerate(self._decoder_layers()):
            state, known = layer(state, memory, number, past[number] if past else None)
            kept.append(known)
        return F.linear(self.leave(state), self.embed.weight), kept

    def _decoder_layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]


@dataclass(frozen=True, eq=False)
class Memory:
    """The features as each layer sees them: keys and values per layer, which are open, and which samples have any."""

    known: list[KeysValues]
    mask: torch.Tensor  # (B, 1, 1, Q)
    present: torch.Tensor  # (B, 1, 1)


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention to the features, feed-forward."""

    def __init__(self, *, dim: int, heads: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.norm_self, self.norm_cross, self.norm_forward = (nn.LayerNorm(dim) for _ in range(3))
        self.self_attention = Attention(dim=dim, heads=heads, dropout=dropout)
        self.cross_attention = Attention(dim=dim, heads=heads, dropout=dropout)
        self.feed_forward = FeedForward(dim=dim, expansion=expansion, dropout=dropout)

    def forward(
        self, state: torch.Tensor, memory: Memory, number: int, past: KeysValues | None
    ) -> tuple[torch.Tensor, KeysValues]:
        """States (B, S, D) after the layer, and the keys and values up to here; with a past, S must be 1."""
        normed = self.norm_self(state)
        known = self.self_attention.project(normed, normed)
        known = past.then(known) if past else known
        state = state + self.self_attention(normed, known, causal=past is None)
        seen = self.cross_attention(self.norm_cross(state), memory.known[number], memory.mask)
        state = state + seen.masked_fill(~memory.present, 0)
        return state + self.feed_forward(self.norm_forward(state)), known


def encode_texts(texts: Sequence[str]) -> torch.Tensor:
    """Texts as bytes (B, S) int64, each closed by an end and filled up with padding."""
    rows = [[*text.encode("utf-8", "replace"), END] for text in texts]
    longest = max(map(len, rows), default=0)
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows], dtype=torch.long)


def task_tokens(task: Task | Sequence[Task], count: int, device: torch.device) -> torch.Tensor:
    """Token (B, 1) of each sample's task.

    Raises:
        ConfigError: a task is unknown, or they are not one for each of `count` samples.
    """
    names = task_names(task, count)
    return torch.tensor([[FIRST_TASK + TASKS.index(name)] for name in names], dtype=torch.long, device=device)


def task_names(task: Task | Sequence[Task], count: int) -> list[Task]:
    """The task of each of `count` samples, from one for all or one for each.

    Raises:
        ConfigError: a task is unknown, or they are not one for each sample.
    """
    names = [task] * count if isinstance(task, str) else list(task)
    wrong = [name for name in names if name not in TASKS]
    if wrong or len(names) != count:
        came = f"'{wrong[0]}'" if wrong else f"{len(names)} tasks for {count} samples"
        raise ConfigError(f"no such decoder task: {came}; give one for all or one for each of: {', '.join(TASKS)}")
    return names


def check_features(features: torch.Tensor, mask: torch.Tensor | None, dim: int) -> torch.Tensor:
    """The mask (B, Q) of features (B, Q, `dim`), made where there is none.

    Raises:
        InputError: the shapes do not fit.
    """
    if features.ndim != 3 or features.shape[2] != dim or not features.shape[1]:
        raise InputError(
            f"a decoder of {dim} feature columns got {tuple(features.shape)}; give (B, Q, {dim}), Q above 0"
        )
    if mask is None:
        return torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
    if mask.shape != features.shape[:2] or mask.dtype != torch.bool:
        raise InputError(
            f"the mask of {tuple(features.shape)} is {mask.dtype} {tuple(mask.shape)}; give bool {tuple(features.shape[:2])}"
        )
    return mask


def check_texts(texts: Sequence[str], count: int) -> None:
    """Refuse texts that are not one for each sample.

    Raises:
        InputError: they are not.
    """
    if len(texts) != count:
        raise InputError(f"{len(texts)} texts came for {count} samples; give one for each")


def _decoded(tokens: list[int], chances: list[float]) -> Decoded:
    """The text up to its end; a character that was not completed is left out."""
    finished = END in tokens
    said = tokens[: tokens.index(END)] if finished else tokens
    counted = chances[: len(said) + finished]
    text = bytes(said).decode("utf-8", "ignore")
    return Decoded(text, sum(counted) / max(len(counted), 1), finished)
