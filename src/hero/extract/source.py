"""One clip of a run: a file or a member of a shard, with its words, and whether it changed since it was looked at."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hero.errors import InputError
from hero.report.write import file_stem

SHARD = ".tar"
WORDS = (".srt", ".vtt", ".json", ".txt")


@dataclass(frozen=True)
class Member:
    """A file inside a shard: where its bytes lie. Its name is what somebody wrote, and never a path here."""

    shard: Path
    name: str
    offset: int
    size_bytes: int

    def read(self) -> bytes:
        """The bytes.

        Raises:
            InputError: the shard is gone or was cut short.
        """
        try:
            with self.shard.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.size_bytes)
        except OSError as error:
            raise InputError(f"{self.shard}: cannot be read ({error.strerror}); was it moved?") from error
        if len(data) != self.size_bytes:
            raise InputError(
                f"{self.shard}: is cut short, {self.size_bytes - len(data)} bytes of '{self.name}' are missing; copy it again"
            )
        return data


@dataclass(frozen=True)
class Source:
    """One clip of a run: what the table calls it, the stem of its result file, where it lies, and what came with it.

    `extra` are a manifest's further columns; `flaw` says why there is no clip to read; `names` are the stems that the
    result file may have, the shortest first.
    """

    name: str
    stem: str
    at: Path | Member
    transcript: Path | Member | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    flaw: str = ""
    names: tuple[str, ...] = ()

    @cached_property
    def place(self) -> str:
        """Which clip it is, however its path was spelled and whatever it holds now: a hash of where it lies."""
        path, inside = (self.at.shard, self.at.name) if isinstance(self.at, Member) else (self.at, "")
        where = f"{path.parent.resolve() / path.name}\0{inside}"
        return hashlib.sha256(where.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def signature(self) -> str:
        """Changes when the clip is written anew, without reading it: sizes and times of change; empty if it is gone."""
        try:
            state = [self.at.name, *_state(self.at)]
            return hashlib.sha256(repr(state).encode()).hexdigest()[:16]
        except OSError:
            return ""

    @property
    def sha256(self) -> str:
        """Hash of the content, as `Clip.sha256` gives it; empty for a folder of frames and for what cannot be read."""
        try:
            if isinstance(self.at, Member):
                return hashlib.sha256(self.at.read()).hexdigest()
            with self.at.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, InputError):
            return ""

    @property
    def words_sha256(self) -> str:
        """Hash of the transcript's content, empty without one.

        Raises:
            InputError: the transcript cannot be read.
        """
        if self.transcript is None:
            return ""
        try:
            data = self.transcript.read() if isinstance(self.transcript, Member) else self.transcript.read_bytes()
        except OSError as error:
            raise InputError(
                f"{self.transcript}: the transcript cannot be read ({error.strerror}); check the name and its permissions"
            ) from error
        return hashlib.sha256(data).hexdigest()

    @contextmanager
    def files(self) -> Iterator[tuple[Path, Path | None]]:
        """Paths of the clip and its transcript; members of shards lie in a folder that goes away afterwards."""
        if isinstance(self.at, Path) and not isinstance(self.transcript, Member):
            yield self.at, self.transcript
            return
        with tempfile.TemporaryDirectory(prefix="hero-") as folder:
            clip, words = (_laid_out(part, Path(folder)) for part in (self.at, self.transcript))
            assert clip is not None
            yield clip, words


def text_of(path: Path) -> str:
    """A path as text that any file can hold; bytes that are no text are shown as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _state(at: Path | Member) -> list[object]:
    if isinstance(at, Member):
        return [*_state(at.shard), at.offset, at.size_bytes]
    stat = at.stat()
    if at.is_dir():
        return [[path.name, *_state(path)] for path in sorted(at.iterdir()) if path.is_file()]
    return [stat.st_size, stat.st_mtime_ns]


def _laid_out(part: Path | Member | None, folder: Path) -> Path | None:
    if not isinstance(part, Member):
        return part
    path = folder / file_stem(Path(part.name).name or "clip")
    path.write_bytes(part.read())
    return path
