"""Every sentence exists in every language, with the same values to fill in."""

from __future__ import annotations

import string
from importlib.resources import files
from typing import Any

import pytest
import yaml

from hero.errors import ConfigError
from hero.phrases import LANGUAGES, phrases

PARTS = sorted(f.name.removesuffix(".yaml") for f in files("hero.phrases").joinpath("en").iterdir())


def _fields(template: Any) -> set[str]:
    if isinstance(template, dict):
        return set().union(*(_fields(value) for value in template.values()))
    if isinstance(template, list):
        return set().union(*(_fields(value) for value in template))
    return {name for _, name, _, _ in string.Formatter().parse(str(template)) if name}


@pytest.mark.parametrize("part", PARTS)
def test_languages_agree(part: str) -> None:
    tables = [
        yaml.safe_load(files("hero.phrases").joinpath(lang, f"{part}.yaml").read_text("utf-8")) for lang in LANGUAGES
    ]
    assert set(tables[0]) == set(tables[1])
    for key in tables[0]:
        assert isinstance(tables[0][key], dict) == isinstance(tables[1][key], dict), key
        unknown = _fields(tables[1][key]) - _fields(tables[0][key])
        assert not unknown, f"{part}.{key}: Chinese asks for {unknown}, which English does not use"


def test_unknown_language_names_the_known() -> None:
    with pytest.raises(ConfigError, match="known: en, zh"):
        phrases("labels", "fr")
