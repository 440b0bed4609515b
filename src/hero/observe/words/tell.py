"""What is worth saying about the words: what was said, and how it was put (never what it means for a feeling)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hero.types import Evidence, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hero.observe.words.utterances import Utterance
    from hero.phrases import Phrases

BARE = re.compile(r"^\W+|\W+$")
HAN = re.compile(r"[\u4e00-\u9fff]")
GIVEN, ESTIMATED = 0.95, 0.85  # confidence of a transcript that was handed in, with and without word times
BRIEF_WORDS = 5
MARKS = str.maketrans('"[]', "'()")


@dataclass(frozen=True)
class Lists:
    """Words that hesitate, exclaim or negate, in English and Chinese (`lists.yaml`)."""

    fillers: frozenset[str]
    interjections: frozenset[str]
    negations: frozenset[str]


@cache
def lists() -> Lists:
    """The word lists."""
    import yaml

    raw: dict[str, list[str]] = yaml.safe_load(files("hero.observe.words").joinpath("lists.yaml").read_text("utf-8"))
    return Lists(**{name: frozenset(words) for name, words in raw.items()})


class Teller:
    """Evidence about utterances in one language; `sure` is the confidence where no recogniser gave one."""

    def __init__(self, words: Phrases, expert: str, sure: float) -> None:
        self._words = words
        self._expert = expert
        self._sure = sure

    def tell(self, utterances: Sequence[Utterance]) -> Iterator[Evidence]:
        """What was said, utterance by utterance, and what stands out in how it was put."""
        for utterance in utterances:
            yield self._said(utterance)
            yield from self._manner(utterance)

    def _said(self, u: Utterance) -> Evidence:
        first = u.words[: BRIEF_WORDS if not HAN.search(u.text) else 2 * BRIEF_WORDS]
        brief = type(u)(first).text + ("…" if len(first) < len(u.words) else "")
        cue = "utterance_unsure" if u.unsure else "utterance"
        measures = {"words": float(len(u.words)), "unsure_words": float(len(u.unsure))}
        ev = self._evidence(cue, u, u.span, 0.5, measures, said=plain(u.marked), start=plain(brief))
        return Evidence(**{**ev.__dict__, "cue": "utterance"})

    def _manner(self, u: Utterance) -> Iterator[Evidence]:
        bare = [BARE.sub("", word.label).lower().replace("’", "'") for word in u.words]
        for cue, wanted, strength in (
            ("hesitation", lists().fillers, 0.4), ("interjection", lists().interjections, 0.5),
            ("negation", lists().negations, 0.3),
        ):  # fmt: skip
            hits = _hits(bare, wanted)
            if hits:
                span = Span(u.words[hits[0][0]].span.start_s, u.words[hits[-1][1] - 1].span.end_s)
                yield self._listed(cue, u, span, strength, ["".join(bare[a:b]) for a, b in hits])
        for start, size, times in repeats(bare):
            span = Span(u.words[start].span.start_s, u.words[start + size * times - 1].span.end_s)
            said = type(u)(u.words[start : start + size]).text
            yield self._evidence("repetition", u, span, min(1.0, 0.2 + 0.2 * times), {"times": float(times)},
                                 said=plain(BARE.sub("", said)), times=times)  # fmt: skip
        last = u.words[-1].label
        if re.search(r"[!！]\W*$", last):
            yield self._evidence("exclamation", u, u.span, 0.5, {})
        elif re.search(r"[?？]\W*$", last) or bare[-1] == "吗":
            yield self._evidence("question", u, u.span, 0.4, {})

    def _listed(self, cue: str, u: Utterance, span: Span, strength: float, hits: list[str]) -> Evidence:
        quoted = self._words.say("join").join(f'"{plain(word)}"' for word in dict.fromkeys(hits))
        return self._evidence(cue, u, span, min(1.0, strength + 0.1 * (len(hits) - 1)), {"count": float(len(hits))},
                              said=quoted, times=len(hits))  # fmt: skip

    def _evidence(
        self, cue: str, u: Utterance, span: Span, strength: float, measures: dict[str, float], **values: Any
    ) -> Evidence:
        text, brief = self._words.evidence(cue, **values)
        confidence = u.confidence if u.confidence is not None else self._sure
        return Evidence(
            "words", self._expert, cue, text, brief, span, round(confidence, 3), round(strength, 3), measures
        )  # fmt: skip


def plain(said: str) -> str:
    """Quoted words without marks that mean something in an answer: double quotes and the brackets of citations."""
    return " ".join(said.translate(MARKS).split())


def _hits(bare: Sequence[str], wanted: frozenset[str]) -> list[tuple[int, int]]:
    """Places (first, after) of listed words; Chinese words of several characters come first."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(bare):
        for size in (3, 2, 1):
            part = bare[at : at + size]
            chinese = all(HAN.fullmatch(character) for character in part)
            if len(part) == size and (size == 1 or chinese) and ("".join(part) in wanted or _clitic(part, wanted)):
                found.append((at, at + size))
                at += size
                break
        else:
            at += 1
    return found


def _clitic(part: Sequence[str], wanted: frozenset[str]) -> bool:
    return len(part) == 1 and part[0].endswith("n't") and "n't" in wanted


def repeats(bare: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """(first word, words in the repeated piece, how often) for pieces of 1-4 words said again at once.

    Chinese doubles single characters by grammar, so one character counts from three times on.
    """
    at = 0
    while at < len(bare):
        for size in (1, 2, 3, 4):
            times = 1
            piece = bare[at : at + size]
            while len(piece) == size and all(piece) and bare[at + times * size : at + (times + 1) * size] == piece:
                times += 1
            least = 3 if size == 1 and HAN.fullmatch(piece[0] if piece else "") else 2
            if times >= least:
                yield at, size, times
                at += size * times
                break
        else:
            at += 1
