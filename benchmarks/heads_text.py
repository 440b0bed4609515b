"""Judge the text head on GoEmotions test (Ekman grouping): macro-F1, calibration, size and time per sentence.

    HERO_DATA=... python benchmarks/heads_text.py

Runs the packaged weights through the shipped code, a TF-IDF baseline beside it, and writes
`benchmarks/results/heads_text.json`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from bars import Bar, publish
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from hero import weights
from hero.data.formats import goemotions
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
from hero.labels import LABELS, mapping
from hero.observe.heads.text import NAME, TextHead


def baseline(data: Path) -> float:
    """Macro-F1 of TF-IDF word pairs with logistic regression, thresholds chosen on dev."""
    train, dev, test = (goemotions.comments(data, split) for split in ("train", "dev", "test"))
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    rows, dev_rows, test_rows = (
        words.fit_transform(train.texts),
        words.transform(dev.texts),
        words.transform(test.texts),
    )
    said = np.zeros_like(test.indicators)
    for k in range(said.shape[1]):
        model = LogisticRegression(C=4.0, solver="liblinear", random_state=0).fit(rows, train.indicators[:, k])
        odds, truth = model.predict_proba(dev_rows)[:, 1], dev.indicators[:, k]
        cuts = np.linspace(0.02, 0.8, 79)
        f1 = [2 * ((odds > c) & (truth == 1)).sum() / max((odds > c).sum() + truth.sum(), 1) for c in cuts]
        said[:, k] = model.predict_proba(test_rows)[:, 1] > cuts[int(np.argmax(f1))]
    return macro_f1(test.indicators, said)


def main() -> int:
    """Print the table and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("HERO_DATA"), required="HERO_DATA" not in os.environ
    )
    args = parser.parse_args()
    test, head = goemotions.comments(args.data, "test"), TextHead.load()
    truth = (test.indicators @ mapping("goemotions_ekman").matrix()).astype(np.int64)  # (N, 7)
    start_s = time.perf_counter()
    posterior = np.array([head.posterior(text) for text in test.texts])
    each_ms = 1000 * (time.perf_counter() - start_s) / len(test.texts)
    scores = np.array([head.scores(text) for text in test.texts])
    said = np.array([head.labels(text) for text in test.texts])
    one = test.single
    single = truth[one].argmax(1)
    low, high = bootstrap_interval(macro_f1, truth, said)
    size_mb = weights.path_of(NAME).stat().st_size / 1e6
    bars = [
        Bar("macro-F1, test", macro_f1(truth, said), 0.60, note=f"[{low:.3f}, {high:.3f}] BERT published 0.64"),
        Bar("ECE of the posterior, one-label comments", ece(posterior[one], single), ece_ceiling(posterior[one]),
            at_least=False, note=f"Brier {brier(posterior[one], single):.3f}"),
        Bar("ECE of the seven scores, pooled", ece(scores.ravel(), truth.ravel()), ece_ceiling(scores.ravel(), draws=300),
            at_least=False, note=f"Brier {brier(scores.ravel(), truth.ravel()):.4f}"),
        Bar("size, MB", size_mb, 1.3, at_least=False),
        Bar("time per sentence, ms", each_ms, 3.0, at_least=False),
    ]  # fmt: skip
    details = {
        "per_class_f1": dict(zip(LABELS, per_class_f1(truth, said).round(4).tolist(), strict=True)),
        "weighted_f1": weighted_f1(truth, said), "one_label_accuracy": accuracy(single, posterior[one].argmax(1)),
        "comments": len(test.texts), "tf-idf and logistic regression": baseline(args.data),
    }  # fmt: skip
    return publish("heads_text", bars, details)


if __name__ == "__main__":
    sys.exit(main())
