"""Per-frame measures of one face, kept as plain numbers: a clip's memory does not hold frames or landmarks.

Legend: T frames, C cues.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.cues import CUES, measure
from hero.observe.face.gaze import gaze
from hero.observe.face.landmarks import Face
from hero.observe.face.pose import fit_pose

MAX_YAW_DEG, MAX_PITCH_DEG = 45.0, 35.0
MIN_PRESENCE = 0.5
MIN_SCALE_PX = 14.0
"""Eye distance below which a face shows its pose but no action units."""


@dataclass(eq=False)
class FaceRecord:
    """What was measured on one face so far; the arrays grow by one row a frame."""

    number: int
    times_s: list[float] = field(default_factory=list)
    cues: list[NDArray[np.float32]] = field(default_factory=list)
    pose: list[tuple[float, float, float]] = field(default_factory=list)
    gaze: list[NDArray[np.float32]] = field(default_factory=list)
    box: list[tuple[float, float, float, float]] = field(default_factory=list)
    scale_px: list[float] = field(default_factory=list)
    presence: list[float] = field(default_factory=list)

    def add(self, time_s: float, face: Face, width: int, height: int) -> None:
        """Measure a face found in a frame of `width` x `height` pixels and keep the numbers."""
        pose = fit_pose(face.points)
        cues = measure(pose, face.blendshapes)
        x0, y0, x1, y1 = face.box
        self.times_s.append(time_s)
        self.cues.append(cues)
        self.pose.append((pose.pitch_deg, pose.yaw_deg, pose.roll_deg))
        self.gaze.append(gaze(pose, float(cues[CUES.index("eye_open")])))
        self.box.append(((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height))
        self.scale_px.append(pose.scale_px)
        self.presence.append(face.presence)

    def measurable(self) -> NDArray[np.bool_]:
        """(T,) True where the face is turned and large enough to read its action units."""
        pose = np.abs(np.array(self.pose).reshape(-1, 3))
        return (
            (pose[:, 1] <= MAX_YAW_DEG)
            & (pose[:, 0] <= MAX_PITCH_DEG)
            & (np.array(self.presence) >= MIN_PRESENCE)
            & (np.array(self.scale_px) >= MIN_SCALE_PX)
        )

    def weight(self, step_s: float) -> float:
        """How much this is the subject: seconds seen x mean size, lips in motion counting up to twice."""
        lips = np.array(self.cues)[:, CUES.index("lip_gap")]
        talk = float(np.mean(np.abs(np.diff(lips)))) if len(lips) > 1 else 0.0
        gaps = np.minimum(np.diff(self.times_s), 4 * step_s)
        return float((step_s + gaps.sum()) * np.mean(self.scale_px) * (1 + min(1.0, 30 * talk)))
