"""Speech that the detector does not trust: shouted and screamed words.

Silero VAD hears almost no speech in a screamed sentence. Where it found none but hinted at some, stretches that are
loud, clearly periodic and of moving pitch count as speech; a tone, a hum or noise does not.

Shapes: F frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hero.observe.spans import runs
from hero.observe.voice.stream import HOP_S

if TYPE_CHECKING:
    from hero.observe.voice.stream import Prosody
    from hero.types import Span

HINT = 0.3  # least speech probability that the detector must have shown somewhere
LEAST_HNR_DB = 5.0
LEAST_LEVEL_DB = -45.0
ABOVE_REST_DB = 15.0
LEAST_MOVING_SEMITONES = 0.7
BRIDGE_S, LEAST_S, LEAST_TOTAL_S = 0.3, 0.2, 0.5


def voiced_spans(prosody: Prosody) -> list[Span]:
    """Stretches of loud, periodic sound of moving pitch; empty where they make up less than half a second."""
    level = prosody.level_db
    rest_db = float(np.percentile(level, 10))
    loud = level > max(LEAST_LEVEL_DB, rest_db + ABOVE_REST_DB)
    periodic = (prosody.f0_hz > 0) & (np.nan_to_num(prosody.hnr_db, nan=-20) >= LEAST_HNR_DB) & loud
    if periodic.sum() * HOP_S < LEAST_TOTAL_S:
        return []
    semitones = 12 * np.log2(prosody.f0_hz[periodic])
    if np.subtract(*np.percentile(semitones, [84, 16])) / 2 < LEAST_MOVING_SEMITONES:
        return []
    return runs(periodic, prosody.times_s - HOP_S / 2, min_s=LEAST_S, gap_s=BRIDGE_S)
