"""Pairs of face and voice evidence of one clip, out of RAVDESS, for the recipe of the imputer.

Voice: the voice and sounds experts on the recorded speech, once without knowing the person and once against the person's
own other clips (a baseline as `hero baseline` makes it, without the clip itself). Face: the action units of the feature
table, which another tool measured on the video of the same take, against the person's own other clips; they become the
cues of `hero.observe.face.describe` by its rules. No label is read: neither emotion nor intensity is an input or a target.

Legend: N clips, U units, A actors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from hero.config import Preset
from hero.data.formats import ravdess
from hero.media.clip import Clip
from hero.observe.baseline import summarise
from hero.observe.expert import Context
from hero.observe.face.describe import RELIABILITY
from hero.observe.stream import observe
from hero.types import Baseline, Evidence, Span, Timeline

LISTEN = Preset("listen", {"voice": {}, "sounds": {}})
UNITS = tuple(number for number in RELIABILITY["bundle"] if number not in (25, 26))  # lips and jaw move in all speech
SEEN_FROM = 1.0  # spreads above the person's median from which a unit is a cue
FULL = 4.0  # spreads at which a cue is as strong as can be, as level 4 is for the face expert
CHEEKS_FROM = 0.5
MOST_CUES = 4  # of the face expert in 3 to 4 seconds
PEOPLE = ("unknown", "own")


@dataclass(frozen=True)
class Pair:
    """One take: voice evidence by how well the person is known, face evidence, and who it is."""

    clip: str
    actor: int
    duration_s: float
    voice: Mapping[str, tuple[Evidence, ...]]
    face: tuple[Evidence, ...]


def pairs(data: Path, cache: Path, workers: int = 1) -> tuple[Pair, ...]:
    """All takes of which both the table and the speech are there, in the table's order."""
    table = ravdess.feature_table(data)
    heard = voices(data, cache, workers)
    faces = face_evidence(table, {clip: row["duration_s"] for clip, row in heard.items()})
    found = []
    for clip, actor in zip(table.clip_ids, table.actors, strict=True):
        row = heard[clip]
        voice = {who: tuple(Evidence.from_json(ev) for ev in row[who]) for who in PEOPLE}
        found.append(Pair(clip, int(actor), row["duration_s"], voice, faces[clip]))
    return tuple(found)


def voices(data: Path, cache: Path, workers: int) -> dict[str, dict]:
    """Voice evidence of all speech clips by the name of the audio-video take; an actor's file is not made again."""
    by_actor: dict[int, list[ravdess.SpeechClip]] = {}
    for clip in ravdess.speech_clips(data):
        by_actor.setdefault(clip.actor, []).append(clip)
    cache.mkdir(parents=True, exist_ok=True)
    jobs = [(cache / f"voice{actor:02d}.json", clips) for actor, clips in sorted(by_actor.items())]
    waiting = [job for job in jobs if not job[0].is_file()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for path, _ in pool.map(listen_to, waiting):
            print(f"heard {path.stem}", flush=True)
    return {clip: row for path, _ in jobs for clip, row in json.loads(path.read_text("utf-8")).items()}


def listen_to(job: tuple[Path, Sequence[ravdess.SpeechClip]]) -> tuple[Path, int]:
    """Write the voice evidence of one actor's clips to a file of JSON; returns the file and how many clips it holds."""
    path, clips = job
    unknown = [listen(clip.path) for clip in clips]
    rows = {}
    for number, (clip, first) in enumerate(zip(clips, unknown, strict=True)):
        others = summarise([timeline for i, timeline in enumerate(unknown) if i != number])
        rows["01" + clip.clip_id[2:]] = {
            "duration_s": first.clip["duration_s"],
            "unknown": [ev.as_json() for ev in first.evidence],
            "own": [ev.as_json() for ev in listen(clip.path, others).evidence],
        }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(rows), "utf-8")
    part.rename(path)
    return path, len(rows)


def listen(path: Path, baseline: Baseline | None = None) -> Timeline:
    """What the voice and sounds experts say about one file."""
    clip = Clip.open(path)
    return observe(clip, LISTEN, Context(clip, baseline=baseline))


def face_evidence(table: ravdess.FeatureTable, durations_s: Mapping[str, float]) -> dict[str, tuple[Evidence, ...]]:
    """Face evidence of every clip of the table by its name."""
    levels = own_levels(table)
    return {
        clip: tuple(cues_of(dict(zip(UNITS, row, strict=True)), durations_s[clip]))
        for clip, row in zip(table.clip_ids, levels, strict=True)
    }


def own_levels(table: ravdess.FeatureTable) -> np.ndarray:
    """Units (N, U) in spreads above the median of the same person's other clips; the spread is theirs too."""
    values = np.stack([table.column(f"AU{unit:02d}_mean") for unit in UNITS], axis=1)
    levels = np.empty_like(values)
    for i, actor in enumerate(table.actors):
        others = table.actors == actor
        others[i] = False
        levels[i] = (values[i] - np.nanmedian(values[others], 0)) / (np.nanstd(values[others], 0) + 1e-6)
    return np.nan_to_num(levels)


def cues_of(level: Mapping[int, float], duration_s: float) -> Iterator[Evidence]:
    """The cues of one face by the rules of the face expert: a smile with or without cheeks, raised brows as one cue."""
    up = {unit: value for unit, value in level.items() if value >= SEEN_FROM}
    cues: dict[str, tuple[int, float]] = {}
    for unit, value in up.items():
        if unit == 12:
            cheeks = "with" if level[6] >= CHEEKS_FROM else "without"
            cues[f"smile_{cheeks}_cheeks"] = (unit, value)
        elif (unit == 1 and 2 in up) or (unit in (6, 10) and 12 in up) or (unit == 7 and 6 in up):
            continue
        else:
            cues[f"AU{unit:02d}"] = (unit, value)
    reliable = RELIABILITY["bundle"]
    ranked = sorted(cues.items(), key=lambda item: -item[1][1] * reliable[item[1][0]])
    for cue, (unit, value) in ranked[:MOST_CUES]:
        confidence = reliable[unit] * min(1.0, 0.6 + 0.2 * value)
        yield Evidence(
            "face", "table", cue, cue, cue, Span(0.0, duration_s), float(confidence), float(np.clip(value / FULL, 0, 1))
        )
