"""A person's own baseline out of their other clips, label-free: what `hero baseline` writes and experts read.

Keys: `voice.f0_hz`, `voice.loudness_db`, `voice.hnr_db`, `voice.rate_syl_s` (medians in speech), `face.<cue>` (the cue of
the calm face), `au.<AU>.mean` and `au.<AU>.std` (the level and the liveliness of each unit, 0-5). Each holds the mean and
the spread over clips. Faces and voices judged against the person's own are judged far better than against the crowd's.

Legend: T times, N clips.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hero.errors import InputError, OutputError, UsageError
from hero.observe.face.neutral import resting
from hero.types import Baseline, Timeline, Track

MIN_FRAMES = 10
VOICE = ("f0_hz", "loudness_db", "hnr_db")


def summarise(timelines: Sequence[Timeline]) -> Baseline:
    """The baseline over clips of one person; cues that no clip has are left out.

    Raises:
        UsageError: no clip has a face or a voice.
    """
    clips = [dict(_values(timeline)) for timeline in timelines]
    clips = [clip for clip in clips if clip]
    if not clips:
        raise UsageError(
            "no clip has a face or a voice to take a baseline from; give clips in which the person is seen or heard"
        )
    mean, spread = {}, {}
    for key in sorted({key for clip in clips for key in clip}):
        found = np.array([clip[key] for clip in clips if key in clip])  # (N,)
        mean[key], spread[key] = float(found.mean()), float(found.std())
    return Baseline(mean, spread, len(clips))


def _values(timeline: Timeline) -> Iterator[tuple[str, float]]:
    tracks = timeline.tracks
    if "voice.prosody" in tracks:
        prosody = tracks["voice.prosody"]
        speech = prosody.column("speech")[0] > 0
        for name in VOICE:
            values, mask = prosody.column(name)
            if (mask & speech).any():
                yield f"voice.{name}", float(np.median(values[mask & speech]))
    if "voice.rate" in tracks and tracks["voice.rate"].mask.any():
        rate = tracks["voice.rate"]
        yield "voice.rate_syl_s", float(np.median(rate.values[rate.mask]))
    if "face.cues" in tracks:
        yield from _face(tracks["face.cues"], tracks["face.au"])


def _face(cues: Track, units: Track) -> Iterator[tuple[str, float]]:
    calm = resting(np.where(cues.mask, cues.values, np.nan))
    yield from ((f"face.{name}", float(v)) for name, v in zip(cues.columns, calm, strict=True) if np.isfinite(v))
    for name in units.columns:
        values, mask = units.column(name)
        if name.endswith("_r") and mask.sum() >= MIN_FRAMES:
            unit = name.removesuffix("_r")
            yield f"au.{unit}.mean", float(values[mask].mean())
            yield f"au.{unit}.std", float(values[mask].std())


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write a baseline as JSON.

    Raises:
        OutputError: the file cannot be written.
    """
    rounded = {part: {k: round(v, 5) for k, v in getattr(baseline, part).items()} for part in ("mean", "spread")}
    try:
        path.write_text(json.dumps({"count": baseline.count, **rounded}, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(
            f"cannot write the baseline to '{path}' ({error.strerror}); name another file with --out"
        ) from error


def read_baseline(path: Path) -> Baseline:
    """Read what `write_baseline` wrote.

    Raises:
        InputError: no such file, or not a baseline.
    """
    try:
        row = json.loads(path.read_text("utf-8"))
        parts = [{str(k): float(v) for k, v in row[part].items()} for part in ("mean", "spread")]
        return Baseline(parts[0], parts[1], int(row["count"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"'{path}' is not a baseline ({what}); make one with: hero baseline CLIPS --out {path.name}"
        ) from error
