"""Seeded random checkpoints of sound and word encoders, in the real layout and a few hundred kilobytes each.

They are written by `save_pretrained` and read by the same code that reads the published ones, so that tests and the
`tiny` preset need no network. What they say about a clip means nothing.
"""

from __future__ import annotations

import json
import string
from importlib import import_module
from pathlib import Path
from typing import Any

WIDTH = 32
LANGUAGES = ("en", "zh")
WHISPER_MARKS = (
    "<|endoftext|>", "<|startoftranscript|>", *(f"<|{name}|>" for name in LANGUAGES), "<|translate|>",
    "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip
TIMESTAMPS = 1501  # 0.00, 0.02 ... 30.00 s
BERT_MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
BERT_WORDS = ("i", "am", "you", "are", "not", "so", "the", "a", "this", "what", "happy", "sad", "angry", "hello", "no")
BERT_CHINESE = "我你他们不是的了很好高兴难过生气怕今天"


def build_hubert(folder: Path, seed: int = 0) -> None:
    """A HuBERT of the large design: layer norm in the convolutions, four pre-norm layers, input normalised."""
    _hubert(folder, seed, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True, num_hidden_layers=4)
    _extractor(folder, do_normalize=True)


def build_distilhubert(folder: Path, seed: int = 0) -> None:
    """A HuBERT of the base design with two post-norm layers and group norm, as DistilHuBERT is."""
    _hubert(folder, seed, feat_extract_norm="group", do_stable_layer_norm=False, conv_bias=False, num_hidden_layers=2)
    _extractor(folder, do_normalize=False)


def build_whisper(folder: Path, seed: int = 0) -> None:
    """A Whisper with two encoder and two decoder layers, 80 mel bands and a vocabulary of bytes."""
    hub = import_module("transformers")
    symbols = _byte_symbols()
    vocabulary = {mark: at for at, mark in enumerate((*symbols, *WHISPER_MARKS))}
    first_timestamp = len(vocabulary)
    config = hub.WhisperConfig(
        vocab_size=first_timestamp + TIMESTAMPS, d_model=16, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        num_mel_bins=80, max_target_positions=96, decoder_start_token_id=vocabulary["<|startoftranscript|>"],
        eos_token_id=vocabulary["<|endoftext|>"], bos_token_id=vocabulary["<|endoftext|>"],
        pad_token_id=vocabulary["<|endoftext|>"], suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    _seeded(hub.WhisperForConditionalGeneration, config, seed).save_pretrained(str(folder))
    _whisper_generation(hub, folder, vocabulary, config)
    _whisper_tokens(folder, vocabulary, symbols)
    _write(folder / "preprocessor_config.json", {
        "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80, "sampling_rate": 16000,
        "hop_length": 160, "chunk_length": 30, "n_fft": 400, "padding_value": 0.0, "padding_side": "right",
        "return_attention_mask": False, "processor_class": "WhisperProcessor",
    })  # fmt: skip


def build_bert(folder: Path, seed: int = 0) -> None:
    """A BERT with two layers whose WordPiece vocabulary holds letters, digits and some words and Chinese characters."""
    hub = import_module("transformers")
    letters = string.ascii_lowercase + string.digits
    pieces = (*letters, *(f"##{mark}" for mark in letters), *".,!?'-", *BERT_WORDS, *BERT_CHINESE)
    vocabulary = list(dict.fromkeys((*BERT_MARKS, *pieces)))
    config = hub.BertConfig(
        vocab_size=len(vocabulary), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=512, pad_token_id=0,
    )  # fmt: skip
    _seeded(hub.BertModel, config, seed).save_pretrained(str(folder))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True,
                                              "model_max_length": 512})  # fmt: skip


def _hubert(folder: Path, seed: int, **design: Any) -> None:
    hub = import_module("transformers")
    config = hub.HubertConfig(
        hidden_size=WIDTH, num_attention_heads=2, intermediate_size=48, conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **design,
    )  # fmt: skip
    _seeded(hub.HubertModel, config, seed).save_pretrained(str(folder))


def _extractor(folder: Path, *, do_normalize: bool) -> None:
    _write(folder / "preprocessor_config.json", {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": 16000,
        "do_normalize": do_normalize, "padding_side": "right", "padding_value": 0.0,
        "return_attention_mask": do_normalize,
    })  # fmt: skip


def _seeded(kind: Any, config: Any, seed: int) -> Any:
    """A random model of this class; the caller's random numbers go on as if nothing had happened."""
    torch = import_module("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(config).eval()


def _whisper_generation(hub: Any, folder: Path, vocabulary: dict[str, int], config: Any) -> None:
    """`generation_config.json` with what Whisper's generation reads from it: languages, tasks, heads that align."""
    hub.GenerationConfig(
        alignment_heads=[[0, 0], [1, 1]], is_multilingual=True, max_length=config.max_target_positions,
        lang_to_id={f"<|{name}|>": vocabulary[f"<|{name}|>"] for name in LANGUAGES},
        task_to_id={name: vocabulary[f"<|{name}|>"] for name in ("translate", "transcribe")},
        no_timestamps_token_id=vocabulary["<|notimestamps|>"], max_initial_timestamp_index=50,
        prev_sot_token_id=vocabulary["<|startofprev|>"], return_timestamps=False,
        decoder_start_token_id=config.decoder_start_token_id, eos_token_id=config.eos_token_id,
        bos_token_id=config.bos_token_id, pad_token_id=config.pad_token_id,
    ).save_pretrained(str(folder))  # fmt: skip


def _whisper_tokens(folder: Path, vocabulary: dict[str, int], symbols: tuple[str, ...]) -> None:
    """Tokenizer files: every byte is a token, nothing is merged."""
    _write(folder / "vocab.json", {symbol: vocabulary[symbol] for symbol in (*symbols, "<|endoftext|>")})
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    rest = {mark: vocabulary[mark] for mark in WHISPER_MARKS[1:]}
    _write(folder / "added_tokens.json", rest)
    _write(folder / "special_tokens_map.json", {
        "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>", "additional_special_tokens": list(rest),
    })  # fmt: skip
    _write(folder / "tokenizer_config.json", {
        "tokenizer_class": "WhisperTokenizer", "model_max_length": 1024, "errors": "replace",
        "add_prefix_space": False, "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
    })  # fmt: skip


def _byte_symbols() -> tuple[str, ...]:
    """One printable character per byte, as byte-level vocabularies spell them (Radford et al. 2019)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return tuple(chr(byte) if byte in printable else chr(next(spare)) for byte in range(256))


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
