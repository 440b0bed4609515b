"""A label as a letter: one question, and the probabilities that a served model gives to its possible answers.

Letters are read from the log-probabilities of the first token (Hendrycks et al. 2021, MMLU, score the choices A to D so);
where an endpoint states none, from letters that were drawn several times, with Laplace's rule of succession.

Legend: K options.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_uppercase

from hero.phrases import Phrases

MOST_OPTIONS = len(ascii_uppercase)
LEAST_MASS = 0.5  # below it the first token is no choice (a thought begins, say)
TOP_TOKENS = 20  # the most that the interface states
_AROUND = " \t\n\"'`*([{)]}.:▁Ġ"
_LETTER = re.compile(r"\W*([A-Za-z])(?:\W*|\s*[=:.)-].*)", re.DOTALL)


def question(options: Sequence[str], say: Phrases) -> str:
    """The request for the letter of one of K options, K at most `MOST_OPTIONS`."""
    named = [say.say("option", letter=letter, label=label) for letter, label in _lettered(options).items()]
    return say.say("choose", options=say.say("comma").join(named))


def from_log_probabilities(first: Iterable[tuple[str, float]], options: Sequence[str]) -> dict[str, float] | None:
    """Probabilities over the options (they sum to 1) from the first token's alternatives and their log-probabilities.

    Spellings of a letter (" A", "a") are added up. None where letters hold less than half of all probability.
    """
    lettered = _lettered(options)
    mass = dict.fromkeys(options, 0.0)
    for token, log_probability in first:
        label = lettered.get(token.strip(_AROUND).upper())
        if label is not None and log_probability <= 0:  # NaN fails the comparison
            mass[label] += math.exp(log_probability)
    total = sum(mass.values())
    return {label: share / total for label, share in mass.items()} if total >= LEAST_MASS else None


def from_draws(texts: Iterable[str], options: Sequence[str]) -> tuple[dict[str, float], int]:
    """Probabilities over the options from drawn answers, (count + 1) / (draws + K), and how many draws were a choice."""
    counts = dict.fromkeys(options, 0)
    for text in texts:
        label = _chosen(text, options)
        if label is not None:
            counts[label] += 1
    draws = sum(counts.values())
    return {label: (count + 1) / (draws + len(counts)) for label, count in counts.items()}, draws


def _lettered(options: Sequence[str]) -> Mapping[str, str]:
    return dict(zip(ascii_uppercase, options, strict=False))


def _chosen(text: str, options: Sequence[str]) -> str | None:
    """The option that a drawn answer means: its letter, its letter and more ("B = sad"), or the label itself."""
    said = text.rpartition("</think>")[2].strip()
    found = _LETTER.fullmatch(said)
    if found:
        return _lettered(options).get(found[1].upper())
    return {label.casefold(): label for label in options}.get(said.strip(_AROUND).casefold())
