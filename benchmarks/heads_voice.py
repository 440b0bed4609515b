"""Voice emotion on RAVDESS speech, eight classes, five folds by actor, speaker unknown: measured against the bar.

Reads the held-out predictions of `recipes/heads/voice.py` (`runs/voice/oof.csv`) and the weights of its folds; where
they are absent the recipe is run first. Beside them: an MFCC + SVM baseline under the same protocol, calibration, and
the same clips 12 dB softer and louder and in mild noise through the shipped code path, each with its fold's weights.

    HERO_DATA=... python benchmarks/heads_voice.py
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from bars import Bar, publish

from hero.data.formats import ravdess
from hero.evaluate import metrics
from hero.labels import mapping, to_common
from hero.observe.heads import spectra
from hero.observe.heads.contours import cosine
from hero.observe.heads.voice import NAME, VoiceHead
from hero.weights import PACKAGED

ROOT = Path(__file__).parents[1]
RUN = ROOT / "runs" / "voice"
CLASSES = mapping("ravdess").sources
BAR, AIM = 0.60, 0.70
SHIPPED_MB = 2.4
CHANGES = {"as recorded": (0.0, None), "12 dB softer": (-12.0, None), "12 dB louder": (12.0, None),
           "white noise 30 dB": (0.0, 30.0), "white noise 20 dB": (0.0, 20.0)}  # fmt: skip


def main() -> int:
    """Measure everything and publish it."""
    if not os.environ.get("HERO_DATA"):
        sys.exit("HERO_DATA is not set; point it at the folder with ravdess_speech")
    data = Path(os.environ["HERO_DATA"])
    if not (RUN / "oof.csv").is_file():
        recipe = ROOT / "recipes" / "heads" / "voice.py"
        asked = ["--data", str(data), "--out", str(RUN), "--folds-only"]
        subprocess.run([sys.executable, str(recipe), *asked], check=True)
    truth, probs, actors = read_out_of_fold(RUN / "oof.csv")  # (B,), (S, B, 8), (B,)
    f1 = np.array([metrics.weighted_f1(truth, table.argmax(1)) for table in probs])
    half = half_interval(f1)
    pooled, labels = probs.reshape(-1, len(CLASSES)), np.tile(truth, len(probs))
    ece = [metrics.ece(table, truth) for table in probs]
    ceiling = [metrics.ece_ceiling(table) for table in probs]
    clips = ravdess.speech_clips(data)
    sounds = [read(clip.path) for clip in clips]
    changed, seconds = under_changes(sounds, truth, ravdess.fold_of(actors))
    size_mb = (PACKAGED / f"{NAME}.safetensors").stat().st_size / 1e6
    slow = time_of_4s(sounds)
    low, high = metrics.bootstrap_interval(metrics.weighted_f1, truth, probs[0].argmax(1))
    common_truth = np.array([mapping("ravdess").index(CLASSES[k]) for k in truth])
    details = {
        "weighted_f1_seeds": f1.round(4).tolist(),
        "weighted_f1_half_interval_95": round(half, 4),
        "bootstrap_95_seed0": [round(low, 4), round(high, 4)],
        "macro_f1_mean": round(float(np.mean([metrics.macro_f1(truth, t.argmax(1)) for t in probs])), 4),
        "accuracy_mean": round(float(np.mean([metrics.accuracy(truth, t.argmax(1)) for t in probs])), 4),
        "per_class_f1_mean": per_class(truth, probs),
        "per_fold_f1_seed0": per_fold(truth, probs[0], actors),
        "brier_mean": round(float(np.mean([metrics.brier(t, truth) for t in probs])), 4),
        "ece_15_seeds": np.round(ece, 4).tolist(),
        "ece_15_all_seeds_in_one": round(metrics.ece(pooled, labels), 4),
        "common_labels_weighted_f1_seed0": round(
            metrics.weighted_f1(common_truth, to_common(probs[0], "ravdess").argmax(1)), 4
        ),
        "baseline_mfcc_svm_weighted_f1": round(baseline(sounds, truth, actors), 4),
        "under_changes_weighted_f1_seed0": changed,
        "ms_per_clip": round(1000 * seconds, 1),
    }
    bars = [
        Bar("weighted F1, mean of seeds", float(f1.mean()), BAR, note=f"+- {half:.4f}; aim {AIM}"),
        Bar("weighted F1, aim", float(f1.mean()), AIM),
        Bar("ECE, mean of seeds", float(np.mean(ece)), float(np.mean(ceiling)), False, "95 % of a calibrated model"),
        Bar("F1 lost 12 dB softer", changed["as recorded"] - changed["12 dB softer"], 0.005, False),
        Bar("ms for a 4 s clip", 1000 * slow, 60.0, False),
        Bar("weights, MB", size_mb, SHIPPED_MB, False),
    ]
    missed = publish("heads_voice", bars, details)
    for name, value in details.items():
        print(f"  {name}: {value}")
    return 1 if missed else 0


def half_interval(values: np.ndarray) -> float:
    """Half the 95 % interval of the mean by Student's t; 0 for a single value."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def read_out_of_fold(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True class (B,), probabilities per seed (S, B, 8), actor (B,)."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    seeds = sorted({int(row["seed"]) for row in rows})
    by_seed = [[row for row in rows if int(row["seed"]) == seed] for seed in seeds]
    truth = np.array([CLASSES.index(row["label"]) for row in by_seed[0]])
    probs = np.array([[[float(row[name]) for name in CLASSES] for row in part] for part in by_seed])
    return truth, probs / probs.sum(2, keepdims=True), np.array([int(row["actor"]) for row in by_seed[0]])


def read(path: Path) -> np.ndarray:
    """Samples of a clip."""
    import soundfile

    return soundfile.read(path, dtype="float32")[0]


def per_class(truth: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """F1 of each class, mean over seeds."""
    f1 = np.mean([metrics.per_class_f1(truth, table.argmax(1), classes=len(CLASSES)) for table in probs], axis=0)
    return dict(zip(CLASSES, f1.round(4).tolist(), strict=True))


def per_fold(truth: np.ndarray, probs: np.ndarray, actors: np.ndarray) -> list[float]:
    """Weighted F1 of each fold."""
    fold = ravdess.fold_of(actors)
    return [round(metrics.weighted_f1(truth[fold == k], probs[fold == k].argmax(1)), 4) for k in range(ravdess.FOLDS)]


def under_changes(sounds: list[np.ndarray], truth: np.ndarray, fold: np.ndarray) -> tuple[dict[str, float], float]:
    """Weighted F1 of the fold weights on changed clips (a clip without an answer counts as wrong), seconds per clip."""
    heads = [VoiceHead.load(RUN / f"fold{k}") for k in range(ravdess.FOLDS)]
    out, began = {}, time.perf_counter()
    for name, (gain_db, snr_db) in CHANGES.items():
        said = []
        for index, samples in enumerate(sounds):
            probs = heads[fold[index]].posterior(change(samples, gain_db, snr_db, index))
            said.append(len(CLASSES) if probs is None else int(probs.argmax()))
        out[name] = round(metrics.weighted_f1(truth, np.array(said)), 4)
    return out, (time.perf_counter() - began) / (len(CHANGES) * len(sounds))


def change(samples: np.ndarray, gain_db: float, snr_db: float | None, seed: int) -> np.ndarray:
    """The clip at another level, or in white noise under its speech by `snr_db`."""
    out = samples * 10.0 ** (gain_db / 20.0)
    if snr_db is not None:
        first, last = spectra.speech_bounds(samples) or (0, len(samples))
        power = np.mean(samples[first:last] ** 2) * 10.0 ** (-snr_db / 10.0)
        out = out + np.sqrt(power) * np.random.default_rng(seed).standard_normal(len(out))
    return out.astype(np.float32)


def time_of_4s(sounds: list[np.ndarray], repeats: int = 20) -> float:
    """Median seconds for a clip with 4 s of speech, features and forward together."""
    head = VoiceHead.load()
    speech = np.concatenate([clip[slice(*(spectra.speech_bounds(clip) or (0, 0)))] for clip in sounds[:4]])[:64_000]
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        head.posterior(speech)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent))


def baseline(sounds: list[np.ndarray], truth: np.ndarray, actors: np.ndarray) -> float:
    """Weighted F1 of MFCC means and spreads with an RBF SVM; C chosen on held-out actors inside the training folds."""
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    table = np.stack([mfcc_statistics(samples) for samples in sounds])
    fold, said = ravdess.fold_of(actors), np.zeros(len(truth), int)
    for k in range(ravdess.FOLDS):
        train = fold != k
        search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [1, 3, 10, 30]}, cv=GroupKFold(4))
        search.fit(table[train], truth[train], groups=fold[train])
        said[~train] = search.predict(table[~train])
    return metrics.weighted_f1(truth, said)


def mfcc_statistics(samples: np.ndarray) -> np.ndarray:
    """Mean and spread of 40 MFCC and their slopes over the sounding part, (160,)."""
    first, last = spectra.speech_bounds(samples) or (0, len(samples))
    mel = 10.0 * np.log10(spectra.power_spectrum(samples[first:last]) @ spectra.mel_bank(40) + 1e-10)
    mel = np.maximum(mel, mel.max() - 80.0)
    cepstra = np.column_stack([mel.mean(1), mel @ cosine(40, 39)])
    both = np.column_stack([cepstra[2:-2], cepstra[4:] - cepstra[:-4]])
    return np.concatenate([both.mean(0), both.std(0)])


if __name__ == "__main__":
    sys.exit(main())
