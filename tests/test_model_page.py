"""The page about the model: its Python runs as printed, its links and files exist, its figure is whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "model.md").read_text("utf-8")


def test_its_python_runs_and_prints_the_shapes_it_names(tmp_path: Path) -> None:
    for name in ("torch", "transformers", "peft"):
        pytest.importorskip(name)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    place = {"HERO_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **place}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "torch.Size([2, 32, 64])" in done.stdout
    assert "torch.Size([2, 220]) {'face': 20, 'voice': 200}" in done.stdout
    assert {path.name for path in (tmp_path / "my-hero").iterdir()} == {
        "config.json", "integration.safetensors", "adapter", "hero-model.json",
    }  # fmt: skip


def test_its_links_and_files_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAGE) if not link.startswith("http")]
    assert len(links) >= 2
    files = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", PAGE)
    assert len(files) >= 10
    missing = [link for link in links if not (ROOT / "docs" / link).exists()]
    missing += [file for file in files if not any((ROOT / top / file).exists() for top in ("src/hero", "."))]
    assert not missing


def test_its_figure_is_whole_and_readable_on_dark_pages() -> None:
    figure = (ROOT / "docs" / "model.svg").read_text("utf-8")
    tree = ElementTree.fromstring(figure)
    names = {"svg": "http://www.w3.org/2000/svg"}
    assert tree.find("svg:title", names) is not None
    assert "prefers-color-scheme: dark" in figure
    _, _, width, height = map(float, tree.attrib["viewBox"].split())
    for text in tree.iterfind(".//svg:text", names):
        if "transform" not in text.attrib:
            assert 0 < float(text.attrib["x"]) < width
            assert 0 < float(text.attrib["y"]) < height
