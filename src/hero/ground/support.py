"""Is every sentence of a verdict true of the evidence it cites? Each sentence is a claim, and so is each line of the summary.

A claim fails when it cites nothing, cites an id that does not exist, takes inferred evidence for observed, says what the
cited evidence or a measurement denies, or speaks of things that none of its evidence is about (`hero.ground.claims`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hero.ground.claims import Claim, fault_of
from hero.label_sets import shipped
from hero.labels import LABELS
from hero.reason.verdict import CITATION, ID_PATTERN, Verdict, cited, sentences
from hero.types import Evidence, Track

Problem = Literal["uncited", "unknown id", "inferred cited as observed", "contradicted", "unrelated"]

INFERRED_MARKS = ("inferred", "推断")
FIELDS = ("emotion_caption", "reasoning_process")


@dataclass(frozen=True)
class Flaw:
    """One sentence that does not hold, and why: `about` are the words of it that fail, where there are such."""

    field: str
    sentence: str
    problem: Problem
    id: str = ""
    about: str = ""


@dataclass(frozen=True)
class Support:
    """How many claims (sentences) a verdict makes and how many of them are supported."""

    claims: int
    supported: int
    flaws: tuple[Flaw, ...]

    @property
    def rate(self) -> float:
        """Share of supported claims; 1.0 where nothing is claimed."""
        return self.supported / self.claims if self.claims else 1.0

    def as_json(self) -> dict[str, Any]:
        """The record of the public JSON output."""
        flaws = [
            {"field": f.field, "sentence": f.sentence, "problem": f.problem, "id": f.id, "about": f.about}
            for f in self.flaws
        ]
        return {"claims": self.claims, "supported": self.supported, "rate": round(self.rate, 4), "problems": flaws}


def check(verdict: Verdict, evidence: Iterable[Evidence], tracks: Mapping[str, Track] | None = None) -> Support:
    """Check every sentence of the caption and the reasoning, and every line of the summary.

    `tracks` (by `expert.track`, as `Timeline.tracks` has them) let a sentence be held against the measurement itself where
    no evidence was written. An abstention claims nothing in its caption, so one without citations is no claim there.
    """
    known = {ev.id: ev for ev in evidence}
    strange = _strange_labels(verdict)
    claims, flaws = 0, []
    for field, sentence, ids in _claims(verdict):
        claims += 1
        flaw = _citation_flaw(field, sentence, ids, known)
        if flaw is None:
            claim = Claim(
                CITATION.sub("", sentence), [known[i] for i in ids], list(known.values()), strange, tracks or {}
            )
            fault = fault_of(claim)
            flaw = Flaw(field, sentence, fault.problem, fault.id, fault.about) if fault else None
        flaws += [flaw] if flaw else []
    return Support(claims, claims - len(flaws), tuple(flaws))


def _claims(verdict: Verdict) -> Iterator[tuple[str, str, list[str]]]:
    """(field, sentence, ids it cites), each id once.

    An abstention that cites nothing in its text only lists what was measured beside its reason: it claims nothing.
    """
    if verdict.abstained and not any(cited(getattr(verdict, field)) for field in FIELDS):
        return
    for field in FIELDS:
        for sentence in sentences(getattr(verdict, field)):
            if cited(sentence) or not verdict.abstained:
                yield field, sentence, list(dict.fromkeys(cited(sentence)))
    for item in verdict.evidence_summary:
        yield "evidence_summary", item.text, [item.id]


def _citation_flaw(field: str, sentence: str, ids: list[str], known: Mapping[str, Evidence]) -> Flaw | None:
    """What is wrong with the citations themselves."""
    if not ids:
        return Flaw(field, sentence, "uncited")
    for evidence_id in ids:
        if evidence_id not in known:
            return Flaw(field, sentence, "unknown id", evidence_id)
    for evidence_id in ids:
        if known[evidence_id].inferred and not _marked(field, sentence, evidence_id):
            return Flaw(field, sentence, "inferred cited as observed", evidence_id)
    return None


def _marked(field: str, sentence: str, evidence_id: str) -> bool:
    """Whether the citation of inferred evidence says so; a line of the summary says it in its text."""
    if field == "evidence_summary":
        return any(mark in sentence for mark in INFERRED_MARKS)
    places = [match[0] for match in CITATION.finditer(sentence) if evidence_id in re.findall(ID_PATTERN, match[1])]
    return all(any(mark in place for mark in INFERRED_MARKS) for place in places)


def _strange_labels(verdict: Verdict) -> frozenset[str]:
    """Labels of the verdict that mean none of the common ones, so that no cue can be asked for them."""
    common = shipped()[verdict.label_set].common if verdict.label_set in shipped() else {}
    named = {label for label in (verdict.final_emotion, *verdict.alternatives) if label}
    return frozenset(label for label in named if common.get(label) is None and label not in LABELS)
