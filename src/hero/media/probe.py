"""What a media file holds: which streams count, where its clock starts, and how long it truly is.

A header may be absent, wrong or promise more than a cut-off file holds, so files of ordinary size are read packet by
packet without decoding (about 50,000 packets a second or more); the header only refines what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hero.errors import MediaError
from hero.media.container import decoded, open_container, packets, prepare, seconds, then_flush, unreadable
from hero.media.notes import Notes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

SCAN_LIMIT_BYTES = 1 << 30  # larger files trust a plausible header
MAX_GAP_S = 600.0  # a longer jump between packets is a damaged time stamp
FIRST_FRAME_PACKETS = 500  # packets without one decodable frame after which a stream counts as unreadable
RATES_HZ = (1_000, 768_000)
TEXT_CODECS = frozenset({"mov_text", "srt", "subrip", "webvtt", "ass", "ssa", "text"})
ASPECTS = (0.125, 8.0)  # pixel aspect ratios beyond these come from damaged headers


Info = TypeVar("Info", "VideoInfo", "AudioInfo")


@dataclass(frozen=True)
class VideoInfo:
    """The picture as it is shown: upright, with square pixels.

    `fps` is the mean rate; `rotation_deg` the clockwise turn that makes the stored picture upright.
    """

    width: int
    height: int
    fps: float
    codec: str
    rotation_deg: int = 0


@dataclass(frozen=True)
class AudioInfo:
    """The sound as it is stored."""

    rate_hz: int
    channels: int
    codec: str


@dataclass(frozen=True)
class Extent:
    """Where a stream lies on the file's own clock, and how many packets it has."""

    start_s: float
    end_s: float
    packets: int

    @property
    def mean_rate(self) -> float:
        """Packets per second."""
        return self.packets / (self.end_s - self.start_s) if self.end_s > self.start_s else 0.0


@dataclass(frozen=True)
class Probe:
    """What was found; times of the file's own clock minus `zero_s` are times of the clip's clock."""

    zero_s: float = 0.0
    duration_s: float = 0.0
    video: VideoInfo | None = None
    audio: AudioInfo | None = None
    video_index: int | None = None
    audio_index: int | None = None
    subtitle_index: int | None = None
    subtitle_lang: str | None = None
    fps: float = 0.0  # the header's mean frame rate
    audio_end_s: float | None = None  # on the clip's clock; decoders may give padding beyond it


def probe(path: Path, notes: Notes) -> Probe:
    """Look into a media file.

    Raises:
        MediaError: not a media file, or neither picture nor sound can be decoded.
    """
    header, extents = _read_header(path, notes)
    video_index, audio_index = header.video_index, header.audio_index
    video = _first(path, video_index, _look, notes) if video_index in extents else None
    audio = _first(path, audio_index, _listen, notes) if audio_index in extents else None
    if audio is not None and not RATES_HZ[0] <= audio.rate_hz <= RATES_HZ[1]:
        notes.add(f"the sound claims {audio.rate_hz} samples a second, which cannot be: it was left out")
        audio = None
    if video_index is not None and video is None:
        notes.add("no frame of the picture can be decoded: the clip counts as sound only")
    if audio_index is not None and audio is None:
        notes.add("no sound can be decoded: the clip counts as silent picture only")
    kept = [
        extents[i] for i, info in ((video_index, video), (audio_index, audio)) if i is not None and info is not None
    ]
    if not kept:
        raise MediaError(unreadable(path, "neither picture nor sound can be decoded"))
    zero_s = min(e.start_s for e in kept)
    return replace(
        header,
        zero_s=zero_s,
        duration_s=max(e.end_s for e in kept) - zero_s,
        video=replace(video, fps=_rate(header.fps, extents[video_index]))
        if video and video_index is not None
        else None,
        audio=audio,
        video_index=video_index if video else None,
        audio_index=audio_index if audio else None,
        audio_end_s=extents[audio_index].end_s - zero_s if audio and audio_index is not None else None,
    )


def _read_header(path: Path, notes: Notes) -> tuple[Probe, dict[int, Extent]]:
    """Which streams count, and where each of them lies. (Streams die with their container: only values leave.)"""
    with open_container(path) as container:
        picture, sound = _picture(container), _sound(container, notes)
        streams = [s for s in (picture, sound) if s is not None]
        if not streams:
            raise MediaError(unreadable(path, "it has neither a picture nor a sound stream"))
        words = _subtitles(container)
        header = Probe(
            video_index=picture.index if picture is not None else None,
            audio_index=sound.index if sound is not None else None,
            subtitle_index=words.index if words is not None else None,
            subtitle_lang=words.language if words is not None else None,
            fps=float(picture.average_rate or 0) if picture is not None else 0.0,
        )
        return header, _extents(container, streams, notes)


def _picture(container: InputContainer) -> Any | None:
    """The video stream that moves: attached cover pictures do not count."""
    streams = [s for s in container.streams.video if s.codec_context is not None and not _attached(s)]
    best = container.streams.best("video")
    return next((s for s in streams if best is not None and s.index == best.index), streams[0] if streams else None)


def _attached(stream: Any) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _sound(container: InputContainer, notes: Notes) -> Any | None:
    """The main sound stream."""
    streams = [s for s in container.streams.audio if s.codec_context is not None]
    best = container.streams.best("audio")
    if len(streams) > 1:
        notes.add(f"the file has {len(streams)} sound streams: the main one was used")
    return next((s for s in streams if best is not None and s.index == best.index), streams[0] if streams else None)


def _subtitles(container: InputContainer) -> Any | None:
    """The first subtitle stream that holds text."""
    streams = [s for s in container.streams.subtitles if s.codec_context is not None]
    return next((s for s in streams if s.codec_context.name in TEXT_CODECS), None)


def _extents(container: InputContainer, streams: Sequence[Stream], notes: Notes) -> dict[int, Extent]:
    """Start and end of each stream by its index, from the packets, or from the header of a very large file."""
    promised = {s.index: _promised(s) for s in streams}
    if (container.size or 0) > SCAN_LIMIT_BYTES and all(promised.values()):
        return {index: extent for index, extent in promised.items() if extent is not None}
    found: dict[int, Extent] = {}
    step_s: dict[int, float] = {}
    for packet in packets(container, streams, notes):
        start_s = seconds(packet.pts if packet.pts is not None else packet.dts, packet.stream)
        if start_s is None or packet.is_discard:
            continue
        index = packet.stream_index
        length_s = seconds(packet.duration, packet.stream) or step_s.get(index, 0.0)
        old = found.get(index)
        if old is None:
            found[index] = Extent(start_s, start_s + length_s, 1)
        elif abs(start_s - old.end_s) <= MAX_GAP_S:
            step_s[index] = abs(start_s - old.end_s)
            end_s = max(old.end_s, start_s + length_s)
            found[index] = Extent(min(old.start_s, start_s), end_s, old.packets + 1)
        else:
            notes.add("some time stamps in the file are impossible and were not believed")
    return {index: _refined(extent, promised[index], notes) for index, extent in found.items()}


def _promised(stream: Stream) -> Extent | None:
    """What the header says about a stream."""
    start_s, length_s = seconds(stream.start_time, stream), seconds(stream.duration, stream)
    if start_s is None or length_s is None or not 0 < length_s < 7 * 86400:
        return None
    return Extent(start_s, start_s + length_s, stream.frames or 0)


def _refined(found: Extent, promised: Extent | None, notes: Notes) -> Extent:
    """The extent of the packets, made exact by a header that agrees with it (decoders drop padding at both ends)."""
    if promised is None:
        return found
    start_s = promised.start_s if abs(promised.start_s - found.start_s) < 0.2 else found.start_s
    end_s = promised.end_s if abs(promised.end_s - found.end_s) < 0.2 else found.end_s
    if promised.end_s - found.end_s > max(0.5, 0.02 * (promised.end_s - promised.start_s)):
        notes.add(
            f"the data end before the {promised.end_s - promised.start_s:.0f} s that the header promises: cut off?"
        )
    return Extent(start_s, max(end_s, start_s), found.packets)


def _first(path: Path, index: int | None, look: Callable[[Any, Any], Info | None], notes: Notes) -> Info | None:
    """What the first decodable frame of a stream tells."""
    if index is None:
        return None
    with open_container(path) as container:
        stream = container.streams[index]
        prepare(stream)
        for count, packet in enumerate(then_flush(packets(container, [stream], notes))):
            for frame in decoded(stream, packet) or ():
                info = look(stream, frame)
                if info is not None:
                    return info
            if count > FIRST_FRAME_PACKETS:
                break
    return None


def _look(stream: Any, frame: Any) -> VideoInfo:
    """The picture, from its first frame."""
    width, height = square_size(frame.width, frame.height, pixel_aspect(stream))
    turns = quarter_turns(frame)
    if turns % 2:
        width, height = height, width
    return VideoInfo(width, height, 0.0, stream.codec_context.name, rotation_deg=(-turns % 4) * 90)


def _listen(stream: Any, frame: Any) -> AudioInfo:
    """The sound, from its first frame."""
    return AudioInfo(frame.sample_rate, frame.layout.nb_channels, stream.codec_context.name)


def _rate(header: float, extent: Extent) -> float:
    """The mean frame rate: the header's when the count agrees (to 2 %, or to two frames), else the counted one."""
    counted = extent.mean_rate
    agrees = counted > 0 and abs(header / counted - 1) < max(0.02, 2 / extent.packets)
    return round(header if agrees or not counted else counted, 3)


def pixel_aspect(stream: Any) -> float:
    """Width of a pixel over its height; 1 where the file says nothing believable."""
    ratio = stream.sample_aspect_ratio
    value = float(ratio) if ratio else 1.0
    return value if ASPECTS[0] <= value <= ASPECTS[1] else 1.0


def square_size(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Size with square pixels, stretched never shrunk."""
    if aspect >= 1:
        return max(1, round(width * aspect)), height
    return width, max(1, round(height / aspect))


def quarter_turns(frame: Any) -> int:
    """How many quarter turns counter-clockwise make the stored picture upright (FFmpeg's display matrix)."""
    turns: int = round(frame.rotation / 90) % 4
    return turns
