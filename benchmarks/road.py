"""The road as a whole: every RAVDESS speech clip through `analyze` as sound only, each with the weights of its fold.

The answer (or abstention) of the whole product is held against the head alone on the same clips with the same weights:
the road may not lose what the head knows. Calm and neutral are one class of the common label set.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from bars import RUNS, Bar, publish

from hero.data.formats.ravdess import SpeechClip, fold_of, speech_clips
from hero.evaluate.metrics import macro_f1, per_class_f1, weighted_f1
from hero.labels import LABELS, mapping

ROOT = Path(__file__).parents[1]
CACHE = RUNS / "road.csv"
FIELDS = ["file", "truth", "road", "abstained", "best", "head"]


def one(job: tuple[str, str, str, str]) -> dict[str, object]:
    """One clip: the product's answer, whether it abstained, and the head's answer on the whole sound."""
    from hero.labels import to_common
    from hero.media.clip import Clip
    from hero.observe.heads.voice import VoiceHead
    from hero.pipeline import analyze

    path, name, truth, folder = job
    clip = Clip.open(path)
    analysis = analyze(clip, weights_folder=Path(folder))
    case = analysis.case
    road = LABELS[int(np.argmax(case.posterior))] if case.posterior is not None else ""
    samples = np.concatenate([block.samples for block in clip.sound()])
    head = VoiceHead.load(Path(folder)).posterior(samples, 16_000)
    common = to_common(head, "ravdess") if head is not None else np.ones(7) / 7
    best = float(case.posterior.max()) if case.posterior is not None else 0.0
    return {
        "file": name, "truth": truth, "road": road, "abstained": int(analysis.verdict.abstained),
        "best": round(best, 4), "head": LABELS[int(np.argmax(common))],
    }  # fmt: skip


def main() -> int:
    """Run all clips (resumable through runs/bench/road.csv) and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=Path, default=ROOT / "runs" / "voice", help="folder with fold0..fold4 weights")
    parser.add_argument("--fresh", action="store_true", help="start again")
    options = parser.parse_args()
    data = Path(os.environ["HERO_DATA"])
    if options.fresh:
        CACHE.unlink(missing_ok=True)
    done = {row["file"]: row for row in _read()}
    jobs = [_job(clip, options.folds) for clip in speech_clips(data) if clip.clip_id not in done]
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with CACHE.open("a", newline="") as file, ProcessPoolExecutor(os.cpu_count()) as pool:
        writer = csv.DictWriter(file, FIELDS)
        if not done:
            writer.writeheader()
        for number, row in enumerate(pool.map(one, jobs, chunksize=4), 1):
            writer.writerow(row)
            if number % 100 == 0:
                print(f"{number} of {len(jobs)}", flush=True)
    return _publish(_read())


def _job(clip: SpeechClip, folds: Path) -> tuple[str, str, str, str]:
    truth = mapping("ravdess").classes[clip.emotion]
    assert truth is not None
    return str(clip.path), clip.clip_id, truth, str(folds / f"fold{int(fold_of(np.array([clip.actor]))[0])}")


def _read() -> list[dict[str, str]]:
    return list(csv.DictReader(CACHE.open())) if CACHE.is_file() else []


def _publish(rows: list[dict[str, str]]) -> int:
    truth = np.array([LABELS.index(r["truth"]) for r in rows])
    head = np.array([LABELS.index(r["head"]) for r in rows])
    answered = np.array([r["abstained"] == "0" for r in rows])
    road = np.array([LABELS.index(r["road"]) if r["road"] else -1 for r in rows])
    f1_road = weighted_f1(truth[answered], road[answered], classes=len(LABELS))
    f1_head = weighted_f1(truth[answered], head[answered], classes=len(LABELS))
    bars = [
        Bar("share of abstentions", float(1 - answered.mean()), 0.20, at_least=False),
        Bar("weighted F1, road minus head (answered clips)", f1_road - f1_head, -0.02),
    ]
    n = len(LABELS)
    each = np.round(per_class_f1(truth[answered], road[answered], classes=n), 3)
    details = {
        "clips": len(rows),
        "weighted_f1_road_answered": round(f1_road, 4),
        "weighted_f1_head_answered": round(f1_head, 4),
        "weighted_f1_head_all": round(weighted_f1(truth, head, classes=n), 4),
        "macro_f1_road_answered": round(macro_f1(truth[answered], road[answered], classes=n), 4),
        "per_class_f1_road": dict(zip(LABELS, each.tolist(), strict=True)),
    }
    print(details)
    return publish("road", bars, details)


if __name__ == "__main__":
    sys.exit(main())
