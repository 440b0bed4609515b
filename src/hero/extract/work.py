"""One clip of a run: is its file there already, and if not, observe it and write the file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hero import checkpoints, models
from hero.config import Preset
from hero.errors import HeroError, InputError, MediaError, UsageError, WeightsError
from hero.extract.source import Source
from hero.extract.table import Row
from hero.media.clip import Clip
from hero.observe import cache as observations
from hero.observe import tensor_file
from hero.observe.cache import ObservationCache
from hero.observe.expert import Context, create
from hero.observe.stream import observe
from hero.observe.timeline_file import FORMAT, SUFFIX, read_header, write_timeline


@dataclass(frozen=True)
class Extraction:
    """What is done with every clip of a run, and where results go; `key` changes when a file would come out otherwise."""

    preset: Preset
    out: Path
    key: str
    lang: Literal["en", "zh"] = "en"
    licence: Literal["any", "open"] = "any"
    cache: Path | None = None

    def path(self, source: Source) -> Path:
        """The result file of a clip."""
        return self.out / f"{source.stem}{SUFFIX}"


def key_of(preset: Preset, lang: str, licence: str) -> str:
    """Hash of what decides a result file beside the clip and its words: experts, settings, weights at hand, wishes.

    Raises:
        ConfigError: an expert or a checkpoint does not exist.
    """
    experts = [[name, create(name).revision, dict(settings)] for name, settings in preset.experts.items()]
    named = sorted({text for settings in preset.experts.values() for text in _texts(settings)})
    at_hand = {name: _third_party(name) for name in models.entries()} | {text: _named(text) for text in named}
    return _hash([FORMAT, observations.FORMAT, experts, at_hand, lang, licence])


def finished(source: Source, work: Extraction) -> Row | None:
    """The row of a clip whose file is there and was made from this very clip in this very way; no clip is read."""
    header = _header(work.path(source))
    if source.flaw or not source.signature or header.get("signature") != source.signature or not owns(header, source):
        return None
    try:
        same = header["key"] == _hash([header["clip"]["sha256"], source.words_sha256, work.key])
        return Row.done(source, work.path(source), header, seconds=None) if same else None
    except (InputError, KeyError, TypeError):
        return None


def owns(header: Mapping[str, Any], source: Source) -> bool:
    """Whether a result belongs to this clip: the clip lies where it lay, or the whole data moved and its content is
    the same under the same name, size and time of change."""
    if header.get("place") == source.place:
        return True
    signature = source.signature
    if not signature or header.get("signature") != signature:
        return False
    return bool(header.get("clip", {}).get("sha256") == source.sha256)


def extract(source: Source, work: Extraction) -> Row:
    """Observe one clip and write its file; trouble with this clip is a failed row.

    Raises:
        UsageError: what concerns all clips: a wrong setting, or a folder that takes no more.
    """
    began_s = time.perf_counter()
    try:
        return _observed(source, work, began_s)
    except UsageError:
        raise
    except HeroError as error:
        line = error.line
    except Exception as error:  # noqa: BLE001 - one clip in a hundred thousand may hit a bug; the others go on
        line = f"{type(error).__name__}: {error}; this is a bug: report it with the clip"
    _drop_outdated(source, work)
    return Row.failed(source, " ".join(line.split()), seconds=time.perf_counter() - began_s)


def _observed(source: Source, work: Extraction, began_s: float) -> Row:
    if source.flaw:
        raise InputError(source.flaw)
    path, signature = work.path(source), source.signature
    with source.files() as (media, words):
        clip = Clip.open(media, transcript=words)
        key = _hash([clip.sha256, source.words_sha256, work.key])
        header = _header(path)
        if header.get("key") == key:  # the same content under another time of change: a copy
            return Row.done(source, path, header, seconds=None)
        context = Context(clip, work.lang, work.licence)
        kept = ObservationCache(work.cache) if work.cache else None
        timeline = observe(clip, work.preset, context, cache=kept)
        if not timeline.tracks and next(clip.frames(), None) is None and next(clip.sound(), None) is None:
            raise MediaError(
                f"{source.name}: not one frame and no sound could be decoded; repair or re-encode the clip"
            )
    about = {
        "key": key, "signature": signature, "preset": work.preset.name, "lang": work.lang, "licence": work.licence,
        "source": source.name, "place": source.place,
        "passing": [absence.expert for absence in timeline.absent if absence.passing],
    }  # fmt: skip
    header = write_timeline(path, timeline, about)
    return Row.done(source, path, header, seconds=time.perf_counter() - began_s)


def _drop_outdated(source: Source, work: Extraction) -> None:
    """Remove the result of what a clip held before, when what it holds now fails; a clip that is gone keeps its own.

    Raises:
        OutputError: the file cannot be removed.
    """
    path, signature = work.path(source), source.signature
    try:
        header = read_header(path)
    except InputError:
        return
    if header.get("place") != source.place or not signature or header.get("signature") == signature:
        return
    if header.get("clip", {}).get("sha256") == source.sha256:  # only touched
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise tensor_file.cannot_write(work.out, error, 0, "--out") from error


def _header(path: Path) -> dict[str, Any]:
    """The header of a whole file of this format, else nothing: also where an error that may pass left a part out."""
    try:
        header = read_header(path)
    except InputError:
        return {}
    return header if header.get("format") == FORMAT and not header.get("passing") else {}


def _texts(value: object) -> Iterator[str]:
    """All words in nested settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)


def _third_party(name: str) -> str:
    try:
        return models.entry(name).files[0].sha256 if models.find(name) else ""
    except WeightsError:
        return "damaged"


def _named(text: str) -> str:
    """What a word in the settings stands for now: a checkpoint's hash, the state of a file or a folder's files."""
    if not text:
        return ""
    row = checkpoints.catalogue().get(text)
    try:
        path = Path(text).expanduser()
        if row or (path / "config.json").is_file():
            found = None if row and row.random else checkpoints.find(text)  # random ones are made when they are used
            return found.sha256 if found else ""
        if path.is_dir():  # a folder's own time does not change when a file in it is edited
            return _hash(sorted([item.name, *_state(item.stat())] for item in os.scandir(path) if item.is_file()))
        return " ".join(map(str, _state(path.stat())))
    except WeightsError:
        return "damaged"
    except (OSError, ValueError, RuntimeError):  # the last one: no home of that name
        return ""


def _state(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns]


def _hash(what: Any) -> str:
    return hashlib.sha256(tensor_file.as_text(what).encode()).hexdigest()
