"""Kill an extraction at random moments and go on: nothing half is left, nothing finished is lost or done again.

Thirty short clips (pieces of the demo clip's sound, and copies of the clip) go through `hero observe`, which is ended with
SIGKILL twenty times. After each kill every result and every cache entry is read and checked; at the end all files must
equal those of a run that nobody disturbed.
"""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from bars import Bar, publish
from clips import DEMO

from hero.errors import InputError
from hero.extract.table import COLUMNS
from hero.media.clip import Clip
from hero.observe import tensor_file

HERO = str(Path(sys.executable).with_name("hero"))
PRESET = """
name: light
experts:
  voice: {}
  motion: {fps: 5, max_side: 96}
  scene: {fps: 2, max_side: 96, clip: none}
  voice_emotion: {}
"""
KILLS, CLIPS = 20, 30


@dataclass
class Count:
    """What the kills did: `half` files that cannot be read whole, finished ones `lost` or done `again`."""

    kills: int = 0
    half: int = 0
    lost: int = 0
    again: int = 0
    differences: int = 0
    leftovers: int = 0
    finished_at_kills: list[int] = field(default_factory=list)


def make_clips(folder: Path, count: int) -> Path:
    """Pieces of real speech of a second or so, and every tenth a clip with picture; no two of them alike."""
    folder.mkdir(parents=True)
    sound = np.concatenate([block.samples for block in Clip.open(DEMO).sound(rate_hz=16_000)])
    for number in range(count):
        if number % 10 == 9:
            (folder / f"clip{number:02d}.mp4").write_bytes(DEMO.read_bytes() + bytes([number]))
        else:
            start = number * 2_500 % (len(sound) - 24_000)
            soundfile.write(folder / f"clip{number:02d}.wav", sound[start : start + 12_000 + 300 * number], 16_000)
    return folder


def command(clips: Path, folder: Path) -> list[str | Path]:
    """The extraction into `folder/out` with its own cache."""
    preset = folder / "light.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    preset.write_text(PRESET)
    return [HERO, "observe", clips, "--preset", preset, "--out", folder / "out", "--cache", folder / "cache",
            "--workers", "2", "--offline"]  # fmt: skip


def trial(clips: Path, folder: Path, *, kills: int, seed: int = 0) -> Count:
    """Run once undisturbed, then with kills at random moments, and count what went wrong."""
    moments, count = random.Random(seed), Count()
    began_s = time.monotonic()
    subprocess.run(command(clips, folder / "whole"), check=True, capture_output=True)
    whole_s = time.monotonic() - began_s
    round_number = 0
    while count.kills < kills:
        place = folder / f"killed{round_number}"
        running = subprocess.Popen(command(clips, place), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = states(place)
        try:
            running.wait(moments.uniform(0.1, 0.6) * whole_s)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            count.kills += 1
            look(place, before, count)
        else:  # it had finished: compare, and go on with an empty folder
            look(place, before, count)
            count.differences += differences(folder / "whole" / "out", place / "out")
            round_number += 1
    place = folder / f"killed{round_number}"
    before = states(place)
    subprocess.run(command(clips, place), check=True, capture_output=True)
    look(place, before, count)
    count.differences += differences(folder / "whole" / "out", place / "out")
    count.finished_at_kills.pop()
    return count


def states(folder: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of change of all results and entries; both change when a file is written again."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*.safetensors")}


def look(folder: Path, before: dict[Path, tuple[int, int]], count: Count) -> None:
    """Read every file; those that were there before the kill must be there still, untouched."""
    after = states(folder)
    count.half += sum(not whole(path) for path in after)
    count.half += sum(not whole_table(path) for path in folder.glob("out/*.csv"))
    count.lost += len(before.keys() - after.keys())
    count.again += sum(after.get(path) not in (None, state) for path, state in before.items())
    count.leftovers = max(count.leftovers, sum(1 for _ in folder.rglob(f".*{tensor_file.PART}")))
    count.finished_at_kills.append(sum(path.parent.name == "out" for path in after))


def whole(path: Path) -> bool:
    """Can the file be read, and does its checksum fit?"""
    try:
        tensor_file.load(path)
    except InputError as error:
        print(error.line)
        return False
    return True


def whole_table(path: Path) -> bool:
    """Has every line of the table all its cells?"""
    with path.open(newline="", encoding="utf-8") as file:
        return all(len(line) == len(COLUMNS) for line in csv.reader(file))


def differences(one: Path, other: Path) -> int:
    """Result files and table rows that are not the same in both; seconds do not count."""
    names = {path.name for folder in (one, other) for path in folder.glob("*.safetensors")}
    files = [name for name in sorted(names) if not same(one / name, other / name)]
    cells = [
        f"{mine['file']}: {key} {mine[key]!r}, {theirs[key]!r}"
        for mine, theirs in zip(rows(one), rows(other), strict=True)
        for key in mine
        if mine[key] != theirs[key]
    ]
    for line in (*(f"{name} differs" for name in files), *cells):
        print(line)
    return len(files) + len(cells)


def same(one: Path, other: Path) -> bool:
    """Are both there with the same bytes?"""
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The table without its seconds."""
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        yield from ({key: cell for key, cell in row.items() if key != "seconds"} for row in csv.DictReader(file))


def main() -> int:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(Path(folder) / "clips", CLIPS)
        count = trial(clips, Path(folder), kills=KILLS)
    bars = [
        Bar("kills", count.kills, KILLS),
        Bar("half entries and files", count.half, 0, at_least=False),
        Bar("finished clips lost", count.lost, 0, at_least=False),
        Bar("finished clips done again", count.again, 0, at_least=False),
        Bar("differences from an undisturbed run", count.differences, 0, at_least=False),
    ]
    details = {"clips": CLIPS, "finished_at_kills": count.finished_at_kills, "most_part_files": count.leftovers}
    return publish("kill_resume", bars, details)


if __name__ == "__main__":
    sys.exit(main())
