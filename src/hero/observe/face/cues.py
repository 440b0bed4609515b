"""What is measured on one face in one frame: distances after pose removal, and blendshape scores.

Distances are in units of the distance between the eye centres (about 63 mm in adults), y up. Each cue that both halves
of a face show is the mean of the two, or, once the head turns, of the half that faces the camera. Blendshape cues keep
ARKit's names without Left and Right; they are NaN where no blendshape network runs.

Legend: L landmarks, B blendshapes, C cues.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.pose import Pose
from hero.observe.face.topology import BLENDSHAPES

GEOMETRY: tuple[str, ...] = (
    "brow_inner", "brow_outer", "brow_gap", "eye_open", "lid_upper", "lid_lower", "cheek", "nose_wing", "lip_upper",
    "corner_up", "corner_lip", "mouth_width", "lip_gap", "jaw_drop", "lip_lower", "chin_lip", "lip_red",
)  # fmt: skip
SHAPES: tuple[str, ...] = (
    "browInnerUp", "browOuterUp", "browDown", "eyeWide", "cheekSquint", "eyeSquint", "eyeBlink", "noseSneer",
    "mouthUpperUp", "mouthSmile", "mouthDimple", "mouthFrown", "mouthShrugLower", "mouthStretch", "mouthPress",
    "mouthPucker", "mouthLowerDown", "mouthRollLower", "mouthRollUpper", "jawOpen", "eyeLookDown",
)  # fmt: skip
CUES: tuple[str, ...] = GEOMETRY + SHAPES

FULL_TURN_DEG = 25.0
"""From this yaw on only the half of the face towards the camera counts."""

# Points of the subject's right half and their partners on the left.
# fmt: off
_PAIRS: dict[str, tuple[list[int], list[int]]] = {
    "brow_in": ([55, 107, 65, 66], [285, 336, 295, 296]),
    "brow_tip": ([55, 107], [285, 336]),
    "brow_out": ([46, 70, 53, 63], [276, 300, 283, 293]),
    "eye_in": ([133], [362]),
    "eye_out": ([33], [263]),
    "lid_up": ([158, 159, 160], [385, 386, 387]),
    "lid_low": ([144, 145, 153], [373, 374, 380]),
    "cheek": ([50, 117, 118, 101], [280, 346, 347, 330]),
    "wing": ([98, 129, 64], [327, 358, 294]),
    "lip_up": ([37, 39], [267, 269]),
    "corner": ([61, 78], [291, 308]),
}
# fmt: on
NOSE_BASE, LIP_TOP, LIP_INNER_UP, LIP_INNER_LOW, LIP_BOTTOM, CHIN = 2, 0, 13, 14, 17, 152


def measure(pose: Pose, blendshapes: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Cues (C,) of one face; `pose.points` (L, 3) has the pose taken out, `blendshapes` is (B,) or None."""
    right_share = float(np.clip(0.5 + pose.yaw_deg / (2 * FULL_TURN_DEG), 0, 1))
    values = np.concatenate([_geometry(pose.points, right_share), _shapes(blendshapes, right_share)])
    return values.astype(np.float32)


def _geometry(points: NDArray[np.float32], right_share: float) -> NDArray[np.float64]:
    y, x = points[:, 1], points[:, 0]
    share = np.array([right_share, 1 - right_share])
    heights = {name: np.array([y[r].mean(), y[left].mean()]) for name, (r, left) in _PAIRS.items()}  # right, left
    eye_line = (heights["eye_in"] + heights["eye_out"]) / 2
    centre_x = x[[168, 6, 2]].mean()

    def both(pair: NDArray[np.float32]) -> float:
        return float(pair @ share)

    def apart(name: str) -> float:
        """Distance between the halves, from the nearer half where the head is turned."""
        right, left = _PAIRS[name]
        return 2 * both(np.array([centre_x - x[right].mean(), x[left].mean() - centre_x]))

    eyes = np.array([np.hypot(*(points[a] - points[b])[:2]) for a, b in ((33, 133), (263, 362))])  # widths
    opening = heights["lid_up"] - heights["lid_low"]
    gap = max(0.0, float(y[LIP_INNER_UP] - y[LIP_INNER_LOW]))
    return np.array([
        both(heights["brow_in"] - heights["eye_in"]),
        both(heights["brow_out"] - heights["eye_out"]),
        apart("brow_tip"),
        both(opening / np.maximum(eyes, 1e-3)),
        both(heights["lid_up"] - eye_line),
        both(heights["lid_low"] - eye_line),
        both(heights["cheek"] - eye_line),
        both(heights["wing"] - heights["eye_in"]),
        float(y[LIP_TOP] + both(heights["lip_up"])) / 2 - y[NOSE_BASE],
        both(heights["corner"]) - y[NOSE_BASE],
        both(heights["corner"]) - (0.6 * y[LIP_INNER_UP] + 0.4 * y[LIP_INNER_LOW]),
        apart("corner"),
        gap,
        y[NOSE_BASE] - y[CHIN],
        y[LIP_BOTTOM] - y[NOSE_BASE],
        y[LIP_BOTTOM] - y[CHIN],
        y[LIP_TOP] - y[LIP_INNER_UP] + y[LIP_INNER_LOW] - y[LIP_BOTTOM],
    ])  # fmt: skip


@cache
def _shape_columns() -> NDArray[np.int_]:
    """For each blendshape cue its columns (right, left); the same one twice where it has no sides."""
    columns = []
    for name in SHAPES:
        sides = (name,) * 2 if name in BLENDSHAPES else (f"{name}Right", f"{name}Left")
        columns.append([BLENDSHAPES.index(side) for side in sides])
    return np.array(columns)


def _shapes(blendshapes: NDArray[np.float32] | None, right_share: float) -> NDArray[np.float64]:
    if blendshapes is None:
        return np.full(len(SHAPES), np.nan)
    return blendshapes[_shape_columns()] @ np.array([right_share, 1 - right_share])
