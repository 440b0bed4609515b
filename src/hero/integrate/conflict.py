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
    """A cue with clear valence in one modality over one with the opposite valence or a deflated arousal in another."""
    words = phrases("conflict", lang)
    cues = [ev for ev in timeline.evidence if ev.person == 0 and ev.cue and _affect(ev) != (0.0, 0.0)]
    for first, second in combinations(cues, 2):
        if first.modality == second.modality or not _meet(first.span, second.span):
            continue
        clash = _clash(first, second)
        if clash <= 0:
            continue
        score = clash * float(np.sqrt(first.strength * second.strength * first.confidence * second.confidence))
        text = words.say("opposed", first=first.brief, second=second.brief, at=_meeting_s(first.span, second.span))
        yield Conflict((first.id, second.id), "opposed cues", min(1.0, score), text, _union(first.span, second.span))


def _affect(ev: Evidence) -> tuple[float, float]:
    meaning = meaning_of(ev)
    return meaning.valence, meaning.arousal


def _clash(first: Evidence, second: Evidence) -> float:
    """How far two cues contradict each other: opposite valence, or a positive cue with lowered arousal elsewhere."""
    (valence_1, arousal_1), (valence_2, arousal_2) = _affect(first), _affect(second)
    opposite = max(0.0, -valence_1 * valence_2) ** 0.5
    flat = max(max(0.0, valence_1) * max(0.0, -arousal_2), max(0.0, valence_2) * max(0.0, -arousal_1)) ** 0.5
    return max(opposite, flat)


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


def _meeting_s(first: Span, second: Span) -> float:
    return max(first.start_s, second.start_s)


def _union(first: Span, second: Span) -> Span:
    return Span(min(first.start_s, second.start_s), max(first.end_s, second.end_s))
