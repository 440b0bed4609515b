"""Speech recognition where a model is at hand: faster-whisper with a model folder on this machine, or a checkpoint that
the settings name (Whisper, Qwen2-Audio) through transformers; nothing is downloaded.

pocketsphinx, the only recogniser whose model ships in its wheel, is not used: its word error rate on real speech is
0.57 (`benchmarks/speech_recognition.py`; the bar is 0.35).

Shapes: N samples at 16 kHz.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from functools import lru_cache
from importlib import import_module, util
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from hero.observe.encoders.recognizer import Recognizer
from hero.types import LabelledSpan, ModelUsed, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision

SIZES = ("small", "turbo", "base", "medium", "tiny", "large")  # the best trade on a CPU first
JOIN_GAP_S = 0.6
LONGEST_S = 28.0  # Whisper hears 30 s at a time
PAD_S = 0.2
LICENCE = "MIT"

_opening = Lock()


def model_folder() -> Path | None:
    """A faster-whisper model folder on this machine: under HERO_MODELS, else in the Hugging Face cache."""
    own = os.environ.get("HERO_MODELS")
    found = sorted(Path(own).glob("faster-whisper-*")) if own else []
    hub = Path(
        os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface") / "hub"
    )
    found += sorted(hub.glob("models--*--faster-whisper-*/snapshots/*"))
    usable = [folder for folder in found if (folder / "model.bin").is_file() and (folder / "config.json").is_file()]
    return min(usable, key=_preference, default=None)


def _preference(folder: Path) -> int:
    return next((k for k, size in enumerate(SIZES) if size in str(folder.parent.parent.name) + folder.name), len(SIZES))


def recognizer() -> Recognizer | None:
    """The recogniser at hand, or None where the package or a model folder is missing; it is loaded once per process."""
    folder = model_folder()
    if folder is None or not util.find_spec("faster_whisper"):
        return None
    with _opening:
        return _load_faster(folder, (folder / "model.bin").stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _load_faster(folder: Path, mtime_ns: int) -> Recognizer:
    """`mtime_ns` is part of the cache's key, so that a changed file is read again."""
    del mtime_ns
    model: Any = import_module("faster_whisper").WhisperModel(
        str(folder), device="cpu", compute_type="int8", local_files_only=True
    )

    def hear(samples: NDArray[np.float32]) -> tuple[list[LabelledSpan], str | None]:
        segments, about = model.transcribe(
            samples, beam_size=5, word_timestamps=True, condition_on_previous_text=False, vad_filter=False
        )
        words = [word for segment in segments for word in segment.words or ()]
        return [_labelled(word) for word in words if word.word.strip()], about.language

    name = folder.name if folder.name.startswith("faster-whisper") else folder.parent.parent.name.split("--")[-1]
    with (folder / "model.bin").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Recognizer(name, hear, ModelUsed(name, digest, LICENCE))


def _labelled(word: Any) -> LabelledSpan:
    start_s = max(0.0, float(word.start))
    return LabelledSpan(Span(start_s, max(start_s, float(word.end))), word.word.strip(), float(word.probability))


def opened(checkpoint: Checkpoint, device: Device, precision: Precision) -> Recognizer:
    """The recogniser of a checkpoint, loaded once per process; it hears one window at a time, whichever clip asks.

    Raises:
        ConfigError: the checkpoint recognises no speech, or the device is not here.
        WeightsError: the folder cannot be loaded as its kind.
    """
    with _opening:
        return _load(checkpoint, device, precision)


@lru_cache(maxsize=1)
def _load(checkpoint: Checkpoint, device: Device, precision: Precision) -> Recognizer:
    from hero.observe.encoders.speech import open_recognizer

    loaded, turn = open_recognizer(checkpoint, device=device, precision=precision), Lock()

    def hear(samples: NDArray[np.float32]) -> tuple[list[LabelledSpan], str | None]:
        with turn:
            return loaded.hear(samples)

    return replace(loaded, hear=hear)


def windows_of(speech: Sequence[Span], duration_s: float) -> list[Span]:
    """Stretches of at most 28 s to recognise one by one: speech joined over short gaps, with a little room around."""
    joined: list[Span] = []
    for span in speech:
        last = joined[-1] if joined else None
        if last and span.start_s - last.end_s < JOIN_GAP_S and span.end_s - last.start_s <= LONGEST_S:
            joined[-1] = Span(last.start_s, span.end_s)
        else:
            joined.append(span)
    parts: list[Span] = []
    for span in joined:
        count = max(1, int(-(-span.duration_s // LONGEST_S)))
        step_s = span.duration_s / count
        edges = [span.start_s + k * step_s for k in range(count)] + [span.end_s]
        edges[0], edges[-1] = max(0.0, edges[0] - PAD_S), min(max(duration_s, edges[-1]), edges[-1] + PAD_S)
        parts += [Span(a, b) for a, b in pairwise(edges)]
    return parts


def shifted(words: Sequence[LabelledSpan], window: Span) -> list[LabelledSpan]:
    """Words timed from the start of a window, on the clip's clock and inside the window."""
    moved = []
    for word in words:
        start_s = min(window.start_s + word.span.start_s, window.end_s)
        end_s = min(window.start_s + word.span.end_s, window.end_s)
        moved.append(LabelledSpan(Span(start_s, max(start_s, end_s)), word.label, word.confidence))
    return moved
