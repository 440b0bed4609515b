"""The door that every reasoner comes through: from a case file to a verdict."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from hero.config import ReasonerConfig
from hero.errors import ConfigError
from hero.reason.verdict import Verdict
from hero.types import CaseFile

REASONERS: dict[str, str] = {"adjudicator": "hero.reason.adjudicator:Adjudicator"}


class Reasoner(Protocol):
    """Concludes from a case file; its `name` stands in the verdict's provenance."""

    name: str

    def conclude(self, case: CaseFile, *, lang: str = "en") -> Verdict:
        """A verdict that fits the schema, or an abstention with its reason."""


def create_reasoner(config: ReasonerConfig) -> Reasoner:
    """The reasoner that a preset names.

    Raises:
        ConfigError: no reasoner has that name.
    """
    if config.name not in REASONERS:
        raise ConfigError(f"no reasoner is called '{config.name}'; known: {', '.join(REASONERS)}")
    module, _, attribute = REASONERS[config.name].partition(":")
    reasoner: Reasoner = getattr(import_module(module), attribute)(config)
    return reasoner
