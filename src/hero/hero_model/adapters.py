"""LoRA on a language model through peft: added, read from a checked file, and written in peft's own layout."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save

from hero import checkpoints
from hero.errors import ConfigError, WeightsError
from hero.hero_model.few_bits import without_advice
from hero.nn.tensor_folder import read_tensors
from hero.pretrained.loading import INSTALL

if TYPE_CHECKING:
    from torch import Tensor

    from hero.hero_model.base import Base
    from hero.hero_model.config import Lora


def expect_none(base: Base) -> None:
    """Raise where a language model has adapters already: a second set would be trained on top of the first.

    Raises:
        ConfigError: it has.
    """
    if hasattr(base.model, "peft_config"):
        raise ConfigError(f"'{base.name}' has adapters of another HERO model already; open the language model again")


def add(base: Base, lora: Lora) -> Base:
    """The base with fresh adapters, which change nothing before they are trained; only they can be trained.

    Raises:
        ConfigError: the model has no layer of a target's name.
        WeightsError: peft is missing.
    """
    peft = _peft()
    config = peft.LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=list(lora.targets), bias="none",
        task_type="CAUSAL_LM",
    )  # fmt: skip
    names = {name.rpartition(".")[2] for name, _ in base.model.named_modules()}
    if absent := sorted(set(lora.targets) - names):
        raise ConfigError(
            f"LoRA cannot adapt {', '.join(absent)}: '{base.name}' has no such layer; choose from its linear layers, such "
            "as q_proj and v_proj"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that it has replaced
        return replace(base, model=peft.get_peft_model(base.model, config).eval())


def read(base: Base, path: Path, *, cure: str) -> None:
    """Put the tensors of a file into a base's adapters; names, shapes and values must be right.

    Raises:
        WeightsError: they are not.
    """
    peft = _peft()
    found = read_tensors(path, _tensors(base.model), cure=cure)
    peft.set_peft_model_state_dict(base.model, found)


def contents(language: Any, base: str) -> dict[str, bytes]:
    """The files of `adapter/` by name. Its configuration names the base as the hub or the catalogue does, not by a path."""
    row = checkpoints.catalogue().get(base)
    config = language.peft_config["default"]
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors(language).items()}
    with tempfile.TemporaryDirectory() as scratch:
        before = config.base_model_name_or_path, config.inference_mode
        config.base_model_name_or_path = (row.repo if row else "") or base
        config.inference_mode = True
        config.save_pretrained(scratch)
        config.base_model_name_or_path, config.inference_mode = before
        told = (Path(scratch) / "adapter_config.json").read_bytes()
    return {"adapter/adapter_config.json": told, "adapter/adapter_model.safetensors": save(tensors, {"format": "pt"})}


def _tensors(language: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = _peft().get_peft_model_state_dict(language, save_embedding_layers=False)
    return found


def _peft() -> Any:
    """The module peft.

    Raises:
        WeightsError: it is missing.
    """
    without_advice()  # it imports bitsandbytes where that is installed
    try:
        return import_module("peft")
    except (ImportError, RuntimeError) as error:
        raise WeightsError(f"LoRA needs peft ({error}); {INSTALL}") from error
