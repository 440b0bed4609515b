"""Recognisers by name: Whisper and Qwen2-Audio with tiny checkpoints, rubbish from the decoder, and the words expert."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hero.checkpoints import Checkpoint
from hero.errors import ConfigError, InputError, WeightsError
from hero.media.clip import Block
from hero.observe.encoders.spoken import Written, repeats_itself, words_of
from hero.observe.expert import Context
from hero.observe.words import WordsExpert, recognize
from hero.types import LabelledSpan, Observation, Span

torch = pytest.importorskip("torch")
hub = pytest.importorskip("transformers")

from hero.observe.encoders import tiny_sound
from hero.observe.encoders.speech import TEMPERATURES, WhisperListener, load_whisper, open_recognizer

RATE_HZ = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, 3 * RATE_HZ).astype(np.float32)


def checkpoint(folder: Path, kind: str = "whisper") -> Checkpoint:
    return Checkpoint("made", kind, folder, "", "MIT", True, "0" * 64)


def load(folder: Path) -> WhisperListener:
    return load_whisper(checkpoint(folder), device="cpu", precision="fp32")


def copied(source: Path, target: Path, **generation: Any) -> Path:
    """A copy of a checkpoint with other lines in its generation config (None removes a line)."""
    target.mkdir(exist_ok=True)
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    lines = json.loads((target / "generation_config.json").read_text("utf-8")) | generation
    kept = {key: value for key, value in lines.items() if value is not None}
    (target / "generation_config.json").write_text(json.dumps(kept), "utf-8")
    return target


Writer = Callable[..., dict[str, Any]]


def writer(listener: WhisperListener, text: str, marks: tuple[float, float], chance: float = 0.9) -> Writer:
    """A decoder that writes this text between two time marks, a token every 0.1 s, each with this probability."""
    start = listener._timestamps_from
    letters = listener._tokenizer(text, add_special_tokens=False)["input_ids"]
    answer = [start + round(marks[0] / 0.02), *letters, start + round(marks[1] / 0.02), listener._end]
    prompt = [listener._end + 1, listener._end + 2, listener._end + 5]
    rows = listener._model.config.vocab_size
    asked: list[float] = []

    def generate(**options: Any) -> dict[str, Any]:
        asked.append(options.get("temperature", 0.0))
        scores = torch.full((len(answer), rows), np.log((1 - chance) / (rows - 1)))
        scores[torch.arange(len(answer)), torch.tensor(answer)] = float(np.log(chance))
        times = torch.tensor([[0.0] * len(prompt) + [0.1 * k for k in range(len(answer))]])
        return {
            "sequences": torch.tensor([prompt + answer]),
            "scores": list(scores[:, None]),
            "token_timestamps": times,
        }

    listener._model.generate = generate
    generate.asked = asked  # type: ignore[attr-defined]
    return generate


def test_tiny_whisper_hears_the_same_twice_inside_the_window(whisper: Path) -> None:
    recognizer = open_recognizer(checkpoint(whisper), device="cpu", precision="fp32")
    torch.manual_seed(1)
    words, language = recognizer.hear(NOISE)
    torch.manual_seed(2)
    assert recognizer.hear(NOISE) == (words, language) and language in {"en", "zh"}
    assert all(0 <= word.span.start_s <= word.span.end_s <= 3 for word in words)
    assert recognizer.name == "made" and recognizer.used.sha256 == "0" * 64 and not recognizer.estimated
    assert recognizer.hear(np.zeros(100, np.float32)) == ([], None)
    assert recognizer.hear(np.full(RATE_HZ, np.nan, np.float32))[1] in {"en", "zh"}
    with pytest.raises(InputError, match="at most 30 s"):
        recognizer.hear(np.zeros(31 * RATE_HZ, np.float32))


def test_words_have_the_times_and_chances_of_their_tokens(whisper: Path) -> None:
    listener = load(whisper)
    writer(listener, " Hi you", (0.0, 2.0), chance=0.8)
    words, _ = listener.hear(NOISE)
    assert [word.label for word in words] == ["Hi", "you"]
    # the first token is the time mark; the blank before a word belongs to it as a token, and is no letter of it
    assert words[0].span.start_s == pytest.approx(0.1, abs=1e-6) and words[0].span.end_s == pytest.approx(0.3, abs=1e-6)
    assert words[1].span.end_s == pytest.approx(0.7, abs=1e-6)
    assert words[0].confidence == pytest.approx(0.8, abs=1e-4)


def test_without_alignment_heads_words_share_their_segment(tmp_path: Path, whisper: Path) -> None:
    listener = load(copied(whisper, tmp_path, alignment_heads=None))
    assert not listener.aligned
    assert open_recognizer(checkpoint(tmp_path), device="cpu", precision="fp32").estimated
    writer(listener, " one three", (1.0, 2.6))
    words, _ = listener.hear(NOISE)
    assert [word.span.start_s for word in words] == pytest.approx([1.0, 1.6])
    assert [word.span.end_s for word in words] == pytest.approx([1.6, 2.6])


def test_times_behind_the_end_are_cut_and_chinese_characters_are_words(tmp_path: Path, whisper: Path) -> None:
    listener = load(copied(whisper, tmp_path, alignment_heads=None))
    writer(listener, "我很高兴。", (2.0, 29.0))
    words, _ = listener.hear(NOISE)
    assert [word.label for word in words] == ["我", "很", "高", "兴。"]
    assert words[-1].span.end_s == 3.0 and words[0].span.start_s == 2.0


def test_a_loop_is_tried_at_each_temperature_and_then_dropped(whisper: Path) -> None:
    listener = load(whisper)
    generate = writer(listener, " la" * 60, (0.0, 2.0))
    assert listener.hear(NOISE)[0] == []
    assert generate.asked == pytest.approx(TEMPERATURES)  # type: ignore[attr-defined]
    assert repeats_itself("la " * 60) and not repeats_itself("I am so happy to see you here today.")
    assert not repeats_itself("")


def test_unlikely_text_is_silence_only_where_nobody_speaks(whisper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = load(whisper)
    generate = writer(listener, " thanks for watching", (0.0, 2.0), chance=0.2)
    monkeypatch.setattr(listener, "_first_look", lambda states: ("<|en|>", 0.9))
    assert listener.hear(NOISE) == ([], "en")
    monkeypatch.setattr(listener, "_first_look", lambda states: ("<|en|>", 0.1))
    assert len(listener.hear(NOISE)[0]) == 3 and len(generate.asked) == 12  # type: ignore[attr-defined]
    writer(listener, "", (0.0, 0.0))
    assert listener.hear(NOISE)[0] == []


def test_a_whisper_of_english_only(tmp_path: Path, whisper: Path) -> None:
    folder = copied(whisper, tmp_path, lang_to_id=None, task_to_id=None, is_multilingual=False)
    words, language = load(folder).hear(NOISE)
    assert language is None and all(word.span.end_s <= 3 for word in words)


def test_damaged_folders_and_weights_without_numbers(tmp_path: Path, whisper: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be loaded as a Whisper that writes"):
        load(copied(whisper, tmp_path / "a", no_timestamps_token_id=None))
    lacking = copied(whisper, tmp_path / "b")
    (lacking / "vocab.json").unlink()
    with pytest.raises(WeightsError, match=r"neither tokenizer\.json nor vocab\.json and merges\.txt"):
        load(lacking)
    listener = load(whisper)
    listener._model.model.encoder.layer_norm.weight.fill_(float("nan"))
    with pytest.raises(WeightsError, match="no finite numbers"):
        listener.hear(NOISE)
    with pytest.raises(ConfigError, match="recognises no speech"):
        open_recognizer(checkpoint(whisper, "bert"))


def test_words_of_odd_stretches() -> None:
    def decode(ids: Sequence[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")

    text = "“好” ok\ufffd".encode()
    written = Written(tuple(text), (-0.1,) * len(text), (0.5, float("nan")))
    words = words_of(written, decode, duration_s=2.0, from_s=1.0)
    assert "".join(word.label for word in words) == "“好”ok"
    assert all(1.0 <= word.span.start_s <= word.span.end_s <= 2.0 for word in words)
    broken = Written((200, 200), (-0.1, -0.1), (0.0, 1.0))
    assert words_of(broken, decode, duration_s=1.0) == []
    assert words_of(Written((), (), (0.0, 1.0)), decode, duration_s=1.0) == []


# --- Qwen2-Audio ------------------------------------------------------------------------------------------------------

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")


@pytest.fixture(scope="module")
def listener_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2-Audio with a tokenizer of bytes."""
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("tiny-qwen2-audio")
    symbols = tiny_sound._byte_symbols()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({symbol: k for k, symbol in enumerate(symbols)}, []))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    fast = hub.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = hub.Qwen2AudioConfig(
        audio_config={"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32,
                      "num_mel_bins": 128, "max_source_positions": 1500},
        text_config={"model_type": "qwen2", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
                     "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(fast)},
        audio_token_index=fast.convert_tokens_to_ids("<|AUDIO|>"),
    )  # fmt: skip
    hub.Qwen2AudioForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_a_language_model_that_hears_answers_in_words(listener_folder: Path) -> None:
    recognizer = open_recognizer(checkpoint(listener_folder, "audio_llm"), device="cpu", precision="fp32")
    words, language = recognizer.hear(NOISE[:RATE_HZ])
    assert language is None and recognizer.estimated
    assert all(0 <= word.span.start_s <= word.span.end_s <= 1 for word in words)
    assert recognizer.hear(np.zeros(200, np.float32)) == ([], None)
    with pytest.raises(InputError, match="at most 30 s"):
        recognizer.hear(np.zeros(31 * RATE_HZ, np.float32))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("[laughter] oh no", ["[laughter]", "oh", "no"]),
        ("The speech is in English, saying: 'I am [sigh] late'.", ["I", "am", "[sigh]", "late"]),
        ("He said: no", ["He", "said:", "no"]),
        ("", []),
        ("ha " * 100, []),
    ],
)
def test_the_transcript_is_taken_out_of_the_answer(listener_folder: Path, answer: str, said: list[str]) -> None:
    from hero.observe.encoders.audio_language import load_audio_language

    listener = load_audio_language(checkpoint(listener_folder, "audio_llm"), device="cpu", precision="fp32")
    ids = list(answer.encode()) and listener._tokenizer(answer, add_special_tokens=False)["input_ids"]
    end = listener._tokenizer.convert_tokens_to_ids("<|im_end|>")
    asked: dict[str, Any] = {}

    def generate(**options: Any) -> SimpleNamespace:
        asked.update(options)
        scores = [torch.zeros(1, listener._model.get_input_embeddings().num_embeddings) for _ in [*ids, end]]
        return SimpleNamespace(sequences=torch.tensor([[*options["input_ids"][0].tolist(), *ids, end]]), scores=scores)

    listener._model.generate = generate
    words, _ = listener.hear(NOISE)
    assert [word.label for word in words] == said
    prompt = listener._tokenizer.decode(asked["input_ids"][0])
    assert "[laughter]" in prompt and prompt.count("<|AUDIO|>") == 75  # 300 frames, a quarter of them


def test_a_tokenizer_without_the_token_for_sound_is_refused(tmp_path: Path, listener_folder: Path) -> None:
    for file in listener_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (tmp_path / name).read_text("utf-8").replace("<|AUDIO|>", "<|audio|>")
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(WeightsError, match=r"writes <\|AUDIO\|> as token"):
        open_recognizer(checkpoint(tmp_path, "audio_llm"), device="cpu", precision="fp32")


# --- The words expert with a recogniser by name -----------------------------------------------------------------------


class MadeClip:
    """Ten seconds of noise without a transcript."""

    transcript = None
    duration_s = 10.0
    audio = SimpleNamespace(rate_hz=RATE_HZ)

    def sound(self, rate_hz: int = RATE_HZ, block_s: float = 1.0) -> Iterator[Block]:
        for k in range(10):
            yield Block(float(k), np.random.default_rng(k).normal(0, 0.1, rate_hz).astype(np.float32), rate_hz)


def context(**settings: Any) -> Context:
    return Context(MadeClip(), settings=settings)  # type: ignore[arg-type]


def test_the_expert_hears_with_a_checkpoint_folder(whisper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hear = recognize._load.__wrapped__
    written = [LabelledSpan(Span(0.1, 0.3), "hello", 0.9), LabelledSpan(Span(0.4, 0.6), "(sighs)", 0.8)]

    def loaded(*arguments: Any) -> recognize.Recognizer:
        found = hear(*arguments)
        return recognize.Recognizer(found.name, lambda samples: (written, found.hear(samples)[1]), found.used, True)

    monkeypatch.setattr(recognize, "_load", loaded)
    expert = WordsExpert()
    assert expert.start(context(recognizer=str(whisper), device="cpu", precision="fp32")) is None
    speech = (LabelledSpan(Span(1.0, 2.0), "speech"),)
    found = expert.finish({"voice": Observation("voice", "voice", spans={"speech": speech})})
    assert [word.label for word in found.spans["words"]] == ["hello"]
    assert [word.label for word in found.spans["tagged_words"]] == ["hello", "[sigh]"]
    assert found.models[0].sha256 and found.models[0].sha256 in expert.identity and "float32" in expert.identity
    assert any("estimates" in note for note in found.notes) and any("[sigh]" in note for note in found.notes)
    assert found.evidence[0].text == 'The speaker says: "hello"'


def test_the_expert_is_loaded_once_and_says_what_is_missing(
    whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = checkpoint(whisper)
    assert recognize.opened(own, "cpu", "fp32") is recognize.opened(own, "cpu", "fp32")
    for name in ("HERO_MODELS", "HERO_CACHE", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    missing = WordsExpert().start(context(recognizer="whisper-large-v3"))
    assert missing is not None and missing.cure == "hero models fetch whisper-large-v3"
    assert "no transcript" in missing.reason
    with pytest.raises(ConfigError, match="whisper-large-v3"):
        WordsExpert().start(context(recognizer="whisper-larg-v3"))
    tiny_sound.build_bert(tmp_path)
    with pytest.raises(ConfigError, match="kind 'bert'; words takes whisper or audio_llm, such as whisper"):
        WordsExpert().start(context(recognizer=str(tmp_path)))
    with pytest.raises(ConfigError, match="allowed: auto, none"):
        WordsExpert().start(context(recognizer=3))
    with pytest.raises(ConfigError, match="device is 'tpu'"):
        WordsExpert().start(context(recognizer=str(whisper), device="tpu"))
