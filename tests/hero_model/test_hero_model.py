"""The HERO model computes what it should: masks, padding, batches, soft tokens, training, generation, streaming."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from tiny_hero import FAMILIES, SIZES, TEXTS, batch, only, tiny_hero

from hero.errors import ConfigError, InputError, WeightsError
from hero.hero_model import HeroModel, Lora, open_base
from hero.hero_model.prompt import pack, positions
from hero.nn.integration import Feed, IntegrationLayer


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def rows(model: HeroModel, **inputs: Any) -> list[torch.Tensor]:
    """Logits of the real positions of each sample."""
    with torch.no_grad():
        out = model(**inputs)
    return [logits[mask] for logits, mask in zip(out.logits, out.mask, strict=True)]


@pytest.mark.parametrize("family", FAMILIES)
def test_soft_tokens_stand_at_the_start_after_the_first_mark(bases: Path, family: str) -> None:
    model = tiny_hero(bases, family)
    given = batch(model)
    with torch.no_grad():
        soft = model.integrate(given["feeds"])
        prompt = model.embed(given["input_ids"], given["attention_mask"], soft.context, soft.present)
    table = model.language.get_input_embeddings()
    begins = int(model.tokenizer.bos_token_id is not None)
    assert (begins == 1) == (family == "tiny-llama")
    for row, ids in enumerate(model.tokenizer(list(TEXTS))["input_ids"]):
        words = table(torch.tensor(ids))
        middle = soft.context[row] if soft.present[row] else soft.context[row, :0]
        wanted = torch.cat([words[:begins], middle, words[begins:]])
        assert torch.equal(prompt.embeds[row, prompt.mask[row]], wanted)
    assert soft.present.tolist() == [True, True, False]
    assert prompt.mask[:, -1].all() and not prompt.mask[:, 0].all()  # padded on the left


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_context_it_is_the_language_model_alone(bases: Path, family: str) -> None:
    model = tiny_hero(bases, family)
    given = batch(model)
    alone = open_base(bases / family, device="cpu")
    ids = alone.tokenizer(TEXTS[2], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        wanted = alone.model(input_ids=ids).logits[0]
    assert torch.allclose(rows(model, **given)[2], wanted, atol=1e-5)
    assert torch.allclose(rows(model, **{**given, "feeds": None})[2], wanted, atol=1e-5)
    assert len(rows(model, **given)[0]) == len(rows(model, **{**given, "feeds": None})[0]) + SIZES["queries"]


@pytest.mark.parametrize("family", FAMILIES)
def test_left_and_right_padding_agree(bases: Path, family: str) -> None:
    model = tiny_hero(bases, family, lora=Lora(r=4, dropout=0))
    right, left = (rows(model, **batch(model, side=side)) for side in ("right", "left"))
    for one, other in zip(right, left, strict=True):
        assert torch.equal(one, other)
    given = batch(model, side="left")
    with torch.no_grad():
        soft = model.integrate(given["feeds"])
        embeds, mask = model.embed(given["input_ids"], given["attention_mask"], soft.context, soft.present, side="left")
        logits = model.language(inputs_embeds=embeds, attention_mask=mask.long(), position_ids=positions(mask)).logits
    assert not mask[0, 0]
    for row, other in enumerate(right):  # forward pads on the right, generate on the left
        assert torch.allclose(logits[row, mask[row]], other, atol=1e-4)
    spoiled = given["input_ids"].masked_fill(given["attention_mask"] == 0, 7)
    for one, other in zip(rows(model, **{**given, "input_ids": spoiled}), left, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_and_many_agree(bases: Path, family: str) -> None:
    model = tiny_hero(bases, family, lora=Lora(r=4, dropout=0))
    given = batch(model)
    with torch.no_grad():
        soft = model.integrate(given["feeds"])
        together = rows(model, **given)
        for row, text in enumerate(TEXTS):
            single = {**batch(model, [text]), "feeds": only(given["feeds"], row)}
            assert torch.allclose(rows(model, **single)[0], together[row], atol=1e-4)
        many = model.generate(
            given["input_ids"], given["attention_mask"], context=soft.context, present=soft.present, max_new_tokens=8
        )
        for row, text in enumerate(TEXTS):
            ids = model.tokenizer(text, return_tensors="pt")["input_ids"]
            one = model.generate(
                ids, context=soft.context[row : row + 1], present=soft.present[row : row + 1], max_new_tokens=8
            )
            assert one[0].tolist() == many[row, : one.shape[1]].tolist()


@pytest.mark.parametrize("junk", [1e30, float("nan")])
def test_masked_modalities_change_nothing(bases: Path, junk: float) -> None:
    model = tiny_hero(bases)
    given = batch(model)
    plain = rows(model, **given)
    spoiled = {
        name: feed._replace(values=feed.values.masked_fill(~feed.mask, junk)) for name, feed in given["feeds"].items()
    }
    assert any(not torch.equal(spoiled[name].values, feed.values) for name, feed in given["feeds"].items())
    for one, other in zip(rows(model, **{**given, "feeds": spoiled}), plain, strict=True):
        assert torch.equal(one, other)


def test_a_modality_that_is_dropped_is_missing(bases: Path) -> None:
    model = tiny_hero(bases)
    given = batch(model)
    keep = torch.ones(3, len(model.integration.modalities), dtype=torch.bool)
    for one, other in zip(rows(model, **given, keep=keep), rows(model, **given), strict=True):
        assert torch.equal(one, other)
    keep[0, model.integration.modalities.index("voice")] = False
    dropped = rows(model, **given, keep=keep)
    voice = given["feeds"]["voice"]
    silent = {
        **given["feeds"],
        "voice": voice._replace(mask=voice.mask & torch.tensor([0, 1, 1]).bool()[:, None, None]),
    }
    assert torch.allclose(dropped[0], rows(model, **{**given, "feeds": silent})[0], atol=1e-6)
    assert not torch.allclose(dropped[0], rows(model, **given)[0], atol=1e-4)
    keep[:] = False
    alone = rows(model, **{**given, "feeds": None})
    for one, other in zip(rows(model, **given, keep=keep), alone, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_the_context_reaches_the_answer(bases: Path) -> None:
    model = tiny_hero(bases)
    given = batch(model, TEXTS[:1])
    other = {**given, "feeds": {"voice": given["feeds"]["voice"]}}
    assert not torch.allclose(rows(model, **given)[0][-1], rows(model, **other)[0][-1], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_twenty_steps_of_training_lower_the_loss_and_change_only_what_they_should(bases: Path, family: str) -> None:
    torch.manual_seed(1)
    model = HeroModel.from_base(bases / family, integration=SIZES, lora=Lora(r=8, dropout=0), device="cpu")
    frozen = {name: value.clone() for name, value in model.named_parameters() if not value.requires_grad}
    before = {name: value.detach().clone() for name, value in model.trainable_parameters().items()}
    assert all("lora_" in name or name.startswith("integration.") for name in before)
    assert {name for name in dict(model.named_parameters()) if name.startswith("integration.")} <= set(before)
    given = batch(model, TEXTS[:2])
    labels = given["input_ids"].masked_fill(given["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW(model.trainable_parameters().values(), lr=5e-3)
    model.train()
    losses = []
    for _ in range(20):
        loss = model(**given, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0], losses
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    moved = [name for name, value in before.items() if not torch.equal(now[name], value)]
    assert sum("lora_" in name for name in moved) == sum("lora_" in name for name in before)
    for part in ("connectors", "query", "panorama", "projector"):
        assert any(name.startswith(f"integration.{part}.") for name in moved), part


def test_labels_are_learned_where_their_tokens_stand(bases: Path) -> None:
    model = tiny_hero(bases, "tiny-llama")
    given = batch(model, side="left")
    labels = given["input_ids"].masked_fill(given["attention_mask"] == 0, -100)
    labels[:, -6] = -100
    with torch.no_grad():
        out = model(**given, labels=labels)
    total, count = 0.0, 0
    for row in range(3):
        told = out.labels[row][out.mask[row]]
        chances = out.logits[row][out.mask[row]].log_softmax(-1)
        for place in range(1, len(told)):
            if told[place] != -100:
                total, count = total - float(chances[place - 1, told[place]]), count + 1
    first_marks = 2  # of the two rows with padding on their left; the third one's stands in column 0
    assert count == int((labels[:, 1:] != -100).sum()) - first_marks
    assert out.loss.item() == pytest.approx(total / count, abs=1e-5)
    soft = model.integration.sizes["queries"]
    assert (out.labels[0][out.mask[0]][: 1 + soft] == -100).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_streamed_pieces_join_to_what_is_generated(bases: Path, family: str) -> None:
    model = tiny_hero(bases, family)
    given = batch(model, TEXTS[:1])
    with torch.no_grad():
        soft = model.integrate(given["feeds"])
    options = {
        "context": soft.context,
        "present": soft.present,
        "max_new_tokens": 40,
        "min_new_tokens": 30,
        "do_sample": True,
    }
    torch.manual_seed(3)
    whole = model.generate(given["input_ids"], given["attention_mask"], **options)
    torch.manual_seed(3)
    pieces = list(model.stream(given["input_ids"], given["attention_mask"], **options))
    assert "".join(pieces) == model.tokenizer.decode(whole[0], skip_special_tokens=True)
    assert len(pieces) > 1


def test_an_error_in_the_stream_reaches_the_caller(bases: Path) -> None:
    model = tiny_hero(bases)
    given = batch(model, TEXTS[:1])

    def broken(_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        raise ValueError("the processor is broken")

    with pytest.raises(ValueError, match="the processor is broken"):
        list(model.stream(given["input_ids"], logits_processor=[broken], max_new_tokens=4))
    with pytest.raises(InputError, match=r"3 samples cannot be streamed at once"):
        model.stream(batch(model)["input_ids"])


def test_closing_the_stream_stops_the_writing(bases: Path) -> None:
    model = tiny_hero(bases)
    calls = []

    def count(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        calls.append(ids.shape[1])
        return scores.masked_fill(torch.arange(scores.shape[1]) != model.tokenizer.encode(" ")[0], float("-inf"))

    stream = model.stream(batch(model, TEXTS[:1])["input_ids"], logits_processor=[count], max_new_tokens=5000)
    assert next(stream) == " "
    stream.close()
    assert len(calls) < 4000


def test_generating_keeps_keys_and_values(bases: Path) -> None:
    model = tiny_hero(bases, lora=Lora(r=2))
    steps: list[int] = []
    layer = model.language.get_base_model().model.layers[0]
    layer.register_forward_pre_hook(lambda _module, inputs: steps.append(inputs[0].shape[1]))
    given = batch(model, TEXTS[:2])
    made = model.generate(given["input_ids"], given["attention_mask"], min_new_tokens=5, max_new_tokens=5)
    assert made.shape == (2, 5)
    assert steps == [int(given["attention_mask"].sum(1).max()), 1, 1, 1, 1]


def test_generating_leaves_the_mode_and_needs_no_gradients(bases: Path) -> None:
    model = tiny_hero(bases, lora=Lora(r=4, dropout=0.5)).train()
    ids = batch(model, TEXTS[:1])["input_ids"]
    first, second = (model.generate(ids, max_new_tokens=6) for _ in range(2))
    assert torch.equal(first, second) and not first.requires_grad  # no dropout meanwhile
    assert model.training and model.language.training


def trainer(model: HeroModel, folder: Path, **options: Any) -> Any:
    """transformers' Trainer on two clips with their texts."""
    from transformers import Trainer, TrainingArguments

    given = batch(model, TEXTS[:2])
    labels = given["input_ids"].masked_fill(given["attention_mask"] == 0, -100)

    def collate(samples: list[int]) -> dict[str, Any]:
        feeds = {
            name: {part: getattr(feed, part)[samples] for part in Feed._fields} for name, feed in given["feeds"].items()
        }
        return {"input_ids": given["input_ids"][samples], "attention_mask": given["attention_mask"][samples],
                "labels": labels[samples], "feeds": feeds}  # fmt: skip

    arguments = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=2, learning_rate=1e-2, use_cpu=True, report_to=[],
        remove_unused_columns=False, disable_tqdm=True, **{"logging_strategy": "no", **options},
    )  # fmt: skip
    return Trainer(model=model, args=arguments, train_dataset=[0, 1], eval_dataset=[0, 1], data_collator=collate)


def test_transformers_trainer_takes_it(bases: Path, tmp_path: Path) -> None:
    model = tiny_hero(bases, lora=Lora(r=4))
    made = trainer(model, tmp_path, max_steps=4, save_strategy="no", activation_checkpointing=True)
    before = made.evaluate()["eval_loss"]
    made.train()
    assert model.is_activation_checkpointing
    assert made.evaluate()["eval_loss"] < before


@pytest.mark.parametrize(
    "family", ["tiny-qwen2", "tiny-llama"]
)  # tied embeddings, and embeddings of its own at the end
def test_transformers_trainer_saves_small_checkpoints_and_goes_on_from_them(
    bases: Path, tmp_path: Path, family: str
) -> None:
    model = tiny_hero(bases, family, lora=Lora(r=4))
    size = 4 * sum(value.numel() for value in model.trainable_parameters().values())
    whole = trainer(model, tmp_path, max_steps=6, save_steps=3, logging_steps=1, logging_strategy="steps")
    whole.train()
    assert (tmp_path / "checkpoint-6").is_dir()
    half = tmp_path / "checkpoint-3" / "model.safetensors"
    assert size < half.stat().st_size < size + 40_000
    shutil.rmtree(tmp_path / "checkpoint-6")
    fresh = tiny_hero(bases, family, seed=9, lora=Lora(r=4))
    again = trainer(fresh, tmp_path, max_steps=6, save_steps=3, logging_steps=1, logging_strategy="steps")
    again.train(resume_from_checkpoint=True)

    def losses(one: Any) -> dict[int, float]:
        return {row["step"]: row["loss"] for row in one.state.log_history if "loss" in row}

    assert losses(whole).keys() == losses(again).keys() == set(range(1, 7))
    assert losses(again) == losses(whole)
    given = batch(model)
    for one, other in zip(rows(fresh.eval(), **given), rows(model.eval(), **given), strict=True):
        assert torch.equal(one, other)


def test_its_state_is_what_a_training_changes(bases: Path) -> None:
    model, other = tiny_hero(bases, lora=Lora(r=4)), tiny_hero(bases, seed=3, lora=Lora(r=4))
    state = model.state_dict()
    assert set(state) == set(model.trainable_parameters())
    assert set(state) == set(model.requires_grad_(False).state_dict())  # frozen adapters are adapters
    result = other.load_state_dict(state)
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    given = batch(model)
    for one, another in zip(rows(other, **given), rows(model, **given), strict=True):
        assert torch.equal(one, another)
    beside = torch.nn.ModuleDict({"hero": tiny_hero(bases, seed=4, lora=Lora(r=4)), "more": torch.nn.Linear(2, 2)})
    nested = beside.state_dict()
    assert set(nested) == {*(f"hero.{name}" for name in state), "more.weight", "more.bias"}
    assert beside.load_state_dict(nested).missing_keys == []
    apart = deepcopy(model)
    with torch.no_grad():
        apart.integration.bank_embedding.add_(1)
    assert not torch.equal(apart.state_dict()["integration.bank_embedding"], state["integration.bank_embedding"])
    assert torch.equal(model.state_dict()["integration.bank_embedding"], state["integration.bank_embedding"])
    model.language.get_input_embeddings().weight.requires_grad_(True)
    assert [name for name in model.state_dict() if name.endswith("embed_tokens.weight")]
    assert not [name for name in model.state_dict() if name.endswith("lm_head.weight")]  # tied: the same tensor


@pytest.mark.parametrize("strict", [True, False])
def test_a_state_that_is_not_whole_is_refused(bases: Path, strict: bool) -> None:
    model = tiny_hero(bases, lora=Lora(r=4))
    state = model.state_dict()
    lacks = {name: value for name, value in state.items() if name != "integration.bank_embedding"}
    more = {**state, "language.model.norm.weight": torch.ones(64)}
    wide = {**state, "integration.bank_embedding": torch.ones(1, 2)}
    for flawed, said in (
        (lacks, r"'integration\.bank_embedding' is missing in it, \(.*\) here"),
        (more, r"'language\.model\.norm\.weight' is \(64,\) in it, unknown here"),
        (wide, r"'integration\.bank_embedding' is \(1, 2\) in it, \(.*\) here"),
    ):
        with pytest.raises(WeightsError, match=said):
            model.load_state_dict(flawed, strict=strict)


def test_checkpointed_activations_give_the_same_gradients(bases: Path) -> None:
    model = tiny_hero(bases, lora=Lora(r=4, dropout=0)).train()
    given = batch(model, TEXTS[:2])
    gradients = []
    for again in (False, True):
        if again:
            model.activation_checkpointing_enable()
        model.zero_grad()
        model(**given, labels=given["input_ids"]).loss.backward()
        gradients.append(
            {name: value.grad.clone() for name, value in model.trainable_parameters().items() if value.grad is not None}
        )
    assert gradients[0].keys() == gradients[1].keys() and any("lora_" in name for name in gradients[0])
    assert all(torch.allclose(value, gradients[1][name], atol=1e-6) for name, value in gradients[0].items())


def test_a_model_of_text_only(bases: Path) -> None:
    model = HeroModel.from_base(bases / "tiny-qwen3", device="cpu")
    assert model.integration is None and not model.trainable_parameters()
    feeds = batch(tiny_hero(bases))["feeds"]
    with pytest.raises(ConfigError, match=r"reads text only; leave the feeds out"):
        model(torch.tensor([[1, 2]]), feeds=feeds)


def test_fresh_soft_tokens_are_as_long_as_words(bases: Path) -> None:
    model = tiny_hero(bases)
    words = model.language.get_input_embeddings().weight
    with torch.no_grad():
        soft = model.integrate(batch(model)["feeds"]).context[0]
    assert 0.3 < soft.pow(2).mean().sqrt() / words.pow(2).mean().sqrt() < 3


def test_half_precision(bases: Path) -> None:
    torch.manual_seed(0)
    model = HeroModel.from_base(bases / "tiny-qwen2", integration=SIZES, lora=Lora(r=4), device="cpu", precision="bf16")
    given = batch(model)
    out = model(**given, labels=given["input_ids"])
    assert out.logits.dtype == torch.bfloat16 and out.integrated.context.dtype == torch.float32
    out.loss.backward()
    assert model.integration.projector is not None and out.loss.isfinite()
    assert model.generate(given["input_ids"], given["attention_mask"], max_new_tokens=3).shape == (3, 3)


@pytest.mark.parametrize(("change", "said"), [
    ({"attention_mask": torch.ones(3, 2)}, r"input_ids are \(3, \d+\), attention_mask \(3, 2\)"),
    ({"labels": torch.ones(1, 2)}, r"labels \(1, 2\)"),
    ({"context": torch.zeros(3, 4, 63)}, r"the context is \(3, 4, 63\); give \(3, N, 64\)"),
    ({"context": torch.zeros(2, 4, 64)}, r"the context is \(2, 4, 64\)"),
    ({"context": torch.zeros(3, 4, 64), "present": torch.ones(2)}, r"`present` is \(2,\); give \(3,\)"),
])  # fmt: skip
def test_shapes_that_do_not_fit_are_named(bases: Path, change: dict[str, Any], said: str) -> None:
    model = tiny_hero(bases)
    with pytest.raises(InputError, match=said):
        model(**{**batch(model), "feeds": None, **change})


def test_other_bad_input(bases: Path) -> None:
    model = tiny_hero(bases)
    given = batch(model)
    with pytest.raises(InputError, match=r"feeds and context came together"):
        model(**given, context=torch.zeros(3, 4, 64))
    empty = given["attention_mask"].clone()
    empty[1] = 0
    with pytest.raises(InputError, match=r"a row of the batch has no token"):
        model(**{**given, "attention_mask": empty})
    with pytest.raises(InputError, match=r"has 32769 positions, 'tiny-qwen2' reads 32768; shorten the text"):
        model.embed(torch.ones(1, 32769, dtype=torch.long))


def test_sizes_that_do_not_fit_the_base(bases: Path) -> None:
    layer = IntegrationLayer(**SIZES, dim_lm=48)
    with pytest.raises(ConfigError, match=r"writes 48 columns, 'tiny-qwen2' reads 64; give dim_lm=64"):
        HeroModel.from_base(bases / "tiny-qwen2", integration=layer, device="cpu")
    with pytest.raises(ConfigError, match=r"LoRA cannot adapt c_attn: 'tiny-qwen2' has no such layer"):
        HeroModel.from_base(bases / "tiny-qwen2", lora=Lora(targets=("c_attn", "q_proj")), device="cpu")
    with pytest.raises(ConfigError, match=r"LoRA with r=0"):
        Lora(r=0)
    base = open_base(bases / "tiny-qwen2", device="cpu")
    HeroModel.from_base(base, lora=Lora(r=2))
    with pytest.raises(ConfigError, match=r"has adapters of another HERO model already"):
        HeroModel.from_base(base, lora=Lora(r=2))


def test_padding_may_stand_in_the_middle() -> None:
    embeds = torch.arange(12.0).view(2, 6, 1)
    mask = torch.tensor([[0, 1, 0, 1, 1, 0], [1, 1, 1, 1, 0, 1]]).bool()
    labels = torch.arange(12).view(2, 6)
    for side, firsts in (("left", [2, 0]), ("right", [0, 0])):
        prompt, told = pack(embeds, mask, torch.zeros_like(mask), None, None, labels, side=side)
        assert prompt.mask.sum(1).tolist() == [3, 5] and prompt.mask.int().argmax(1).tolist() == firsts
        assert prompt.embeds[prompt.mask].flatten().tolist() == [1, 3, 4, 6, 7, 8, 9, 11]
        assert told[prompt.mask].tolist() == [-100, 3, 4, -100, 7, 8, 9, 11]  # a first token is never learned
        assert (prompt.embeds[~prompt.mask] == 0).all() and (told[~prompt.mask] == -100).all()
