"""Tiny language models, and HERO models around them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny language models under their names."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from hero.pretrained import tiny_language

    folder = tmp_path_factory.mktemp("bases")
    for name in tiny_language.LANGUAGE_MODELS:
        tiny_language.build(name, folder / name)
    return folder
