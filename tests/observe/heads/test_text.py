"""The text head: clear sentences, hostile input, speed, and packing that keeps the weights."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from hero import weights
from hero.data.formats import goemotions
from hero.errors import UsageError
from hero.evaluate.metrics import macro_f1
from hero.labels import LABELS, mapping
from hero.observe.heads.text import NAME, TextHead, bags, letter_grams, pack, unpack, word_grams


@pytest.fixture(scope="module")
def head() -> TextHead:
    return TextHead.load()


@pytest.mark.parametrize(
    ("sentence", "label"),
    [
        ("I am so happy for you, congratulations!", "happy"),
        ("I hate you, leave me alone you idiot", "angry"),
        ("This is disgusting", "disgust"),
        ("I'm scared of what happens next", "fear"),
        ("I miss her so much, it makes me sad", "sad"),
        ("What?! I can't believe it!", "surprise"),
        ("The train leaves at four from the second platform", "neutral"),
    ],
)
def test_clear_sentences(head: TextHead, sentence: str, label: str) -> None:
    posterior, scores = head.posterior(sentence), head.scores(sentence)
    assert LABELS[int(posterior.argmax())] == label == LABELS[int(scores.argmax())]
    assert head.labels(sentence)[LABELS.index(label)]
    assert posterior.sum() == pytest.approx(1.0) and posterior.min() > 0


@pytest.mark.parametrize("sentence", ["", " ", "😀", "\x00\ud800", "ab " * 100_000, "日本語の文", "?!?!", "a" * 50_000])
def test_odd_text_still_gives_a_distribution_quickly(head: TextHead, sentence: str) -> None:
    start_s = time.perf_counter()
    posterior = head.posterior(sentence)
    assert posterior.sum() == pytest.approx(1.0) and np.all(np.isfinite(head.scores(sentence)))
    assert time.perf_counter() - start_s < 0.5


def test_empty_text_is_no_strong_claim(head: TextHead) -> None:
    assert LABELS[int(head.posterior("").argmax())] == "neutral"


def test_not_text_is_refused(head: TextHead) -> None:
    with pytest.raises(UsageError, match="must be text, got bytes"):
        head.posterior(b"hello")  # type: ignore[arg-type]


def test_grams() -> None:
    words = word_grams("I do NOT like it")
    assert {"^ i", "it $", "do not like", "NEG_like", "NEG_it", "CAPS", "LEN1"} <= set(words)
    assert "NEG_do" not in words
    assert letter_grams("cat")[" cat"] == 1 and letter_grams("aaaa")["aaa"] == 2
    first, second = bags("so so good")
    assert max(first.values()) == 2 and max(second.values()) == 2


def test_packing_loses_little() -> None:
    table = np.random.default_rng(0).standard_t(3, (5000, 7))
    packed, scale = pack(table)
    assert packed.dtype == np.int8
    error = np.abs(unpack(packed, scale) - table)
    assert error.max() <= 0.01 * np.abs(table).max()
    assert np.corrcoef(unpack(packed, scale).ravel(), table.ravel())[0, 1] > 0.999


def test_size_and_licence(head: TextHead) -> None:
    assert weights.path_of(NAME).stat().st_size <= 1.3e6
    assert head.used is not None and head.used.commercial


def test_development_split_scores_as_its_card_says(hero_data: Path, head: TextHead) -> None:
    dev = goemotions.comments(hero_data, "dev")
    truth = (dev.indicators @ mapping("goemotions_ekman").matrix()).astype(int)
    said = np.array([head.labels(text) for text in dev.texts])
    assert macro_f1(truth, said) == pytest.approx(weights.read_card(NAME)["dev_macro_f1"], abs=0.003)
