"""A folder with seeded random weights, written by a builder: all of it or nothing, and the caller's random numbers go on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hero.errors import OutputError
from hero.pretrained.loading import libraries, quietly

Builder = Callable[[Path, int], None]
"""Writes a checkpoint into a folder that is there, from a seed."""


def put_random(name: str, folder: Path, builder: Builder, *, seed: int = 0) -> Path:
    """Write the checkpoint `name` to `folder`; a folder that is there stays as it is.

    Raises:
        OutputError: the folder cannot be written.
        WeightsError: torch or transformers is missing.
    """
    if (folder / "config.json").is_file():
        return folder
    torch, hub = libraries()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as spare:
            made = Path(spare) / "made"
            made.mkdir()
            with quietly(hub), torch.random.fork_rng(devices=[]):
                builder(made, seed)
            _put(made, folder)
    except OSError as error:
        raise OutputError(f"the tiny checkpoint '{name}' cannot be written to {folder} ({error}); free it") from error
    return folder


def _put(made: Path, folder: Path) -> None:
    """Move the made folder to its place, unless another process has put the same there meanwhile."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    try:
        made.rename(folder)
    except OSError:
        if not (folder / "config.json").is_file():
            raise
