"""bitsandbytes: weights of few bits, its fast product on CPUs where that works, and its advice kept off the terminal.

On CPUs with AVX512-BF16, bitsandbytes packs 4-bit weights anew in place at the first answer, for a product that has no
gradients and takes whole blocks only. With 3584 columns it was 3 to 7 times as fast for one token, half as fast for 256.

4-bit weights are NF4 with double quantization (Dettmers et al. 2023), 8-bit ones LLM.int8() (Dettmers et al. 2022).
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from hero.errors import WeightsError
from hero.pretrained.loading import libraries

if TYPE_CHECKING:
    import torch

Quantize = Literal["none", "8bit", "4bit"]
INSTALL = "pip install 'hero-emotion[quantize]'"
PACKED_ROWS = 32  # weights are packed in blocks of so many rows; columns in blocks of one scale each
SPEAKER, ADVICE = "bitsandbytes.backends.cpu.ops", "Failed to load CPU gemm_4bit_forward from kernels-community"


def options_of(quantize: Quantize, where: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """The options of `from_pretrained` for weights of few bits.

    Raises:
        WeightsError: bitsandbytes or accelerate is missing.
    """
    without_advice()
    try:
        import_module("bitsandbytes")
        import_module("accelerate")
    except (ImportError, RuntimeError) as error:
        raise WeightsError(f"quantize '{quantize}' needs bitsandbytes and accelerate ({error}); {INSTALL}") from error
    _, hub = libraries()
    config = (
        hub.BitsAndBytesConfig(load_in_8bit=True)
        if quantize == "8bit"
        else hub.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    )
    return {"quantization_config": config, "device_map": {"": where}}


def without_advice() -> None:
    """Drop one line that bitsandbytes logs whenever it is imported, by peft too: to install kernels that are fetched.

    Nothing depends on them, and everything else that it logs is still told.
    """
    logging.getLogger(SPEAKER).addFilter(_no_advice)


def _no_advice(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(ADVICE)


def keep_answers(model: Any) -> None:
    """Let every 4-bit layer answer: one whose weights are no whole blocks keeps the ordinary product."""
    for module in _to_be_packed(model):
        state = module.weight.quant_state
        rows, columns = state.shape
        module.support_avx512bf16_for_cpu = not (rows % PACKED_ROWS or columns % state.blocksize)


def keep_gradients(model: Any) -> None:
    """Let a language model be trained through, whatever it answered before: packed weights would give wrong gradients."""
    for module in _to_be_packed(model):
        module.support_avx512bf16_for_cpu = False


def _to_be_packed(model: Any) -> list[Any]:
    return [module for module in model.modules() if getattr(module, "support_avx512bf16_for_cpu", False)]
