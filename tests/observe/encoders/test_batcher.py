"""The batcher: every piece is answered with its own features, batches grow under load, memory and errors stay contained."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from hero.observe.encoders.batcher import QUEUED_BATCHES, Batcher
from hero.observe.encoders.encoder import Features
from hero.types import ModelUsed


class Doubler:
    """An encoder that doubles numbers, and can be held back, refuse a number, or refuse batches."""

    dim, piece_frames = 1, 0

    def __init__(self, *, batch: int = 4, refuse: float | None = None, largest: int = 99) -> None:
        self.used = ModelUsed("doubler", "0" * 64, "MIT")
        self.batch, self.refuse, self.largest = batch, refuse, largest
        self.gate = threading.Event()
        self.gate.set()
        self.sizes: list[int] = []

    def prepare(self, raw: Any) -> Any:
        return raw

    def encode(self, pieces: Sequence[float]) -> list[Features]:
        from torch import OutOfMemoryError

        assert self.gate.wait(10)
        if len(pieces) > self.largest:
            raise OutOfMemoryError("too many")
        if self.refuse in pieces:
            raise RuntimeError("not this one")
        self.sizes.append(len(pieces))
        return [Features(np.array([[2 * piece]], np.float32), np.zeros(1)) for piece in pieces]


@pytest.fixture
def batcher() -> Any:
    made = Batcher()
    yield made
    made.close()


def value(future: Any) -> float:
    return float(future.result(10).values[0, 0])


def test_each_piece_gets_its_own_answer_from_many_threads(batcher: Batcher) -> None:
    encoder = Doubler()
    with ThreadPoolExecutor(6) as pool:
        futures = list(pool.map(lambda n: batcher.submit(encoder, float(n)), range(200)))
    assert [value(f) for f in futures] == [2.0 * n for n in range(200)]
    assert sum(encoder.sizes) == 200


def test_what_waits_while_a_batch_runs_goes_together(batcher: Batcher) -> None:
    encoder = Doubler(batch=4)
    encoder.gate.clear()
    futures = [batcher.submit(encoder, float(n)) for n in range(9)]
    encoder.gate.set()
    assert [value(f) for f in futures] == [2.0 * n for n in range(9)]
    assert max(encoder.sizes) == 4 and sum(encoder.sizes) == 9 and len(encoder.sizes) <= 4


def test_a_full_queue_makes_the_producer_wait(batcher: Batcher) -> None:
    encoder = Doubler(batch=2)
    encoder.gate.clear()
    done: list[int] = []

    def produce() -> None:
        for n in range(40):
            batcher.submit(encoder, float(n))
            done.append(n)

    thread = threading.Thread(target=produce)
    thread.start()
    thread.join(0.3)
    waiting = len(done)
    assert thread.is_alive() and waiting <= 2 + max(4, QUEUED_BATCHES * encoder.batch)
    encoder.gate.set()
    thread.join(10)
    assert len(done) == 40


def test_an_encoder_that_fails_answers_with_its_error_and_others_go_on(batcher: Batcher) -> None:
    bad, good = Doubler(batch=1, refuse=3.0), Doubler()
    futures = [batcher.submit(bad, float(n)) for n in range(5)]
    assert value(batcher.submit(good, 7.0)) == 14.0
    with pytest.raises(RuntimeError, match="not this one"):
        futures[3].result(10)
    assert [value(futures[n]) for n in (0, 1, 2, 4)] == [0.0, 2.0, 4.0, 8.0]


def test_too_little_memory_for_a_batch_halves_it(batcher: Batcher) -> None:
    encoder = Doubler(batch=8, largest=2)
    encoder.gate.clear()
    futures = [batcher.submit(encoder, float(n)) for n in range(8)]
    encoder.gate.set()
    assert [value(f) for f in futures] == [2.0 * n for n in range(8)]
    assert max(encoder.sizes) <= 2


def test_closing_cancels_what_still_waits() -> None:
    batcher, encoder = Batcher(), Doubler(batch=1)
    encoder.gate.clear()
    futures = [batcher.submit(encoder, float(n)) for n in range(4)]
    threading.Timer(0.2, encoder.gate.set).start()
    batcher.close()
    assert futures[-1].cancelled()
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(encoder, 1.0)
