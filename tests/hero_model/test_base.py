"""Language models are opened whole or not at all: families, tokenizers, chat templates, few bits, and random ones."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import util
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from empty_places import look_nowhere
from tiny_hero import FAMILIES, SIZES, TEXTS, batch

from hero import checkpoints
from hero.errors import ConfigError, WeightsError
from hero.hero_model import HeroModel, Lora, few_bits, open_base
from hero.pretrained import loading, tiny_language

TEXT = '你好，世界！ {"final_emotion": "sad"}\n\n  naïve 🙂 the evidence'
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "他生气吗?"}]


def copied(bases: Path, to: Path, name: str = "tiny-qwen2") -> Path:
    return Path(shutil.copytree(bases / name, to / "copy"))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_opens_with_its_tokenizer_and_template(bases: Path, family: str) -> None:
    found = open_base(bases / family, device="cpu")
    assert found.fingerprint.model_type == family.removeprefix("tiny-")
    assert (found.fingerprint.hidden_size, found.fingerprint.layers) == (64, 2)
    assert found.fingerprint.vocab_size == len(found.tokenizer)
    assert found.fingerprint.sha256 == checkpoints.find(bases / family).sha256  # type: ignore[union-attr]
    assert found.name == family and not found.model.training
    assert not any(value.requires_grad for value in found.model.parameters())
    ids = found.tokenizer(TEXT)["input_ids"]
    assert found.tokenizer.decode(ids, skip_special_tokens=True) == TEXT
    said = found.tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    assert said == {
        "tiny-qwen2": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n他生气吗?<|im_end|>\n<|im_start|>assistant\n",
        "tiny-qwen3": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n他生气吗?<|im_end|>\n<|im_start|>assistant\n"
        "<think>\n\n</think>\n\n",
        "tiny-llama": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n他生气吗?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    }[family]  # fmt: skip
    told = found.tokenizer.apply_chat_template(
        CHAT, add_generation_prompt=True, enable_thinking=False, return_dict=False
    )
    assert set(found.tokenizer.all_special_ids) & set(told)
    assert found.tokenizer.pad_token_id is not None


def test_it_generates_as_it_is_told_not_as_its_folder_advises(bases: Path) -> None:
    found = open_base(bases / "tiny-qwen2", device="cpu")
    assert json.loads((bases / "tiny-qwen2" / "generation_config.json").read_text())["do_sample"] is True
    advice = found.model.generation_config
    assert not advice.do_sample and advice.temperature in (None, 1.0)
    ends = [found.tokenizer.convert_tokens_to_ids(mark) for mark in ("<|im_end|>", "<|endoftext|>")]
    assert advice.eos_token_id == ends


def test_a_random_one_is_made_when_it_is_first_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_nowhere(tmp_path, monkeypatch)
    found = open_base("tiny-llama", device="cpu")
    assert found.used.licence == "Apache-2.0" and found.used.commercial
    assert checkpoints.find("tiny-llama") is not None
    assert open_base("tiny-llama", device="cpu").fingerprint == found.fingerprint


def test_names_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_nowhere(tmp_path, monkeypatch)
    with pytest.raises(
        WeightsError,
        match=r"'qwen2\.5-7b-instruct' is not at hand; run `hero models fetch qwen2\.5-7b-instruct` \(15\.24 GB\)",
    ):
        open_base("Qwen/Qwen2.5-7B-Instruct", device="cpu")
    with pytest.raises(ConfigError, match=r"no checkpoint is called 'qwen2-9b'; did you mean qwen"):
        open_base("qwen2-9b", device="cpu")
    with pytest.raises(ConfigError, match=r"of kind 'bert', wanted is 'causal_lm'; choose from: qwen2-7b-instruct"):
        open_base("bert-base-uncased", device="cpu")
    with pytest.raises(ConfigError, match=r"quantize is '2bit'; allowed: none, 8bit, 4bit"):
        open_base("tiny-qwen2", device="cpu", quantize="2bit")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"no tiny language model is called 'tiny-gpt'; known: tiny-qwen2"):
        tiny_language.build("tiny-gpt", tmp_path / "gpt")


def test_another_family_is_refused(bases: Path, tmp_path: Path) -> None:
    folder = copied(bases, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gemma"}))
    with pytest.raises(WeightsError, match=r"is not a causal_lm .* model_type 'gemma', allowed: qwen2, qwen3, llama"):
        open_base(folder, device="cpu")


def test_a_model_that_was_not_taught_to_answer(bases: Path, tmp_path: Path) -> None:
    folder = copied(bases, tmp_path)
    (folder / "chat_template.jinja").write_text("{% for message in messages %}", "utf-8")
    with pytest.raises(
        WeightsError, match=r"the chat template in .* is broken \(.*\); it is a model that was not taught"
    ):
        open_base(folder, device="cpu")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(WeightsError, match=r"has no chat template; .*take an instructed one"):
        open_base(folder, device="cpu")


def _ending(bases: Path, to: Path, *, tokenizer: str | None, advice: str | None) -> Path:
    """A copy of tiny-llama whose tokenizer and generation_config.json name these end tokens."""
    folder = copied(bases, to, "tiny-llama")
    told = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**told, "eos_token": tokenizer}))
    ids = {row["content"]: row["id"] for row in json.loads((folder / "tokenizer.json").read_text())["added_tokens"]}
    ends = None if advice is None else ids[advice]
    for name in ("generation_config.json", "config.json"):
        told = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**told, "eos_token_id": ends}))
    return folder


@pytest.mark.parametrize(("tokenizer", "advice", "ends"), [
    ("<|endoftext|>", "<|eot_id|>", ["<|eot_id|>", "<|endoftext|>"]),
    ("<|endoftext|>", None, ["<|endoftext|>"]), (None, "<|eot_id|>", ["<|eot_id|>"]),
])  # fmt: skip
def test_an_answer_ends_at_the_end_tokens_of_tokenizer_and_folder(
    bases: Path, tmp_path: Path, tokenizer: str | None, advice: str | None, ends: list[str]
) -> None:
    model = HeroModel.from_base(_ending(bases, tmp_path, tokenizer=tokenizer, advice=advice), device="cpu")
    found = model.language.generation_config.eos_token_id
    assert model.tokenizer.convert_ids_to_tokens(found) == ends
    schema = {"type": "object", "properties": {"word": {"enum": ["yes", "no"]}}, "required": ["word"],
              "additionalProperties": False}  # fmt: skip
    pytest.importorskip("llguidance")
    from hero.hero_model.constrain import JsonConstraint, Vocabulary

    constraint = JsonConstraint(Vocabulary.of(model.tokenizer), [schema])
    made = model.generate(torch.tensor([[3, 4, 5]]), logits_processor=[constraint], max_new_tokens=60)[0]
    assert len(made) < 30 and made[-1] in found
    assert json.loads(model.tokenizer.decode(made, skip_special_tokens=True))["word"] in ("yes", "no")


def test_a_folder_without_an_end_token_is_refused(bases: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"copy names no token that ends an answer, in its tokenizer or generation_"):
        open_base(_ending(bases, tmp_path, tokenizer=None, advice=None), device="cpu")


def _no_room(*_: object, **__: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB")


def _no_room_on_a_cpu(*_: object, **__: object) -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: not enough memory: you tried 9 bytes.")


@pytest.mark.parametrize("place", ["transformers.AutoModelForCausalLM.from_pretrained", "torch.nn.Module.to"])
@pytest.mark.parametrize("error", [_no_room, _no_room_on_a_cpu])
def test_too_little_memory_is_no_damage(
    bases: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: Callable[..., None]
) -> None:
    size = (bases / "tiny-qwen2" / "model.safetensors").stat().st_size
    monkeypatch.setattr(place, error)
    if place == "torch.nn.Module.to":  # transformers' own models have theirs
        monkeypatch.setattr("transformers.PreTrainedModel.to", error)
    with pytest.raises(WeightsError) as raised:
        open_base(bases / "tiny-qwen2", device="cpu", precision="bf16")
    told = raised.value.line
    assert f"'tiny-qwen2' takes about {size / 2e6:.2f} MB in bfloat16" in told  # half of the float32 on disk
    assert "memory" in told and told.endswith("; free memory and try again, or take quantize=4bit or a smaller model")
    assert "fetch" not in told and "delete" not in told and "name a folder" not in told


def test_what_is_small_already_is_not_told_to_be_smaller() -> None:
    found = SimpleNamespace(kind="causal_lm")
    few, gpu = SimpleNamespace(load_in_4bit=True), torch.device("cuda")
    assert loading._relief(found, gpu, None) == "quantize=4bit, a smaller model, or device=cpu"
    assert loading._relief(found, gpu, few) == "a smaller model or device=cpu"
    assert loading._relief(SimpleNamespace(kind="clip_vision"), torch.device("cpu"), None) == "a smaller model"


@pytest.mark.skipif(util.find_spec("bitsandbytes") is None, reason="the extra 'quantize' (bitsandbytes) is missing")
def test_memory_that_runs_out_while_weights_are_quantized(bases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitsandbytes.nn.Params4bit.to", _no_room)
    with pytest.raises(WeightsError, match=r"if memory ran out meanwhile, take a smaller model|too little memory"):
        open_base(bases / "tiny-llama", device="cpu", quantize="4bit")


def test_folders_with_flaws(bases: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = copied(bases, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 1 tensors: model\.layers\.1\.mlp\.up_proj\.weight"):
        open_base(folder, device="cpu")
    shutil.copy(bases / "tiny-qwen2" / "model.safetensors", folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(
        WeightsError, match=r"has no tokenizer: neither tokenizer\.json nor vocab\.json and merges\.txt"
    ):
        open_base(folder, device="cpu")
    shutil.copy(bases / "tiny-llama" / "tokenizer.json", folder)
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(WeightsError, match=r"cannot be loaded as a tokenizer"):
        open_base(folder, device="cpu")


@pytest.mark.skipif(util.find_spec("bitsandbytes") is None, reason="the extra 'quantize' (bitsandbytes) is missing")
@pytest.mark.parametrize("quantize", ["4bit", "8bit"])
def test_few_bits_generate_and_train_adapters(bases: Path, quantize: few_bits.Quantize) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = HeroModel.from_base(
        bases / "tiny-llama", integration=SIZES, lora=Lora(r=4), device="cpu", quantize=quantize
    )
    weights = dict(model.language.named_parameters())
    packed = {value.dtype for name, value in weights.items() if name.endswith("q_proj.base_layer.weight")}
    assert packed == {torch.uint8 if quantize == "4bit" else torch.int8}
    given = batch(model, TEXTS[:2])
    with torch.no_grad():
        whole = HeroModel.from_base(bases / "tiny-llama", device="cpu")
        few, all_bits = (one(given["input_ids"], given["attention_mask"]).logits[0] for one in (model, whole))
    assert not torch.equal(few, all_bits)
    assert torch.nn.functional.cosine_similarity(few.flatten(), all_bits.flatten(), dim=0) > 0.9
    assert model.generate(given["input_ids"], given["attention_mask"], max_new_tokens=3).shape[1] <= 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # some CPUs have a fast product for answering, which has no gradients
        model.train()(**given, labels=given["input_ids"]).loss.backward()
    assert any("lora_B" in name and value.grad.abs().sum() > 0 for name, value in model.trainable_parameters().items()
               if value.grad is not None)  # fmt: skip


@pytest.mark.skipif(util.find_spec("bitsandbytes") is None, reason="the extra 'quantize' (bitsandbytes) is missing")
@pytest.mark.parametrize("family", FAMILIES)
def test_four_bits_answer_without_adapters(bases: Path, family: str) -> None:
    torch.set_num_threads(1)
    few, whole = (HeroModel.from_base(bases / family, device="cpu", quantize=quantize) for quantize in ("4bit", "none"))
    ids = whole.tokenizer(TEXTS[1], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        found, wanted = (model(ids).logits.flatten() for model in (few, whole))
    assert torch.nn.functional.cosine_similarity(found, wanted, dim=0) > 0.9
    assert few.generate(ids, max_new_tokens=3).shape[1] <= 3


@pytest.mark.skipif(util.find_spec("bitsandbytes") is None, reason="the extra 'quantize' (bitsandbytes) is missing")
def test_only_whole_blocks_are_packed(bases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)  # whatever this CPU is
    layer = open_base(bases / "tiny-qwen2", device="cpu", quantize="4bit").model.model.layers[0]
    packed = {name: one.support_avx512bf16_for_cpu for name, one in layer.mlp.named_children() if name != "act_fn"}
    assert packed == {"gate_proj": True, "up_proj": True, "down_proj": False}  # 64, 64 and 96 columns
    trained = HeroModel.from_base(bases / "tiny-qwen2", lora=Lora(r=2), device="cpu", quantize="4bit").language
    assert not any(getattr(one, "support_avx512bf16_for_cpu", False) for one in trained.modules())


def test_advice_of_bitsandbytes_is_dropped_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    few_bits.without_advice()
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    logger.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s. Please make sure", "no kernels")
    logger.warning("the native library is broken")
    assert [record.getMessage() for record in caplog.records] == ["the native library is broken"]


@pytest.mark.skipif(util.find_spec("bitsandbytes") is None, reason="the extra 'quantize' (bitsandbytes) is missing")
def test_adapters_load_without_a_word_on_the_terminal(bases: Path) -> None:
    code = (
        "import sys; from hero.hero_model import HeroModel, Lora\n"
        "HeroModel.from_base(sys.argv[1], lora=Lora(r=2), device='cpu'); assert 'bitsandbytes' in sys.modules"
    )
    command = [sys.executable, "-c", code, str(bases / "tiny-qwen2")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_without_bitsandbytes_the_message_says_what_to_install(bases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(few_bits, "import_module", missing)
    with pytest.raises(
        WeightsError, match=r"quantize '4bit' needs bitsandbytes .*pip install 'hero-emotion\[quantize\]'"
    ):
        open_base(bases / "tiny-qwen2", device="cpu", quantize="4bit")
