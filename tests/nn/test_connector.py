"""Connectors: spec shapes for each modality, and a folder that loads as a whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file

from hero.errors import ConfigError, InputError, OutputError, WeightsError
from hero.nn.connector import SPEC_SIZES, TASK_OF, Connector, Connectors, spec_connectors
from hero.nn.connector_files import TABLE, TENSORS, Training, load_connectors, save_connectors
from hero.nn.evidence_decoder import TASKS, EvidenceDecoder

TRAINED = Training(True, "made sentences", "CC0-1.0", True, "r1", {"voice": "hubert-large-ll60k"})
TINY = {"dim": 16, "dim_lm": 12, "layers": 1, "heads": 2}


def _tiny(seed: int = 0) -> Connectors:
    torch.manual_seed(seed)
    parts = {
        "voice": Connector(dim_in=6, queries=4, **TINY),
        "face": Connector(dim_in=35, queries=2, projection="action_units", **TINY),
    }
    return Connectors(parts, EvidenceDecoder(dim_features=16, dim=16, layers=1, heads=2)).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_connectors(tmp_path / "c", _tiny(), TRAINED)
    return tmp_path / "c"


def _edit(folder: Path, **changes: object) -> None:
    table = json.loads((folder / TABLE).read_text())
    (folder / TABLE).write_text(json.dumps({**table, **changes}))


@pytest.mark.parametrize(
    ("modality", "steps", "columns", "queries"),
    [
        ("scene", 3, 1024, 32),
        ("motion", 5, 768, 32),
        ("face", 75, 35, 8),
        ("voice", 149, 1024, 32),
        ("words", 11, 768, 8),
    ],
)
def test_spec_shapes(modality: str, steps: int, columns: int, queries: int) -> None:
    torch.manual_seed(0)
    connector = Connector(**SPEC_SIZES[modality])
    found = connector(torch.randn(2, steps, columns), None, torch.rand(2, steps, 1))
    assert found.tokens.shape == (2, queries, 768)
    assert found.projected.shape == (2, queries, 4096)
    assert found.present.tolist() == [True, True]


def test_every_modality_has_a_task_of_its_own() -> None:
    assert sorted(TASK_OF.values()) == sorted(TASKS)
    assert set(SPEC_SIZES) < set(TASK_OF)


@pytest.mark.parametrize("junk", [1e30, float("nan")])
def test_masked_action_units_cannot_be_felt(junk: float) -> None:
    connectors = _tiny()
    values, mask = torch.rand(2, 9, 35), torch.ones(2, 9, 35, dtype=torch.bool)
    mask[0, 4:] = False
    mask[:, :, 3] = False
    times = torch.arange(9.0)[None, :, None].repeat(2, 1, 1)
    plain = connectors("face", values, mask, times)
    spoiled = values.clone()
    spoiled[~mask] = junk
    assert torch.equal(connectors("face", spoiled, mask, times).projected, plain.projected)
    cut = connectors("face", values[:1, :4], mask[:1, :4], times[:1, :4])
    assert torch.allclose(cut.tokens, plain.tokens[:1], atol=1e-5)
    mask[1] = False
    assert connectors("face", values, mask, times).present.tolist() == [True, False]


def test_masked_values_never_reach_an_input_projection() -> None:
    class Sum(torch.nn.Module):
        def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return values.sum(dim=-1, keepdim=True).repeat(1, 1, 16) * torch.arange(16)

    connector = _tiny().part("face")
    connector.projection = Sum()
    values, mask = torch.rand(1, 4, 35), torch.ones(1, 4, 35, dtype=torch.bool)
    mask[0, 1, 3], mask[0, 2] = False, False
    spoiled = values.masked_fill(~mask, float("nan"))
    assert torch.equal(connector(spoiled, mask).tokens, connector(values.masked_fill(~mask, 9.0), mask).tokens)
    assert connector(spoiled, mask).tokens.isfinite().all()


def test_a_step_with_a_masked_value_is_left_out_without_an_input_projection() -> None:
    connectors, inputs = _tiny(), torch.randn(1, 5, 6)
    mask = torch.ones(1, 5, 6, dtype=torch.bool)
    mask[0, 2, 1] = False
    kept = connectors("voice", inputs[:, [0, 1, 3, 4]])
    assert torch.allclose(connectors("voice", inputs, mask).tokens, kept.tokens, atol=1e-6)


def test_a_saved_folder_gives_the_same_again(folder: Path) -> None:
    before = torch.random.get_rng_state()
    saved = load_connectors(folder)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert saved.training == TRAINED
    assert not saved.connectors.training
    inputs, mine = torch.randn(1, 5, 6), _tiny()
    assert torch.equal(saved.connectors("voice", inputs).projected, mine("voice", inputs).projected)
    tokens = saved.connectors("voice", inputs).tokens
    heard = [c.decoder.generate(tokens, None, "audio", max_bytes=9) for c in (saved.connectors, mine)]
    assert heard[0] == heard[1]
    assert len(saved.sha256) == 64
    save_connectors(folder, _tiny(seed=1), TRAINED)
    assert load_connectors(folder).sha256 != saved.sha256
    assert sorted(path.name for path in folder.iterdir()) == [TABLE, TENSORS]


def test_spec_connectors_share_one_decoder() -> None:
    with torch.device("meta"):  # 150 million weights are not needed to look at sizes
        connectors = spec_connectors()
    assert connectors.modalities == ("scene", "motion", "face", "voice", "words")
    assert {connectors.part(m).queries for m in ("face", "words")} == {8}
    assert connectors.part("voice").sizes["dim_lm"] == 4096
    assert isinstance(connectors.decoder, EvidenceDecoder)


def test_damage_is_found(folder: Path) -> None:
    data = bytearray((folder / TENSORS).read_bytes())
    data[-1] ^= 1
    (folder / TENSORS).write_bytes(data)
    with pytest.raises(WeightsError, match=r"connectors.safetensors is damaged: its sha256"):
        load_connectors(folder)
    (folder / TENSORS).unlink()
    with pytest.raises(WeightsError, match=r"lacks connectors.safetensors"):
        load_connectors(folder)
    (folder / TABLE).write_text("{")
    with pytest.raises(WeightsError, match=r"connectors.json cannot be read"):
        load_connectors(folder)
    (folder / TABLE).unlink()
    with pytest.raises(WeightsError, match=r"connectors.json is missing; name a folder that has it"):
        load_connectors(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 1"),
        ({"extra": 1}, "extra"),
        ({"parts": []}, "'parts' must be a mapping"),
        ({"parts": {"voice": 3}}, "'parts' must be a mapping"),
        ({"parts": {}}, "connectors for nothing"),
        ({"parts": {"smell": {"dim_in": 6}}}, "connectors for smell"),
        ({"parts": {"voice": {"dim_in": 6, "depth": 1}}}, "depth"),
        ({"parts": {"voice": {"dim_in": "six"}}}, "describes no connectors"),
        ({"parts": {"voice": {"dim_in": 6, "queries": 0}}}, "queries of a connector is 0"),
        ({"parts": {"voice": {"dim_in": 6, "projection": "magic"}}}, "no input projection is called 'magic'"),
        ({"parts": {"voice": {"dim_in": 6, "queries": 4, **TINY}}}, "has the unknown tensor 'parts.face"),
        ({"decoder": {"kind": "parrot"}}, "'parrot'; known: bytes, t5, none"),
        ({"decoder": {"kind": "t5", "dim_features": 16}}, "nothing to open it"),
        ({"training": {"trained": 1}}, "must be true or false"),
        ({"training": {"trained": True}}, "allowed are exactly trained"),
        ({"files": {}}, "no hash of connectors.safetensors"),
        ({"files": {TENSORS: "0", "../x": "0"}}, "damaged|lacks"),
    ],
)
def test_a_wrong_table_is_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    _edit(folder, **changes)
    with pytest.raises(WeightsError, match=message):
        load_connectors(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.pop("parts.voice.resampler.queries"), "lacks tensor 'parts.voice.resampler.queries'"),
        (lambda t: t.update({"more": torch.ones(1)}), "has the unknown tensor 'more'"),
        (lambda t: t.update({"parts.voice.resampler.queries": torch.ones(3, 16)}), r"shape \(3, 16\), wanted \(4, 16\)"),
        (lambda t: t["parts.voice.resampler.queries"].fill_(float("nan")), "NaN"),
    ],
)  # fmt: skip
def test_tensors_must_be_those_of_the_table(folder: Path, edit: object, message: str) -> None:
    import hashlib

    tensors = load_file(folder / TENSORS)
    edit(tensors)  # type: ignore[operator]
    save_file(tensors, folder / TENSORS)
    _edit(folder, files={TENSORS: hashlib.sha256((folder / TENSORS).read_bytes()).hexdigest()})
    with pytest.raises(WeightsError, match=message):
        load_connectors(folder)


def test_trained_weights_must_say_on_what() -> None:
    with pytest.raises(ConfigError, match="must name their licence, revision"):
        Training(trained=True, data="made sentences")


def test_bad_input_names_the_cure(tmp_path: Path) -> None:
    connectors = _tiny()
    with pytest.raises(ConfigError, match="no connector for 'scene'; there are: voice, face"):
        connectors("scene", torch.zeros(1, 1, 6))
    with pytest.raises(InputError, match=r"6 columns got \(1, 1, 7\)"):
        connectors("voice", torch.zeros(1, 1, 7))
    with pytest.raises(ConfigError, match=r"\[16, 768\] feature columns"):
        Connectors({"voice": Connector(dim_in=6, **TINY)}, EvidenceDecoder())
    with pytest.raises(ConfigError, match="reads 35 columns, not 36"):
        Connector(dim_in=36, projection="action_units", **TINY)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write connectors"):
        save_connectors(tmp_path / "file" / "c", connectors, Training())
