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


def test_what_cannot_be_scored_is_said() -> None:
    model, _ = language_model("tiny-qwen2")
    embeds, mask, _ = _prompts(model)
    for options in ([], [[]], [[1], []]):
        with pytest.raises(VerdictError, match="nothing to score"):
            score_options(model, embeds, mask, options)
    with pytest.raises(VerdictError, match="pad them on the left"):
        score_options(model, embeds, mask.flip(1), [[1]])
