"""One queue per encoder and one thread that runs them: pieces of all clips in work share batches, decoding goes on.

The thread never waits for a full batch: whatever lies in the queue is taken, up to the batch that the encoder likes. While
the encoder is the slower side queues fill up and batches grow by themselves; while decoding is slower nothing is gained by
waiting. A full queue makes the decoding threads wait, so memory stays bounded.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hero.observe.encoders.encoder import Encoder, Features

QUEUED_BATCHES = 3
"""Batches that may wait for an encoder before `submit` blocks."""


@dataclass(eq=False)
class _Queue:
    encoder: Encoder
    waiting: deque[tuple[float, Any, Future[Features]]] = field(default_factory=deque)

    @property
    def room(self) -> bool:
        return len(self.waiting) < max(4, QUEUED_BATCHES * self.encoder.batch)


class Batcher:
    """Takes pieces from any thread and gives their features; encoders run one after the other in a thread of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queues: dict[int, _Queue] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, encoder: Encoder, piece: Any) -> Future[Features]:
        """Queue a prepared piece; blocks while the encoder's queue is full. Ask the future for `result()` when needed."""
        future: Future[Features] = Future()
        with self._changed:
            queue = self._queues.setdefault(id(encoder), _Queue(encoder))
            self._changed.wait_for(lambda: queue.room or self._closed)
            if self._closed:
                raise RuntimeError("the batcher is closed")
            queue.waiting.append((time.monotonic(), piece, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hero-encoders", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return future

    def close(self) -> None:
        """Stop the thread after the batch in work; pieces still queued are cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join()
        for queue in self._queues.values():
            for _, _, future in queue.waiting:
                future.cancel()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or any(q.waiting for q in self._queues.values()))
                if self._closed:
                    return
                queue = min((q for q in self._queues.values() if q.waiting), key=lambda q: q.waiting[0][0])
                count = min(len(queue.waiting), max(1, queue.encoder.batch))
                batch = [queue.waiting.popleft()[1:] for _ in range(count)]
                self._changed.notify_all()
            _run(queue.encoder, batch)


def _run(encoder: Encoder, batch: list[tuple[Any, Future[Features]]]) -> None:
    """Encode a batch and answer its futures; where memory does not suffice, half a batch at a time."""
    from torch import OutOfMemoryError

    try:
        found = encoder.encode([piece for piece, _ in batch])
    except OutOfMemoryError as error:
        if len(batch) == 1:
            batch[0][1].set_exception(error)
            return
        middle = len(batch) // 2
        _run(encoder, batch[:middle])
        _run(encoder, batch[middle:])
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        for _, future in batch:
            future.set_exception(error)
    else:
        for (_, future), features in zip(batch, found, strict=True):
            future.set_result(features)


@cache
def shared() -> Batcher:
    """The batcher of this process; its thread starts with the first piece."""
    return Batcher()
