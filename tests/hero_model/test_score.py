"""Scoring of options: equal to the naive whole forward, whatever the padding, the batch and the order of the options."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from random_language import language_model

from hero.errors import VerdictError
from hero.hero_model import score
from hero.hero_model.score import label_probabilities, score_options, written
from hero.label_sets import label_set

FAMILIES = ["tiny-qwen2", "tiny-qwen3", "tiny-llama"]
OPTIONS = [[5], [5, 9], [5, 9, 200, 7], [31, 9], [5, 9, 201]]
LENGTHS = (4, 9, 6)


def _prompts(model: Any) -> tuple[Any, Any, list[list[int]]]:
    """Embeddings (3, 9, W) padded on the left with rubbish, their mask, and the token ids of each row."""
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(0, 256, (length,), generator=generator).tolist() for length in LENGTHS]
    embeds = torch.randn(3, 9, model.config.hidden_size, generator=generator) * 50
    mask = torch.zeros(3, 9, dtype=torch.long)
    for index, row in enumerate(rows):
        embeds[index, 9 - len(row) :] = model.get_input_embeddings()(torch.tensor(row))
        mask[index, 9 - len(row) :] = 1
    return embeds, mask, rows


def _naive(model: Any, row: list[int], option: list[int]) -> float:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([row + option])).logits[0].double().log_softmax(-1)
    return sum(float(logits[len(row) + place - 1, token]) for place, token in enumerate(option))


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_equal_the_naive_whole_forward(name: str) -> None:
    model, _ = language_model(name)
    embeds, mask, rows = _prompts(model)
    scores = score_options(model, embeds, mask, OPTIONS)
    expected = torch.tensor([[_naive(model, row, option) for option in OPTIONS] for row in rows])
    assert scores.shape == (3, len(OPTIONS))
    assert torch.allclose(scores, expected, atol=1e-4)


def test_neither_the_batch_nor_the_order_of_options_matters() -> None:
    model, _ = language_model("tiny-qwen2")
    embeds, mask, _ = _prompts(model)
    scores = score_options(model, embeds, mask.bool(), OPTIONS)
    turned = score_options(model, embeds.flip(0), mask.flip(0), OPTIONS[::-1])
    assert torch.allclose(scores, turned.flip(0, 1), atol=1e-5)
    alone = score_options(model, embeds[:1, 5:], mask[:1, 5:], OPTIONS[1:2])
    assert torch.allclose(scores[:1, 1:2], alone, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_label_probabilities_sum_to_one_and_do_not_depend_on_the_batch(name: str) -> None:
    model, tokenizer = language_model(name)
    embeds, mask, rows = _prompts(model)
    sets = [label_set("ekman7").labels, label_set("mer6").labels, ("悲喜交加", "sad", 'so "so"')]
    found = label_probabilities(model, tokenizer, embeds, mask, sets)
    for index, (own, row) in enumerate(zip(sets, rows, strict=True)):
        chances = found[index]
        assert tuple(chances) == own
        assert math.isclose(sum(chances.values()), 1, abs_tol=1e-9)
        alone = label_probabilities(model, tokenizer, embeds[index : index + 1, 9 - len(row) :],
                                    mask[index : index + 1, 9 - len(row) :], [own])[0]  # fmt: skip
        assert all(math.isclose(chances[label], alone[label], abs_tol=1e-5) for label in own)


def test_a_label_is_scored_to_the_end_of_the_answer() -> None:
    model, tokenizer = language_model("tiny-qwen2")
    assert written('so "so"') == 'so \\"so\\""}'
    embeds, mask, rows = _prompts(model)
    found = label_probabilities(model, tokenizer, embeds, mask, [("sad", "sadness")] * 3)
    for row, chances in zip(rows, found, strict=True):
        ids = {label: tokenizer.encode(f'{label}"}}', add_special_tokens=False) for label in chances}
        apart = _naive(model, row, ids["sadness"]) - _naive(model, row, ids["sad"])
        assert math.isclose(chances["sadness"] / chances["sad"], math.exp(apart), rel_tol=1e-3)


def test_a_model_with_adapters_is_scored_with_them() -> None:
    peft = pytest.importorskip("peft")
    plain, _ = language_model("tiny-qwen2")
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    torch.manual_seed(0)
    model = peft.get_peft_model(copy.deepcopy(plain), config).eval()
    embeds, mask, rows = _prompts(plain)
    scores = score_options(model, embeds, mask, OPTIONS)
    expected = torch.tensor([[_naive(model, row, option) for option in OPTIONS] for row in rows])
    assert torch.allclose(scores, expected, atol=1e-4)
    assert not torch.allclose(scores, score_options(plain, embeds, mask, OPTIONS), atol=1e-3)


def _in_bf16(name: str, *, bias: bool = False) -> Any:
    """A copy in bfloat16 whose logits are as large as those of published models, on its output embedding's own bias."""
    model = copy.deepcopy(language_model(name)[0]).to(torch.bfloat16)
    torch.manual_seed(0)
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(8)
    if bias:
        model.lm_head.bias = torch.nn.Parameter(torch.randn(len(model.lm_head.weight), dtype=torch.bfloat16))
    return model


def _in_float32(model: Any, embeds: Any, mask: Any, option: list[int]) -> Any:
    """(B,) the score of an option by float32 arithmetic on the last hidden states of the whole prompt, written at once."""
    words = model.get_input_embeddings()(torch.tensor(option))
    whole = torch.cat([embeds.to(words.dtype), words.expand(len(embeds), -1, -1)], dim=1)
    longer = torch.cat([mask, mask.new_ones(len(mask), len(option))], dim=1)
    positions = (longer.cumsum(1) - 1).clamp(min=0)
    with torch.inference_mode():
        states = model.model(inputs_embeds=whole, attention_mask=longer, position_ids=positions).last_hidden_state
        head = model.get_output_embeddings()
        logits = states[:, -len(option) - 1 : -1].double() @ head.weight.double().T
        logits = logits if head.bias is None else logits + head.bias.double()
    return logits.log_softmax(-1).gather(2, torch.tensor(option).expand(len(mask), -1)[..., None]).sum((1, 2)).float()


@pytest.mark.parametrize(("name", "bias"), [("tiny-qwen2", False), ("tiny-llama", False), ("tiny-llama", True)])
def test_half_precision_is_scored_in_float32_from_the_hidden_states(
    name: str, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "CHUNK", 50)  # several chunks, the last one not full
    model = _in_bf16(name, bias=bias)
    embeds, mask, _ = _prompts(language_model(name)[0])
    embeds = embeds.to(torch.bfloat16)
    for option in ([5], [31], [200]):
        found = score_options(model, embeds, mask, [option])[:, 0]
        assert found.dtype == torch.float32
        assert torch.allclose(found, _in_float32(model, embeds, mask, option), atol=1e-4)
    several = score_options(model, embeds, mask, OPTIONS)  # the cache rounds at other places than one whole pass does
    wanted = torch.stack([_in_float32(model, embeds, mask, option) for option in OPTIONS], dim=1)
    assert torch.allclose(several, wanted, rtol=0.02, atol=0.5)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_labels_that_tie_in_half_precision_are_told_apart() -> None:
    model = _in_bf16("tiny-llama")
    embeds, mask, _ = _prompts(model)
    embeds = embeds[:1].to(torch.bfloat16)
    states = []
    with model.model.norm.register_forward_hook(lambda *said: states.append(said[2][0, -1])), torch.no_grad():
        model(inputs_embeds=embeds, attention_mask=mask[:1])
        column = states[0].abs().argmax()
        row = model.lm_head.weight[5].copy_(states[0] * 20 / states[0].float().square().sum())  # a logit of 20
        model.lm_head.weight[9].copy_(row)
        model.lm_head.weight[9, column] *= 1.0 + 2**-7  # the next number that bfloat16 knows, or nearly
        logits = model(inputs_embeds=embeds, attention_mask=mask[:1]).logits[0, -1]
    assert 16 < logits[5] < 32 and logits[5] == logits[9]
    five, nine = score_options(model, embeds, mask[:1], [[5], [9]])[0].tolist()
    exact = _in_float32(model, embeds, mask[:1], [9]) - _in_float32(model, embeds, mask[:1], [5])
    assert nine - five == pytest.approx(exact.item(), abs=1e-4)
    assert nine - five > 0.003


@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-llama"])
def test_an_output_embedding_under_an_adapter_is_scored_with_it(name: str) -> None:
    peft = pytest.importorskip("peft")
    plain, _ = language_model(name)
    config = peft.LoraConfig(r=2, target_modules=["lm_head"], init_lora_weights=False, task_type="CAUSAL_LM")
    torch.manual_seed(0)
    model = peft.get_peft_model(copy.deepcopy(plain), config).eval()
    embeds, mask, rows = _prompts(plain)
    expected = torch.tensor([[_naive(model, row, option) for option in OPTIONS] for row in rows])
    assert torch.allclose(score_options(model, embeds, mask, OPTIONS), expected, atol=1e-4)


def test_what_cannot_be_scored_is_said() -> None:
    model, _ = language_model("tiny-qwen2")
    embeds, mask, _ = _prompts(model)
    for options in ([], [[]], [[1], []]):
        with pytest.raises(VerdictError, match="nothing to score"):
            score_options(model, embeds, mask, options)
    with pytest.raises(VerdictError, match="pad them on the left"):
        score_options(model, embeds, mask.flip(1), [[1]])
