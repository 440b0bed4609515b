"""Every set of weights this program knows, in one list: third-party files, checkpoints, a HERO model at hand, what ships."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hero import checkpoints, models, third_party, weights
from hero.checkpoint_folder import read_json
from hero.errors import WeightsError
from hero.integrate.model import FOLDER, TABLE, folder_of


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
    """Third-party files, checkpoints that can be fetched or are made here, a HERO model at hand, packaged weights."""
    yield from (_third_party(entry) for entry in models.entries().values())
    yield from (_checkpoint(row) for row in checkpoints.catalogue().values())
    yield from _hero_models()
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


def _hero_models() -> Iterator[Item]:
    """The HERO checkpoint that `integrate.model: auto` takes; before it those of its name that are none, with their flaw."""
    used = folder_of("auto")
    for folder in (base / FOLDER for base in models.folders()):
        if folder.is_dir():
            yield _hero_model(folder)
        if folder == used:
            return


def _hero_model(folder: Path) -> Item:
    """A HERO checkpoint by what its configuration says; its weights are checked when it is opened."""
    config: dict[str, Any] = {}
    where, obtain, cure = str(folder), "", "copy the folder again, or delete it"
    try:
        config = read_json(folder / TABLE, cure)
        if config.get("model_type") != "hero":
            where, obtain = "", f"{folder / TABLE} says model_type '{config.get('model_type')}', not 'hero'; {cure}"
    except WeightsError as error:
        where, obtain = "", error.line
    told = config.get("training")
    training: dict[str, Any] = told if isinstance(told, dict) else {}
    state = f"trained on {training.get('data')}" if training.get("trained") is True else "not trained, so not used"
    what = f"HERO model on {config.get('base') or 'a language model'}, {state}" if where else "HERO model"
    return Item(
        FOLDER, "hero model", what, _size(folder), str(training.get("licence") or "none"), training.get("commercial") is True,
        where, obtain, str(training.get("revision") or ""),
    )  # fmt: skip


def _size(folder: Path) -> int:
    """The size of a folder's files on disk, without those of folders in it but its adapters."""
    return sum(path.stat().st_size for path in (*folder.glob("*"), *folder.glob("adapter/*")) if path.is_file())
