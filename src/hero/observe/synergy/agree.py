"""Do face and voice grow lively at the same moments, and what the voice does while the mouth corners are raised.

Legend of shapes: T bins on one grid, D columns. Liveliness is in units of the clip's own spread (median 0): it says
when a person is livelier than usual in this clip, not how lively they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.spans import hysteresis, runs
from hero.types import Track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hero.types import Span

BIN_S = 0.5
BIN_NEEDS = 3
MIN_BINS = 10
SPEAKING_ONLY = ("AU25", "AU26", "AU45")  # jaw and lips follow the words, lids blink: they say little about liveliness
CORNERS_ON, CORNERS_OFF, CORNERS_MIN_S = 1.5, 1.0, 0.4
VOICED_NEEDED = 10


@dataclass(frozen=True)
class Agreement:
    """How far two lines go together: correlation, share of circular shifts that fit as well, and bins compared."""

    correlation: float
    chance: float
    bins: int


def action_units(tracks: Mapping[str, Track]) -> Track | None:
    """The subject's action unit intensities with columns `AU01`, `AU02` ..., if the face expert brought any.

    Its track `au` follows OpenFace's table, in which intensities end with `_r` and presences with `_c`.
    """
    track = tracks.get("au")
    if track is None:
        return None
    keep = [i for i, name in enumerate(track.columns) if name.endswith("_r")]
    names = tuple(track.columns[i].removesuffix("_r") for i in keep)
    if "AU12" not in names:
        return None
    return Track("au", track.values[:, keep], track.times_s, track.mask[:, keep], names, "0-5")


def energy(units: Track, prosody: Track) -> Track | None:
    """Track `energy` on bins of 0.5 s: face (movement of action units) and voice (loudness and pitch excursion)."""
    start, end = max(_first(units), _first(prosody)), min(_last(units), _last(prosody))
    count = int((end - start) / BIN_S)
    if count < 1:
        return None
    edges = start + np.arange(count + 1) * BIN_S
    times = edges[1:]
    face = _binned(*_face_movement(units), edges)
    voice = _voice_liveliness(prosody, edges)
    values = np.stack([_own_spread(face), _own_spread(voice)], axis=1)  # (T, 2)
    return Track(
        "energy", values.astype(np.float32), times.astype(np.float64), np.isfinite(values), ("face", "voice"), "spreads"
    )


def agreement(lively: Track) -> Agreement | None:
    """Correlation of the two columns of `energy` against circular shifts; None for fewer than 10 common bins."""
    both = lively.mask.all(axis=1)
    if both.sum() < MIN_BINS:
        return None
    face, voice = lively.values[both, 0].astype(float), lively.values[both, 1].astype(float)
    if min(face.std(), voice.std()) < 1e-6:
        return None
    reached = float(np.corrcoef(face, voice)[0, 1])
    shifted = [float(np.corrcoef(face, np.roll(voice, k))[0, 1]) for k in range(2, face.size - 1)]
    chance = (1 + sum(r >= reached for r in shifted)) / (1 + len(shifted))
    return Agreement(reached, chance, int(both.sum()))


def voice_under_raised_corners(units: Track, prosody: Track) -> list[tuple[Span, dict[str, float]]]:
    """For each stretch with raised mouth corners (AU12) in speech: pitch and loudness against the speaker's usual."""
    corners, known = units.column("AU12")
    pitch, voiced = prosody.column("f0_semitones")
    loudness, loud = prosody.column("loudness_db")
    speech, _ = prosody.column("speech")
    talk = (speech > 0.5) & loud
    if not talk.any():
        return []
    usual = float(np.median(loudness[talk]))
    found = []
    active = hysteresis(corners, on=CORNERS_ON, off=CORNERS_OFF, mask=known)
    for span in runs(active, units.times_s, min_s=CORNERS_MIN_S, gap_s=0.2):
        inside = (prosody.times_s >= span.start_s) & (prosody.times_s < span.end_s)
        if (inside & voiced).sum() < VOICED_NEEDED or not (inside & talk).any():
            continue
        times, tones = prosody.times_s[inside & voiced], pitch[inside & voiced]
        seen = (units.times_s >= span.start_s) & (units.times_s < span.end_s) & known
        found.append((span, {
            "AU12": float(corners[seen].max()),
            "f0_semitones": float(np.median(tones)),
            "f0_slope_semitones_s": float(np.polyfit(times, tones, 1)[0]) if np.ptp(times) > 0.15 else 0.0,
            "loudness_over_usual_db": float(np.median(loudness[inside & talk])) - usual,
        }))  # fmt: skip
    return found


def _face_movement(units: Track) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(times_s, mean change of the action units per second), without those that only speaking moves."""
    keep = [i for i, name in enumerate(units.columns) if name.startswith("AU") and name not in SPEAKING_ONLY]
    steps = np.diff(units.times_s)
    known = units.mask[1:, keep] & units.mask[:-1, keep]
    change = np.abs(np.diff(units.values[:, keep], axis=0))
    usable = known.any(axis=1) & (steps > 0) & (steps < BIN_S)
    total = np.where(known, change, 0).sum(axis=1)[usable] / known.sum(axis=1)[usable]
    return units.times_s[1:][usable], total / steps[usable]


def _voice_liveliness(prosody: Track, edges: NDArray[np.floating]) -> NDArray[np.floating]:
    """(T,) mean of loudness and of pitch's distance from usual, each in own spreads; NaN where nobody speaks."""
    speech, _ = prosody.column("speech")
    loudness, loud = prosody.column("loudness_db")
    pitch, voiced = prosody.column("f0_semitones")
    talk = loud & (speech > 0.5)
    level = _own_spread(_binned(prosody.times_s[talk], loudness[talk], edges))
    excursion = _own_spread(_binned(prosody.times_s[voiced], np.abs(pitch[voiced]), edges))
    return np.where(np.isfinite(excursion), (level + excursion) / 2, level)


def _binned(
    times_s: NDArray[np.floating], values: NDArray[np.floating], edges: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Mean per bin (T,), NaN for bins with fewer than three values."""
    index = np.searchsorted(edges, times_s, "right") - 1
    inside = (index >= 0) & (index < edges.size - 1)
    count = np.bincount(index[inside], minlength=edges.size - 1)
    total = np.bincount(index[inside], np.asarray(values, np.float64)[inside], minlength=edges.size - 1)
    return np.where(count >= BIN_NEEDS, total / np.maximum(count, 1), np.nan)


def _own_spread(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Values (T,) from their median, over their interquartile spread; NaN stays."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return np.full(values.shape, np.nan)
    low, middle, high = np.percentile(known, [25, 50, 75])
    return (values - middle) / max(float(high - low) / 1.349, 1e-6)


def _first(track: Track) -> float:
    return float(track.times_s[0]) if track.times_s.size else float("inf")


def _last(track: Track) -> float:
    return float(track.times_s[-1]) if track.times_s.size else float("-inf")
