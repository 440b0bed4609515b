"""From single words to utterances: sentences where punctuation tells, else stretches between pauses.

Also lays words of a text without times over the stretches in which somebody speaks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hero.media.transcript import join
from hero.types import LabelledSpan, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hero.media.transcript import Transcript

PAUSE_S = 0.7
MOST_WORDS = 40
UNSURE = 0.5
_END = re.compile(r"[.?!。？！…](?:[\"'”’»)\]」』]*)$")
_ABBREVIATION = re.compile(r"^(?:mr|mrs|ms|dr|st|prof|sr|jr|vs|etc|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)


@dataclass(frozen=True)
class Utterance:
    """One sentence or stretch of words; `unsure` holds the words whose recogniser was less than half sure."""

    words: tuple[LabelledSpan, ...]

    @property
    def span(self) -> Span:
        """From the first word's start to the last one's end."""
        return Span(self.words[0].span.start_s, max(word.span.end_s for word in self.words))

    @property
    def text(self) -> str:
        """The words as running text."""
        return join(word.label for word in self.words)

    @property
    def marked(self) -> str:
        """The words as running text with (?) behind those that are unsure."""
        return join(f"{word.label}(?)" if word in self.unsure else word.label for word in self.words)

    @property
    def unsure(self) -> tuple[LabelledSpan, ...]:
        """The words below half confidence."""
        return tuple(word for word in self.words if word.confidence is not None and word.confidence < UNSURE)

    @property
    def confidence(self) -> float | None:
        """Mean confidence of its words; None where nobody measured it."""
        known = [word.confidence for word in self.words if word.confidence is not None]
        return sum(known) / len(known) if known else None


def utterances_of(words: Sequence[LabelledSpan]) -> list[Utterance]:
    """Cut words at sentence ends, at pauses of 0.7 s, and after 40 words (at a comma if one is near)."""
    found: list[Utterance] = []
    open_words: list[LabelledSpan] = []
    for word in words:
        if open_words and word.span.start_s - open_words[-1].span.end_s >= PAUSE_S:
            found.append(Utterance(tuple(open_words)))
            open_words = []
        open_words.append(word)
        comma = len(open_words) >= 3 * MOST_WORDS // 4 and word.label.endswith((",", ";", "，", "；", "、"))
        if _ends_sentence(word.label) or comma or len(open_words) >= MOST_WORDS:
            found.append(Utterance(tuple(open_words)))
            open_words = []
    return [*found, Utterance(tuple(open_words))] if open_words else found


def _ends_sentence(label: str) -> bool:
    return bool(_END.search(label)) and not _ABBREVIATION.match(label)


def has_no_times(transcript: Transcript, duration_s: float) -> bool:
    """Whether the text came without any times, that is, was spread evenly over the clip."""
    whole = len(transcript.segments) == 1 and transcript.segments[0].span.duration_s >= 0.999 * duration_s
    return not transcript.timed and whole


def lay_over(words: Sequence[LabelledSpan], speech: Sequence[Span], duration_s: float) -> list[LabelledSpan]:
    """Words spread over the whole clip, moved so that they fill the stretches of speech instead."""
    total_s = sum(span.duration_s for span in speech)
    if not total_s or not duration_s:
        return list(words)

    def moved(time_s: float, *, at_end: bool) -> float:
        left_s = time_s / duration_s * total_s
        for span in speech:
            if left_s < span.duration_s - 1e-9 or (at_end and left_s <= span.duration_s + 1e-9):
                return span.start_s + left_s
            left_s -= span.duration_s
        return speech[-1].end_s

    laid = []
    for word in words:
        start_s = moved(word.span.start_s, at_end=False)
        end_s = max(start_s, moved(word.span.end_s, at_end=True))
        laid.append(LabelledSpan(Span(start_s, end_s), word.label, word.confidence))
    return laid
