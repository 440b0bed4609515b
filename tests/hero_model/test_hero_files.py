"""A HERO folder: the same logits again, and every flaw named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from empty_places import look_nowhere
from safetensors.torch import load_file, save_file
from tiny_hero import FAMILIES, SIZES, batch, clips, tiny_hero

from hero.errors import ConfigError, OutputError, WeightsError
from hero.hero_model import HeroConfig, HeroModel, Lora, feeds_of, open_base, open_integration
from hero.hero_model.files import ADAPTER, ADAPTER_CONFIG, CONFIG, INTEGRATION, TABLE
from hero.nn.connector_files import Training
from hero.nn.evidence_decoder import EvidenceDecoder
from hero.nn.integration import IntegrationLayer
from hero.nn.tensor_folder import sha256_of_file

TRAINED = Training(True, "made clips", "CC0-1.0", True, "r1", {"voice": "tiny-hubert"})


@pytest.fixture
def saved(bases: Path, tmp_path: Path) -> Path:
    """A model with adapters, saved."""
    tiny_hero(bases, lora=Lora(r=4)).save_pretrained(tmp_path / "hero")
    return tmp_path / "hero"


def logits(model: HeroModel) -> Any:
    with torch.no_grad():
        return model(**batch(model)).logits


def stamp(folder: Path) -> None:
    """Write the hashes anew, as somebody would who edits a folder on purpose."""
    table = json.loads((folder / TABLE).read_text())
    table["files"] = {name: sha256_of_file(folder / name) for name in table["files"] if (folder / name).is_file()}
    (folder / TABLE).write_text(json.dumps(table))


def edit(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))
    stamp(folder)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lora", [None, Lora(r=4)], ids=["plain", "lora"])
@pytest.mark.parametrize("strategy", ["dynamic", "concat"])
def test_a_saved_model_gives_the_same_logits(
    bases: Path, tmp_path: Path, family: str, lora: Lora | None, strategy: str
) -> None:
    model = tiny_hero(bases, family, lora=lora, strategy=strategy)
    model.save_pretrained(tmp_path / "hero")
    before = torch.random.get_rng_state()
    again = HeroModel.from_pretrained(tmp_path / "hero", base=bases / family, device="cpu")
    assert lora or torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(logits(again), logits(model))
    assert again.integration.modalities == model.integration.modalities == ("voice", "face", "synergy", "motion")
    assert not again.training and not again.trainable_parameters()
    assert [used.name for used in again.used] == [family, "hero-model"]
    weights = {INTEGRATION, ADAPTER} if lora else {INTEGRATION}
    files = {str(path.relative_to(tmp_path / "hero")) for path in (tmp_path / "hero").rglob("*") if path.is_file()}
    assert files == {CONFIG, TABLE, *weights, *({ADAPTER_CONFIG} if lora else ())}
    size = sum(path.stat().st_size for path in (tmp_path / "hero").rglob("*.safetensors"))
    assert size < 4 * sum(value.numel() for value in model.trainable_parameters().values()) + 40_000  # no base inside


def test_the_base_is_found_by_its_name(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_nowhere(tmp_path, monkeypatch)
    model = HeroModel.from_pretrained(saved, device="cpu", trainable=True)
    assert model.config.base == "tiny-qwen2"
    names = set(model.trainable_parameters())
    assert names and all("lora_" in name or name.startswith("integration.") for name in names)


def test_peft_reads_the_adapters_too(bases: Path, saved: Path) -> None:
    from peft import PeftModel

    told = json.loads((saved / ADAPTER_CONFIG).read_text())
    assert told["base_model_name_or_path"] == "tiny-qwen2" and told["r"] == 4
    theirs = PeftModel.from_pretrained(open_base(bases / "tiny-qwen2", device="cpu").model, str(saved / "adapter"))
    mine = HeroModel.from_pretrained(saved, base=bases / "tiny-qwen2", device="cpu")
    ids = torch.arange(9)[None]
    with torch.no_grad():
        assert torch.equal(theirs(input_ids=ids).logits, mine.language(input_ids=ids).logits)


def test_no_path_of_this_computer_is_written(bases: Path, saved: Path) -> None:
    for path in (saved / CONFIG, saved / TABLE, saved / ADAPTER_CONFIG):
        assert str(bases) not in path.read_text() and str(saved.parent) not in path.read_text()


def test_the_configuration_goes_round(saved: Path) -> None:
    config = HeroConfig.from_pretrained(str(saved))
    assert isinstance(config, HeroConfig) and config.model_type == "hero"
    assert HeroConfig.from_dict(json.loads(config.to_json_string())).to_json_string() == config.to_json_string()
    assert Lora(**config.lora) == Lora(r=4)
    assert config.trained == Training() and config.wanted.hidden_size == 64


def test_the_training_record_travels(bases: Path, tmp_path: Path) -> None:
    model = HeroModel.from_base(bases / "tiny-qwen2", integration=SIZES, training=TRAINED, device="cpu")
    model.save_pretrained(tmp_path / "hero")
    opened = open_integration(tmp_path / "hero", device="cpu")
    assert opened.training == TRAINED
    assert (opened.used.licence, opened.used.commercial) == ("CC0-1.0", True)
    assert HeroModel.from_pretrained(tmp_path / "hero", base=bases / "tiny-qwen2", device="cpu").used[1] == opened.used


def test_the_training_record_is_claimed_when_the_trained_model_is_saved(bases: Path, tmp_path: Path) -> None:
    model = tiny_hero(bases, lora=Lora(r=4))
    model.save_pretrained(tmp_path / "before")
    assert not open_integration(tmp_path / "before", device="cpu").training.trained
    with pytest.raises(OutputError):
        model.save_pretrained(tmp_path / "before" / CONFIG / "no folder", training=TRAINED)
    assert not model.config.trained.trained  # nothing was saved under it
    model.save_pretrained(tmp_path / "after", training=TRAINED)
    assert model.config.trained == TRAINED
    assert open_integration(tmp_path / "after", device="cpu").training == TRAINED
    again = HeroModel.from_pretrained(tmp_path / "after", base=bases / "tiny-qwen2", device="cpu", trainable=True)
    again.save_pretrained(tmp_path / "once more")  # the record stays
    assert open_integration(tmp_path / "once more", device="cpu").training == TRAINED
    assert torch.equal(logits(again), logits(model))


def test_the_integration_half_opens_alone(bases: Path, saved: Path) -> None:
    (saved / ADAPTER).write_bytes(b"nobody reads me here")
    opened = open_integration(saved, device="cpu")
    model = tiny_hero(bases, lora=Lora(r=4))
    feeds = feeds_of(clips(), opened.integration).feeds
    with torch.no_grad():
        assert torch.equal(opened.integration(feeds).context, model.integrate(feeds).context)
    assert not any(value.requires_grad for value in opened.integration.parameters())
    assert opened.folder == saved and len(opened.used.sha256) == 64
    (saved / INTEGRATION).write_bytes(b"nor me")
    with pytest.raises(WeightsError, match=r"integration\.safetensors is damaged: its sha256 is not the one"):
        open_integration(saved, device="cpu")


def test_text_only(bases: Path, tmp_path: Path) -> None:
    model = HeroModel.from_base(bases / "tiny-qwen3", lora=Lora(r=2), device="cpu")
    model.save_pretrained(tmp_path / "hero")
    again = HeroModel.from_pretrained(tmp_path / "hero", base=bases / "tiny-qwen3", device="cpu")
    assert again.integration is None
    with pytest.raises(WeightsError, match=r"is a HERO model of text only; name one with an integration layer"):
        open_integration(tmp_path / "hero", device="cpu")


def test_the_decoder_of_bytes_travels(bases: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    decoder = EvidenceDecoder(dim_features=16, dim=16, layers=1, heads=2)
    layer = IntegrationLayer(**SIZES, dim_lm=64, decoder=decoder)
    HeroModel.from_base(bases / "tiny-qwen2", integration=layer, device="cpu").save_pretrained(tmp_path / "hero")
    opened = open_integration(tmp_path / "hero", device="cpu").integration
    assert opened.connectors.decoder.sizes == decoder.sizes
    assert all(
        torch.equal(a, b) for a, b in zip(decoder.parameters(), opened.connectors.decoder.parameters(), strict=True)
    )


def test_saving_again_replaces_all_of_it(bases: Path, saved: Path) -> None:
    first = open_integration(saved, device="cpu").used.sha256
    HeroModel.from_base(bases / "tiny-llama", integration=SIZES, device="cpu").save_pretrained(saved)
    assert not (saved / ADAPTER).exists() and not (saved / ADAPTER_CONFIG).exists()
    assert open_integration(saved, device="cpu").used.sha256 != first
    assert HeroModel.from_pretrained(saved, base=bases / "tiny-llama", device="cpu").config.lora is None
    assert not list(saved.rglob(".*"))


@pytest.mark.parametrize("name", [CONFIG, "notes.txt", ADAPTER, "model.safetensors"])
def test_a_folder_of_other_files_is_left_alone(bases: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / "other" / name
    place.parent.mkdir(parents=True)
    place.write_text('{"model_type": "qwen2"}')
    with pytest.raises(
        OutputError, match=r"other holds other files \((config|notes|adapter|model).*name a new or empty"
    ):
        tiny_hero(bases, lora=Lora(r=4)).save_pretrained(tmp_path / "other")
    assert [path for path in (tmp_path / "other").rglob("*") if path.is_file()] == [place]
    assert place.read_text() == '{"model_type": "qwen2"}'


def test_places_that_a_model_may_be_saved_to(bases: Path, saved: Path, tmp_path: Path) -> None:
    model = tiny_hero(bases)
    (tmp_path / "empty" / "adapter").mkdir(parents=True)  # as a failed save leaves it
    (tmp_path / "empty" / ".gitattributes").touch()
    run = tmp_path / "run"
    (run / "checkpoint-3").mkdir(parents=True)
    (run / "checkpoint-3" / "model.safetensors").touch()
    (saved / "README.md").write_text("what it is")
    (saved / CONFIG).write_text("{")  # damaged, but its table is there
    for folder in (tmp_path / "empty", run, saved, run):
        model.save_pretrained(folder)
        assert not open_integration(folder, device="cpu").training.trained
    assert (run / "checkpoint-3" / "model.safetensors").is_file() and (saved / "README.md").read_text() == "what it is"
    (saved / TABLE).unlink()
    model.save_pretrained(saved)  # its configuration is that of a HERO model
    (run / CONFIG).write_text("{}")
    (run / TABLE).unlink()
    with pytest.raises(OutputError, match=r"run holds other files \(checkpoint-3, config\.json, integration.*"):
        model.save_pretrained(run)


def test_a_failed_save_leaves_the_former_model(bases: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    other = tiny_hero(bases, seed=5, lora=Lora(r=4))
    calls = []

    def full(_: int) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("hero.nn.tensor_folder.os.fsync", full)
    with pytest.raises(OutputError, match=r"cannot write the HERO model to .*No space left"):
        other.save_pretrained(saved)
    assert {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()} == before


def test_places_and_weights_that_cannot_be_saved(bases: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    model = tiny_hero(bases)
    with pytest.raises(OutputError, match=r"cannot write the HERO model to"):
        model.save_pretrained(tmp_path / "file" / "hero")
    with torch.no_grad():
        model.integration.bank_embedding[0, 0] = float("nan")
    with pytest.raises(
        WeightsError, match=r"'integration\.bank_embedding' holds NaN or infinite values and was not saved"
    ):
        model.save_pretrained(tmp_path / "hero")
    assert not (tmp_path / "hero").exists()


def test_another_base_is_refused(bases: Path, saved: Path, tmp_path: Path) -> None:
    from hero.pretrained import tiny_language

    told = r"'tiny-qwen3' is not the language model .*trained on, 'tiny-qwen2': model_type is qwen3, wanted qwen2; give base="
    with pytest.raises(WeightsError, match=told):
        HeroModel.from_pretrained(saved, base=bases / "tiny-qwen3", device="cpu")
    other = tiny_language.build("tiny-qwen2", tmp_path / "other", seed=1)
    with pytest.raises(
        WeightsError, match=r"'other' is not the language model .* sha256 is [0-9a-f]{12}, wanted [0-9a-f]{12}"
    ):
        HeroModel.from_pretrained(saved, base=other, device="cpu")


@pytest.mark.parametrize(("name", "value"), [("hidden_size", 128), ("vocab_size", 999), ("layers", 28)])
def test_a_base_of_another_size_is_refused(bases: Path, saved: Path, name: str, value: int) -> None:
    config = json.loads((saved / CONFIG).read_text())
    integration = {**config["integration"], "dim_lm": 128} if name == "hidden_size" else config["integration"]
    edit(saved, fingerprint={**config["fingerprint"], name: value}, integration=integration)
    if name == "hidden_size":
        tensors = load_file(saved / INTEGRATION)
        wide = {
            key: torch.zeros(128, *tensor.shape[1:]) if tensor.shape[:1] == (64,) else tensor
            for key, tensor in tensors.items()
        }
        fresh = IntegrationLayer(**SIZES, dim_lm=128).state_dict()
        save_file(
            {key: wide[key] if wide[key].shape == want.shape else want for key, want in fresh.items()},
            saved / INTEGRATION,
        )
        stamp(saved)
    with pytest.raises(WeightsError, match=rf"is not the language model .*: {name} is \d+, wanted {value}"):
        HeroModel.from_pretrained(saved, base=bases / "tiny-qwen2", device="cpu")


def test_widths_that_do_not_fit_each_other(bases: Path, saved: Path) -> None:
    integration = json.loads((saved / CONFIG).read_text())["integration"]
    edit(saved, integration={**integration, "dim_lm": 96})
    with pytest.raises(WeightsError, match=r"writes 96 columns, its language model 'tiny-qwen2' reads 64"):
        open_integration(saved, device="cpu")
    parts = {**integration["parts"], "voice": {**integration["parts"]["voice"], "dim_in": 7}}
    edit(saved, integration={**integration, "parts": parts})
    with pytest.raises(WeightsError, match=r"connectors\.parts\.voice.* has shape \(.*6,?\), wanted \(.*7,?\)"):
        open_integration(saved, device="cpu")
    edit(saved, integration=integration, lora={"r": 8, "alpha": 32, "dropout": 0.0, "targets": ["q_proj"]})
    with pytest.raises(WeightsError, match=r"adapter_model\.safetensors has the unknown tensor"):
        HeroModel.from_pretrained(saved, base=bases / "tiny-qwen2", device="cpu")


def test_an_unknown_base_must_be_named(saved: Path) -> None:
    edit(saved, base="my-own")
    with pytest.raises(
        WeightsError, match=r"needs the language model 'my-own' \(qwen2, 64 columns\).*give base=FOLDER"
    ):
        HeroModel.from_pretrained(saved, device="cpu")


@pytest.mark.parametrize("name", [CONFIG, INTEGRATION, ADAPTER, ADAPTER_CONFIG])
def test_missing_and_changed_files(bases: Path, saved: Path, name: str) -> None:
    data = bytearray((saved / name).read_bytes())
    data[-2] ^= 1
    (saved / name).write_bytes(data)
    with pytest.raises(WeightsError, match=r"is damaged: its sha256 is not the one in hero-model\.json"):
        HeroModel.from_pretrained(saved, base=bases / "tiny-qwen2", device="cpu")
    (saved / name).unlink()
    with pytest.raises(WeightsError, match=rf"lacks {name}"):
        HeroModel.from_pretrained(saved, base=bases / "tiny-qwen2", device="cpu")


@pytest.mark.parametrize("name", [INTEGRATION, ADAPTER])
@pytest.mark.parametrize(("flaw", "said"), [
    ("nan", "holds NaN or infinite values"), ("lacks", "lacks tensor"), ("more", "has the unknown tensor 'more'"),
    ("shape", "has shape"), ("bytes", "is damaged"),
])  # fmt: skip
def test_wrong_tensors(bases: Path, saved: Path, name: str, flaw: str, said: str) -> None:
    tensors = load_file(saved / name)
    key = min(tensors)
    if flaw == "nan":
        tensors[key].view(-1)[0] = float("nan")
    elif flaw == "lacks":
        del tensors[key]
    elif flaw == "more":
        tensors["more"] = torch.zeros(1)
    else:
        tensors[key] = torch.zeros(*tensors[key].shape, 2)
    save_file(tensors, saved / name)
    if flaw == "bytes":
        (saved / name).write_bytes(b"no tensors")
    stamp(saved)
    with pytest.raises(WeightsError, match=rf"{Path(name).name}.*{said}"):
        HeroModel.from_pretrained(saved, base=bases / "tiny-qwen2", device="cpu")


@pytest.mark.parametrize(("changes", "said"), [
    ({"model_type": "qwen2"}, "says model_type 'qwen2', not 'hero'"),
    ({"training": None}, "training.trained must be true or false"),
    ({"training": {**Training().__dict__, "trained": True}}, "must name their data, licence, revision"),
    ({"fingerprint": {"model_type": "qwen2"}}, "describes no HERO model"),
    ({"fingerprint": None}, "describes no HERO model"),
    ({"lora": {"r": 0}}, "LoRA with r=0"), ({"lora": {"rank": 4}}, "describes no HERO model"),
    ({"lora": None}, "has adapter/adapter_model.safetensors, which its config.json does not name"),
    ({"integration": None}, "has integration.safetensors, which its config.json does not name"),
    ({"integration": {"dim_lm": 64}}, "describes no integration layer"),
    ({"integration": {"dim_lm": 64, "modalities": ["voice"], "decoder": None, "parts": {"face": {}}}}, "are not those of"),
    ({"integration": {"dim_lm": 64, "modalities": ["cat"], "decoder": None, "parts": {"cat": {"dim_in": 3}}}}, "cat"),
    ({"integration": {"dim_lm": 64, "modalities": ["voice"], "decoder": None, "parts": {"voice": {"dim_in": -3}}}},
     "describes no"),
    ({"integration": [1]}, "describes no HERO model"),
])  # fmt: skip
def test_wrong_configurations(bases: Path, saved: Path, changes: dict[str, Any], said: str) -> None:
    edit(saved, **changes)
    with pytest.raises(WeightsError, match=said):
        HeroModel.from_pretrained(saved, base=bases / "tiny-qwen2", device="cpu")


@pytest.mark.parametrize(("table", "said"), [
    ("{", "cannot be read"), ("[]", "has list"), ('{"format": 2, "files": {}}', "with format 1"),
    ('{"format": 1, "files": []}', "'files' must be a mapping"), ('{"format": 1, "files": {}}', "no hash of config.json"),
    ('{"format": 1, "files": {"config.json": "0", "../x": "0"}}', "lacks ../x|is damaged"),
])  # fmt: skip
def test_wrong_tables(saved: Path, table: str, said: str) -> None:
    (saved / TABLE).write_text(table)
    with pytest.raises(WeightsError, match=said):
        open_integration(saved, device="cpu")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"holds no HERO model: hero-model\.json is missing; name a folder that has it"
    ):
        HeroModel.from_pretrained(tmp_path, device="cpu")
    with pytest.raises(ConfigError, match=r"device is 'tpu'"):
        open_integration(tmp_path, device="tpu")  # type: ignore[arg-type]
