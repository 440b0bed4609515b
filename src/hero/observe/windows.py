"""Stretches of a clip to be judged as one: utterances out of speech spans, their samples, and windows of equal length.

Legend: N samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hero.types import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.media.clip import Clip

JOIN_GAP_S = 1.0  # speech with shorter gaps is one utterance
PAD_S = 0.8  # of sound kept on both sides: a cut edge costs the voice head far more than silence does
WINDOW_S = 5.0  # longer utterances are cut into windows of about this length
MIN_SPEECH_S = 0.3
RATE_HZ = 16_000


def utterances(speech: Iterable[Span], duration_s: float) -> list[Span]:
    """Speech spans joined over short gaps, padded, and cut where they are long."""
    joined: list[Span] = []
    for span in sorted(speech):
        if joined and span.start_s - joined[-1].end_s < JOIN_GAP_S:
            joined[-1] = Span(joined[-1].start_s, max(joined[-1].end_s, span.end_s))
        else:
            joined.append(span)
    if not joined:
        return []
    windows: list[Span] = []
    edges = [0.0, *((a.end_s + b.start_s) / 2 for a, b in pairwise(joined)), duration_s]  # half of each gap is ours
    for span, (least_s, most_s) in zip(joined, pairwise(edges), strict=True):
        if span.duration_s < MIN_SPEECH_S:
            continue
        start_s, end_s = max(least_s, span.start_s - PAD_S), max(span.end_s, min(most_s, span.end_s + PAD_S))
        windows += equal_windows(start_s, end_s, WINDOW_S)
    return windows


def cut(clip: Clip, windows: Sequence[Span]) -> Iterator[tuple[Span, NDArray[np.float32]]]:
    """The samples (N,) of each window, in one pass over the sound; only the open windows are held."""
    pending = sorted(windows)
    held: list[NDArray[np.float32]] = []
    held_start_s = 0.0
    for block in clip.sound(rate_hz=RATE_HZ):
        if not held:
            held_start_s = block.start_s
        held.append(block.samples)
        end_s = block.start_s + len(block.samples) / RATE_HZ
        while pending and pending[0].end_s <= end_s:
            window = pending.pop(0)
            yield window, _slice(held, held_start_s, window)
        keep_from_s = pending[0].start_s if pending else end_s
        while held and held_start_s + len(held[0]) / RATE_HZ <= keep_from_s:
            held_start_s += len(held.pop(0)) / RATE_HZ
        if not pending:
            return
    for window in pending:
        samples = _slice(held, held_start_s, window)
        if len(samples):
            yield window, samples


def _slice(held: Sequence[NDArray[np.float32]], held_start_s: float, window: Span) -> NDArray[np.float32]:
    samples = np.concatenate(held) if held else np.zeros(0, np.float32)
    first = max(0, round((window.start_s - held_start_s) * RATE_HZ))
    return samples[first : max(first, round((window.end_s - held_start_s) * RATE_HZ))]


def equal_windows(start_s: float, end_s: float, length_s: float) -> list[Span]:
    """Equal windows of about `length_s` that cover start to end."""
    count = max(1, round((end_s - start_s) / length_s))
    edges = np.linspace(start_s, end_s, count + 1)
    spans = [Span(float(a), float(b)) for a, b in pairwise(edges)]
    return [*spans[:-1], Span(spans[-1].start_s, spans[-1].end_s + 1e-6)]
