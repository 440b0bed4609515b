"""TensorFlow Lite models on one thread of `ai-edge-litert`, without its greeting on the terminal."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hero.errors import WeightsError

_closed = threading.Lock()


def load_interpreter(content: bytes, name: str) -> Any:
    """An interpreter of a .tflite file's bytes with its tensors allocated.

    Raises:
        WeightsError: the runtime is missing, or refuses the file.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise WeightsError("the runtime ai-edge-litert is not installed; pip install ai-edge-litert") from error
    try:
        with quiet():
            interpreter = Interpreter(model_content=content, num_threads=1)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"{name} cannot be run ({error}); put the published file in its place") from error
    return interpreter


@contextmanager
def quiet() -> Iterator[None]:
    """Standard error closed for the moment: a runtime writes there past Python, and has no switch for it.

    One thread at a time: a second one would take the closed one for the real one, and put that back.
    """
    with _closed:
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
