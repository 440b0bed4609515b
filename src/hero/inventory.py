"""Every set of weights this program knows, in one list: third-party files, checkpoints, and what ships in the package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from hero import checkpoints, models, third_party, weights
from hero.errors import WeightsError


@dataclass(frozen=True)
class Item:
    """Weights and where they lie: `where` is empty for what is not at hand, and `obtain` says how to get it.

    `size_bytes` is about what a download takes; `revision` is the commit of a checkpoint, `use` what it serves and
    `preset` which shipped preset names it.
    """

    name: str
    group: str
    what: str
    size_bytes: int
    licence: str
    commercial: bool
    where: str
    obtain: str
    revision: str = ""
    use: str = ""
    preset: str = ""

    def as_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


def items() -> Iterator[Item]:
    """Third-party files, checkpoints that can be fetched, checkpoints made here, packaged weights."""
    yield from (_third_party(entry) for entry in models.entries().values())
    yield from (_checkpoint(row) for row in checkpoints.catalogue().values())
    for name in weights.packaged():
        card, size = weights.read_card(name), weights.path_of(name).stat().st_size
        licence, allows = str(card["licence"]), bool(card["commercial"])
        yield Item(name, "packaged", f"trained on {card['data']}", size, licence, allows, "in the package", "")


def _third_party(entry: third_party.Entry) -> Item:
    try:
        found = models.find(entry.name)
        where, obtain = (str(found), "") if found else ("", entry.obtain or "run hero models fetch")
    except WeightsError as error:
        where, obtain = "", error.line
    return Item(entry.name, "third-party", entry.what, entry.size_bytes, entry.licence, entry.commercial, where, obtain)


def _checkpoint(row: checkpoints.Known) -> Item:
    revision, where, obtain = row.revision or "", "", f"run hero models fetch {row.name}"
    try:
        found = checkpoints.find(row.name)
        if found:
            where, obtain, revision = str(found.folder), "", found.revision or revision
    except WeightsError as error:
        obtain = error.line
    group = "made here" if row.random else "checkpoint"
    return Item(
        row.name, group, row.what, row.size_bytes, row.licence, row.commercial, where, obtain, revision, row.use,
        row.preset or "",
    )  # fmt: skip
