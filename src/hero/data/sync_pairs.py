"""Pairs of picture and sound for the proxy task "does this sound belong to this video", from any folder of clips.

Windows are cut from longer context, never padded. Pairs come in squares: of two places a and b the right pairs (a, a),
(b, b) and the wrong ones (a, b), (b, a). Every picture and every sound thus stands once on each side, and whoever looks at
one modality alone can only guess. The places lie in one clip (a shift) or in two (a swap).
Legend of shapes: B pairs, T frames of a window, K rows of a track, Dm and Da columns of picture and sound.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hero.config import load_preset
from hero.errors import InputError, UsageError
from hero.media.clip import Clip
from hero.observe.expert import Context
from hero.observe.stream import observe
from hero.observe.synergy.axis import (
    MOTION_COLUMNS,
    lips_and_sound,
    normalise_lips,
    normalise_sound,
    resample,
    standardised,
)
from hero.observe.voice import COLUMNS as PROSODY_COLUMNS
from hero.types import Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = ("values", "times_s", "mask")
STEP_S = 0.04
WINDOW_S = 2.0
HOP_S = 0.04
LEAST_SOUND_S = 0.4
AUDIBLE = 0.0
"""Normalised loudness above which a row counts as sounding (half way from the floor to the loudest speech)."""

Place = tuple[float, float]
"""Where the picture's and the sound's window start, in seconds."""


@dataclass(frozen=True, eq=False)
class Sides:
    """One clip's two normalised tracks, and who is seen: speakers, not clips, are dealt into training and test."""

    name: str
    speaker: str
    motion: Track
    audio: Track
    _windows: dict[tuple[str, int], tuple[NDArray[np.float32], NDArray[np.bool_]]] = field(default_factory=dict)

    @property
    def span(self) -> tuple[float, float]:
        """Seconds in which both sides have rows."""
        ends = [(t.times_s[0], t.times_s[-1]) if t.times_s.size else (0.0, 0.0) for t in (self.motion, self.audio)]
        return float(max(e[0] for e in ends)), float(min(e[1] for e in ends))

    def window(self, side: str, start_s: float, window_s: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values (T, D) and mask (T,) of one side (`motion` or `audio`) from `start_s` on, to the millisecond."""
        key = (side, round(start_s * 1000) * 100_000 + round(window_s * 1000))
        if key not in self._windows:
            times_s = start_s + (np.arange(round(window_s / STEP_S)) + 0.5) * STEP_S
            values, mask = resample(self.motion if side == "motion" else self.audio, times_s)
            self._windows[key] = values, np.asarray(mask.all(axis=1), bool)
        return self._windows[key]

    def sounding_s(self, start_s: float, window_s: float) -> float:
        """Seconds of the window in which the sound is well above its floor."""
        times_s = self.audio.times_s
        first, last = np.searchsorted(times_s, (start_s, start_s + window_s))
        spacing_s = float(np.median(np.diff(times_s))) if times_s.size > 1 else 0.0
        return float((self.audio.values[first:last, 0] > AUDIBLE).sum()) * spacing_s


@dataclass(frozen=True)
class Pair:
    """Picture of clip `seen` from `seen_s` on with the sound of clip `heard` from `heard_s` on."""

    seen: int
    seen_s: float
    heard: int
    heard_s: float
    belongs: bool


@dataclass(frozen=True, eq=False)
class Batch:
    """Stacked pairs: motion (B, T, Dm), audio (B, T, Da), masks (B, T), belongs (B,) of 0 and 1."""

    motion: NDArray[np.float32]
    motion_mask: NDArray[np.bool_]
    audio: NDArray[np.float32]
    audio_mask: NDArray[np.bool_]
    belongs: NDArray[np.float32]


def square(a: tuple[int, float], b: tuple[int, float], jitter_s: float = 0.0) -> list[Pair]:
    """The two right and two wrong pairs of two places (clip, start_s); `jitter_s` moves all sounds alike."""
    return [Pair(p[0], p[1], q[0], q[1] + jitter_s, p == q) for p, q in ((a, a), (b, b), (a, b), (b, a))]


def shifted(clip: Sides, index: int, *, shift_s: float, window_s: float = WINDOW_S, hop_s: float = HOP_S) -> list[Pair]:
    """Squares of all places of one clip that lie `shift_s` apart and hold enough sound; empty for a short clip.

    Raises:
        UsageError: the shift is not positive.
    """
    if shift_s <= 0:
        raise UsageError(f"a shift is {shift_s} s; give a positive one, such as 0.5")
    first_s, last_s = clip.span
    count = int((last_s - first_s - window_s - shift_s) / hop_s + 1e-6) + 1
    found: list[Pair] = []
    for k in range(count):
        a, b = first_s + k * hop_s, first_s + k * hop_s + shift_s
        if min(clip.sounding_s(a, window_s), clip.sounding_s(b, window_s)) >= LEAST_SOUND_S:
            found += square((index, a), (index, b))
    return found


@dataclass(frozen=True)
class Rule:
    """How training pairs are drawn: window, least and largest shift, share of swaps, and sound moved by at most `jitter_s`."""

    window_s: float = WINDOW_S
    shifts_s: tuple[float, float] = (0.2, 1.0)
    swaps: float = 0.3
    jitter_s: float = 0.04


def draw(
    clips: Sequence[Sides], rng: np.random.Generator, rule: Rule, chances: Sequence[float] | None = None
) -> list[Pair]:
    """One random square: a shift inside a clip, or a swap between two.

    `chances` are the clips' shares (sum 1). Starts lie on a grid of 20 ms and leave room for the jitter.

    Raises:
        UsageError: no clip is long enough for a window with jitter.
    """
    for _ in range(100):
        i, j = (int(n) for n in rng.choice(len(clips), 2, p=chances))
        room_i, room_j = _room(clips[i], rule), _room(clips[j], rule)
        jitter_s = 0.01 * round(rng.uniform(-rule.jitter_s, rule.jitter_s) / 0.01)
        if rng.uniform() < rule.swaps and i != j:
            if min(room_i, room_j) >= 0:
                return square(
                    (i, _start(clips[i], room_i, rule, rng)), (j, _start(clips[j], room_j, rule, rng)), jitter_s
                )
            continue
        least, most = rule.shifts_s[0], min(rule.shifts_s[1], room_i)
        if most < least:
            continue
        shift_s = 0.02 * round(rng.uniform(least, most) / 0.02)
        a = _start(clips[i], max(0.0, room_i - shift_s), rule, rng)
        if clips[i].sounding_s(a, rule.window_s + shift_s) >= LEAST_SOUND_S:
            return square((i, a), (i, a + shift_s), jitter_s)
    raise UsageError(
        f"among {len(clips)} clips hardly any gives windows of {rule.window_s} s that lie {rule.shifts_s[0]} s apart; "
        "give longer clips in which somebody speaks, or a shorter window"
    )


def _room(clip: Sides, rule: Rule) -> float:
    """Seconds by which a window can slide within a clip."""
    first_s, last_s = clip.span
    return last_s - first_s - rule.window_s - 2 * rule.jitter_s


def _start(clip: Sides, room_s: float, rule: Rule, rng: np.random.Generator) -> float:
    return clip.span[0] + rule.jitter_s + 0.02 * int(rng.uniform(0, room_s) / 0.02)


def stack(clips: Sequence[Sides], pairs: Sequence[Pair], *, window_s: float = WINDOW_S) -> Batch:
    """Cut the windows of pairs and stack them."""
    seen = [clips[p.seen].window("motion", p.seen_s, window_s) for p in pairs]
    heard = [clips[p.heard].window("audio", p.heard_s, window_s) for p in pairs]
    return Batch(
        np.stack([values for values, _ in seen]), np.stack([mask for _, mask in seen]),
        np.stack([values for values, _ in heard]), np.stack([mask for _, mask in heard]),
        np.array([p.belongs for p in pairs], np.float32),
    )  # fmt: skip


def read_clip(path: Path, speaker: str, cache: Path) -> Sides | str:
    """A clip's two normalised sides by the embedded face and voice experts; or why it has none. Raises as `observed`."""
    found = observed(path, cache)
    if isinstance(found, str):
        return found
    return Sides(path.name, speaker, normalise_lips(found[0]), normalise_sound(found[1]))


def observed(path: Path, cache: Path) -> tuple[Track, Track] | str:
    """Tracks `motion` and `prosody` as measured, kept in `cache` by the clip's content; or why there are none.

    Raises:
        InputError: the file cannot be read.
        MediaError: it is no clip.
    """
    from safetensors.numpy import load_file, save_file

    clip = Clip.open(path)
    kept = cache / f"{clip.sha256[:24]}.safetensors"
    if not kept.is_file():
        found = _look(clip)
        if isinstance(found, str):
            return found
        parts = {f"{t.name}.{part}": np.asarray(getattr(t, part)) for t in found for part in PARTS}
        kept.parent.mkdir(parents=True, exist_ok=True)
        scratch = kept.with_suffix(f".{os.getpid()}.part")
        save_file(parts, scratch)
        scratch.replace(kept)
    parts = load_file(kept)
    motion, prosody = (
        Track(name, parts[f"{name}.values"], parts[f"{name}.times_s"], parts[f"{name}.mask"], columns)
        for name, columns in (("motion", MOTION_COLUMNS), ("prosody", PROSODY_COLUMNS))
    )
    return motion, prosody


def _look(clip: Clip) -> tuple[Track, Track] | str:
    if clip.video is None or clip.audio is None:
        return "it lacks picture or sound"
    preset = load_preset("embedded")
    preset = replace(preset, experts={name: preset.experts[name] for name in ("voice", "face")})
    seen = observe(clip, preset, Context(clip)).observations
    absent = [obs.absent.reason for obs in seen.values() if obs.absent]
    return "; ".join(absent) if absent else lips_and_sound(seen)


def from_features(path: Path, motion: str, audio: str, speaker: str = "") -> Sides:
    """Two feature tracks of one clip out of a safetensors file with `<expert>.<track>.values`, `.times_s` and `.mask`.

    Each column is brought to mean 0 and spread 1 over the clip; `motion` and `audio` are names such as `motion.features`.

    Raises:
        InputError: the file lacks one of the tracks.
    """
    from safetensors.numpy import load_file

    parts = load_file(path)
    made = []
    for side, name in (("motion", motion), ("audio", audio)):
        lacking = [f"{name}.{part}" for part in PARTS if f"{name}.{part}" not in parts]
        if lacking:
            have = sorted(key.removesuffix(".values") for key in parts if key.endswith(".values"))
            raise InputError(
                f"{path.name} has no {', '.join(lacking)}; its tracks are {', '.join(have) or 'none'}; "
                "name one of them, or observe the clip with a preset that has the encoder"
            )
        values, times_s, mask = (parts[f"{name}.{part}"] for part in PARTS)
        columns = tuple(str(n) for n in range(values.shape[1]))
        made.append(standardised(Track(side, values, times_s, mask, columns)))
    return Sides(path.stem, speaker or path.stem, made[0], made[1])
