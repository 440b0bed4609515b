"""Action units of OpenFace's schema from cues: 17 intensities (0..5, `_r`) and 18 presences (0/1, `_c`).

Each unit is a weighted sum of how far its cues have moved from the person's neutral face, scaled so that a full movement
(`FULL` below: a FACS level E by the anatomy of an adult face, or a saturated blendshape) is 5. The scale is set by
hand from those ranges, not fitted to labels. What the backend cannot show is masked, never 0: AU23 in both backends,
AU14 and AU28 where there are landmarks only.

The part of a deviation that another resting face could explain is not counted: with `doubt` the remaining spread of the
neutral face, a cue counts from one `doubt` on.

Legend: T frames, C cues, 17 intensities, 18 presences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hero.observe.au.schema import AU_C, AU_R, NUMBERS_C, NUMBERS_R
from hero.observe.face.cues import CUES
from hero.observe.spans import hysteresis

__all__ = ["AU_C", "AU_R", "NUMBERS_C", "NUMBERS_R", "closure", "intensities", "lips_rolled", "presences"]

BLINK_REACH = 20
"""Frames to either side (1 s at 20 per second) in which the usual opening of the lids is sought."""
CLOSED_FROM, CLOSED_FULL = 0.12, 0.6
"""Loss of lid opening at which a blink begins to count, and at which the eye is shut (landmarks never meet)."""

LEAST = -1.0

ON_LEVEL, OFF_LEVEL = 1.0, 0.6
"""A unit is present from FACS level A to B (1.0) on, until it falls below 0.6 again."""


@dataclass(frozen=True)
class Term:
    """One cue's part in a unit: `full` is the signed change that counts as level 5, `weight` its share."""

    cue: str
    full: float
    weight: float


Recipe = tuple[Term, ...]

BUNDLE: dict[int, Recipe] = {
    1: (Term("browInnerUp", 0.8, 0.5), Term("brow_inner", 0.08, 0.5)),
    2: (Term("browOuterUp", 0.8, 0.5), Term("brow_outer", 0.08, 0.5)),
    4: (Term("browDown", 0.5, 0.5), Term("brow_inner", -0.05, 0.4), Term("brow_gap", -0.05, 0.1)),
    5: (Term("eyeWide", 0.4, 0.4), Term("lid_upper", 0.04, 0.6)),
    6: (Term("cheek", 0.07, 0.5), Term("lid_lower", 0.04, 0.25), Term("eyeSquint", 0.6, 0.25)),
    7: (Term("eyeSquint", 0.6, 0.5), Term("lid_lower", 0.04, 0.25), Term("eye_open", -0.15, 0.25)),
    9: (Term("noseSneer", 0.4, 0.35), Term("nose_wing", 0.05, 0.5), Term("brow_inner", -0.05, 0.15)),
    10: (Term("mouthUpperUp", 0.7, 0.5), Term("lip_upper", 0.09, 0.5)),
    12: (Term("mouthSmile", 0.8, 0.6), Term("corner_up", 0.14, 0.2), Term("mouth_width", 0.22, 0.2)),
    14: (Term("mouthDimple", 0.5, 1.0),),
    15: (Term("mouthFrown", 0.4, 0.4), Term("corner_lip", -0.06, 0.3), Term("corner_up", -0.07, 0.3)),
    17: (Term("mouthShrugLower", 0.6, 0.5), Term("lip_lower", 0.08, 0.3), Term("chin_lip", 0.08, 0.2)),
    20: (Term("mouthStretch", 0.4, 0.5), Term("mouth_width", 0.18, 0.5)),
    25: (Term("lip_gap", 0.22, 1.0),),
    26: (Term("jawOpen", 0.8, 0.5), Term("jaw_drop", 0.35, 0.5)),
}

LANDMARKS: dict[int, Recipe] = {
    1: (Term("brow_inner", 0.08, 1.0),),
    2: (Term("brow_outer", 0.08, 1.0),),
    4: (Term("brow_inner", -0.05, 0.7), Term("brow_gap", -0.05, 0.3)),
    5: (Term("lid_upper", 0.04, 1.0),),
    6: (Term("cheek", 0.07, 0.6), Term("lid_lower", 0.04, 0.4)),
    7: (Term("lid_lower", 0.04, 0.5), Term("eye_open", -0.15, 0.5)),
    9: (Term("nose_wing", 0.05, 0.8), Term("brow_inner", -0.05, 0.2)),
    10: (Term("lip_upper", 0.09, 1.0),),
    12: (Term("corner_up", 0.14, 0.5), Term("mouth_width", 0.22, 0.5)),
    15: (Term("corner_lip", -0.06, 0.5), Term("corner_up", -0.07, 0.5)),
    17: (Term("lip_lower", 0.08, 0.6), Term("chin_lip", 0.08, 0.4)),
    20: (Term("mouth_width", 0.18, 1.0),),
    25: (Term("lip_gap", 0.22, 1.0),),
    26: (Term("jaw_drop", 0.35, 1.0),),
}

RECIPES: dict[str, dict[int, Recipe]] = {"bundle": BUNDLE, "landmarks": LANDMARKS}

Explained = dict[int, tuple[tuple[int, float], ...]]

BUNDLE_EXPLAINED: Explained = {
    6: ((45, 0.5),),
    7: ((45, 1.0),),
    9: ((12, 0.6), (4, 0.15)),
    10: ((12, 0.5),),
    14: ((12, 0.5), (26, 0.3)),
    15: ((26, 0.35), (12, 0.5)),
    17: ((12, 0.3),),
    20: ((12, 0.9),),
}
LANDMARKS_EXPLAINED: Explained = BUNDLE_EXPLAINED | {
    1: ((26, 0.35),),
    2: ((26, 0.35),),
    6: ((45, 0.5), (12, 0.35)),
    9: ((12, 1.2), (25, 0.15), (4, 0.15)),
    10: ((12, 0.7),),
    20: ((12, 1.1), (26, 0.3)),
}
EXPLAINED_BY: dict[str, Explained] = {"bundle": BUNDLE_EXPLAINED, "landmarks": LANDMARKS_EXPLAINED}
"""Units whose cues another unit also moves: that share of the other's intensity is taken off (a smile widens the mouth;
the 468-point mesh lifts the brows a little when the jaw drops)."""


def intensities(
    cues: NDArray[np.float32], neutral: NDArray[np.float64], doubt: NDArray[np.float64], backend: str
) -> NDArray[np.float32]:
    """Intensities (T, 17) in 0..5 from cues (T, C), neutral (C,) and doubt (C,); NaN where not measurable."""
    moved = cues - neutral
    moved = np.sign(moved) * np.maximum(np.abs(moved) - doubt, 0)  # (T, C)
    levels = {number: _level(moved, recipe) for number, recipe in RECIPES[backend].items()}
    levels[45] = closure(cues[:, CUES.index("eye_open")], float(neutral[CUES.index("eye_open")]))
    plain = dict(levels)
    for number, others in EXPLAINED_BY[backend].items():
        if number in levels:
            levels[number] = levels[number] - sum(share * np.clip(plain[other], 0, 5) for other, share in others)
    out = np.full((len(cues), len(NUMBERS_R)), np.nan, np.float32)
    for column, number in enumerate(NUMBERS_R):
        if number in levels:
            out[:, column] = np.clip(levels[number], 0, 5)
    return out


def closure(opening: NDArray[np.float32], usual: float) -> NDArray[np.float64]:
    """Level of AU45 (T,): how far the lids close from how open they were just before and after.

    The reference is the local opening, so that eyes narrowed by a smile do not count as closed; it is never taken
    below half of the person's usual opening, so that eyes kept shut do.
    """
    reach = min(BLINK_REACH, max(1, len(opening) // 2))
    padded = np.pad(opening, reach, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)  # (T, 2 reach + 1)
    reference = np.maximum(np.quantile(around, 0.75, axis=1), 0.5 * usual)
    closed = 1 - opening / np.maximum(reference, 1e-3)
    return 5 * np.clip((closed - CLOSED_FROM) / (CLOSED_FULL - CLOSED_FROM), 0, 1)


def presences(levels: NDArray[np.float32], lips_rolled: NDArray[np.float32]) -> NDArray[np.float32]:
    """Presences (T, 18) as 0 or 1 from intensities (T, 17) and the rolled-lips cue (T,), NaN where not measurable."""
    out = np.full((len(levels), len(NUMBERS_C)), np.nan, np.float32)
    for column, number in enumerate(NUMBERS_C):
        source = 5 * lips_rolled / 0.8 if number == 28 else levels[:, NUMBERS_R.index(number)]
        known = np.isfinite(source)
        out[known, column] = hysteresis(source[known], on=2.0 if number in (28, 45) else ON_LEVEL, off=OFF_LEVEL)
    return out


def lips_rolled(cues: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cue of AU28 (T,): both lips rolled in, so the weaker of the two; NaN without blendshapes."""
    return np.minimum(cues[:, CUES.index("mouthRollLower")], cues[:, CUES.index("mouthRollUpper")])


def _level(moved: NDArray[np.float64], recipe: Recipe) -> NDArray[np.float64]:
    """Weighted level (T,) of one unit; a single cue takes off at most one level and adds at most six."""
    total = np.zeros(len(moved))
    for term in recipe:
        total += term.weight * np.clip(5 * moved[:, CUES.index(term.cue)] / term.full, LEAST, 6)
    return total
