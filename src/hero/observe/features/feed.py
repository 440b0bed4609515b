"""From a clip's pieces to one feature track: the part that all encoder experts share.

Legend of shapes: T steps, D columns of the encoder, n steps of one piece.
"""

from __future__ import annotations

from concurrent.futures import Future
from functools import cache
from importlib import util
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hero import checkpoints
from hero.errors import ConfigError, HeroError, WeightsError
from hero.observe.encoders.batcher import shared
from hero.observe.encoders.encoder import Encoder, Features, open_encoder
from hero.types import Absence, Observation, Track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.observe.expert import Context
    from hero.pretrained.device import Device, Precision
    from hero.types import LabelledSpan, Modality

SETTINGS = ("model", "device", "precision")
EXTRA = ("torch", "transformers")
INSTALL = "pip install 'hero-emotion[model]'"
UNIT = "feature"
"""The unit of every track that holds an encoder's features."""


def choose(expert: str, context: Context, default: str, kinds: Sequence[str]) -> Checkpoint | Absence:
    """The checkpoint that the setting `model` names (a name, a folder, or a mapping from language to one of these).

    `kinds` are those that the expert takes. Returns an absence with its cure where packages are missing, a checkpoint of
    the catalogue is not at hand or is damaged, or the licence wished for forbids it.

    Raises:
        ConfigError: no checkpoint has that name, the folder that is named is missing or damaged, the checkpoint is of
            another kind, or the mapping lacks the language.
    """
    name = _named(expert, context, default)
    own = checkpoints.is_path(name)
    if not own:
        _check_kind(expert, name, checkpoints.known(name).kind, kinds)  # before anybody downloads it in vain
    lacking = [package for package in EXTRA if not util.find_spec(package)]
    if lacking:
        return Absence(expert, f"{' and '.join(lacking)} cannot be imported", INSTALL)
    try:
        found = checkpoints.find(name) or _made(name)
    except WeightsError as error:
        if own:
            raise ConfigError(f"{expert}: {error.line}") from error
        reason, _, cure = error.line.rpartition("; ")
        return Absence(expert, reason, cure)
    if found is None:
        return Absence(expert, f"the checkpoint '{name}' is not at hand", f"hero models fetch {name}")
    _check_kind(expert, name, found.kind, kinds)
    if context.licence == "open" and not found.commercial:
        reason = f"the licence of '{name}' is '{found.licence}' and --licence open leaves it out"
        return Absence(expert, reason, "name another checkpoint, or --licence any")
    return found


def _named(expert: str, context: Context, default: str) -> str:
    """The name or folder in the settings, for the clip's language where there is one each."""
    setting = context.settings.get("model", default)
    if isinstance(setting, dict):
        if context.lang not in setting:
            raise ConfigError(
                f"{expert}.model names no checkpoint for '{context.lang}'; got {', '.join(setting)}; add it"
            )
        setting = setting[context.lang]
    return str(setting)


def _check_kind(expert: str, name: str, kind: str, kinds: Sequence[str]) -> None:
    if kind in kinds:
        return
    fitting = [row.name for row in checkpoints.catalogue().values() if row.kind in kinds and not row.random]
    raise ConfigError(
        f"'{name}' is a checkpoint of kind '{kind}'; {expert} takes {' or '.join(kinds)}, such as {fitting[0]}"
    )


def _made(name: str) -> Checkpoint | None:
    """A seeded random checkpoint of the preset `tiny`, made in the user's cache when it is first asked for."""
    from hero.models import cache_folder
    from hero.observe.encoders import tiny

    if name not in tiny.TINY:
        return None
    tiny.build(name, cache_folder() / name)
    return checkpoints.find(name)


def _where(context: Context) -> tuple[Device, Precision]:
    settings = context.settings
    return cast("Device", settings.get("device", "auto")), cast("Precision", settings.get("precision", "auto"))


class Feed:
    """The pieces of one clip on their way through one encoder, which is loaded when the first piece comes.

    A checkpoint that cannot be loaded ends this feed alone: `push` goes on silently, `features` raises the reason.
    `identity` says what of the weights decides the features: their hash and the precision they are computed in.
    """

    def __init__(self, checkpoint: Checkpoint, context: Context) -> None:
        from hero.pretrained.device import resolve

        self._checkpoint = checkpoint
        self._device, self._precision = _where(context)
        self.identity = f"{checkpoint.sha256}:{resolve(self._device, self._precision)[1]}"
        self._encoder: Encoder | None = None
        self._broken: HeroError | None = None
        self._queued: list[tuple[float, Future[Features]]] = []

    def push(self, raw: Any, at_s: float) -> None:
        """Prepare a raw piece that belongs to `at_s` of the clip, and queue it."""
        if self._broken:
            return
        if self._encoder is None:
            try:
                self._encoder = open_encoder(self._checkpoint, device=self._device, precision=self._precision)
            except HeroError as error:
                self._broken = error
                return
        self._queued.append((at_s, shared().submit(self._encoder, self._encoder.prepare(raw))))

    def features(self) -> list[tuple[float, Features]]:
        """`at_s` and features of each piece, in the order they came.

        Raises:
            WeightsError: the checkpoint could not be loaded, or its forward pass failed.
        """
        if self._broken:
            raise self._broken
        try:
            return [(at_s, future.result()) for at_s, future in self._queued]
        except RuntimeError as error:  # PyTorch's own; memory that does not suffice is one of them
            reason = f"the forward pass of '{self._checkpoint.name}' failed ({error}); free memory, or set device=cpu"
            raise WeightsError(reason) from error

    def observation(
        self, expert: str, modality: Modality, times_s: NDArray[np.float64], values: NDArray[np.float32], *,
        spans: Mapping[str, tuple[LabelledSpan, ...]] | None = None, notes: tuple[str, ...] = (),
    ) -> Observation:  # fmt: skip
        """What the expert returns: track `features` (T, D) from times (T,) and values, the weights used, and notes."""
        track = Track("features", values, times_s, np.isfinite(values), columns(values.shape[1]), UNIT)
        used = (self._checkpoint.used,)
        return Observation(expert, modality, {"features": track}, spans=spans or {}, models=used, notes=notes)


def open_feed(
    expert: str, context: Context, default: str, known: tuple[str, ...], *, kinds: Sequence[str]
) -> Feed | Absence:
    """A feed for the checkpoint, one of `kinds`, that the settings choose, or why there is none.

    Raises:
        ConfigError: a setting that is not among `known`, or one that cannot be had here.
    """
    if wrong := sorted(set(context.settings) - {*known, *SETTINGS}):
        raise ConfigError(f"{expert} has no setting '{wrong[0]}'; known: {', '.join((*known, *SETTINGS))}")
    found = choose(expert, context, default, kinds)
    return found if isinstance(found, Absence) else Feed(found, context)


@cache
def columns(dim: int) -> tuple[str, ...]:
    """Names of D feature columns: `f0`, `f1` ..."""
    return tuple(f"f{number}" for number in range(dim))
