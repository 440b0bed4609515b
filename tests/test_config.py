"""Presets: strict keys, overrides, and errors that name the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero.config import load_preset, preset_names
from hero.errors import ConfigError
from hero.observe.expert import EXPERTS


@pytest.mark.parametrize("name", preset_names())
def test_shipped_presets_name_known_experts(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert set(preset.experts) <= set(EXPERTS)
    assert 0 < preset.reasoner.abstain_below < 1


def test_override_reaches_the_expert() -> None:
    assert load_preset("embedded", ["face.fps=7"]).experts["face"]["fps"] == 7
    assert load_preset("embedded", ["reasoner.abstain_below=0.5"]).reasoner.abstain_below == 0.5


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("face.speed=3", "no setting 'speed'; known: fps, max_side"),
        ("fps=3", "write part.key=value"),
        ("ear.x=1", "one of: voice, face"),
    ],
)
def test_wrong_override_names_the_allowed(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_preset("embedded", [override])


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="known: embedded"):
        load_preset("nothing")
    for text, message in [("[1, 2]", "must be a mapping"), ("experts: {}", "names no experts"), ("a: [", "is not YAML"),
                          ("{experts: {face: {}}, extra: 1}", "unknown key 'extra'"),
                          ("{experts: {face: {}}, reasoner: {nom: x}}", "unknown key 'nom'")]:  # fmt: skip
        path = tmp_path / "p.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_preset(str(path))
