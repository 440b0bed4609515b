"""From the tracks of several clips to one padded batch for the integration layer.

Legend: B clips, T steps of a clip's track, L steps of the longest in the batch, I columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from hero.errors import InputError
from hero.hero_model.config import HeroConfig
from hero.nn.integration import Feed, IntegrationLayer
from hero.types import Modality, Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_STEPS = 512


class Feeds(NamedTuple):
    """A batch for `IntegrationLayer`, and for each clip what was left out of it."""

    feeds: dict[Modality, Feed]
    notes: tuple[tuple[str, ...], ...]


def feeds_of(
    clips: Sequence[Mapping[Modality, Track]],
    reader: IntegrationLayer | HeroConfig,
    *,
    device: torch.device | str | None = None,
    max_steps: int = MAX_STEPS,
) -> Feeds:
    """The tracks of B clips, padded and masked, for every modality that `reader` reads.

    A track of more than `max_steps` steps is averaged over equal groups of steps, what is masked left out, and so are its
    times. A track whose width does not fit, or in which nothing is measured, counts as missing, and a note says so; so
    does one for a track that `reader` does not read.

    Raises:
        InputError: no clip, or `max_steps` below 1.
    """
    if not clips or max_steps < 1:
        raise InputError(
            f"{len(clips)} clips of at most {max_steps} steps make no batch; give one clip and one step at least"
        )
    read = _columns(reader)
    told = f"was left out: the model reads {', '.join(read) or 'text only'}"
    notes = [[f"the track of '{name}' {told}" for name in clip if name not in read] for clip in clips]
    feeds = {}
    for modality, columns in read.items():
        chosen = [_fitting(clip.get(modality), modality, columns, notes[row]) for row, clip in enumerate(clips)]
        shorter = [None if track is None else _averaged(track, max_steps) for track in chosen]
        feeds[modality] = _padded(shorter, columns, device)
    return Feeds(feeds, tuple(tuple(told) for told in notes))


def _columns(reader: IntegrationLayer | HeroConfig) -> dict[Modality, int]:
    if isinstance(reader, HeroConfig):
        sizes = reader.integration or {"modalities": [], "parts": {}}
        return {name: int(sizes["parts"][name]["dim_in"]) for name in sizes["modalities"]}
    return {name: reader.connectors.part(name).dim_in for name in reader.modalities}


def _fitting(track: Track | None, modality: Modality, columns: int, notes: list[str]) -> Track | None:
    """The track, or None where it is missing, empty, of another width or nowhere measured."""
    if track is None or not len(track.values):
        return None
    if track.values.shape[1] != columns:
        notes.append(
            f"the track of '{modality}' has {track.values.shape[1]} columns, the model reads {columns}: it was left out"
        )
        return None
    if not track.mask.any():
        steps = len(track.values)
        notes.append(
            f"the track of '{modality}' counts as missing: all of its {steps} steps are masked, or NaN or infinite"
        )
        return None
    return track


class _Steps(NamedTuple):
    """values (T, I) float32, mask (T, I) bool, times_s (T,) float32."""

    values: NDArray[np.float32]
    mask: NDArray[np.bool_]
    times_s: NDArray[np.float32]


def _averaged(track: Track, max_steps: int) -> _Steps:
    """The track, or masked means over groups of equally many steps (the last group may be smaller)."""
    steps = len(track.values)
    size = -(-steps // max_steps)
    if size == 1:
        return _Steps(track.values.astype(np.float32), track.mask, track.times_s.astype(np.float32))
    starts = np.arange(0, steps, size)
    counts = np.add.reduceat(track.mask.astype(np.float64), starts)  # (G, I)
    sums = np.add.reduceat(np.where(track.mask, track.values, 0).astype(np.float64), starts)
    times_s = np.add.reduceat(track.times_s, starts) / np.diff(np.append(starts, steps))
    values = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return _Steps(values.astype(np.float32), counts > 0, times_s.astype(np.float32))


def _padded(tracks: Sequence[_Steps | None], columns: int, device: torch.device | str | None) -> Feed:
    """(B, L, I) with L of the longest track, 1 at least; what is padded or missing is masked."""
    longest = max((len(track.values) for track in tracks if track is not None), default=1)
    values = np.zeros((len(tracks), longest, columns), dtype=np.float32)
    mask = np.zeros_like(values, dtype=bool)
    times_s = np.zeros((len(tracks), longest), dtype=np.float32)
    for row, track in enumerate(tracks):
        if track is not None:
            steps = len(track.values)
            values[row, :steps], mask[row, :steps], times_s[row, :steps] = track
    return Feed(*(torch.from_numpy(array).to(device) for array in (values, mask, times_s)))
