"""The catalogue of checkpoints, where they are found, and every flaw that a folder can have. No network, no torch."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from empty_places import look_nowhere

from hero import checkpoint_folder, checkpoints, hashes
from hero.config import load_preset
from hero.errors import ConfigError, OutputError, WeightsError

NAME = "bert-base-uncased"
ROW = checkpoints.known(NAME)


def tensors(size: int = 64) -> bytes:
    head = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}, "__metadata__": {}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(size)


def put(folder: Path, config: Any = None, weights: bytes | None = None, name: str = "model.safetensors") -> Path:
    """A folder with a config and weights, BERT's unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    text = config if isinstance(config, str) else json.dumps({"model_type": "bert"} if config is None else config)
    (folder / "config.json").write_text(text, "utf-8")
    (folder / name).write_bytes(tensors() if weights is None else weights)
    return folder


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Empty places to look in, so that nothing of this computer leaks in."""
    look_nowhere(tmp_path, monkeypatch)
    return {"own": tmp_path / "own", "cache": tmp_path / "cache" / "models", "hf": tmp_path / "hf"}


def test_every_row_of_the_catalogue_is_whole() -> None:
    for row in checkpoints.catalogue().values():
        assert row.kind in checkpoint_folder.MODEL_TYPES, row.name
        assert row.what and row.use and row.licence and row.size_bytes > 0, row.name
        assert row.revision is None or re.fullmatch("[0-9a-f]{40}", row.revision), row.name
        assert row.random or ("/" in row.repo and row.dim > 0), row.name
        assert row.commercial <= checkpoints.commercial(row.licence), (
            f"{row.name}: the licence allows less than is said"
        )
    assert {row.kind for row in checkpoints.catalogue().values()} == set(checkpoint_folder.MODEL_TYPES)


def test_the_names_of_the_spec_are_known() -> None:
    dims = {"clip-vit-large-patch14": 1024, "videomae-v2-base": 768, "hubert-large-ll60k": 1024, "chinese-hubert-large": 1024,
            "bert-base-uncased": 768, "whisper-large-v3": 1280, "qwen2-7b-instruct": 3584, "qwen2.5-7b-instruct": 3584,
            "llama-3-8b-instruct": 4096}  # fmt: skip
    assert {name: checkpoints.known(name).dim for name in dims} == dims


def test_the_language_models_say_whose_terms_hold() -> None:
    rows = {row.name: row for row in checkpoints.catalogue().values() if row.kind == "causal_lm" and not row.random}
    assert {row.use for row in rows.values()} == {"reasoning"}
    bound = {name for name, row in rows.items() if not row.commercial}
    assert bound == {"llama-3-8b-instruct"}  # its licence has conditions of its own
    assert rows["llama-3-8b-instruct"].licence == "Llama 3 Community License"
    assert checkpoints.known("Qwen/Qwen2.5-7B-Instruct") is rows["qwen2.5-7b-instruct"]


@pytest.mark.parametrize("preset", ["hero", "tiny"])
def test_the_catalogue_says_which_preset_names_a_row(preset: str) -> None:
    found = load_preset(preset, ["reasoner.name=language-model"])
    parts = [*found.experts.values(), found.reasoner.settings]
    named = {name for settings in parts for name in checkpoints.named_in(settings)}
    assert named == {row.name for row in checkpoints.catalogue().values() if row.preset == preset}


def test_settings_name_checkpoints() -> None:
    assert checkpoints.named_in({"model": {"en": "a", "zh": "b"}, "recognizer": "auto", "fps": 3}) == ("a", "b")
    assert checkpoints.named_in({"model": None, "recognizer": "a", "clip": "auto"}) == ("a",)
    assert checkpoints.named_in({"recognizer": False}) == ()


def test_an_unknown_name_offers_near_ones() -> None:
    with pytest.raises(ConfigError, match=r"no checkpoint is called 'clip-vit-large-patch41'.*clip-vit-large-patch14"):
        checkpoints.find("clip-vit-large-patch41")
    with pytest.raises(ConfigError, match=r"hero models"):
        checkpoints.find("")


def test_found_in_the_order_of_the_folders(places: dict[str, Path]) -> None:
    assert checkpoints.find(NAME) is None
    snapshot = places["hf"] / "models--google-bert--bert-base-uncased" / "snapshots" / str(ROW.revision)
    put(snapshot)
    found = checkpoints.find(NAME)
    assert found and (found.folder, found.revision) == (snapshot, ROW.revision)
    put(places["cache"] / NAME)
    assert checkpoints.find(NAME).folder == places["cache"] / NAME  # type: ignore[union-attr]
    put(places["own"] / NAME)
    found = checkpoints.find(ROW.repo)
    assert found and (found.folder, found.name, found.licence) == (places["own"] / NAME, NAME, "Apache-2.0")
    assert found.sha256 == hashes.sha256_of(found.folder / "model.safetensors")
    assert found.used.name == NAME


def test_the_hubs_cache_gives_the_pinned_commit_only_and_only_whole(places: dict[str, Path]) -> None:
    base = places["hf"] / "models--google-bert--bert-base-uncased"
    put(base / "snapshots" / ("7" * 40))
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text("7" * 40)
    assert checkpoints.find(NAME) is None  # another commit
    put(base / "snapshots" / str(ROW.revision), name="vocab.txt")
    assert checkpoints.find(NAME) is None  # somebody loaded the tokenizer only
    distil = places["hf"] / "models--ntu-spml--distilhubert"
    put(distil / "snapshots" / ("8" * 40), {"model_type": "hubert"})
    (distil / "refs").mkdir()
    (distil / "refs" / "main").write_text("8" * 40 + "\n")
    assert checkpoints.find("distilhubert").revision == "8" * 40  # type: ignore[union-attr]


def test_a_path_is_a_folder_and_a_name_is_the_catalogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "mine", {"model_type": "wavlm"})
    put(tmp_path / NAME)
    assert checkpoints.find("mine").kind == "speech_encoder"  # type: ignore[union-attr]
    assert checkpoints.find(f"./{NAME}").folder == tmp_path / NAME  # type: ignore[union-attr]
    assert checkpoints.find(tmp_path / "mine").revision == ""  # type: ignore[union-attr]
    assert checkpoints.find(NAME) is None
    with pytest.raises(WeightsError, match=r"there is no folder './none'"):
        checkpoints.find("./none")


def test_what_is_read_as_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for text in ("mine", "./none", "~/none", str(tmp_path), "somebody/unknown"):
        assert checkpoints.is_path(text), text
    for text in (NAME, ROW.repo, "none", ""):
        assert not checkpoints.is_path(text), text
    (tmp_path / "file").write_text("x")
    with pytest.raises(WeightsError, match=r"'./file' is a file, not a folder"):
        checkpoints.find("./file")


def test_only_what_the_catalogue_names_is_fetched_again(places: dict[str, Path], tmp_path: Path) -> None:
    snapshot = places["hf"] / "models--google-bert--bert-base-uncased" / "snapshots" / ("1" * 40)
    for folder in (places["own"] / NAME, places["cache"] / NAME, snapshot):
        assert f"`hero models fetch {NAME}`" in checkpoints.cure_of(folder)
    for folder in (tmp_path / NAME, places["own"] / "mine", places["hf"] / "models--a--b" / "snapshots" / "2"):
        assert checkpoints.cure_of(folder) == "name a folder that holds the whole model in the Hugging Face layout"


@pytest.mark.parametrize(("config", "kind"), [
    ({"model_type": "clip"}, "clip_vision"), ({"model_type": "siglip"}, "siglip_vision"),
    ({"model_type": "videomae"}, "videomae"), ({"model_type": "VideoMAEv2_Base", "model_config": {}}, "videomae"),
    ({"architectures": ["VideoMAEv2"], "model_config": {}}, "videomae"), ({"model_type": "hubert"}, "speech_encoder"),
    ({"model_type": "hubert", "architectures": ["HubertForSequenceClassification"]}, "audio_classifier"),
    ({"model_type": "whisper"}, "whisper"), ({"model_type": "bert"}, "bert"), ({"model_type": "qwen2_audio"}, "audio_llm"),
    ({"model_type": "qwen2"}, "causal_lm"), ({"model_type": "qwen3"}, "causal_lm"), ({"model_type": "llama"}, "causal_lm"),
])  # fmt: skip
def test_the_kind_of_a_local_folder_is_read_from_its_config(tmp_path: Path, config: dict[str, Any], kind: str) -> None:
    found = checkpoints.find(put(tmp_path / "mine", config))
    assert found and found.kind == kind


@pytest.mark.parametrize(("config", "weights", "name", "said"), [
    ("{", None, "model.safetensors", r"config\.json cannot be read"),
    ("[1]", None, "model.safetensors", "holds a list, not a JSON object"),
    ({"model_type": "clip"}, None, "model.safetensors", "says model_type 'clip', allowed: bert"),
    ({}, None, "model.safetensors", "says model_type '', allowed: bert"),
    (None, b"", "README.md", "has no weights: none of model.safetensors"),
    (None, tensors()[:-1], "model.safetensors", r"is damaged: it has \d+ bytes, its header says \d+"),
    (None, tensors() + b"x", "model.safetensors", "its header says"),
    (None, b"abc", "model.safetensors", "its header cannot be read"),
    (None, struct.pack("<Q", 2) + b"{x", "model.safetensors", "its header cannot be read"),
    (None, b"", "pytorch_model.bin", "is cut off after 0 bytes"),
    (None, b"PK\x03\x04" + bytes(500), "pytorch_model.bin", "is cut off after 504 bytes"),
    (None, b'{"weight_map": {"a": "model-00001-of-00002.safetensors"}}', "model.safetensors.index.json",
     "lacks model-00001-of-00002.safetensors"),
    (None, b'{"weight_map": {}}', "model.safetensors.index.json", "names no parts"),
])  # fmt: skip
def test_flaws_are_named_with_a_cure(
    places: dict[str, Path], config: Any, weights: bytes | None, name: str, said: str
) -> None:
    put(places["own"] / NAME, config, weights, name)
    with pytest.raises(WeightsError, match=said) as caught:
        checkpoints.find(NAME)
    assert "hero models fetch bert-base-uncased" in str(caught.value)


def test_a_folder_without_config(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"is no checkpoint: it has no config.json"):
        checkpoints.find(tmp_path / "empty")


def test_a_local_folder_that_nothing_loads(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"says model_type 'gpt2', allowed: .*whisper"):
        checkpoints.find(put(tmp_path / "mine", {"model_type": "gpt2"}))


def test_an_index_names_files_beside_it_only(tmp_path: Path) -> None:
    put(tmp_path, weights=tensors(), name="secret.safetensors")
    folder = put(tmp_path / "mine", weights=b'{"weight_map": {"a": "../secret.safetensors"}}',
                 name="model.safetensors.index.json")  # fmt: skip
    with pytest.raises(WeightsError, match=r"lacks secret\.safetensors"):
        checkpoints.find(folder)


def test_a_caller_names_the_kind_it_can_load(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine")
    assert checkpoints.find(folder, kind="bert")
    with pytest.raises(WeightsError, match=r"is not a whisper checkpoint.*'bert', allowed: whisper"):
        checkpoints.find(folder, kind="whisper")
    with pytest.raises(
        ConfigError, match=r"is a checkpoint of kind 'bert', wanted is 'clip_vision'; choose from: clip-vit"
    ):
        checkpoints.find(NAME, kind="clip_vision")
    with pytest.raises(ConfigError, match=r"no checkpoint is of kind 'cat'"):
        checkpoints.find(folder, kind="cat")
    assert checkpoints.find("hubert-large-superb-er", kind="speech_encoder") is None  # its encoder may be used


def manifest(folder: Path, **changes: Any) -> None:
    files = {"model.safetensors": [len(tensors()), hashes.sha256_of(folder / "model.safetensors")]}
    row = {"repo": ROW.repo, "revision": ROW.revision, "files": files, **changes}
    (folder / "hero.json").write_text(json.dumps(row), "utf-8")


def test_what_was_fetched_is_checked_from_then_on(places: dict[str, Path]) -> None:
    folder = put(places["cache"] / NAME)
    manifest(folder)
    assert checkpoints.find(NAME).revision == ROW.revision  # type: ignore[union-attr]
    changed = bytearray(tensors())
    changed[-1] = 1
    (folder / "model.safetensors").write_bytes(changed)
    with pytest.raises(WeightsError, match=r"model\.safetensors has changed since it was fetched: sha256"):
        checkpoints.find(NAME)
    (folder / "model.safetensors").write_bytes(tensors(65))
    with pytest.raises(WeightsError, match=r"has changed since it was fetched: \d+ bytes, fetched \d+"):
        checkpoints.find(NAME)
    manifest(folder, files={"vocab.txt": [1, "0"]})
    with pytest.raises(WeightsError, match=r"lacks vocab\.txt"):
        checkpoints.find(NAME)


@pytest.mark.parametrize(("change", "said"), [
    ({"revision": "1" * 40}, "is commit 111111111111 of google-bert/bert-base-uncased; pinned is 86b5e0934494"),
    ({"repo": "somebody/else"}, "came from 'somebody/else'"), ({"files": [1]}, "is not as hero writes it"),
])  # fmt: skip
def test_another_origin_is_refused(places: dict[str, Path], change: dict[str, Any], said: str) -> None:
    folder = put(places["cache"] / NAME)
    manifest(folder, **change)
    with pytest.raises(WeightsError, match=said):
        checkpoints.find(NAME)


@pytest.mark.parametrize(("config", "card", "licence", "allows"), [
    ({"license": "mit"}, "", "MIT", True), ({"licence": "my own"}, "", "my own", False),
    ({}, "---\nlicense: apache-2.0\ntags: [x]\n---\n# Card", "Apache-2.0", True),
    ({}, "---\nlicense: [cc-by-nc-4.0]\n---\n", "cc-by-nc-4.0", False), ({}, "---\nlicense: {\n---\n", "unknown", False),
    ({"_name_or_path": "microsoft/wavlm-large"}, "# Card", "CC-BY-SA-3.0", True),
    ({"_name_or_path": "openai/clip-vit-base-patch16"}, "", "MIT", True), ({}, "", "unknown", False),
])  # fmt: skip
def test_the_licence_of_a_local_folder(
    tmp_path: Path, config: dict[str, Any], card: str, licence: str, allows: bool
) -> None:
    folder = put(tmp_path / "mine", {"model_type": "wavlm", **config})
    (folder / "README.md").write_text(card, "utf-8")
    found = checkpoints.find(folder)
    assert found and (found.licence, found.commercial) == (licence, allows)


def test_pack_and_find_again_elsewhere(
    places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(places["cache"] / NAME)
    (folder / "vocab.txt").write_text("[PAD]")
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    packed = checkpoints.pack(NAME, tmp_path / "usb")
    assert sorted(path.name for path in packed.iterdir()) == [
        "config.json",
        "hero.json",
        "model.safetensors",
        "vocab.txt",
    ]
    assert checkpoints.pack(NAME, tmp_path / "usb") == packed
    monkeypatch.setenv("HERO_CACHE", str(tmp_path / "nothing"))
    monkeypatch.setenv("HERO_MODELS", str(tmp_path / "usb"))
    assert checkpoints.find(NAME).folder == packed  # type: ignore[union-attr]
    (packed / "vocab.txt").write_text("[pad]")
    with pytest.raises(WeightsError, match=r"has changed"):
        checkpoints.find(NAME)


def test_pack_refuses(places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match=r"is not at hand; run `hero models fetch bert-base-uncased`"):
        checkpoints.pack(NAME, tmp_path / "usb")
    put(places["cache"] / NAME)
    put(tmp_path / "usb" / NAME, weights=tensors(70))
    with pytest.raises(OutputError, match=r"is there already with other weights"):
        checkpoints.pack(NAME, tmp_path / "usb")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot copy"):
        checkpoints.pack(NAME, tmp_path / "taken")
    monkeypatch.setattr(checkpoint_folder.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(OutputError, match=r"needs 0\.00 MB in .*, 0\.00 MB are free"):
        checkpoints.pack(NAME, tmp_path / "small")


def test_hashes_of_large_files_are_remembered_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large, memory = tmp_path / "large", tmp_path / "cache" / "hashes.json"
    large.write_bytes(bytes(hashes.WORTH_BYTES))
    first = hashes.sha256_of(large, memory=memory)
    code = (
        "import sys, hashlib; from pathlib import Path; from hero import hashes\n"
        "def refuse(*_): raise SystemExit('read again')\n"
        "hashlib.file_digest = refuse\n"
        "print(hashes.sha256_of(Path(sys.argv[1]), memory=Path(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(large), str(memory)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == first, done.stderr  # another process reads the table, not the file
    large.write_bytes(b"1" + bytes(hashes.WORTH_BYTES - 1))
    assert hashes.sha256_of(large, memory=memory) != first
    memory.write_text("{broken")
    monkeypatch.setattr(hashes, "_known", {})
    assert hashes.sha256_of(large, memory=memory) != first
    assert json.loads(memory.read_text())  # and is whole again


def test_git_names_a_blob_as_git_does(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(b"hello\n")
    assert hashes.git_sha1_of(tmp_path / "hello") == "ce013625030ba8dba906f756967f9e9ca394464a"
