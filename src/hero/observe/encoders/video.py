"""Video encoders: VideoMAE of both versions, one vector per window of frames.

Tong et al. 2022, "VideoMAE: Masked Autoencoders are Data-Efficient Learners"; Wang et al. 2023, "VideoMAE V2".
Legend of shapes: H, W rows and columns of a frame; S side of a picture; F frames of a window (16); B windows of a batch;
P tubes of 2 frames by 16 x 16 pixels; D columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hero.errors import InputError
from hero.observe.encoders import video_keys
from hero.observe.encoders.encoder import Features
from hero.observe.encoders.image import check_pieces, to_numbers
from hero.observe.encoders.picture import Recipe, fit, pixels, recipe_of, side_of
from hero.pretrained.device import resolve
from hero.pretrained.loading import libraries, load_pretrained, read_json, reading, tensors_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision
    from hero.types import ModelUsed

CPU_BATCH = 1
"""1568 tokens fill a CPU's caches; two windows at a time were 2 % slower, four 10 %."""
GPU_BATCH = 16
CLASSIFIER = "VideoMAEForVideoClassification"


@dataclass(frozen=True, eq=False)
class VideoEncoder:
    """A video encoder (see `encoder.Encoder`): a piece is (F, S, S, 3) uint8; values are (1, D)."""

    dim: int
    used: ModelUsed
    batch: int
    piece_frames: int
    recipe: Recipe
    network: Any
    last_norm: Callable[[torch.Tensor], torch.Tensor] | None
    device: torch.device
    dtype: torch.dtype

    def prepare(self, raw: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The frames of a window, each (H, W, 3) uint8, as one piece (F, S, S, 3) uint8.

        Raises:
            InputError: there are not `piece_frames` frames, or one is no frame of bytes.
        """
        if len(raw) != self.piece_frames:
            raise InputError(
                f"a window is {self.piece_frames} frames; came {len(raw)}; repeat the last one or take more"
            )
        return np.stack([fit(rgb, self.recipe) for rgb in raw])

    def encode(self, pieces: Sequence[NDArray[np.uint8]]) -> list[Features]:
        """The mean of each window's tokens, through the checkpoint's last norm where it has one.

        Forward passes are of at most `batch` windows.

        Raises:
            InputError: a piece is no window of the encoder's size.
            WeightsError: the network gives no finite numbers.
        """
        check_pieces(pieces, (self.piece_frames, self.recipe.side_px, self.recipe.side_px, 3))
        found: list[Features] = []
        for start in range(0, len(pieces), self.batch):
            found += self._forward(np.stack(pieces[start : start + self.batch]))
        return found

    def _forward(self, windows: NDArray[np.uint8]) -> list[Features]:
        torch, _ = libraries()
        with torch.inference_mode():
            frames = pixels(torch.from_numpy(windows).to(self.device), self.recipe, self.dtype)  # (B, F, 3, S, S)
            tokens = self.network(frames).last_hidden_state  # (B, P, D)
            mean = tokens.float().mean(dim=1)  # (B, D)
            values = to_numbers(self.last_norm(mean) if self.last_norm else mean, self.used.name)
        return [Features(one[None], np.zeros(1)) for one in values]


def load_videomae(checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto") -> VideoEncoder:
    """VideoMAE from a folder of the first version (transformers' layout) or of the second (OpenGVLab's).

    D is 768 for the base size. Pretrained, fine-tuned and distilled checkpoints are read; a classifier or decoder is
    left out, the norm after the mean (`fc_norm`) is kept where there is one.

    Raises:
        ConfigError: the device or precision is not here.
        WeightsError: the folder is no whole VideoMAE.
    """
    where, dtype = resolve(device, precision)
    lines = read_json(checkpoint.folder)
    second = str(lines.get("model_type")).startswith(video_keys.TYPE)
    load = _second_version if second else _first_version
    network, last_norm = load(checkpoint, lines, where, dtype)
    config = network.config
    recipe = recipe_of(checkpoint.folder, checkpoint.kind, side_of(checkpoint.folder, config.image_size))
    batch = CPU_BATCH if where.type == "cpu" else GPU_BATCH
    return VideoEncoder(
        int(config.hidden_size),
        checkpoint.used,
        batch,
        int(config.num_frames),
        recipe,
        network,
        last_norm,
        where,
        dtype,
    )


def _first_version(
    checkpoint: Checkpoint, lines: dict[str, Any], where: torch.device, dtype: torch.dtype
) -> tuple[Any, Any]:
    """The network, and the norm after the mean that fine-tuned checkpoints have."""
    if lines.get("architectures") == [CLASSIFIER]:
        whole = load_pretrained(CLASSIFIER, checkpoint, dtype=dtype, device=where, types=("videomae",))
        return whole.videomae, whole.fc_norm.float() if whole.fc_norm is not None else None
    return load_pretrained("VideoMAEModel", checkpoint, dtype=dtype, device=where, types=("videomae",)), None


def _second_version(
    checkpoint: Checkpoint, lines: dict[str, Any], where: torch.device, dtype: torch.dtype
) -> tuple[Any, Any]:
    """The same class, from converted keys."""
    torch, hub = libraries()
    with reading(checkpoint.folder, "VideoMAE v2"):
        converted = video_keys.convert(tensors_of(checkpoint.folder))
        config = hub.VideoMAEConfig(**video_keys.config_lines(lines), use_mean_pooling=not converted.token_norm)
        last_norm = _last_norm(torch, converted, config, where)
    tensors = converted.tensors
    network = load_pretrained("VideoMAEModel", checkpoint, dtype=dtype, device=where, config=config, state_dict=tensors)
    return network, last_norm


def _last_norm(torch: Any, converted: video_keys.Converted, config: Any, where: torch.device) -> Any:
    if converted.fc_norm is None:
        return None
    norm = torch.nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
    norm.load_state_dict(dict(zip(("weight", "bias"), converted.fc_norm, strict=True)))
    return norm.requires_grad_(False).float().to(where)
