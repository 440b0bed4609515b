"""From a face's record to its tracks: action units against the person's own neutral face, pose, gaze, mouth, box.

Legend: T frames of the clip, N frames with this face, C cues.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hero.observe.face import gaze
from hero.observe.face.action_units import (
    AU_C,
    AU_R,
    NUMBERS_C,
    NUMBERS_R,
    closure,
    intensities,
    lips_rolled,
    presences,
)
from hero.observe.face.cues import CUES
from hero.observe.face.neutral import doubt, neutral_face
from hero.observe.face.record import FaceRecord
from hero.types import Baseline, Track

POSE_COLUMNS = ("pitch_deg", "yaw_deg", "roll_deg")
BOX_COLUMNS = ("x", "y", "width", "height")
MOUTH_COLUMNS = ("opening", "width", "jaw")


@dataclass(frozen=True, eq=False)
class Measured:
    """A face over the clip: its tracks on the clip's frame times, and how well its neutral face is known (0..1)."""

    number: int
    tracks: dict[str, Track]
    trust: float
    seen_s: float


def measure_face(
    record: FaceRecord, times_s: NDArray[np.float64], backend: str, baseline: Baseline | None = None
) -> Measured:
    """Tracks `au` (T, 35), `pose`, `gaze`, `mouth`, `box`, `cues` of one face, on the frame times (T,).

    `pose` is in degrees (up, towards the image's right, clockwise), `gaze` likewise, `box` is the centre and size in
    fractions of the frame, `mouth` is in eye distances.
    """
    rows = np.searchsorted(times_s, np.array(record.times_s))  # (N,)
    step_s = float(np.mean(np.diff(times_s))) if len(times_s) > 1 else 0.0
    readable = record.measurable()
    cues = np.array(record.cues, np.float32)  # (N, C)
    seen_s = float(readable.sum() * step_s)
    neutral = neutral_face(cues[readable], seen_s, backend, baseline)
    levels = intensities(_smooth(cues), neutral, doubt(seen_s, backend, baseline), backend)  # (N, 17)
    opening = CUES.index("eye_open")
    levels[:, NUMBERS_R.index(45)] = closure(cues[:, opening], float(neutral[opening]))  # a blink may last one frame
    levels[~readable] = np.nan
    present = presences(levels, np.where(readable, lips_rolled(cues), np.nan).astype(np.float32))  # (N, 18)
    mouth = cues[:, [CUES.index("lip_gap"), CUES.index("mouth_width"), CUES.index("jaw_drop")]]
    mouth = np.where(readable[:, None], mouth, np.nan)

    def track(name: str, values: ArrayLike, columns: tuple[str, ...], unit: str) -> Track:
        full = np.full((len(times_s), len(columns)), np.nan, np.float32)
        full[rows] = np.asarray(values, np.float32)
        return Track(name, full, times_s, np.isfinite(full), columns, unit)

    tracks = {
        "au": track("au", np.hstack([levels, present]), AU_R + AU_C, "FACS level 0..5, then 0/1"),
        "pose": track("pose", record.pose, POSE_COLUMNS, "deg"),
        "gaze": track("gaze", record.gaze, gaze.COLUMNS, "deg"),
        "mouth": track("mouth", mouth, MOUTH_COLUMNS, "eye distances"),
        "box": track("box", record.box, BOX_COLUMNS, "fraction of the frame"),
        "cues": track("cues", np.where(readable[:, None], cues, np.nan), CUES, "eye distances, blendshape scores"),
    }
    trust = 1.0 - float(np.nanmedian(doubt(seen_s, backend, baseline) / np.maximum(doubt(0.0, backend), 1e-9)))
    return Measured(record.number, tracks, trust, seen_s)


def energy(au: Track) -> NDArray[np.float32]:
    """Summed intensities (T,) of all units but the blink, NaN where nothing was measured: the peak frame's measure."""
    columns = [index for index, number in enumerate(NUMBERS_R) if number != 45]
    mask = au.mask[:, columns]
    return np.where(mask.any(1), (au.values[:, columns] * mask).sum(1), np.nan).astype(np.float32)


def intensity(au: Track, number: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Intensities (T,) of one unit and their mask (T,)."""
    return au.column(AU_R[NUMBERS_R.index(number)])


def presence(au: Track, number: int) -> NDArray[np.bool_]:
    """(T,) True where a unit is measured and present."""
    values, mask = au.column(AU_C[NUMBERS_C.index(number)])
    return mask & (values > 0.5)


def _smooth(cues: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median of three frames along time (N, C): single-frame slips of the landmarks vanish, edges stay."""
    if len(cues) < 3:
        return cues
    stack = np.stack([cues[:-2], cues[1:-1], cues[2:]])
    return np.concatenate([cues[:1], np.median(stack, axis=0), cues[-1:]]).astype(np.float32)
