"""Make `demo.mp4` and `demo.srt`: a portrait that speaks two lines, and smiles while its voice goes low and slow.

The face is the public-domain portrait of `hero.data.render`, moved by known action units; the voice is espeak-ng
(package espeakng-loader, needed only here). Nobody said or felt any of this.

    python examples/make_demo_clip.py [folder]
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hero.data.render import FaceRenderer

FPS = 25
DURATION_S = 6.4
Curve = tuple[tuple[float, float], ...]
"""(time in s, level) points, joined by straight lines."""


@dataclass(frozen=True)
class Line:
    """What is said: text, when, words a minute, pitch and pitch range (espeak's 0..100), loudness."""

    text: str
    start_s: float
    words_per_min: int
    pitch: int
    pitch_range: int
    gain: float


LINES = (
    Line("The letter came this morning.", 0.5, 190, 58, 60, 0.9),
    Line("No. It is fine. Really.", 3.0, 120, 22, 12, 0.4),
)

UNITS: dict[int, Curve] = {
    1: ((0.4, 0), (0.8, 3.0), (1.6, 2.6), (2.1, 0)),
    2: ((0.4, 0), (0.8, 3.0), (1.6, 2.6), (2.1, 0)),
    4: ((2.4, 0), (2.9, 3.6), (3.5, 3.4), (3.9, 1.0), (4.9, 1.2), (5.4, 3.4), (6.4, 3.0)),
    6: ((3.5, 0), (3.9, -3.0), (4.7, -3.0), (5.1, 0)),  # the cheeks do not follow the smile
    12: ((3.5, 0), (3.9, 2.8), (4.7, 2.8), (5.1, 0)),
    15: ((2.2, 0), (2.6, 4.2), (3.3, 4.0), (3.6, 0), (5.1, 0), (5.5, 4.2), (6.4, 4.2)),
    45: ((1.32, 0), (1.40, 5), (1.52, 0), (2.60, 0), (2.68, 5), (2.80, 0), (5.20, 0), (5.28, 5), (5.44, 0)),
}
HEAD_PX: tuple[Curve, Curve] = (
    ((0, 0), (1.2, 3), (2.4, -1), (3.4, 0), (4.6, -3), (6.4, -2)),
    ((0, 0), (0.9, -3), (1.3, 2), (2.0, 0), (3.0, 4), (4.2, 2), (5.6, 7), (6.4, 6)),
)


def main(folder: Path) -> None:
    """Write both files into a folder."""
    voice = Espeak()
    sound, times = speech(voice)
    write_clip(folder / "demo.mp4", sound, voice.rate_hz)
    write_subtitles(folder / "demo.srt", times)
    size_kb = (folder / "demo.mp4").stat().st_size / 1000
    print(f"{folder / 'demo.mp4'}: {DURATION_S:.1f} s, {size_kb:.0f} kB")


class Espeak:
    """espeak-ng through its C interface (speak_lib.h), samples handed back by a callback."""

    RETRIEVAL, CHARS_UTF8, POS_CHARACTER = 1, 1, 1
    RATE, PITCH, RANGE = 1, 3, 4

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError:
            sys.exit("the demo's voice needs espeak-ng; run `pip install espeakng-loader` and start again")
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = Path(espeakng_loader.get_data_path()).parent
        self.rate_hz = int(self._library.espeak_Initialize(self.RETRIEVAL, 0, str(data).encode(), 0))
        if self.rate_hz <= 0:
            sys.exit("espeak-ng did not start; reinstall espeakng-loader")
        self._chunks: list[NDArray[np.int16]] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = kind(self._take)
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_SetVoiceByName(b"en-us+f3")

    def say(self, line: Line) -> NDArray[np.float32]:
        """Samples (N,) of a line, silence at both ends cut off."""
        self._chunks.clear()
        for key, value in ((self.RATE, line.words_per_min), (self.PITCH, line.pitch), (self.RANGE, line.pitch_range)):
            self._library.espeak_SetParameter(key, value, 0)
        text = line.text.encode()
        self._library.espeak_Synth(text, len(text) + 1, 0, self.POS_CHARACTER, 0, self.CHARS_UTF8, None, None)
        self._library.espeak_Synchronize()
        samples = np.concatenate(self._chunks).astype(np.float32) / 32768
        loud = np.flatnonzero(np.abs(samples) > 0.01)
        return samples[loud[0] : loud[-1] + 1] * line.gain

    def _take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count:
            self._chunks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0


def speech(voice: Espeak) -> tuple[NDArray[np.float32], list[tuple[float, float, str]]]:
    """The whole sound (N,) and when each line is said."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 4e-4, int(DURATION_S * voice.rate_hz)).astype(np.float32)  # a quiet room
    times = []
    for line in LINES:
        said = voice.say(line)
        begin = int(line.start_s * voice.rate_hz)
        said = said[: len(sound) - begin]
        sound[begin : begin + len(said)] += said
        times.append((line.start_s, line.start_s + len(said) / voice.rate_hz, line.text))
    return sound, times


def lip_levels(sound: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """How far the mouth opens in each frame (0..1), from the loudness of the sound it shows."""
    step = rate_hz // FPS
    count = int(DURATION_S * FPS)
    padded = np.pad(sound, (0, max(0, count * step - len(sound))))[: count * step]
    loud = np.sqrt((padded.reshape(count, step) ** 2).mean(axis=1))
    own = np.array([loud[max(0, i - 20) : i + 21].max() for i in range(count)])  # quiet speech opens the mouth as well
    return np.clip(loud / np.maximum(own, 0.02), 0, 1) * (loud > 0.004)


def level(curve: Curve, time_s: float) -> float:
    """A curve's value at a time."""
    times, values = zip(*curve, strict=True)
    return float(np.interp(time_s, times, values))


def write_clip(path: Path, sound: NDArray[np.float32], rate_hz: int) -> None:
    """Render and encode (H.264 and AAC)."""
    import av

    renderer, lips = FaceRenderer(), lip_levels(sound, rate_hz)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "24", "preset": "slow"})
        video.width = video.height = 480
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=rate_hz, layout="mono")
        audio.bit_rate = 64_000
        for index, opening in enumerate(lips):
            time_s = index / FPS
            units = {number: level(curve, time_s) for number, curve in UNITS.items()}
            units |= {25: 1.2 * opening, 26: 1.6 * opening}
            shift = (level(HEAD_PX[0], time_s), level(HEAD_PX[1], time_s))
            picture = av.VideoFrame.from_ndarray(renderer.render(units, shift), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        block = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        block.sample_rate, block.pts = rate_hz, 0
        container.mux(audio.encode(block))
        container.mux(audio.encode(None))


def write_subtitles(path: Path, times: list[tuple[float, float, str]]) -> None:
    """The lines as SubRip."""

    def stamp(seconds: float) -> str:
        ms = round(1000 * seconds)
        return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"

    rows = [f"{n}\n{stamp(a)} --> {stamp(b)}\n{text}\n" for n, (a, b, text) in enumerate(times, start=1)]
    path.write_text("\n".join(rows), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
