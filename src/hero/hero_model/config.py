"""`HeroConfig`: everything that a HERO checkpoint says of itself, in a `config.json` as transformers writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from transformers import PreTrainedConfig

from hero.errors import ConfigError, WeightsError
from hero.nn.connector_files import Training

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of Qwen2, Qwen3 and Llama 3 that LoRA adapts: all of attention and of the feed-forward part."""


@dataclass(frozen=True)
class Fingerprint:
    """Which language model adapters belong to: family, width, tokens, layers, and SHA-256 of its weights."""

    model_type: str
    hidden_size: int
    vocab_size: int
    layers: int
    sha256: str

    def expect(self, found: Fingerprint, *, wanted: str, came: str) -> None:
        """Raise unless `found` is the same language model; `wanted` and `came` are the names to tell.

        Raises:
            WeightsError: naming the first difference.
        """
        for name, one in asdict(self).items():
            other = getattr(found, name)
            if one != other:
                short = (str(one)[:12], str(other)[:12])
                raise WeightsError(
                    f"'{came}' is not the language model that this checkpoint was trained on, '{wanted}': {name} is "
                    f"{short[1]}, wanted {short[0]}; give base='{wanted}'"
                )


@dataclass(frozen=True)
class Lora:
    """Sizes of the low-rank adapters (Hu et al. 2022): rank `r`, scale alpha / r, dropout, and names of layers to adapt.

    Raises:
        ConfigError: a size that makes no adapter.
    """

    r: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: tuple[str, ...] = TARGETS

    def __post_init__(self) -> None:
        whole = all(type(size) is int and size >= 1 for size in (self.r, self.alpha))
        share = isinstance(self.dropout, int | float) and 0 <= self.dropout < 1
        named = isinstance(self.targets, list | tuple) and all(isinstance(name, str) for name in self.targets)
        if not (whole and share and named and self.targets):
            raise ConfigError(
                f"LoRA with r={self.r!r}, alpha={self.alpha!r}, dropout={self.dropout!r}, targets={self.targets!r} makes no "
                "adapter; give r and alpha as whole numbers of 1 or more, a dropout of at least 0 and below 1, and a list of "
                "one target or more"
            )
        object.__setattr__(self, "targets", tuple(self.targets))


class HeroConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """What a HERO checkpoint is made of.

    `base` is the name of its language model, which is not saved with it, `fingerprint` what that one must be;
    `integration` are the sizes of the integration layer as `IntegrationLayer` takes them (None: text only), `lora` those of
    the adapters (None: none), `training` the record of `Training`. Each is a plain mapping, as JSON holds it.
    """

    model_type = "hero"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["integrated", "mask", "labels"]

    base: str = ""
    fingerprint: dict[str, Any] | None = None
    integration: dict[str, Any] | None = None
    lora: dict[str, Any] | None = None
    training: dict[str, Any] | None = None

    @property
    def trained(self) -> Training:
        """The training record; an empty one where there is none.

        Raises:
            ConfigError: trained weights without data, licence or revision.
        """
        return Training(**(self.training or {}))

    @property
    def wanted(self) -> Fingerprint:
        """The language model that this checkpoint needs."""
        return Fingerprint(**(self.fingerprint or {}))


def as_json(record: Training | Fingerprint | Lora) -> dict[str, Any]:
    """A record as the plain mapping that JSON gives back: lists for tuples, dicts for mappings."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(record).items()}
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in plain.items()}
