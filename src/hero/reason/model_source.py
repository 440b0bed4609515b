"""Which language model concludes: the settings of the reasoner `language-model`, and the models they open, each once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hero.checkpoints import is_path
from hero.errors import ConfigError, WeightsError
from hero.integrate.model import folder_of, is_checkpoint
from hero.pretrained.loading import libraries

if TYPE_CHECKING:
    from hero.hero_model.model import HeroModel
    from hero.types import CaseFile

NAME = "language-model"
SETTINGS: Mapping[str, Any] = {
    "model": "auto", "device": "auto", "precision": "auto", "quantize": "none", "decode": "constrained",
    "temperature": 0.0, "seed": 0, "context_tokens": 0, "answer_tokens": 0, "batch": 16,
}  # fmt: skip
"""Settings with their defaults; 0 tokens: as many as the model or the answer's form allows."""


def read_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, the given ones checked.

    Raises:
        ConfigError: one is unknown or wrong.
    """
    if unknown := sorted(set(given) - set(SETTINGS)):
        raise ConfigError(f"the reasoner '{NAME}' has no setting '{unknown[0]}'; known: {', '.join(SETTINGS)}")
    settings = {**SETTINGS, **given}
    if settings["decode"] not in ("constrained", "free"):
        raise ConfigError(f"reasoner.decode is {settings['decode']!r}; allowed: constrained, free")
    for name in ("temperature", "seed", "context_tokens", "answer_tokens"):
        value = settings[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise ConfigError(f"reasoner.{name} is {value!r}; allowed: a number of 0 or more")
    if not isinstance(settings["batch"], int) or isinstance(settings["batch"], bool) or settings["batch"] < 1:
        raise ConfigError(f"reasoner.batch is {settings['batch']!r}; allowed: a whole number of 1 or more")
    return settings


@dataclass(frozen=True)
class OpenedModels:
    """The models that `settings` (of `read_settings`) name, by the HERO checkpoint whose soft context they read.

    Raises:
        WeightsError: the named model is not at hand, or PyTorch is missing.
        ConfigError: no checkpoint has that name.
    """

    settings: Mapping[str, Any]
    licence: Literal["any", "open"]
    _opened: dict[Path | None, HeroModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        libraries()
        named = str(self.settings["model"])
        if named != "auto" and not is_checkpoint(named):
            from hero.hero_model.base import find_base

            find_base(named)

    def of(self, case: CaseFile) -> HeroModel:
        """The model of a case's soft context, or the one that the settings name.

        Raises:
            ConfigError: no model is named, or its licence is refused.
            WeightsError: it is damaged, or not the one of the context.
        """
        folder = case.context.folder if case.context else None
        if folder not in self._opened:
            opened = self._open(folder)
            refused = [used.name for used in opened.used if self.licence == "open" and not used.commercial]
            if refused:
                raise ConfigError(
                    f"the weights of {refused[0]} are not free for commercial use and --licence open leaves them out; "
                    "name another reasoner.model"
                )
            self._opened[folder] = opened
        model = self._opened[folder]
        if case.context and case.context.sha256 not in [used.sha256 for used in model.used]:
            raise WeightsError(
                f"the HERO checkpoint {folder} changed since this case was integrated; analyse the clip again"
            )
        return model

    def _open(self, folder: Path | None) -> HeroModel:
        from hero.hero_model.model import HeroModel

        named = str(self.settings["model"])
        where = {name: self.settings[name] for name in ("device", "precision", "quantize")}
        own = folder or (folder_of("auto") if named == "auto" else None)
        if folder is None and is_checkpoint(named):
            own = Path(named)
        if own is not None:  # its base by reference, or from the folder that is named
            base = named if is_path(named) and not is_checkpoint(named) else None
            return HeroModel.from_pretrained(own, base=base, **where)
        if named == "auto":
            raise ConfigError(
                "no language model is named; give --set reasoner.model=qwen2.5-7b-instruct, another name that `hero models` "
                "lists for reasoning, or a folder"
            )
        return HeroModel.from_base(named, **where)
