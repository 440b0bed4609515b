"""Seeded random language models of the families that reason: Qwen2, Qwen3 and Llama 3, a few hundred kilobytes each.

Written by `save_pretrained` in the published layout (configuration, weights, tokenizer of bytes, chat template), and read by
the same code as the published ones, so that tests and the `tiny` preset need no network. What they write means nothing.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from hero.errors import ConfigError
from hero.pretrained.random_folder import Builder, put_random

TOKENS = 320  # bytes and the commonest pairs of `WORDS`
SIZES: dict[str, Any] = {  # random weights wide enough that no two tokens are alike to them
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 32768, "initializer_range": 0.1,
}  # fmt: skip
WORDS = (
    'the evidence of the face and the voice: {"emotion_caption": "", "evidence_summary": [], "reasoning_process": "", '
    '"final_emotion": "neutral"} his brows are lowered, her voice is quiet and slow, and then the words are said; happy sad '
    "angry surprise fear disgust in the other, on that, for this, with them at one time, not only when they are heard"
)

END_OF_TEXT, TURN, END_OF_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHATML = (
    "{%- for message in messages -%}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)
NO_THOUGHT = (
    "{%- if add_generation_prompt and enable_thinking is defined and not enable_thinking -%}<think>\n\n</think>\n\n"
    "{% endif -%}"
)
BEGIN, HEAD, HEAD_END, END_OF_PART = "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
LLAMA_CHAT = (
    "{{- bos_token -}}{%- for message in messages -%}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] }}<|eot_id|>{%- endfor -%}{%- if add_generation_prompt -%}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif -%}"
)


def build(name: str, folder: Path, *, seed: int = 0) -> Path:
    """Write the tiny language model `name` to `folder`, all of it or nothing; a folder that is there stays as it is.

    Raises:
        ConfigError: no tiny language model has that name.
        OutputError: the folder cannot be written.
        WeightsError: torch or transformers is missing.
    """
    if name not in LANGUAGE_MODELS:
        raise ConfigError(f"no tiny language model is called '{name}'; known: {', '.join(LANGUAGE_MODELS)}")
    return put_random(name, folder, LANGUAGE_MODELS[name], seed=seed)


def build_qwen2(folder: Path, seed: int = 0) -> None:
    """A Qwen2 of two layers, 64 wide, with tied embeddings and ChatML."""
    marks = (END_OF_TEXT, TURN, END_OF_TURN)
    _qwen(folder, seed, "Qwen2", marks, CHATML)


def build_qwen3(folder: Path, seed: int = 0) -> None:
    """A Qwen3 of two layers, 64 wide, with ChatML in which thinking can be turned off."""
    marks = (END_OF_TEXT, TURN, END_OF_TURN, "<think>", "</think>")
    _qwen(folder, seed, "Qwen3", marks, CHATML + NO_THOUGHT, head_dim=16)


def build_llama(folder: Path, seed: int = 0) -> None:
    """A Llama 3 of two layers, 64 wide, with embeddings of its own at the end, a first token, and no padding token."""
    hub = import_module("transformers")
    tokens = _tokens((BEGIN, END_OF_TEXT, HEAD, HEAD_END, END_OF_PART))
    processors = import_module("tokenizers.processors")
    first = tokens.token_to_id(BEGIN)
    tokens.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, first)]),
    ])  # fmt: skip
    tokenizer = hub.PreTrainedTokenizerFast(
        tokenizer_object=tokens, bos_token=BEGIN, eos_token=END_OF_PART, clean_up_tokenization_spaces=False
    )
    ends = [tokens.token_to_id(END_OF_PART), tokens.token_to_id(END_OF_TEXT)]
    config = hub.LlamaConfig(
        **SIZES, vocab_size=tokens.get_vocab_size(), intermediate_size=64, tie_word_embeddings=False, bos_token_id=first,
        eos_token_id=ends, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    )  # fmt: skip
    _save(
        folder, seed, hub.LlamaForCausalLM, config, tokenizer, LLAMA_CHAT, {"bos_token_id": first, "eos_token_id": ends}
    )


def _qwen(folder: Path, seed: int, family: str, marks: tuple[str, ...], template: str, **sizes: Any) -> None:
    hub = import_module("transformers")
    tokens = _tokens(marks)
    tokenizer = hub.Qwen2Tokenizer(
        vocab=tokens.get_vocab(with_added_tokens=False), merges=_merges(tokens), eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT, unk_token=END_OF_TEXT, additional_special_tokens=list(marks),
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    pad, end = (tokenizer.convert_tokens_to_ids(mark) for mark in (END_OF_TEXT, END_OF_TURN))
    config = getattr(hub, f"{family}Config")(
        **SIZES, vocab_size=len(tokenizer), intermediate_size=96, tie_word_embeddings=True, eos_token_id=end,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, **sizes,
    )  # fmt: skip
    ends = {"pad_token_id": pad, "eos_token_id": [end, pad]}
    _save(folder, seed, getattr(hub, f"{family}ForCausalLM"), config, tokenizer, template, ends)


def _tokens(marks: tuple[str, ...]) -> Any:
    """A byte-level BPE: all bytes, so that any text survives, the commonest pairs of `WORDS`, and the marks."""
    tokenizers = import_module("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    level = tokenizers.pre_tokenizers.ByteLevel
    made.pre_tokenizer, made.decoder = level(add_prefix_space=False), tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=TOKENS, initial_alphabet=sorted(level.alphabet()), show_progress=False
    )
    made.train_from_iterator([WORDS], trainer)
    made.add_special_tokens([tokenizers.AddedToken(mark, special=True, normalized=False) for mark in marks])
    return made


def _merges(tokens: Any) -> list[tuple[str, str]]:
    """The merges of a BPE, in order."""
    rows = json.loads(tokens.to_str())["model"]["merges"]
    return [(first, second) for first, second in rows]


def _save(
    folder: Path, seed: int, kind: Any, config: Any, tokenizer: Any, template: str, tokens: dict[str, Any]
) -> None:
    """Weights from the seed, the tokenizer with its chat template, and how the published ones are told to generate."""
    hub, torch = import_module("transformers"), import_module("torch")
    torch.manual_seed(seed)
    model = kind(config)
    model.generation_config = hub.GenerationConfig(do_sample=True, temperature=0.7, top_p=0.8, top_k=20, **tokens)
    model.save_pretrained(str(folder))
    tokenizer.chat_template = template
    tokenizer.save_pretrained(str(folder))


LANGUAGE_MODELS: dict[str, Builder] = {
    "tiny-qwen2": build_qwen2, "tiny-qwen3": build_qwen3, "tiny-llama": build_llama,
}  # fmt: skip
"""Builders by name."""
