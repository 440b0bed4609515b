"""The one schema of action units: 17 intensities and 18 presences per frame, a mask beside them, one scale per source.

The columns are OpenFace 2's: `AU01_r` .. `AU45_r` are FACS intensities from 0 (absent) to 5 (maximal), `AU01_c` ..
`AU45_c` are 0 or 1. AU28 has a presence only. What a source did not measure is masked, never 0. Each source turns into
the schema by its `Scale`; from one source to another there is no way but through the schema (read, then write with
`hero.report.au_table`).

Legend of shapes: T frames, N rows of a source, 35 columns (17 + 18).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from hero.errors import UsageError
from hero.types import Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMBERS_R = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
NUMBERS_C = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
AU_R: tuple[str, ...] = tuple(f"AU{n:02d}_r" for n in NUMBERS_R)
AU_C: tuple[str, ...] = tuple(f"AU{n:02d}_c" for n in NUMBERS_C)
COLUMNS: tuple[str, ...] = AU_R + AU_C
FULL_LEVEL = 5.0
BLINK = 45

QUALITY_COLUMNS = ("confidence", "success")
POSE_COLUMNS = ("pitch_deg", "yaw_deg", "roll_deg")
GAZE_COLUMNS = ("x_deg", "y_deg")
_RADIANS = float(np.pi / 180)
OPENFACE_ANGLES: Mapping[str, tuple[str, float]] = {
    "pose_Rx": ("pitch_deg", -_RADIANS),
    "pose_Ry": ("yaw_deg", -_RADIANS),
    "pose_Rz": ("roll_deg", _RADIANS),
    "gaze_angle_x": ("x_deg", _RADIANS),
    "gaze_angle_y": ("y_deg", -_RADIANS),
}
"""Our angles (degrees; up, towards the image's right, clockwise) for OpenFace's (radians; its pitch grows downwards and
its yaw towards the image's left, its gaze towards the image's right and downwards), with the factor from ours to its."""

Source = Literal["mediapipe", "openface", "feature_extraction", "pyfeat"]


@dataclass(frozen=True)
class Scale:
    """What a source's numbers mean and how they reach the schema.

    `full` is the number that becomes level 5. `present_from` is where a unit begins to count as present; None where the
    source gives presences of its own. `renamed` holds units that the source calls by another number, ours for its.
    """

    meaning: Literal["intensity", "probability"]
    full: float
    present_from: float | None = None
    renamed: Mapping[int, int] = field(default_factory=dict)


SCALES: Mapping[Source, Scale] = {
    "mediapipe": Scale("intensity", 5.0),
    "openface": Scale("intensity", 5.0),
    "feature_extraction": Scale("intensity", 5.0),
    "pyfeat": Scale("probability", 1.0, present_from=0.5, renamed={43: 45}),
}
"""One rule per source. py-feat gives the probability that a unit is there (20 units; 11 and 24 lie outside the schema; 43,
eyes closed, is what 45 measures while it lasts). A probability is a presence first: from 0.5 on the unit is present. It also
fills the intensity column, as 5 x probability, because order and peak survive a straight line and a network would
otherwise see nothing graded; it says how sure py-feat is, not how strong the movement was, so nothing that puts
intensities into words may use it (`Scale.meaning`)."""

SLACK = 0.02
"""Numbers beyond the ends of a scale by at most this share of it are rounding; beyond that they are not believed."""


@dataclass(frozen=True, eq=False)
class AUTable:
    """The action units of one face over time.

    times_s (T,) rising, values (T, 35) float32, mask (T, 35) True where measured; `face` 0 is the main face, 1, 2 .. are
    the others. `confidence` (T,) is how sure the source was of the face, NaN where it did not say; `success` (T,) whether
    it found the face. `pose` and `gaze` (T rows, our degrees) come along where the source gives them.

    Raises:
        ValueError: shapes that do not fit, or times that run backwards.
    """

    times_s: NDArray[np.float64]
    values: NDArray[np.floating]
    mask: NDArray[np.bool_]
    source: Source
    face: int = 0
    confidence: NDArray[np.float64] | None = None
    success: NDArray[np.bool_] | None = None
    pose: Track | None = None
    gaze: Track | None = None

    def __post_init__(self) -> None:
        track = Track("units", self.values, self.times_s, self.mask, COLUMNS)  # checks shapes and times
        rows = track.times_s.shape
        sure = np.full(rows, np.nan) if self.confidence is None else np.asarray(self.confidence, np.float64)
        found = track.valid if self.success is None else np.asarray(self.success, bool)
        if sure.shape != rows or found.shape != rows:
            raise ValueError(f"units: {rows[0]} times, confidence {sure.shape}, success {found.shape}")
        for key, value in (("times_s", track.times_s), ("values", track.values), ("mask", track.mask),
                           ("confidence", sure), ("success", found)):  # fmt: skip
            object.__setattr__(self, key, value)

    @property
    def scale(self) -> Scale:
        """What the numbers mean."""
        return SCALES[self.source]

    def as_track(self, name: str = "units") -> Track:
        """The table as a track (T, 35) whose columns are `COLUMNS`."""
        graded = "FACS level 0..5" if self.scale.meaning == "intensity" else "5 x probability"
        return Track(name, self.values, self.times_s, self.mask, COLUMNS, f"{graded}, then 0/1")

    @classmethod
    def from_track(cls, track: Track, source: Source, face: int = 0) -> AUTable:
        """A track with the schema's columns, in any order and possibly some of them, as a table.

        Raises:
            UsageError: the track has none of the columns.
        """
        known = {name: index for index, name in enumerate(track.columns) if name in COLUMNS}
        if not known:
            raise UsageError(
                f"track '{track.name}' has no column of the action unit schema; it has {', '.join(track.columns[:5])}, "
                f"allowed: {COLUMNS[0]} .. {COLUMNS[-1]}; take the track `au` of the face expert"
            )
        values = np.zeros((len(track.times_s), len(COLUMNS)), np.float32)
        mask = np.zeros(values.shape, bool)
        for name, index in known.items():
            column = COLUMNS.index(name)
            values[:, column], mask[:, column] = track.values[:, index], track.mask[:, index]
        return cls(track.times_s, values, mask, source, face)

    def quality(self, name: str = "quality") -> Track:
        """`confidence` and `success` of the source as a track (T, 2)."""
        assert self.confidence is not None and self.success is not None
        values = np.stack([self.confidence, self.success.astype(np.float64)], axis=1)
        return Track(name, values, self.times_s, np.isfinite(values), QUALITY_COLUMNS)

    def on_clock(self, shift_s: float, end_s: float) -> AUTable:
        """The table with its times moved by `shift_s`, and only its rows from 0 to before `end_s`."""
        assert self.confidence is not None and self.success is not None
        times = self.times_s + shift_s
        keep = (times >= 0) & (times < end_s)
        pose, gaze = (
            None
            if track is None
            else replace(track, values=track.values[keep], times_s=times[keep], mask=track.mask[keep])
            for track in (self.pose, self.gaze)
        )
        return replace(
            self, times_s=times[keep], values=self.values[keep], mask=self.mask[keep], pose=pose, gaze=gaze,
            confidence=self.confidence[keep], success=self.success[keep],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Reading:
    """What a source gave: one table per face, the main face first; remarks; the SHA-256 of what was read."""

    tables: tuple[AUTable, ...]
    notes: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True)
class Peak:
    """The frame of the greatest summed intensity."""

    index: int
    time_s: float
    level: float


def peak(table: AUTable) -> Peak | None:
    """The frame in which the face moves most: the greatest sum of measured intensities, the first one of equals.

    AU45 takes no part (a blink is no expression), nor do masked cells; None where no other intensity was measured.
    """
    columns = [index for index, number in enumerate(NUMBERS_R) if number != BLINK]
    mask = table.mask[:, columns]
    if not mask.any():
        return None
    level = np.where(mask.any(axis=1), (table.values[:, columns] * mask).sum(axis=1), -np.inf)  # (T,)
    index = int(np.argmax(level))
    return Peak(index, float(table.times_s[index]), float(level[index]))


def to_schema(
    columns: Mapping[str, NDArray[np.float64]], source: Source, rows: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[str, ...]]:
    """Values (N, 35), mask (N, 35) and remarks from a source's own columns (N,), NaN where it gave nothing.

    An intensity source brings columns of the schema's names, a probability source `AU01`, `AU02` and so on.
    """
    scale = SCALES[source]
    raw = np.full((rows, len(COLUMNS)), np.nan)
    absent = []
    for index, name in enumerate(COLUMNS):
        found = columns.get(name) if scale.meaning == "intensity" else _probability(columns, name, scale)
        if found is None:
            absent.append(name)
        elif name in AU_R:
            raw[:, index] = FULL_LEVEL * found / scale.full
        else:
            raw[:, index] = found if scale.present_from is None else _present(found, scale.present_from)
    values, strange = _believed(raw)
    notes = [f"not in the table, so masked: {', '.join(absent)}"] if absent else []
    if strange:
        notes.append(f"{strange} action unit cells lie outside their scale (intensity 0..{scale.full:g}, presence 0 or 1): "
                     "masked")  # fmt: skip
    return np.nan_to_num(values).astype(np.float32), np.isfinite(values), tuple(notes)


def as_tracks(tables: Iterable[AUTable]) -> dict[str, Track]:
    """The tracks from which `hero.report.au_table.au_table` writes these tables: `face.au`, `face.au_person1` and so on."""
    tracks: dict[str, Track] = {}
    for table in tables:
        suffix = f"_person{table.face}" if table.face else ""
        tracks[f"face.au{suffix}"] = table.as_track("au")
        tracks[f"face.quality{suffix}"] = table.quality()
        for kind, track in (("pose", table.pose), ("gaze", table.gaze)):
            if track is not None:
                tracks[f"face.{kind}{suffix}"] = track
    return tracks


def _probability(columns: Mapping[str, NDArray[np.float64]], name: str, scale: Scale) -> NDArray[np.float64] | None:
    number = int(name[2:4])
    theirs = next((own for own, ours in scale.renamed.items() if ours == number), number)
    return columns.get(f"AU{theirs:02d}")


def _present(probability: NDArray[np.float64], present_from: float) -> NDArray[np.float64]:
    inside = (probability >= -SLACK) & (probability <= 1 + SLACK)
    return np.where(inside, (probability >= present_from).astype(np.float64), np.nan)


def _believed(raw: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Values (N, 35) within their scale, NaN where they are not, and how many finite ones were not."""
    level, switch = raw[:, : len(AU_R)], raw[:, len(AU_R) :]
    slack = SLACK * FULL_LEVEL
    level_ok = (level >= -slack) & (level <= FULL_LEVEL + slack)
    switch_ok = np.isin(switch, (0.0, 1.0))
    good = np.hstack([level_ok, switch_ok])
    values = np.where(good, raw, np.nan)
    values[:, : len(AU_R)] = np.clip(values[:, : len(AU_R)], 0, FULL_LEVEL)
    return values, int((np.isfinite(raw) & ~good).sum())
