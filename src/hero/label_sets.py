"""The labels a verdict may answer in, as data: `label_sets.yaml`, or a YAML file of the user's own.

Posteriors of experts live on the common labels (`hero.labels`); a set says which of its labels means which of those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hero.errors import ConfigError
from hero.labels import LABELS

COMMON = "ekman7"
LONGEST_LABEL = 60  # characters


@dataclass(frozen=True)
class LabelSet:
    """Labels in their order with the common label each means, or None; no labels at all where the set is open."""

    name: str
    common: Mapping[str, str | None]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels; empty where the set is open."""
        return tuple(self.common)

    @property
    def open(self) -> bool:
        """Whether any word may be the answer."""
        return not self.common

    def of_common(self) -> dict[str, str]:
        """Common label -> label of this set, for the labels that have a counterpart."""
        return {ours: label for label, ours in self.common.items() if ours is not None}


@cache
def shipped() -> Mapping[str, LabelSet]:
    """The sets that ship, by name."""
    import yaml

    raw = yaml.safe_load(files("hero").joinpath("label_sets.yaml").read_text("utf-8"))
    return MappingProxyType({name: _checked(name, table, "label_sets.yaml") for name, table in raw.items()})


def label_set(name_or_file: str) -> LabelSet:
    """A set that ships by its name, or one from a YAML file (its name is the file's).

    The file is a mapping from labels to common labels or null, or a list of labels.

    Raises:
        ConfigError: there is no such set, or the file is none.
    """
    import yaml

    if name_or_file in shipped():
        return shipped()[name_or_file]
    path = Path(name_or_file)
    if path.suffix not in {".yaml", ".yml"} or not path.is_file():
        raise ConfigError(
            f"no label set is called '{name_or_file}'; known: {', '.join(shipped())}, or give a .yaml file with labels"
        )
    try:
        table = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"label set '{name_or_file}' cannot be read ({error}); write a YAML list of labels"
        ) from error
    if isinstance(table, list):
        table = {label: label if label in LABELS else None for label in table if isinstance(label, str)} or table
    found = _checked(path.stem, table, name_or_file)
    if len(found.labels) < 2:
        raise ConfigError(f"label set '{name_or_file}' has {len(found.labels)} labels; a choice needs 2 or more")
    if path.stem in shipped():
        raise ConfigError(f"'{path.stem}' is a label set that ships; give the file {name_or_file} another name")
    return found


def _checked(name: str, table: Any, where: str) -> LabelSet:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: '{name}' must be a list of labels or a mapping, got {type(table).__name__}")
    for label, ours in table.items():
        if not isinstance(label, str) or not label.strip() or len(label) > LONGEST_LABEL or not label.isprintable():
            raise ConfigError(f"{where}: {label!r} is no label; write a word of at most {LONGEST_LABEL} characters")
        if ours is not None and ours not in LABELS:
            raise ConfigError(f"{where}: '{label}' means {ours!r}; allowed: {', '.join(LABELS)} or null")
    meant = [ours for ours in table.values() if ours is not None]
    if len(meant) != len(set(meant)):
        raise ConfigError(f"{where}: two labels of '{name}' mean the same common label; leave one of them null")
    return LabelSet(name, MappingProxyType(dict(table)))
