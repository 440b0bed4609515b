"""WebDataset shards: tar files whose members `key.ext` with one key belong together; read as clips, written as features.

Source: the WebDataset layout (Aizman et al. 2019): a member's key is its name up to the first dot of its last part.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import tarfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from hero.clips import EXTENSIONS, VIDEO
from hero.errors import InputError
from hero.extract.source import SHARD, WORDS, Member, Source, text_of
from hero.observe import tensor_file

SHARD_BYTES = 512 << 20
SUFFIX = ".safetensors"


def members(shard: Path) -> list[Source]:
    """The clips in a shard with their transcripts (`key.srt`, `key.vtt`, `key.json` or `key.txt` beside `key.mp4`).

    A shard that ends in the middle gives the clips before the break and one source with the flaw.

    Raises:
        InputError: it is no tar file, or holds no clips.
    """
    groups: dict[str, dict[str, Member]] = {}
    flaw = ""
    try:
        with tarfile.open(shard, "r:") as tar:
            for info in tar:
                if info.isreg():  # a link would point somewhere on this machine
                    key, suffix = split_name(info.name)
                    member = Member(shard, info.name, info.offset_data, info.size)
                    groups.setdefault(key, {}).setdefault(suffix, member)
    except (tarfile.TarError, OSError) as error:
        if not groups:
            raise InputError(
                f"{shard}: cannot be read as a shard ({error}); allowed: plain .tar files of WebDataset"
            ) from error
        flaw = f"{shard}: breaks off in the middle ({error}); copy it again"
    found = [_source(shard, key, parts) for key, parts in groups.items() if EXTENSIONS & parts.keys()]
    if not found:
        raise InputError(f"{shard}: the shard holds no clips; allowed members: key{' key'.join(sorted(EXTENSIONS))}")
    if flaw:
        found.append(Source(text_of(shard), f"{shard.stem}-rest", shard, flaw=flaw))
    return found


def split_name(name: str) -> tuple[str, str]:
    """Key and last extension of a member's name, as WebDataset takes it apart."""
    folder, _, base = name.rpartition("/")
    stem, _, rest = base.partition(".")
    return f"{folder}/{stem}" if folder else stem, Path(f"x.{rest}").suffix.lower()


def _source(shard: Path, key: str, parts: dict[str, Member]) -> Source:
    clip = next(parts[suffix] for suffix in (*sorted(VIDEO), *sorted(EXTENSIONS)) if suffix in parts)
    words = next((parts[suffix] for suffix in WORDS if suffix in parts), None)
    return Source(f"{text_of(shard)}:{key}", key.strip("/") or "clip", clip, words)


def write_shards(out: Path, stems: Sequence[str], *, shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Put the result files of these stems into `out/shards/features-000000.tar` ... as `key.safetensors` + `key.json`.

    A shard is closed once it holds `shard_bytes`. The shards of an earlier run are replaced when all new ones are whole.
    Dots in a stem become `_` in its key, for a key ends at its first dot.

    Raises:
        OutputError: the shards cannot be written.
    """
    folder, size = out / "shards", sum((out / f"{stem}{SUFFIX}").stat().st_size for stem in stems)
    try:
        with tensor_file.part_of(folder) as fresh:
            fresh.mkdir()
            try:
                _fill(fresh, out, stems, shard_bytes)
                if folder.exists():
                    shutil.rmtree(folder)
                os.replace(fresh, folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise tensor_file.cannot_write(folder, error, size, "--out") from error
    return sorted(folder.glob(f"*{SHARD}"))


def _fill(folder: Path, out: Path, stems: Sequence[str], shard_bytes: int) -> None:
    waiting = deque(_keys(stems).items())
    for number in itertools.count():
        if number and not waiting:
            return
        path = folder / f"features-{number:06d}{SHARD}"
        with tarfile.open(path, "w") as tar:
            while waiting and path.stat().st_size < shard_bytes:
                key, stem = waiting.popleft()
                header = {**tensor_file.load_header(out / f"{stem}{SUFFIX}"), "stem": stem}
                _add(tar, f"{key}{SUFFIX}", (out / f"{stem}{SUFFIX}").read_bytes())
                _add(tar, f"{key}.json", tensor_file.as_text(header).encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # no owner, no time: the same features make the same shard
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _keys(stems: Sequence[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for stem in stems:
        key = stem.replace(".", "_") or "clip"
        while key in keys:
            key += "_"
        keys[key] = stem
    return keys
