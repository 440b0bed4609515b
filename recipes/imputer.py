"""Train the evidence imputer on takes of which both the face and the voice are known; five folds by actor.

    HERO_DATA=... python recipes/imputer.py [--out runs/imputer] [--seeds 3] [--workers 2] [--final]

For test fold k, dropout, steps and when to stop writing are chosen on each other fold by learners that saw neither
it nor k (the ten learners without two folds serve both). Writes under --out: `voice/` (cache of voice evidence) and
`oof.csv` (what is said about every held-out take, and the constant answer of its training takes); --final also trains on
all takes and writes the packaged weights. No label is read.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, islice
from multiprocessing import get_context
from pathlib import Path

import imputer_fit as fit
import numpy as np
import torch
from imputer_fit import END, SIDES, Said, Sample, Setting, Stop
from imputer_pairs import Pair, pairs

from hero import weights
from hero.data.formats.ravdess import FOLDS, fold_of
from hero.integrate.impute import NAME, Imputer, Vocabulary
from hero.types import Modality

GRID = (Setting(32, 0.2, 0.05), Setting(32, 0.4, 0.05))
STEPS = (40, 60, 80, 100, 140)
STOPS = tuple(Stop(enough, least / 50) for enough in (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0) for least in range(5, 26))
MEMBERS = 5
COLUMNS = ("seed", "wanted", "person", "clip", "actor", "fold", "truth", "first", "named", "chances", "nothing",
           "prior_first", "prior_named")  # fmt: skip


def fold(pair: Pair) -> int:
    """Test fold 0..4 of a take."""
    return int(fold_of(np.array([pair.actor]))[0])


@dataclass(frozen=True, eq=False)
class Learned:
    """The models of every setting on the takes outside two folds, and their first-step losses on each of the two."""

    without: tuple[int, int]
    words: Vocabulary
    losses: dict[int, dict[Setting, float]]
    models: dict[Setting, Imputer]


def inner(all_pairs: Sequence[Pair], without: tuple[int, int]) -> Learned:
    """Learners of every setting that see neither of two folds."""
    torch.set_num_threads(1)
    train = [pair for pair in all_pairs if fold(pair) not in without]
    words, chosen = fit.vocabulary(train), fit.samples(train)
    coded = {k: fit.batch(held_out(all_pairs, k), words) for k in without}
    found = Learned(without, words, {k: {} for k in without}, {})
    for setting in GRID:
        for step, model in enumerate(islice(fit.train(chosen, words, setting, seed=0), STEPS[-1]), 1):
            if step in STEPS:
                point = replace(setting, steps=step)
                found.models[point] = fit.as_imputer([model], words)
                with torch.no_grad():
                    for k, data in coded.items():
                        found.losses[k][point] = float(fit.loss(model, data, words.tokens.index(END), training=False))
    print(f"learned without folds {without}", flush=True)
    return found


def held_out(all_pairs: Sequence[Pair], k: int) -> list[Sample]:
    """The samples of one fold."""
    return fit.samples([pair for pair in all_pairs if fold(pair) == k])


@dataclass(frozen=True)
class Choice:
    """What the held-out training folds chose."""

    setting: Setting
    stop: dict[Modality, Stop]


def choose(all_pairs: Sequence[Pair], held: Sequence[tuple[int, Learned]]) -> Choice:
    """The setting with the lowest mean loss on held-out folds, and when stopping pays there."""
    setting = min(
        held[0][1].losses[held[0][0]], key=lambda point: float(np.mean([ls.losses[k][point] for k, ls in held]))
    )
    told: list[tuple[Sample, Said]] = []
    for k, learned in held:
        chosen = held_out(all_pairs, k)
        told += zip(chosen, fit.answers(learned.models[setting], chosen), strict=True)
    return Choice(setting, {side: best_stop([one for one in told if one[0].wanted == side]) for side in SIDES})


def best_stop(told: Sequence[tuple[Sample, Said]]) -> Stop:
    """When stopping pays: the highest sum of both scores, the first cue's hits and the F1 of all."""
    truth = [sample.truth for sample, _ in told]

    def score(stop: Stop) -> float:
        named = [said.named(stop) for _, said in told]
        return fit.f1(named, truth) + fit.hits([one[0] if one else None for one in named], truth)

    return max(STOPS, key=score)


def outer(all_pairs: Sequence[Pair], job: tuple[int, int, Choice]) -> list[list[object]]:
    """Rows of `oof.csv` of one fold: learners of the chosen setting on the other four folds."""
    torch.set_num_threads(1)
    test, seed, choice = job
    train = [pair for pair in all_pairs if fold(pair) != test]
    words, chosen = fit.vocabulary(train), fit.samples(train)
    model = fit.trained(chosen, words, choice.setting, range(seed * MEMBERS, (seed + 1) * MEMBERS))
    priors = {side: fit.prior([s.truth for s in chosen if s.wanted == side and s.person == "own"]) for side in SIDES}
    held = held_out(all_pairs, test)
    rows: list[list[object]] = []
    for sample, said in zip(held, fit.answers(model, held), strict=True):
        named, prior = said.named(choice.stop[sample.wanted]), priors[sample.wanted]
        chances = " ".join(f"{chance:.5f}" for chance in said.chances[: len(named)])
        rows.append([seed, sample.wanted, sample.person, sample.pair.clip, sample.pair.actor, test,
                     " ".join(sample.truth), named[0] if named else "", " ".join(named), chances, f"{said.ends[0]:.5f}",
                     prior.first, " ".join(prior.cues)])  # fmt: skip
    print(f"judged fold {test}, seed {seed}", flush=True)
    return rows


def main() -> None:
    """Out-of-fold answers; with --final also the shipped weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("HERO_DATA"), required="HERO_DATA" not in os.environ
    )
    parser.add_argument("--out", type=Path, default=Path("runs/imputer"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--final", action="store_true", help="also train on all takes and write the packaged weights")
    args = parser.parse_args()
    takes = pairs(args.data, args.out / "voice", args.workers)
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        learned = list(pool.map(partial(inner, takes), combinations(range(FOLDS), 2)))
        apart = [(sum(one.without) - k, k, one) for one in learned for k in one.without]  # other fold, held fold
        choices = {k: choose(takes, [(held, one) for other, held, one in apart if other == k]) for k in range(FOLDS)}
        for k, choice in choices.items():
            print(f"fold {k}: {choice}", flush=True)
        jobs = [(k, seed, choices[k]) for seed in range(args.seeds) for k in range(FOLDS)]
        rows = [row for group in pool.map(partial(outer, takes), jobs) for row in group]
    with (args.out / "oof.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    if args.final:
        choice = choose(takes, [(held, one) for _, held, one in apart])
        print(f"all takes: {choice}", flush=True)
        ship(takes, choice)


def ship(takes: Sequence[Pair], choice: Choice) -> None:
    """Train on all takes and write weights and card into the package."""
    torch.set_num_threads(1)
    words = fit.vocabulary(takes)
    model = fit.trained(fit.samples(takes), words, choice.setting, range(MEMBERS))
    tensors = {f"{k}/{name}": value for k, member in enumerate(model.members) for name, value in member.items()}
    weights.write(weights.PACKAGED / f"{NAME}.safetensors", tensors, {
        "name": NAME, "licence": "CC-BY-NC-SA-4.0 (RAVDESS)", "commercial": False,
        "data": "RAVDESS: 300 audio-video takes of actors 1-20, face cues from the feature table, voice cues from the speech",
        "split": "all takes; setting and stopping chosen on held-out actors",
        "ids_seen": [f"ravdess:{pair.clip}" for pair in takes],
        "tokens": list(words.tokens), "writes": {side: list(cues) for side, cues in words.writes.items()},
        "measures": {name: list(scale) for name, scale in words.measures.items()}, "most": dict(words.most),
        "enough": {side: stop.enough for side, stop in choice.stop.items()},
        "least": {side: stop.least for side, stop in choice.stop.items()}, "heads": fit.HEADS, "members": MEMBERS,
        "scores": "see imputer.md and benchmarks/results/imputation.json",
    })  # fmt: skip


if __name__ == "__main__":
    main()
