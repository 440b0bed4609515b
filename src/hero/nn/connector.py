"""Connectors: what an expert's encoder says becomes feature tokens, tokens a language model reads, and evidence text.

One connector for each modality (input projection, resampler, projection head) and one evidence decoder for all of them.

Legend: B samples, L input steps, I input columns, A coordinates, Q queries, D feature columns, W the language model's width.
Source: BLIP-2 (Li et al. 2023); spec 1, Feature_Tensor [B, Num_Queries, Dim] such as [B, 32, 768].
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

import torch
from torch import nn

from hero.errors import ConfigError
from hero.nn.evidence_decoder import EvidenceDecoder, Task
from hero.nn.projector import Projector
from hero.nn.resampler import Resampler
from hero.types import Modality

if TYPE_CHECKING:
    from hero.nn.t5_evidence_decoder import T5EvidenceDecoder

TASK_OF: dict[Modality, Task] = {
    "scene": "visual", "motion": "motion", "face": "au", "voice": "audio", "words": "text", "synergy": "synergy",
}  # fmt: skip
"""The decoder's task for the features of each modality."""

SPEC_SIZES: dict[Modality, dict[str, Any]] = {
    "scene": {"dim_in": 1024, "queries": 32},  # CLIP ViT-L/14
    "motion": {"dim_in": 768, "queries": 32},  # VideoMAE v2 base
    "face": {"dim_in": 35, "queries": 8, "projection": "action_units"},
    "voice": {"dim_in": 1024, "queries": 32},  # HuBERT large
    "words": {"dim_in": 768, "queries": 8},  # BERT base
}
"""Connector sizes of spec 1's experts."""

PROJECTIONS: dict[str, tuple[str, int]] = {"action_units": ("hero.nn.action_units:AUProjector", 35)}
"""Input projections by name, with the columns I they read: modules from values and mask (B, L, I) to (B, L, D)."""


def expect_whole(where: str, sizes: Mapping[str, Any]) -> None:
    """Raise unless all sizes are whole numbers of 1 or more; `where` names what they are sizes of.

    Raises:
        ConfigError: naming the one that is not.
    """
    for name, value in sizes.items():
        if type(value) is not int or value < 1:
            raise ConfigError(f"{name} of {where} is {value!r}; give a whole number of 1 or more")


class Connected(NamedTuple):
    """`tokens` (B, Q, D), `projected` (B, Q, W), `present` (B,) False where a sample had no valid step.

    Without a projection head `projected` are the tokens.
    """

    tokens: torch.Tensor
    projected: torch.Tensor
    present: torch.Tensor
    attention: torch.Tensor | None = None


class Connector(nn.Module):
    """Input projection, resampler and projection head of one modality.

    `projection` names one of `PROJECTIONS`; without it the resampler's own linear layer reads the I columns. `dim_lm` is
    None for a connector whose tokens are read by other networks only: it has no projection head. `sizes` are the
    arguments as given, so that a saved connector can be made again.

    Raises:
        ConfigError: a size is no whole number of 1 or more, the heads do not divide the columns, no projection has that
            name, or `hidden` is given without `dim_lm`.
    """

    def __init__(
        self,
        *,
        dim_in: int,
        queries: int = 32,
        dim: int = 768,
        dim_lm: int | None = 4096,
        layers: int = 2,
        heads: int = 12,
        projection: str = "",
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        self.sizes: dict[str, Any] = {
            "dim_in": dim_in, "queries": queries, "dim": dim, "dim_lm": dim_lm, "layers": layers, "heads": heads,
            "projection": projection, "hidden": hidden,
        }  # fmt: skip
        left_out = [name for name in ("dim_lm", "hidden") if self.sizes[name] is None]
        expect_whole("a connector", {k: v for k, v in self.sizes.items() if k not in ("projection", *left_out)})
        self.dim_in, self.queries, self.dim = dim_in, queries, dim
        self.projection = _projection(projection, dim_in=dim_in, dim=dim) if projection else None
        self.resampler = Resampler(
            dim_in=dim if projection else dim_in, dim=dim, queries=queries, layers=layers, heads=heads
        )
        if dim_lm is None and hidden is not None:
            raise ConfigError(
                f"{hidden} hidden columns of a projection head without dim_lm; give dim_lm or leave out hidden"
            )
        self.projector = None if dim_lm is None else Projector(dim_in=dim, dim_out=dim_lm, hidden=hidden)

    def forward(
        self,
        inputs: torch.Tensor,
        mask: torch.Tensor | None = None,
        coordinates: torch.Tensor | None = None,
        *,
        with_attention: bool = False,
    ) -> Connected:
        """Feature tokens of `inputs` (B, L, I).

        Args:
            inputs: (B, L, I).
            mask: bool, (B, L) for whole steps or (B, L, I) for single values; all valid without it. Where there is no
                input projection, a step is valid when all its values are.
            coordinates: (B, L, A): seconds, and fractions of the picture's height and width.
            with_attention: also (B, layers, Q, L), where each query looked.

        Raises:
            InputError: the shapes do not fit.
        """
        values, steps = self.steps(inputs, mask)
        return self.sum_up(values, steps, coordinates, with_attention=with_attention)

    def steps(self, inputs: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The details: each step of `inputs` (B, L, I) at D columns, (B, L, D), and which steps are valid, (B, L).

        What stands in steps that are not valid is finite and means nothing. Arguments as in `forward`.

        Raises:
            InputError: the shapes do not fit.
        """
        if self.projection is not None:
            cells = torch.ones_like(inputs, dtype=torch.bool) if mask is None else mask
            cells = cells[..., None].expand_as(inputs) if cells.ndim == 2 else cells
            inputs, mask = self.projection(inputs.masked_fill(~cells, 0), cells), cells.any(dim=-1)  # (B, L, D), (B, L)
        elif mask is not None and mask.ndim == 3:
            mask = mask.all(dim=-1)
        return self.resampler.steps(inputs, mask)

    def sum_up(
        self,
        values: torch.Tensor,
        steps: torch.Tensor,
        coordinates: torch.Tensor | None = None,
        *,
        with_attention: bool = False,
    ) -> Connected:
        """Feature tokens of what `steps` gave; coordinates and `with_attention` as in `forward`.

        Raises:
            InputError: the coordinates do not fit.
        """
        found = self.resampler.sum_up(values, steps, coordinates, with_attention=with_attention)
        projected = found.tokens if self.projector is None else self.projector(found.tokens)
        return Connected(found.tokens, projected, found.present, found.attention)


class Connectors(nn.Module):
    """The connectors by modality, and the evidence decoder they share.

    Raises:
        ConfigError: a modality is unknown, or a width does not fit the decoder.
    """

    def __init__(
        self, parts: Mapping[Modality, Connector], decoder: EvidenceDecoder | T5EvidenceDecoder | None = None
    ) -> None:
        super().__init__()
        unknown = sorted(set(parts) - set(get_args(Modality)))
        if unknown or not parts:
            raise ConfigError(
                f"connectors for {', '.join(unknown) or 'nothing'} cannot be made; modalities: {', '.join(TASK_OF)}"
            )
        widths = sorted(
            {part.dim for part in parts.values()} | ({decoder.dim_features} if decoder is not None else set())
        )
        if len(widths) > 1:
            raise ConfigError(f"connectors and decoder have {widths} feature columns; give all of them the same")
        self.parts = nn.ModuleDict({str(name): part for name, part in parts.items()})
        self.decoder = decoder

    def forward(
        self,
        modality: Modality,
        inputs: torch.Tensor,
        mask: torch.Tensor | None = None,
        coordinates: torch.Tensor | None = None,
        *,
        with_attention: bool = False,
    ) -> Connected:
        """Feature tokens of one modality's inputs; the arguments are those of `Connector.forward`.

        Raises:
            ConfigError: there is no connector for the modality.
            InputError: the shapes do not fit.
        """
        found: Connected = self.part(modality)(inputs, mask, coordinates, with_attention=with_attention)
        return found

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities there is a connector for."""
        return cast("tuple[Modality, ...]", tuple(self.parts))

    def part(self, modality: Modality) -> Connector:
        """The connector of one modality.

        Raises:
            ConfigError: there is none.
        """
        if modality not in self.parts:
            raise ConfigError(f"there is no connector for '{modality}'; there are: {', '.join(self.parts)}")
        return cast("Connector", self.parts[modality])


def spec_connectors(*, dim_lm: int = 4096) -> Connectors:
    """Connectors of spec 1's sizes with fresh weights: scene, motion, face, voice, words, and the decoder of bytes."""
    return Connectors({m: Connector(**sizes, dim_lm=dim_lm) for m, sizes in SPEC_SIZES.items()}, EvidenceDecoder())


def _projection(name: str, *, dim_in: int, dim: int) -> nn.Module:
    if not isinstance(name, str) or name not in PROJECTIONS:
        raise ConfigError(f"no input projection is called '{name}'; known: {', '.join(PROJECTIONS)}")
    path, columns = PROJECTIONS[name]
    if dim_in != columns:
        raise ConfigError(f"the input projection '{name}' reads {columns} columns, not {dim_in}; give dim_in={columns}")
    module, _, attribute = path.partition(":")
    made: nn.Module = getattr(import_module(module), attribute)(dim=dim)
    return made
