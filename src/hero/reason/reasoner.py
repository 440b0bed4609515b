"""The door that every reasoner comes through: from a case file to a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol

from hero.config import ReasonerConfig
from hero.errors import ConfigError
from hero.reason.verdict import Verdict
from hero.types import CaseFile, ModelUsed

REASONERS: dict[str, str] = {
    "adjudicator": "hero.reason.adjudicator:Adjudicator",
    "language-model": "hero.reason.language_model:LanguageModelReasoner",
    "remote": "hero.reason.remote:RemoteReasoner",
}


@dataclass(frozen=True)
class Conclusion:
    """A verdict, and how it was made: weights that took part, notes for the provenance, and details (tokens, tries)."""

    verdict: Verdict
    models: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class Reasoner(Protocol):
    """Concludes from a case file; its `name` stands in the verdict's provenance."""

    name: str

    def conclude(self, case: CaseFile, *, lang: str = "en") -> Conclusion:
        """A verdict that fits the schema, or an abstention with its reason."""


def create_reasoner(config: ReasonerConfig, *, licence: Literal["any", "open"] = "any") -> Reasoner:
    """The reasoner that a preset names; `licence` "open" refuses weights that are not free for commercial use.

    Raises:
        ConfigError: no reasoner has that name, or a setting is wrong.
        WeightsError: the weights it needs are missing or damaged.
    """
    if config.name not in REASONERS:
        raise ConfigError(f"no reasoner is called '{config.name}'; known: {', '.join(REASONERS)}")
    module, _, attribute = REASONERS[config.name].partition(":")
    reasoner: Reasoner = getattr(import_module(module), attribute)(config, licence=licence)
    return reasoner
