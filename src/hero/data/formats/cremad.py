"""CREMA-D's crowd votes: each clip judged from the voice alone, the face alone, and both.

Legend: N clips, 6 answers in the order of `ANSWERS` (the columns of tabulatedVotes.csv).

Files (Cao et al. 2014, ODbL 1.0): `cremad_votes/tabulatedVotes.csv`, whose row names start with 1 for voice, 2 for
face, 3 for both; `cremad_votes/folds.csv` gives each actor's fold.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hero.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANSWERS = ("A", "D", "F", "H", "N", "S")
TIED = -1

_CONDITION = {"1": "voice", "2": "face", "3": "both"}


@dataclass(frozen=True, eq=False)
class Votes:
    """Vote counts (N, 6) of each condition, with actor and fold (N,) of each clip."""

    clip_ids: tuple[str, ...]
    voice: NDArray[np.float64]
    face: NDArray[np.float64]
    both: NDArray[np.float64]
    actors: NDArray[np.int64]
    folds: NDArray[np.int64]

    def take(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Votes:
        """The clips that a mask or an index array picks."""
        i = np.arange(len(self.clip_ids))[keep]
        ids = tuple(self.clip_ids[k] for k in i)
        return Votes(ids, self.voice[i], self.face[i], self.both[i], self.actors[i], self.folds[i])


def majority(counts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the most frequent answer of each row (N, 6) -> (N,); `TIED` where two answers share the top."""
    top = counts.max(1, keepdims=True)
    return np.where((counts == top).sum(1) == 1, counts.argmax(1), TIED)


def votes(data: Path) -> Votes:
    """Clips that were judged in all three conditions, in the order of their names, ties included.

    Raises:
        InputError: a table is missing, or a row names an unknown condition or an actor without a fold.
    """
    counts: dict[str, dict[str, list[float]]] = {}
    for row in _rows(data / "cremad_votes" / "tabulatedVotes.csv"):
        condition = _CONDITION.get(row[""][:1])
        if condition is None:
            raise InputError(f"CREMA-D vote row '{row['']}' has no condition; row names start with 1, 2 or 3")
        counts.setdefault(row["fileName"], {})[condition] = [float(row[a]) for a in ANSWERS]
    folds = {int(row["actor"]): int(row["fold"]) for row in _rows(data / "cremad_votes" / "folds.csv")}
    names = sorted(name for name, table in counts.items() if len(table) == len(_CONDITION))
    actors = [int(name[:4]) for name in names]
    homeless = sorted(set(actors) - set(folds))
    if homeless:
        raise InputError(f"CREMA-D actors {homeless} have votes but no fold in folds.csv; add a row for each")
    voice, face, both = (np.array([counts[name][condition] for name in names]) for condition in _CONDITION.values())
    return Votes(tuple(names), voice, face, both, np.array(actors), np.array([folds[actor] for actor in actors]))


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(
            f"no CREMA-D table {path.parent.name}/{path.name} under the data folder; set HERO_DATA or --data"
        )
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
