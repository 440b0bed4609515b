"""Sounds that are no speech (laughter, sighs, crying, shouts, screams, applause, music ...), heard by YAMNet.

YAMNet (Plakal & Ellis 2020, github.com/tensorflow/models/tree/master/research/audioset/yamnet, Apache-2.0; trained on
AudioSet, Gemmeke et al. 2017) maps a log-mel patch of 0.96 s to scores of 521 classes. Patches are taken every
`STEP` frames; a cell of the `events` track is the mean score of the patches that cover it. A kind of sound is the
largest of its classes; it is reported from where it reaches its threshold until it falls below 0.6 times that. Scores
are no probabilities: thresholds are per kind and stand in the evidence.

Shapes: N samples, F frames of 10 ms, C cells, K kinds.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np

from hero import models
from hero.errors import WeightsError
from hero.observe.litert import load_interpreter
from hero.observe.spans import hysteresis, runs
from hero.observe.voice.speech import clean
from hero.phrases import phrases
from hero.types import Absence, Evidence, Observation, Span, Track

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.types import Modality

    Scorer = Callable[[NDArray[np.float32]], NDArray[np.float32]]

RATE_HZ = 16000
WINDOW, HOP, FFT = 400, 160, 512  # 25 ms, 10 ms
BANDS, LOWEST_HZ, HIGHEST_HZ = 64, 125.0, 7500.0
FLOOR = 0.001
PATCH = 96  # frames of 10 ms
STEP = 24
STEP_S = STEP * HOP / RATE_HZ
COVER = PATCH // STEP
RELEASE = 0.6
NAME = "yamnet"


@dataclass(frozen=True)
class Kind:
    """One kind of sound: the classes it comprises and the score from which it is reported."""

    classes: tuple[str, ...]
    threshold: float


KINDS: dict[str, Kind] = {
    "laughter": Kind(("Laughter", "Giggle", "Snicker", "Belly laugh", "Chuckle, chortle"), 0.3),
    "crying": Kind(("Crying, sobbing", "Whimper", "Wail, moan"), 0.3),
    "sigh": Kind(("Sigh",), 0.2),
    "gasp": Kind(("Gasp",), 0.2),
    "groan": Kind(("Groan", "Grunt"), 0.25),
    "shout": Kind(("Shout", "Bellow", "Whoop", "Yell", "Children shouting"), 0.3),
    "scream": Kind(("Screaming",), 0.25),
    "whisper": Kind(("Whispering",), 0.3),
    "singing": Kind(("Singing", "Choir", "Chant", "Humming"), 0.4),
    "cough": Kind(("Cough", "Throat clearing", "Sneeze"), 0.5),
    "sniff": Kind(("Sniff",), 0.25),
    "breathing": Kind(("Breathing", "Pant", "Wheeze"), 0.3),
    "applause": Kind(("Applause", "Clapping"), 0.3),
    "cheering": Kind(("Cheering", "Crowd"), 0.35),
    "music": Kind(("Music", "Musical instrument", "Background music"), 0.4),
}


class SoundsExpert:
    """Listens for sounds that are no speech; one instance per clip."""

    name = "sounds"
    modality: Modality = "voice"
    revision = "1"
    reads: Reads = "sound"
    identity = ""

    def start(self, context: Context) -> Absence | None:
        """Load YAMNet; absent without an audio stream or without its weights."""
        if context.clip.audio is None:
            return Absence(self.name, "the clip has no sound", "give a clip with an audio stream")
        path = models.find(NAME)
        if path is None:
            return Absence(self.name, "the audio-event model (YAMNet) is not at hand", models.entry(NAME).obtain)
        self._lang = context.lang
        self.identity = models.entry(NAME).used.sha256
        self._stream = EventStream(load_scorer(path), kind_columns(path))
        self._offset_s: float | None = None
        return None

    def take(self, piece: Frame | Block) -> None:
        """One block of sound at 16 kHz."""
        block = cast("Block", piece)
        if self._offset_s is None:
            self._offset_s = block.start_s
        self._stream.push(block.samples)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """The score track of the kinds of sound and the evidence above their thresholds."""
        scores, seconds = self._stream.flush()  # (C, K)
        if not len(scores):
            return Observation(self.name, self.modality, absent=Absence(self.name, "the sound is empty"))
        begin_s = self._offset_s or 0.0
        times_s = begin_s + STEP_S * np.arange(len(scores), dtype=np.float64)
        track = Track("events", scores, times_s + STEP_S / 2, np.ones(len(scores), bool), tuple(KINDS), "score")
        evidence = tuple(self._evidence(scores, times_s, begin_s + seconds))
        return Observation(
            self.name, self.modality, {"events": track}, evidence, models=(models.entry(NAME).used,)
        )  # fmt: skip

    def _evidence(self, scores: NDArray[np.float32], times_s: NDArray[np.float64], end_s: float) -> list[Evidence]:
        words = phrases(self.name, self._lang)
        found = []
        for column, (cue, kind) in enumerate(KINDS.items()):
            values = scores[:, column]
            for span in runs(hysteresis(values, on=kind.threshold, off=RELEASE * kind.threshold), times_s):
                inside = (times_s >= span.start_s - 1e-6) & (times_s < span.end_s - 1e-6)
                peak = float(values[inside].max())
                heard = Span(span.start_s, max(span.start_s, min(span.end_s, end_s)))
                text, brief = words.evidence(
                    cue, start=heard.start_s, end=heard.end_s, score=peak, threshold=kind.threshold
                )  # fmt: skip
                strength = 0.3 + 0.7 * (peak - kind.threshold) / (1 - kind.threshold)
                confidence = 0.35 + 0.5 * peak
                found.append(
                    Evidence(self.modality, f"{self.name}@{self.revision}", cue, text, brief, heard,
                             round(confidence, 3), round(strength, 3), {"score": peak})
                )  # fmt: skip
        return found


class EventStream:
    """Scores of the kinds of sound per cell of 0.24 s, from blocks of any size; holds about a second of sound."""

    def __init__(self, scorer: Scorer, columns: tuple[NDArray[np.intp], ...]) -> None:
        self._scorer = scorer
        self._columns = columns
        self._waiting = np.zeros(0, np.float32)
        self._frames = np.zeros((0, BANDS), np.float32)
        self._rows: list[NDArray[np.float32]] = []
        self._count = 0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples (N,)."""
        self._count += len(samples)
        self._add(clean(samples))

    def _add(self, samples: NDArray[np.float32]) -> None:
        self._waiting = np.concatenate([self._waiting, samples])
        needed = (STEP - 1) * HOP + WINDOW
        while len(self._waiting) >= needed:
            self._frames = np.concatenate([self._frames, log_mel(self._waiting[:needed])])  # (F, 64)
            self._waiting = self._waiting[STEP * HOP :]
            if len(self._frames) == PATCH:
                scores = self._scorer(self._frames)
                self._rows.append(np.asarray([scores[at].max() for at in self._columns], np.float32))
                self._frames = self._frames[STEP:]

    def flush(self) -> tuple[NDArray[np.float32], float]:
        """Mean scores per cell (C, K) and the length in seconds; the last patch is filled up with silence."""
        seconds = self._count / RATE_HZ
        if not self._count:
            return np.zeros((0, len(self._columns)), np.float32), 0.0
        cells = max(1, -(-self._count // (STEP * HOP)))
        while len(self._rows) < max(1, cells - COVER + 1):
            self._add(np.zeros(STEP * HOP, np.float32))
        patches = np.stack(self._rows)  # (P, K)
        total, heard = np.zeros((cells, patches.shape[1])), np.zeros((cells, 1))
        for shift in range(COVER):
            size = max(0, min(len(patches), cells - shift))
            total[shift : shift + size] += patches[:size]
            heard[shift : shift + size] += 1
        return (total / np.maximum(heard, 1)).astype(np.float32), seconds


@lru_cache
def _mel_weights() -> NDArray[np.float32]:
    def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = 1127.0 * np.log1p(hz / 700.0)
        return scaled

    low, high = mel(np.asarray([LOWEST_HZ, HIGHEST_HZ])).tolist()
    edges = np.linspace(low, high, BANDS + 2)
    bins = mel(np.arange(FFT // 2 + 1) * RATE_HZ / FFT)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    weights[0] = 0
    return weights


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Natural log of 64 mel magnitudes, (N,) -> (F, 64): 25 ms Hann windows every 10 ms, as YAMNet was trained."""
    bell = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * bell  # (F, 400)
    magnitude = np.abs(np.fft.rfft(frames, FFT, axis=1)).astype(np.float32)
    heard: NDArray[np.float32] = np.log(magnitude @ _mel_weights() + FLOOR)
    return heard


def load_scorer(path: Path) -> Scorer:
    """YAMNet as a function from a patch (96, 64) to scores (521,), on one thread.

    Raises:
        WeightsError: the runtime is missing or refuses the file.
    """
    interpreter = load_interpreter(path.read_bytes(), path.name)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def score(patch: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.set_tensor(source["index"], patch[None].astype(np.float32))
        interpreter.invoke()
        scores: NDArray[np.float32] = interpreter.get_tensor(target["index"])[0].copy()
        return scores

    return score


def kind_columns(path: Path) -> tuple[NDArray[np.intp], ...]:
    """Numbers of the classes of each kind, from the class map beside the model.

    Raises:
        WeightsError: the class map lacks one of them.
    """
    with (path.parent / "yamnet_class_map.csv").open(encoding="utf-8", newline="") as file:
        number = {row["display_name"]: int(row["index"]) for row in csv.DictReader(file)}
    missing = [name for kind in KINDS.values() for name in kind.classes if name not in number]
    if missing:
        raise WeightsError(f"yamnet_class_map.csv lacks {', '.join(missing)}; put the published class map in its place")
    return tuple(np.asarray([number[name] for name in kind.classes]) for kind in KINDS.values())
