"""Speech encoders that hear the waveform: HuBERT, WavLM, wav2vec 2.0, data2vec-audio and DistilHuBERT.

Hsu et al. 2021 (HuBERT), Chen et al. 2022 (WavLM), Baevski et al. 2020 (wav2vec 2.0), Baevski et al. 2022 (data2vec),
Chang et al. 2022 (DistilHuBERT). Convolutions turn the waveform into a step every 20 ms, a transformer relates the steps.
The features are the mean of the last three transformer layers; the last one is taken behind the encoder's final layer
norm where the design has one (HuBERT large), as the field's toolkits read it.

Legend of shapes: B pieces of a batch; N samples at 16 kHz; n steps of one piece; L layers; D columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hero.errors import WeightsError
from hero.observe.encoders.encoder import Features
from hero.observe.encoders.sound_pieces import alike
from hero.observe.voice.speech import clean
from hero.pretrained.device import resolve
from hero.pretrained.loading import expect_type, fetch_again, load_pretrained, read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision

__all__ = ["SpeechEncoder", "Waveforms", "load_speech_encoder"]

RATE_HZ = 16_000
LAST_LAYERS = 3
CLASSES = {
    "hubert": "HubertModel",
    "wavlm": "WavLMModel",
    "wav2vec2": "Wav2Vec2Model",
    "data2vec-audio": "Data2VecAudioModel",
}
MASKING = ("hubert", "wavlm", "wav2vec2")
"""Designs whose positional convolution sees behind a sound's end the zeros that it would see without padding."""
UNUSED = ("masked_spec_embed", r".*\.masked_spec_embed")  # only training masks
PADDING = 0.1  # at most this share of a batch's samples is padding
CPU_BATCH, GPU_BATCH = 1, 16
TINY_VARIANCE = 1e-7


class Waveforms:
    """How a network of this family wants its sound: normalised or not, padded or not; and which steps come out."""

    def __init__(self, checkpoint: Checkpoint, config: Any) -> None:
        settings = _settings(checkpoint)
        self.normalised = bool(settings.get("do_normalize", True))
        self.masked = (
            config.model_type in MASKING
            and config.feat_extract_norm == "layer"
            and not getattr(config, "conv_pos_batch_norm", False)
        )
        self._kernels = tuple(zip(config.conv_kernel, config.conv_stride, strict=True))
        self.hop, self.field = 1, 1  # samples between steps, and under one step
        for kernel, stride in self._kernels:
            self.field += (kernel - 1) * self.hop
            self.hop *= stride

    def steps(self, samples_count: int) -> int:
        """Steps n out of N samples; 0 where they are fewer than one receptive field."""
        for kernel, stride in self._kernels:
            samples_count = max(0, (samples_count - kernel) // stride + 1)
        return samples_count

    def at(self, steps: int) -> NDArray[np.float64]:
        """Middles (n,) of the receptive fields in seconds."""
        return (np.arange(steps) * self.hop + self.field / 2) / RATE_HZ

    def prepare(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (N,) as the network was trained on: zero mean and unit variance where its checkpoint says so."""
        known = clean(np.asarray(samples).reshape(-1))
        if not self.normalised or not len(known):
            return known
        whole = known.astype(np.float64)
        scaled = (whole - whole.mean()) / np.sqrt(whole.var() + TINY_VARIANCE)
        return scaled.astype(np.float32)

    def batches(self, pieces: Sequence[NDArray[np.float32]]) -> Iterator[list[int]]:
        """Numbers of pieces that go through the network together; those without a step are left out."""
        lengths = [len(piece) for piece in pieces]
        waste = PADDING if self.masked else 0.0
        for group in alike(lengths, waste):
            if self.steps(lengths[group[0]]):
                yield group

    def padded(
        self, pieces: Sequence[NDArray[np.float32]], device: torch.device, dtype: torch.dtype
    ) -> dict[str, torch.Tensor]:
        """Inputs of one forward pass: `input_values` (B, N), and `attention_mask` (B, N) where lengths differ."""
        longest = max(len(piece) for piece in pieces)
        values = np.zeros((len(pieces), longest), np.float32)
        mask = np.zeros((len(pieces), longest), np.int64)
        for row, piece in enumerate(pieces):
            values[row, : len(piece)] = piece
            mask[row, : len(piece)] = 1
        inputs = {"input_values": torch.from_numpy(values).to(device, dtype)}
        if not mask.all():
            inputs["attention_mask"] = torch.from_numpy(mask).to(device)
        return inputs


class SpeechEncoder:
    """A frozen speech encoder; a piece is its prepared samples (N,), its features are (n, D) at 50 steps a second."""

    piece_frames = 0

    def __init__(self, model: Any, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.dim = int(model.config.hidden_size)
        self.used = checkpoint.used
        self.batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self.waveforms = Waveforms(checkpoint, model.config)
        self._model, self._device, self._dtype = model, device, dtype

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (N,) at 16 kHz, cleaned of what is no number, and normalised where the checkpoint wants it."""
        return self.waveforms.prepare(raw)

    def encode(self, pieces: Sequence[NDArray[np.float32]]) -> list[Features]:
        """Features of each piece; pieces of like lengths share a forward pass."""
        found = [Features(np.zeros((0, self.dim), np.float32), np.zeros(0))] * len(pieces)
        for group in self.waveforms.batches(pieces):
            values = self._forward([pieces[k] for k in group])  # (B, n, D)
            for row, k in enumerate(group):
                steps = self.waveforms.steps(len(pieces[k]))
                found[k] = Features(values[row, :steps].copy(), self.waveforms.at(steps))
        return found

    def _forward(self, pieces: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        inputs = self.waveforms.padded(pieces, self._device, self._dtype)
        with torch.inference_mode(), last_layers(self._model.encoder, LAST_LAYERS) as states, quiet_masks():
            self._model(**inputs)
        mean = torch.stack([state.float() for state in states]).mean(0)  # (L, B, n, D) -> (B, n, D)
        return mean.cpu().numpy()


def load_speech_encoder(
    checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto"
) -> SpeechEncoder:
    """The speech encoder of a checkpoint folder.

    Raises:
        WeightsError: the folder is no whole speech encoder, or one for another sampling rate.
        ConfigError: the device or precision is not here.
    """
    where, dtype = resolve(device, precision)
    kind = expect_type(checkpoint, tuple(CLASSES))
    model = load_pretrained(CLASSES[kind], checkpoint, dtype=dtype, device=where, may_lack=UNUSED)
    return SpeechEncoder(model, checkpoint, where, dtype)


@contextmanager
def last_layers(encoder: Any, count: int) -> Iterator[list[torch.Tensor]]:
    """Collects the outputs (B, n, D) of a transformer's last `count` layers, or of all where it has fewer.

    The last one is the encoder's own result, thus behind its final layer norm.
    """
    states: list[torch.Tensor] = []

    def of_layer(_module: Any, _inputs: Any, output: Any) -> None:
        states.append(output[0] if isinstance(output, tuple) else output)

    def of_encoder(_module: Any, _inputs: Any, output: Any) -> None:
        states.append(output[0])

    layers = list(encoder.layers)[-count:-1] if count > 1 else []
    hooks = [layer.register_forward_hook(of_layer) for layer in layers]
    hooks.append(encoder.register_forward_hook(of_encoder))
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def quiet_masks() -> Iterator[None]:
    """Without torch's advice on how WavLM combines its two masks, which nobody here can follow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
        yield


def _settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """What `preprocessor_config.json` says, or nothing where there is none (transformers normalises by default)."""
    name = "preprocessor_config.json"
    if not (checkpoint.folder / name).is_file():
        return {}
    settings = read_json(checkpoint.folder, name)
    rate = settings.get("sampling_rate", RATE_HZ)
    if rate != RATE_HZ:
        raise WeightsError(
            f"{checkpoint.folder} wants sound at {rate} Hz; speech encoders here hear {RATE_HZ} Hz; "
            f"{fetch_again(checkpoint.folder)}"
        )
    return settings
