"""What extraction costs beside the encoders: decoding, batching across clips, and Ray.

    HERO_DATA=<folder> python benchmarks/extraction.py

The GRID clips and the RAVDESS video (720p) go through small encoders of the real architectures (CLIP, VideoMAE, HuBERT of 384
columns and four layers, random weights). All engines extract the same clips in one process, after a warm-up:

* `whole / encoders`: wall time of the extraction over the time that the same batches take in the encoders alone, encoded
  again with nothing else running.
* `batched / clip by clip`: the local engine as it is, against one clip after the other with single pieces.
* `Ray, two workers / local`: from the first clip begun to the last clip ended, against the best local setting.

On a machine with a GPU the second ratio has the bar 0.5. Writes `results/extraction.json`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from bars import Bar, publish
from small_encoders import build

from hero.config import Preset
from hero.extract.gather import gather
from hero.extract.local_engine import default_workers, run_local
from hero.extract.source import Source
from hero.extract.table import Row
from hero.extract.work import Extraction, key_of
from hero.observe.encoders import encoder as encoders
from hero.observe.encoders.encoder import Encoder, Features
from hero.observe.features import feed

REPEATS = 2


class Recorded:
    """An encoder that remembers its batches, and whose batch size can be set."""

    def __init__(self, inner: Encoder) -> None:
        self.inner, self.used, self.dim, self.piece_frames = inner, inner.used, inner.dim, inner.piece_frames
        self.batch = self.liked = inner.batch
        self.batches: list[Sequence[Any]] = []

    def prepare(self, raw: Any) -> Any:
        return self.inner.prepare(raw)

    def encode(self, pieces: Sequence[Any]) -> list[Features]:
        self.batches.append(pieces)
        return self.inner.encode(pieces)


def recorded() -> dict[int, Recorded]:
    """Let every encoder that is opened from now on be a recorded one."""
    made: dict[int, Recorded] = {}

    def open_recorded(*args: Any, **kwargs: Any) -> Recorded:
        inner = encoders.open_encoder(*args, **kwargs)
        return made.setdefault(id(inner), Recorded(inner))

    feed.open_encoder = open_recorded  # type: ignore[assignment]
    return made


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def extract(sources: Sequence[Source], preset: Preset, out: Path, workers: int) -> float:
    """Seconds that the local engine takes for all sources; a failed clip ends the benchmark."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    rows: list[Row] = []
    seconds = timed(
        lambda: run_local(sources, Extraction(preset, out, key_of(preset, "en", "any")), workers, rows.append)
    )
    if failed := [row.reason for row in rows if row.status != "done"]:
        raise SystemExit(f"extraction failed: {failed[0]}")
    return seconds


def main() -> int:
    """Measure, print and keep."""
    data = os.environ.get("HERO_DATA")
    if not data or not Path(data).is_dir():
        print("HERO_DATA does not name a folder with the real clips; nothing was measured")
        return 0
    sources = gather((Path(data, "grid"), Path(data, "ravdess_video")), None)
    with tempfile.TemporaryDirectory() as scratch:
        return measure(sources, build(Path(scratch, "checkpoints")), Path(scratch, "out"))


def measure(sources: Sequence[Source], preset: Preset, out: Path) -> int:
    """All ratios over these clips."""
    made = recorded()
    extract(sources[:3], preset, out, default_workers())
    whole, alone, single = [], [], []
    for _ in range(REPEATS):
        for one in made.values():
            one.batch, one.batches = one.liked, []
        whole.append(extract(sources, preset, out, default_workers()))
        batches = [(one, list(one.batches)) for one in made.values()]
        alone.append(timed(lambda jobs=batches: [one.inner.encode(batch) for one, them in jobs for batch in them]))  # type: ignore[misc]
        for one in made.values():
            one.batch = 1
        single.append(extract(sources, preset, out, 1))
    from ray_clips import ray_seconds

    with_ray, ray_details = ray_seconds(sources, preset, out)
    gpu = torch.cuda.is_available()
    details = {
        "clips": len(sources), "gpu": torch.cuda.get_device_name() if gpu else None, "workers": default_workers(),
        "seconds": {"whole": whole, "encoders alone": alone, "clip by clip": single, "ray, two workers": with_ray},
        "pieces": {one.used.name: sum(map(len, one.batches)) for one in made.values()}, **ray_details,
    }  # fmt: skip
    bars = [
        Bar("whole extraction / the encoders' own forward time", min(whole) / min(alone), 1.15, at_least=False),
        Bar("batched / clip by clip", min(whole) / min(single), 0.5 if gpu else 1.0, at_least=False,
            note="GPU" if gpu else "CPU; no GPU was here to measure the bar of 0.5 on"),
        Bar("Ray, two workers after start-up / best local", with_ray / min(*whole, *single), 1.15, at_least=False),
    ]  # fmt: skip
    return publish("extraction", bars, details)


if __name__ == "__main__":
    sys.exit(main())
