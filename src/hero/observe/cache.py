"""Observations kept on disk, so that an expert looks at the same clip once: one checked file per observation.

An entry is found by everything that decides it: the clip's content and transcript, the expert with its revision, weights
and settings, language, licence, baseline, and how frames are read. What an expert looked at in the observations before
its own is recorded while it concludes, by content; an entry counts only while those are the same (the way ccache treats
included files). So a change to one expert renews it and those that read it, and no other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hero.errors import InputError
from hero.models import cache_folder
from hero.observe import tensor_file
from hero.observe.record import pack, unpack
from hero.types import Observation

if TYPE_CHECKING:
    from hero.observe.expert import Context, Expert, FrameExpert

FORMAT = 1
"""Changes whenever the meaning of an entry does: entries of other formats are not looked at."""

LISTED = "*"  # in what was read: the expert asked which observations there are
SUFFIX = ".safetensors"


def default_folder() -> Path:
    """`observations` beside the fetched weights: under `$HERO_CACHE`, else `~/.cache/hero`."""
    return cache_folder().parent / "observations"


@dataclass(frozen=True)
class ObservationCache:
    """A folder of observations that any number of processes may share."""

    folder: Path

    def recall(self, context: Context, reading: tuple[float, int]) -> Recall:
        """This cache as one clip's pass sees it; `reading` is the rate and size at which frames are decoded."""
        return Recall(self.folder, context, reading)

    def sweep(self) -> int:
        """Remove what runs left behind that were killed while writing, a day ago or longer; returns how many files."""
        return tensor_file.sweep(self.folder, "*/*/")


class Watched(Mapping[str, Observation]):
    """The observations before an expert's own, remembering which of them it looked at."""

    def __init__(self, observations: Mapping[str, Observation]) -> None:
        self._observations = observations
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Observation:
        self.read.add(name)
        return self._observations[name]

    def __iter__(self) -> Iterator[str]:
        self.read.add(LISTED)
        return iter(self._observations)

    def __len__(self) -> int:
        self.read.add(LISTED)
        return len(self._observations)


class Recall:
    """One clip's entries: `find` before an expert works, `keep` after it has concluded.

    `before` are the names of the experts that conclude before the one asked about, in order. `notes` are remarks about
    the clip that reading it brought forth when the entries were made, and about entries that had to be thrown away.
    """

    def __init__(self, folder: Path, context: Context, reading: tuple[float, int]) -> None:
        self._clip = context.clip
        self._folder = folder / self._clip.sha256[:2] / self._clip.sha256
        self._about = _about(context)
        self._reading = reading
        self._known: dict[str, str] = {}  # content of the observations so far, by expert
        self.notes: dict[str, None] = {}

    def settle(self, obs: Observation) -> None:
        """An observation that later experts may read, wherever it came from."""
        self._known[obs.expert] = _content(obs)

    def find(self, expert: Expert, settings: Mapping[str, Any], before: Sequence[str]) -> Observation | None:
        """The kept observation that this expert would make again; None where there is none or it was damaged."""
        base = self._base(expert, settings)
        for path in sorted(self._folder.glob(f"{expert.name}-{base[:16]}-*{SUFFIX}")):
            try:
                head = tensor_file.load_header(path)
                if head["base"] != base or head["reads"] != self._reads(head["reads"], before):
                    continue
                arrays, head = tensor_file.load(path)
                obs = unpack(arrays, head["observation"])
            except (InputError, KeyError, TypeError, ValueError, AttributeError):  # cut short, flipped, or not ours
                self._throw_away(path)
            else:
                self._known[expert.name] = head["content"]
                self.notes.update(dict.fromkeys(head["clip_notes"]))
                return obs
        return None

    def keep(self, expert: Expert, settings: Mapping[str, Any], obs: Observation, earlier: Watched) -> None:
        """Write the observation; `earlier` says what the expert read to make it.

        Raises:
            OutputError: the cache cannot be written.
        """
        read = set(earlier.read)
        base, before = self._base(expert, settings), list(earlier)
        reads = self._reads(read, before)
        head = {"base": base, "reads": reads, "content": _content(obs), "clip_notes": list(self._clip.notes)}
        arrays, head["observation"] = pack(obs)
        path = self._folder / f"{expert.name}-{base[:16]}-{_hash(reads)[:16]}{SUFFIX}"
        tensor_file.save(path, arrays, head, option="--cache (or --no-cache)")

    def _base(self, expert: Expert, settings: Mapping[str, Any]) -> str:
        own: dict[str, Any] = {
            "expert": expert.name, "revision": expert.revision, "identity": expert.identity,
            "settings": dict(settings), "about": self._about,
        }  # fmt: skip
        if expert.reads == "frames":
            seeing = cast("FrameExpert", expert)
            own["frames"] = [seeing.fps, seeing.max_side, *self._reading]
        return _hash(own)

    def _reads(self, names: Iterable[str], before: Sequence[str]) -> dict[str, str]:
        """What those names stand for now: content, `none` for an expert that is not asked before, `?` if not known yet."""
        now = {name: self._known.get(name, "?") if name in before else "none" for name in names}
        return now | ({LISTED: " ".join(before)} if LISTED in now else {})

    def _throw_away(self, path: Path) -> None:
        self.notes[f"cache: a damaged entry was thrown away and made again ({path.name})"] = None
        with suppress(OSError):  # another run may have removed it, or it may not be ours to remove
            path.unlink()


def _about(context: Context) -> str:
    """Hash of what all experts are told: the clip and its words, language, licence, baseline, other weights."""
    clip, words = context.clip, context.clip.transcript
    return _hash({
        "format": FORMAT,
        "clip": [clip.sha256, clip.duration_s, asdict(clip.video) if clip.video else None],
        "words": asdict(words) if words else None,
        "wishes": [context.lang, context.licence],
        "baseline": asdict(context.baseline) if context.baseline else None,
        "weights": _weights(context.weights_folder),
    })  # fmt: skip


def _weights(folder: Path | None) -> list[list[str]]:
    """Name and hash of each file in a folder of weights that take precedence."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder else []
    return [[path.name, _sha256(path, path.stat().st_size, path.stat().st_mtime_ns)] for path in files]


@lru_cache(maxsize=256)
def _sha256(path: Path, size_bytes: int, mtime_ns: int) -> str:
    """Hash of a file; size and time are part of the memory's key, so a changed file is read again."""
    del size_bytes, mtime_ns
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(obs: Observation) -> str:
    arrays, record = pack(obs)
    return tensor_file.digest(arrays, tensor_file.as_text(record))


def _hash(what: Any) -> str:
    """SHA-256 of nested values; what JSON does not know counts by its text."""
    text = json.dumps(what, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
