"""Third-party weights: where they lie, how they are fetched, and what they must hash to.

Look-up order: the folder that HERO_MODELS names, the user's cache (HERO_CACHE, else ~/.cache/hero, then `models/`), and
`models/` under HERO_DATA. What each entry is stands in `models.yaml`. Weights trained by this project ship inside the
package instead (`hero.weights`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hero.errors import OutputError, UsageError, WeightsError
from hero.third_party import Entry, Progress, WeightsFile


@dataclass(frozen=True)
class Row:
    """A line of `table`: an entry and where it lies (`where` is None if it is not at hand)."""

    name: str
    what: str
    licence: str
    size_bytes: int
    sha256: str
    where: Path | None


@cache
def entries() -> Mapping[str, Entry]:
    """All known third-party weights by name."""
    import yaml

    raw: dict[str, dict[str, Any]] = yaml.safe_load(files("hero").joinpath("models.yaml").read_text("utf-8"))
    return MappingProxyType({
        name: Entry(name, row["what"], row["licence"], row["commercial"], tuple(WeightsFile(**f) for f in row["files"]),
                    row.get("source", {}), row.get("otherwise", ""), row.get("obtain", ""))
        for name, row in raw.items()
    })  # fmt: skip


def entry(name: str) -> Entry:
    """The entry called `name`.

    Raises:
        UsageError: there is none.
    """
    if name not in entries():
        raise UsageError(f"no weights are called '{name}'; known: {', '.join(entries())}; see `hero models`")
    return entries()[name]


def cache_folder() -> Path:
    """Where fetched weights are kept: `$HERO_CACHE/models`, else `~/.cache/hero/models`."""
    chosen = os.environ.get("HERO_CACHE")
    return (Path(chosen) if chosen else Path.home() / ".cache" / "hero") / "models"


def folders() -> tuple[Path, ...]:
    """The folders that are searched, in order."""
    own, data = os.environ.get("HERO_MODELS"), os.environ.get("HERO_DATA")
    return (*((Path(own),) if own else ()), cache_folder(), *((Path(data) / "models",) if data else ()))


def find(name: str) -> Path | None:
    """Path of the entry's main file, or None where it is not at hand; its other files lie in the same folder.

    Raises:
        UsageError: no entry has that name.
        WeightsError: a file is there but is not the one expected.
    """
    wanted = entry(name)
    for folder in folders():
        if all((folder / part.file).is_file() for part in wanted.files):
            for part in wanted.files:
                _check(folder / part.file, part)
            return folder / wanted.files[0].file
    return None


def fetch(name: str, *, progress: Progress | None = None, timeout_s: float = 8.0) -> Path:
    """Find the entry's weights, or download them into the user's cache; returns the path of the main file.

    When the source cannot be reached and the entry names another one that does the same work with less (the landmark
    pair for the bundle), that one is fetched instead: the file name tells which it was. Safe to call from several
    processes at once.

    Raises:
        UsageError: no entry has that name.
        WeightsError: nothing could be fetched, or what came is not what was expected.
    """
    from hero.fetching import Unreachable, fetch_into

    wanted = entry(name)
    present = find(name)
    if present:
        return present
    if not wanted.source:
        raise WeightsError(f"weights '{name}' have no known download; {wanted.obtain}")
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
            for part, path in fetch_into(Path(scratch), wanted, progress=progress, timeout_s=timeout_s):
                _check(path, part)
                os.replace(path, folder / part.file)  # atomic: readers see the whole file or none
    except Unreachable as error:
        if wanted.otherwise:
            return fetch(wanted.otherwise, progress=progress, timeout_s=timeout_s)
        raise WeightsError(
            f"weights '{name}' could not be fetched ({error}); connect once and run `hero models fetch`, or make a folder "
            "with `hero models pack` on a machine with network and name it in HERO_MODELS"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"weights '{name}' cannot be stored in {folder} ({error}); set HERO_CACHE elsewhere"
        ) from error
    return folder / wanted.files[0].file


def pack(folder: Path) -> tuple[Path, ...]:
    """Copy all weights at hand into `folder`, for a machine without network (there: HERO_MODELS=folder).

    Raises:
        OutputError: the folder cannot be written.
        WeightsError: nothing is at hand to pack, or a file is not the one expected.
    """
    packed: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for wanted in entries().values():
            main = find(wanted.name)
            for part in wanted.files if main else ():
                assert main is not None
                target = folder / part.file
                if not target.exists() or not target.samefile(main.parent / part.file):
                    shutil.copyfile(main.parent / part.file, target)
                packed.append(target)
    except OSError as error:
        raise OutputError(f"cannot pack weights into {folder} ({error}); name a folder that can be written") from error
    if not packed:
        raise WeightsError("no third-party weights are at hand to pack; run `hero models fetch` first")
    return tuple(packed)


def table() -> tuple[Row, ...]:
    """All entries with their size, hash of the main file, licence and where they lie.

    Raises:
        WeightsError: a file is there but is not the one expected.
    """
    return tuple(
        Row(e.name, e.what, e.licence, e.size_bytes, e.files[0].sha256, find(e.name)) for e in entries().values()
    )  # fmt: skip


def _check(path: Path, part: WeightsFile) -> None:
    """Raise unless the file hashes to what the entry says."""
    stat = path.stat()
    found = _sha256(path, stat.st_size, stat.st_mtime_ns)
    if found != part.sha256:
        raise WeightsError(
            f"{path} is not the expected {part.file}: sha256 {found[:12]}.. ({stat.st_size} bytes), expected "
            f"{part.sha256[:12]}.. ({part.size_bytes} bytes); delete it and run `hero models fetch`"
        )


@lru_cache(maxsize=64)
def _sha256(path: Path, size_bytes: int, mtime_ns: int) -> str:
    """Hash of a file; size and time are part of the cache's key, so a changed file is read again."""
    del size_bytes, mtime_ns
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
