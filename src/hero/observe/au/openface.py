"""OpenFace 2 tables: what `FeatureExtraction` and `FaceLandmarkVidMulti` write, one row per frame and face.

Some releases write a blank after every comma; `face_id` and `gaze_angle_*` came with later ones. Rows in which the tracker
failed (`success` 0) or was unsure (`confidence` below a limit, 0.8 by common use) keep their place in time, but nothing
in them counts as measured: OpenFace fills them with numbers all the same.
Format: https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format.

Legend of shapes: N rows of the file, T rows of one face.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hero.errors import InputError
from hero.observe.au.schema import (
    COLUMNS,
    GAZE_COLUMNS,
    OPENFACE_ANGLES,
    POSE_COLUMNS,
    AUTable,
    Reading,
    Source,
    to_schema,
)
from hero.observe.au.sheet import Sheet, in_time_order, named, read_sheet, row_times
from hero.types import Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_CONFIDENCE = 0.8
JAW_ENDS = ("x_0", "x_16")
WANTED = frozenset(
    {"frame", "face_id", "timestamp", "confidence", "success", "pose_Tz", *JAW_ENDS, *OPENFACE_ANGLES, *COLUMNS}
)
_PROBABILITY = re.compile(r"AU\d\d$")


def read_openface(
    path: Path, *, min_confidence: float = MIN_CONFIDENCE, fps: float | None = None, source: Source = "openface"
) -> Reading:
    """Read an OpenFace 2 table; one `AUTable` per face, the main face first.

    The main face is the one with the most rows of success, weighed by its size. `fps` serves tables without timestamps.

    Raises:
        InputError: the file is no such table, or gives no times or no action units.
    """
    sheet = read_sheet(path, numbers=WANTED.__contains__)
    _check_units(sheet)
    times_s, notes = row_times(sheet, fps=fps, first_frame=1)
    values, mask, remarks = to_schema(sheet.numbers, source, sheet.rows)
    confidence, success, doubts = _quality(sheet)
    good = success & ~(confidence < min_confidence)  # unknown confidence (NaN) is no reason to distrust
    unsure = int((success & ~good).sum())
    if unsure:
        doubts += (f"{unsure} rows with a confidence below {min_confidence:g} are masked",)
    groups, ranked = _faces(sheet, success)
    tables, order_notes = [], []
    for face, number in enumerate(ranked):
        rows, said = in_time_order(times_s, np.flatnonzero(groups == number))
        order_notes += [note for note in said if note not in order_notes]
        tables.append(AUTable(
            times_s[rows], values[rows], mask[rows] & good[rows, None], source, face, confidence[rows], success[rows],
            pose=_angles(sheet, "pose", POSE_COLUMNS, times_s, rows, good),
            gaze=_angles(sheet, "gaze", GAZE_COLUMNS, times_s, rows, good),
        ))  # fmt: skip
    if not any(len(table.times_s) for table in tables):
        raise InputError(f"{path}: no row of the table has a time from 0 on; check the column `timestamp` (seconds)")
    if len(tables) > 1:
        order_notes.append(f"{len(tables)} faces in the table; the main one is face_id {ranked[0]:g}")
    return Reading(tuple(tables), (*sheet.notes, *notes, *remarks, *doubts, *order_notes), sheet.sha256)


def _check_units(sheet: Sheet) -> None:
    if any(name in COLUMNS for name in sheet.header):
        return
    if any(_PROBABILITY.match(name) for name in sheet.header):
        raise InputError(
            f"{sheet.path}: its action units have no `_r` and `_c` columns, as py-feat writes them; set source: pyfeat"
        )
    raise InputError(
        f"{sheet.path}: no action unit column (AU01_r .. AU45_c) among {named(sheet.header)}; run FeatureExtraction "
        "with -aus, and give the table it writes"
    )


def _quality(sheet: Sheet) -> tuple[NDArray[np.float64], NDArray[np.bool_], tuple[str, ...]]:
    """Confidence (N,), NaN where unknown, success (N,), and remarks."""
    confidence, notes = sheet.column("confidence"), []
    if not np.isfinite(confidence).any():
        notes.append("the table says no confidence: no row is masked for it")
    if "success" not in sheet.header:
        notes.append("the table says no success: every row counts as found")
        return confidence, np.ones(sheet.rows, bool), tuple(notes)
    success = sheet.column("success") > 0.5
    if not success.all():
        notes.append(f"{int((~success).sum())} of {sheet.rows} rows without success are masked")
    return confidence, success, tuple(notes)


def _faces(sheet: Sheet, success: NDArray[np.bool_]) -> tuple[NDArray[np.float64], list[float]]:
    """The face of every row (N,), and the faces in order of rows found x median size."""
    groups = np.nan_to_num(sheet.column("face_id"), nan=0.0)
    size = _sizes(sheet)
    weight = {}
    for number in np.unique(groups):
        own = (groups == number) & success
        known = size[own & np.isfinite(size)]
        weight[float(number)] = own.sum() * (float(np.median(known)) if known.size else 1.0)
    return groups, sorted(weight, key=lambda number: (-weight[number], number))


def _sizes(sheet: Sheet) -> NDArray[np.float64]:
    """How large the face is in each row (N,): width of the jaw in pixels, else the inverse of the distance."""
    width = np.abs(sheet.column(JAW_ENDS[1]) - sheet.column(JAW_ENDS[0]))
    if np.isfinite(width).any():
        return width
    distance = np.abs(sheet.column("pose_Tz"))
    return np.divide(1.0, distance, out=np.full(sheet.rows, np.nan), where=distance > 0)


def _angles(
    sheet: Sheet, name: str, columns: tuple[str, ...], times_s: NDArray[np.float64], rows: NDArray[np.int_],
    good: NDArray[np.bool_],
) -> Track | None:  # fmt: skip
    """Pose or gaze of one face in our degrees (T, columns), None where the table has none."""
    ours = {own: sheet.column(theirs) / factor for theirs, (own, factor) in OPENFACE_ANGLES.items()}
    values = np.stack([ours[column] for column in columns], axis=1)[rows]
    mask = np.isfinite(values) & good[rows, None]
    return Track(name, values, times_s[rows], mask, columns, "deg") if np.isfinite(values).any() else None
