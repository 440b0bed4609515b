"""Small real media files for tests, written with PyAV: every container, and every oddity that files in the wild have.

Frame number i of a painted clip is one grey of level `grey(i)`, so that a decoded frame tells which one it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

CODECS = {
    ".mp4": ("libx264", "aac"), ".mov": ("libx264", "aac"), ".mkv": ("libx264", "flac"),
    ".webm": ("libvpx", "libopus"), ".mpg": ("mpeg1video", "mp2"), ".avi": ("mpeg4", "mp3"),
    ".wav": (None, "pcm_s16le"), ".flac": (None, "flac"), ".mp3": (None, "mp3"), ".m4a": (None, "aac"),
}  # fmt: skip
MILLISECOND = Fraction(1, 1000)


def grey(index: int) -> int:
    """The grey of frame number `index` (40 different ones, 5 levels apart)."""
    return 30 + 5 * (index % 40)


def number(rgb: np.ndarray) -> int:
    """Which frame a decoded picture (H, W, 3) shows."""
    return round((float(rgb.mean()) - 30) / 5)


def tone(seconds: float, rate_hz: int, channels: int = 1, hz: float = 440.0) -> np.ndarray:
    """A sine of amplitude 0.5, (C, N) float32."""
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    return np.repeat(wave[None].astype(np.float32), channels, axis=0)


def painted(index: int, width: int, height: int) -> np.ndarray:
    """Frame number `index`, (H, W, 3) uint8."""
    return np.full((height, width, 3), grey(index), np.uint8)


def cornered(index: int, width: int, height: int) -> np.ndarray:
    """A dark picture with a bright upper left quarter, (H, W, 3) uint8."""
    del index
    rgb = np.full((height, width, 3), 20, np.uint8)
    rgb[: height // 2, : width // 2] = 230
    return rgb


def write_clip(
    path: Path,
    *,
    seconds: float = 1.0,
    fps: int = 25,
    size: tuple[int, int] = (64, 48),
    video: bool = True,
    audio: bool = True,
    rate_hz: int = 48000,
    channels: int = 1,
    codecs: tuple[str | None, str | None] | None = None,
    times_ms: Sequence[int] | None = None,
    video_start_s: float = 0.0,
    audio_start_s: float = 0.0,
    rotation_deg: int | None = None,
    aspect: Fraction | None = None,
    paint: Any = painted,
    gop: int = 12,
    subtitles: Sequence[tuple[float, float, str]] = (),
) -> Path:
    """Write a clip; `times_ms` gives each frame its own time (variable rate), `rotation_deg` turns the picture."""
    video_codec, audio_codec = codecs or CODECS[path.suffix]
    with av.open(str(path), "w") as out:
        picture = sound = words = None
        if video and video_codec:
            picture = out.add_stream(video_codec, rate=fps)
            picture.width, picture.height = size
            picture.pix_fmt = "yuv444p" if video_codec == "libx264" and (size[0] % 2 or size[1] % 2) else "yuv420p"
            picture.codec_context.gop_size = gop
            if video_codec != "libx264":
                picture.bit_rate = 2_000_000  # at the default rate these encoders drop small changes of grey
            picture.codec_context.time_base = MILLISECOND if times_ms is not None else Fraction(1, fps)
            if aspect is not None:
                picture.codec_context.sample_aspect_ratio = aspect
            if rotation_deg is not None:
                picture.set_display_rotation(rotation_deg)
        if audio and audio_codec:
            sound = out.add_stream(audio_codec, rate=rate_hz, layout="stereo" if channels == 2 else "mono")
        if subtitles:
            words = out.add_stream("mov_text" if path.suffix in {".mp4", ".mov"} else "srt")
            words.codec_context.subtitle_header = ASS_HEADER
        if picture is not None:
            _write_picture(out, picture, seconds, fps, times_ms, video_start_s, paint)
        if sound is not None:
            _write_sound(out, sound, tone(seconds, rate_hz, channels), rate_hz, audio_start_s)
        if words is not None:
            _write_words(out, words, subtitles)
    return path


ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n[V4+ Styles]\r\nFormat: Name, "
    b"Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, "
    b"ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\r\nStyle: "
    b"Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0\r\n\r\n[Events]\r\nFormat: "
    b"Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


def _write_picture(
    out: Any, stream: Any, seconds: float, fps: int, times_ms: Sequence[int] | None, start_s: float, paint: Any
) -> None:
    base = stream.codec_context.time_base
    stamps = list(times_ms) if times_ms is not None else list(range(max(1, round(seconds * fps))))
    for index, stamp in enumerate(stamps):
        frame = av.VideoFrame.from_ndarray(paint(index, stream.width, stream.height), format="rgb24")
        frame.pts, frame.time_base = stamp + round(start_s / base), base
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _write_sound(out: Any, stream: Any, wave: np.ndarray, rate_hz: int, start_s: float) -> None:
    fifo_size = stream.codec_context.frame_size or 1024
    resampler = av.AudioResampler(stream.format.name, stream.layout.name, stream.codec_context.sample_rate, fifo_size)
    for at in range(0, wave.shape[1], 1024):
        piece = np.ascontiguousarray(wave[:, at : at + 1024])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo" if len(wave) == 2 else "mono")
        frame.sample_rate, frame.pts = rate_hz, at + round(start_s * rate_hz)
        frame.time_base = Fraction(1, rate_hz)
        for ready in resampler.resample(frame):
            out.mux(stream.encode(ready))
    for ready in resampler.resample(None):
        out.mux(stream.encode(ready))
    out.mux(stream.encode(None))


def _write_words(out: Any, stream: Any, subtitles: Sequence[tuple[float, float, str]]) -> None:
    from av.subtitles.subtitle import SubtitleSet

    for number_, (start_s, end_s, text) in enumerate(subtitles):
        line = f"{number_},0,Default,,0,0,0,,{text}".encode()
        words = SubtitleSet.create(line, 0, round((end_s - start_s) * 1000), pts=round(start_s * 1_000_000))
        packet = stream.codec_context.encode_subtitle(words)
        packet.stream, packet.time_base = stream, MILLISECOND
        packet.pts = packet.dts = round(start_s * 1000)
        packet.duration = round((end_s - start_s) * 1000)
        out.mux(packet)


def write_pictures(folder: Path, count: int, *, size: tuple[int, int] = (64, 48), suffix: str = ".png") -> Path:
    """A folder of numbered pictures (names without leading zeros, so that their natural order matters)."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        write_picture(folder / f"frame{index + 1}{suffix}", painted(index, *size))
    return folder


def write_picture(path: Path, rgb: np.ndarray) -> None:
    """One PNG, JPEG or BMP."""
    codec, pixels = {".png": ("png", "rgb24"), ".jpg": ("mjpeg", "yuvj420p"), ".bmp": ("bmp", "bgr24")}[path.suffix]
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = rgb.shape[1], rgb.shape[0], pixels
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixels)
    data = b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)])
    path.write_bytes(data)


def with_cover(path: Path, cover: np.ndarray, *, seconds: float = 1.0) -> Path:
    """An mp3 with an attached cover picture."""
    with av.open(str(path), "w") as out:
        sound = out.add_stream(CODECS[path.suffix][1], rate=44100, layout="mono")
        picture = out.add_stream("mjpeg", rate=1)
        picture.width, picture.height, picture.pix_fmt = cover.shape[1], cover.shape[0], "yuvj420p"
        picture.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(cover, format="rgb24").reformat(format="yuvj420p")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
        _write_sound(out, sound, tone(seconds, 44100), 44100, 0.0)
    return path
