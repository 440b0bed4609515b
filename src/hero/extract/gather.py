"""Where the clips of a run come from: files, folders, manifests and WebDataset shards, as one list."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hero.clips import distinct, expand
from hero.errors import InputError
from hero.extract.manifest import read_manifest
from hero.extract.shards import members
from hero.extract.source import SHARD, WORDS, Member, Source, text_of
from hero.report.write import file_stem

MARK_LETTERS = 6
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
    once = _once(found)
    return _named([_with_words(one, transcripts) for one in once] if transcripts else once)


def _once(sources: Sequence[Source]) -> list[Source]:
    """Each file or member once, but a manifest's rows with another id or other words each for themselves.

    The first mention wins; a file without an id and words is what a manifest said of it, where one did.
    """
    first: dict[object, Source] = {}
    places: set[str] = set()
    for one in sources:
        place, words = one.place, one.transcript
        if isinstance(words, Path):
            words = words.parent.resolve() / words.name
        if one.stem or words or place not in places:
            first.setdefault((place, one.stem, words), one)
        places.add(place)
    return list(first.values())


def _named(sources: Sequence[Source]) -> list[Source]:
    """The sources with a stem each, whatever their order.

    The shortest name is the id, the member's key or the file's stem. Those who share it take the folder or shard into
    their name, and those who share that as well a hash of the place, the id and the words.
    """
    names = [_names(one) for one in sources]
    level = [0] * len(names)
    while True:
        wanted = Counter(own[at].lower() for own, at in zip(names, level, strict=True))
        higher = [
            at + (wanted[own[at].lower()] > 1 and at + 1 < len(own)) for own, at in zip(names, level, strict=True)
        ]
        if higher == level:
            break
        level = higher
    return [replace(one, stem=own[at], names=own) for one, own, at in zip(sources, names, level, strict=True)]


def _names(one: Source) -> tuple[str, str, str]:
    """The stems that a result may have: short, with folder or shard, and with a hash that no other clip has."""
    if isinstance(one.at, Member):
        short, full = one.stem, f"{one.at.shard.stem}-{one.stem}"
    elif one.stem:
        short = full = one.stem
    else:
        folder = one.at.parent.resolve().name
        short, full = one.at.stem, f"{folder}-{one.at.name}" if folder else one.at.name
    said = f"{one.place}\0{one.stem}\0{one.transcript or ''}"
    mark = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
    return file_stem(short), file_stem(full), file_stem(f"{short[:150]}-{mark[:MARK_LETTERS]}")


def _with_words(one: Source, folder: Path) -> Source:
    stem = one.at.stem if isinstance(one.at, Path) else one.stem
    beside = (folder / f"{stem}{suffix}" for suffix in WORDS)
    return one if one.transcript else replace(one, transcript=next((path for path in beside if path.is_file()), None))
