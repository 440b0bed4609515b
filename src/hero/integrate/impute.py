"""Evidence imputation without PyTorch: `hero.nn.imputer` in NumPy on the shipped weights.

Observed evidence of the modalities that are present becomes tokens; the decoder writes the cues that a missing face or
voice probably held, one to three, each with its chance, or that nothing was marked. Trained by `recipes/imputer.py` on
takes of which both the face and the voice are known; a test holds this forward pass against the PyTorch model.

Legend of shapes: B clips, N observed cues, F numbers that come with a cue, T written tokens, V tokens, D width, H heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero import weights
from hero.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hero.types import Evidence, Modality, ModelUsed

NAME = "imputer"
END = "<end>"
MOST_WRITTEN = 3
ORDINARY = ("pause", "pitch_rise", "pitch_fall")  # of the voice: they count once they are marked
MARKED = 0.6
ALIASES = {
    "smile_with_cheeks": "smile", "smile_without_cheeks": "smile", "AU12": "smile", "brows_raised": "AU02",
    "pitch_rise_end": "pitch_rise", "pitch_fall_end": "pitch_fall", "profile_middling": "profile",
}  # fmt: skip
OPPOSED = (
    ("pitch_high", "pitch_low"), ("voice_very_high", "pitch_low"), ("louder", "softer"), ("fast", "slow"),
    ("grows_louder", "grows_softer"), ("pitch_wide", "pitch_flat"), ("clearer", "breathy"),
)  # fmt: skip
SMALL = 1e-5  # of PyTorch's LayerNorm


def token_of(ev: Evidence) -> str | None:
    """The cue that evidence counts as; None for what is too ordinary to mean anything, inferred, or of another person."""
    if ev.inferred or ev.person or (ev.cue.startswith(ORDINARY) and ev.strength < MARKED):
        return None
    return ALIASES.get(ev.cue, ev.cue)


def opposed(first: str, second: str) -> bool:
    """Would one sentence contradict itself with both cues?"""
    return (first, second) in OPPOSED or (second, first) in OPPOSED


def start_of(modality: Modality) -> str:
    """The token with which the cues of a modality begin."""
    return f"<{modality}>"


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Tokens, which modality writes which of them, and the measures (name -> centre, spread) that come with a cue.

    `most` is how many observed cues of one modality are looked at: as many as the training clips had.
    """

    tokens: Sequence[str]
    writes: Mapping[Modality, Sequence[str]]
    measures: Mapping[str, tuple[float, float]]
    most: Mapping[Modality, int]

    @property
    def width(self) -> int:
        """F: strength and confidence, then the measures in spreads from their centre, 0 where a cue has none."""
        return 2 + len(self.measures)

    def known(self, evidence: Iterable[Evidence], wanted: Modality) -> tuple[Evidence, ...]:
        """The evidence to infer from: one piece per known cue of the other modalities, the strongest first."""
        best: dict[str, Evidence] = {}
        for ev in sorted(evidence, key=lambda ev: -ev.strength * ev.confidence):
            if ev.modality in self.most and ev.modality != wanted and (token := token_of(ev)) in self.tokens:
                best.setdefault(str(token), ev)
        kept: list[Evidence] = []
        for ev in best.values():
            if sum(other.modality == ev.modality for other in kept) < self.most[ev.modality]:
                kept.append(ev)
        return tuple(kept)

    def encode(self, known: Sequence[Evidence]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Tokens (N,) and what comes with them (N, F)."""
        rows = np.zeros((len(known), self.width), np.float32)
        for row, ev in zip(rows, known, strict=True):
            row[:2] = ev.strength, ev.confidence
            for column, (name, (centre, spread)) in enumerate(self.measures.items(), start=2):
                if name in ev.measures and ev.cue.startswith("profile"):
                    row[column] = np.clip((ev.measures[name] - centre) / spread, -3, 3)
        return np.array([self.tokens.index(str(token_of(ev))) for ev in known], np.int64), rows


@dataclass(frozen=True)
class Imputation:
    """What a missing modality probably held: cues with their chances, the likeliest first, and what that rests on.

    Without cues the guess is that nothing was marked, with the chance `nothing`.
    """

    cues: Mapping[str, float]
    nothing: float
    rests_on: tuple[Evidence, ...]

    @property
    def chance(self) -> float:
        """The share of what is said that is expected to hold, in [0, 1]."""
        return float(np.mean(list(self.cues.values()))) if self.cues else self.nothing


@dataclass(frozen=True, eq=False)
class Imputer:
    """Trained decoders whose chances are averaged.

    END ends the writing where it is likelier than any cue and than `enough`; `least` is the chance that a further cue
    needs. Both are chosen on actors held out of the training.
    """

    members: Sequence[Mapping[str, NDArray[np.float32]]]
    words: Vocabulary
    heads: int
    enough: Mapping[Modality, float]
    least: Mapping[Modality, float]
    used: ModelUsed

    @classmethod
    def load(cls, folder: Path | None = None) -> Imputer:
        """Read `imputer.safetensors` from `folder`, else from the package.

        Raises:
            WeightsError: the weights are missing, damaged, or not what their card says.
        """
        read = weights.read(NAME, folder)
        card = read.card
        try:
            measures = {name: (float(pair[0]), float(pair[1])) for name, pair in card["measures"].items()}
            words = Vocabulary(card["tokens"], card["writes"], measures, card["most"])
            members = [
                {name.partition("/")[2]: np.asarray(value, np.float32)
                 for name, value in read.tensors.items() if name.startswith(f"{member}/")}
                for member in range(int(card["members"]))
            ]  # fmt: skip
            shapes = {member["embed.weight"].shape[0] for member in members}
            shapes |= {member["measure.weight"].shape[1] + len(words.tokens) - words.width for member in members}
            heads, enough, least = int(card["heads"]), dict(card["enough"]), dict(card["least"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WeightsError(
                f"weights '{NAME}' lack {error} in card or tensors; reinstall hero or train them again (recipes/imputer.py)"
            ) from error
        if shapes != {len(words.tokens)}:
            raise WeightsError(
                f"weights '{NAME}' are not for the {len(words.tokens)} tokens and {words.width} numbers of their card; "
                "reinstall hero or train them again (recipes/imputer.py)"
            )
        return cls(members, words, heads, enough, least, read.used)

    def impute(self, evidence: Iterable[Evidence], wanted: Modality) -> Imputation | None:
        """What the wanted modality probably held; None where nothing that was seen in training can tell."""
        known = self.words.known(evidence, wanted) if wanted in self.words.writes else ()
        if not known:
            return None
        said, nothing = dict[str, float](), 0.0
        for cue, chance, end in self.steps(*self.words.encode(known), wanted):
            nothing = nothing if said else end
            if end > max(chance, self.enough[wanted]) or (said and chance < self.least[wanted]):
                break
            said[cue] = chance
        return Imputation(said, nothing, known)

    def steps(
        self, cues: NDArray[np.int64], features: NDArray[np.float32], wanted: Modality
    ) -> Iterator[tuple[str, float, float]]:
        """Cue after cue, each with its chance and that of END in its place, from cues (N,) and features (N, F).

        Each is the likeliest of those that are neither written nor opposed to a written one.
        """
        names = list(self.words.tokens)
        written, left = [names.index(start_of(wanted))], [names.index(cue) for cue in self.words.writes[wanted]]
        while left and len(written) <= MOST_WRITTEN:
            chances = self.chances(cues[None], features[None], np.array([written]))[0, -1]  # (V,)
            best = max(left, key=lambda index: float(chances[index]))
            yield names[best], float(chances[best]), float(chances[names.index(END)])
            written.append(best)
            left = [index for index in left if index != best and not opposed(names[index], names[best])]

    def chances(
        self, cues: NDArray[np.int64], features: NDArray[np.float32], written: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Chance of each token to be still to come (B, T, V), the members' mean; every cue given is there."""
        mask = np.ones(cues.shape, bool)
        logits = [forward(member, cues, features, mask, written, heads=self.heads) for member in self.members]
        return np.asarray(np.mean([1 / (1 + np.exp(-np.clip(one, -50, 50))) for one in logits], axis=0), np.float64)


def forward(
    tensors: Mapping[str, NDArray[np.float32]], cues: NDArray[np.int64], features: NDArray[np.float32],
    mask: NDArray[np.bool_], written: NDArray[np.int64], *, heads: int,
) -> NDArray[np.float32]:  # fmt: skip
    """Logits (B, T, V) of cues (B, N), features (B, N, F), mask (B, N) and written tokens (B, T)."""
    net = _Net(tensors, heads)
    embed = tensors["embed.weight"]
    observed = embed[cues] + net.linear("measure", features)  # (B, N, D)
    nothing = np.broadcast_to(tensors["nothing"], (len(cues), 1, embed.shape[1]))
    memory = net.norm("memory_norm", np.concatenate([nothing, observed], axis=1))  # (B, 1 + N, D)
    known = np.concatenate([np.ones((len(mask), 1), bool), mask], axis=1)[:, None]  # (B, 1, 1 + N)
    earlier = np.tril(np.ones((written.shape[1],) * 2, bool))[None]  # (1, T, T)
    x = embed[written]  # (B, T, D)
    for layer in sorted({name.split(".")[1] for name in tensors if name.startswith("layers.")}, key=int):
        x = net.layer(f"layers.{layer}", x, earlier, memory, known)
    return net.linear("answer", net.norm("norm", x))


@dataclass(frozen=True, eq=False)
class _Net:
    tensors: Mapping[str, NDArray[np.float32]]
    heads: int

    def linear(self, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"], np.float32)

    def norm(self, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + SMALL)
        return np.asarray(scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"], np.float32)

    def layer(
        self, name: str, x: NDArray[np.float32], earlier: NDArray[np.bool_], memory: NDArray[np.float32],
        known: NDArray[np.bool_],
    ) -> NDArray[np.float32]:  # fmt: skip
        y = self.norm(f"{name}.norms.0", x)
        x = x + self.attend(f"{name}.written", y, y, earlier)
        x = x + self.attend(f"{name}.observed", self.norm(f"{name}.norms.1", x), memory, known)
        wide = self.linear(f"{name}.widen", self.norm(f"{name}.norms.2", x))
        hidden = 0.5 * wide * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)))  # GELU, tanh form
        return x + self.linear(f"{name}.narrow", hidden)

    def attend(
        self, name: str, x: NDArray[np.float32], memory: NDArray[np.float32], allowed: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """x (B, T, D), memory (B, M, D), allowed (B or 1, T or 1, M) -> (B, T, D)."""

        def split(values: NDArray[np.float32]) -> NDArray[np.float32]:
            return values.reshape(*values.shape[:2], self.heads, -1).swapaxes(1, 2)  # (B, H, T, D / H)

        q, k, v = (split(self.linear(f"{name}.{part}", of)) for part, of in
                   (("query", x), ("key", memory), ("value", memory)))  # fmt: skip
        scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])  # (B, H, T, M)
        scores = np.where(allowed[:, None], scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = (shares @ v).swapaxes(1, 2)  # (B, T, H, D / H)
        return self.linear(f"{name}.out", mixed.reshape(*mixed.shape[:2], -1))
