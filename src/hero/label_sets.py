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
NO_TEXT = {"int": "a number", "float": "a number", "bool": "a truth value", "null": "nothing", "timestamp": "a date"}


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

    The file is a mapping from labels to common labels or null, or a list of labels. No two may differ by case or blanks alone.

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
        root = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(
            f"label set '{name_or_file}' cannot be read ({error}); write a YAML list of labels"
        ) from error
    table = _table(root, path.stem, name_or_file)
    found = _checked(path.stem, table, name_or_file)
    if len(found.labels) < 2:
        raise ConfigError(f"label set '{name_or_file}' has {len(found.labels)} labels; a choice needs 2 or more")
    if path.stem in shipped():
        raise ConfigError(f"'{path.stem}' is a label set that ships; give the file {name_or_file} another name")
    return found


def _table(root: Any, name: str, where: str) -> dict[str, str | None]:
    """Labels with what they mean, as the file writes them: YAML alone would merge equal ones and make `no` a truth value."""
    if root is None or root.id == "scalar":
        came = "nothing" if root is None else "a single value"
        raise ConfigError(f"{where}: '{name}' must be a list of labels or a mapping, got {came}")
    table: dict[str, str | None] = {}
    for entry in root.value:
        label = _label(entry[0] if root.id == "mapping" else entry, where)
        if same := next((other for other in table if _folded(other) == _folded(label)), None):
            as_one = "stands twice" if same == label else f"and {same!r} are one label: case and blanks tell none apart"
            raise ConfigError(f"{where}: {label!r} {as_one}; leave one of them out")
        table[label] = _meaning(entry[1]) if root.id == "mapping" else label if label in LABELS else None
    return table


def _label(node: Any, where: str) -> str:
    """The label that an entry is.

    Raises:
        ConfigError: YAML takes it for a number, a truth value or another thing that is no text.
    """
    if node.id != "scalar":
        raise ConfigError(f"{where}: the entry in line {node.start_mark.line + 1} is no label; write a word")
    kind = node.tag.rpartition(":")[2]
    if kind != "str":
        what = NO_TEXT.get(kind, "no text")
        raise ConfigError(
            f'{where}: YAML takes the label {node.value or "of no letters"} for {what}; quote it: "{node.value}"'
        )
    return str(node.value)


def _meaning(node: Any) -> str | None:
    """The common label that a mapping gives, or what stands in its place."""
    return None if node.tag.endswith(":null") else str(node.value)


def _folded(label: str) -> str:
    """A label without regard to case and blanks."""
    return " ".join(label.split()).casefold()


def _checked(name: str, table: Mapping[str, str | None], where: str) -> LabelSet:
    for label, ours in table.items():
        if not label or label != label.strip() or len(label) > LONGEST_LABEL or not label.isprintable():
            raise ConfigError(
                f"{where}: {label!r} is no label; write a word of at most {LONGEST_LABEL} characters, without blanks around it"
            )
        if ours is not None and ours not in LABELS:
            raise ConfigError(f"{where}: '{label}' means {ours!r}; allowed: {', '.join(LABELS)} or null")
    meant = [ours for ours in table.values() if ours is not None]
    if len(meant) != len(set(meant)):
        raise ConfigError(f"{where}: two labels of '{name}' mean the same common label; leave one of them null")
    return LabelSet(name, MappingProxyType(dict(table)))
