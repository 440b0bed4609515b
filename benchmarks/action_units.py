"""Measure the action units: rendered ramps with known levels, posed photographs, and the time per frame.

    HERO_DATA=... OMP_NUM_THREADS=1 python benchmarks/action_units.py      # writes benchmarks/results/action_units.json

Ramps: the portrait of `hero.data.render` moves one unit from rest to level 4 and back while the head drifts; the face
expert measures every frame. Bar: rank correlation of driven and measured level >= 0.8 for the units that landmarks can
show, other units low (mean below 1.0 at the top of the ramp) or masked. Photographs: the four posed ones under
HERO_DATA/faces; bar: the units that FACS names for the pose reach level 1. No threshold was chosen on them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from bars import Bar, publish
from numpy.typing import NDArray

from hero.data.render import UNITS, FaceRenderer
from hero.errors import HeroError
from hero.media.clip import Clip, Frame
from hero.observe.expert import Context
from hero.observe.face import FaceExpert
from hero.observe.face.action_units import NUMBERS_R
from hero.types import Track

FPS = 10.0
TOP_LEVEL = 4.0
MIN_RANK = 0.8
LOW_LEVEL = 1.0
PRESENT_LEVEL = 1.0
BACKENDS = ("bundle", "landmarks")

# Units that move along by anatomy, or because the portrait's own smile shows teeth and narrow eyes.
MOVE_ALONG: dict[int, tuple[int, ...]] = {
    1: (2,), 2: (1,), 4: (9,), 6: (7,), 9: (4, 10, 6), 12: (6, 10, 14, 20, 25), 17: (15,), 20: (14,), 25: (10, 26), 26: (25,),
    45: (7,),
}  # fmt: skip

# EMFACS: units of the posed emotions (Ekman, Friesen & Hager 2002); AU16 is outside OpenFace's schema.
PHOTOS: dict[str, tuple[str, tuple[int, ...]]] = {
    "surprise": ("0-f1-su-ph.jpg", (1, 2, 5, 26)),
    "happiness": ("0-f15-hao-ph.jpg", (6, 12)),
    "anger": ("15-f13-anc-ph.jpg", (4, 5, 7, 23)),
    "disgust": ("45-m7-di-ph.jpg", (9, 15)),
}


def main() -> int:
    """Run everything, print the tables, publish the bars."""
    renderer = FaceRenderer()
    frames = {number: list(ramp_frames(renderer, number)) for number in UNITS}
    details: dict[str, object] = {}
    bars: list[Bar] = []
    for backend in BACKENDS:
        try:
            ramps = {f"AU{number:02d}": judge_ramp(frames[number], number, backend) for number in UNITS}
            photos = {name: judge_photo(backend, *what) for name, what in PHOTOS.items()}
            details[backend] = {"ramps": ramps, "photos": photos, "ms_per_frame": round(cost_ms(backend), 2)}
        except HeroError as error:
            details[backend] = {"skipped": error.line}
            continue
        finally:
            show(backend, details[backend])  # type: ignore[arg-type]
        bars += ramp_bars(backend, ramps)
    return publish("action_units", bars, details)


def ramp_bars(backend: str, ramps: dict[str, dict[str, object]]) -> list[Bar]:
    """The weakest driven unit and the loudest other one."""
    shown = {name: row for name, row in ramps.items() if "masked" not in row}
    weakest = min(shown, key=lambda name: shown[name]["rank"])  # type: ignore[arg-type, return-value]
    loudest = max(shown, key=lambda name: shown[name]["others_max"])  # type: ignore[arg-type, return-value]
    below = [name for name, row in shown.items() if row["rank"] < MIN_RANK]  # type: ignore[operator]
    note = f"{len(shown) - len(below)} of {len(shown)} units reach it" + (f", not {', '.join(below)}" if below else "")
    return [
        Bar(f"{backend}: lowest rank correlation of a driven unit", shown[weakest]["rank"], MIN_RANK, note=note),  # type: ignore[arg-type]
        Bar(f"{backend}: loudest other unit at the top of a ramp", shown[loudest]["others_max"], LOW_LEVEL, at_least=False,  # type: ignore[arg-type]
            note=f"{shown[loudest]['others_loud'] or ''} on the ramp of {loudest}"),
    ]  # fmt: skip


def ramp_levels() -> NDArray[np.float64]:
    """Driven level of each frame: 1 s rest, 2 s up, 0.5 s held, 1.5 s down, 0.5 s rest."""
    up, down = np.linspace(0, TOP_LEVEL, int(2 * FPS)), np.linspace(TOP_LEVEL, 0, int(1.5 * FPS))
    return np.concatenate([np.zeros(int(FPS)), up, np.full(int(FPS / 2), TOP_LEVEL), down, np.zeros(int(FPS / 2))])


def ramp_frames(renderer: FaceRenderer, number: int) -> Iterator[tuple[float, Frame]]:
    """(driven level, frame) of one unit's ramp; the head drifts by a few pixels."""
    for index, level in enumerate(ramp_levels()):
        drift = (5 * np.sin(index / 8), 4 * np.cos(index / 11) - 4)
        yield float(level), Frame(index / FPS, renderer.render({number: float(level)}, drift))


def measure(frames: Sequence[Frame], backend: str) -> Track:
    """The subject's `au` track of some frames.

    Raises:
        HeroError: the backend's weights are not at hand, or no face was found.
    """
    expert = FaceExpert()
    clip = SimpleNamespace(video=object())
    absent = expert.start(Context(clip, settings={"backend": backend}))  # type: ignore[arg-type]
    if absent:
        raise HeroError(f"{absent.reason}; {absent.cure}")
    for frame in frames:
        expert.take(frame)
    observation = expert.finish({})
    if observation.absent:
        raise HeroError(observation.absent.reason)
    return observation.tracks["au"]


def judge_ramp(frames: Sequence[tuple[float, Frame]], number: int, backend: str) -> dict[str, object]:
    """Rank correlation of the driven unit and what the others do at the top of the ramp."""
    from scipy.stats import spearmanr

    levels = np.array([level for level, _ in frames])
    track = measure([frame for _, frame in frames], backend)
    column = NUMBERS_R.index(number)
    values, known = track.values[:, column], track.mask[:, column]
    if not known.any():
        return {"masked": True}
    moved = float(np.ptp(values[known])) > 0
    rank = float(spearmanr(levels[known], values[known]).statistic) if moved else 0.0
    top, rest = levels >= 0.9 * TOP_LEVEL, levels == 0
    others = {
        f"AU{other:02d}": round(float(track.values[top, index].mean()), 2)
        for index, other in enumerate(NUMBERS_R)
        if other != number and other not in MOVE_ALONG.get(number, ()) and track.mask[top, index].any()
    }
    loud = {name: value for name, value in others.items() if value >= LOW_LEVEL}
    return {"rank": round(rank, 3), "at_rest": round(float(values[rest].mean()), 2),
            "at_top": round(float(values[top].mean()), 2), "others_max": max(others.values()), "others_loud": loud}  # fmt: skip


def judge_photo(backend: str, file: str, named: Sequence[int]) -> dict[str, object]:
    """Levels of the units that FACS names for a posed photograph."""
    import av

    with av.open(str(Path(os.environ["HERO_DATA"]) / "faces" / file)) as photo:
        rgb = next(photo.decode(video=0)).to_ndarray(format="rgb24")
    track = measure([Frame(0.0, rgb)], backend)
    levels: dict[str, float | None] = {}
    for number in named:
        value, known = track.column(f"AU{number:02d}_r")
        levels[f"AU{number:02d}"] = round(float(value[0]), 2) if known[0] else None
    raised = [name for name, level in levels.items() if level is not None and level >= PRESENT_LEVEL]
    missed = [name for name, level in levels.items() if level is not None and level < PRESENT_LEVEL]
    return {"levels": levels, "raised": raised, "missed": missed}


def cost_ms(backend: str) -> float:
    """Processor time per frame with one face at 640 pixels, everything but decoding included."""
    expert = FaceExpert()
    clip = Clip.open(Path(os.environ["HERO_DATA"]) / "faces" / "WolfgangLanger_Pexels.mp4")
    expert.start(Context(clip, settings={"backend": backend}))
    frames = [frame for _, frame in zip(range(120), clip.frames(fps=20, max_side=640), strict=False)]
    for frame in frames[:20]:
        expert.take(frame)
    begin = time.process_time()
    for frame in frames[20:]:
        expert.take(frame)
    return 1e3 * (time.process_time() - begin) / len(frames[20:])


def show(backend: str, part: dict[str, dict[str, dict[str, object]]]) -> None:
    """Print one backend's numbers against the bars."""
    if "skipped" in part:
        print(f"== {backend}: skipped, {part['skipped']}")
        return
    print(f"== {backend}: {part['ms_per_frame']} ms per frame")
    for name, row in part["ramps"].items():
        if "masked" in row:
            print(f"  {name}  masked")
            continue
        ok = float(row["rank"]) >= MIN_RANK  # type: ignore[arg-type]
        print(f"  {name}  rank {row['rank']:6} {'ok  ' if ok else 'LOW '} rest {row['at_rest']:5} top {row['at_top']:5}"
              f"  others max {row['others_max']:5} {row['others_loud'] or ''}")  # fmt: skip
    for name, row in part["photos"].items():
        print(f"  {name}: {row['levels']}  raised {row['raised']}  missed {row['missed']}")


if __name__ == "__main__":
    sys.exit(main())
