"""Fixtures shared by all tests. Real media come from the folder that HERO_DATA names; without it those tests skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def hero_data() -> Path:
    """The folder of real clips and labels."""
    folder = os.environ.get("HERO_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("HERO_DATA does not name a folder with the real clips")
    return Path(folder)
