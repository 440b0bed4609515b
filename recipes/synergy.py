"""Train the synergy expert's cross-modal transformer: does this sound belong to this video?

    python recipes/synergy.py --clips DIR [DIR ...] --speech DIR [FILE ...] --preset embedded --out runs/synergy [--final]
    python recipes/synergy.py --features DIR --motion motion_features.features --audio voice_features.features --out DIR

First on talking portraits that say the recorded `--speech`, then on real `--clips` with portraits still among them. With
`--features` the sides are feature tracks out of a folder that `hero observe` wrote (safetensors). `--speakers FILE` (lines
of clip,speaker) says which clips show the same person; without it every clip counts as a speaker of its own.
Reports the AUC of right pairs against 0.5 s shifts on speakers held out. Writes under --out: `tracks/`, `sounds/`,
`filmed/` (caches), `pretrained-*.safetensors`, `synergy.safetensors`, `report.json`; what lies there is not made again.
`--final` writes the weights into the package.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import synergy_fit
import synergy_portrait
import torch
import yaml
from safetensors.torch import load_file, save_file

from hero import weights
from hero.clips import VIDEO
from hero.data.sync_pairs import Sides, from_features, read_clip
from hero.errors import ConfigError, HeroError, UsageError
from hero.nn.cross_modal import CrossModalTransformer
from hero.observe.synergy.axis import AUDIO_COLUMNS, MOTION_COLUMNS
from hero.observe.synergy.learned import NAME

PRESETS = Path(__file__).with_name("synergy")
HELD_OUT_FOLDS = 4
VALIDATION = 5  # every fifth speaker of the portraits judges and is not trained on


@dataclass(frozen=True)
class Preset:
    """How many portraits are made, and how the model is trained."""

    films: int
    sounds: int
    copies: int
    film_weight: float
    fit: synergy_fit.Fit = field(default_factory=synergy_fit.Fit)


def load_preset(name: str) -> Preset:
    """The preset `recipes/synergy/<name>.yaml`; unknown keys fail."""
    path = PRESETS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.yaml")))
        raise ConfigError(f"no synergy preset is called '{name}'; known: {known}; correct --preset")
    lines: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    try:
        return Preset(**{**lines, "fit": synergy_fit.Fit(**lines.get("fit", {}))})
    except TypeError as error:
        raise ConfigError(f"{path.name}: {error}; its keys are the fields of Preset and Fit") from error


@dataclass(frozen=True, eq=False)
class Made:
    """Talking portraits: those to train on with their chances, and those of other speakers that judge."""

    train: list[Sides]
    chances: list[float]
    judge: list[Sides]


def portraits(speech: Sequence[Path], preset: Preset, out: Path, without: Sequence[str] = ()) -> Made:
    """Filmed and landmark-only portraits of recorded speech; speakers in `without` take no part."""
    files = [p for p in synergy_portrait.sound_files(speech) if synergy_portrait.speaker_of(p) not in without]
    files = synergy_portrait.shuffled(files)
    found: list[tuple[Sides, float]] = []
    if preset.films and files:
        for path, speaker in synergy_portrait.film(files, out / "filmed", limit=preset.films):
            sides = read_clip(path, speaker, out / "tracks")
            if isinstance(sides, str):
                print(f"left out: {path.name}: {sides}", flush=True)
            else:
                found.append((sides, preset.film_weight))
    if files:
        drawn = synergy_portrait.landmarks_only(files, out / "sounds", limit=preset.sounds, copies=preset.copies)
        found += [(sides, 1.0) for sides in drawn]
    speakers = sorted({sides.speaker for sides, _ in found})
    judging = set(speakers[VALIDATION - 1 :: VALIDATION])
    train = [(sides, share) for sides, share in found if sides.speaker not in judging]
    total = sum(share for _, share in train)
    return Made([s for s, _ in train], [w / total for _, w in train], [s for s, _ in found if s.speaker in judging])


def real_clips(folders: Sequence[Path], speakers: dict[str, str], cache: Path) -> list[Sides]:
    """Both sides of every clip that has them; the others are named and left out."""
    paths = sorted(p for f in folders for p in ([f] if f.is_file() else f.rglob("*")) if p.suffix.lower() in VIDEO)
    found = []
    for path in paths:
        try:
            sides = read_clip(path, speakers.get(path.name, path.stem), cache)
        except HeroError as error:
            sides = error.line
        if isinstance(sides, str):
            print(f"left out: {path.name}: {sides}", flush=True)
        else:
            found.append(sides)
    return found


def observed_clips(folder: Path, motion: str, audio: str, speakers: dict[str, str]) -> list[Sides]:
    """The named feature tracks of every observed clip that has both; the others are named and left out."""
    found = []
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            found.append(from_features(path, motion, audio, speakers.get(path.stem, path.stem)))
        except HeroError as error:
            print(f"left out: {error.line}", flush=True)
    return found


def pretrained(
    made: Made, fit: synergy_fit.Fit, seed: int, out: Path, blind: synergy_fit.Blind = ""
) -> CrossModalTransformer:
    """A model trained on portraits, kept under `out` by everything that decides it."""
    motion_dim, audio_dim = (t.values.shape[1] for t in (made.train[0].motion, made.train[0].audio))
    model = synergy_fit.build(fit, motion_dim, audio_dim, seed)
    path = out / f"pretrained-{synergy_fit.fingerprint(made.train, fit)}-{blind or 'both'}-{seed}.safetensors"
    if not path.is_file():
        synergy_fit.train(model, made.train, fit, steps=fit.steps, rate=fit.learning_rate, seed=seed, chances=made.chances,
                          blind=blind, tell=100)  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        save_file(model.state_dict(), scratch)
        scratch.replace(path)
    model.load_state_dict(load_file(path))
    return model.eval()


def read_speakers(path: Path | None) -> dict[str, str]:
    """Lines of clip,speaker."""
    if path is None:
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row[0].strip(): row[1].strip() for row in csv.reader(file) if len(row) >= 2}


def main() -> None:
    """Gather, train, judge on speakers held out, train on all, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, nargs="*", default=[], help="folders of clips in which people speak")
    parser.add_argument("--speech", type=Path, nargs="*", default=[], help="sound files, or folders of them")
    parser.add_argument("--without", nargs="*", default=[], help="speakers of --speech to leave out")
    parser.add_argument("--features", type=Path, help="folder of feature tracks (safetensors) in place of clips")
    parser.add_argument("--motion", default="motion_features.features")
    parser.add_argument("--audio", default="voice_features.features")
    parser.add_argument("--speakers", type=Path, help="file with lines of clip,speaker")
    parser.add_argument("--preset", default="embedded")
    parser.add_argument("--out", type=Path, default=Path("runs/synergy"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", default="clips and sounds of the user's own", help="what the clips and sounds are")
    parser.add_argument("--licence", default="that of the training data", help="licence of the clips and sounds")
    parser.add_argument("--commercial", action="store_true", help="the licence allows commercial use")
    parser.add_argument("--final", action="store_true", help="also write the packaged weights")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    try:
        run(args)
    except HeroError as error:
        parser.exit(error.exit_code, f"{error.line}\n")


def run(args: argparse.Namespace) -> None:
    """The whole recipe with parsed arguments."""
    preset, speakers = load_preset(args.preset), read_speakers(args.speakers)
    made = portraits(args.speech, preset, args.out, args.without)
    if args.features:
        real = observed_clips(args.features, args.motion, args.audio, speakers)
        made = Made([], [], [])  # a portrait has no encoder features
    else:
        real = real_clips(args.clips, speakers, args.out / "tracks")
    if not real and not made.train:
        raise UsageError(
            "there is nothing to train on: no clip or sound was found; name folders with --clips or --speech"
        )
    report = learn(real, made, preset, args)
    (args.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report["scores"]), flush=True)


def learn(real: list[Sides], made: Made, preset: Preset, args: argparse.Namespace) -> dict[str, Any]:
    """Train, judge and write; returns the report."""
    fit, scores = preset.fit, {}
    print(f"{len(made.train)} portraits to train on, {len(made.judge)} to judge, {len(real)} real clips", flush=True)
    if made.train:
        model = pretrained(made, fit, args.seed, args.out)
        scores["portraits of other speakers"] = synergy_fit.judge(model, made.judge, fit).auc() if made.judge else None
    else:
        model = synergy_fit.build(fit, real[0].motion.values.shape[1], real[0].audio.values.shape[1], args.seed)
    scale, shift = 1.0, 0.0
    if len({sides.speaker for sides in real}) >= 2:
        held = synergy_fit.out_of_fold(model, real, made.train, fit, seed=args.seed, folds=HELD_OUT_FOLDS)
        scale, shift = synergy_fit.calibrated(held)
        scores["real speakers held out"] = held.auc()
    if real:
        model = synergy_fit.tuned(model, real, made.train, fit, seed=args.seed)
    tensors = {name: np.ascontiguousarray(value.numpy(), np.float32) for name, value in model.state_dict().items()}
    card = make_card(real, made, preset, args, scale, shift, scores)
    for path in [args.out / f"{NAME}.safetensors", *([weights.PACKAGED / f"{NAME}.safetensors"] if args.final else [])]:
        weights.write(path, tensors, card)
    return {
        "scores": scores,
        "preset": {**asdict(preset)},
        "seed": args.seed,
        "parameters": sum(t.size for t in tensors.values()),
    }


def make_card(
    real: list[Sides], made: Made, preset: Preset, args: argparse.Namespace, scale: float, shift: float, scores: dict[str, Any]
) -> dict[str, Any]:  # fmt: skip
    """The model card stored with the weights."""
    spoken = sorted({sides.name.partition("#")[0].removesuffix(".mp4") for sides in made.train})
    columns = {"motion": args.motion, "audio": args.audio} if args.features else {
        "motion": list(MOTION_COLUMNS), "audio": list(AUDIO_COLUMNS)}  # fmt: skip
    return {
        "name": NAME, "licence": args.licence, "commercial": args.commercial,
        "data": f"{len(made.train)} talking portraits and {len(real)} real clips: {args.data}",
        "split": "shipped weights: portraits and all real clips; scores: speakers held out",
        "ids_seen": sorted(sides.name for sides in real) + spoken, "scores": scores, "scale": scale, "shift": shift,
        "window_s": preset.fit.window_s, "heads": preset.fit.heads, **columns,
    }  # fmt: skip


if __name__ == "__main__":
    main()
