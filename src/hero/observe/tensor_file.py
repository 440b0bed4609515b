"""Arrays and a JSON header in one safetensors file that is whole or not there, and knows when it was damaged.

safetensors has no checksum of its own: a SHA-256 over the header and all arrays lies in its metadata. Files are written
under a name of their own beside the target, flushed to the disk and renamed, so that a killed run leaves no half file
and two writers of one file do not meet.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from hero.errors import InputError, OutputError

PART = ".part"
KEY = "hero"  # of the metadata: one key, because safetensors writes several in no fixed order
STALE_S = 24 * 3600  # a part file this old belongs to a run that is dead

Arrays = Mapping[str, np.ndarray[Any, Any]]


def digest(arrays: Arrays, header: str) -> str:
    """SHA-256 over the header and name, type, shape and bytes of every array."""
    total = hashlib.sha256(header.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"\0{name}\0{array.dtype.str}\0{arrays[name].shape}\0".encode())
        total.update(array.data.cast("B") if array.size else b"")
    return total.hexdigest()


def as_text(header: Any) -> str:
    """The one way in which a header is written: sorted, plain ASCII (a name may hold what is no text)."""
    return json.dumps(header, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def save(path: Path, arrays: Arrays, header: Mapping[str, Any], *, option: str) -> None:
    """Write the file in one step; folders are made. `option` is what names another place, for the message.

    Raises:
        OutputError: the file cannot be written; the message names the room needed and free where the disk is full.
    """
    from safetensors.numpy import save as to_bytes

    text = as_text(header)
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    data = to_bytes(plain, metadata={KEY: f'{{"sha256":"{digest(arrays, text)}","header":{text}}}'})
    put(path, data, option=option)


def put(path: Path, data: bytes, *, option: str) -> None:
    """Write bytes in one step: all of them or nothing.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part_of(path) as part:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
    except OSError as error:
        raise cannot_write(path.parent, error, len(data), option) from error


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """A name beside the target that no other process or thread uses; nothing stays behind under it."""
    mark = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]  # short: the name itself may be as long as allowed
    part = path.with_name(f".{mark}-{os.getpid()}-{secrets.token_hex(6)}{PART}")
    try:
        yield part
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def cannot_write(folder: Path, error: OSError, size_bytes: int, option: str) -> OutputError:
    """The error for a folder that takes no files, with the room needed and free."""
    with suppress(OSError):
        free_mb = shutil.disk_usage(folder).free / 1e6
        return OutputError(
            f"cannot write {size_bytes / 1e6:.2f} MB to '{folder}' ({error.strerror or error}; {free_mb:.0f} MB are free "
            f"there); allowed: a folder that can be written, with room in it; make room or name another with {option}"
        )
    return OutputError(
        f"cannot write to '{folder}' ({error.strerror or error}); allowed: a folder that can be written, with room in "
        f"it; name another with {option}"
    )


def load(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Arrays and header of a file that `save` wrote, checked against its checksum.

    Raises:
        InputError: the file is missing, damaged or none of ours.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        data = path.read_bytes()
        arrays, said = from_bytes(data), json.loads(_table(data)["__metadata__"][KEY])
        if digest(arrays, as_text(said["header"])) != said["sha256"]:
            raise ValueError("its checksum does not fit")
        return arrays, dict(said["header"])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name and its permissions") from error
    except (SafetensorError, KeyError, TypeError, ValueError, struct.error) as error:
        raise damaged(path, error) from error


def load_header(path: Path) -> dict[str, Any]:
    """Only the header, without reading the arrays; the file's length is checked, its checksum is not.

    Raises:
        InputError: the file is missing, cut short or none of ours.
    """
    try:
        return dict(json.loads(_checked_table(path)["__metadata__"][KEY])["header"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from error


def load_shapes(path: Path) -> dict[str, list[int]]:
    """Shape of each array, without reading the arrays.

    Raises:
        InputError: the file is missing, cut short or none of ours.
    """
    return {name: row["shape"] for name, row in _checked_table(path).items() if name != "__metadata__"}


def damaged(path: Path, why: Exception) -> InputError:
    """The error for a file that is not what was written."""
    return InputError(f"{path}: is damaged or was not written by hero ({why}); delete it and run again")


def sweep(folder: Path, pattern: str = "") -> int:
    """Remove part files of dead runs (a day old or older); returns how many. `pattern` is a glob of folders below."""
    removed = 0
    for part in folder.glob(f"{pattern}.*{PART}"):
        with suppress(OSError):  # another run may sweep at the same time
            if time.time() - part.stat().st_mtime >= STALE_S:
                part.unlink()
                removed += 1
    return removed


def _table(data: bytes) -> dict[str, Any]:
    """safetensors' own header: names, types and places of the arrays, and the metadata."""
    size = struct.unpack("<Q", data[:8])[0]
    return dict(json.loads(data[8 : 8 + size]))


def _checked_table(path: Path) -> dict[str, Any]:
    """The same of a file, of which only that part is read, after a look at the file's length."""
    try:
        with path.open("rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            total = os.fstat(file.fileno()).st_size
            if size > total:
                raise ValueError("it is cut short")
            table = dict(json.loads(file.read(size)))
        ends = [row["data_offsets"][1] for name, row in table.items() if name != "__metadata__"]
        if total != 8 + size + max(ends, default=0):
            raise ValueError("it is cut short or too long")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name and its permissions") from error
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise damaged(path, error) from error
    return table
