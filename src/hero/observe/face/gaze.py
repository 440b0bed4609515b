"""Where the eyes point, from the iris centres of the 478-point mesh.

An eyeball of 12 mm radius behind a lid slit of 30 mm turns by asin(2.5 x offset / slit width); good to some 5 degrees
sideways and worse up and down, where the lids hide the iris.

Legend: L landmarks (478 needed).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.pose import Pose

SLIT_TO_RADIUS = 30.0 / 12.0
MIN_OPEN = 0.12
"""Lid opening over slit width below which the iris is hidden."""
_EYES = ((468, 33, 133), (473, 362, 263))  # iris, image-left corner, image-right corner: right eye, left eye

COLUMNS = ("eye_x_deg", "eye_y_deg", "x_deg", "y_deg")


def gaze(pose: Pose, eye_open: float) -> NDArray[np.float32]:
    """Eye in head, then eye and head together, (4,) in degrees (right in the image, up); NaN where not measurable."""
    if len(pose.points) < 478 or eye_open < MIN_OPEN:
        return np.full(4, np.nan, np.float32)
    offsets = []
    for iris, left, right in _EYES:
        corners = pose.points[[left, right], :2]
        width = max(float(np.hypot(*(corners[1] - corners[0]))), 1e-3)
        offsets.append((pose.points[iris, :2] - corners.mean(0)) / width)
    x, y = np.degrees(np.arcsin(np.clip(SLIT_TO_RADIUS * np.mean(offsets, axis=0), -1, 1)))
    return np.array([x, y, x + pose.yaw_deg, y + pose.pitch_deg], np.float32)
