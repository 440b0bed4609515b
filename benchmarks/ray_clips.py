"""How fast Ray works through clips once its processes are warm, for `extraction.py`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hero.config import Preset
from hero.extract.gather import gather
from hero.extract.ray_engine import run_ray
from hero.extract.source import Source
from hero.extract.table import Row
from hero.extract.work import Extraction, key_of

WORKERS = 2
ROUNDS = 3


def ray_seconds(sources: Sequence[Source], preset: Preset, out: Path) -> tuple[float, dict[str, Any]]:
    """Seconds that two warm processes take for as many clips as there are sources, and what they were measured on.

    The clips are given three times over. What the processes do until each has finished a clip is start-up; the clips
    that finish after that are counted, by the times of their files, until the last one.
    """
    with TemporaryDirectory() as scratch:
        for number in range(ROUNDS):
            for source in sources:
                assert isinstance(source.at, Path)
                Path(scratch, f"{number}-{source.at.name}").symlink_to(source.at)
        many = gather((Path(scratch),), None)
        folder = out / "ray"
        folder.mkdir(parents=True)
        rows: list[Row] = []
        began = time.time()
        run_ray(many, Extraction(preset, folder, key_of(preset, "en", "any")), WORKERS, rows.append)
    if failed := [row.reason for row in rows if row.status != "done"]:
        raise SystemExit(f"extraction with Ray failed: {failed[0]}")
    ended = sorted(path.stat().st_mtime for path in folder.glob("*.safetensors"))
    after = ended[WORKERS:]  # the first of each process holds its loading
    per_clip = (ended[-1] - ended[WORKERS - 1]) / len(after)
    return per_clip * len(sources), {"ray": {"clips": len(many), "start-up, s": round(ended[WORKERS - 1] - began, 1)}}
