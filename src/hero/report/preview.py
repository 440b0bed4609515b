"""What of the clip goes into the page: its own bytes when small and playable, a smaller copy, key frames, or nothing.

The copy is H.264 and AAC in MP4, which every current browser plays, and it runs on the clip's own clock.
"""

from __future__ import annotations

import base64
import heapq
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import numpy as np

from hero.errors import InputError

if TYPE_CHECKING:
    from av.container import OutputContainer

    from hero.media.clip import Block, Clip, Frame

ORIGINAL_BYTES = 4_000_000
COPY_BYTES = 12_000_000
VIDEO_LIMIT_S = 60.0
AUDIO_LIMIT_S = 600.0
COPY_SIDE = 480
COPY_FPS = 25.0
COPY_RATE_HZ = 44100
KEY_FRAMES = 12
TICKS = 1000  # time base of the copy's picture, per second

Reason = Literal["original", "preview", "preview_sound", "linked", "strip", "left_out", "missing"]

# suffix -> (MIME subtype, playable video codecs, playable audio codecs)
_PLAYABLE: dict[str, tuple[str, frozenset[str], frozenset[str]]] = {
    ".mp4": ("mp4", frozenset({"h264"}), frozenset({"aac", "mp3"})),
    ".m4v": ("mp4", frozenset({"h264"}), frozenset({"aac", "mp3"})),
    ".m4a": ("mp4", frozenset(), frozenset({"aac"})),
    ".webm": ("webm", frozenset({"vp8", "vp9", "av1"}), frozenset({"opus", "vorbis"})),
    ".mp3": ("mpeg", frozenset(), frozenset({"mp3", "mp3float"})),
    ".wav": ("wav", frozenset(), frozenset({"pcm_s16le"})),
    ".flac": ("flac", frozenset(), frozenset({"flac"})),
}


@dataclass(frozen=True)
class Preview:
    """Media for the page: `kind` is the element, `reason` why it is so, `src` an address (data: or relative).

    `pictures` are (time_s, data address) of key frames. `width` and `height` are the copy's size in pixels.
    """

    kind: Literal["video", "audio", "strip", "none"]
    reason: Reason
    src: str = ""
    pictures: tuple[tuple[float, str], ...] = ()
    width: int = 0
    height: int = 0


def make_preview(media: Path | None, *, duration_s: float, beside: Path | None = None) -> Preview:
    """The smallest honest way to show a clip in a page; `beside` is the page's folder, for linking long clips."""
    from hero.media.clip import Clip

    if media is None or not media.exists():
        return Preview("none", "missing")
    try:
        clip = Clip.open(media)
        return _choose(clip, duration_s, beside)
    except InputError:  # the file was readable when it was analysed; a report without player is still a report
        return Preview("none", "missing")


def _choose(clip: Clip, duration_s: float, beside: Path | None) -> Preview:
    kind: Literal["video", "audio"] = "video" if clip.video else "audio"
    playable = _mime(clip)
    if playable and clip.path.stat().st_size <= ORIGINAL_BYTES:
        return Preview(kind, "original", _address(clip.path.read_bytes(), playable))
    if duration_s <= (VIDEO_LIMIT_S if clip.video else AUDIO_LIMIT_S):
        data, width, height = encode_copy(clip)
        if data and len(data) <= COPY_BYTES:
            reason: Reason = "preview" if clip.video else "preview_sound"
            return Preview(kind, reason, _address(data, f"{kind}/mp4"), (), width, height)
    pictures = key_frames(clip, duration_s) if clip.video else ()
    if playable and beside is not None:
        link = os.path.relpath(clip.path.resolve(), beside.resolve())
        return Preview(kind, "linked", quote(os.fsencode(link.replace(os.sep, "/"))), pictures)
    return Preview("strip", "strip", "", pictures) if pictures else Preview("none", "strip")


def _mime(clip: Clip) -> str:
    """MIME type if browsers play the file as it is, else ""."""
    kind = _PLAYABLE.get(clip.path.suffix.lower())
    if kind is None or not clip.path.is_file():
        return ""
    name, video, audio = kind
    if clip.video and clip.video.codec not in video:
        return ""
    if clip.audio and clip.audio.codec not in audio:
        return ""
    return f"{'video' if clip.video else 'audio'}/{name}"


def _address(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def encode_copy(clip: Clip) -> tuple[bytes, int, int]:
    """(MP4 bytes, width, height) of a smaller copy; no bytes where the encoders are absent or refuse the clip."""
    import av

    if clip.video and "libx264" not in av.codecs_available:
        return b"", 0, 0
    try:
        return _encode(clip)
    except av.FFmpegError:  # the page then shows key frames
        return b"", 0, 0


def _encode(clip: Clip) -> tuple[bytes, int, int]:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        frames = clip.frames(fps=COPY_FPS, max_side=COPY_SIDE) if clip.video else iter(())
        blocks = clip.sound(rate_hz=COPY_RATE_HZ, block_s=0.5) if clip.audio else iter(())
        first = next(iter(frames), None)
        writer = _Writer(output, first, with_sound=clip.audio is not None)
        pieces: list[Iterator[Any]] = [frames, blocks]
        for piece in heapq.merge(*pieces, key=_time_of):
            writer.add(piece)
        writer.close()
    return buffer.getvalue(), writer.width, writer.height


def _time_of(piece: Any) -> float:
    return float(piece.time_s if hasattr(piece, "time_s") else piece.start_s)


class _Writer:
    """Writes frames and blocks in order of time; both streams are declared before anything is written."""

    def __init__(self, output: OutputContainer, first: Frame | None, *, with_sound: bool) -> None:
        self.output, self.width, self.height = output, 0, 0
        self._video: Any = None
        self._audio: Any = None
        self._last_tick, self._samples = -1, 0
        if first is not None:
            self._open_video(first.rgb.shape[1], first.rgb.shape[0])
        if with_sound:
            self._audio = output.add_stream("aac", rate=COPY_RATE_HZ, layout="mono")
            self._audio.bit_rate = 64_000
        if first is not None:
            if first.time_s > 0.1:  # black until the picture begins, so that the copy's clock starts with the clip's
                self._picture(np.zeros_like(first.rgb), 0)
            self.add(first)

    def _open_video(self, width: int, height: int) -> None:
        self.width, self.height = max(2, width - width % 2), max(2, height - height % 2)
        stream: Any = self.output.add_stream("libx264", rate=round(COPY_FPS))
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.options = {"preset": "veryfast", "crf": "27", "maxrate": "800k", "bufsize": "1600k", "g": "25"}
        self._video = stream

    def add(self, piece: Any) -> None:
        """Write one `Frame` or `Block`."""
        if hasattr(piece, "rgb"):
            self._picture(piece.rgb, max(round(piece.time_s * TICKS), self._last_tick + 1))
        else:
            self._block(piece)

    def _picture(self, rgb: Any, tick: int) -> None:
        import av

        picture: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        picture = picture.reformat(width=self.width, height=self.height, format="yuv420p")
        picture.pts, picture.time_base, self._last_tick = tick, Fraction(1, TICKS), tick
        self.output.mux(self._video.encode(picture))

    def _block(self, block: Block) -> None:
        hole = round(block.start_s * COPY_RATE_HZ) - self._samples
        if hole > 0:
            self._sound(np.zeros(hole, np.float32))
        self._sound(block.samples)

    def _sound(self, samples: Any) -> None:
        import av

        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32)[None], format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = COPY_RATE_HZ, self._samples, Fraction(1, COPY_RATE_HZ)
        self._samples += len(samples)
        self.output.mux(self._audio.encode(frame))

    def close(self) -> None:
        """Flush both encoders."""
        for stream in (self._video, self._audio):
            if stream is not None:
                self.output.mux(stream.encode(None))


def key_frames(clip: Clip, duration_s: float, *, count: int = KEY_FRAMES) -> tuple[tuple[float, str], ...]:
    """(time_s, JPEG data address) of evenly spaced frames."""
    times = [(i + 0.5) * duration_s / count for i in range(count)]
    return tuple(
        (round(f.time_s, 3), _address(_jpeg(f.rgb), "image/jpeg")) for f in clip.frames_at(times, max_side=400)
    )


def _jpeg(rgb: Any) -> bytes:
    import av

    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mjpeg") as output:
        stream: Any = output.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuvj420p"
        stream.options = {"q:v": "6", "qmin": "6", "qmax": "6"}
        output.mux(stream.encode(picture.reformat(format="yuvj420p")))
        output.mux(stream.encode(None))
    return buffer.getvalue()
