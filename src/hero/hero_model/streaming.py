"""Text in pieces while a language model writes it in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

HALF = "\ufffd"
"""What a character decodes to of which only a part of the bytes is there."""


class _Pieces(BaseStreamer):
    """Puts text into a queue as soon as its last character is whole, None at the end.

    Tokens of the families here are bytes: what follows a whole character cannot change it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.queue: SimpleQueue[str | None] = SimpleQueue()
        self._tokenizer = tokenizer
        self._held: list[int] = []

    def put(self, value: torch.Tensor) -> None:
        """Take new tokens; the empty prompt that comes first (it was given as embeddings) adds none."""
        self._held += value.flatten().tolist()
        text = self._text()
        if text and not text.endswith(HALF):
            self.queue.put(text)
            self._held = []

    def end(self) -> None:
        """Give out what is held back."""
        if text := self._text():
            self.queue.put(text)
        self._held = []

    def _text(self) -> str:
        return str(self._tokenizer.decode(self._held, skip_special_tokens=True, clean_up_tokenization_spaces=False))


class _Closed(StoppingCriteria):
    """Ends the writing when nobody listens any more."""

    def __init__(self, closed: Event) -> None:
        self.closed = closed

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.full((len(input_ids),), self.closed.is_set(), dtype=torch.bool, device=input_ids.device)


def stream_text(write: Callable[..., Any], tokenizer: Any, criteria: Sequence[Any] | None = None) -> Iterator[str]:
    """The pieces of what `write(streamer=, stopping_criteria=)` writes; joined they are its text without special tokens.

    An error of the writer is raised here, after the pieces that came before it. Closing the iterator stops the writer.
    """
    pieces, closed = _Pieces(tokenizer), Event()
    stop = StoppingCriteriaList([*(criteria or ()), _Closed(closed)])
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="hero-writer") as pool:
        writing = pool.submit(write, streamer=pieces, stopping_criteria=stop)
        writing.add_done_callback(lambda _: pieces.queue.put(None))  # after an error too
        try:
            while (piece := pieces.queue.get()) is not None:
                yield piece
        finally:
            closed.set()
    writing.result()
