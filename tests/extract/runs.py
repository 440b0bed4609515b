"""Small runs for the tests of extraction: a light preset, clips, and what a run left behind."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

from media.make_clips import write_clip

from hero.extract.run import Job, run
from hero.observe import tensor_file

LIGHT = """
name: light
experts:
  voice: {}
  motion: {fps: 5, max_side: 64}
  scene: {fps: 2, max_side: 64, clip: none}
"""


def light_preset(folder: Path) -> str:
    """A preset of experts that need no models of others."""
    path = folder / "light.yaml"
    path.write_text(LIGHT)
    return str(path)


def some_clips(folder: Path, count: int = 3) -> Path:
    """A folder of short clips that differ."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_clip(folder / f"clip{number}.mp4", seconds=0.6 + 0.2 * number)
    return folder


def observe(out: Path, *paths: Path, **wishes: Any) -> int:
    """One run with the light preset and without a cache, unless told otherwise."""
    preset = wishes.pop("preset", None) or light_preset(out.parent)
    return run(Job(tuple(paths), out, preset, offline=True, **wishes))


def table(out: Path, name: str = "table.csv") -> list[dict[str, str]]:
    """The rows of a table."""
    with (out / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(out: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Header and arrays of each result file, all of which must be whole."""
    return {
        path.name: (header, {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()})
        for path in sorted(out.glob("*.safetensors"))
        for arrays, header in [tensor_file.load(path)]
    }


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of each file that holds results: both change when it is written again."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*.safetensors"))
    }


def copy_of(clip: Path, target: Path) -> Path:
    """A second file of the same content."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(clip, target))
