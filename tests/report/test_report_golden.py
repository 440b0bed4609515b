"""The exports of the made answer are what lies in tests/golden (regenerate.py there writes them anew)."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = runpy.run_path(str(FOLDER / "regenerate.py"))["GOLDEN"]


@pytest.mark.parametrize("name", GOLDEN)
def test_export_equals_golden_file(name: str) -> None:
    expected = (FOLDER / name).read_text("utf-8")
    assert GOLDEN[name]() == expected, "if this change is meant, run tests/golden/regenerate.py"
