"""Damaged files: whatever happens to their bytes, only errors of this package come, and nothing hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from make_clips import write_clip

from hero.errors import HeroError
from hero.media.clip import Clip

FILES = 240
SEED = 20260101
LIMIT_S = 20.0  # for one file, on a busy machine; a whole one takes some 30 ms
MAX_BYTES = 400_000  # of a real file, so that every damage can matter and the test stays quick


def sources(folder: Path, data: Path | None) -> list[Path]:
    """Made clips of every container, and real ones where there are any."""
    made = [
        write_clip(folder / f"a{s}", subtitles=[(0.1, 0.5, "hello")] if s in {".mp4", ".mkv"} else ())
        for s in (".mp4", ".mov", ".mkv", ".webm", ".mpg", ".avi", ".wav", ".flac", ".mp3", ".m4a")
    ]
    if data is None:
        return made
    real = sorted([
        *data.glob("faces/*.m*"), *data.glob("grid/*.mpg"), *data.glob("ravdess_video/*.mp4"),
        *list(data.glob("ravdess_speech/Actor_01/*.flac"))[:4], *data.glob("speech/*.flac"),
        *data.glob("speech/librivox/*.wav"),
    ])  # fmt: skip
    return made + real


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """One kind of damage: flipped bits, a cut, a broken header, zeros, noise, a hole, or a doubled piece."""
    buffer = bytearray(data)
    size = len(buffer)
    match random.integers(8):
        case 0:
            for at in random.integers(0, size, random.integers(1, 60)):
                buffer[at] ^= 1 << int(random.integers(8))
        case 1:
            del buffer[int(random.integers(0, size)) :]
        case 2:
            for at in random.integers(0, min(size, 600), random.integers(1, 12)):
                buffer[at] = int(random.integers(256))
        case 3:
            for at in random.integers(max(0, size - 3000), size, random.integers(1, 40)):
                buffer[at] = int(random.integers(256))
        case 4:
            at = int(random.integers(0, size))
            buffer[at : at + 5000] = bytes(min(5000, size - at))
        case 5:
            at = int(random.integers(0, size))
            buffer[at : at + 3000] = random.bytes(min(3000, size - at))
        case 6:
            at = int(random.integers(0, size))
            del buffer[at : at + int(random.integers(1, 2000))]
        case _:
            at = int(random.integers(0, size))
            buffer[at:at] = buffer[at : at + int(random.integers(1, 2000))]
    return bytes(buffer)


def index_at_the_end(data: bytes) -> bytes:
    """A long MP4 keeps its index when it is shortened: the head and the tail are what its readers look at."""
    return data if len(data) <= MAX_BYTES else data[: MAX_BYTES // 2] + data[-MAX_BYTES // 2 :]


def read_some(path: Path) -> Iterator[str]:
    """Open a file and read about a second of it every way there is."""
    try:
        clip = Clip.open(path)
        yield "opened"
        list(islice(clip.frames(fps=10, max_side=160), 12))
        list(islice(clip.frames_at([0.1, clip.duration_s / 2], max_side=160), 2))
        list(islice(clip.sound(), 2))
        yield "read"
    except HeroError as error:
        assert "\n" not in error.line and len(error.line) > 20
        yield "refused"


@pytest.fixture
def data_folder(request: pytest.FixtureRequest) -> Path | None:
    """The real clips, or None without them: the made ones are damaged in any case."""
    import os

    folder = os.environ.get("HERO_DATA")
    return Path(folder) if folder and Path(folder).is_dir() else None


def test_damaged_files_neither_crash_nor_hang(tmp_path: Path, data_folder: Path | None) -> None:
    files = sources(tmp_path, data_folder)
    random = np.random.default_rng(SEED)
    seen: dict[str, int] = {}
    slowest = (0.0, "")
    for turn in range(FILES):
        source = files[turn % len(files)]
        whole = source.read_bytes()
        data = mutated(whole if len(whole) <= 2 * MAX_BYTES or turn % 2 else index_at_the_end(whole), random)
        path = tmp_path / f"damaged{turn}{source.suffix}"
        path.write_bytes(data)
        began_s = time.monotonic()
        for state in read_some(path):
            seen[state] = seen.get(state, 0) + 1
        slowest = max(slowest, (time.monotonic() - began_s, path.name))
        path.unlink()
    assert slowest[0] < LIMIT_S, slowest
    assert seen["read"] + seen["refused"] == FILES
    assert seen["read"] > FILES // 4 and seen["refused"] > 5, seen
