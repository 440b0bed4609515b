"""Which language model concludes: the settings of the reasoner `language-model`, and the one model that they name.

One model serves all cases of a reasoner. Where a trained HERO checkpoint is at hand it is that checkpoint's language model
with its adapters, for cases with soft context and without; what nobody trained is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hero.checkpoints import is_path
from hero.errors import ConfigError, WeightsError
from hero.integrate.model import folder_of, is_checkpoint
from hero.pretrained.loading import libraries
from hero.reason.reasoner import LANGUAGE_MODEL

if TYPE_CHECKING:
    from hero.hero_model.files import Folder
    from hero.hero_model.model import HeroModel
    from hero.types import CaseFile

MOST = 2**31 - 1
SETTINGS: Mapping[str, Any] = {
    "model": "auto", "hero_model": "none", "device": "auto", "precision": "auto", "quantize": "none",
    "decode": "constrained", "temperature": 0.0, "seed": 0, "context_tokens": 0, "answer_tokens": 0, "batch": 16,
}  # fmt: skip
"""Settings with their defaults. `model`: a language model's name or folder, or "auto": the HERO checkpoint's own.
`hero_model`: a HERO checkpoint's folder, "auto" or "none"; a preset's `integrate.model` stands here. 0 tokens: as many as
the model or the answer's form allows. `batch`: cases decoded together."""


def read_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, the given ones checked.

    Raises:
        ConfigError: one is unknown or wrong.
    """
    if unknown := sorted(set(given) - set(SETTINGS)):
        raise ConfigError(
            f"the reasoner '{LANGUAGE_MODEL}' has no setting '{unknown[0]}'; known: {', '.join(SETTINGS)}"
        )
    settings = {**SETTINGS, **given}
    if settings["decode"] not in ("constrained", "free"):
        raise ConfigError(f"reasoner.decode is {settings['decode']!r}; allowed: constrained, free")
    for name in ("seed", "context_tokens", "answer_tokens", "batch"):
        value, least = settings[name], int(name == "batch")
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST:
            raise ConfigError(f"reasoner.{name} is {value!r}; allowed: a whole number from {least} to {MOST}")
    heat = settings["temperature"]
    if not isinstance(heat, int | float) or isinstance(heat, bool) or not (heat == 0 or 0.01 <= heat <= 100):
        raise ConfigError(f"reasoner.temperature is {heat!r}; allowed: 0 (no sampling), or a number from 0.01 to 100")
    for name in ("model", "hero_model", "device", "precision", "quantize"):
        if not isinstance(settings[name], str) or not settings[name]:
            raise ConfigError(f"reasoner.{name} is {settings[name]!r}; allowed: a word, such as {SETTINGS[name]}")
    return settings


@dataclass
class ModelSource:
    """The language model that `settings` (of `read_settings`) name, opened at the first case.

    `folder` is the trained HERO checkpoint that takes part, None without one; `notes` say what was left out and why.

    Raises:
        ConfigError: no language model is named, or not the one that the HERO checkpoint was trained on.
        WeightsError: the model is not at hand, a folder is damaged, or PyTorch is missing.
    """

    settings: Mapping[str, Any]
    licence: Literal["any", "open"]

    def __post_init__(self) -> None:
        libraries()
        self.notes: tuple[str, ...] = ()
        self.folder: Path | None = None
        self._opened: HeroModel | None = None
        named = str(self.settings["model"])
        own = Path(named) if is_checkpoint(named) else folder_of(str(self.settings["hero_model"]))
        checkpoint = _read(own) if own else None
        self.base = _base_of(checkpoint, "auto" if is_checkpoint(named) else named)
        if checkpoint:
            left_out = self._left_out(checkpoint)
            self.notes = (left_out,) if left_out else ()
            self.folder = None if left_out else checkpoint.folder
        from hero.hero_model.base import find_base

        found = find_base(self.base)
        self._refuse(found.used.commercial, found.name)

    def _left_out(self, checkpoint: Folder) -> str:
        """Why a checkpoint takes no part; empty where it does."""
        training, name = checkpoint.config.trained, checkpoint.folder.name
        if not training.trained:
            return f"the HERO checkpoint {name} is not trained: its adapters are left out"
        if self.licence == "open" and not training.commercial:
            return f"the HERO checkpoint {name} is not free for commercial use: its adapters are left out"
        return ""

    def _refuse(self, commercial: bool, name: str) -> None:
        if self.licence == "open" and not commercial:
            raise ConfigError(
                f"the weights of {name} are not known to be free for commercial use and --licence open leaves them out; "
                "name another reasoner.model"
            )

    def model(self) -> HeroModel:
        """The model, loaded once.

        Raises:
            WeightsError: it is damaged, or not the one that the checkpoint was trained on.
        """
        if self._opened is None:
            from hero.hero_model.model import HeroModel

            where = {name: self.settings[name] for name in ("device", "precision", "quantize")}
            if self.folder:
                base = self.base if is_path(self.base) else None
                self._opened = HeroModel.from_pretrained(self.folder, base=base, **where)
            else:
                self._opened = HeroModel.from_base(self.base, **where)
        return self._opened

    def expect(self, case: CaseFile) -> None:
        """Refuse a case whose soft context another checkpoint made, or another state of this one.

        Raises:
            WeightsError: it is such a case.
        """
        if case.context and case.context.sha256 not in [used.sha256 for used in self.model().used]:
            raise WeightsError(
                f"this case was integrated by the HERO checkpoint {case.context.folder}, and the language model's is "
                f"{self.folder or 'none'} or has changed since; analyse the clip again with one checkpoint for both"
            )


def _read(folder: Path) -> Folder:
    from hero.hero_model.files import read_folder

    return read_folder(folder)


def _base_of(checkpoint: Folder | None, named: str) -> str:
    """The language model's name or folder.

    Raises:
        ConfigError: none is named, or another one than the checkpoint was trained on.
        WeightsError: the checkpoint's own is none that can be found by its name.
    """
    if checkpoint is None:
        if named == "auto":
            raise ConfigError(
                "no language model is named; give --set reasoner.model=qwen2.5-7b-instruct, another name that `hero models` "
                "lists for reasoning, or a folder"
            )
        return named
    if named == "auto":
        from hero.hero_model.files import base_of

        return base_of(checkpoint)
    if not is_path(named) and named != checkpoint.config.base and checkpoint.config.trained.trained:
        raise ConfigError(
            f"reasoner.model is '{named}', but the HERO checkpoint {checkpoint.folder.name} was trained on "
            f"'{checkpoint.config.base}'; give reasoner.model=auto, or integrate.model=none to leave the checkpoint out"
        )
    return named
