"""How action units move the landmarks of a face: displacement fields for rendering, in eye distances.

A unit is a list of pulls: landmarks, a shift (outwards, up) and a reach. Points near a pull follow it with a Gaussian of
that reach; the groups in `holds` stay where they are (a raised brow does not take the eye along). Shifts are those of a
full movement (level 5), from the anatomy of an adult face (63 mm between the eye centres) and independent of how the face
expert reads landmarks.

Legend: L landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# fmt: off
RIGHT_LID_UP = [246, 161, 160, 159, 158, 157, 173]
RIGHT_LID_LOW = [7, 163, 144, 145, 153, 154, 155]
LEFT_LID_UP = [466, 388, 387, 386, 385, 384, 398]
LEFT_LID_LOW = [249, 390, 373, 374, 380, 381, 382]
EYES = [*RIGHT_LID_UP, *RIGHT_LID_LOW, *LEFT_LID_UP, *LEFT_LID_LOW, 33, 133, 362, 263, *range(468, 478)]
LIPS_INNER_UP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
LIPS_INNER_LOW = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
LIPS_OUTER = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375]
UPPER_LIP = [185, 40, 39, 37, 0, 267, 269, 270, 409, 191, 80, 81, 82, 13, 312, 311, 310, 415, 184, 74, 73, 72, 11, 302,
             303, 304, 408, 183, 42, 41, 38, 12, 268, 271, 272, 407]
LOWER_LIP = [146, 91, 181, 84, 17, 314, 405, 321, 375, 95, 88, 178, 87, 14, 317, 402, 318, 324, 77, 90, 180, 85, 16, 315,
             404, 320, 307, 96, 89, 179, 86, 15, 316, 403, 319, 325]
CORNERS_R, CORNERS_L = [61, 78, 76, 62], [291, 308, 306, 292]
LIPS = [*UPPER_LIP, *LOWER_LIP, *CORNERS_R, *CORNERS_L]
NOSE = [1, 2, 4, 5, 6, 168, 195, 197, 98, 327, 129, 358, 64, 294, 19, 94]
# fmt: on


@dataclass(frozen=True)
class Pull:
    """Landmarks of the right half that move by `out` (away from the midline) and `up`, the left half mirrored."""

    right: tuple[int, ...]
    left: tuple[int, ...]
    out: float
    up: float
    reach: float


@dataclass(frozen=True)
class Field:
    """One unit: its pulls and the landmarks that stay."""

    pulls: tuple[Pull, ...]
    holds: tuple[int, ...] = ()


FIELDS: dict[int, Field] = {
    25: Field(()),
    1: Field((Pull((107, 55, 66, 65), (336, 285, 296, 295), 0, 0.13, 0.14),), tuple(EYES + NOSE)),
    2: Field((Pull((70, 63, 46, 53, 105, 52), (300, 293, 276, 283, 334, 282), 0, 0.12, 0.12),), tuple(EYES + NOSE)),
    4: Field((Pull((107, 55, 66, 65), (336, 285, 296, 295), -0.05, -0.08, 0.12),
              Pull((105, 52), (334, 282), -0.03, -0.05, 0.1)), tuple(EYES + NOSE)),
    5: Field((Pull(tuple(RIGHT_LID_UP[1:6]), tuple(LEFT_LID_UP[1:6]), 0, 0.05, 0.04),), ()),
    6: Field((Pull((50, 101, 117, 118, 119), (280, 330, 346, 347, 348), 0, 0.06, 0.12),
              Pull(tuple(RIGHT_LID_LOW[1:6]), tuple(LEFT_LID_LOW[1:6]), 0, 0.025, 0.05)), tuple(LIPS)),
    9: Field((Pull((98, 129, 64, 48), (327, 358, 294, 278), 0, 0.05, 0.1),
              Pull((107, 55), (336, 285), -0.02, -0.03, 0.1)), tuple(EYES)),
    15: Field((Pull(tuple(CORNERS_R), tuple(CORNERS_L), 0.0, -0.09, 0.09),), ()),
    17: Field((Pull((17, 84, 181, 85, 180, 86, 16, 15), (17, 314, 405, 315, 404, 316, 16, 15), 0, 0.06, 0.1),
               Pull((199, 200, 18, 83, 201), (199, 200, 18, 313, 421), 0, 0.07, 0.12)), ()),
    20: Field((Pull(tuple(CORNERS_R), tuple(CORNERS_L), 0.10, -0.01, 0.14),), ()),
    26: Field((Pull((152, 148, 176, 175, 199, 200, 149, 150, 18, 83), (377, 400, 378, 379, 313), 0, -0.28, 0.2),
               Pull(tuple(CORNERS_R), tuple(CORNERS_L), -0.04, -0.10, 0.08)), (0, 37, 267, 13, 2)),
}  # fmt: skip
"""Units that pulls describe; those that open the mouth add `LIP_OPENING`. AU12 and AU45 depend on the portrait and are
made in `hero.data.render`."""


LIP_OPENING: dict[int, tuple[float, float]] = {25: (0.03, -0.12), 26: (0.0, -0.28)}
"""How far the middle of the upper and of the lower lip moves up at level 5; towards the corners less, as an ellipse."""


def displacement(number: int, face: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift (L, 2) at level 5 of every landmark of an upright face (L, 2) in eye distances, y up, midline at x = 0."""
    field = FIELDS.get(number, Field(()))
    total, share = np.zeros_like(face), np.zeros(len(face))
    for pull in field.pulls:
        for points, sign in ((pull.right, -1.0), (pull.left, 1.0)):
            if not points:
                continue
            out = 0.0 if not pull.left else sign * pull.out
            distance = np.linalg.norm(face[:, None] - face[list(points)][None], axis=-1).min(axis=1)  # (L,)
            weight = np.exp(-0.5 * (distance / pull.reach) ** 2)
            total += weight[:, None] * np.array([out, pull.up])
            share += weight
    shift = total / np.maximum(share, 1.0)[:, None]
    if number in LIP_OPENING:
        shift[:, 1] = _open_lips(face, shift[:, 1], *LIP_OPENING[number])
    shift[list(field.holds)] = 0
    return shift


def _open_lips(
    face: NDArray[np.float64], moved: NDArray[np.float64], upper: float, lower: float
) -> NDArray[np.float64]:
    """Upward shifts (L,) with the lips' opening added; skin below the mouth follows the lower lip."""
    corners = face[[78, 308], 0]
    along = np.clip((face[:, 0] - corners.mean()) / (np.ptp(corners) / 2), -1, 1)
    profile = np.sqrt(1 - along**2)
    for points, up in ((UPPER_LIP, upper), (LOWER_LIP, lower)):
        moved = moved.copy()
        moved[points] = (1 - profile[points]) * moved[points] + profile[points] * up
    distance = np.linalg.norm(face[:, None] - face[LOWER_LIP][None], axis=-1).min(axis=1)
    follow = np.exp(-0.5 * (distance / 0.15) ** 2) * profile * lower
    below = (face[:, 1] < face[17, 1]) & ~np.isin(np.arange(len(face)), LOWER_LIP)
    return np.where(below, np.minimum(moved, follow), moved)
