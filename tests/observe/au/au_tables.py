"""Made OpenFace and py-feat tables for the tests of the action unit sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from hero.media.clip import Frame
from hero.observe.au.schema import AU_C, AU_R

OPENFACE_HEAD = ("frame", "face_id", "timestamp", "confidence", "success", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
PYFEAT_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)


def openface_rows(
    count: int = 50, *, fps: float = 25.0, smile: tuple[int, int] = (10, 40), **fixed: Any
) -> list[dict[str, Any]]:
    """Rows of a face at rest with a smile (AU06 and AU12) from row to row; `fixed` overrides cells of every row."""
    rows = []
    for i in range(count):
        row: dict[str, Any] = dict.fromkeys((*AU_R, *AU_C), 0)
        row |= {"frame": i + 1, "face_id": 0, "timestamp": round(i / fps, 3), "confidence": 0.98, "success": 1}
        row |= {"pose_Tz": 500, "pose_Rx": 0.1, "pose_Ry": -0.2, "pose_Rz": 0.0}
        if smile[0] <= i < smile[1]:
            row |= {"AU12_r": 2.5, "AU12_c": 1, "AU06_r": 1.5, "AU06_c": 1}
        rows.append(row | fixed)
    return rows


def pyfeat_rows(count: int = 20, *, step: int = 2, **fixed: Any) -> list[dict[str, Any]]:
    """Rows as py-feat writes them for a face with lowered brows (AU04 0.9)."""
    rows = []
    for i in range(count):
        row: dict[str, Any] = {f"AU{n:02d}": 0.1 for n in PYFEAT_UNITS}
        row |= {"AU04": 0.9, "FaceScore": 0.99, "FaceRectWidth": 100, "FaceRectHeight": 100, "input": "a.mp4"}
        rows.append(row | {"frame": i * step, "approx_time": "00:00", "Identity": ""} | fixed)
    return rows


def write(path: Path, rows: Sequence[Mapping[str, Any]], *, blank: bool = True, without: Sequence[str] = ()) -> Path:
    """Write rows as CSV, with a blank after every comma as OpenFace does."""
    names = [name for name in rows[0] if name not in without]
    comma = ", " if blank else ","
    lines = [comma.join(names), *(comma.join(str(row[name]) for name in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


class MadeClip(SimpleNamespace):
    """What the experts ask of a clip, with grey frames that start at `picture_s`."""

    def __init__(
        self, path: Path, duration_s: float = 2.0, *, fps: float = 25.0, picture_s: float = 0.0, video: bool = True
    ):
        super().__init__(path=path, duration_s=duration_s, picture_s=picture_s)
        self.video = SimpleNamespace(fps=fps, width=64, height=48) if video else None

    def frames(self, fps: float | None = None, max_side: int | None = None):
        """Frames at `fps`."""
        step = 1 / (fps or self.video.fps)
        for i in range(int((self.duration_s - self.picture_s) / step)):
            yield Frame(self.picture_s + i * step, np.full((48, 64, 3), 90, np.uint8))
