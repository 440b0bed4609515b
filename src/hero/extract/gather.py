"""Where the clips of a run come from: files, folders, manifests and WebDataset shards, as one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hero.clips import distinct, expand, stems
from hero.errors import InputError
from hero.extract.manifest import read_manifest
from hero.extract.shards import members
from hero.extract.source import SHARD, WORDS, Source, text_of
from hero.report.write import file_stem

MANIFESTS = frozenset({".csv", ".tsv", ".jsonl"})


def gather(paths: Sequence[Path], transcripts: Path | None = None) -> list[Source]:
    """All clips that the paths mean, each once, with result names that no two of them share.

    A `.csv`, `.tsv` or `.jsonl` file is a manifest, a `.tar` file a shard, a folder stands for the clips in it, and any
    other file is a clip. `transcripts` is a folder with a file per clip of the same stem.

    Raises:
        InputError: a path does not exist, holds no clips, or is a manifest or shard that cannot be read.
    """
    if transcripts is not None and not transcripts.is_dir():
        raise InputError(
            f"'{transcripts}' is no folder; --transcripts names one with a file per clip, {', '.join(WORDS)}"
        )
    found: list[Source] = []
    plain: list[Path] = []
    for path in paths:
        kind = path.suffix.lower() if path.is_file() else ""
        if kind in MANIFESTS:
            found += read_manifest(path)
        elif kind == SHARD:
            found += members(path)
        else:
            plain += expand((path,))
    found += [Source(text_of(path), "", path) for path in distinct(plain)]
    named = _named(_once(found))
    return [_with_words(one, transcripts) for one in named] if transcripts else named


def _once(sources: Sequence[Source]) -> list[Source]:
    """Each file or member once: the first mention wins, for it may carry an id and a transcript."""
    first: dict[object, Source] = {}
    for one in sources:
        key = one.at.parent.resolve() / one.at.name if isinstance(one.at, Path) else one.at
        first.setdefault(key, one)
    return list(first.values())


def _named(sources: Sequence[Source]) -> list[Source]:
    """The sources with a stem each; those without one take their file's, with its folder where two would share it."""
    own = stems([one.at for one in sources if not one.stem and isinstance(one.at, Path)])
    taken: set[str] = set()
    named = []
    for one in sources:
        stem = file_stem(one.stem) if one.stem else own[one.at]  # type: ignore[index]  # only paths have no stem
        while stem.lower() in taken:
            stem += "_"
        taken.add(stem.lower())
        named.append(replace(one, stem=stem))
    return named


def _with_words(one: Source, folder: Path) -> Source:
    stem = one.at.stem if isinstance(one.at, Path) else one.stem
    beside = (folder / f"{stem}{suffix}" for suffix in WORDS)
    return one if one.transcript else replace(one, transcript=next((path for path in beside if path.is_file()), None))
