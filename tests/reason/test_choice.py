"""Letters as labels: spellings add up, what is no choice is none, and draws follow Laplace's rule."""

from __future__ import annotations

from math import log, nan

import pytest

from hero.phrases import phrases
from hero.reason.choice import from_draws, from_log_probabilities, question

LABELS = ("angry", "happy", "sad")


def test_spellings_of_a_letter_add_up() -> None:
    first = [("A", log(0.2)), (" A", log(0.1)), ("c", log(0.25)), ("▁C.", log(0.05)), ("The", log(0.4))]
    chances = from_log_probabilities(first, LABELS)
    assert chances == pytest.approx({"angry": 0.5, "happy": 0.0, "sad": 0.5})


@pytest.mark.parametrize(
    "first",
    [
        [],
        [("<think>", 0.0)],
        [("A", log(0.3)), ("The", log(0.7))],  # letters hold too little
        [("D", 0.0)],  # no option has this letter
        [("AB", 0.0)],
        [("A", nan)],
        [("A", 800.0)],  # no probability
    ],
)
def test_what_is_no_choice(first: list[tuple[str, float]]) -> None:
    assert from_log_probabilities(first, LABELS) is None


def test_draws_follow_laplace() -> None:
    texts = ["B", " b.", "(B)", "B = happy", "B: happy, since he smiles", "<think>A or C</think>B", "C"]
    chances, draws = from_draws(texts, LABELS)
    assert draws == 7
    assert chances == pytest.approx({"angry": 1 / 10, "happy": 7 / 10, "sad": 2 / 10})


def test_a_drawn_label_counts_and_prose_does_not() -> None:
    chances, draws = from_draws(["Sad.", '"angry"', "A good question", "E", "", "sadness", "A B C"], LABELS)
    assert draws == 2
    assert chances == pytest.approx({"angry": 2 / 5, "happy": 1 / 5, "sad": 2 / 5})


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_question_names_every_option(lang: str) -> None:
    asked = question(LABELS, phrases("remote", lang))
    assert all(f"{letter} = {label}" in asked for letter, label in zip("ABC", LABELS, strict=True))
    assert "D = " not in asked
