"""Does the imputer know more about a hidden face or voice than the most frequent evidence of that kind?

    python benchmarks/imputation.py [--runs runs]

Reads what `recipes/imputer.py` said about takes of actors it never saw (`runs/imputer/oof.csv`). Two scores. *First cue*: how
often the first cue said is among the marked cues that were really there; where there was none, saying that nothing was
marked is right. *Cue set*: F1 of all cues said (at most three), pooled over takes. The prior is the constant answer of the
training takes: their most frequent cue, and the set with the best F1 there under the model's own rules (at most three cues,
none that contradicts another). Bars: model minus prior is above 0 with the lower end of its interval, a bootstrap over the 20
actors. Beside them stand constant sets chosen with hindsight that may contradict themselves ("raised and lowered pitch").
Writes `results/imputation.json`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bars import Bar, publish

from hero.evaluate.metrics import ece, ece_ceiling

CASES = {
    "face hidden, voice known by a baseline": ("face", "own"),
    "face hidden, voice of a stranger": ("face", "unknown"),
    "voice hidden": ("voice", "own"),
}
DRAWS = 2000


@dataclass(frozen=True)
class Row:
    """One answer about one take: marked cues that were there, what the model says, what the prior says."""

    seed: int
    clip: str
    actor: int
    truth: frozenset[str]
    named: tuple[str, ...]
    chances: tuple[float, ...]
    nothing: float
    prior_first: str
    prior_named: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Tally:
    """Per row (R,): first cue right by model and prior; right, said and true counts of both (R, 3)."""

    actors: np.ndarray
    hit: np.ndarray
    prior_hit: np.ndarray
    counts: np.ndarray
    prior_counts: np.ndarray


def read(path: Path, wanted: str, person: str) -> list[Row]:
    """The answers of one case."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["wanted"], row["person"]) == (wanted, person)]
    return [
        Row(int(r["seed"]), r["clip"], int(r["actor"]), frozenset(r["truth"].split()), tuple(r["named"].split()),
            tuple(map(float, r["chances"].split())), float(r["nothing"]), r["prior_first"],
            tuple(r["prior_named"].split()))
        for r in rows
    ]  # fmt: skip


def first_right(first: str, truth: frozenset[str]) -> bool:
    """Is the first cue there, or, said that nothing was marked, is nothing there?"""
    return first in truth if first else not truth


def counts(named: tuple[str, ...], truth: frozenset[str]) -> tuple[int, int, int]:
    """Right, said, true."""
    return len(set(named) & truth), len(named), len(truth)


def tally(rows: list[Row]) -> Tally:
    """Everything that the scores need, per row."""
    return Tally(
        np.array([r.actor for r in rows]),
        np.array([first_right(r.named[0] if r.named else "", r.truth) for r in rows], float),
        np.array([first_right(r.prior_first, r.truth) for r in rows], float),
        np.array([counts(r.named, r.truth) for r in rows]),
        np.array([counts(r.prior_named, r.truth) for r in rows]),
    )


def f1(table: np.ndarray) -> float:
    """Pooled F1 of counts (R, 3)."""
    right, said, true = table.sum(0)
    return float(2 * right / (said + true))


def by_actors(score: Callable[[np.ndarray], float], actors: np.ndarray) -> tuple[float, float]:
    """95 % interval of a score of row numbers when the actors are drawn with replacement."""
    rng = np.random.default_rng(0)
    rows = {actor: np.flatnonzero(actors == actor) for actor in np.unique(actors)}
    names = np.array(sorted(rows))
    values = [score(np.concatenate([rows[actor] for actor in rng.choice(names, len(names))])) for _ in range(DRAWS)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def judge(rows: list[Row]) -> dict[str, object]:
    """Scores of model and prior, their differences with intervals, and how honest the chances are."""
    t = tally(rows)
    everyone, three = np.arange(len(rows)), hedged(rows, 3)
    gain_hit = lambda at: float(t.hit[at].mean() - t.prior_hit[at].mean())  # noqa: E731
    gain_f1 = lambda at: f1(t.counts[at]) - f1(t.prior_counts[at])  # noqa: E731
    chance = np.array([r.chances[0] if r.named else r.nothing for r in rows])
    seeds = sorted({r.seed for r in rows})
    return {
        "takes": len({r.clip for r in rows}), "seeds": len(seeds),
        "first cue, always nothing": float(np.mean([not r.truth for r in rows])),
        "first cue": float(t.hit.mean()), "first cue, prior": float(t.prior_hit.mean()),
        "first cue, gain": gain_hit(everyone), "first cue, interval": by_actors(gain_hit, t.actors),
        "cue set F1": f1(t.counts), "cue set F1, prior": f1(t.prior_counts),
        "cue set F1, gain": gain_f1(everyone), "cue set F1, interval": by_actors(gain_f1, t.actors),
        "cues said": float(t.counts[:, 1].mean()), "cues there": float(t.counts[:, 2].mean()),
        "hedged constant, at most three cues: F1": f1(three),
        "cue set F1, gain over it, interval": by_actors(lambda at: f1(t.counts[at]) - f1(three[at]), t.actors),
        "hedged constant, any number of cues: F1": f1(hedged(rows, 99)),
        "first chance, ECE": ece(chance, t.hit), "first chance, ECE ceiling": ece_ceiling(chance),
        "said first": dict(Counter(r.named[0] if r.named else "nothing" for r in rows).most_common()),
        "prior says": sorted({(r.prior_first, " ".join(r.prior_named)) for r in rows}),
    }  # fmt: skip


def hedged(rows: list[Row], most: int) -> np.ndarray:
    """Counts (R, 3) of the best of the most frequent cues, however they contradict one another, chosen on these very takes."""
    names = [cue for cue, _ in Counter(cue for r in rows for cue in r.truth).most_common(most)]
    sets = [tuple(names[:size]) for size in range(1, len(names) + 1)]
    return max((np.array([counts(one, r.truth) for r in rows]) for one in sets), key=f1)


def main() -> int:
    """Print the table and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    path = parser.parse_args().runs / "imputer" / "oof.csv"
    if not path.is_file():
        sys.exit(f"{path} is not there; write it with: HERO_DATA=... python recipes/imputer.py")
    found = {case: judge(read(path, *keys)) for case, keys in CASES.items()}
    bars = []
    for case, scores in found.items():
        for score in ("first cue", "cue set F1"):
            low, high = scores[f"{score}, interval"]  # type: ignore[misc]
            note = (f"gain {scores[f'{score}, gain']:.3f} [{low:.3f}, {high:.3f}]: "
                    f"{scores[score]:.3f} against the prior's {scores[f'{score}, prior']:.3f}")  # fmt: skip
            bars.append(Bar(f"{case}: {score} above the prior, low end", low, 0.0, note=note))
    return publish("imputation", bars, found)


if __name__ == "__main__":
    sys.exit(main())
