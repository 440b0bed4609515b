"""What a sentence speaks of: topics that it claims or denies, subjects it only names, labels, and what it quotes.

"The brows are not raised while the voice falls"  ->  brows up (denied), pitch down; nothing only named
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from hero.ground.lexicon import lexicon

QUOTE = re.compile(r'"([^"]*)"|“([^”]*)”|「([^」]*)」')
SEGMENT_END = re.compile(r"[;:。；：()（）!?！？]|\.(?!\d)|,\s*which\b")
COMMA = re.compile(r"[,，、]")
WORD = re.compile(r"[A-Za-z0-9']+|[\u4e00-\u9fff]")
REACH, NEGATION_REACH = 6, 4  # words or Chinese characters between two terms that belong together
COMMA_COSTS = 3  # words
REACH_LETTERS = 80  # no further is looked, so that a long text takes no longer than its parts
COMPARED = re.compile(r"\bas (?:if|though)\b[^,.;]*|(?:仿佛|好像|好似)[^，。；]*")
_HEAD = re.compile(r"\s*[:：]")
_WHEN_BEFORE = re.compile(
    r"\b(?:during|before|after|following|until|since|amid) (?:(?:the|that|this|an?|his|her|their) )?(?:\w+ )?$",
    re.IGNORECASE,
)
_WHEN_AFTER = re.compile(r"期间|之前|之后|以前|以后|过后|的时候| (?:gives?|gave) way to")
_OPINION = re.compile(
    r"\s*(?:take|read|see|consider|count|treat|regard|trust|think|believe|accept)\b|把|认为|代表|意味|足以",
    re.IGNORECASE,
)

Place = tuple[int, int]


@dataclass(frozen=True)
class Mention:
    """A topic at a place of a text; `denied` where a negation goes with it, `aside` where it only says when.

    "After the pause" is said aside: the pause dates what the sentence is about.
    """

    topic: str
    place: Place
    denied: bool = False
    aside: bool = False


@dataclass(frozen=True)
class Spoken:
    """All that a text speaks of. `subjects` are named without a claim; `heads` introduce a list ("In the voice: ...").

    `hints` are the topics that a direction could mean which goes with no subject ("first up, then down").
    """

    mentions: tuple[Mention, ...]
    hints: frozenset[str]
    subjects: frozenset[str]
    heads: frozenset[str]
    labels: frozenset[str]
    quotes: tuple[str, ...]


@dataclass(frozen=True)
class _Term:
    name: str
    place: Place


@lru_cache(maxsize=4096)
def spoken(text: str) -> Spoken:
    """What a text in English or Chinese speaks of; quoted speech is set apart and claims nothing."""
    words = lexicon()
    quotes = tuple(next(filter(None, match.groups()), "") for match in QUOTE.finditer(text))
    rest = COMPARED.sub(_blank, QUOTE.sub(_blank, text))
    labels, _ = _found(words.label_terms, rest)
    fixed, rest = _found(words.topic_terms, rest)
    subjects, rest = _found(words.subject_terms, rest)
    directions, rest = _found(words.direction_terms, rest)
    mentions, used, hints = _said(directions, subjects, text)
    claims = [replace(m, aside=_aside(m.place, text)) for m in (*(Mention(t.name, t.place) for t in fixed), *mentions)]
    free = [term for term in subjects if term not in used]
    return Spoken(
        tuple(_denied(claims, rest)),
        hints,
        frozenset(term.name for term in free if not _HEAD.match(text, term.place[1])),
        frozenset(term.name for term in free if _HEAD.match(text, term.place[1])),
        frozenset(term.name for term in labels),
        quotes,
    )


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _found(terms: Iterable[tuple[str, re.Pattern[str]]], text: str) -> tuple[list[_Term], str]:
    """Terms in a text, the longest first where they meet, and the text without them.

    Two names may share one place ("皱" is both ways of saying it): they are kept together.
    """
    hits = [_Term(name, match.span()) for name, pattern in terms for match in pattern.finditer(text)]
    taken = bytearray(len(text))
    kept: list[_Term] = []
    places: set[Place] = set()
    for hit in sorted(hits, key=lambda term: (term.place[0] - term.place[1], term.place[0])):
        start, end = hit.place
        if hit.place in places or not any(taken[start:end]):
            kept.append(hit)
            places.add(hit.place)
            taken[start:end] = b"\1" * (end - start)
    blank = "".join(" " if covered else letter for letter, covered in zip(text, taken, strict=True))
    return sorted(kept, key=lambda term: term.place), blank


def _said(
    directions: list[_Term], subjects: list[_Term], text: str
) -> tuple[list[Mention], set[_Term], frozenset[str]]:
    """Directions paired with the nearest subject that knows them; the subjects that got one; what the others could mean.

    A word with two meanings ("drops": down, or slower) means what its nearest subject knows.
    """
    says = lexicon().subjects
    found: list[Mention] = []
    used: set[_Term] = set()
    hints: set[str] = set()
    ways_at: dict[Place, list[str]] = {}
    for way in directions:
        ways_at.setdefault(way.place, []).append(way.name)
    for where, ways in ways_at.items():
        near = [
            (gap, subject.place < where, subject, says[subject.name].says[way])
            for subject in subjects
            for way in ways
            if way in says[subject.name].says and (gap := _gap(where, subject.place, text)) is not None
        ]
        if not near:
            hints |= {entry.says[way] for entry in says.values() for way in ways if way in entry.says}
            continue
        _, _, subject, topic = min(near, key=lambda row: (row[0], row[1], row[2].place))
        used.add(subject)
        found.append(Mention(topic, (min(where[0], subject.place[0]), max(where[1], subject.place[1]))))
    return found, used, frozenset(hints)


def _aside(place: Place, text: str) -> bool:
    """Whether a term only says when something else was."""
    return bool(
        _WHEN_BEFORE.search(text[max(0, place[0] - REACH_LETTERS) : place[0]]) or _WHEN_AFTER.match(text, place[1])
    )


def _gap(first: Place, second: Place, text: str) -> int | None:
    """Words between two places, with commas counted as some; None where a clause ends between or they are too far."""
    left, right = (first, second) if first <= second else (second, first)
    if right[0] - left[1] > REACH_LETTERS:
        return None
    between = text[left[1] : right[0]]
    if SEGMENT_END.search(between):
        return None
    count = len(WORD.findall(between)) + COMMA_COSTS * len(COMMA.findall(between))
    return count if count <= REACH else None


def _denied(mentions: list[Mention], rest: str) -> Iterator[Mention]:
    """Each negation denies the next mention after it, or the one that it stands inside of.

    Opinions are left alone: "I do not read the smile as joy" does not deny the smile.
    """
    denied: set[Mention] = set()
    for match in lexicon().negation.finditer(rest):
        if _OPINION.match(rest, match.end()):
            continue
        after = [(gap, m) for m in mentions if (gap := _after(match.span(), m.place, rest)) is not None]
        if after:
            nearest = min(after, key=lambda pair: pair[0])[0]
            denied |= {m for gap, m in after if gap == nearest}
    for mention in mentions:
        yield replace(mention, denied=mention in denied)


def _after(negation: Place, place: Place, text: str) -> int | None:
    if place[0] <= negation[0] and negation[1] <= place[1]:
        return 0
    if not 0 <= place[0] - negation[1] <= REACH_LETTERS:
        return None
    between = text[negation[1] : place[0]]
    if SEGMENT_END.search(between) or COMMA.search(between):
        return None
    count = len(WORD.findall(between))
    return count if count <= NEGATION_REACH else None
