"""SHA-256 of large files, remembered by path, size and time, so that gigabytes of weights are not read at every start."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from threading import Lock
from typing import Any

CHUNK_BYTES = 1 << 20
WORTH_BYTES = 1 << 22  # smaller files are hashed again sooner than the table is read

_known: dict[str, tuple[int, int, str]] = {}
_lock = Lock()


def sha256_of(path: Path, *, memory: Path | None = None) -> str:
    """Hash of a file; of a large one that has not changed since, the hash remembered in the JSON file `memory`.

    A changed file is known by its size and its time in nanoseconds.

    Raises:
        OSError: the file cannot be read.
    """
    whole = path.resolve()
    stat = whole.stat()
    state = (stat.st_size, stat.st_mtime_ns)
    memory = memory if stat.st_size >= WORTH_BYTES else None
    with _lock:
        row = _known.get(str(whole))
        if not row or row[:2] != state:
            row = _read(memory).get(str(whole))
        if row and row[:2] == state:
            _known[str(whole)] = row
            return row[2]
    with whole.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    with _lock:
        _known[str(whole)] = (*state, found)
        if memory:
            _remember(memory, str(whole), (*state, found))
    return found


def git_sha1_of(path: Path) -> str:
    """The id that git gives a file's content (a blob), which hubs state for small files."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _read(memory: Path | None) -> dict[str, tuple[int, int, str]]:
    """The remembered hashes; an absent or damaged table is an empty one: it only saves time."""
    try:
        found: Any = json.loads(memory.read_text("utf-8")) if memory else {}
    except (OSError, ValueError):
        return {}
    rows = found.items() if isinstance(found, dict) else ()
    return {path: (row[0], row[1], row[2]) for path, row in rows if isinstance(row, list) and len(row) == 3}


def _remember(memory: Path, path: str, row: tuple[int, int, str]) -> None:
    """Add a hash to the table. Of two processes that write at once one is forgotten, and computed again next time."""
    table = {**{known: row for known, row in _read(memory).items() if Path(known).exists()}, path: row}
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        scratch = memory.with_name(f".{memory.name}-{os.getpid()}")  # one writer a process: the lock is held
        scratch.write_text(json.dumps(table), "utf-8")
        os.replace(scratch, memory)
    except OSError:
        return  # a cache that cannot be written costs time only
