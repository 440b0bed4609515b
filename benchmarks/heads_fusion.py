"""Judge the fusion: CREMA-D crowd votes (out-of-fold) and machine posteriors of the RAVDESS table.

    HERO_DATA=... python benchmarks/heads_fusion.py [--runs runs]

Reads what `recipes/heads/fusion.py` and `recipes/heads/face.py` wrote under --runs, prints measured against bar and
writes `benchmarks/results/heads_fusion.json`.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path

import numpy as np
from bars import Bar, publish
from sklearn.linear_model import LogisticRegression

from hero.data.formats import cremad, ravdess
from hero.evaluate.metrics import (
    accuracy,
    bootstrap_interval,
    brier,
    ece,
    ece_ceiling,
    macro_f1,
    per_class_f1,
    weighted_f1,
)
from hero.integrate.fusion import Fusion
from hero.labels import LABELS, mapping, to_common

BARS = {"both": 0.835, "differ": 0.76}
CALIBRATED = ("both", "voice", "face")


def out_of_fold(path: Path, votes: cremad.Votes) -> dict[str, np.ndarray]:
    """Posteriors (seeds, N, 6) of each condition, clips in the order of `votes`."""
    place = {clip: i for i, clip in enumerate(votes.clip_ids)}
    found: dict[str, dict[int, np.ndarray]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            table = found.setdefault(row["condition"], {}).setdefault(int(row["seed"]), np.zeros((len(place), 6)))
            table[place[row["clip"]]] = [float(row[a]) for a in cremad.ANSWERS]
    return {condition: np.stack([seeds[s] for s in sorted(seeds)]) for condition, seeds in found.items()}


def judge(probs: np.ndarray, truth: np.ndarray, names: tuple[str, ...]) -> dict[str, object]:
    """Scores of posteriors (seeds, N, C); interval by bootstrap over clips of the first seed."""
    hits = [accuracy(truth, p.argmax(1)) for p in probs]
    first = probs[0]
    by_class = per_class_f1(truth, first.argmax(1), classes=len(names))
    return {
        "accuracy": float(np.mean(hits)), "by_seed": hits,
        "interval": bootstrap_interval(accuracy, truth, first.argmax(1)),
        "weighted_f1": float(np.mean([weighted_f1(truth, p.argmax(1)) for p in probs])),
        "macro_f1": float(np.mean([macro_f1(truth, p.argmax(1)) for p in probs])),
        "per_class_f1": dict(zip(names, by_class.round(4).tolist(), strict=True)),
        "ece": float(np.mean([ece(p, truth) for p in probs])),
        "ece_ceiling": float(np.mean([ece_ceiling(p, draws=300) for p in probs])),
        "brier": float(np.mean([brier(p, truth) for p in probs])),
    }  # fmt: skip


def baselines(votes: cremad.Votes, truth: np.ndarray, differ: np.ndarray) -> dict[str, dict[str, float]]:
    """Logistic regression on log votes, the mean of both votes, and each alone."""
    share = [c / c.sum(1, keepdims=True) for c in (votes.voice, votes.face)]
    features = np.log(np.hstack([votes.voice, votes.face]) + 0.5)
    said = np.zeros(len(truth), dtype=np.int64)
    for fold in range(5):
        train = votes.folds != fold
        said[~train] = (
            LogisticRegression(C=1.0, max_iter=2000).fit(features[train], truth[train]).predict(features[~train])
        )
    answers = {
        "logistic regression on log votes": said, "mean of both votes": (share[0] + share[1]).argmax(1),
        "face votes": votes.face.argmax(1), "voice votes": votes.voice.argmax(1),
    }  # fmt: skip
    return {
        k: {"accuracy": accuracy(truth, v), "differ": accuracy(truth[differ], v[differ])} for k, v in answers.items()
    }


def machine_posteriors(runs: Path) -> dict[str, object]:
    """Fusion of out-of-fold machine posteriors (person unknown) with weights that never saw RAVDESS."""
    found: dict[str, dict[int, list[list[float]]]] = {}
    truth: list[int] = []
    with (runs / "face" / "oof.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["protocol"] != "unknown" or row["features"] not in ("shipped", "acoustics"):
                continue
            rows = found.setdefault(row["features"], {}).setdefault(int(row["seed"]), [])
            rows.append([float(row[e]) for e in ravdess.EMOTIONS])
            if row["features"] == "shipped" and row["seed"] == "0":
                truth.append(mapping("ravdess").index(row["truth"]) or 0)
    fusion, labels = Fusion.load(), np.array(truth)
    faces, voices, fused, weight = [], [], [], []
    for seed in sorted(found["shipped"]):
        face, voice = (to_common(np.array(found[name][seed]), "ravdess") for name in ("shipped", "acoustics"))
        results = [fusion.weigh({"face": f, "voice": v}) for f, v in zip(face, voice, strict=True)]
        faces.append(face)
        voices.append(voice)
        fused.append(np.array([r.posterior for r in results]))
        weight.append(np.mean([r.weights["face"] for r in results]))
    judged = {n: judge(np.array(p), labels, LABELS) for n, p in (("face", faces), ("voice", voices), ("fused", fused))}
    return {**judged, "mean_weight_of_face": float(np.mean(weight))}


def main() -> int:
    """Print the table and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("HERO_DATA"), required="HERO_DATA" not in os.environ
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args()
    votes = cremad.votes(args.data)
    votes = votes.take(cremad.majority(votes.both) != cremad.TIED)
    truth, voice, face = (cremad.majority(c) for c in (votes.both, votes.voice, votes.face))
    differ = (voice != cremad.TIED) & (face != cremad.TIED) & (voice != face)
    found = out_of_fold(args.runs / "fusion" / "oof.csv", votes)
    scores = {c: judge(p, truth, cremad.ANSWERS) for c, p in found.items()}
    scores["differ"] = judge(found["both"][:, differ], truth[differ], cremad.ANSWERS)
    beside, machine = baselines(votes, truth, differ), machine_posteriors(args.runs)
    clips = {"all": len(truth), "differ": int(differ.sum())}
    return publish(
        "heads_fusion", bars_of(scores, beside, machine),
        {"clips": clips, "scores": scores, "baselines": beside, "machine": machine},
    )  # fmt: skip


def bars_of(scores: dict, beside: dict, machine: dict) -> list[Bar]:
    """What was asked for: accuracy on votes, no loss on machine posteriors, calibration."""
    bars = []
    for name, bar in BARS.items():
        low, high = scores[name]["interval"]
        bars.append(Bar(f"votes, {name}: accuracy", scores[name]["accuracy"], bar, note=f"[{low:.3f}, {high:.3f}]"))
    for name in ("voice", "face"):
        alone = beside[f"{name} votes"]["accuracy"]
        bars.append(
            Bar(f"votes, {name} alone: accuracy", scores[name]["accuracy"], alone, note="bar: its own majority")
        )
    better = max(machine["face"]["weighted_f1"], machine["voice"]["weighted_f1"])
    bars.append(
        Bar("machine posteriors: weighted F1", machine["fused"]["weighted_f1"], better, note="bar: better one alone")
    )
    judged = {**{f"votes, {n}": scores[n] for n in CALIBRATED}, "machine posteriors": machine["fused"]}
    for name, r in judged.items():
        bars.append(Bar(f"{name}: ECE", r["ece"], r["ece_ceiling"], at_least=False, note=f"Brier {r['brier']:.3f}"))
    return bars


if __name__ == "__main__":
    sys.exit(main())
