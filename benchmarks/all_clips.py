"""Every clip of the data folder through `hero observe`: does the run finish, and does its table tell of each clip.

    HERO_DATA=<folder> python benchmarks/all_clips.py

About 1,260 clips (speech, talking faces, faces without sound, frames without faces) with the preset `tiny`, into
`runs/all_clips`, then once more: the second run must find all of them finished. Writes `results/all_clips.json`.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from bars import Bar, publish

from hero.clips import distinct, expand

OUT = Path(__file__).parents[1] / "runs" / "all_clips"
HERO = str(Path(sys.executable).with_name("hero"))


def observe(data: Path) -> tuple[float, int]:
    """Seconds of the command over the whole folder, and its exit code."""
    began = time.perf_counter()
    command = [HERO, "observe", str(data), "--preset", "tiny", "--out", str(OUT), "--no-cache"]
    code = subprocess.run(command, check=False).returncode
    return time.perf_counter() - began, code


def main() -> int:
    """Measure, print and keep."""
    folder = os.environ.get("HERO_DATA")
    if not folder or not Path(folder).is_dir():
        print("HERO_DATA does not name a folder with the real clips; nothing was measured")
        return 0
    data = Path(folder)
    there = len(distinct(expand((data,))))
    shutil.rmtree(OUT, ignore_errors=True)
    first_s, code = observe(data)
    with (OUT / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    states = Counter(row["status"] for row in rows)
    again_s, _ = observe(data)
    failed = [row for row in rows if row["status"] != "done"]
    unexplained = sum(not row["reason"] for row in failed)
    absent = Counter(part for row in rows for part in row["absent"].split())
    details = {
        "clips": there, "exit code": code, "status": dict(states), "absent": dict(absent),
        "seconds": round(first_s, 1), "seconds, second run": round(again_s, 1),
        "seconds of media": round(sum(float(row["duration_s"] or 0) for row in rows)),
        "failed": {Path(row["clip"]).name: row["reason"] for row in failed},
    }  # fmt: skip
    bars = [
        Bar("clips in the table / clips in the folder", len(rows) / there, 1.0),
        Bar("failed clips without a reason", unexplained, 0, at_least=False),
        Bar("share of clips that failed", len(failed) / there, 0.01, at_least=False),
        Bar("second run / first run, wall time", again_s / first_s, 0.05, at_least=False),
    ]
    return publish("all_clips", bars, details)


if __name__ == "__main__":
    sys.exit(main())
