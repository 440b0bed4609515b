"""Forward passes of small trained networks in NumPy, so that heads run without PyTorch.

Letters: D inputs, H hidden units, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """`x @ weight + bias` in float32; x (..., D), weight (D, C), which may be stored as float16."""
    return x.astype(np.float32) @ weight.astype(np.float32) + bias.astype(np.float32)


def relu(x: np.ndarray) -> np.ndarray:
    """Negative values set to 0."""
    return np.maximum(x, 0.0)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def perceptron(x: np.ndarray, tensors: Mapping[str, np.ndarray], prefix: str) -> np.ndarray:
    """Logits (..., C) of one hidden layer: `{prefix}.in.weight` (D, H), `.in.bias` (H,), `.out.weight`, `.out.bias`."""
    hidden = relu(linear(x, tensors[f"{prefix}.in.weight"], tensors[f"{prefix}.in.bias"]))
    return linear(hidden, tensors[f"{prefix}.out.weight"], tensors[f"{prefix}.out.bias"])
