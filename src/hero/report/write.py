"""Write an analysis in the formats that were asked for; every file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hero.errors import OutputError
from hero.report.exports import FORMATS, export

if TYPE_CHECKING:
    from hero.pipeline import Analysis

__all__ = ["FORMATS", "render", "write"]


def write(analysis: Analysis, folder: Path, stem: str, formats: tuple[str, ...], *, media: bool = True) -> list[Path]:
    """Write `folder/stem.<format>` for each format; returns the paths.

    Raises:
        OutputError: the folder cannot be made or a file cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind in formats:
            path = folder / f"{stem}.{kind}"
            scratch = path.with_name(f".{path.name}.part")
            scratch.write_text(render(analysis, kind, target=path, media=media), "utf-8")
            scratch.replace(path)
            written.append(path)
    except OSError as error:
        raise OutputError(
            f"cannot write to '{folder}' ({error.strerror or error}); name another folder with --out"
        ) from error
    return written


def render(analysis: Analysis, kind: str, *, target: Path, media: bool = True) -> str:
    """The text of one format; a clip too long for the page is linked relative to `target`."""
    return export(
        kind, analysis.as_json(), analysis.tracks, analysis.spans, media=analysis.clip.path, lang=analysis.verdict.lang,
        with_media=media, beside=target.parent,
    )  # fmt: skip
