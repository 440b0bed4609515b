"""Modality dropout: which modalities a sample keeps in a training step, and the exact subsets for evaluation.

Synergy is made from voice and picture. It goes when its voice goes, and when face and motion both go; alone it is nothing.

Legend: B samples, M modalities.
Source: spec 1, section 2.2 (modality dropout); the idea of dropping whole inputs: ModDrop (Neverova et al. 2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, get_args

import torch

from hero.errors import ConfigError, InputError
from hero.types import Modality

if TYPE_CHECKING:
    from hero.nn.integration import Feed, IntegrationLayer

PICTURE: tuple[Modality, ...] = ("face", "motion")
"""The modalities a synergy can rest on beside the voice."""


def draw_keep(
    present: torch.Tensor,
    *,
    modalities: Sequence[Modality],
    probability: float | Mapping[Modality, float],
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """What each sample keeps in this step: (B, M) bool, a subset of `present`.

    Each present modality is dropped by itself with its probability. A sample that would lose everything keeps one
    modality after all, drawn with chances in proportion to 1 - probability; synergy is never that one. The same
    generator state draws the same subsets on every device.

    Args:
        present: (B, M) bool, True where a sample has the modality.
        modalities: the M names, in the order of the columns.
        probability: of dropping, in [0, 1]; one for all, or one each (not named: never dropped on purpose).
        generator: of the CPU; the global one without it.

    Raises:
        InputError: `present` is not (B, M) bool.
        ConfigError: a modality is unknown or named twice, or a probability lies outside [0, 1].
    """
    _check(present, modalities)
    drop = _probabilities(probability, modalities)
    shape = present.shape
    drawn = torch.rand(shape, generator=generator) >= drop  # (B, M); a probability of 0 never drops, 1 always does
    race = -torch.rand(shape, generator=generator).log() / (1 - drop).clamp(min=1e-6)  # smallest: drawn as 1 - drop
    here = present.cpu()
    sensed = here & torch.tensor([name != "synergy" for name in modalities])
    keep = here & drawn
    lost = ~(keep & sensed).any(dim=1) & sensed.any(dim=1)  # (B,)
    rescued = race.masked_fill(~sensed, float("inf")).argmin(dim=1)
    keep[lost, rescued[lost]] = True
    return without_orphans(keep, modalities=modalities).to(present.device)


@torch.no_grad()
def presence(layer: IntegrationLayer, feeds: Mapping[Modality, Feed]) -> torch.Tensor:
    """What each sample of a batch has that the layer can use: (B, M) bool in the order of its modalities, on its device.

    Raises:
        InputError: there is no feed, or a feed does not fit its connector.
    """
    if not feeds:
        raise InputError("there is no feed; give the tracks of at least one modality")
    like = next(layer.parameters())
    samples = len(next(iter(feeds.values())).values)
    found = torch.zeros(samples, len(layer.modalities), dtype=torch.bool, device=like.device)
    for column, name in enumerate(layer.modalities):
        if name in feeds:
            values, mask = feeds[name].values.to(like), feeds[name].mask.to(like.device)
            _, steps = layer.connectors.part(name).steps(values, mask)  # (B, L)
            found[:, column] = steps.any(dim=1)
    return without_orphans(found, modalities=layer.modalities)


def without_orphans(keep: torch.Tensor, *, modalities: Sequence[Modality]) -> torch.Tensor:
    """`keep` (B, M) bool without a synergy whose sources are not kept: it needs the voice, and face or motion.

    Raises:
        InputError: `keep` is not (B, M) bool.
        ConfigError: a modality is unknown or named twice.
    """
    _check(keep, modalities)
    if "synergy" not in modalities:
        return keep
    column = {name: keep[:, i] for i, name in enumerate(modalities)}
    nothing = torch.zeros_like(keep[:, 0])
    sources = column.get("voice", nothing) & (column.get("face", nothing) | column.get("motion", nothing))
    found = keep.clone()
    found[:, list(modalities).index("synergy")] &= sources
    return found


def subsets(modalities: Sequence[Modality]) -> tuple[tuple[Modality, ...], ...]:
    """Every subset an evaluation can ask for, the largest first; synergy is in exactly those that hold its sources.

    Five sensed modalities give 31 subsets, with synergy or without.

    Raises:
        ConfigError: a modality is unknown or named twice, or only synergy is named.
    """
    _check_names(modalities)
    sensed = [name for name in modalities if name != "synergy"]
    if not sensed:
        raise ConfigError(f"no subsets of {list(modalities)}; name at least one modality beside synergy")
    found = []
    for size in range(len(sensed), 0, -1):
        for chosen in combinations(sensed, size):
            whole = "voice" in chosen and any(name in chosen for name in PICTURE)
            found.append(tuple(name for name in modalities if name in chosen or (name == "synergy" and whole)))
    return tuple(found)


def keep_only(present: torch.Tensor, *, modalities: Sequence[Modality], kept: Sequence[Modality]) -> torch.Tensor:
    """What is left of `present` (B, M) bool when only the modalities in `kept` remain: (B, M) bool.

    A sample may be left with nothing, where it never had any of them.

    Raises:
        InputError: `present` is not (B, M) bool.
        ConfigError: `kept` names what is not among the modalities.
    """
    _check(present, modalities)
    strange = [name for name in kept if name not in modalities]
    if strange:
        raise ConfigError(f"cannot keep {', '.join(strange)}; there are: {', '.join(modalities)}")
    chosen = torch.tensor([name in kept for name in modalities], device=present.device)
    return without_orphans(present & chosen, modalities=modalities)


def _probabilities(probability: float | Mapping[Modality, float], modalities: Sequence[Modality]) -> torch.Tensor:
    """(M,) float."""
    given = probability if isinstance(probability, Mapping) else dict.fromkeys(modalities, probability)
    strange = [name for name in given if name not in modalities]
    if strange:
        raise ConfigError(f"a probability for {', '.join(strange)}, but there are: {', '.join(modalities)}")
    wrong = {name: value for name, value in given.items() if not 0 <= value <= 1}
    if wrong:
        raise ConfigError(f"probabilities of dropping are {wrong}; give numbers from 0 to 1")
    return torch.tensor([float(given.get(name, 0.0)) for name in modalities])


def _check(present: torch.Tensor, modalities: Sequence[Modality]) -> None:
    _check_names(modalities)
    if present.ndim != 2 or present.shape[1] != len(modalities) or present.dtype != torch.bool:
        raise InputError(
            f"presence has shape {tuple(present.shape)} and type {present.dtype}; "
            f"give bool (samples, {len(modalities)}) for {', '.join(modalities)}"
        )


def _check_names(modalities: Sequence[Modality]) -> None:
    known = get_args(Modality)
    strange = sorted({name for name in modalities if name not in known or list(modalities).count(name) > 1})
    if strange or not modalities:
        raise ConfigError(f"{', '.join(strange) or 'nothing'}: give each modality once, out of {', '.join(known)}")
