"""What `HeroModel.from_base` is told to make, checked before anything is made: integration layer and adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from inspect import signature
from typing import Any

from hero.errors import ConfigError
from hero.hero_model.config import Lora
from hero.nn.evidence_decoder import EvidenceDecoder
from hero.nn.integration import IntegrationLayer


def integration_of(
    given: IntegrationLayer | Mapping[str, Any] | None, *, width: int, scale: float, base: str
) -> IntegrationLayer | None:
    """The integration layer that was given or whose sizes were, for a language model `base` of `width` columns.

    `scale` is that of fresh soft tokens unless the sizes say otherwise.

    Raises:
        ConfigError: it writes another width, or a size is unknown, missing or makes none.
    """
    if isinstance(given, Mapping):
        _expect_names(given)
        if given.get("dim_lm", width) == width:
            return IntegrationLayer(**{"scale": scale, **given, "dim_lm": width})
        came = given["dim_lm"]
    elif given is None or isinstance(given, IntegrationLayer):
        if given is None or given.sizes["dim_lm"] == width:
            return given
        came = given.sizes["dim_lm"]
    else:
        raise ConfigError(
            f"integration is a {type(given).__name__}; give an IntegrationLayer, its sizes as a mapping, or None for text only"
        )
    raise ConfigError(f"the integration layer writes {came} columns, '{base}' reads {width}; give dim_lm={width}")


def lora_of(given: Lora | Mapping[str, Any] | None) -> Lora | None:
    """The sizes of the adapters, also from a mapping.

    Raises:
        ConfigError: a size is unknown or makes none.
    """
    if given is None or isinstance(given, Lora):
        return given
    allowed = [one.name for one in fields(Lora)]
    if not isinstance(given, Mapping) or set(given) - set(allowed):
        came = ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
        raise ConfigError(f"lora is {came}; give Lora(...) or a mapping with some of {', '.join(allowed)}, or None")
    return Lora(**given)


def _expect_names(given: Mapping[str, Any]) -> None:
    """Raise unless a mapping names sizes of an integration layer, its parts among them.

    Raises:
        ConfigError: it does not.
    """
    allowed = list(signature(IntegrationLayer).parameters)
    if unknown := [str(name) for name in given if name not in allowed]:
        raise ConfigError(f"integration has no size '{unknown[0]}'; allowed: {', '.join(allowed)}")
    if "parts" not in given:
        raise ConfigError(
            "integration lacks 'parts'; give a mapping such as {'voice': {'dim_in': 1024, 'queries': 32}}"
        )
    if not isinstance(given.get("decoder"), EvidenceDecoder | None):
        raise ConfigError(
            f"integration.decoder is a {type(given['decoder']).__name__}; give an EvidenceDecoder or None"
        )
