"""Does the synergy model tell the right sound from one shifted by 0.5 s, on real speakers it has not seen?

    HERO_DATA=<folder> python benchmarks/synergy.py [--seeds 3] [--workers 2]

Real clips: 11 GRID sentences and the RAVDESS video. The speakers were told apart by looking at the faces: `pwij3p` and
`id2_vcd_swwp2s` show one man, all others differ, which makes 11 speakers. Models are trained on talking portraits that say
recorded speech (RAVDESS actor 1, who is also in the video, takes no part) and tuned on the real clips of all speakers but
one, who is then judged (`recipes/synergy_fit.py: out_of_fold`); every setting was fixed before, on portraits of other
speakers (a first version, on easier portraits, was looked at once on the real clips: AUC 0.90 before tuning). Windows of
2 s are cut from the clip, without padding, in squares of two places 0.5 s apart: both right pairs and both wrong ones.
AUC: the mean over seeds with every clip weighing the same; its interval: bootstrap over speakers.
`before tuning` is the same model that has seen portraits only. Controls see the sound or the picture alone, trained the
same way. The embedded measure is `near_r` of `hero.observe.synergy.sync` on the same windows. Tracks, films and pretrained
models are kept under `runs/synergy` and made anew where they are missing. Writes `results/synergy.json`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from bars import Bar, publish

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))
import synergy as recipe
import synergy_fit
from synergy_fit import Blind, Judged

from hero.data.sync_pairs import Pair, Sides, observed, read_clip
from hero.observe.synergy.sync import judge, pair_up

OUT = Path(__file__).parents[1] / "runs" / "synergy"
SPEAKERS = Path(recipe.__file__).with_name("synergy") / "speakers.csv"
IN_THE_VIDEO = "Actor_01"
SHIFT_S = 0.5
OTHER_SHIFTS_S = (0.2, 0.3, 0.9)
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Job:
    """One model to train and judge leaving one speaker out at a time."""

    seed: int
    blind: Blind


@dataclass(frozen=True, eq=False)
class Result:
    """Logits (B,) of the test pairs before and after tuning, AUC on portraits, and AUC after tuning at other shifts."""

    before: np.ndarray
    after: np.ndarray
    portraits: float
    other_shifts: dict[str, float]


def run(job: Job, real: list[Sides], made: recipe.Made, fit: synergy_fit.Fit) -> Result:
    """Train one model on portraits, then tune and judge it leaving out one speaker at a time."""
    import torch

    torch.set_num_threads(1)
    model = recipe.pretrained(made, fit, job.seed, OUT, job.blind)
    before = synergy_fit.judge(model, real, fit, shift_s=SHIFT_S, blind=job.blind)
    shifts_s = (SHIFT_S, *OTHER_SHIFTS_S)
    after = synergy_fit.out_of_fold(model, real, made.train, fit, seed=job.seed, blind=job.blind, shifts_s=shifts_s)
    apart = np.repeat([abs(pair.seen_s - pair.heard_s) for pair in after.pairs[2::4]], 4)  # of each square
    by_shift = {}
    for shift_s in shifts_s:
        rows = np.flatnonzero(np.abs(apart - shift_s) < 0.01)
        pairs = [after.pairs[row] for row in rows]
        by_shift[shift_s] = Judged(pairs, after.scores[rows])
    return Result(
        before.scores, by_shift.pop(SHIFT_S).scores, synergy_fit.judge(model, made.judge, fit, blind=job.blind).auc(),
        {f"{shift_s} s": judged.auc(even(judged.pairs)) for shift_s, judged in by_shift.items()},
    )  # fmt: skip


def near_r(paths: Sequence[Path], pairs: Sequence[Pair], window_s: float) -> np.ndarray:
    """The embedded lip-sync measure (B,) of the same pairs, from the tracks as measured."""
    raw = [observed(path, OUT / "tracks") for path in paths]
    values = []
    for pair in pairs:
        seen, heard = raw[pair.seen], raw[pair.heard]
        assert not isinstance(seen, str) and not isinstance(heard, str)
        late = replace(heard[1], times_s=heard[1].times_s + pair.seen_s - pair.heard_s)
        joined = pair_up(seen[0], late)
        first, last = np.searchsorted(joined.times_s, (pair.seen_s, pair.seen_s + window_s))
        sync = judge(joined.part(int(first), int(last)))
        values.append(sync.near_r if sync else 0.0)
    return np.array(values)


def even(pairs: Sequence[Pair]) -> np.ndarray:
    """Weights (B,) with which every clip counts the same."""
    clip = np.array([pair.seen for pair in pairs])
    return 1.0 / np.bincount(clip)[clip]


def interval(pairs: Sequence[Pair], scores: Sequence[np.ndarray], speakers: Sequence[str]) -> list[float]:
    """95 % interval of the mean AUC over `scores`, speakers drawn with replacement."""
    rng = np.random.default_rng(0)
    names = sorted(set(speakers))
    who = np.array([names.index(speakers[pair.seen]) for pair in pairs])
    weights = even(pairs)
    found = []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        found.append(np.mean([Judged(list(pairs), s).auc(weights * times[who]) for s in scores]))
    return [round(float(v), 3) for v in np.percentile(found, (2.5, 97.5))]


def by_clip(pairs: Sequence[Pair], scores: Sequence[np.ndarray], names: Sequence[str]) -> dict[str, float]:
    """Mean AUC over `scores` inside each clip."""
    clip = np.array([pair.seen for pair in pairs])
    return {
        name: round(float(np.mean([Judged(list(pairs), s).auc((clip == n).astype(float)) for s in scores])), 3)
        for n, name in enumerate(names)
        if (clip == n).any()
    }


def calibration_error(pairs: Sequence[Pair], scores: np.ndarray, speakers: Sequence[str]) -> float:
    """Expected calibration error in 10 bins of the probability, scale and shift fitted without the speaker judged."""
    truth = np.array([pair.belongs for pair in pairs], float)
    who = np.array([speakers[pair.seen] for pair in pairs])
    chance = np.zeros(len(pairs))
    for name in set(speakers):
        others = [pair for pair, one in zip(pairs, who, strict=True) if one != name]
        scale, shift = synergy_fit.calibrated(Judged(others, scores[who != name]))
        chance[who == name] = 1 / (1 + np.exp(-(scale * scores[who == name] + shift)))
    box, weights = np.minimum((chance * 10).astype(int), 9), even(pairs)
    gaps = [abs(((truth - chance) * weights)[box == k].sum()) for k in range(10)]
    return round(float(sum(gaps) / weights.sum()), 3)


def main() -> int:
    """Train, judge, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    folder = os.environ.get("HERO_DATA")
    if not folder or not Path(folder).is_dir():
        print("HERO_DATA does not name a folder with the real clips; nothing was measured")
        return 0
    data, preset = Path(folder), recipe.load_preset("embedded")
    speech = [data / "ravdess_speech", data / "speech" / "librivox", data / "speech" / "jfk.flac"]
    made = recipe.portraits(speech, preset, OUT, without=(IN_THE_VIDEO,))
    paths = [*sorted((data / "grid").glob("*.mpg")), *sorted((data / "ravdess_video").glob("*.mp4"))]
    who = recipe.read_speakers(SPEAKERS)
    clips = {p: read_clip(p, who.get(p.name, p.stem), OUT / "tracks") for p in paths}
    real = [sides for sides in clips.values() if isinstance(sides, Sides)]
    paths = [path for path, sides in clips.items() if isinstance(sides, Sides)]
    jobs = [Job(seed, "") for seed in range(args.seeds)] + [Job(0, "picture"), Job(0, "sound")]
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        done = [pool.submit(run, job, real, made, preset.fit) for job in jobs]
        results = [one.result() for one in done]
    return report(real, paths, made, preset.fit, args.seeds, results)


def report(
    real: list[Sides], paths: list[Path], made: recipe.Made, fit: synergy_fit.Fit, seeds: int,
    results: list[Result],
) -> int:  # fmt: skip
    """Bars and details."""
    pairs = synergy_fit.shifted_pairs(real, fit, SHIFT_S)
    speakers, names = [sides.speaker for sides in real], [sides.name for sides in real]
    full = results[:seeds]
    columns = {
        "model": [np.array(r.after) for r in full],
        "before tuning": [np.array(r.before) for r in full],
        "sound only": [np.array(results[seeds].after)],
        "picture only": [np.array(results[seeds + 1].after)],
        "embedded measure": [near_r(paths, pairs, fit.window_s)],
    }
    weights = even(pairs)
    auc = {name: [round(Judged(pairs, s).auc(weights), 3) for s in scores] for name, scores in columns.items()}
    spans = {name: interval(pairs, scores, speakers) for name, scores in columns.items()}
    details = {
        "auc": {name: {"mean": round(float(np.mean(v)), 3), "seeds": v, "interval": spans[name]} for name, v in auc.items()},
        "auc at other shifts": {
            key: round(float(np.mean([r.other_shifts[key] for r in full])), 3) for key in full[0].other_shifts
        },
        "by clip": {name: by_clip(pairs, columns[name], names) for name in ("model", "embedded measure")},
        "calibration error": [calibration_error(pairs, s, speakers) for s in columns["model"]],
        "pairs": len(pairs), "clips": len(real), "speakers": len(set(speakers)),
        "portraits": {"filmed and landmark-only, trained on": len(made.train), "judged on": len(made.judge),
                      "filmed": sum(s.name.endswith(".mp4") for s in made.train),
                      "auc of other speakers": [round(r.portraits, 3) for r in full]},
        "remark": "controls can only guess on squares of pairs, whatever they learned: the bar guards the pairing. "
        "Sentences are shorter than the window, so that each window holds their beginning or end",
    }  # fmt: skip
    bars = [
        Bar("AUC, right against shifted by 0.5 s, unseen speakers, lower bound", spans["model"][0], 0.5 + 1e-9,
            note=f"mean {np.mean(auc['model']):.3f}; embedded measure {auc['embedded measure'][0]:.3f}"),
        Bar("AUC, sound only", auc["sound only"][0], 0.55, at_least=False),
        Bar("AUC, picture only", auc["picture only"][0], 0.55, at_least=False),
    ]  # fmt: skip
    return publish("synergy", bars, details)


if __name__ == "__main__":
    sys.exit(main())
