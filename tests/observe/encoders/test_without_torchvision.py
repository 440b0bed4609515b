"""Nothing needs torchvision or torchaudio: every tiny checkpoint loads and works where both cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

SCRIPT = """
import builtins
import importlib.util
import sys
from pathlib import Path

ABSENT = ("torchvision", "torchaudio", "torchcodec")
find_spec, import_module = importlib.util.find_spec, builtins.__import__


def no_spec(name, package=None):
    return None if name.split(".")[0] in ABSENT else find_spec(name, package)


def no_import(name, *more, **named):
    if name.split(".")[0] in ABSENT:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return import_module(name, *more, **named)


importlib.util.find_spec, builtins.__import__ = no_spec, no_import
import numpy as np
import torch

from hero.hero_model import HeroModel
from hero.pretrained.tiny_language import LANGUAGE_MODELS
from hero.checkpoints import find
from hero.observe.encoders import tiny
from hero.observe.encoders.encoder import open_encoder

frame, sound = np.zeros((40, 60, 3), np.uint8), np.zeros(16000, np.float32)
raw = {"tiny-videomae": [frame] * 16, "tiny-bert": ["so", "what"]}
for name in tiny.TINY:
    folder = Path(sys.argv[1]) / name
    tiny.build(name, folder)
    if name in LANGUAGE_MODELS:
        model = HeroModel.from_base(str(folder), device="cpu", precision="fp32")
        ids = torch.tensor([model.tokenizer.encode("so")])
        assert model.generate(ids, max_new_tokens=2).shape[0] == 1, name
        print(name)
        continue
    encoder = open_encoder(find(str(folder)), device="cpu", precision="fp32")
    given = raw.get(name, frame if encoder.piece_frames else sound)
    (found,) = encoder.encode([encoder.prepare(given)])
    assert found.values.shape[1] == encoder.dim, name
    print(name)
"""


def test_every_tiny_encoder_runs_without_them(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "tiny-clip", "tiny-siglip", "tiny-videomae", "tiny-hubert", "tiny-distilhubert", "tiny-whisper", "tiny-bert",
        "tiny-qwen2", "tiny-qwen3", "tiny-llama",
    ]  # fmt: skip
