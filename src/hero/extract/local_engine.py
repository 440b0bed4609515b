"""Many clips on this machine: a few threads, a clip each; encoders are shared and see the pieces of all of them."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence

from hero.extract.source import Source
from hero.extract.table import Row
from hero.extract.work import Extraction, extract

Done = Callable[[Row], None]


def default_workers() -> int:
    """As many clips at once as there are cores, and at least two, so that one decodes while another computes."""
    return max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2)


def run_local(sources: Sequence[Source], work: Extraction, workers: int, done: Done) -> None:
    """Extract all sources; `done` is called in this thread with each row as it comes.

    Raises:
        UsageError: what concerns all clips; no further clip is begun.
    """
    waiting = iter(sources)
    taking = threading.Lock()
    stop = threading.Event()
    ended: queue.Queue[Row | BaseException] = queue.Queue()

    def labour() -> None:
        while not stop.is_set():
            with taking:
                source = next(waiting, None)
            if source is None:
                return
            try:
                ended.put(extract(source, work))
            except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
                ended.put(error)
                return

    for number in range(min(workers, len(sources))):
        # Daemons: after Ctrl-C the process ends without waiting for clips; what they have not written does not exist.
        threading.Thread(target=labour, name=f"clips-{number}", daemon=True).start()
    try:
        for _ in sources:
            outcome = ended.get()
            if isinstance(outcome, BaseException):
                raise outcome
            done(outcome)
    finally:
        stop.set()
