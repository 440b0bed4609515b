"""What makes no integration layer, no adapter and no batch of tokens is told in one line; nothing raw comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from hero.errors import ConfigError, InputError
from hero.hero_model import HeroModel, Lora, open_base

VOICE = {"voice": {"dim_in": 6, "queries": 2}}


@pytest.mark.parametrize(("change", "said"), [
    ({"dim": -4}, r"dim of the integration layer is -4; give a whole number of 1 or more"),
    ({"dim": "48"}, r"dim of the integration layer is '48'; give a whole number"),
    ({"layers": True}, r"layers of the integration layer is True"), ({"queries": 2.0}, r"queries of .* is 2\.0; give"),
    ({"heads": 3}, r"16 columns cannot be shared by 3 heads"), ({"scale": "wide"}, r"scale of .* is 'wide'; give a number"),
    ({"strategy": ["dynamic"]}, r"no query strategy is called '\['dynamic'\]'; known: dynamic, audio, concat"),
    ({"width": 4}, r"integration has no size 'width'; allowed: parts, dim_lm, dim, heads"),
    ({"dim_lm": 100}, r"writes 100 columns, 'tiny-qwen2' reads 64; give dim_lm=64"),
    ({"decoder": {"dim": 16}}, r"integration\.decoder is a dict; give an EvidenceDecoder or None"),
    ({"parts": ["voice"]}, r"parts is a list; give a mapping from modalities"),
    ({"parts": {}}, r"connectors for nothing cannot be made"),
    ({"parts": {"voise": {"dim_in": 6}}}, r"parts has 'voise', which is no modality; modalities: .*voice"),
    ({"parts": {"voice": 6}}, r"parts\.voice is a int; give a mapping with some of dim_in, queries"),
    ({"parts": {"voice": {"queries": 2}}}, r"parts\.voice lacks dim_in; give the columns"),
    ({"parts": {"voice": {"dim_in": 6, "width": 2}}}, r"parts\.voice has no size 'width'; allowed: dim_in, queries"),
    ({"parts": {"voice": {"dim_in": "6"}}}, r"dim_in of parts\.voice is '6'; give a whole number of 1 or more"),
    ({"parts": {"voice": {"dim_in": 6, "dim_lm": 8, "hidden": 0}}}, r"hidden of a connector is 0; give a whole number"),
    ({"parts": {"voice": {"dim_in": 6, "projection": 3}}}, r"no input projection is called '3'; known: action_units"),
])  # fmt: skip
def test_sizes_that_make_no_integration_layer(bases: Path, change: dict[str, Any], said: str) -> None:
    sizes = {"parts": VOICE, "dim": 16, "heads": 2, "layers": 1, "queries": 2}
    base = open_base(bases / "tiny-qwen2", device="cpu")
    HeroModel.from_base(base, integration={**sizes, "dim_lm": 64})
    with pytest.raises(ConfigError, match=said):
        HeroModel.from_base(base, integration={**sizes, **change})


def test_no_sizes_at_all(bases: Path) -> None:
    with pytest.raises(ConfigError, match=r"integration lacks 'parts'; give a mapping such as"):
        HeroModel.from_base(bases / "tiny-qwen2", integration={"dim": 16}, device="cpu")
    with pytest.raises(
        ConfigError, match=r"integration is a list; give an IntegrationLayer, its sizes as a mapping, or"
    ):
        HeroModel.from_base(bases / "tiny-qwen2", integration=[16], device="cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize(("sizes", "said"), [
    ({"r": 4.5}, r"LoRA with r=4\.5, .*give r and alpha as whole numbers of 1 or more"), ({"alpha": "8"}, r"alpha='8'"),
    ({"dropout": None}, r"dropout=None"), ({"targets": "q_proj"}, r"targets='q_proj' makes no adapter.*a list of one"),
    ({"targets": ()}, r"targets=\(\)"), ({"rank": 4}, r"lora is rank; give Lora\(\.\.\.\) or a mapping with some of r, alpha"),
    (4, r"lora is int; give Lora\(\.\.\.\) or a mapping"),
])  # fmt: skip
def test_sizes_that_make_no_adapter(bases: Path, sizes: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        HeroModel.from_base(bases / "tiny-qwen2", lora=sizes, device="cpu")


def test_adapters_from_a_mapping(bases: Path) -> None:
    model = HeroModel.from_base(bases / "tiny-qwen2", lora={"r": 4, "targets": ["q_proj"]}, device="cpu")
    assert Lora(**model.config.lora) == Lora(r=4, targets=("q_proj",))
    assert {value.shape[0] for name, value in model.trainable_parameters().items() if "lora_A" in name} == {4}


@pytest.mark.parametrize(("change", "said"), [
    ({"input_ids": torch.ones(2, 3)}, r"input_ids are torch\.float32; give a tensor of whole numbers"),
    ({"input_ids": [[1, 2]]}, r"input_ids are list; give a tensor of whole numbers"),
    ({"input_ids": torch.tensor([[1, 2, 3], [4, -1, 5]])}, r"input_ids hold -1 in row 1, position 1; allowed: 0 to 322: use"),
    ({"input_ids": torch.tensor([[1, 2, 3], [4, 5, 323]])}, r"input_ids hold 323 in row 1, position 2"),
    ({"input_ids": torch.ones(0, 3, dtype=torch.long)}, r"a row of the batch has no token"),
    ({"labels": torch.ones(2, 3)}, r"labels are torch\.float32; give"),
    ({"labels": torch.tensor([[-100, 2, 3], [4, -1, 5]])}, r"labels hold -1 .*0 to 322, or -100 where nothing is learned"),
])  # fmt: skip
def test_ids_that_are_no_tokens(bases: Path, change: dict[str, Any], said: str) -> None:
    model = HeroModel.from_base(bases / "tiny-qwen2", device="cpu")
    given = {"input_ids": torch.tensor([[1, 2, 3], [4, 5, 6]]), **change}
    with pytest.raises(InputError, match=said):
        model(**given)


def test_ids_in_the_padding_may_be_anything(bases: Path) -> None:
    model = HeroModel.from_base(bases / "tiny-qwen2", device="cpu")
    ids = torch.tensor([[1, 2, 3], [-1, 5, 6]])
    mask, small = torch.tensor([[1, 1, 1], [0, 1, 1]]), ids.to(torch.int32)
    with torch.no_grad():
        found, again = (model(one, mask, labels=one.masked_fill(mask == 0, -100)).loss for one in (ids, small))
    assert found.isfinite() and torch.equal(found, again)
