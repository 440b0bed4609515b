"""Damaged files down the whole road: an answer that holds together or an error of this package, each in bounded time."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from media.make_clips import write_clip

import hero
from hero.errors import HeroError
from hero.pipeline import Analysis
from hero.reason.verdict import cited, sentences
from hero.report.exports import FORMATS
from hero.report.write import render

SEED = 20260102
MADE = 48  # damaged made files; more come from real ones where there are any
REAL = 24
MAX_BYTES = 400_000  # of a real file: damage then matters, and the test stays quick
LIMIT_S = 20.0  # for one file, on a busy machine; a whole one takes about half a second
FAST = ("face.fps=4", "motion.fps=4", "scene.fps=2", "face.max_side=320")
SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".mpg", ".avi", ".wav", ".flac", ".mp3", ".m4a")
TRANSCRIPTS = (
    b"1\n00:00:00,000 --> 00:00:00,400\nI am so happy\n\n2\n00:00:00,500 --> 00:00:01,000\nwhat a day!\n",
    b"WEBVTT\n\n00:00.000 --> 00:00.900\n<00:00.100>well <00:00.500>then\n",
    b'{"words": [{"word": "hello", "start": 0.1, "end": 0.4}, {"word": "there", "start": 0.5, "end": 0.9}]}',
    "今天天气很好。\n".encode("gb18030"),
)
DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"


def holds_together(analysis: Analysis) -> None:
    """The answer is strict JSON, cites only evidence that exists, and stays inside the clip."""
    result = json.loads(json.dumps(analysis.as_json(), allow_nan=False))
    ids = {row["id"] for row in result["evidence"]}
    for text in (analysis.verdict.emotion_caption, analysis.verdict.reasoning_process):
        for sentence in sentences(text):
            assert set(cited(sentence)) <= ids
    assert all(0 <= row["span"][0] <= row["span"][1] for row in result["evidence"])
    assert all(row["reason"] for row in result["absent"])


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """One kind of damage: flipped bits, a broken head, a cut, a hole, noise, a lost piece, or two pieces swapped."""
    buffer, size = bytearray(data), len(data)
    at, length = int(random.integers(size)), int(random.integers(1, max(2, min(4000, size // 3))))
    match random.integers(7):
        case 0:
            for place in random.integers(0, size, random.integers(1, 60)):
                buffer[place] ^= 1 << int(random.integers(8))
        case 1:
            for place in random.integers(0, min(size, 600), random.integers(1, 12)):
                buffer[place] = int(random.integers(256))
        case 2:
            del buffer[max(1, at) :]
        case 3:
            buffer[at : at + length] = bytes(len(buffer[at : at + length]))
        case 4:
            buffer[at : at + length] = random.bytes(len(buffer[at : at + length]))
        case 5:
            del buffer[at : at + length]
        case _:
            piece = buffer[at : at + length]
            del buffer[at : at + length]
            place = int(random.integers(len(buffer) + 1))
            buffer[place:place] = piece
    return bytes(buffer)


def shortened(data: bytes) -> bytes:
    """A long file by its head and its tail, where readers look for an index."""
    return data if len(data) <= MAX_BYTES else data[: MAX_BYTES // 2] + data[-MAX_BYTES // 2 :]


class Road:
    """Analyses files one after the other and keeps count of how they ended."""

    def __init__(self) -> None:
        self.answered = self.refused = 0
        self.slowest: tuple[float, str] = (0.0, "")

    def go(self, path: Path, *, transcript: Path | None = None, form: str | None = None) -> None:
        """One file; only errors of this package may come out."""
        began_s = time.monotonic()
        try:
            analysis = hero.analyze(path, transcript=transcript, overrides=FAST)
            holds_together(analysis)
            if form:
                text = render(analysis, form, target=path.with_suffix(f".{form}"))
                assert text or (form == "srt" and not analysis.timeline.evidence), "only subtitles may be empty"
            self.answered += 1
        except HeroError as error:
            assert "\n" not in error.line
            assert len(error.line) > 20
            self.refused += 1
        self.slowest = max(self.slowest, (time.monotonic() - began_s, path.name))


def damage(sources: list[Path], count: int, folder: Path, road: Road, random: np.random.Generator) -> None:
    """Send `count` damaged copies down the road, each through one of the formats as well."""
    for turn in range(count):
        source = sources[turn % len(sources)]
        data = mutated(shortened(source.read_bytes()), random)
        path = folder / f"damaged{turn}{source.suffix}"
        path.write_bytes(data)
        road.go(path, form=FORMATS[turn % len(FORMATS)])
        path.unlink()


def test_damaged_made_files(tmp_path: Path) -> None:
    sources = [write_clip(tmp_path / f"a{suffix}", seconds=0.8) for suffix in SUFFIXES]
    sources += [DEMO, write_clip(tmp_path / "late.mkv", seconds=0.8, audio_start_s=0.5)]
    road = Road()
    damage(sources, MADE, tmp_path, road, np.random.default_rng(SEED))
    assert road.answered + road.refused == MADE
    assert road.answered > MADE // 4
    assert road.refused > 3
    assert road.slowest[0] < LIMIT_S, road.slowest


def test_damaged_real_files(tmp_path: Path, hero_data: Path) -> None:
    sources = sorted([
        *hero_data.glob("grid/*.mpg"), *hero_data.glob("faces/*.m*"), *hero_data.glob("ravdess_video/*.mp4"),
        *list(hero_data.glob("ravdess_speech/*/*.flac"))[:4], *hero_data.glob("speech/librivox/*.wav"),
    ])  # fmt: skip
    random = np.random.default_rng(SEED)
    road = Road()
    damage([sources[i] for i in random.permutation(len(sources))], REAL, tmp_path, road, random)
    assert road.answered + road.refused == REAL
    assert road.answered > REAL // 4
    assert road.slowest[0] < LIMIT_S, road.slowest


def test_damaged_transcripts(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.wav", seconds=1.2)
    random = np.random.default_rng(SEED)
    road = Road()
    for turn in range(40):
        transcript = tmp_path / f"words{turn}{('.srt', '.vtt', '.json', '.txt')[turn % 4]}"
        transcript.write_bytes(mutated(TRANSCRIPTS[turn % 4], random))
        road.go(clip, transcript=transcript, form=FORMATS[turn % len(FORMATS)])
    assert road.answered > 10
    assert road.refused > 3
    assert road.slowest[0] < LIMIT_S, road.slowest


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_refused(seed: int, tmp_path: Path) -> None:
    """Bytes without any meaning under every name that a clip may have."""
    data = np.random.default_rng(seed).bytes(20_000)
    for suffix in (*SUFFIXES, ".yaml", "", ".srt"):
        path = tmp_path / f"noise{suffix}"
        path.write_bytes(data)
        with pytest.raises(HeroError) as error:
            hero.analyze(path, overrides=FAST)
        assert os.fspath(path.name) in error.value.line
