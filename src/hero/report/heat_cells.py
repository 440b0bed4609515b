"""The heat of a modality as one small SVG: a strip of cells, the stronger the colour the more weight.

Cells of one strength share a path, so that ten minutes cost a few kilobytes.
Legend: T steps of time, K modalities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = 12
MAX_CELLS = 600
FLAT = 0.1  # cells that differ by less than this share of their mean are even
PEAK_PART = 0.1  # of the strip: the least that is called its peak


@dataclass(frozen=True)
class Cells:
    """One modality's strip. Places are in percent of the clip, `shares` in percent of all weight, one a cell.

    `paths` are (opacity, SVG path data) in a box `count` wide and 1 high. `peak_s` is where the most weight lies,
    None where it is even throughout.
    """

    left: float
    width: float
    count: int
    start_s: float
    step_s: float
    paths: tuple[tuple[float, str], ...]
    shares: tuple[str, ...]
    peak_s: tuple[float, float] | None


def draw_cells(heat: Mapping[str, Any], duration_s: float) -> dict[str, Cells]:
    """The strips by modality of the answer's `heat`; cells compare across rows, a modality without weight has none.

    Foreign heat with more than `MAX_CELLS` steps is added up to that many.
    """
    names = [name for name, row in heat["share"].items() if any(row)]
    if not names:
        return {}
    share = np.array([heat["share"][name] for name in names], dtype=float)  # (K, T)
    share, factor = _fewer(share / share.sum())
    step_s, start_s = float(heat["step_s"]) * factor, float(heat["start_s"])
    seen = max(1, min(share.shape[1], int(np.ceil((duration_s - start_s) / step_s - 1e-6))))  # cells inside the clip
    levels = np.ceil(share / share.max() * LEVELS - 1e-9).astype(int)
    left, width = 100 * start_s / duration_s, 100 * seen * step_s / duration_s
    return {
        name: Cells(round(left, 3), round(width, 3), seen, start_s, step_s, _paths(levels[i, :seen]),
                    tuple(f"{100 * v:.3g}" for v in share[i, :seen]),
                    _peak(share[i, :seen], start_s, step_s))
        for i, name in enumerate(names)
    }  # fmt: skip


def _fewer(share: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """(K, T) with neighbours added up until T is at most `MAX_CELLS`, and how many went into one."""
    factor = -(-share.shape[1] // MAX_CELLS)
    padded = np.pad(share, ((0, 0), (0, -share.shape[1] % factor)))
    return padded.reshape(len(share), -1, factor).sum(axis=2), factor


def _paths(levels: NDArray[np.int_]) -> tuple[tuple[float, str], ...]:
    """(opacity, path data) per strength (T,) of 1 to `LEVELS`; neighbours of one strength become one box."""
    boxes: dict[int, list[str]] = {}
    at = 0
    for level, run in groupby(levels.tolist()):
        length = len(list(run))
        if level:
            boxes.setdefault(level, []).append(f"M{at} 0h{length}v1h-{length}z")
        at += length
    return tuple((round(level / LEVELS, 2), "".join(boxes[level])) for level in sorted(boxes))


def _peak(row: NDArray[np.float64], start_s: float, step_s: float) -> tuple[float, float] | None:
    """Where the tenth of the strip (T,) with the most weight begins and ends in seconds, with its equals around it.

    A tenth, so that a fringe of one cell, where the others have just fallen silent, is not the peak.
    """
    if row.max() - row.min() < FLAT * row.mean():
        return None
    wide = max(1, round(row.size * PEAK_PART))
    sums = np.convolve(row, np.ones(wide), "valid")
    first = int(np.flatnonzero(sums >= sums.max() * (1 - 1e-9))[0])
    last, least = first + wide, sums.max() / wide * (1 - FLAT)
    while first and row[first - 1] >= least:
        first -= 1
    while last < row.size and row[last] >= least:
        last += 1
    return start_s + first * step_s, start_s + last * step_s
