"""The language model behind a HERO model: Qwen2 or 2.5, Qwen3 or Llama 3, whole, frozen, with its tokenizer and chat template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from hero import checkpoints
from hero.checkpoint_folder import gigabytes
from hero.errors import ConfigError, WeightsError
from hero.hero_model.chat import expect_template
from hero.hero_model.config import Fingerprint
from hero.hero_model.few_bits import Quantize, keep_answers, options_of
from hero.models import cache_folder
from hero.pretrained.device import resolve
from hero.pretrained.loading import fetch_again, libraries, load_pretrained
from hero.pretrained.tiny_language import LANGUAGE_MODELS, build
from hero.pretrained.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision
    from hero.types import ModelUsed

KIND = "causal_lm"


@dataclass(frozen=True, eq=False)
class Base:
    """A frozen language model of transformers with its tokenizer; `name` is the catalogue's, or that of its folder."""

    model: Any
    tokenizer: Any
    used: ModelUsed
    fingerprint: Fingerprint

    @property
    def name(self) -> str:
        """How a checkpoint refers to it."""
        return self.used.name


def open_base(
    name_or_path: str | Path, *, device: Device = "auto", precision: Precision = "auto", quantize: Quantize = "none"
) -> Base:
    """A language model by its name in the catalogue, or from a folder.

    It generates as it is told: what its folder recommends (temperature, penalties) is dropped, the ending tokens stay.

    Raises:
        ConfigError: no checkpoint has that name, it is of another kind, or the device, precision or quantization is not here.
        WeightsError: it is not at hand, is damaged, is of another family, has no chat template that serves, or memory
            does not suffice.
    """
    if quantize not in get_args(Quantize):
        raise ConfigError(f"quantize is '{quantize}'; allowed: {', '.join(get_args(Quantize))}; correct the setting")
    where, dtype = resolve(device, precision)
    found = find_base(name_or_path)
    options = options_of(quantize, where, dtype) if quantize != "none" else {}
    model = load_pretrained(
        "AutoModelForCausalLM", found, dtype=dtype, device=where, attn_implementation="sdpa", **options
    )
    keep_answers(model)
    tokenizer = load_tokenizer(found, model, ("vocab.json", "merges.txt"))
    expect_template(found.folder, tokenizer)
    _only_tokens(found, model, tokenizer)
    config = model.config
    print_of = Fingerprint(
        config.model_type, config.hidden_size, config.vocab_size, config.num_hidden_layers, found.sha256
    )
    return Base(model, tokenizer, found.used, print_of)


def find_base(name_or_path: str | Path) -> Checkpoint:
    """The folder of a language model; one of the random ones is made in the cache when it is first asked for.

    Raises:
        ConfigError: no checkpoint has that name, or it is of another kind.
        WeightsError: it is not at hand, is damaged, or is of another family.
    """
    found = checkpoints.find(name_or_path, kind=KIND)
    name = str(name_or_path)
    if found is None and name in LANGUAGE_MODELS:
        build(name, cache_folder() / name)
        found = checkpoints.find(name, kind=KIND)
    if found is None:
        row = checkpoints.known(name)
        raise WeightsError(
            f"the language model '{row.name}' is not at hand; run `hero models fetch {row.name}` "
            f"({gigabytes(row.size_bytes)}), or name a folder that holds it"
        )
    return found


def _only_tokens(found: Checkpoint, model: Any, tokenizer: Any) -> None:
    """Keep of the folder's advice on generation only which tokens begin, end and pad; the tokenizer has an end and a padding.

    Its end token and those of the advice are not the same in every folder (Llama 3: <|eot_id|>, <|end_of_text|>); an
    answer ends at any of them, since a constraint ends with the tokenizer's.

    Raises:
        WeightsError: neither names a token that ends an answer.
    """
    _, hub = libraries()
    told = model.generation_config.eos_token_id
    ends = list(told) if isinstance(told, list | tuple) else [] if told is None else [told]
    if tokenizer.eos_token_id is None and ends:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ends[0])
    if tokenizer.eos_token_id is None:
        raise WeightsError(
            f"{found.folder} names no token that ends an answer, in its tokenizer or generation_config.json; "
            f"{fetch_again(found.folder)}"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.generation_config = hub.GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=list(dict.fromkeys([*ends, tokenizer.eos_token_id])),
        pad_token_id=tokenizer.pad_token_id,
    )
