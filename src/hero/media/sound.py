"""Sound of a media file as mono blocks at one rate, decoded and resampled as it streams by.

Legend of shapes: C channels, N samples. Memory does not grow with the length of the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hero.media.container import decoded, frame_seconds, media_faults, open_container, packets, then_flush
from hero.media.notes import Notes
from hero.media.probe import RATES_HZ, Probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP_S = 0.1  # smaller steps between time stamps are rounding, not missing sound
PADDING_S = 0.002  # containers round ends to milliseconds; less than this is no padding
CHUNK = 1 << 16  # samples handled at a time
MAX_PLANES = 8  # PyAV (18.1) reads beyond the list of planes of frames with more, which crashes
# Weights of a downmix to mono in the proportions of ITU-R BS.775; the low-frequency channel is left out.
CHANNEL_WEIGHT = {"FC": 1.4142, "LFE": 0.0, "BL": 0.7071, "BR": 0.7071, "SL": 0.7071, "SR": 0.7071, "BC": 0.7071}


@dataclass(frozen=True, eq=False)
class Block:
    """A stretch of mono sound: `samples` (N,) float32 in [-1, 1], the first of them at `start_s`."""

    start_s: float
    samples: NDArray[np.float32]
    rate_hz: int


def stream_sound(path: Path, found: Probe, notes: Notes, *, rate_hz: int, block_s: float) -> Iterator[Block]:
    """Consecutive blocks of `block_s` seconds; the last one is shorter.

    Sound that starts later than the picture starts with a later `start_s`; from there on the blocks have no holes
    (missing stretches inside are filled with silence and noted).
    """
    if found.audio_index is None:
        return
    with open_container(path) as container:
        stream = container.streams[found.audio_index]
        pieces = _Placed(container, stream, found, notes)
        yield from blocks(pieces, rate_hz=rate_hz, block_s=block_s)


def blocks(pieces: _Placed | Any, *, rate_hz: int, block_s: float) -> Iterator[Block]:
    """Resample consecutive pieces (N,) with soxr HQ and cut them into blocks.

    `pieces` yields `(rate_hz, samples)` and knows `start_s` once it has begun.
    """
    size = max(1, round(block_s * rate_hz))
    ready: list[NDArray[np.float32]] = []
    held = index = 0
    for piece in _resampled(pieces, rate_hz):
        ready.append(piece)
        held += len(piece)
        while held >= size:
            whole = np.concatenate(ready) if len(ready) > 1 else ready[0]
            yield Block(pieces.start_s + index / rate_hz, whole[:size].copy(), rate_hz)
            ready, held, index = [whole[size:]], held - size, index + size
    rest = np.concatenate(ready) if ready else np.zeros(0, np.float32)
    if len(rest):
        yield Block(pieces.start_s + index / rate_hz, rest, rate_hz)


def _resampled(pieces: Any, rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Pieces at the wanted rate; their total length is exactly the source's, to the nearest sample."""
    import soxr

    source_hz, resampler, taken, given = 0, None, 0, 0
    for piece_hz, samples in pieces:
        if piece_hz != source_hz:
            if resampler is not None:
                yield _exact(
                    resampler.resample_chunk(np.zeros(0, np.float32), last=True), taken, given, source_hz, rate_hz
                )
            source_hz, taken, given = piece_hz, 0, 0
            resampler = soxr.ResampleStream(piece_hz, rate_hz, 1, "float32", "HQ") if piece_hz != rate_hz else None
        taken += len(samples)
        out = resampler.resample_chunk(samples) if resampler is not None else samples
        given += len(out)
        if len(out):
            yield np.clip(out, -1.0, 1.0)
    if resampler is not None:
        yield _exact(resampler.resample_chunk(np.zeros(0, np.float32), last=True), taken, given, source_hz, rate_hz)


def _exact(tail: NDArray[np.float32], taken: int, given: int, source_hz: int, rate_hz: int) -> NDArray[np.float32]:
    """The resampler's last samples, cut or padded to the length that the source calls for."""
    want = max(0, round(taken * rate_hz / source_hz) - given)
    tail = np.clip(tail[:want], -1.0, 1.0)
    return np.pad(tail, (0, want - len(tail))) if len(tail) < want else tail


class _Placed:
    """Mono pieces of a stream in the order of the clock, without holes and overlaps; `start_s` is where they begin."""

    def __init__(self, container: Any, stream: Any, found: Probe, notes: Notes) -> None:
        self._container, self._stream, self._found, self._notes = container, stream, found, notes
        self.start_s = 0.0

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        now_s: float | None = None  # where the next sample belongs
        for time_s, rate_hz, samples in self._heard():
            if now_s is None:
                self.start_s = now_s = max(0.0, time_s if time_s is not None else 0.0)
                if time_s is not None and time_s < 0:
                    samples = samples[round(-time_s * rate_hz) :]
            elif time_s is not None and time_s - now_s > GAP_S and time_s <= self._found.duration_s:
                self._notes.add(f"the sound has a hole from {now_s:.2f} to {time_s:.2f} s: filled with silence")
                for silence in _silence(round((time_s - now_s) * rate_hz)):
                    yield rate_hz, silence
                now_s = time_s
            elif time_s is not None and now_s - time_s > GAP_S:
                samples = samples[round((now_s - time_s) * rate_hz) :]  # told twice: keep what was told first
            room = self._room(now_s, rate_hz)
            if len(samples) - room > PADDING_S * rate_hz:
                samples = samples[: max(0, room)]
            now_s += len(samples) / rate_hz
            if len(samples):
                yield rate_hz, samples

    def _room(self, now_s: float, rate_hz: int) -> int:
        """Samples up to the end of the sound; what decoders give beyond it is padding."""
        end_s = self._found.audio_end_s
        return 1 << 62 if end_s is None else round((end_s - now_s) * rate_hz)

    def _heard(self) -> Iterator[tuple[float | None, int, NDArray[np.float32]]]:
        damaged = 0
        try:
            for packet in then_flush(packets(self._container, [self._stream], self._notes)):
                raws = decoded(self._stream, packet)
                if raws is None:
                    damaged += 1
                    continue
                for raw in raws:
                    samples = mono(raw)
                    if samples is None or not RATES_HZ[0] <= raw.sample_rate <= RATES_HZ[1]:
                        damaged += 1
                        continue
                    file_s = frame_seconds(raw, self._stream)
                    yield None if file_s is None else file_s - self._found.zero_s, raw.sample_rate, samples
        finally:
            self._notes.tally("unheard", "{n} damaged stretches of the sound were skipped", count=damaged)


def _silence(count: int) -> Iterator[NDArray[np.float32]]:
    while count > 0:
        yield np.zeros(min(count, CHUNK), np.float32)
        count -= CHUNK


def mono(raw: Any) -> NDArray[np.float32] | None:
    """A decoded audio frame mixed down to (N,) float32, or None where it is too damaged to read."""
    channels = raw.layout.nb_channels
    if channels < 1 or (raw.format.is_planar and channels > MAX_PLANES):
        return None
    try:
        values = raw.to_ndarray()
        names = [channel.name for channel in raw.layout.channels]
    except media_faults():
        return None
    if not raw.format.is_planar:
        values = values.reshape(-1, channels).T  # (1, N * C) -> (C, N)
    values = _unit(values)
    if channels == 1:
        mixed = values[0]
    else:
        weights = np.array([CHANNEL_WEIGHT.get(name, 1.0) for name in names] or [1.0] * channels, np.float32)  # (C,)
        if len(weights) != channels or weights.sum() <= 0:
            weights = np.ones(channels, np.float32)
        mixed = (weights / weights.sum()) @ values
    return np.nan_to_num(np.asarray(mixed, np.float32), nan=0.0, posinf=1.0, neginf=-1.0)


def _unit(values: NDArray[Any]) -> NDArray[np.float32]:
    """Samples of any stored type as float32 with full scale at 1."""
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128.0) / 128.0
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float32) / np.float32(-float(np.iinfo(values.dtype).min))
    return values.astype(np.float32)
