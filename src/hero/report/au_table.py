"""The face tracks as an OpenFace 2 table: one row per frame and face, columns in its order and with its names.

Two differences, both for honesty: what was not measured is `NaN` where OpenFace writes 0, and so is `confidence`, for
which the face expert has no number of that meaning (a track `face.quality` may bring it). Gaze and pose are in radians,
as there. Landmarks are left out. Headers carry no blank after the comma, which some releases of OpenFace write; its
readers strip blanks anyway.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.au.schema import AU_C, AU_R, OPENFACE_ANGLES
from hero.types import Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

AU_INTENSITY, AU_PRESENCE = AU_R, AU_C
GAZE = tuple(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz") + ("gaze_angle_x", "gaze_angle_y")
POSE = tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz")
COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success", *GAZE, *POSE, *AU_INTENSITY, *AU_PRESENCE)

_AU_NAME = re.compile(r"^face\.au(?:_person(\d+))?$")


def au_table(tracks: Mapping[str, Track]) -> str:
    """The action-unit table of every face in the tracks; only the header where there is none.

    Faces are the tracks `face.au` (face 0, the subject, with a row for every frame) and `face.au_person1`,
    `face.au_person2` ... (with rows where they were seen), each with its `face.pose` and `face.gaze`. `frame` counts
    the analysed frames from 1, `success` says whether the face was found: as `face.quality` has it (columns `confidence`,
    `success`; tables that were read have it), else whether anything was measured. Rows are in order of time, then face.
    """
    rows: list[tuple[float, int, list[str]]] = []
    for name in tracks:
        match = _AU_NAME.match(name)
        if match:
            rows += _face_rows(tracks, name, int(match[1] or 0))
    frames = {time: number for number, time in enumerate(sorted({row[0] for row in rows}), start=1)}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for time, face, cells in sorted(rows, key=lambda row: row[:2]):
        writer.writerow([frames[time], face, f"{time:.3f}", *cells])
    return buffer.getvalue()


def _face_rows(tracks: Mapping[str, Track], name: str, face: int) -> list[tuple[float, int, list[str]]]:
    units = tracks[name]
    suffix = name.removeprefix("face.au")
    kinds = [f"face.{kind}{suffix}" for kind in ("pose", "gaze", "quality")]
    around = [units, *(tracks[kind] for kind in kinds if kind in tracks)]
    columns = {column: _column(around, column, units.times_s) for column in COLUMNS[3:]}
    measured = np.any([np.isfinite(columns[c]) for c in COLUMNS[5:]], axis=0)  # (T,)
    said = columns["success"]
    found = np.where(np.isfinite(said), said > 0.5, measured)
    result = []
    for index in np.flatnonzero(measured | np.isfinite(said) | (face == 0)):
        values = [_cell(columns[c][index], whole=c in AU_PRESENCE) for c in COLUMNS[5:]]
        seen = [_cell(columns["confidence"][index]), str(int(found[index]))]
        result.append((float(units.times_s[index]), face, [*seen, *values]))
    return result


def _column(around: list[Track], column: str, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) values of an OpenFace column at the given times, NaN where unmeasured."""
    name, factor = OPENFACE_ANGLES.get(column, (column, 1.0))
    for track in around:
        if name in track.columns:
            values, mask = track.column(name)
            return _at(track.times_s, np.where(mask, values * factor, np.nan), times_s)
    return np.full(times_s.shape, np.nan)


def _at(
    source_s: NDArray[np.float64], values: NDArray[np.float64], times_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values at the nearest source time, NaN where that is over 1 ms away: another frame's value is not this one's."""
    if source_s.size == 0:
        return np.full(times_s.shape, np.nan)
    right = np.clip(np.searchsorted(source_s, times_s), 0, source_s.size - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(source_s[left] - times_s) < np.abs(source_s[right] - times_s), left, right)
    return np.where(np.abs(source_s[nearest] - times_s) <= 1e-3, values[nearest], np.nan)


def _cell(value: float, *, whole: bool = False) -> str:
    if not np.isfinite(value):
        return "NaN"
    return str(round(float(value))) if whole else f"{round(float(value), 4):g}"
