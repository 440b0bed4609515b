"""Whisper's encoder on sound of any length: cost goes with the clip, not with a padded half minute.

Radford et al. 2023, "Robust Speech Recognition via Large-Scale Weak Supervision". Whisper was trained on windows filled
up with silence to 30 s. Here the encoder sees only the frames that exist: the two convolutions, the first n rows of the
position table, the layers. Features therefore differ from those of a padded window: no step attends to the silence
behind the sound, and the last frame sees the sound mirrored at its end where a padded one sees zeros. The clamp of the
spectrogram is the same, because the loudest frame is the same.

Legend of shapes: B pieces of a batch; N samples at 16 kHz; F frames of 10 ms; M mel bands (80 or 128); n steps of
20 ms; D columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hero.errors import InputError
from hero.observe.encoders.encoder import Features
from hero.observe.encoders.sound_pieces import alike
from hero.observe.voice.speech import clean

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision

RATE_HZ = 16_000
WINDOW, HOP = 400, 160  # 25 ms, 10 ms
STEP_S = 0.02
LONGEST_S = 30.0
RANGE = 8.0  # decades below the loudest cell; what is quieter is clamped
SILENCE = 1e-10
SLANEY_HZ, SLANEY_MEL, SLANEY_STEP = 1000.0, 15.0, np.log(6.4) / 27.0  # linear below 1 kHz, logarithmic above
PADDING = 0.1
CPU_BATCH, GPU_BATCH = 1, 16
ENCODER_ONLY = "WhisperForAudioClassification"  # the one class of transformers without the decoder
HEAD = ("projector", "classifier", "layer_weights")  # its classification head, which nothing here uses


def log_mel(samples: NDArray[np.float32], bands: int) -> NDArray[np.float32]:
    """Whisper's log-mel spectrogram (M, F) of samples (N,), F = N // 160; no frames below 25 ms of sound.

    Power of 25 ms Hann windows centred every 10 ms (mirrored at both ends), M triangles equally spaced on Slaney's mel
    scale and of equal area, logarithm to base 10, clamped to 8 decades below the loudest cell, then (x + 4) / 4.
    """
    if len(samples) < WINDOW:
        return np.zeros((bands, 0), np.float32)
    mirrored = np.pad(samples.astype(np.float32, copy=False), WINDOW // 2, mode="reflect")
    bell = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    count = len(samples) // HOP
    frames = np.lib.stride_tricks.sliding_window_view(mirrored, WINDOW)[::HOP][:count] * bell  # (F, 400)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2  # (F, 201)
    mel = np.log10(np.maximum(power.astype(np.float32) @ mel_weights(bands), SILENCE))  # (F, M)
    clamped = np.maximum(mel, mel.max() - RANGE)
    return np.ascontiguousarray(((clamped + 4) / 4).T, dtype=np.float32)


@lru_cache
def mel_weights(bands: int) -> NDArray[np.float32]:
    """Weights (201, M) of triangles from 0 to 8000 Hz, equally spaced on Slaney's mel scale and of equal area."""
    edges = _hz(np.linspace(0, _mel(RATE_HZ / 2), bands + 2))  # (M + 2,)
    bins = np.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1)[:, None]  # (201, 1)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    area = 2 / (edges[2:] - edges[:-2])
    weights: NDArray[np.float32] = (np.maximum(0, np.minimum(rising, falling)) * area).astype(np.float32)
    weights.flags.writeable = False
    return weights


def _mel(hz: float) -> float:
    """Slaney's mel of a frequency of 1 kHz or more (Slaney 1998, Auditory Toolbox)."""
    return float(SLANEY_MEL + np.log(hz / SLANEY_HZ) / SLANEY_STEP)


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = SLANEY_HZ * np.exp(SLANEY_STEP * (mel - SLANEY_MEL))
    return np.where(mel < SLANEY_MEL, mel * SLANEY_HZ / SLANEY_MEL, above)


class WhisperEncoder:
    """A frozen Whisper encoder; a piece is its spectrogram (M, F), its features are (n, D) at 50 steps a second."""

    piece_frames = 0

    def __init__(self, model: Any, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.dim = int(model.config.d_model)
        self.used = checkpoint.used
        self.batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self._bands = int(model.config.num_mel_bins)
        self._encoder, self._device, self._dtype = model, device, dtype
        self._most_frames = 2 * int(model.config.max_source_positions)

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """The spectrogram (M, F) of samples (N,) at 16 kHz.

        Raises:
            InputError: more sound than the position table has places for (30 s).
        """
        samples = np.asarray(raw).reshape(-1)
        if len(samples) // HOP > self._most_frames:
            raise InputError(
                f"{self.used.name} hears at most {self._most_frames * HOP / RATE_HZ:g} s at a time, got "
                f"{len(samples) / RATE_HZ:.1f} s; cut the sound into pieces first"
            )
        return log_mel(clean(samples), self._bands)

    def encode(self, pieces: Sequence[NDArray[np.float32]]) -> list[Features]:
        """Features of each piece; pieces of like lengths share a forward pass."""
        found = [Features(np.zeros((0, self.dim), np.float32), np.zeros(0))] * len(pieces)
        frames = [piece.shape[1] for piece in pieces]
        for group in alike(frames, PADDING):
            if not frames[group[0]]:
                continue
            values = self._forward([pieces[k] for k in group])  # (B, n, D)
            for row, k in enumerate(group):
                steps = -(-frames[k] // 2)
                found[k] = Features(values[row, :steps].copy(), np.arange(steps) * STEP_S)
        return found

    def _forward(self, pieces: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        import torch

        longest = max(piece.shape[1] for piece in pieces)
        filled = np.stack([np.pad(piece, ((0, 0), (0, longest - piece.shape[1]))) for piece in pieces])  # (B, M, F)
        frames = torch.tensor([piece.shape[1] for piece in pieces], device=self._device)
        mel = torch.from_numpy(filled).to(self._device, self._dtype)
        with torch.inference_mode():
            return encoded(self._encoder, mel, frames).float().cpu().numpy()


def encoded(encoder: Any, mel: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Hidden states (B, n, D) of spectrograms (B, M, F), of which `frames` (B,) exist; the rest is padding.

    What lies behind a piece's end is zero at both convolutions, as their own padding is, and hidden from attention, so
    that the same piece gives the same states in any batch.
    """
    import torch
    from torch.nn.functional import gelu

    exist = torch.arange(mel.shape[-1], device=mel.device) < frames[:, None]  # (B, F)
    whole = bool(exist.all())
    hidden = gelu(encoder.conv1(mel))  # (B, D, F)
    hidden = hidden if whole else hidden * exist[:, None]
    hidden = gelu(encoder.conv2(hidden)).transpose(1, 2)  # (B, n, D)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    mask = None
    if not whole:
        seen = exist[:, None, None, ::2]  # (B, 1, 1, n): a step lies on every second frame
        lowest = torch.finfo(hidden.dtype).min
        mask = torch.zeros(seen.shape, dtype=hidden.dtype, device=hidden.device).masked_fill(~seen, lowest)
    for layer in encoder.layers:
        output = layer(hidden, mask)
        hidden = output[0] if isinstance(output, tuple) else output
    states: torch.Tensor = encoder.layer_norm(hidden)
    return states


def load_whisper_encoder(
    checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto"
) -> WhisperEncoder:
    """The encoder half of a Whisper checkpoint folder; the decoder is not loaded.

    Raises:
        WeightsError: the folder is no whole Whisper.
        ConfigError: the device or precision is not here.
    """
    from hero.pretrained.device import resolve
    from hero.pretrained.loading import load_pretrained

    where, dtype = resolve(device, precision)
    model = load_pretrained(
        ENCODER_ONLY, checkpoint, dtype=dtype, device=where, types=("whisper",), may_lack=HEAD
    )  # fmt: skip
    return WhisperEncoder(model.encoder, checkpoint, where, dtype)
