"""Frames of a media file at their true times: one sequential decode, or single frames at wanted times.

Times are `pts * time_base` on the clip's clock; an index divided by a rate is never used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hero.media.container import decoded, frame_seconds, media_faults, open_container, packets, prepare, then_flush
from hero.media.notes import Notes
from hero.media.probe import Probe, pixel_aspect, quarter_turns, square_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLACK_S = 0.5  # frames this far beyond the clip's end are still believed
ROUNDING_S = 0.002  # containers such as Matroska round time stamps to milliseconds
INDEXED = ("mov", "matroska", "avi", "flv", "asf")  # formats with exact times after a jump; MPEG streams are off by one


@dataclass(frozen=True, eq=False)
class Frame:
    """One upright picture with square pixels: `rgb` (H, W, 3) uint8, shown from `time_s` on."""

    time_s: float
    rgb: NDArray[np.uint8]


def stream_frames(
    path: Path, found: Probe, notes: Notes, *, fps: float | None, max_side: int | None
) -> Iterator[Frame]:
    """The frames shown at the instants 0, 1/fps, 2/fps ..., each frame once, in order of time.

    A source slower than `fps` gives each of its frames once; without `fps` every frame comes. The longer side is at
    most `max_side` pixels, never enlarged.
    """
    if found.video_index is None:
        return
    with open_container(path) as container:
        stream = container.streams[found.video_index]
        prepare(stream)
        convert = Converter(pixel_aspect(stream), max_side)
        shown = _shown(_timed(container, stream, found, notes), fps, found.duration_s)
        for time_s, raw in shown:
            rgb = convert(raw)
            if rgb is not None:
                yield Frame(time_s, rgb)


def _timed(container: Any, stream: Any, found: Probe, notes: Notes) -> Generator[tuple[float, Any], None, None]:
    """Decoded frames with believable, rising times; the others are skipped and counted."""
    damaged = lost_time = 0
    last_s = -1.0
    try:
        for packet in then_flush(packets(container, [stream], notes)):
            raws = decoded(stream, packet)
            if raws is None:
                damaged += 1
                continue
            for raw in raws:
                if raw.is_corrupt:
                    damaged += 1
                    continue
                time_s = _on_clock(frame_seconds(raw, stream), found.zero_s)
                if time_s is None or time_s <= last_s or time_s > found.duration_s + SLACK_S:
                    lost_time += 1
                    continue
                last_s = time_s
                yield time_s, raw
    finally:
        notes.tally("damaged", "{n} damaged stretches of the picture were skipped", count=damaged)
        notes.tally("lost", "{n} frames with impossible times were skipped", count=lost_time)


def _on_clock(file_s: float | None, zero_s: float) -> float | None:
    """A time of the file's own clock as a time of the clip, None where it cannot be one."""
    if file_s is None or file_s - zero_s < -SLACK_S:
        return None
    return max(0.0, file_s - zero_s)


def _shown(timed: Iterator[tuple[float, Any]], fps: float | None, end_s: float) -> Iterator[tuple[float, Any]]:
    """Of each sampling instant the frame on the screen then, each frame at most once."""
    if fps is None:
        yield from timed
        return
    slack_s = min(ROUNDING_S, 0.25 / fps)
    held: tuple[float, Any] | None = None
    instant = 0  # the first instant (in units of 1 / fps) that has no frame yet
    for time_s, raw in timed:
        first = max(0, ceil((time_s - slack_s) * fps))  # the first instant at which this frame can be seen
        if held is not None and first > instant:
            yield held
            instant = first
        elif held is None:
            instant = first
        held = (time_s, raw)
    if held is not None and (instant / fps <= held[0] + slack_s or instant / fps < end_s - slack_s):
        yield held


class Converter:
    """Decoded frames to upright RGB with square pixels.

    Planar YUV is scaled first and converted to RGB after: a third of the time of swscale's single step, and nearer to
    the true mean of the pixels.
    """

    def __init__(self, aspect: float, max_side: int | None) -> None:
        from av.video.reformatter import VideoReformatter

        self._aspect = aspect
        self._max_side = max_side
        self._scaler, self._colour = VideoReformatter(), VideoReformatter()

    def __call__(self, raw: Any) -> NDArray[np.uint8] | None:
        """(H, W, 3) uint8, or None where the frame is too damaged to convert."""
        try:
            rgb = self._rgb(raw)  # (H, W, 3)
            turns = quarter_turns(raw)
        except media_faults():
            return None
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb

    def _rgb(self, raw: Any) -> NDArray[np.uint8]:
        from av.video.reformatter import Interpolation

        width, height = fitted(*square_size(raw.width, raw.height, self._aspect), self._max_side)
        if (width, height) == (raw.width, raw.height):
            smooth = Interpolation.BILINEAR
        else:
            smooth = Interpolation.AREA if width * height < raw.width * raw.height else Interpolation.BILINEAR
            if raw.format.name.startswith(("yuv4", "yuvj")):
                raw = self._scaler.reformat(raw, width=width, height=height, interpolation=smooth, threads=1)
        picture: Any = self._colour.reformat(
            raw, width=width, height=height, format="rgb24", interpolation=smooth, threads=1
        )
        rgb: NDArray[np.uint8] = picture.to_ndarray()
        return rgb


def fitted(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """The size whose longer side is at most `max_side`, never enlarged, never below one pixel."""
    longest = max(width, height)
    if max_side is None or longest <= max_side:
        return width, height
    return max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))


def frames_near(
    path: Path, found: Probe, notes: Notes, *, times_s: Sequence[float], max_side: int | None
) -> Iterator[Frame]:
    """For each wanted time, in rising order, the frame on the screen then (before the first frame: the first one).

    The file is walked once, jumping ahead over long stretches to the key frame before the next wanted time.
    """
    if found.video_index is None or not times_s:
        return
    with open_container(path) as container:
        stream = container.streams[found.video_index]
        prepare(stream)
        walk = Walk(container, stream, found, notes)
        convert = Converter(pixel_aspect(stream), max_side)
        last: tuple[float, Frame] | None = None
        for want_s in sorted(times_s):
            hit = walk.to(want_s)
            if hit is None:
                continue
            if last is None or last[0] != hit[0]:
                rgb = convert(hit[1])
                if rgb is None:
                    continue
                last = (hit[0], Frame(hit[0], rgb))
            yield last[1]


class Walk:
    """A forward walk through the frames of one stream with jumps over what nobody asked for."""

    def __init__(self, container: Any, stream: Any, found: Probe, notes: Notes) -> None:
        self._container, self._stream, self._found, self._notes = container, stream, found, notes
        self._held: tuple[float, Any] | None = None
        self._next: tuple[float, Any] | None = None
        self._frames = _timed(container, stream, found, notes)
        self._jumps = True

    def to(self, want_s: float) -> tuple[float, Any] | None:
        """The frame on the screen at a time that is not before the last one asked for."""
        here_s = self._held[0] if self._held else 0.0
        if self._jumps and self._worth_a_jump(here_s, want_s):
            self._jump(want_s)
        while self._next is None or self._next[0] <= want_s + ROUNDING_S:
            if self._next is not None:
                self._held = self._next
            self._next = next(self._frames, None)
            if self._next is None:
                break
        return self._held or self._next

    def _worth_a_jump(self, here_s: float, want_s: float) -> bool:
        """Is there a key frame between here and there?"""
        if self._next is not None and self._next[0] > want_s:
            return False
        entries = self._stream.index_entries
        if len(entries) == 0 or not self._container.format.name.startswith(INDEXED):
            return False
        key = entries.search_timestamp(self._stamp(want_s), backward=True)
        if key < 0:
            return False
        key_s = float(entries[key].timestamp * self._stream.time_base) - self._found.zero_s
        return key_s > here_s + 0.5

    def _stamp(self, time_s: float) -> int:
        return round((time_s + self._found.zero_s) / float(self._stream.time_base))

    def _jump(self, want_s: float) -> None:
        """Seek to the key frame before the time; a file that cannot seek is walked to the end instead."""
        self._frames.close()
        before = self._held
        for target_s in (want_s, want_s - 10.0, 0.0):
            if not self._seek(max(0.0, target_s)):
                self._jumps = False
            self._frames = _timed(self._container, self._stream, self._found, self._notes)
            self._held, self._next = None, next(self._frames, None)
            if self._next is not None and self._next[0] <= want_s + ROUNDING_S:
                return
        self._held = before

    def _seek(self, time_s: float) -> bool:
        try:
            self._container.seek(self._stamp(time_s), stream=self._stream, backward=True)
        except media_faults():
            return False
        return True
