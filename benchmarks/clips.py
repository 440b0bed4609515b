"""Clips of a wanted length for speed and memory: a real talking face, looped and encoded again as H.264 and AAC."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from bars import RUNS

DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"


def source() -> Path:
    """The RAVDESS clip where HERO_DATA has it, else the demo clip."""
    folder = os.environ.get("HERO_DATA")
    clip = Path(folder) / "ravdess_video" / "01-01-01-01-01-01-01.mp4" if folder else DEMO
    return clip if clip.is_file() else DEMO


def looped(seconds: int, *, width: int = 1280, height: int = 720, fps: int = 30) -> Path:
    """A clip of `seconds`, made once and kept under runs/bench.

    Pictures are played forwards and backwards in turn, so that the loop has no cuts.
    """
    path = RUNS / f"loop-{source().stem}-{seconds}s-{height}p.mp4"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures, sound, rate_hz = _read(source(), width, height, fps)
    scratch = path.with_suffix(".part.mp4")
    with av.open(str(scratch), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=fps, options={"preset": "veryfast", "crf": "23"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = out.add_stream("aac", rate=rate_hz)
        there_and_back = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
        for number in range(seconds * fps):
            frame = av.VideoFrame.from_ndarray(pictures[there_and_back[number % len(there_and_back)]], format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(video.encode(frame))
        tiled = np.resize(sound, seconds * rate_hz)
        for start in range(0, len(tiled), 1024):
            block = av.AudioFrame.from_ndarray(tiled[None, start : start + 1024], format="flt", layout="mono")
            block.sample_rate, block.pts, block.time_base = rate_hz, start, Fraction(1, rate_hz)
            out.mux(audio.encode(block))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    scratch.replace(path)
    return path


def _read(path: Path, width: int, height: int, fps: int) -> tuple[list[np.ndarray], np.ndarray, int]:
    from hero.media.clip import Clip

    clip = Clip.open(path)
    rate_hz = 48_000
    with av.open(str(path)) as container:
        pictures = [
            frame.reformat(width, height, "yuv420p").to_ndarray()
            for number, frame in enumerate(container.decode(video=0))
            if number < 4 * fps
        ]
    sound = np.concatenate([block.samples for block in clip.sound(rate_hz=rate_hz)])
    return pictures, sound.astype(np.float32), rate_hz
