"""A trained HERO model at work in integration: attention over every expert's features gives weights, heat and soft context.

What nobody trained is never used to answer: an untrained checkpoint gives nothing but a note.

Legend: T steps of a track, I its columns, L steps of the bank, N context tokens, W the language model's width.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal, cast

from hero import models
from hero.errors import ConfigError
from hero.integrate.heat import attention_heat
from hero.observe.connect import matching_track
from hero.types import Heat, Modality, ModelUsed, SoftContext, Timeline, Track

if TYPE_CHECKING:
    from hero.hero_model.files import OpenedIntegration
    from hero.pretrained.device import Device

FOLDER, TABLE, MANIFEST = "hero-model", "config.json", "hero-model.json"


@dataclass(frozen=True, eq=False)
class Weighed:
    """What the model says of a clip: weights by modality (sum 1), where they lie in time, and its soft context."""

    weights: dict[str, float]
    heat: Heat | None = None
    context: SoftContext | None = None
    models: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()


_opened: dict[tuple[Path, int, str], OpenedIntegration] = {}
_lock = Lock()


def folder_of(setting: str) -> Path | None:
    """The folder of the HERO checkpoint that a setting names; None for "none", or "auto" where none is at hand.

    Raises:
        ConfigError: the named folder is none.
    """
    if setting == "none":
        return None
    if setting == "auto":
        found = (folder / FOLDER for folder in models.folders())
        return next((folder for folder in found if is_checkpoint(folder)), None)
    folder = Path(setting).expanduser()
    if not is_checkpoint(folder):
        raise ConfigError(
            f"integrate.model: '{setting}' holds no HERO checkpoint: {TABLE} is missing or says otherwise; name a folder that "
            "HeroModel.save_pretrained wrote, auto, or none"
        )
    return folder


def is_checkpoint(folder: str | Path) -> bool:
    """Whether a folder holds a HERO checkpoint, whole or damaged."""
    if (Path(folder) / MANIFEST).is_file():
        return True
    table = Path(folder) / TABLE
    try:
        return table.is_file() and json.loads(table.read_text("utf-8")).get("model_type") == "hero"
    except (OSError, ValueError, AttributeError):
        return False


def open_model(setting: str, *, device: str = "auto") -> OpenedIntegration | None:
    """The integration half of a HERO checkpoint, loaded once per process; None where the setting names none.

    Raises:
        ConfigError: the named folder is no HERO checkpoint, or the device is not here.
        WeightsError: the checkpoint is damaged, or PyTorch is missing.
    """
    folder = folder_of(setting)
    if folder is None:
        return None
    from hero.pretrained.loading import libraries

    libraries()
    from hero.hero_model.files import open_integration

    written = [path.stat().st_mtime_ns for path in (folder / TABLE, folder / MANIFEST) if path.is_file()]
    key = (folder.resolve(), max(written), device)
    with _lock:
        if key not in _opened:
            _opened[key] = open_integration(folder, device=cast("Device", device))
        return _opened[key]


def weigh_with_model(
    timeline: Timeline, opened: OpenedIntegration, *, licence: Literal["any", "open"] = "any"
) -> Weighed:
    """Run the integration layer over the timeline's feature tracks.

    Nothing but a note comes back where the checkpoint is untrained, its licence is refused, or no track fits it.
    """
    if not opened.training.trained:
        return Weighed({}, notes=(f"the HERO checkpoint {opened.folder.name} is not trained: it weighs nothing",))
    if licence == "open" and not opened.training.commercial:
        return Weighed(
            {}, notes=(f"the HERO checkpoint {opened.folder.name} is not free for commercial use: left out",)
        )
    tracks, notes = _tracks(timeline, opened)
    if not tracks:
        return Weighed({}, notes=(*notes, "no expert brought features that the HERO model reads: it weighs nothing"))
    import torch

    from hero.hero_model.feeds import feeds_of

    feeds, (left_out,) = feeds_of([tracks], opened.integration, device=next(opened.integration.parameters()).device)
    with torch.inference_mode():
        found = opened.integration(feeds)
    notes = [*notes, *left_out]
    if not bool(found.present[0]):
        return Weighed({}, notes=(*notes, "no expert brought features that the HERO model reads: it weighs nothing"))
    attention = found.attention_weights[0].double().cpu().numpy()  # (L,)
    weights: dict[str, float] = {}
    begin = 0
    for name, steps in found.lengths.items():
        weights[name] = float(attention[begin : begin + steps].sum())
        begin += steps
    times = {name: feeds[name].times_s[0].double().cpu().numpy() for name in found.lengths}
    heat = attention_heat(attention, times, found.lengths, float(timeline.clip["duration_s"]))
    values = found.context[0].float().cpu().numpy()
    context = SoftContext(values, opened.folder, opened.used.sha256)
    return Weighed(weights, heat, context, (opened.used,), tuple(notes))


def _tracks(timeline: Timeline, opened: OpenedIntegration) -> tuple[dict[Modality, Track], list[str]]:
    """The track of each modality that the model reads, and which ones did not fit."""
    tracks: dict[Modality, Track] = {}
    notes = []
    connectors = opened.integration.connectors
    for modality in connectors.modalities:
        columns = connectors.part(modality).dim_in
        _, track, misfit = matching_track(modality, columns, timeline.observations, opened.training)
        if track is not None:
            tracks[modality] = track
        elif misfit:
            notes.append(misfit)
    return tracks, notes
