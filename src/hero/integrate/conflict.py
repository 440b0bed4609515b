"""Cross-examination: evidence of two modalities that points different ways, found by rules that name themselves.

Rules: cues that overlap in time with opposite valence (a smile with a low, quiet voice); a smile without raised
cheeks; posteriors of two modalities that diverge; lips and sound that do not match.

Legend: 7 common labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hero.integrate.cues import leaning, meaning_of
from hero.labels import LABELS
from hero.phrases import phrases
from hero.types import Conflict, Evidence, Span, Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.config import IntegrateConfig

NEAR_S = 0.5  # cues of two modalities meet when they lie this close
MAX_CONFLICTS = 6
LEAST_VALENCE = 0.3  # of a cue that can be contradicted
MAX_WITNESSES = 3
EXPRESSIVE = ("face", "voice", "words")  # a still body or a dark room does not contradict a smile
ALONE = {
    "smile_without_cheeks": "smile",
    "lips_mismatch": "mismatch",
    "sound_late": "mismatch",
    "sound_early": "mismatch",
}


def find_conflicts(
    timeline: Timeline, posteriors: Mapping[str, NDArray[np.float64]], config: IntegrateConfig, *, lang: str
) -> tuple[Conflict, ...]:
    """All conflicts at or above the configured score, the strongest first."""
    found = [
        *_opposed_cues(timeline, lang),
        *_single_cues(timeline, lang),
        *_diverging_posteriors(timeline, posteriors, config.divergence_bits, lang),
    ]
    kept = [conflict for conflict in found if conflict.score >= config.conflict_above]
    return tuple(sorted(kept, key=lambda c: (-c.score, c.span))[:MAX_CONFLICTS])


def _opposed_cues(timeline: Timeline, lang: str) -> Iterator[Conflict]:
    """A positive cue (a smile) that another modality contradicts at the same time: negative or deflated cues there.

    Several cues of that modality add up as independent witnesses do: 1 - prod(1 - score).
    """
    words = phrases("conflict", lang)
    cues = [ev for ev in timeline.evidence if ev.person == 0 and ev.modality in EXPRESSIVE]
    for first in cues:
        if meaning_of(first).valence < LEAST_VALENCE:
            continue
        others: dict[str, list[tuple[Evidence, float]]] = {}
        for ev in cues:
            if ev.modality != first.modality and _meet(first.span, ev.span) and (score := _clash(first, ev)) > 0:
                others.setdefault(ev.modality, []).append((ev, score))
        for group in others.values():
            group.sort(key=lambda pair: -pair[1])
            against = [ev for ev, _ in group[:MAX_WITNESSES]]
            score = 1.0 - float(np.prod([1 - score for _, score in group[:MAX_WITNESSES]]))
            said = words.say("join").join(dict.fromkeys(ev.brief for ev in against))
            text = words.say(
                "opposed", first=first.brief, second=said, at=max(first.span.start_s, against[0].span.start_s)
            )
            ids = (first.id, *(ev.id for ev in against))
            span = Span(
                min(ev.span.start_s for ev in (first, *against)), max(ev.span.end_s for ev in (first, *against))
            )
            yield Conflict(ids, "opposed cues", score, text, span)


def _clash(positive: Evidence, other: Evidence) -> float:
    """How far a cue contradicts a positive one, in [0, 1]: by negative valence or lowered arousal, strength and trust."""
    valence, meaning = meaning_of(positive).valence, meaning_of(other)
    against = max(0.0, -meaning.valence, -meaning.arousal)
    trust = positive.strength * other.strength * positive.confidence * other.confidence
    return float(np.sqrt(valence * against * trust))


def _single_cues(timeline: Timeline, lang: str) -> Iterator[Conflict]:
    """Evidence that is a contradiction by itself."""
    words = phrases("conflict", lang)
    for ev in timeline.evidence:
        if key := ALONE.get(ev.cue):
            yield Conflict((ev.id,), key, ev.strength * ev.confidence, words.say(key, brief=ev.brief), ev.span)


def _diverging_posteriors(
    timeline: Timeline, posteriors: Mapping[str, NDArray[np.float64]], least_bits: float, lang: str
) -> Iterator[Conflict]:
    """Two modalities whose posteriors (7,) lie far apart, cited by the evidence that leans most to each side."""
    words, names = phrases("conflict", lang), phrases("labels", lang)
    for first, second in combinations(posteriors, 2):
        bits = jensen_shannon_bits(posteriors[first], posteriors[second])
        tops = {m: LABELS[int(np.argmax(posteriors[m]))] for m in (first, second)}
        if bits < least_bits or tops[first] == tops[second]:
            continue
        cited = [ev for m in (first, second) if (ev := _most_telling(timeline, m, tops[m]))]
        if len(cited) < 2:
            continue
        values = {"first": names.say(first), "second": names.say(second)}
        text = words.say("diverge", **values, label_1=names.say(tops[first]), label_2=names.say(tops[second]))
        span = _union(cited[0].span, cited[1].span)
        yield Conflict((cited[0].id, cited[1].id), "posteriors diverge", min(1.0, bits), text, span)


def jensen_shannon_bits(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence of two posteriors (7,) in bits, from 0 (equal) to 1 (nothing shared)."""
    middle = (p + q) / 2

    def relative(a: NDArray[np.float64]) -> float:
        some = a > 0
        return float((a[some] * np.log2(a[some] / middle[some])).sum())

    return max(0.0, (relative(p) + relative(q)) / 2)


def _most_telling(timeline: Timeline, modality: str, label: str) -> Evidence | None:
    evidence = [ev for ev in timeline.evidence if ev.modality == modality and ev.person == 0]
    return max(evidence, key=lambda ev: (leaning(ev, label), ev.strength * ev.confidence), default=None)


def _meet(first: Span, second: Span) -> bool:
    return first.start_s - NEAR_S < second.end_s and second.start_s - NEAR_S < first.end_s


def _union(first: Span, second: Span) -> Span:
    return Span(min(first.start_s, second.start_s), max(first.end_s, second.end_s))
