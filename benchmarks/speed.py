"""Speed on this machine: real-time factor of a 720p clip, and the whole wall time against the sum of its parts.

The parts are measured alone, in the same run (medians of three rounds): decoding picture and sound without experts, and
each expert's own compute on frames and blocks that were decoded beforehand. Overlap on two cores should bring the ratio below 1.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time

from bars import Bar, publish
from clips import looped

from hero.config import load_preset
from hero.media.clip import Clip
from hero.observe.expert import Context
from hero.observe.stream import shrink, start
from hero.pipeline import analyze
from hero.types import Observation

ROUNDS = 3
CHUNK = 60  # frames decoded ahead of the timed part


def parts(path: str, seconds: dict[str, float]) -> None:
    """Seconds of decoding alone and of each expert alone, into `seconds`."""
    clip, preset = Clip.open(path), load_preset("embedded")
    experts, absent = start(preset, Context(clip))
    found = {name: Observation(name, experts[name].modality, absent=reason) for name, reason in absent.items()}
    experts = {name: expert for name, expert in experts.items() if name not in absent}
    seeing = [e for e in experts.values() if e.reads == "frames"]
    hearing = [e for e in experts.values() if e.reads == "sound"]
    fps, side = max(e.fps for e in seeing), max(e.max_side for e in seeing)
    seconds["decode picture"] = timed(lambda: [None for _ in clip.frames(fps=fps, max_side=side)])
    seconds["decode sound"] = timed(lambda: [None for _ in clip.sound()])
    due = dict.fromkeys(experts, -1.0)
    frames = clip.frames(fps=fps, max_side=side)
    while chunk := list(itertools.islice(frames, CHUNK)):
        for expert in seeing:
            mine = []
            for frame in chunk:
                if frame.time_s + 1e-6 >= due[expert.name]:
                    due[expert.name] = max(due[expert.name], 0.0) + 1 / expert.fps
                    mine.append(frame)
            add(seconds, expert.name, timed(lambda e=expert, m=mine: [e.take(shrink(f, e.max_side)) for f in m]))
    for block in clip.sound():
        for expert in hearing:
            add(seconds, expert.name, timed(lambda e=expert, b=block: e.take(b)))
    for name, expert in experts.items():
        add(seconds, name, timed(lambda e=expert, n=name: found.update({n: e.finish(found)})))


def timed(work: object) -> float:
    """Wall seconds of a call."""
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def add(seconds: dict[str, float], name: str, more: float) -> None:
    """Add to a running sum."""
    seconds[name] = seconds.get(name, 0.0) + more


def main() -> int:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    length = parser.parse_args().seconds
    path = str(looped(length))
    analyze(str(looped(4)))  # start-up: imports, models, caches
    walls, ratios, runs = [], [], []
    for _ in range(ROUNDS):  # side by side, so that a machine whose speed drifts slows both
        seconds: dict[str, float] = {}
        parts(path, seconds)
        walls.append(timed(lambda: analyze(path)))
        ratios.append(walls[-1] / sum(seconds.values()))
        runs.append({k: round(v, 2) for k, v in seconds.items()})
        print(runs[-1], round(walls[-1], 2), flush=True)
    wall, ratio = statistics.median(walls), statistics.median(ratios)
    bars = [
        Bar("real-time factor, 720p", wall / length, 1.0, at_least=False, note="goal 0.5"),
        Bar("wall / sum of parts alone", ratio, 1.15, at_least=False, note="below 1.0 expected on two cores"),
    ]
    details = {
        "clip_s": length,
        "walls_s": [round(w, 2) for w in walls],
        "ratios": [round(r, 3) for r in ratios],
        "parts_s": runs,
    }
    return publish("speed", bars, details)


if __name__ == "__main__":
    sys.exit(main())
