"""A person's own neutral face: the value each cue has while nothing happens.

Within the clip it is the median over the calmest frames, those in which the cues that acting moves (`ACTIVITY`) lie
nearest to their own low ends. How far it is trusted depends on how long the face was seen: it is shrunk towards the
population's neutral face (`population.json`, from people who spoke neutrally) by the ratio of the variances, and it is
never put further than `MAX_SPREADS` between-person spreads from there, so that somebody who smiles from the first frame
to the last is not taken for a person whose resting face smiles. A `Baseline` of earlier clips counts as a longer look.

Legend: T frames, C cues.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.cues import CUES
from hero.types import Baseline

MAX_SPREADS = 3.0
HALF_TRUST_S = 0.4
"""Seconds of visible face after which clip and population count alike (for a cue with the usual spread)."""
CALM_SHARE = 0.25
ACTIVITY: Mapping[str, float] = {
    "lip_gap": 0.1, "jaw_drop": 0.2, "corner_up": 0.1, "mouth_width": 0.2, "lip_upper": 0.1, "lip_lower": 0.1,
    "brow_inner": 0.1, "brow_outer": 0.1, "mouthSmile": 0.5, "browInnerUp": 0.5, "browOuterUp": 0.5, "browDown": 0.5,
    "mouthUpperUp": 0.5, "jawOpen": 0.5, "mouthFrown": 0.5, "mouthShrugLower": 0.5, "mouthStretch": 0.5,
    "mouthPucker": 0.5, "eyeWide": 0.5,
}  # fmt: skip
"""Cues that acting and talking raise, each with a marked change."""
TWO_SIDED = frozenset({"brow_inner", "brow_outer", "lip_lower"})


@cache
def population(backend: str) -> Mapping[str, tuple[float, float]]:
    """Mean and between-person spread of each cue's neutral value, as measured with that backend."""
    table = json.loads(files("hero.observe.face").joinpath("population.json").read_text("utf-8"))
    return {cue: (row["mean"], row["spread"]) for cue, row in table[backend].items()}


def calm_frames(cues: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(T,) True for the calmest share of the frames of cues (T, C): least activity, and eyes open."""
    activity = np.zeros(len(cues))
    for cue, full in ACTIVITY.items():
        values = cues[:, CUES.index(cue)]
        if np.isfinite(values).any():
            raised = (values - np.nanquantile(values, 0.5 if cue in TWO_SIDED else 0.1)) / full
            activity += np.abs(raised) if cue in TWO_SIDED else np.maximum(raised, 0)
    opening = cues[:, CUES.index("eye_open")]
    activity[opening < 0.6 * np.nanmedian(opening)] = np.inf
    return activity <= max(np.quantile(activity, CALM_SHARE), activity.min())


def resting(cues: NDArray[np.float32]) -> NDArray[np.float64]:
    """The value of every cue (C,) while the face is calm, from cues (T, C); NaN where a cue was never measured."""
    if not len(cues):
        return np.full(cues.shape[1], np.nan)
    calm = cues[calm_frames(cues)]
    known = np.isfinite(calm).any(axis=0)
    out = np.full(cues.shape[1], np.nan)
    out[known] = np.nanmedian(calm[:, known], axis=0)
    return out


def neutral_face(
    cues: NDArray[np.float32], seen_s: float, backend: str, baseline: Baseline | None = None
) -> NDArray[np.float64]:
    """Neutral value of every cue (C,) from its values over the clip (T, C); NaN where the backend lacks the cue.

    `seen_s` is how long the face was measured. `baseline` keys are `face.<cue>`.
    """
    known = population(backend)
    out, rest = np.full(len(CUES), np.nan), resting(cues)
    for index, cue in enumerate(CUES):
        if cue not in known:
            continue
        mean, spread = known[cue]
        own = rest[index]
        trust = seen_s / (seen_s + HALF_TRUST_S)
        value = mean if not np.isfinite(own) else mean + trust * (own - mean)
        usual = baseline.mean.get(f"face.{cue}") if baseline else None
        if baseline and usual is not None:
            weight = baseline.count / (baseline.count + 1)
            value = weight * usual + (1 - weight) * value
        out[index] = np.clip(value, mean - MAX_SPREADS * spread, mean + MAX_SPREADS * spread)
    return out


def doubt(seen_s: float, backend: str, baseline: Baseline | None = None) -> NDArray[np.float64]:
    """What remains unknown of every cue's neutral value (C,), as one spread; NaN where the backend lacks the cue."""
    known, rest = population(backend), HALF_TRUST_S / (seen_s + HALF_TRUST_S)
    if baseline and baseline.count:
        rest /= baseline.count + 1
    return np.array([rest * known[cue][1] if cue in known else np.nan for cue in CUES])
