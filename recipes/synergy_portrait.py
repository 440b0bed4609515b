"""Talking portraits for the synergy recipe: filmed ones, looked at by the face expert, and landmark-only ones for volume.

Every recorded sound gives a few couplings of mouth and sound (`hero.data.talking`). Everything is drawn from the sound's
name, so that a killed run goes on where it stopped and gives the same clips.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hero.data import sync_pairs, talking
from hero.data.render import FaceRenderer
from hero.media.clip import Clip
from hero.observe.expert import Context
from hero.observe.synergy.axis import AUDIO_COLUMNS, normalise_lips, normalise_sound
from hero.observe.voice import VoiceExpert
from hero.types import Track

PIECE_S = 3.4
SUFFIXES = {".flac", ".wav", ".ogg", ".mp3"}
LEAST_S = 2.4


def sound_files(folders: Sequence[Path]) -> list[Path]:
    """Sound files under folders, or the files themselves, sorted."""
    found = [p for f in folders for p in ([f] if f.is_file() else f.rglob("*")) if p.suffix.lower() in SUFFIXES]
    return sorted(found)


def shuffled(files: Sequence[Path]) -> list[Path]:
    """The files in an order that mixes speakers and stays the same when files come or go."""
    return sorted(files, key=lambda path: zlib.crc32(path.stem.encode()))


def speaker_of(path: Path) -> str:
    """Who speaks: the folder, which RAVDESS names after its actors; a sound beside others counts as a speaker by itself."""
    return path.parent.name if path.parent.name.startswith("Actor") else path.stem


def pieces(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Named pieces (N,) of about 3.4 s at 16 kHz."""
    blocks = [block.samples for block in Clip.open(path).sound(rate_hz=talking.RATE_HZ)]
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    count = max(1, round(len(samples) / (PIECE_S * talking.RATE_HZ)))
    for number, piece in enumerate(np.array_split(samples, count)):
        if len(piece) >= LEAST_S * talking.RATE_HZ:
            yield f"{path.stem}-{number}", piece


def film(files: Sequence[Path], folder: Path, *, limit: int) -> list[tuple[Path, str]]:
    """(clip, speaker) of up to `limit` filmed portraits in `folder`; those that lie there already are kept."""
    made: list[tuple[Path, str]] = []
    renderer = FaceRenderer()
    for path in files:
        for name, samples in pieces(path):
            if len(made) >= limit:
                return made
            target = folder / f"{name}.mp4"
            if not target.is_file():
                rng = _rng(name, 0)
                talking.film(target, samples, talking.move(samples, talking.draw(rng), rng), renderer, rng)
                print(f"filmed {target.name}", flush=True)
            made.append((target, speaker_of(path)))
    return made


def landmarks_only(files: Sequence[Path], cache: Path, *, limit: int, copies: int) -> list[sync_pairs.Sides]:
    """Sides of up to `limit` pieces of sound, each with `copies` mouths that follow it differently."""
    renderer, found = FaceRenderer(), []
    for path in files:
        for name, samples in pieces(path):
            if len(found) >= limit * copies:
                return found
            audio = _audio(name, samples, cache)
            if audio is None:
                continue
            for copy in range(1, copies + 1):
                rng = _rng(name, copy)
                lips = talking.measured(talking.move(samples, talking.draw(rng), rng), renderer, rng)
                found.append(sync_pairs.Sides(f"{name}#{copy}", speaker_of(path), normalise_lips(lips), audio))
    return found


def _audio(name: str, samples: np.ndarray, cache: Path) -> Track | None:
    """The normalised sound side of a piece; None where nobody speaks in it."""
    from hero.media.clip import Block

    kept = cache / f"{name}.npz"
    if not kept.is_file():
        expert = VoiceExpert()
        expert.start(Context(_SoundOnly()))  # type: ignore[arg-type]
        expert.take(Block(0.0, samples, talking.RATE_HZ))
        heard = expert.finish({})
        track = None if heard.absent else normalise_sound(heard.tracks["prosody"])
        kept.parent.mkdir(parents=True, exist_ok=True)
        values, times_s = (track.values, track.times_s) if track else (np.zeros((0, 4)), np.zeros(0))
        scratch = kept.with_suffix(".part.npz")
        np.savez(scratch, values=values, times_s=times_s)
        scratch.replace(kept)
    with np.load(kept) as parts:
        values, times_s = parts["values"], parts["times_s"]
    return Track("audio", values, times_s, np.ones(len(values), bool), AUDIO_COLUMNS) if len(values) else None


class _SoundOnly:
    """As much of a clip as the voice expert asks for."""

    audio = video = True


def _rng(name: str, copy: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode()), copy])
