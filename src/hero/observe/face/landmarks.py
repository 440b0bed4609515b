"""Landmarks of one face in a frame, with the region to look at in the next frame.

Legend: H, W frame; L landmarks (478 with irises, or 468); B blendshapes (52).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.crop import Roi, crop
from hero.observe.face.networks import Networks
from hero.observe.face.topology import BLENDSHAPE_POINTS, LEFT_EYE_OUTER, RIGHT_EYE_OUTER

ROI_SCALE = 1.5


@dataclass(frozen=True, eq=False)
class Face:
    """Points (L, 3) in pixels of the frame (depth on the same scale, smaller is nearer), `presence` in 0..1,
    blendshape scores (B,) or None, and the `roi` they were found in."""

    points: NDArray[np.float32]
    presence: float
    blendshapes: NDArray[np.float32] | None
    roi: Roi

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) around all points, in pixels."""
        low, high = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def next_roi(self) -> Roi:
        """Where the same face is looked for in the next frame: 1.5 x the landmarks' box, level with the eyes."""
        right, left = self.points[RIGHT_EYE_OUTER], self.points[LEFT_EYE_OUTER]
        angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
        cos, sin = np.cos(angle), np.sin(angle)
        turned = self.points[:, :2] @ np.array([[cos, -sin], [sin, cos]], np.float32)  # into the level frame
        low, high = turned.min(0), turned.max(0)
        x, y = (low + high) / 2
        side = float((high - low).max()) * ROI_SCALE
        return Roi(float(x * cos - y * sin), float(x * sin + y * cos), side, angle)


def find_landmarks(networks: Networks, rgb: NDArray[np.uint8], roi: Roi) -> Face:
    """Run the landmark network (and the blendshape network, if any) on one region of a frame (H, W, 3)."""
    points, logit = networks.landmarks(crop(rgb, roi, networks.side) / np.float32(255))
    in_frame = roi.to_frame(points / np.float32(networks.side))
    presence = float(1 / (1 + np.exp(-np.clip(logit, -50, 50))))
    shapes = networks.blendshapes(in_frame[BLENDSHAPE_POINTS, :2]) if networks.blendshapes and presence > 0.1 else None
    return Face(in_frame, presence, shapes, roi)
