"""Utterances out of speech spans, and their samples in one pass over the sound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hero.media.clip import Block
from hero.observe.posteriors import language_of
from hero.observe.windows import RATE_HZ, cut, utterances
from hero.types import Span


class Ramp:
    """Sound whose sample values are their own positions, starting at `start_s`, in blocks of odd length."""

    def __init__(self, seconds: float, start_s: float = 0.0) -> None:
        self.seconds, self.start_s = seconds, start_s

    def sound(self, rate_hz: int = RATE_HZ, block_s: float = 1.0) -> Iterator[Block]:
        total = round(self.seconds * rate_hz)
        for first in range(0, total, 7_001):
            values = np.arange(first, min(first + 7_001, total), dtype=np.float32)
            yield Block(self.start_s + first / rate_hz, values, rate_hz)


def test_no_speech_gives_no_utterance() -> None:
    assert utterances([], 3.0) == []


def test_speech_is_joined_padded_and_cut() -> None:
    speech = [Span(0.1, 1.0), Span(1.5, 2.0), Span(5.0, 5.1), Span(8.0, 20.0)]
    windows = utterances(speech, 21.0)
    assert windows[0].as_list() == [0.0, 2.8]
    assert len(windows) == 1 + 3  # the blip of 0.1 s is too short; 13.6 s become three windows
    assert windows[-1].end_s == pytest.approx(20.8, abs=1e-3)


@pytest.mark.parametrize("start_s", [0.0, 2.4])
def test_samples_are_those_of_the_window(start_s: float) -> None:
    windows = [
        Span(start_s + 0.5, start_s + 1.5),
        Span(start_s + 1.2, start_s + 3.0),
        Span(start_s + 5.5, start_s + 7.0),
    ]
    found = list(cut(Ramp(6.0, start_s), windows))
    assert [span for span, _ in found] == windows
    for span, samples in found:
        assert samples[0] == pytest.approx((span.start_s - start_s) * RATE_HZ, abs=1)
    assert len(found[0][1]) == pytest.approx(RATE_HZ, abs=1)
    assert len(found[2][1]) == pytest.approx(0.5 * RATE_HZ, abs=1)  # the sound ends inside the window


@pytest.mark.parametrize(
    ("text", "language"),
    [("Kids are talking by the door.", "en"), ("孩子们在门口说话。", "zh"), ("Hello!", "en"), ("12 34", "other"),
     ("Die Kinder sprechen gerade laut neben der alten Haustür miteinander", "other"), ("Привет, как дела", "other")],
)  # fmt: skip
def test_language(text: str, language: str) -> None:
    assert language_of(text) == language
