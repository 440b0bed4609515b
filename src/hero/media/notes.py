"""Remarks about a clip that are worth telling and no reason to stop: what was skipped, filled or guessed."""

from __future__ import annotations

import threading


class Notes:
    """An ordered set of remarks that several readers of one clip may write to."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        """Remember a remark once."""
        with self._lock:
            self._lines.setdefault(line, line)

    def tally(self, key: str, template: str, *, count: int) -> None:
        """Remember how often something happened; a second reading of the clip keeps the larger count.

        `template` contains `{n}`.
        """
        with self._lock:
            if count > self._counts.get(key, 0):
                self._counts[key] = count
                self._lines[key] = template.format(n=count)

    @property
    def lines(self) -> tuple[str, ...]:
        """All remarks in the order of their first appearance."""
        with self._lock:
            return tuple(self._lines.values())
