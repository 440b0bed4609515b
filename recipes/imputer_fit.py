"""Fitting the imputer: takes with one side hidden, the training loop, and the constant answer that it has to beat.

Legend: B samples, N observed cues, F numbers of a cue, T steps, V tokens, C cues of the wanted modality, K constant sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
from imputer_pairs import PEOPLE, Pair

from hero.integrate.impute import END, MOST_WRITTEN, Imputer, Vocabulary, opposed, start_of, token_of
from hero.nn.imputer import EvidenceImputer
from hero.types import Evidence, Modality, ModelUsed

SIDES: tuple[Modality, ...] = ("face", "voice")
LEAST_SEEN = 8  # training clips with a cue, below which it is no token
MEASURES = ("f0_hz", "f0_range_semitones", "rate_syl_s", "hnr_db")  # of the voice as a whole
HEADS = 4
RATE = 3e-3
FORGET = 0.15  # chance of an observed cue to be hidden while training


@dataclass(frozen=True)
class Setting:
    """One point of the grid; `steps` is when training stops."""

    dim: int
    dropout: float
    decay: float
    steps: int = 0


@dataclass(frozen=True)
class Sample:
    """One take with a side hidden: what is observed, what is wanted, and the cues that were there."""

    pair: Pair
    wanted: Modality
    person: str
    observed: tuple[Evidence, ...]
    truth: tuple[str, ...]


def samples(pairs: Sequence[Pair]) -> list[Sample]:
    """Each take three times: the face hidden (person unknown, person known) and the voice hidden."""
    found = []
    for pair in pairs:
        face, voice = cues(pair.face), cues(pair.voice["own"])
        found += [Sample(pair, "face", person, pair.voice[person], face) for person in PEOPLE]
        found.append(Sample(pair, "voice", "own", pair.face, voice))
    return found


def cues(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """The marked cues, each once, the strongest first; a profile is a measurement of every voice and no cue."""
    ranked = sorted(evidence, key=lambda ev: -ev.strength * ev.confidence)
    tokens = (token_of(ev) for ev in ranked if not ev.cue.startswith("profile"))
    return tuple(dict.fromkeys(token for token in tokens if token))


def vocabulary(pairs: Sequence[Pair]) -> Vocabulary:
    """Tokens and scales of the training takes."""
    counts = {
        "face": Counter(cue for pair in pairs for cue in cues(pair.face)),
        "voice": Counter(cue for pair in pairs for cue in cues(pair.voice["own"])),
    }
    writes = {side: tuple(sorted(cue for cue, n in counts[side].items() if n >= LEAST_SEEN)) for side in SIDES}
    tokens = (*(start_of(side) for side in SIDES), END, "profile", *writes["face"], *writes["voice"])
    measured = {name: [ev.measures[name] for pair in pairs for ev in pair.voice["own"]
                       if ev.cue.startswith("profile")] for name in MEASURES}  # fmt: skip
    scales = {name: (float(np.mean(values)), float(np.std(values))) for name, values in measured.items()}
    words = Vocabulary(tokens, writes, scales, dict.fromkeys(SIDES, len(tokens)))
    most = {side: max(len(words.known(_side(pair, side), _other(side))) for pair in pairs) for side in SIDES}
    return replace(words, most=most)


def _side(pair: Pair, side: Modality) -> tuple[Evidence, ...]:
    return pair.face if side == "face" else pair.voice["own"]


def _other(side: Modality) -> Modality:
    return "voice" if side == "face" else "face"


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples as tensors: cues (B, N), features (B, N, F), mask (B, N), wanted (B,), allowed and truth (B, V)."""

    cues: torch.Tensor
    features: torch.Tensor
    mask: torch.Tensor
    wanted: torch.Tensor
    allowed: torch.Tensor
    truth: torch.Tensor
    weight: torch.Tensor


def batch(chosen: Sequence[Sample], words: Vocabulary) -> Batch:
    """Pad the samples; cues that are no token are left out. The two persons of a hidden face share one weight."""
    coded = [words.encode(words.known(sample.observed, sample.wanted)) for sample in chosen]
    longest = max(1, max(len(tokens) for tokens, _ in coded))
    tokens = np.zeros((len(chosen), longest), np.int64)
    features = np.zeros((len(chosen), longest, words.width), np.float32)
    mask = np.zeros((len(chosen), longest), bool)
    allowed, truth = np.zeros((2, len(chosen), len(words.tokens)), np.float32)
    for row, (sample, (ids, numbers)) in enumerate(zip(chosen, coded, strict=True)):
        tokens[row, : len(ids)], features[row, : len(ids)], mask[row, : len(ids)] = ids, numbers, True
        allowed[row, [words.tokens.index(cue) for cue in (END, *words.writes[sample.wanted])]] = 1
        truth[row, [words.tokens.index(cue) for cue in sample.truth if cue in words.writes[sample.wanted]]] = 1
    wanted = np.array([words.tokens.index(start_of(sample.wanted)) for sample in chosen])
    weight = np.array([0.5 if sample.wanted == "face" else 1.0 for sample in chosen], np.float32)
    return Batch(*(torch.from_numpy(x) for x in (tokens, features, mask, wanted, allowed, truth, weight)))


def loss(model: EvidenceImputer, data: Batch, end: int, *, training: bool) -> torch.Tensor:
    """Binary cross entropy of what is still to come; the first step weighs as much as all later ones together.

    While training, observed cues are hidden at random, and what stands written was drawn from the model's own first
    answers, right or wrong: behind true cues only it would trust its own mistakes (Ross et al. 2011). Else only the first
    step counts.
    """
    start = data.wanted[:, None]  # (B, 1)
    if not training:
        return answered(model, data, data.mask, start, end)
    mask = data.mask & (torch.rand(data.mask.shape) >= FORGET)
    with torch.no_grad():
        first = model(data.cues, data.features, mask, start)[:, 0]  # (B, V)
    luck = -torch.log(-torch.log(torch.rand(first.shape).clamp(1e-9, 1 - 1e-6)))  # Gumbel: draws without replacement
    open_to = data.allowed.clone()
    open_to[:, end] = 0
    drawn = (torch.nn.functional.logsigmoid(first) + luck).masked_fill(open_to == 0, -torch.inf)
    order = drawn.topk(MOST_WRITTEN - 1, dim=1).indices  # (B, T - 1)
    return answered(model, data, mask, torch.cat([start, order], 1), end)


def answered(model: EvidenceImputer, data: Batch, mask: torch.Tensor, written: torch.Tensor, end: int) -> torch.Tensor:
    """The loss behind tokens written so far (B, T), of which the first is the start."""
    past = torch.nn.functional.one_hot(written, data.truth.shape[1]).cumsum(1)  # (B, T, V)
    target = data.truth[:, None] * (past == 0)
    target[..., end] = (target.sum(-1) == 0).float()
    steps = written.shape[1]
    share = torch.tensor([1.0, *[1 / max(1, steps - 1)] * (steps - 1)])  # (T,)
    asked = data.allowed[:, None] * (past == 0) * (share * data.weight[:, None])[..., None]
    logits = model(data.cues, data.features, mask, written)
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    total: torch.Tensor = (each * asked).sum() / asked.sum()
    return total


def train(chosen: Sequence[Sample], words: Vocabulary, setting: Setting, seed: int) -> Iterator[EvidenceImputer]:
    """The model after every step, in place."""
    torch.manual_seed(seed)
    model = EvidenceImputer(
        tokens=len(words.tokens), features=words.width, dim=setting.dim, heads=HEADS, dropout=setting.dropout
    )
    data, end = batch(chosen, words), words.tokens.index(END)
    with torch.no_grad():  # cues start at how often they are there, so that training is spent on what tells them apart
        share = (data.truth.sum(0) + 0.5) / (data.allowed.sum(0) + 1)  # (V,)
        model.answer.bias.copy_(torch.logit(share))
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=setting.decay)
    while True:
        model.train()
        optimiser.zero_grad()
        loss(model, data, end, training=True).backward()
        optimiser.step()
        yield model.eval()


def trained(chosen: Sequence[Sample], words: Vocabulary, setting: Setting, seeds: Sequence[int]) -> Imputer:
    """Models of several seeds after the setting's steps, as the library runs them."""
    models = [
        next(model for step, model in enumerate(train(chosen, words, setting, seed), 1) if step == setting.steps)
        for seed in seeds
    ]
    return as_imputer(models, words)


def as_imputer(models: Sequence[EvidenceImputer], words: Vocabulary) -> Imputer:
    """Models as the library runs them, but writing on whatever END says."""
    members = [{name: value.detach().numpy().copy() for name, value in model.state_dict().items()} for model in models]
    return Imputer(
        members, words, HEADS, dict.fromkeys(SIDES, 1.0), dict.fromkeys(SIDES, 0.0), ModelUsed("imputer", "", "")
    )


@dataclass(frozen=True)
class Stop:
    """When to stop: END counts from the chance `enough`, a further cue from the chance `least`."""

    enough: float
    least: float


@dataclass(frozen=True)
class Said:
    """All that would be written about a sample: cues, their chances, and the chance of END before each of them."""

    cues: tuple[str, ...]
    chances: tuple[float, ...]
    ends: tuple[float, ...]

    def named(self, stop: Stop) -> tuple[str, ...]:
        """The cues that are named; none means that nothing was marked."""
        for said, (chance, end) in enumerate(zip(self.chances, self.ends, strict=True)):
            if end > max(chance, stop.enough) or (said and chance < stop.least):
                return self.cues[:said]
        return self.cues


def answers(model: Imputer, chosen: Sequence[Sample]) -> list[Said]:
    """What the model would write about each sample."""
    found = []
    for sample in chosen:
        coded = model.words.encode(model.words.known(sample.observed, sample.wanted))
        found.append(Said(*zip(*model.steps(*coded, sample.wanted), strict=True)))
    return found


def f1(named: Sequence[Sequence[str]], truth: Sequence[Sequence[str]]) -> float:
    """Pooled F1 of sets of cues."""
    right = sum(len(set(a) & set(b)) for a, b in zip(named, truth, strict=True))
    total = sum(len(a) for a in named) + sum(len(b) for b in truth)
    return 2 * right / total if total else 1.0


def hits(first: Sequence[str | None], truth: Sequence[Sequence[str]]) -> float:
    """How often the first cue is among the true ones; None is right where there was no marked cue."""
    return float(np.mean([(cue in t) if cue else not t for cue, t in zip(first, truth, strict=True)]))


@dataclass(frozen=True)
class Prior:
    """The constant answer of the training takes: the most frequent cue, and the best constant set of cues."""

    first: str
    cues: tuple[str, ...]


def prior(truth: Sequence[Sequence[str]]) -> Prior:
    """The set is chosen by the F1 that judges the model, under its rules: at most three cues, none opposed to another."""
    names = [cue for cue, _ in Counter(cue for one in truth for cue in one).most_common()]
    sets = [
        chosen
        for size in range(1, MOST_WRITTEN + 1)
        for chosen in combinations(names[:8], size)
        if not any(opposed(*pair) for pair in combinations(chosen, 2))
    ]
    return Prior(names[0], max(sets, key=lambda chosen: f1([chosen] * len(truth), truth)))
