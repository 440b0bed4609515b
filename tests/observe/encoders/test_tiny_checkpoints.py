"""The tiny checkpoints: small, seeded, in the published layout, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'model' (torch, transformers) is missing")
pytest.importorskip("transformers", reason="the extra 'model' (torch, transformers) is missing")

from hero.errors import ConfigError, OutputError
from hero.observe.encoders import tiny

TYPES = {
    "tiny-clip": "clip",
    "tiny-siglip": "siglip",
    "tiny-videomae": "videomae",
    "tiny-hubert": "hubert",
    "tiny-distilhubert": "hubert",
    "tiny-whisper": "whisper",
    "tiny-bert": "bert",
    "tiny-qwen2": "qwen2",
    "tiny-qwen3": "qwen3",
    "tiny-llama": "llama",
}


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", tiny.TINY)
def test_each_is_small_and_the_same_every_time(tmp_path: Path, name: str) -> None:
    import torch

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = tiny.build(name, tmp_path / "one" / name)
    assert torch.equal(torch.random.get_rng_state(), before)  # the caller's random numbers go on undisturbed
    assert digest(tiny.build(name, tmp_path / "two")) == digest(one)
    assert digest(tiny.build(name, tmp_path / "three", seed=1)) != digest(one)
    assert sum(file.stat().st_size for file in one.iterdir()) <= 400_000
    assert json.loads((one / "config.json").read_text("utf-8"))["model_type"] == TYPES[name]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "three", "two"]  # nothing half made is left


def test_every_kind_of_checkpoint_is_listed() -> None:
    assert TYPES.keys() <= tiny.TINY.keys()


def test_a_folder_that_is_there_stays(tmp_path: Path) -> None:
    folder = tiny.build("tiny-clip", tmp_path / "clip")
    (folder / "mine.txt").write_text("kept", "utf-8")
    before = digest(folder)
    assert tiny.build("tiny-clip", folder, seed=9) == folder
    assert (folder / "mine.txt").exists()
    assert digest(folder) == before
    (tmp_path / "empty").mkdir()
    assert digest(tiny.build("tiny-clip", tmp_path / "empty")) == before


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(OutputError, match="cannot be written to"):
        tiny.build("tiny-clip", tmp_path / "file" / "clip")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other.txt").write_text("in the way", "utf-8")
    with pytest.raises(OutputError, match="tiny-clip"):
        tiny.build("tiny-clip", tmp_path / "full")
    assert (tmp_path / "full" / "other.txt").exists()
    with pytest.raises(ConfigError, match="no tiny checkpoint is called 'tiny-gpt'; known: tiny-clip"):
        tiny.build("tiny-gpt", tmp_path / "gpt")


def test_the_table_is_read_without_torch() -> None:
    code = (
        "import sys; import hero.observe.encoders.tiny, hero.observe.encoders.picture, hero.pretrained.loading;"
        "print([m for m in ('torch', 'transformers', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
