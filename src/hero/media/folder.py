"""A folder of pictures, with a sound file or without, as a clip.

Pictures are shown in the natural order of their names. Their rate comes from the caller, else from `frames.yaml` in the
folder (`fps: 30`, or `times_s: [...]` with one time per picture, optional `sound: name.wav`), else it is 25 a second.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from hero.errors import MediaError
from hero.media.container import decoded, open_container, packets, prepare, then_flush
from hero.media.frames import ROUNDING_S, Converter, Frame
from hero.media.notes import Notes
from hero.media.probe import Probe, VideoInfo, pixel_aspect, probe, quarter_turns, square_size
from hero.media.sound import Block, stream_sound

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
PICTURE_FORMATS = "image2,png_pipe,jpeg_pipe,bmp_pipe,webp_pipe,tiff_pipe"
SOUNDS = frozenset({".wav", ".flac", ".mp3", ".m4a", ".ogg"})
SETTINGS = "frames.yaml"
DEFAULT_FPS = 25.0
FPS_RANGE = (0.01, 1000.0)


@dataclass(frozen=True)
class FolderReader:
    """The frames and the sound of a folder, through the same door as a file's."""

    path: Path
    found: Probe
    notes: Notes
    pictures: tuple[Path, ...]
    times_s: tuple[float, ...]
    sound_path: Path | None
    sound_found: Probe | None

    def frames(self, *, fps: float | None, max_side: int | None) -> Iterator[Frame]:
        """The picture shown at each instant 0, 1/fps ..., each picture once; all of them without `fps`."""
        return self._load(self._picked(fps), max_side)

    def frames_at(self, *, times_s: Sequence[float], max_side: int | None) -> Iterator[Frame]:
        """The picture shown at each wanted time, in rising order."""
        wanted = (max(0, bisect_right(self.times_s, t + ROUNDING_S) - 1) for t in sorted(times_s))
        return self._load(wanted, max_side)

    def sound(self, *, rate_hz: int, block_s: float) -> Iterator[Block]:
        """The folder's sound in blocks."""
        if self.sound_path is not None and self.sound_found is not None:
            yield from stream_sound(self.sound_path, self.sound_found, self.notes, rate_hz=rate_hz, block_s=block_s)

    def digest(self) -> str:
        """Hash over the names and bytes of all pictures and the sound, and the times."""
        total = hashlib.sha256(repr(self.times_s).encode())
        for path in (*self.pictures, *([self.sound_path] if self.sound_path else [])):
            total.update(path.name.encode())
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        return total.hexdigest()

    def _picked(self, fps: float | None) -> Iterator[int]:
        if fps is None:
            yield from range(len(self.times_s))
            return
        last = None
        for instant in range(ceil(self.found.duration_s * fps)):
            at = bisect_right(self.times_s, instant / fps + min(ROUNDING_S, 0.25 / fps)) - 1
            if at >= 0 and at != last:
                last = at
                yield at

    def _load(self, picked: Iterator[int], max_side: int | None) -> Iterator[Frame]:
        damaged = 0
        try:
            last: tuple[int, Frame] | None = None
            for at in picked:
                if last is None or last[0] != at:
                    rgb = _decode(self.pictures[at], self.notes, lambda raw, aspect: Converter(aspect, max_side)(raw))
                    if rgb is None:
                        damaged += 1
                        continue
                    last = (at, Frame(self.times_s[at], rgb))
                yield last[1]
        finally:
            self.notes.tally("pictures", "{n} pictures cannot be read and were skipped", count=damaged)


def open_folder(path: Path, notes: Notes, *, fps: float | None = None) -> FolderReader:
    """Look into a folder of pictures.

    Raises:
        MediaError: it holds no readable picture, or its settings are wrong.
    """
    pictures = tuple(sorted((p for p in path.iterdir() if p.suffix.lower() in PICTURES and p.is_file()), key=_natural))
    if not pictures:
        raise MediaError(
            f"{path}: this folder holds no pictures ({', '.join(sorted(PICTURES))}); allowed: frames in the order of "
            "their names and at most one sound file; for a folder of clips analyse it as a batch"
        )
    settings = _settings(path)
    times_s, end_s = _times(path, len(pictures), fps, settings, notes)
    look = next((info for p in pictures[:10] if (info := _decode(p, notes, _size)) is not None), None)
    if look is None:
        raise MediaError(
            f"{path}: none of its first pictures can be decoded ({pictures[0].name}); make them PNG or JPEG"
        )
    sound_path = _sound_file(path, settings, notes)
    sound_found = probe(sound_path, notes) if sound_path else None
    if sound_found is not None and sound_found.audio is None:
        sound_path = sound_found = None
    rate = (len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 else 1.0 / end_s
    found = Probe(
        duration_s=max(end_s, sound_found.duration_s if sound_found else 0.0),
        video=replace(look, fps=round(rate, 3)),
        audio=sound_found.audio if sound_found else None,
    )
    return FolderReader(path, found, notes, pictures, times_s, sound_path, sound_found)


def _natural(path: Path) -> list[Any]:
    """Sort key under which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _settings(path: Path) -> dict[str, Any]:
    import yaml

    file = path / SETTINGS
    if not file.exists():
        return {}
    try:
        data = yaml.safe_load(file.read_text("utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise MediaError(f"{file}: is not readable YAML ({fault}); allowed: fps, times_s, sound") from fault
    unknown = sorted(set(data) - {"fps", "times_s", "sound"}) if isinstance(data, dict) else ["no mapping"]
    if unknown:
        raise MediaError(f"{file}: unknown settings {unknown}; allowed: fps, times_s, sound; correct the file")
    return data


def _times(
    path: Path, count: int, fps: float | None, settings: dict[str, Any], notes: Notes
) -> tuple[tuple[float, ...], float]:
    """When each picture begins, and when the last one ends."""
    times = settings.get("times_s")
    if fps is None and times is not None:
        numbers = isinstance(times, list) and all(isinstance(t, int | float) and math.isfinite(t) for t in times)
        if not numbers or len(times) != count or times[0] < 0 or any(b <= a for a, b in itertools.pairwise(times)):
            raise MediaError(f"{path / SETTINGS}: times_s needs {count} rising numbers from 0 on, one for each picture")
        step_s = times[-1] - times[-2] if count > 1 else 1 / DEFAULT_FPS
        return tuple(map(float, times)), times[-1] + step_s
    rate = fps if fps is not None else settings.get("fps")
    if rate is None:
        rate = DEFAULT_FPS
        notes.add(
            f"nothing says how fast the pictures of this folder follow each other: {DEFAULT_FPS:g} a second assumed"
        )
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not FPS_RANGE[0] <= rate <= FPS_RANGE[1]:
        raise MediaError(f"{path}: a rate of {rate!r} pictures a second; allowed: {FPS_RANGE[0]:g} to {FPS_RANGE[1]:g}")
    return tuple(i / rate for i in range(count)), count / rate


def _sound_file(path: Path, settings: dict[str, Any], notes: Notes) -> Path | None:
    """The named sound file, or the first one in the folder."""
    named = settings.get("sound")
    if named is not None:
        file = path / str(named)
        if not file.is_file():
            raise MediaError(f"{path / SETTINGS}: the sound file '{named}' does not exist; correct the name")
        return file
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in SOUNDS and p.is_file())
    if len(files) > 1:
        notes.add(f"the folder holds {len(files)} sound files: {files[0].name} was used")
    return files[0] if files else None


def _size(raw: Any, aspect: float) -> VideoInfo:
    width, height = square_size(raw.width, raw.height, aspect)
    turns = quarter_turns(raw)
    if turns % 2:
        width, height = height, width
    return VideoInfo(width, height, 0.0, "pictures", rotation_deg=(-turns % 4) * 90)


def _decode(path: Path, notes: Notes, use: Any) -> Any | None:
    """What `use(frame, pixel_aspect)` makes of a picture, or None where the picture cannot be read."""
    try:
        with open_container(path, formats=PICTURE_FORMATS) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:
                return None
            prepare(stream, threads=False)
            for packet in then_flush(packets(container, [stream], notes)):
                for raw in decoded(stream, packet) or ():
                    return use(raw, pixel_aspect(stream))
    except MediaError:
        return None
    return None
