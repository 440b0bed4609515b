"""A folder of weights that loads as a whole or not at all: tensors, a JSON table beside them, and the hash of every file.

Files are written beside their places and renamed when all of them are there, the table last. Whoever reads checks the hashes
in the table, then names, shapes and finiteness of the tensors.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from hero.errors import WeightsError


def put_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` (content by name, which may name a folder in it); each appears whole, and in the order given.

    Nothing is renamed before everything is written, so that a full disk or a kill leaves the former files.

    Raises:
        OSError: the folder cannot be written.
    """
    scratches: dict[Path, Path] = {}
    try:
        for name, data in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            scratches[place] = _write_beside(place, data)
        for place, scratch in scratches.items():
            os.replace(scratch, place)
    finally:
        for scratch in scratches.values():
            scratch.unlink(missing_ok=True)


def _write_beside(place: Path, data: bytes) -> Path:
    """A file with the content, on the disk, in the folder of its place."""
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".{place.stem}-", delete=False) as file:
        scratch = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            scratch.chmod(0o644)
        except OSError:
            scratch.unlink(missing_ok=True)
            raise
    return scratch


def sha256_of_bytes(data: bytes) -> str:
    """The hash of a content."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_all(hashes: Iterable[str]) -> str:
    """One hash for several: that of the sorted ones."""
    return sha256_of_bytes("".join(sorted(hashes)).encode())


def read_table(path: Path, *, keys: Iterable[str], version: int, what: str, cure: str) -> dict[str, Any]:
    """The table of a folder: exactly `keys`, all but "format" mappings, "format" equal to `version`.

    Raises:
        WeightsError: it is missing (the folder holds no `what`) or is not that.
    """
    try:
        table = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path.parent} holds no {what}: {path.name} is missing; name a folder that has it"
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); {cure}") from error
    if not isinstance(table, dict) or set(table) != set(keys) or table["format"] != version:
        came = f"keys {sorted(table)}" if isinstance(table, dict) else type(table).__name__
        raise WeightsError(f"{path} has {came}; allowed are exactly {sorted(keys)} with format {version}; {cure}")
    for key in keys:
        if key != "format" and not isinstance(table[key], dict):
            raise WeightsError(f"{path}: '{key}' must be a mapping; {cure}")
    return table


def check_hashes(
    folder: Path, files: Mapping[str, str], *, table: str, needed: Iterable[str], cure: str, only: Iterable[str] = ()
) -> None:
    """Compare the files of a folder with the hashes in its table (`only` these, all where none is named).

    Raises:
        WeightsError: a hash that is `needed` is not there, or a file is missing or another one.
    """
    for name in needed:
        if name not in files:
            raise WeightsError(f"{folder / table} has no hash of {name}; {cure}")
    chosen = set(only) or set(files)
    for name, expected in files.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
            raise WeightsError(f"{folder} lacks {name}; {cure}")
        if name in chosen and sha256_of_file(path) != expected:
            raise WeightsError(f"{path} is damaged: its sha256 is not the one in {table}; {cure}")


def read_tensors(path: Path, wanted: Mapping[str, torch.Tensor], *, cure: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, which has exactly the names and shapes of `wanted`, all of them finite.

    Raises:
        WeightsError: it has not, or cannot be read.
    """
    try:
        found = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} is damaged ({error}); {cure}") from error
    for what, names in (("lacks", set(wanted) - set(found)), ("has the unknown", set(found) - set(wanted))):
        if names:
            raise WeightsError(f"{path} {what} tensor '{min(names)}' ({len(names)} in all); {cure}")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            shapes = f"{tuple(tensor.shape)}, wanted {tuple(wanted[name].shape)}"
            raise WeightsError(f"{path}: tensor '{name}' has shape {shapes}; {cure}")
        if not bool(tensor.isfinite().all()):
            raise WeightsError(f"{path}: tensor '{name}' holds NaN or infinite values; {cure}")
    return found
