"""Tiny checkpoints in the real format, and one thread for the networks: they are too small for more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks compute in one thread during a test."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _built(factory: pytest.TempPathFactory, name: str) -> Path:
    from hero.observe.encoders.tiny import TINY

    folder = factory.mktemp(name)
    TINY[name](folder)
    return folder


@pytest.fixture(scope="session")
def hubert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HuBERT with layer norm."""
    return _built(tmp_path_factory, "tiny-hubert")


@pytest.fixture(scope="session")
def distilhubert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HuBERT with group norm."""
    return _built(tmp_path_factory, "tiny-distilhubert")


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper with its tokenizer."""
    return _built(tmp_path_factory, "tiny-whisper")


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with its tokenizer."""
    return _built(tmp_path_factory, "tiny-bert")
