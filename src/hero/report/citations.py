"""Finds the evidence ids in a text, so that a page can turn them into buttons."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

_ID = r"I?(?:VE|AE|TE|SE)-\d+"
# A bracket that holds nothing but ids, separators and the word for "inferred": its brackets are dropped, because
# the buttons already set it apart. Ids elsewhere in the text become buttons where they stand.
_GROUP = re.compile(rf"[\[［【]\s*{_ID}(?:[\s,，、;；]+(?:{_ID}|inferred|推断))*\s*[\]］】]|\b{_ID}\b")
_ONE = re.compile(_ID)


@dataclass(frozen=True)
class Piece:
    """A stretch of a text: plain words (`cites` is empty), or the ids cited at this place."""

    text: str
    cites: tuple[str, ...] = ()


def cited_ids(text: str) -> tuple[str, ...]:
    """Every evidence id in the text, in order, repeated as often as it stands there."""
    return tuple(_ONE.findall(text))


def pieces(text: str, known: Container[str]) -> tuple[Piece, ...]:
    """The text cut at its citations; a group with an id that is not in `known` stays plain words."""
    result: list[Piece] = []
    at = 0
    for match in _GROUP.finditer(text):
        ids = cited_ids(match.group())
        if not all(one in known for one in ids):
            continue
        if match.start() > at:
            result.append(Piece(text[at : match.start()]))
        result.append(Piece(match.group(), ids))
        at = match.end()
    if at < len(text):
        result.append(Piece(text[at:]))
    return tuple(result)


def paragraphs(text: str, known: Container[str]) -> tuple[tuple[Piece, ...], ...]:
    """The pieces of each non-empty line of the text."""
    return tuple(pieces(line.strip(), known) for line in text.splitlines() if line.strip())
