"""Write an analysis in the formats that were asked for; every file appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from hero.errors import OutputError
from hero.report.exports import FORMATS, export

if TYPE_CHECKING:
    from hero.pipeline import Analysis

__all__ = ["FORMATS", "file_stem", "prepare", "render", "write"]

NAME_BYTES = 200  # file systems allow 255 for a whole name; suffixes and the scratch file's marks come on top


def prepare(folder: Path) -> None:
    """Make the folder and try that files can be made in it, before hours of work depend on it.

    Raises:
        OutputError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot(folder, error) from error


def file_stem(name: str) -> str:
    """A name that every file system takes: no control characters, no bytes that are no text, not too long."""
    barred = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories: control, surrogate, line and paragraph separator
    clean = "".join("_" if letter == "/" or unicodedata.category(letter) in barred else letter for letter in name)
    raw = clean.encode()
    if len(raw) <= NAME_BYTES:
        return clean
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{raw[: NAME_BYTES - 9].decode(errors='ignore')}-{mark}"


def write(analysis: Analysis, folder: Path, stem: str, formats: tuple[str, ...], *, media: bool = True) -> list[Path]:
    """Write `folder/stem.<format>` for each format; returns the paths.

    Raises:
        OutputError: the folder cannot be made or a file cannot be written.
    """
    written = []
    stem = file_stem(stem)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind in formats:
            path = folder / f"{stem}.{kind}"
            text = render(analysis, kind, target=path, media=media)
            _put(path, text)
            written.append(path)
    except OSError as error:
        raise _cannot(folder, error) from error
    return written


def _put(path: Path, text: str) -> None:
    """Write through a scratch file, so that a full disk or a second process at work leaves no half of a result."""
    scratch = path.with_name(f".{os.getpid()}-{path.name}.part")
    try:
        scratch.write_text(text, "utf-8")
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _cannot(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write to '{folder}' ({error.strerror or error}); allowed: a folder that can be written, with room "
        "in it; name another one with --out"
    )


def render(analysis: Analysis, kind: str, *, target: Path, media: bool = True) -> str:
    """The text of one format; a clip too long for the page is linked relative to `target`."""
    return export(
        kind, analysis.as_json(), analysis.tracks, analysis.spans, media=analysis.clip.path, lang=analysis.verdict.lang,
        with_media=media, beside=target.parent,
    )  # fmt: skip
