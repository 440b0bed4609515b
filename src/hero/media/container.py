"""A media file opened safely through PyAV: quiet, local, bounded, and with our own errors.

Only `open_container`, `packets` and `decoded` touch PyAV's demuxing, so every exception of it is met here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero.errors import MediaError
from hero.media.notes import Notes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

READ_TIMEOUT_S = 30.0
MAX_PIXELS = 1 << 26  # a frame of 8192 x 8192; larger sizes come from damaged headers
STALL_PACKETS = 5000  # packets in a row that bring neither later times nor later bytes
READ_RETRIES = 3
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,wav,w64,aiff,au,caf,flac,mp3,ogg,"
    "aac,ac3,asf,flv,amr,gif,ivf,mxf,nut,rm,wv"
)
ALLOWED = "mp4, mov, mkv, webm, mpg, avi, wav, flac, mp3, m4a or a folder of frames and a wav"


def media_faults() -> tuple[type[Exception], ...]:
    """What PyAV raises on damaged files: its own errors, and built-in ones for absurd header values."""
    import av

    return (
        av.FFmpegError, ValueError, TypeError, ArithmeticError, MemoryError, RuntimeError, LookupError, OSError,
        AttributeError,
    )  # fmt: skip


@contextmanager
def open_container(path: Path, *, formats: str = FORMATS) -> Iterator[InputContainer]:
    """Open a local media file and close it whatever happens.

    Raises:
        MediaError: the file is no media file that can be read.
    """
    import av

    av.logging.set_level(None)  # decoders complain about every damaged byte on the terminal otherwise
    try:
        container = av.open(
            f"file:{path}",
            metadata_errors="replace",
            timeout=READ_TIMEOUT_S,
            container_options={"protocol_whitelist": "file", "format_whitelist": formats, "max_streams": "64"},
        )
    except media_faults() as fault:
        raise MediaError(unreadable(path, reason(fault))) from fault
    try:
        yield container
    finally:
        container.close()


def unreadable(path: Path, why: str) -> str:
    """The one line for a file that is no clip."""
    return f"{path}: cannot be read as a clip ({why}); allowed: {ALLOWED}; check that the file is whole or convert it"


def reason(fault: Exception) -> str:
    """PyAV's complaint in a few words."""
    text = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
    return str(text).split("\n")[0].replace("Invalid data found when processing input", "no media data found in it")


def prepare(stream: Stream, *, threads: bool = True) -> None:
    """Set a stream's decoder to all cores and a bounded frame size; call it before the first decoding."""
    context = stream.codec_context
    context.thread_type = "AUTO" if threads else "NONE"
    context.options = {"max_pixels": str(MAX_PIXELS)}


def packets(container: InputContainer, streams: Sequence[Stream], notes: Notes) -> Iterator[Any]:
    """Packets of the streams up to the end of what is readable, without the empty ones that flush decoders.

    Damage in the file ends the reading with a note; packets that bring no progress end it too, so it never hangs.
    """
    last_pts: dict[int, int] = {}
    last_byte = stalled = failures = 0
    budget = 1000 + (container.size or 0)
    faults = media_faults()
    while failures < READ_RETRIES:
        try:
            for packet in container.demux(*streams):
                if packet.size == 0 and packet.dts is None:
                    continue
                index, pts, byte = packet.stream_index, packet.pts, packet.pos or 0
                later = pts is not None and pts > last_pts.get(index, pts - 1)
                if pts is not None and later:
                    last_pts[index] = pts
                stalled = 0 if later or byte > last_byte else stalled + 1
                last_byte = max(last_byte, byte)
                budget -= 1
                if stalled > STALL_PACKETS or budget < 0:
                    notes.add("the file repeats itself without end: reading stopped there")
                    return
                failures = 0
                yield packet
            return
        except faults as fault:
            failures += 1
            notes.add(f"the file is damaged ({reason(fault)}): what can be read was used")


def then_flush(stream_packets: Iterator[Any]) -> Iterator[Any | None]:
    """All packets, then None, which makes a decoder give out what it still holds."""
    yield from stream_packets
    yield None


def decoded(stream: Any, packet: Any | None) -> list[Any] | None:
    """The frames that a packet completes (None flushes the decoder), or None when the packet is damaged."""
    try:
        return list(stream.codec_context.decode(packet))
    except media_faults():
        return None


def seconds(value: int | None, stream: Any) -> float | None:
    """A time stamp of the stream in seconds on the file's own clock."""
    return None if value is None or stream.time_base is None else float(value * stream.time_base)


def frame_seconds(frame: Any, stream: Any) -> float | None:
    """When a decoded frame begins, on the file's own clock (flushed frames know no time base of their own)."""
    base = frame.time_base or stream.time_base
    return None if frame.pts is None or base is None else float(frame.pts * base)
