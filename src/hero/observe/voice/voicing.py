"""Speech that the detector does not trust: shouted and screamed words.

Silero VAD hears almost no speech in a screamed sentence. Where it found none, stretches count as speech that are loud,
clearly periodic, of a pitch that moves as voices do, and in which it hinted at speech; notes, hums and noise do not.

Shapes: F frames of 10 ms, C chunks of 32 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hero.observe.spans import runs
from hero.observe.voice.rate import frames_in
from hero.observe.voice.speech import CHUNK_S
from hero.observe.voice.stream import HOP_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.observe.voice.stream import Prosody
    from hero.types import Span

LEAST_HINT, LEAST_MEAN = 0.3, 0.03  # speech probability: largest and mean within the stretch
LEAST_HNR_DB = 5.0
LEAST_LEVEL_DB = -45.0
ABOVE_REST_DB = 15.0
LEAST_SPREAD_SEMITONES = 0.7
STILL_SEMITONES, MOST_STILL = 0.05, 0.45  # steps between frames this small are held notes; a voice has few of them
BRIDGE_S, LEAST_S = 0.3, 0.5


def voiced_spans(prosody: Prosody, probabilities: NDArray[np.float32]) -> list[tuple[Span, float]]:
    """Loud voiced stretches with the mean of the detector's probabilities (C,) in them."""
    level = prosody.level_db
    loud = level > max(LEAST_LEVEL_DB, float(np.percentile(level, 10)) + ABOVE_REST_DB)
    periodic = (prosody.f0_hz > 0) & (np.nan_to_num(prosody.hnr_db, nan=-20) >= LEAST_HNR_DB) & loud
    found = []
    for span in runs(periodic, prosody.times_s - HOP_S / 2, min_s=LEAST_S, gap_s=BRIDGE_S):
        hints = probabilities[int(span.start_s / CHUNK_S) : int(span.end_s / CHUNK_S) + 1]
        inside = frames_in(span, HOP_S, len(level))
        pitch = prosody.f0_hz[inside][periodic[inside]]
        if hints.max() >= LEAST_HINT and hints.mean() >= LEAST_MEAN and _moves(pitch):
            found.append((span, float(hints.mean())))
    return found


def _moves(hz: NDArray[np.float32]) -> bool:
    semitones = 12 * np.log2(hz)
    still = np.abs(np.diff(semitones)) < STILL_SEMITONES
    return bool(semitones.std() >= LEAST_SPREAD_SEMITONES and still.mean() <= MOST_STILL)
