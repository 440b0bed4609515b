"""Judge the heads on the RAVDESS feature table: out-of-fold scores against bars, and classic models beside them.

    HERO_DATA=... python benchmarks/heads_face.py [--runs runs]

Reads what `recipes/heads/face.py` wrote under --runs and writes `benchmarks/results/heads_face.json`.
`shipped` are the 17 action units of the OpenFace schema (means and spreads), out of the table's 20.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path

import numpy as np
from bars import Bar, publish
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from hero.data.formats import ravdess
from hero.evaluate.metrics import (
    accuracy,
    bootstrap_interval,
    brier,
    ece,
    ece_ceiling,
    macro_f1,
    per_class_f1,
    uar,
    weighted_f1,
)

BARS = {
    ("shipped", "unknown"): (0.54, 0.54), ("aus+mouth+acoustics", "unknown"): (0.72, 0.72),
    ("shipped", "own"): (0.70, 0.76), ("aus+mouth+acoustics", "own"): (0.81, 0.86),
}  # fmt: skip
GROUPS: dict[str, tuple[ravdess.Group, ...]] = {"aus": ("aus",), "aus+mouth+acoustics": ("aus", "mouth", "acoustics")}
Key = tuple[str, str]

NAMES = {"shipped": "17 AUs", "acoustics": "acoustics", "aus+mouth+acoustics": "AUs + mouth + acoustics"}
PROTOCOLS = {"unknown": "person unknown", "own": "own baseline"}


def out_of_fold(path: Path) -> tuple[dict[Key, np.ndarray], np.ndarray]:
    """Posteriors (seeds, N, 8) of each feature set and protocol, and the true classes (N,)."""
    found: dict[Key, dict[int, list[list[float]]]] = {}
    truth: list[int] = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            rows = found.setdefault((row["features"], row["protocol"]), {}).setdefault(int(row["seed"]), [])
            rows.append([float(row[e]) for e in ravdess.EMOTIONS])
            if (row["features"], row["protocol"], row["seed"]) == ("shipped", "unknown", "0"):
                truth.append(ravdess.EMOTIONS.index(row["truth"]))
    return {key: np.array([seeds[s] for s in sorted(seeds)]) for key, seeds in found.items()}, np.array(truth)


def judge(probs: np.ndarray, truth: np.ndarray) -> dict[str, object]:
    """Mean over seeds; the interval is a bootstrap over clips of the posterior's mean over seeds."""
    said = probs.argmax(2)  # (seeds, N)
    mean = probs.mean(0)
    return {
        "weighted_f1": float(np.mean([weighted_f1(truth, s) for s in said])),
        "by_seed": [round(weighted_f1(truth, s), 4) for s in said],
        "interval": bootstrap_interval(weighted_f1, truth, said[0]),
        "macro_f1": float(np.mean([macro_f1(truth, s) for s in said])),
        "accuracy": float(np.mean([accuracy(truth, s) for s in said])),
        "uar": float(np.mean([uar(truth, s) for s in said])),
        "per_class_f1": dict(zip(ravdess.EMOTIONS, per_class_f1(truth, said[0], classes=8).round(3).tolist(), strict=True)),
        "ece": float(np.mean([ece(p, truth) for p in probs])),
        "ece_ceiling": float(np.mean([ece_ceiling(p, draws=500) for p in probs])),
        "brier": float(np.mean([brier(p, truth) for p in probs])),
        "ece_of_mean": ece(mean, truth),
    }  # fmt: skip


def others(table: ravdess.FeatureTable, values: np.ndarray) -> np.ndarray:
    """Each clip standardised over the same person's other clips."""
    z = np.empty_like(values)
    for i, actor in enumerate(table.actors):
        same = table.actors == actor
        same[i] = False
        z[i] = (values[i] - np.nanmean(values[same], 0)) / (np.nanstd(values[same], 0) + 1e-6)
    return z


def classic(table: ravdess.FeatureTable, values: np.ndarray) -> dict[str, float]:
    """Weighted F1 of four classic models under the same folds."""
    models = {
        "logistic regression": LogisticRegression(C=0.1, max_iter=3000), "SVM": SVC(C=3.0, random_state=0),
        "LDA": LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3),
        "random forest": RandomForestClassifier(300, random_state=0),
    }  # fmt: skip
    scores = {}
    for name, model in models.items():
        said = np.zeros(len(values), dtype=np.int64)
        for fold in range(ravdess.FOLDS):
            train = table.folds != fold
            pipe = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)
            said[~train] = pipe.fit(values[train], table.labels[train]).predict(values[~train])
        scores[name] = round(weighted_f1(table.labels, said), 4)
    return scores


def main() -> int:
    """Print the table and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("HERO_DATA"), required="HERO_DATA" not in os.environ
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args()
    found, truth = out_of_fold(args.runs / "face" / "oof.csv")
    scores = {key: judge(probs, truth) for key, probs in found.items()}
    bars = []
    for key, (bar, aim) in BARS.items():
        r = scores[key]
        low, high = r["interval"]
        bars.append(
            Bar(
                f"{NAMES[key[0]]}, {PROTOCOLS[key[1]]}: weighted F1",
                r["weighted_f1"],
                bar,
                note=f"[{low:.3f}, {high:.3f}] aim {aim}",
            )
        )
    for key, r in scores.items():
        bars.append(
            Bar(
                f"{NAMES[key[0]]}, {PROTOCOLS[key[1]]}: ECE",
                r["ece"],
                r["ece_ceiling"],
                at_least=False,
                note=f"Brier {r['brier']:.3f}",
            )
        )
    table = ravdess.feature_table(args.data)
    beside = {}
    for name, groups in GROUPS.items():
        values = table.select(*groups)
        beside[name] = {"unknown": classic(table, values), "own": classic(table, others(table, values))}
    return publish("heads_face", bars, {"scores": {", ".join(k): v for k, v in scores.items()}, "classic": beside})


if __name__ == "__main__":
    sys.exit(main())
