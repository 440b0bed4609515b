"""Train the voice emotion head on RAVDESS speech, five folds by actor, then on all actors.

    python recipes/heads/voice.py --data $HERO_DATA --out runs/voice [--folds-only | --final] [--seeds 5]

Writes under --out: `features/` (cache), `inner/` and `outer/` (scores of held-out actors),
`fold{k}/voice_emotion.safetensors` (seed 0 of the fold), `oof.csv` (file, actor, label, seed, 8 probabilities).
`--final` writes the packaged weights and their card. Every step that is on disk already is skipped.

Selection is nested: for test fold k, view, shrinkage and mixing factors are chosen on each other fold j by learners
that saw neither k nor j. The ten learners without {j, k} serve both folds, and ten without three folds tell how surer
scores get with more actors. The packaged weights choose on the five outer folds' held-out scores. The perceptrons'
size, epochs and optimiser are constants (see `voice_fit.py`).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import scipy.stats
import torch
import voice_copies
import voice_fit

from hero import labels, weights
from hero.evaluate import metrics
from hero.observe.heads.networks import log_softmax
from hero.observe.heads.voice import NAME

FOLDS = 5
COPIES_PER_SEED = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/voice"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--folds-only", action="store_true")
    only.add_argument("--final", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    clips = voice_copies.read_clips(args.data)
    cache = args.out / "features"
    features = np.stack([voice_copies.vectors(clips, copy, cache) for copy in range(voice_copies.COPIES + 1)])
    run = Run(clips, features, args.out)
    mixtures = [choose_mixture(run, k) for k in range(FOLDS)]
    for k, mixture in enumerate(mixtures):
        print(f"fold {k}: {mixture}", flush=True)
    for seed in range(args.seeds):
        for k in range(FOLDS):
            run.outer(k, seed, mixtures[k])
        score(run, mixtures, seed)
    write_out_of_fold(run, mixtures, args.seeds)
    if not args.folds_only:
        write_final(run, mixtures, args.seeds)


class Run:
    """Fits learners on chosen folds and keeps their scores on disk."""

    def __init__(self, clips: voice_copies.Clips, features: np.ndarray, out: Path) -> None:
        self.clips, self.features, self.out = clips, features, out  # features (V, B, D)

    def learn(self, without: tuple[int, ...], seed: int) -> voice_fit.Learned:
        """Fit on the clips and six copies, drawn by the seed, of the folds that are not left out."""
        rows = np.flatnonzero(~np.isin(self.clips.fold, without))
        drawn = 1 + np.random.default_rng(seed).choice(voice_copies.COPIES, COPIES_PER_SEED, replace=False)
        copies = [0, *drawn]
        stacked = np.concatenate([self.features[copy, rows] for copy in copies])
        return voice_fit.learn(stacked, np.tile(self.clips.label[rows], len(copies)), seed=seed)

    def inner(self, *left_out: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Scores on the left-out folds by learners that saw none of them."""
        without = tuple(sorted(left_out))
        path = self.out / "inner" / f"without{''.join(map(str, without))}.npz"
        if not path.is_file():
            learned = self.learn(without, seed=0)
            kept: dict[str, np.ndarray] = {}
            for fold in without:
                kept[f"linear{fold}"], kept[f"votes{fold}"] = voice_fit.scores(learned, self.held_out(fold))
            save(path, kept)
        stored = np.load(path)
        return {fold: (stored[f"linear{fold}"], stored[f"votes{fold}"]) for fold in without}

    def outer(self, fold: int, seed: int, mixture: voice_fit.Mixture) -> tuple[np.ndarray, np.ndarray]:
        """Scores on the test fold; seed 0 also writes the fold's weights."""
        path = self.out / "outer" / f"fold{fold}seed{seed}.npz"
        if not path.is_file():
            learned = self.learn((fold,), seed)
            if seed == 0:
                seen = [actor for actor in range(1, 21) if (actor - 1) // 4 != fold]
                write_weights(self.out / f"fold{fold}", voice_fit.tensors(learned, mixture), mixture, seen, {})
            linear, votes = voice_fit.scores(learned, self.held_out(fold))
            save(path, {"linear": linear, "votes": votes})
        stored = np.load(path)
        return stored["linear"], stored["votes"]

    def held_out(self, fold: int) -> np.ndarray:
        """Unaltered vectors of a fold."""
        return self.features[0, self.clips.fold == fold]


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays so that a broken-off run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.rename(path)


def choose_mixture(run: Run, test: int) -> voice_fit.Mixture:
    """Setting and factors for a test fold, from the four other folds held out in turn, then sharpened.

    The learners inside were fitted on 12 actors, the fold's own on 16. More actors make surer scores; how much so is
    read from learners on 8 actors.
    """
    others = [fold for fold in range(FOLDS) if fold != test]
    mixture = voice_fit.choose(*gather(run, [(fold, run.inner(fold, test)[fold]) for fold in others]))
    fewer = [(fold, run.inner(fold, test, also)[fold]) for fold in others for also in others if also != fold]
    return voice_fit.sharpened(mixture, *gather(run, fewer), actors=(8, 12, 16))


def gather(
    run: Run, scored: list[tuple[int, tuple[np.ndarray, np.ndarray]]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Held-out scores of several folds behind one another: linear (G, B, C), votes (B, C), label (B,)."""
    label = np.concatenate([run.clips.label[run.clips.fold == fold] for fold, _ in scored])
    return np.concatenate([s[0] for _, s in scored], axis=1), np.concatenate([s[1] for _, s in scored]), label


def out_of_fold(run: Run, mixtures: list[voice_fit.Mixture], seed: int) -> np.ndarray:
    """Probabilities (B, 8) of every clip by learners that never heard its actor."""
    probs = np.zeros((len(run.clips.paths), len(labels.mapping("ravdess").sources)))
    for fold, mixture in enumerate(mixtures):
        linear, votes = run.outer(fold, seed, mixture)
        chosen = linear[voice_fit.SETTINGS.index(mixture.setting)]
        mixed = log_softmax(mixture.linear_factor * chosen + mixture.net_factor * votes)
        probs[run.clips.fold == fold] = np.exp(mixed)
    return probs / probs.sum(1, keepdims=True)


def score(run: Run, mixtures: list[voice_fit.Mixture], seed: int) -> None:
    """Print the weighted F1 of one seed and of its parts."""
    label, parts = run.clips.label, {}
    parts["head"] = out_of_fold(run, mixtures, seed)
    for name in ("linear", "votes"):
        table = np.zeros_like(parts["head"])
        for fold, mixture in enumerate(mixtures):
            linear, votes = run.outer(fold, seed, mixture)
            chosen = linear[voice_fit.SETTINGS.index(mixture.setting)] if name == "linear" else votes
            table[run.clips.fold == fold] = chosen
        parts[name] = table
    found = {name: metrics.weighted_f1(label, table.argmax(1)) for name, table in parts.items()}
    print(f"seed {seed}: weighted F1", {name: round(value, 4) for name, value in found.items()}, flush=True)


def write_out_of_fold(run: Run, mixtures: list[voice_fit.Mixture], seeds: int) -> None:
    """All seeds' held-out probabilities as one table."""
    classes = labels.mapping("ravdess").sources
    with (run.out / "oof.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "actor", "label", "seed", *classes])
        for seed in range(seeds):
            probs = out_of_fold(run, mixtures, seed)
            for index, path in enumerate(run.clips.paths):
                row = [path.name, run.clips.actor[index], classes[run.clips.label[index]], seed]
                writer.writerow([*row, *(f"{p:.6f}" for p in probs[index])])


def write_final(run: Run, mixtures: list[voice_fit.Mixture], seeds: int) -> None:
    """Weights trained on all actors, the mixture chosen on the five folds' held-out scores of seed 0."""
    pairs = [(fold, other) for fold in range(FOLDS) for other in range(FOLDS) if other != fold]
    held = [(fold, run.outer(fold, 0, mixtures[fold])) for fold in range(FOLDS)]
    mixture = voice_fit.choose(*gather(run, held))
    fewer = [(fold, run.inner(fold, other)[fold]) for fold, other in pairs]
    mixture = voice_fit.sharpened(mixture, *gather(run, fewer), actors=(12, 16, 20))
    print(f"all actors: {mixture}", flush=True)
    learned = run.learn((), seed=0)
    truth = run.clips.label
    f1 = np.array([metrics.weighted_f1(truth, out_of_fold(run, mixtures, seed).argmax(1)) for seed in range(seeds)])
    half = scipy.stats.t.ppf(0.975, seeds - 1) * f1.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else 0.0
    scores = {"weighted_f1_mean": round(float(f1.mean()), 4), "weighted_f1_half_interval": round(float(half), 4)}
    write_weights(weights.PACKAGED, voice_fit.tensors(learned, mixture), mixture, list(range(1, 21)), scores)


def write_weights(
    folder: Path,
    tensors: dict[str, np.ndarray],
    mixture: voice_fit.Mixture,
    actors: list[int],
    scores: dict[str, float],
) -> None:
    """The safetensors file with its card."""
    card = {
        "name": NAME,
        "data": "RAVDESS speech (Livingstone & Russo 2018), doi 10.1371/journal.pone.0196391",
        "licence": "CC BY-NC-SA 4.0",
        "commercial": False,
        "ids_seen": [f"ravdess:actor:{actor:02d}" for actor in actors],
        "split": "five folds by actor: 1-4, 5-8, 9-12, 13-16, 17-20",
        "classes": list(labels.mapping("ravdess").sources),
        "setting": f"views {'+'.join(mixture.setting[0])}, shrinkage {mixture.setting[1]}",
        "recipe": "recipes/heads/voice.py",
        "limits": "acted North American English, two sentences, studio sound, adults; one voice at a time",
        "scores": scores,
    }
    weights.write(folder / f"{NAME}.safetensors", tensors, card)


if __name__ == "__main__":
    main()
