"""How fast somebody speaks: syllable nuclei, and the pauses between stretches of speech.

Nuclei after de Jong & Wempe (2009), "Praat script to detect syllable nuclei and measure speech rate automatically",
Behavior Research Methods 41: peaks of the speech-band level that stand out by at least 2 dB from the dips around them,
are voiced, and are not far below the loudest. One nucleus is one syllable.

Shapes: F frames.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hero.types import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hero.observe.voice.stream import Prosody

DIP_DB = 2.0
BELOW_LOUDEST_DB = 25.0
LONGEST_PART_S = 6.0


def nuclei(prosody: Prosody, speech: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Frame numbers of the syllable nuclei among the frames where `speech` (F,) holds."""
    if not speech.any():
        return np.zeros(0, np.intp)
    loudest_db = float(np.percentile(prosody.band_db[speech], 99))
    peaks = peaks_of(prosody.band_db, DIP_DB)
    peaks = peaks[prosody.band_db[peaks] >= loudest_db - BELOW_LOUDEST_DB]
    voiced = np.convolve(prosody.f0_hz > 0, np.ones(3), "same") > 0
    chosen: NDArray[np.intp] = peaks[speech[peaks] & voiced[peaks]]
    return chosen


def peaks_of(level_db: NDArray[np.float32], dip_db: float) -> NDArray[np.intp]:
    """Frames of the peaks that rise by `dip_db` above the dips before and after them (the ends count as dips)."""
    found: list[int] = []
    top, rising, low = 0, True, 0.0
    for t, db in enumerate(level_db.tolist()):
        if rising:
            if db > level_db[top]:
                top = t
            elif level_db[top] - db >= dip_db:
                found.append(top)
                rising, low = False, db
        else:
            low = min(low, db)
            if db - low >= dip_db:
                rising, top = True, t
    return np.asarray(found, np.intp)


def phrases_of(spans: Sequence[Span], bridge_s: float) -> list[Span]:
    """Stretches of talk: speech spans joined over gaps below `bridge_s`, then cut into equal parts of at most 6 s."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start_s - joined[-1].end_s < bridge_s:
            joined[-1] = Span(joined[-1].start_s, span.end_s)
        else:
            joined.append(span)
    parts: list[Span] = []
    for span in joined:
        count = max(1, int(np.ceil(span.duration_s / LONGEST_PART_S)))
        edges = np.linspace(span.start_s, span.end_s, count + 1).tolist()
        parts += [Span(a, b) for a, b in pairwise(edges)]
    return parts


def pauses_of(spans: Sequence[Span], shortest_s: float) -> list[Span]:
    """Silences of at least `shortest_s` between two speech spans."""
    gaps = [(a.end_s, b.start_s) for a, b in pairwise(spans)]
    return [Span(start_s, end_s) for start_s, end_s in gaps if end_s - start_s >= shortest_s]


def frames_in(span: Span, hop_s: float, count: int) -> slice:
    """The frames of a span: those whose centres lie in it."""
    first = int(np.ceil(span.start_s / hop_s - 0.5))
    after = int(np.ceil(span.end_s / hop_s - 0.5))
    return slice(min(max(first, 0), count), min(max(after, 0), count))
