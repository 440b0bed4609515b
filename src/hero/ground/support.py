"""Does each sentence of a verdict rest on evidence that exists, and is inferred evidence marked as inferred?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from hero.reason.verdict import CITATION, Verdict, cited, sentences
from hero.types import Evidence

Problem = Literal["uncited", "unknown id", "inferred cited as observed"]

INFERRED_MARKS = ("inferred", "推断")


@dataclass(frozen=True)
class Flaw:
    """One sentence that does not hold, and why."""

    field: str
    sentence: str
    problem: Problem
    id: str = ""


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
        flaws = [{"field": f.field, "sentence": f.sentence, "problem": f.problem, "id": f.id} for f in self.flaws]
        return {"claims": self.claims, "supported": self.supported, "rate": round(self.rate, 4), "problems": flaws}


def check(verdict: Verdict, evidence: Iterable[Evidence]) -> Support:
    """Check every sentence of the caption and the reasoning, and every line of the summary.

    An abstention claims nothing in its caption, so a caption without citations is allowed there.
    """
    known = {ev.id: ev for ev in evidence}
    flaws: list[Flaw] = []
    claims = 0
    for field in ("emotion_caption", "reasoning_process"):
        for sentence in sentences(getattr(verdict, field)):
            if verdict.abstained and not cited(sentence):
                continue
            claims += 1
            flaws += _flaws(field, sentence, known)[:1]
    for item in verdict.evidence_summary:
        claims += 1
        if item.id not in known:
            flaws.append(Flaw("evidence_summary", item.text, "unknown id", item.id))
        elif known[item.id].inferred and not any(mark in item.text for mark in INFERRED_MARKS):
            flaws.append(Flaw("evidence_summary", item.text, "inferred cited as observed", item.id))
    return Support(claims, claims - len(flaws), tuple(flaws))


def _flaws(field: str, sentence: str, known: dict[str, Evidence]) -> list[Flaw]:
    ids = cited(sentence)
    if not ids:
        return [Flaw(field, sentence, "uncited")]
    flaws = [Flaw(field, sentence, "unknown id", i) for i in ids if i not in known]
    for match in CITATION.finditer(sentence):
        marked = any(mark in match[0] for mark in INFERRED_MARKS)
        inside = [i for i in ids if i in match[1] and i in known and known[i].inferred]
        flaws += [] if marked else [Flaw(field, sentence, "inferred cited as observed", i) for i in inside]
    return flaws
