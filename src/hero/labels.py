"""The one label set every posterior lives on, and how each data set's classes map to it.

Ekman's six and neutral. Each data set has a file in `label_maps/`; a class of ours that a source has no word for is
unseen there: its probability is unknown, so it is masked, never 0 by assumption.

Legend: N samples, K classes of the source, 7 common labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from hero.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LABELS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@dataclass(frozen=True, eq=False)
class LabelMap:
    """How one data set's classes map to `LABELS`.

    `classes` maps each source class, in the source's own order, to a common label or None (no counterpart: its
    samples are left out). `seen` (7,) is True for the common labels that the source can produce.
    """

    dataset: str
    classes: Mapping[str, str | None]
    seen: NDArray[np.bool_]

    @property
    def sources(self) -> tuple[str, ...]:
        """The source's class names, in the source's order (the columns of its probabilities)."""
        return tuple(self.classes)

    def index(self, source: str) -> int | None:
        """Index into `LABELS` of a source class; None where it has no counterpart.

        Raises:
            ConfigError: the data set has no such class.
        """
        if source not in self.classes:
            raise ConfigError(f"{self.dataset} has no class '{source}'; it has {', '.join(self.classes)}")
        target = self.classes[source]
        return None if target is None else LABELS.index(target)

    def matrix(self) -> NDArray[np.float64]:
        """Summation matrix (K, 7): source probabilities times it are unnormalised common ones."""
        table = np.zeros((len(self.classes), len(LABELS)))  # (K, 7)
        for row, source in enumerate(self.classes):
            column = self.index(source)
            if column is not None:
                table[row, column] = 1.0
        return table


@cache
def mapping(dataset: str) -> LabelMap:
    """Read the label map of a data set.

    Raises:
        ConfigError: there is no map of that name, or it names a label that is not in `LABELS`.
    """
    import yaml

    folder = files("hero") / "label_maps"
    file = folder / f"{dataset}.yaml"
    if not file.is_file():
        raise ConfigError(f"no label map for data set '{dataset}'; there are {', '.join(datasets())}")
    classes: dict[str, str | None] = yaml.safe_load(file.read_text(encoding="utf-8"))["classes"]
    wrong = sorted({label for label in classes.values() if label is not None} - set(LABELS))
    if wrong:
        raise ConfigError(f"label map '{dataset}' names {wrong}; allowed are {', '.join(LABELS)} and null")
    seen = np.array([label in classes.values() for label in LABELS])
    seen.flags.writeable = False
    return LabelMap(dataset, MappingProxyType(classes), seen)


def datasets() -> tuple[str, ...]:
    """Names of the data sets that have a label map."""
    folder = files("hero") / "label_maps"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def to_common(probs: ArrayLike, dataset: str) -> NDArray[np.float64]:
    """Carry probabilities over a data set's classes to the common labels.

    Args:
        probs: (K,) or (N, K), columns in the order of `mapping(dataset).sources`.
        dataset: name of the label map.

    Returns:
        (7,) or (N, 7), summing to 1 over the labels that the source has; labels it never saw hold 0 and must be
        masked by `mapping(dataset).seen`. A row without any mass on mapped classes is uniform over the seen ones.

    Raises:
        ConfigError: the number of columns is not the source's number of classes.
    """
    label_map = mapping(dataset)
    table = np.asarray(probs, dtype=np.float64)
    if table.shape[-1:] != (len(label_map.classes),):
        raise ConfigError(
            f"{dataset} has {len(label_map.classes)} classes, but the probabilities have shape {table.shape}; "
            f"order the columns as {', '.join(label_map.sources)}"
        )
    common = table @ label_map.matrix()  # (..., 7)
    total = common.sum(-1, keepdims=True)
    even = label_map.seen / label_map.seen.sum()
    return np.where(total > 0, common / np.where(total > 0, total, 1.0), even)
