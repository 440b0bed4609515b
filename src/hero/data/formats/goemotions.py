"""GoEmotions: English comments with several emotions each, in the official splits.

Legend: N comments, K classes.

Files (Demszky et al. 2020, CC BY 4.0): `goemotions/<grouping>/{train,dev,test}.tsv` with text, comma-separated class
indices and a comment id; `labels.txt` names the classes in the order of their indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from hero.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Split = Literal["train", "dev", "test"]
Grouping = Literal["ekman", "original"]


@dataclass(frozen=True, eq=False)
class Comments:
    """N comments of one split: `indicators` (N, K) 0/1, columns named by `classes`."""

    texts: tuple[str, ...]
    indicators: NDArray[np.int64]
    ids: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def single(self) -> NDArray[np.bool_]:
        """(N,) True where raters agreed on exactly one class."""
        return self.indicators.sum(1) == 1


def comments(data: Path, split: Split, *, grouping: Grouping = "ekman") -> Comments:
    """Read one official split.

    Raises:
        InputError: a file is missing, or a row is not text, classes and id, or names a class that does not exist.
    """
    folder = data / "goemotions" / grouping
    classes = tuple(_lines(folder / "labels.txt"))
    texts, ids, indicators = [], [], []
    for number, line in enumerate(_lines(folder / f"{split}.tsv"), start=1):
        parts = line.split("\t")
        if len(parts) != 3:
            raise InputError(f"{split}.tsv line {number} has {len(parts)} columns; it needs text, class indices, id")
        named = [int(part) for part in parts[1].split(",")]
        if not all(0 <= index < len(classes) for index in named):
            raise InputError(f"{split}.tsv line {number} names classes {named}; allowed are 0..{len(classes) - 1}")
        texts.append(parts[0])
        ids.append(parts[2])
        indicators.append(np.bincount(named, minlength=len(classes)).clip(max=1))
    return Comments(tuple(texts), np.array(indicators, dtype=np.int64), tuple(ids), classes)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(
            f"no GoEmotions file {path.parent.name}/{path.name} under the data folder; set HERO_DATA or --data"
        )
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")  # comments may hold other line separators
