"""Puts spans that overlap into as few rows as possible."""

from __future__ import annotations

from collections.abc import Sequence


def pack(spans: Sequence[tuple[float, float]], *, least_s: float = 0.0) -> list[int]:
    """Row of each span so that no two in a row overlap; first come, lowest row (optimal for intervals).

    `least_s` is the room that even a shorter span takes up.
    """
    rows = [0] * len(spans)
    ends: list[float] = []
    for index in sorted(range(len(spans)), key=lambda i: spans[i]):
        start, end = spans[index]
        end = max(end, start + least_s)
        row = next((r for r, busy in enumerate(ends) if busy <= start), len(ends))
        if row == len(ends):
            ends.append(end)
        else:
            ends[row] = end
        rows[index] = row
    return rows
