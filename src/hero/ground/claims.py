"""One sentence against the evidence it cites: does that evidence say so, say otherwise, or speak of other things?

A sentence holds when every topic it claims is borne by evidence it cites, every number and time in it was measured there,
every quote was said there, and it says something about each id. Labels of emotions rest on evidence that leans to them.
The author may be anybody: the words come from `topics.yaml`, for English and Chinese alike. What no word of the lexicon
names is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hero.ground.amounts import Times, times, unmeasured
from hero.ground.bearing import bears, is_about, opposes, shares_words, shown
from hero.ground.lexicon import Topic, lexicon
from hero.ground.mentions import Mention, Spoken, spoken
from hero.integrate.cues import leaning, meaning_of
from hero.types import Evidence, Track

ClaimProblem = Literal["contradicted", "unrelated"]

MOST_NAMED = 6  # pieces of a sentence that fail
_BRACKETS = re.compile(r"[(（]([^()（）]*)[)）]")
_ITEM_START = re.compile(r"[;；:：()（）]")
_WEIGHT = re.compile(r"weigh|likel|probab|confiden|consistent|权重|可能|概率|符合|把握", re.IGNORECASE)
_BARE = re.compile(r"[\W_]+")
_CUT = re.compile(r"…|\.\.\.")


@dataclass(frozen=True)
class Fault:
    """Why a sentence does not hold: the kind, the words it is about, and an id where one is to blame."""

    problem: ClaimProblem
    about: str
    id: str = ""


@dataclass(frozen=True, eq=False)
class Claim:
    """A sentence without its citations, the evidence it cites, all there is, labels that no cue leans to, and tracks."""

    text: str
    evidence: Sequence[Evidence]
    known: Sequence[Evidence]
    labels: frozenset[str]
    tracks: Mapping[str, Track]

    @property
    def said(self) -> Spoken:
        """What the sentence speaks of."""
        return spoken(self.text)

    @property
    def bearers(self) -> list[Evidence]:
        """The cited evidence about whom the sentence speaks: other people's only where it speaks of others."""
        others = any(mention.topic == "others" for mention in self.said.mentions)
        return [ev for ev in self.evidence if ev.person == 0 or others]


def fault_of(claim: Claim) -> Fault | None:
    """What is wrong with a sentence: contradictions first, then what it does not speak of; `about` names all that fails."""
    said = [*_wrong_amounts(claim), *_wrong_topics(claim), *_wrong_times(claim), *_wrong_quotes(claim)]
    if not said:
        return next(_idle_ids(claim), None)
    said.sort(key=lambda fault: (fault.problem != "contradicted", claim.text.find(fault.about)))
    words = dict.fromkeys(fault.about for fault in said)
    return Fault(said[0].problem, "; ".join(list(words)[:MOST_NAMED]))


def _wrong_amounts(claim: Claim) -> Iterator[Fault]:
    weighs = bool(claim.said.labels or _WEIGHT.search(claim.text))
    wrong = unmeasured(claim.text, claim.evidence, shares=not weighs)
    if wrong is not None:
        yield Fault("contradicted", wrong)


def _wrong_topics(claim: Claim) -> Iterator[Fault]:
    """Topics that no cited evidence bears, and denied ones that it does."""
    spans = [ev.span for ev in claim.evidence]
    once = {(mention.topic, mention.denied, mention.aside): mention for mention in reversed(claim.said.mentions)}
    for mention in once.values():
        topic = lexicon().topics[mention.topic]
        agree = any(bears(ev, topic) for ev in claim.bearers)
        against = any(opposes(ev, topic) for ev in claim.bearers)
        seen = shown(topic, spans, claim.tracks)
        words = claim.text[slice(*mention.place)]
        if (mention.aside and any(bears(ev, topic) for ev in claim.known)) or _told_of(claim, words):
            continue
        if mention.denied and (seen or agree) and not against:
            yield Fault("contradicted", words)
        elif not mention.denied and not agree:
            yield Fault("contradicted" if against or seen is False else "unrelated", words)


def _told_of(claim: Claim, words: str) -> bool:
    """Whether a sentence only reports what was said ("she says that she cried"): cited speech has the same words."""
    speech = [ev for ev in claim.evidence if ev.modality == "words"]
    return "words" in claim.said.subjects and any(shares_words(ev, words) for ev in speech)


def _wrong_times(claim: Claim) -> Iterator[Fault]:
    """Times in brackets that are not those of the evidence that bears the words before them."""
    start = 0
    for match in _BRACKETS.finditer(claim.text):
        named = times(match[1])
        start = max([start, *(mark.end() for mark in _ITEM_START.finditer(claim.text, start, match.start()))])
        for mention in claim.said.mentions if named else ():
            if start <= mention.place[0] < match.start() and not _timed(claim, mention, named):
                yield Fault("contradicted", claim.text[start : match.end()].strip())
        start = match.end()


def _timed(claim: Claim, mention: Mention, named: Sequence[Times]) -> bool:
    topic = lexicon().topics[mention.topic]
    spans = [ev.span for ev in claim.bearers if _meets(ev, mention, topic)]
    return not spans or all(moment.inside(spans) for moment in named)


def _wrong_quotes(claim: Claim) -> Iterator[Fault]:
    """Quotes that no cited evidence contains; a single word in quotes may be no quote, unless speech is cited."""
    known = [_bare(f"{ev.text} {ev.brief}") for ev in claim.evidence]
    speech = "words" in claim.said.subjects | claim.said.heads or any(ev.modality == "words" for ev in claim.evidence)
    for quote in claim.said.quotes:
        parts = [part for part in map(_bare, _CUT.split(quote)) if part]
        if not all(any(part in text for text in known) for part in parts) and (speech or " " in quote.strip()):
            yield Fault("contradicted" if any(ev.modality == "words" for ev in claim.evidence) else "unrelated", quote)


def _idle_ids(claim: Claim) -> Iterator[Fault]:
    """Cited evidence that the sentence says nothing about."""
    labels, unknown = claim.said.labels, any(label.lower() in claim.text.lower() for label in claim.labels)
    for ev in claim.evidence:
        if ev in claim.bearers and _named(claim, ev):
            continue
        if unknown or any(leaning(ev, label) > 0 for label in labels):
            continue
        judged = bool(labels and meaning_of(ev).speaks_for and not ev.inferred)
        if judged or ev not in claim.bearers or not _touched(claim, ev):
            yield Fault("unrelated", ev.brief, ev.id)


def _named(claim: Claim, ev: Evidence) -> bool:
    """Whether the sentence says what this evidence says: in its words, by a topic, or by a quote."""
    if _bare(ev.brief) and _bare(ev.brief) in _bare(claim.text):
        return True
    if any(_bare(quote) and _bare(_CUT.sub("", quote)) in _bare(ev.text) for quote in claim.said.quotes):
        return True
    topics = lexicon().topics
    if any(bears(ev, topics[hint]) for hint in claim.said.hints):
        return True
    return any(_meets(ev, mention, topics[mention.topic]) for mention in claim.said.mentions)


def _meets(ev: Evidence, mention: Mention, topic: Topic) -> bool:
    return opposes(ev, topic) if mention.denied else bears(ev, topic)


def _touched(claim: Claim, ev: Evidence) -> bool:
    """Whether the sentence names at least what this evidence is about."""
    subjects = lexicon().subjects
    return any(is_about(ev, subjects[name]) for name in claim.said.subjects) or shares_words(ev, claim.text)


def _bare(text: str) -> str:
    """Letters and digits alone, in lower case."""
    return _BARE.sub("", text).lower()
