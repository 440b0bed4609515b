"""Sentences of the experts, the integration and the adjudicator, as data: one YAML file per language and part.

An evidence entry is `cue: {text: "...", brief: "..."}`; both are `str.format` templates over the measures. A plain
entry is `key: "..."`. Every key exists in every language (a test compares them).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from hero.errors import ConfigError

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Phrases:
    """The templates of one part (`face`, `voice`, `adjudicator` ...) in one language."""

    part: str
    lang: str
    table: dict[str, Any]

    def evidence(self, cue: str, /, **values: Any) -> tuple[str, str]:
        """(`text`, `brief`) of an evidence entry with the values filled in.

        Raises:
            KeyError: the part has no such cue, or the template needs a value that was not given.
        """
        entry = self.table[cue]
        return entry["text"].format(**values), entry["brief"].format(**values)

    def say(self, key: str, /, **values: Any) -> str:
        """A plain entry with the values filled in.

        Raises:
            KeyError: as for `evidence`.
        """
        return str(self.table[key]).format(**values)


@lru_cache
def phrases(part: str, lang: str) -> Phrases:
    """The phrases of one part in one language.

    Raises:
        ConfigError: the language is not one of `LANGUAGES`.
    """
    import yaml

    if lang not in LANGUAGES:
        raise ConfigError(f"no phrases in language '{lang}'; known: {', '.join(LANGUAGES)}; use --lang en or zh")
    text = files("hero.phrases").joinpath(lang, f"{part}.yaml").read_text("utf-8")
    return Phrases(part, lang, yaml.safe_load(text))
