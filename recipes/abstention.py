"""Choose below which confidence a verdict is an abstention: on validation predictions, by one rule.

    HERO_DATA=... python recipes/abstention.py      # reads runs/face/oof.csv, written by recipes/heads/face.py

Sets: the face alone and face with voice (RAVDESS feature table, out-of-fold, person unknown), and words alone (GoEmotions
dev). The rule: the highest threshold at which no set abstains on more than a tenth of its clips, because an abstention
should be the exception, and a verdict below it should be rare. The RAVDESS speech clips that judge the road as a whole
are not looked at. Prints coverage and accuracy for each threshold; the choice stands in presets/embedded.yaml.

Legend: N clips, 7 common labels.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

import numpy as np

from hero.data.formats import goemotions, ravdess
from hero.integrate.fusion import Fusion
from hero.labels import to_common
from hero.observe.heads.text import TextHead

MOST_ABSTAINED = 0.10
GRID = np.arange(0.20, 0.61, 0.01)


def table_posteriors(path: Path, features: str) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors (N, 7) and truth (N,) of one feature set of the RAVDESS table, seed 0, person unknown."""
    with path.open(newline="") as file:
        rows = [
            r for r in csv.DictReader(file) if (r["features"], r["protocol"], r["seed"]) == (features, "unknown", "0")
        ]
    rows.sort(key=lambda row: row["clip"])
    probs = to_common([[float(row[e]) for e in ravdess.EMOTIONS] for row in rows], "ravdess")
    truth = to_common([[float(row["truth"] == e) for e in ravdess.EMOTIONS] for row in rows], "ravdess").argmax(1)
    return probs, truth


def validation_sets(data: Path, oof: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Fused posteriors (N, 7) and truth (N,) by name."""
    fusion = Fusion.load()
    face, truth = table_posteriors(oof, "shipped")
    voice, _ = table_posteriors(oof, "acoustics")
    head = TextHead.load()
    dev = goemotions.comments(data, "dev")
    words = np.array([head.posterior(text) for text, one in zip(dev.texts, dev.single, strict=True) if one])
    said = to_common(dev.indicators[dev.single].astype(float), "goemotions_ekman").argmax(1)
    return {
        "face": (np.array([fusion.weigh({"face": p}).posterior for p in face]), truth),
        "face+voice": (
            np.array([fusion.weigh({"face": f, "voice": v}).posterior for f, v in zip(face, voice, strict=True)]),
            truth,
        ),
        "words": (np.array([fusion.weigh({"words": p}).posterior for p in words]), said),
    }


def main() -> None:
    """Print the table and the choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("HERO_DATA"), required="HERO_DATA" not in os.environ
    )
    parser.add_argument("--oof", type=Path, default=Path("runs/face/oof.csv"))
    args = parser.parse_args()
    sets = validation_sets(args.data, args.oof)
    chosen = 0.0
    for threshold in GRID:
        parts, worst = [], 0.0
        for name, (probs, truth) in sets.items():
            answered = probs.max(1) >= threshold
            worst = max(worst, float(1 - answered.mean()))
            hit = (probs.argmax(1) == truth)[answered].mean() if answered.any() else float("nan")
            parts.append(f"{name}: abstains {1 - answered.mean():.3f}, right {hit:.3f}")
        chosen = float(threshold) if worst <= MOST_ABSTAINED else chosen
        print(f"{threshold:.2f}  " + "   ".join(parts))
    print(f"chosen: {chosen:.2f}")


if __name__ == "__main__":
    main()
