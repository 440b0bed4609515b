"""VideoMAE v2 checkpoints of OpenGVLab in the words of transformers' VideoMAE class, which is the first version's.

Wang et al. 2023, "VideoMAE V2: Scaling Video Masked Autoencoders with Dual Masking". Both versions are the same network
at inference: a ViT over tubes of 2 x 16 x 16 pixels with fixed sine-cosine positions; names and the layout of the
attention weights differ. So no code of the checkpoint's folder is needed.
Legend of shapes: D columns; the three parts of `qkv.weight` (3 D, D) are query, key and value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

TYPE = "VideoMAEv2"
"""How `model_type` in these folders' config.json begins ("VideoMAEv2_Base")."""

MARK = "patch_embed.proj.weight"
OUTSIDE = ("head.", "head_dropout", "decoder.", "mask_token", "encoder_to_decoder.", "pos_embed")
NAMES = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
PARTS = ("query", "key", "value")
# What transformers' class computes; a checkpoint that says otherwise is another network.
FIXED = {"cos_attn": False, "use_learnable_pos_emb": False, "qk_scale": None, "in_chans": 3}


@dataclass(frozen=True, eq=False)
class Converted:
    """`tensors` under transformers' keys; the last norm's weight and bias (D,) apart, because its class has no place for it."""

    tensors: dict[str, torch.Tensor]
    fc_norm: tuple[torch.Tensor, torch.Tensor] | None

    @property
    def token_norm(self) -> bool:
        """Whether the tokens are normalised before their mean, as in checkpoints of pretraining."""
        return "layernorm.weight" in self.tensors


def config_lines(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of transformers' VideoMAEConfig from an OpenGVLab config.json.

    Raises:
        ValueError: it describes a network that the class cannot compute.
        LookupError, TypeError: it lacks a line or has one of another type.
    """
    lines = config["model_config"]
    for name, value in FIXED.items():
        if lines.get(name, value) != value:
            raise ValueError(f"{name} is {lines[name]!r}; only {value!r} can be computed")
    if lines.get("init_values"):
        raise ValueError(f"init_values is {lines['init_values']!r} (scaled layers); only 0 can be computed")
    dim = int(lines["embed_dim"])
    return {
        "image_size": int(lines["img_size"]),
        "patch_size": int(lines["patch_size"]),
        "num_frames": int(lines.get("num_frames", 16)),
        "tubelet_size": int(lines["tubelet_size"]),
        "hidden_size": dim,
        "num_hidden_layers": int(lines["depth"]),
        "num_attention_heads": int(lines["num_heads"]),
        "intermediate_size": int(dim * float(lines["mlp_ratio"])),
        "qkv_bias": bool(lines.get("qkv_bias", True)),
        "layer_norm_eps": float(lines.get("layer_norm_eps", 1e-6)),
    }


def convert(saved: Mapping[str, torch.Tensor]) -> Converted:
    """The encoder's tensors under transformers' keys; a classifier and a decoder are left out.

    Names may stand behind a prefix ("model.", "module.", "encoder.", "backbone."). A bias of the keys, where a file has
    one, is dropped: it adds the same to all scores of a query, which the softmax takes away again.

    Raises:
        ValueError: these are no VideoMAE v2 weights, or they have parts that the class cannot compute.
    """
    start = next((key.removesuffix(MARK) for key in saved if key.endswith(MARK)), None)
    if start is None:
        raise ValueError(f"no tensor is called {MARK}")
    tensors: dict[str, torch.Tensor] = {}
    last: dict[str, torch.Tensor] = {}
    for key, value in saved.items():
        name = key.removeprefix(start)
        if not key.startswith(start) or name.startswith(OUTSIDE):
            continue
        if name.startswith("fc_norm."):
            last[name.removeprefix("fc_norm.")] = value
        else:
            tensors.update(_renamed(name, value))
    if last and set(last) != {"weight", "bias"}:
        raise ValueError(f"fc_norm has {', '.join(sorted(last))}, not weight and bias")
    return Converted(tensors, (last["weight"], last["bias"]) if last else None)


def _renamed(name: str, value: torch.Tensor) -> dict[str, torch.Tensor]:
    """One tensor under transformers' key or, for query, key and value in one, three."""
    if name.startswith("patch_embed.proj."):
        return {name.replace("patch_embed.proj", "embeddings.patch_embeddings.projection"): value}
    if name in ("norm.weight", "norm.bias"):
        return {f"layer{name}": value}
    found = re.fullmatch(r"blocks\.(\d+)\.(.+)", name)
    if not found:
        raise ValueError(f"'{name}' is no tensor of a VideoMAE v2")
    layer, part = f"encoder.layer.{found[1]}", found[2]
    attention = f"{layer}.attention.attention"
    if part in ("attn.qkv.weight", "attn.qkv.bias"):
        kind = part.rpartition(".")[2]
        chunks = dict(zip(PARTS, value.chunk(3), strict=True))
        return {f"{attention}.{p}.{kind}": c for p, c in chunks.items() if (p, kind) != ("key", "bias")}
    if part in ("attn.q_bias", "attn.v_bias"):
        return {f"{attention}.{'query' if part == 'attn.q_bias' else 'value'}.bias": value}
    if part == "attn.k_bias":
        return {}
    module, _, kind = part.rpartition(".")
    if module not in NAMES:
        raise ValueError(f"'{name}' is no tensor that transformers' VideoMAE has")
    return {f"{layer}.{NAMES[module]}.{kind}": value}
