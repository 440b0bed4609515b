"""What one stretch of talk measures, and what is usual: the numbers that the evidence puts into words.

Usual values come from the `Baseline` handed in where it has them, else from the whole clip (its median frame and median
phrase). Keys of a baseline: `voice.f0_hz`, `voice.loudness_db`, `voice.rate_syl_s`, `voice.hnr_db`.

Shapes: F frames of one stretch, V voiced ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.voice import rate
from hero.observe.voice.stream import HOP_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hero.observe.voice.stream import Prosody
    from hero.types import Baseline, Span

LEAST_VOICED_S = 0.25
FARTHEST = 14.0


@dataclass(frozen=True, eq=False)
class Utterance:
    """Measures of one stretch; NaN where too little of it was voiced.

    `semitones` (F,) are relative to the speaker and NaN where unvoiced, `loudness` (F,) NaN outside speech.
    """

    span: Span
    speech_s: float
    voiced_s: float
    f0_hz: float
    range_semitones: float
    loudness_db: float
    hnr_db: float
    tilt_db: float
    jitter_pct: float
    shimmer_pct: float
    rate_syl_s: float
    semitones: NDArray[np.float32]
    loudness: NDArray[np.float32]


@dataclass(frozen=True)
class Usual:
    """The speaker's usual values, and whether they come from outside the clip (`known`) or from it.

    `phrases` and `voiced_s` say how much of the clip they rest on.
    """

    f0_hz: float
    loudness_db: float
    rate_syl_s: float
    hnr_db: float
    known: bool
    phrases: int
    voiced_s: float


def measure(
    prosody: Prosody, speech: NDArray[np.bool_], nuclei: NDArray[np.intp], span: Span, usual_hz: float
) -> Utterance:
    """Measures of the frames of `span`, of which `speech` (F,) marks those with speech."""
    frames = rate.frames_in(span, HOP_S, len(speech))
    talk = speech[frames]
    hz = np.where(talk, prosody.f0_hz[frames], 0)
    voiced = hz > 0
    enough = voiced.sum() * HOP_S >= LEAST_VOICED_S
    with np.errstate(divide="ignore", invalid="ignore"):
        semitones = np.where(voiced, 12 * np.log2(np.where(voiced, hz, 1) / usual_hz), np.nan).astype(np.float32)
    smooth = steady(semitones)
    smooth = smooth[np.isfinite(smooth)]
    spread = np.percentile(smooth, [5, 95]) if enough and len(smooth) else [np.nan, np.nan]
    loudness = prosody.loudness_db[frames]
    speech_s = float(talk.sum()) * HOP_S
    count = int(((nuclei >= frames.start) & (nuclei < frames.stop)).sum())
    return Utterance(
        span=span, speech_s=speech_s, voiced_s=float(voiced.sum()) * HOP_S,
        f0_hz=_median(hz, voiced & enough), range_semitones=float(spread[1] - spread[0]),
        loudness_db=float(np.percentile(loudness[talk], 75)) if talk.any() else float("nan"),
        hnr_db=_median(prosody.hnr_db[frames], voiced & enough),
        tilt_db=_median(prosody.tilt_db[frames], voiced & enough),
        jitter_pct=_median(prosody.jitter_pct[frames], voiced & enough),
        shimmer_pct=_median(prosody.shimmer_pct[frames], voiced & enough),
        rate_syl_s=count / speech_s if speech_s >= 0.5 else float("nan"),
        semitones=semitones, loudness=np.where(talk, loudness, np.nan).astype(np.float32),
    )  # fmt: skip


def steady(semitones: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pitch (F,) without slips: a running median of 5 frames, and NaN where it strays too far from the middle.

    What lies more than `FARTHEST` semitones from the stretch's median is creak or a wrong octave, not melody.
    """
    voiced = np.isfinite(semitones)
    smooth = semitones.copy()
    if voiced.any():
        spread = np.pad(semitones[voiced], 2, mode="edge")
        smooth[voiced] = np.median(np.lib.stride_tricks.sliding_window_view(spread, 5), axis=1)
        smooth[np.abs(smooth - np.median(smooth[voiced])) > FARTHEST] = np.nan
    return smooth


def usual_of(
    prosody: Prosody, speech: NDArray[np.bool_], utterances: Sequence[Utterance], baseline: Baseline | None
) -> Usual:
    """The speaker's usual values: from the baseline where it has them, else medians of this clip."""
    known = dict(baseline.mean) if baseline and baseline.count else {}
    voiced = speech & (prosody.f0_hz > 0)
    return Usual(
        f0_hz=known.get("voice.f0_hz", usual_pitch(prosody, speech)),
        loudness_db=known.get("voice.loudness_db", _middle([u.loudness_db for u in utterances])),
        rate_syl_s=known.get("voice.rate_syl_s", _middle([u.rate_syl_s for u in utterances])),
        hnr_db=known.get("voice.hnr_db", _middle([u.hnr_db for u in utterances])),
        known="voice.f0_hz" in known, phrases=len(utterances), voiced_s=float(voiced.sum()) * HOP_S,
    )  # fmt: skip


def usual_pitch(prosody: Prosody, speech: NDArray[np.bool_]) -> float:
    """Median pitch in Hz over the voiced speech of the clip; NaN without any."""
    return _median(prosody.f0_hz, speech & (prosody.f0_hz > 0))


def _median(values: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    kept = values[where]
    kept = kept[np.isfinite(kept)]
    return float(np.median(kept)) if len(kept) else float("nan")


def _middle(values: Sequence[float]) -> float:
    kept = [v for v in values if np.isfinite(v)]
    return float(np.median(kept)) if kept else float("nan")
