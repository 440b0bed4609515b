"""Empty places to look for weights in, so that nothing of this computer leaks into a test."""

from __future__ import annotations

from pathlib import Path

import pytest


def look_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every environment variable that names a place of weights name a folder of the test's own."""
    for name, folder in (
        ("HERO_MODELS", "own"),
        ("HERO_CACHE", "cache"),
        ("HERO_DATA", "data"),
        ("HF_HUB_CACHE", "hf"),
    ):
        monkeypatch.setenv(name, str(tmp_path / folder))
