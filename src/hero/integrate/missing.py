"""What a missing modality probably held: marked `I..E-` evidence, never observed, never given weight.

The embedded form words the fused posterior as the cue that usually goes with it; with nothing to infer from, nothing
is inferred. (A trained decoder can take this place: it sees the same timeline.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from hero.labels import LABELS
from hero.phrases import phrases
from hero.types import Evidence, Modality, Span, Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE_SHARE = 0.5  # an inference is at most half as sure as what it rests on
MODALITY: dict[str, Modality] = {"face": "face", "voice": "voice", "words": "words"}


def infer_missing(
    timeline: Timeline, missing: Mapping[str, str], fused: NDArray[np.float64] | None, *, lang: str
) -> Iterator[Evidence]:
    """One inferred piece of evidence per missing modality, from the posterior (7,) over what is present."""
    if fused is None:
        return
    words, names = phrases("missing", lang), phrases("labels", lang)
    present = words.say("join").join(names.say(f"the_{m}") for m in ("face", "voice", "words") if m not in missing)
    span = Span(0.0, float(timeline.clip["duration_s"]))
    for modality in missing:
        likely = words.say(f"{modality}_{LABELS[int(np.argmax(fused))]}")
        text, brief = words.evidence(modality, present=present, likely=likely)
        confidence = CONFIDENCE_SHARE * float(fused.max())
        yield Evidence(
            MODALITY[modality], "impute", f"inferred_{modality}", text, brief, span, confidence, 0.2, inferred=True
        )
