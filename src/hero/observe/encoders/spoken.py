"""From what a decoder wrote to timed words: which tokens make a word, when it was said, how sure, and what is rubbish.

Legend of shapes: K tokens.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hero.media.transcript import tokens as split_words
from hero.types import LabelledSpan, Span

BROKEN = "\ufffd"  # what a decoder puts for bytes that are no whole character yet
MOST_COMPRESSIBLE = 2.4  # Whisper's published limit: text that zlib shrinks further repeats itself
LEAST_LOG_PROBABILITY = -1.0  # Whisper's published limit of the mean over tokens
NO_SPEECH = 0.6  # Whisper's published limit of the probability of its no-speech token


@dataclass(frozen=True)
class Written:
    """Tokens of one stretch of text, with each one's log probability and, where it was measured, its time.

    ids, log_probabilities and spans_s have K entries; `spans_s` is None where times inside `span_s` are unknown.
    """

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    span_s: tuple[float, float]
    spans_s: tuple[tuple[float, float], ...] | None = None


def repeats_itself(text: str) -> bool:
    """Whether zlib shrinks the text more than 2.4 times, which loops do and speech does not (Radford et al. 2023)."""
    raw = text.encode("utf-8", "replace")
    return bool(raw) and len(raw) / len(zlib.compress(raw)) > MOST_COMPRESSIBLE


def words_of(
    written: Written, decode: Callable[[Sequence[int]], str], *, duration_s: float, from_s: float = 0.0
) -> list[LabelledSpan]:
    """The words of one stretch, inside `duration_s` and none before `from_s`; Chinese characters are words.

    Bytes that are no character are left out. Confidence is the mean probability of a word's tokens. Where tokens have
    no times, the words share the stretch in proportion to their letters.
    """
    ends = _ends(written.ids, decode)
    text = decode(written.ids)
    first_s, last_s = (_inside(time_s, duration_s) for time_s in written.span_s)
    letters = max(1, sum(map(str.isalnum, text)))
    found: list[LabelledSpan] = []
    for word, begin, end in _located(text):
        if not word.strip(BROKEN):
            continue
        own = _tokens_between(ends, begin, end)
        if written.spans_s is not None and own:
            start_s, end_s = written.spans_s[own[0]][0], written.spans_s[own[-1]][1]
        else:
            room_s = max(0.0, last_s - first_s)
            start_s = first_s + room_s * sum(map(str.isalnum, text[:begin])) / letters
            end_s = first_s + room_s * sum(map(str.isalnum, text[:end])) / letters
        start_s = max(from_s, _inside(start_s, duration_s))
        from_s = start_s
        sure = [math.exp(min(0.0, written.log_probabilities[k])) for k in own]
        span = Span(start_s, max(start_s, _inside(end_s, duration_s)))
        found.append(LabelledSpan(span, word.replace(BROKEN, ""), sum(sure) / len(sure) if sure else None))
    return found


def _inside(time_s: float, duration_s: float) -> float:
    return min(max(time_s, 0.0), duration_s) if math.isfinite(time_s) else 0.0


def _ends(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[int]:
    """Where each token ends in the text, (K,); a token that is part of a character ends where that character begins."""
    found: list[int] = []
    for count in range(1, len(ids) + 1):
        known = len(decode(ids[:count]).rstrip(BROKEN))
        found.append(max(known, found[-1] if found else 0))
    return found


def _located(text: str) -> Iterator[tuple[str, int, int]]:
    """The words of a text and where each begins and ends."""
    at = 0
    for word in split_words(text):
        begin = text.find(word, at)
        begin = at if begin < 0 else begin  # punctuation that was moved to its word
        at = min(len(text), begin + len(word))
        yield word, begin, at


def _tokens_between(ends: Sequence[int], begin: int, end: int) -> list[int]:
    """Numbers of the tokens that have a character in begin..end; parts of a character count to it."""
    starts = [0, *ends[:-1]]
    return [k for k, (a, b) in enumerate(zip(starts, ends, strict=True)) if a < end and (b > begin or a == b == begin)]
