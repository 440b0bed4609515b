"""One time axis for picture and sound: interpolation where a track is slower than the axis, mean pooling where faster.

Masks are honoured: nothing is interpolated across a hole, and only what was measured is averaged. `normalise_lips` and
`normalise_sound` make the two sides that the synergy model reads out of the embedded experts' tracks, `standardised` one
side out of an encoder's features.
Legend of shapes: K rows of a track, T steps of the axis, D columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hero.errors import InputError
from hero.types import Track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hero.types import Observation

HOLE_S = 0.2
"""Two measured rows farther apart than this, or than one and a half rows of a slow track, have a hole between them."""

LIPS = (
    ("mouth", "opening", 0.03), ("mouth", "width", 0.03), ("mouth", "jaw", 0.03), ("cues", "lip_lower", 0.03),
)  # fmt: skip
"""Track of the face expert, its column, and the least spread (eye distances) that counts as movement."""
MOTION_COLUMNS = tuple(column for _, column, _ in LIPS)
AUDIO_COLUMNS = ("loudness", "tilt", "voiced", "harmonic")
LOUD_RANGE_DB, TILT_DB, HARMONIC_DB = 35.0, 8.0, 20.0
SATURATION = 4.0


def resample(track: Track, times_s: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The track on an even axis: values (T, D), 0 where masked, and mask (T, D).

    Rows denser than the axis are averaged within half a step around each time; sparser rows are joined by straight lines
    between measured neighbours.
    """
    size, columns = len(times_s), track.values.shape[1]
    values, mask = np.zeros((size, columns), np.float32), np.zeros((size, columns), bool)
    if size == 0 or track.times_s.size == 0:
        return values, mask
    step_s = float(times_s[1] - times_s[0]) if size > 1 else HOLE_S
    spacing_s = float(np.median(np.diff(track.times_s))) if track.times_s.size > 1 else 0.0
    for column in range(columns):
        known = track.mask[:, column]
        at_s, line = track.times_s[known], track.values[known, column].astype(np.float64)
        if at_s.size == 0:
            continue
        if spacing_s < 0.75 * step_s:
            values[:, column], mask[:, column] = _pooled(at_s, line, times_s, step_s)
        else:
            values[:, column], mask[:, column] = _joined(at_s, line, times_s, max(HOLE_S, 1.5 * spacing_s))
    return values, mask


def _pooled(
    at_s: NDArray[np.floating], line: NDArray[np.floating], times_s: NDArray[np.floating], step_s: float
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    total = np.concatenate([[0.0], np.cumsum(line)])
    low = np.searchsorted(at_s, times_s - step_s / 2 - 1e-9)
    high = np.searchsorted(at_s, times_s + step_s / 2 - 1e-9)
    count = high - low
    return np.where(count > 0, (total[high] - total[low]) / np.maximum(count, 1), 0.0), count > 0


def _joined(
    at_s: NDArray[np.floating], line: NDArray[np.floating], times_s: NDArray[np.floating], hole_s: float
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    after = np.clip(np.searchsorted(at_s, times_s), 0, at_s.size - 1)
    before = np.clip(np.searchsorted(at_s, times_s, side="right") - 1, 0, at_s.size - 1)
    inside = (times_s >= at_s[0] - 1e-9) & (times_s <= at_s[-1] + 1e-9)
    known = inside & (at_s[after] - at_s[before] <= hole_s + 1e-9)
    return np.where(known, np.interp(times_s, at_s, line), 0.0), known


def lips_and_sound(observations: Mapping[str, Observation]) -> tuple[Track, Track]:
    """Track `motion` (K, 4) of lip measures in eye distances from the face expert, and the voice expert's `prosody`.

    Raises:
        InputError: one of the tracks is not there.
    """
    for expert, needed in (("face", ("mouth", "cues")), ("voice", ("prosody",))):
        found = observations.get(expert)
        lacking = [name for name in needed if found is None or name not in found.tracks]
        if lacking:
            raise InputError(f"the {expert} expert brought no {', '.join(lacking)}; give a clip with a speaking face")
    face = observations["face"].tracks
    lips = np.stack([face[name].column(column)[0] for name, column, _ in LIPS], axis=1)
    seen = np.stack([face[name].column(column)[1] for name, column, _ in LIPS], axis=1)
    motion = Track("motion", lips, face["mouth"].times_s, seen, MOTION_COLUMNS, "eye distances")
    return motion, observations["voice"].tracks["prosody"]


def normalise_lips(motion: Track) -> Track:
    """Each column of lip measures (K, 4) about its median, in spreads of the clip but no less than real movement."""
    values = np.zeros(motion.values.shape, np.float32)
    for column, (_, _, least) in enumerate(LIPS):
        known = motion.mask[:, column]
        if known.any():
            line = motion.values[:, column]
            spread = max(float(line[known].std()), least)
            values[:, column] = np.clip((line - np.median(line[known])) / spread, -SATURATION, SATURATION)
    return Track("motion", values, motion.times_s, motion.mask, MOTION_COLUMNS, "spreads")


def normalise_sound(prosody: Track) -> Track:
    """Loudness over the clip's own floor, brightness, voicing and harmonics of speech (K, 4), each within about -2..2."""
    loudness, loud = prosody.column("loudness_db")
    tilt, bright = prosody.column("tilt_db")
    harmonic, voiced = prosody.column("hnr_db")
    talk = prosody.column("speech")[0] > 0.5
    heard = talk & loud
    top = float(np.percentile(loudness[heard], 95)) if heard.any() else 0.0
    level = np.where(loud, np.clip(loudness - top + LOUD_RANGE_DB, 0, 1.2 * LOUD_RANGE_DB), 0) / LOUD_RANGE_DB  # (K,)
    usual = float(np.median(tilt[talk & bright])) if (talk & bright).any() else 0.0
    tone = np.where(talk & bright, np.clip((tilt - usual) / TILT_DB, -2, 2), 0)
    clear = np.where(voiced, np.clip(harmonic / HARMONIC_DB, -0.5, 1.5), 0)
    values = np.stack([2 * level - 1, tone, voiced.astype(float), clear], axis=1)
    return Track("audio", values, prosody.times_s, np.ones(len(values), bool), AUDIO_COLUMNS, "1")


def standardised(track: Track) -> Track:
    """The track (K, D) with each column at mean 0 and spread 1 over what was measured of the clip."""
    known = np.maximum(track.mask.sum(0), 1)  # (D,)
    mean = np.where(track.mask, track.values, 0).sum(0) / known
    spread = np.sqrt(np.where(track.mask, (track.values - mean) ** 2, 0).sum(0) / known)
    values = (track.values - mean) / np.maximum(spread, 1e-3)
    return Track(track.name, values, track.times_s, track.mask, track.columns, "spreads")
