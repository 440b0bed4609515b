"""Image encoders: CLIP's and SigLIP's picture halves, one vector per picture or one per patch.

CLIP: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision". SigLIP: Zhai et al.
2023, "Sigmoid Loss for Language Image Pre-Training"; SigLIP 2: Tschannen et al. 2025.
Legend of shapes: H, W rows and columns of a frame; S side of a picture; B pictures of a batch; P patches; D columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hero.errors import ConfigError, InputError, WeightsError
from hero.observe.encoders.encoder import Features
from hero.observe.encoders.picture import Recipe, fit, pixels, recipe_of, side_of
from hero.pretrained.device import resolve
from hero.pretrained.loading import libraries, load_pretrained, read_json

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision
    from hero.types import ModelUsed

Tokens = Literal["pooled", "patches"]

GPU_BATCH = 64
CPU_BATCH, CPU_TOKENS = 8, 1024
"""On a CPU a batch pays only while its activations stay in the cache; measured with CLIP B/32, L/14 and SigLIP B/16."""


@dataclass(frozen=True, eq=False)
class ImageEncoder:
    """A picture encoder (see `encoder.Encoder`): a piece is (S, S, 3) uint8; values are (1, D), or (P, D) for patches."""

    dim: int
    used: ModelUsed
    batch: int
    recipe: Recipe
    tokens: Tokens
    network: Any
    device: torch.device
    dtype: torch.dtype
    classes: int  # tokens before the patches
    piece_frames: int = 1

    def prepare(self, raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A frame (H, W, 3) uint8 as a picture (S, S, 3) uint8.

        Raises:
            InputError: it is no frame of bytes.
        """
        return fit(raw, self.recipe)

    def encode(self, pieces: Sequence[NDArray[np.uint8]]) -> list[Features]:
        """Features of each picture; forward passes of at most `batch` pictures.

        Raises:
            InputError: a piece is no picture of the encoder's side.
            WeightsError: the network gives no finite numbers.
        """
        check_pieces(pieces, (self.recipe.side_px, self.recipe.side_px, 3))
        found: list[Features] = []
        for start in range(0, len(pieces), self.batch):
            found += self._forward(np.stack(pieces[start : start + self.batch]))
        return found

    def _forward(self, pictures: NDArray[np.uint8]) -> list[Features]:
        torch, _ = libraries()
        with torch.inference_mode():
            seen = self.network(pixels(torch.from_numpy(pictures).to(self.device), self.recipe, self.dtype))
            kept = seen.pooler_output[:, None] if self.tokens == "pooled" else seen.last_hidden_state[:, self.classes :]
            values = to_numbers(kept, self.used.name)  # (B, 1 or P, D)
        return [Features(one, np.zeros(len(one))) for one in values]


def check_pieces(pieces: Sequence[NDArray[np.uint8]], shape: tuple[int, ...]) -> None:
    """Refuse what `prepare` did not make.

    Raises:
        InputError: a piece has another shape or type.
    """
    for piece in pieces:
        if piece.shape != shape or piece.dtype != np.uint8:
            raise InputError(f"a piece is {shape} uint8; came {piece.shape} {piece.dtype}; make it with prepare()")


def to_numbers(values: torch.Tensor, name: str) -> NDArray[np.float32]:
    """Features as float32 on the CPU.

    Raises:
        WeightsError: they are not finite, so the weights are damaged or too large for the precision.
    """
    found: NDArray[np.float32] = values.float().cpu().numpy()
    if not np.isfinite(found).all():
        raise WeightsError(f"'{name}' gives features that are no numbers; fetch it again, or set precision to fp32")
    return found


def load_clip(
    checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto", tokens: Tokens = "pooled"
) -> ImageEncoder:
    """CLIP's picture half, from a whole CLIP or a folder of that half alone.

    `tokens` "pooled" gives the class token after the last layer norm (1, D), before the projection to the space shared
    with words: D is 1024 for ViT-L/14. "patches" gives the last layer's tokens of the patches (P, D).

    Raises:
        ConfigError: the device or precision is not here, or `tokens` is neither.
        WeightsError: the folder is no whole CLIP.
    """
    return _load(
        "CLIPVisionModel",
        checkpoint,
        ("clip", "clip_vision_model"),
        1,
        device=device,
        precision=precision,
        tokens=tokens,
    )


def load_siglip(
    checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto", tokens: Tokens = "pooled"
) -> ImageEncoder:
    """SigLIP's picture half; SigLIP 2 checkpoints of a fixed size are of the same class.

    `tokens` "pooled" gives what the attention pooling head says (1, D), "patches" the last layer's tokens (P, D).

    Raises:
        ConfigError: the device or precision is not here, or `tokens` is neither.
        WeightsError: the folder is no whole SigLIP, or a SigLIP 2 of variable size (NaFlex).
    """
    if str(read_json(checkpoint.folder).get("model_type")).startswith("siglip2"):
        raise WeightsError(
            f"{checkpoint.folder} is a SigLIP 2 of variable size (NaFlex), which is not supported; "
            f"fetch one of a fixed size, such as siglip2-base-patch16-224"
        )
    types = ("siglip", "siglip_vision_model")
    encoder = _load("SiglipVisionModel", checkpoint, types, 0, device=device, precision=precision, tokens=tokens)
    if tokens == "pooled" and not encoder.network.config.vision_use_head:
        raise WeightsError(
            f"{checkpoint.folder} has no pooling head; use tokens='patches', or fetch a SigLIP that has one"
        )
    return encoder


def _load(
    class_name: str, checkpoint: Checkpoint, types: tuple[str, ...], classes: int, *,
    device: Device, precision: Precision, tokens: Tokens,
) -> ImageEncoder:  # fmt: skip
    if tokens not in ("pooled", "patches"):
        raise ConfigError(f"tokens is '{tokens}'; allowed: pooled, patches; correct the setting")
    where, dtype = resolve(device, precision)
    network = load_pretrained(class_name, checkpoint, dtype=dtype, device=where, types=types)
    for head in network.modules():
        if hasattr(head, "probe"):
            head.forward = partial(_attention_pool, head)
    config = network.config
    side_px = side_of(checkpoint.folder, config.image_size)
    recipe = recipe_of(checkpoint.folder, checkpoint.kind, side_px)
    patches = (side_px // int(config.patch_size)) ** 2
    batch = min(CPU_BATCH, max(1, CPU_TOKENS // patches)) if where.type == "cpu" else GPU_BATCH
    dim = int(config.hidden_size)
    return ImageEncoder(dim, checkpoint.used, batch, recipe, tokens, network, where, dtype, classes)


def _attention_pool(head: Any, tokens: torch.Tensor) -> torch.Tensor:
    """SigLIP's head (Zhai et al. 2023): one learned query attends to all tokens (B, P, D), a residual MLP follows: (B, D).

    The same numbers as the head's own forward, whose PyTorch attention copies its weights once per token when a batch
    has more than one picture and nothing is trained: half a second and more for base-size batches in bf16 on a CPU.
    """
    torch, _ = libraries()
    linear, attention = torch.nn.functional.linear, head.attention
    dim = tokens.shape[-1]
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    query = linear(head.probe, weight[:dim], bias[:dim]).expand(len(tokens), 1, dim)
    keys, values = linear(tokens, weight[dim:], bias[dim:]).chunk(2, dim=-1)  # (B, P, D) each
    split = (part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in (query, keys, values))
    mixed = torch.nn.functional.scaled_dot_product_attention(*split)  # (B, heads, 1, D / heads)
    pooled = attention.out_proj(mixed.transpose(1, 2).flatten(2))  # (B, 1, D)
    return (pooled + head.mlp(head.layernorm(pooled)))[:, 0]
