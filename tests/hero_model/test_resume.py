"""Going on from a generation's cache reads the same as the whole text read anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from hero.hero_model import HeroModel
from hero.hero_model.resume import Written, continue_with
from hero.hero_model.score import label_probabilities

PROMPTS = ("the face and the voice: ", "his brows are lowered, her voice is quiet and slow: ", "sad? ")
LABELS = [("happy", "sad", "angry")]


@pytest.fixture(scope="module", params=["tiny-qwen2", "tiny-llama"])
def model(request: pytest.FixtureRequest) -> HeroModel:
    return HeroModel.from_base(request.param, device="cpu", precision="fp32")


def padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def kept_and_rest(tokenizer: Any, row: list[int], text: str) -> list[int]:
    """The tokens of a text that begins with what was written as far as the two agree: a random model spells oddly."""
    agree = [n for n in range(len(row)) if text.startswith(tokenizer.decode(row[:n]))]
    said = tokenizer.decode(row[: agree[-1]])
    return row[: agree[-1]] + tokenizer.encode(text[len(said) :], add_special_tokens=False)


@pytest.mark.parametrize("soft", [False, True], ids=["text", "soft tokens"])
@pytest.mark.parametrize("rows", [(0, 1, 2), (2,), (0, 2)])
def test_the_cache_goes_on_as_the_whole_text_does(model: HeroModel, rows: tuple[int, ...], soft: bool) -> None:
    tokenizer = model.tokenizer
    prompts = [tokenizer.encode(text, add_special_tokens=False) for text in PROMPTS]
    torch.manual_seed(0)
    context = {"context": torch.randn(3, 4, 64), "present": torch.tensor([True, False, True])} if soft else {}
    ids, mask = padded(prompts)
    made = model.generate(ids, mask, **context, max_new_tokens=12, return_dict_in_generate=True)
    said = tokenizer.batch_decode(made.sequences, skip_special_tokens=True)
    # A row goes on from all that it wrote, from a part of it, and from something else altogether.
    texts = [said[0] + ' and "', said[1][:5] + 'so "', 'no "']
    anew = [kept_and_rest(tokenizer, row, text) for row, text in zip(made.sequences.tolist(), texts, strict=True)]
    wanted_ids, wanted_mask = padded([prompt + row for prompt, row in zip(prompts, anew, strict=True)])
    whole = model.embed(wanted_ids, wanted_mask, **context)
    wanted = label_probabilities(model.language, tokenizer, whole.embeds, whole.mask, LABELS * 3)
    written = Written(made.sequences, made.past_key_values, model.embed(ids, mask, **context).mask)
    go_on = continue_with(model.language, tokenizer, written, rows, [texts[row] for row in rows])
    assert go_on.embeds.shape[1] < wanted_ids.shape[1]
    found = label_probabilities(
        model.language, tokenizer, go_on.embeds, go_on.mask, LABELS * len(rows), cache=go_on.cache
    )
    for row, chances in zip(rows, found, strict=True):
        assert chances == pytest.approx(wanted[row], abs=1e-4)
    assert len({round(chances["sad"], 6) for chances in wanted}) == 3  # the prompts do matter
