"""The integration layer: tracks of all modalities, some missing, to soft tokens for a language model, and who weighed what.

    feeds -> connectors -> details of each step  ------------------> bank --+
                       \\-> Q-Former tokens -> summaries -> Q_global ------+--> panorama -> projector -> context
                                                        \\-> weights (prior of the bank)

A modality's prior weight in the bank is the gate's, shared among its steps: a track of 50 steps a second weighs no more
than one of 5. Synergy has a summary and no steps in the bank.

Legend: B samples, M modalities, L steps (of one track, or of the bank), I input columns, D feature columns,
N soft tokens, W the language model's width.
Source: spec 1 section 2.2 (Evidence Integration Layer), section 2.3 (linear projector to the embedding width).
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hero.errors import ConfigError, InputError
from hero.nn.connector import Connector, Connectors, expect_whole
from hero.nn.panorama import PanoramicAttention
from hero.nn.positions import sine_cosine
from hero.nn.projector import Projector
from hero.nn.query import AdaptiveQueryGenerator, Strategy
from hero.types import Modality

if TYPE_CHECKING:
    from hero.nn.evidence_decoder import EvidenceDecoder
    from hero.nn.t5_evidence_decoder import T5EvidenceDecoder

SMALLEST = 1e-6  # prior weight: its logarithm is finite, and so is its gradient


class Feed(NamedTuple):
    """One modality's tracks: `values` (B, L, I), `mask` (B, L, I) or (B, L) bool, True = measured, `times_s` (B, L)."""

    values: Tensor
    mask: Tensor
    times_s: Tensor


class Integrated(NamedTuple):
    """What the layer makes of a batch.

    `context` (B, N, W); `present` (B,) False where there was nothing to integrate (the context means nothing then);
    `attention_weights` (B, L) over the bank, which sum to 1 over the open steps; `query_weights` (B, M), which sum to 1
    over what counts, in the order of `IntegrationLayer.modalities`; `synergy` (B,) is the trust in synergy; `lengths`
    are the bank's steps by modality, in its order.
    """

    context: Tensor
    present: Tensor
    attention_weights: Tensor
    query_weights: Tensor
    synergy: Tensor
    lengths: dict[Modality, int]


class Details(NamedTuple):
    """One modality inside the layer.

    `summary` (B, D), `present` (B,), and its part of the bank: `values` (B, L, D), `mask` (B, L), `positions` (B, L, D).
    """

    summary: Tensor
    present: Tensor
    values: Tensor
    mask: Tensor
    positions: Tensor


class IntegrationLayer(nn.Module):
    """Connectors, query generator, panoramic attention and projector of a HERO model.

    Args:
        parts: for each modality the sizes of its connector (`dim_in`, `queries`, `projection` ...); columns, heads and
            layers are the layer's own unless given.
        dim_lm: the language model's width W.
        dim: feature columns D.
        heads: attention heads.
        layers: layers of each connector's resampler and of the panorama.
        queries: soft tokens N; the spec has 32 or 64.
        strategy: dynamic, audio or concat, see `AdaptiveQueryGenerator`.
        scale: spread of a soft token at the start of training: that of the language model's own embeddings.
        decoder: evidence decoder to travel with the connectors.

    Raises:
        ConfigError: no modality with details, or sizes that are unknown, missing or do not fit.
    """

    def __init__(
        self,
        *,
        parts: Mapping[Modality, Mapping[str, Any]],
        dim_lm: int,
        dim: int = 768,
        heads: int = 12,
        layers: int = 2,
        queries: int = 32,
        strategy: Strategy = "dynamic",
        scale: float = 0.02,
        decoder: EvidenceDecoder | T5EvidenceDecoder | None = None,
    ) -> None:
        super().__init__()
        _expect_sizes(
            parts, {"dim_lm": dim_lm, "dim": dim, "heads": heads, "layers": layers, "queries": queries}, scale=scale
        )
        self.sizes: dict[str, Any] = {
            "parts": {name: dict(sizes) for name, sizes in parts.items()}, "dim_lm": dim_lm, "dim": dim, "heads": heads,
            "layers": layers, "queries": queries, "strategy": strategy, "scale": scale,
        }  # fmt: skip
        shared = {"dim": dim, "heads": heads, "layers": layers, "dim_lm": None}
        self.connectors = Connectors({name: Connector(**{**shared, **sizes}) for name, sizes in parts.items()}, decoder)
        self.modalities = self.connectors.modalities
        self.bank_modalities: tuple[Modality, ...] = tuple(name for name in self.modalities if name != "synergy")
        if not self.bank_modalities:
            raise ConfigError("synergy alone cannot be integrated; give at least one other modality")
        self.strategy, self.dim = strategy, dim
        self.query = AdaptiveQueryGenerator(modalities=self.modalities, dim=dim, heads=heads, strategy=strategy)
        self.bank_embedding = nn.Parameter(0.02 * torch.randn(len(self.bank_modalities), dim))
        self.panorama = PanoramicAttention(dim=dim, heads=heads, queries=queries, layers=layers)
        self.projector = Projector(dim_in=dim, dim_out=dim_lm, scale=scale)

    def forward(self, feeds: Mapping[Modality, Feed], keep: Tensor | None = None) -> Integrated:
        """Integrate a batch.

        Args:
            feeds: by modality; one that is left out is missing in all samples. Masked values have no effect.
            keep: (B, M) bool, False = treat as missing (modality dropout); all are kept without it.

        Raises:
            ConfigError: a feed's modality has no connector here.
            InputError: there is no feed, or shapes do not fit.
        """
        samples = self._check(feeds, keep)
        found = {
            name: self._details(name, feeds.get(name), samples, None if keep is None else keep[:, place])
            for place, name in enumerate(self.modalities)
        }
        present = torch.stack([one.present for one in found.values()], dim=1)  # (B, M)
        asked = self.query(torch.stack([one.summary for one in found.values()], dim=1), present)
        bank = [found[name] for name in self.bank_modalities]
        mask = torch.cat([one.mask for one in bank], dim=1)  # (B, L)
        values = torch.cat([one.values + named for one, named in zip(bank, self.bank_embedding, strict=True)], dim=1)
        positions = torch.cat([one.positions for one in bank], dim=1)
        seen = self.panorama(asked.query, values, mask, self._bias(asked.weights, present, bank), positions)
        lengths = {name: found[name].mask.shape[1] for name in self.bank_modalities}
        context = self.projector(seen.tokens)
        return Integrated(context, mask.any(dim=1), seen.attention_weights, asked.weights, asked.synergy, lengths)

    def _details(self, name: Modality, feed: Feed | None, samples: int, kept: Tensor | None) -> Details:
        connector = self.connectors.part(name)
        if feed is None:
            none = self.bank_embedding.new_zeros(samples, 0)
            feed = Feed(none[..., None].expand(-1, -1, connector.dim_in), none.bool(), none)
        mask = feed.mask if kept is None else feed.mask & kept.view(-1, *[1] * (feed.mask.ndim - 1))
        values, steps = connector.steps(feed.values.to(self.bank_embedding.dtype), mask)
        times_s = feed.times_s.masked_fill(~steps, 0)[..., None]  # (B, L, 1)
        summed = connector.sum_up(values, steps, times_s)
        positions = sine_cosine(times_s, dim=self.dim)
        return Details(summed.tokens.mean(dim=1), summed.present, values, steps, positions)

    def _bias(self, weights: Tensor, present: Tensor, bank: list[Details]) -> Tensor:
        """(B, L): the logarithm of each step's prior weight.

        Under `dynamic` the gate's weights are the prior of the modalities, else all that are present have the same: a
        voice that asks alone shall not look at itself alone.
        """
        places = [self.modalities.index(name) for name in self.bank_modalities]
        prior = weights[:, places] if self.strategy == "dynamic" else present[:, places].to(weights.dtype)
        prior = F.normalize(prior, p=1.0, dim=1).clamp(min=SMALLEST)  # (B, M - 1), without synergy's share
        steps = [one.mask.sum(dim=1, keepdim=True).clamp(min=1) for one in bank]  # (B, 1) each
        parts = [
            (share[:, None] / count).log().expand(-1, one.mask.shape[1])
            for one, share, count in zip(bank, prior.unbind(dim=1), steps, strict=True)
        ]
        return torch.cat(parts, dim=1)

    def _check(self, feeds: Mapping[Modality, Feed], keep: Tensor | None) -> int:
        """The number of samples B.

        Raises:
            ConfigError, InputError: as for `forward`.
        """
        for name, feed in feeds.items():
            columns = self.connectors.part(name).dim_in
            shape = feed.values.shape
            if len(shape) != 3 or shape[2] != columns:
                raise InputError(f"the feed of {name} has values {tuple(shape)}; give (B, L, {columns})")
            if feed.mask.shape not in (shape, shape[:2]) or feed.mask.dtype != torch.bool:
                came = f"{feed.mask.dtype} {tuple(feed.mask.shape)}"
                raise InputError(
                    f"the feed of {name} has a mask {came}; give bool {tuple(shape[:2])} or {tuple(shape)}"
                )
            if feed.times_s.shape != shape[:2]:
                raise InputError(f"the feed of {name} has times {tuple(feed.times_s.shape)}; give {tuple(shape[:2])}")
        counts = {name: len(feed.values) for name, feed in feeds.items()}
        if len(set(counts.values())) != 1:
            raise InputError(f"feeds have {counts or 'no'} samples; give at least one feed, all with the same samples")
        samples = next(iter(counts.values()))
        if keep is not None and (keep.shape != (samples, len(self.modalities)) or keep.dtype != torch.bool):
            raise InputError(
                f"`keep` is {keep.dtype} {tuple(keep.shape)}; give bool ({samples}, {len(self.modalities)})"
            )
        return samples


def _expect_sizes(parts: Mapping[Modality, Mapping[str, Any]], numbers: Mapping[str, int], *, scale: float) -> None:
    """Raise unless an integration layer can be made of these.

    Raises:
        ConfigError: naming the size that is unknown, missing or no number that makes one.
    """
    expect_whole("the integration layer", numbers)
    if not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 < scale < float("inf"):
        raise ConfigError(f"scale of the integration layer is {scale!r}; give a number above 0, such as 0.02")
    allowed = list(signature(Connector).parameters)
    if not isinstance(parts, Mapping):
        raise ConfigError(f"parts is a {type(parts).__name__}; give a mapping from modalities to sizes of connectors")
    for name, sizes in parts.items():
        if name not in get_args(Modality):
            raise ConfigError(f"parts has {name!r}, which is no modality; modalities: {', '.join(get_args(Modality))}")
        if not isinstance(sizes, Mapping):
            raise ConfigError(
                f"parts.{name} is a {type(sizes).__name__}; give a mapping with some of {', '.join(allowed)}"
            )
        if unknown := [str(key) for key in sizes if key not in allowed]:
            raise ConfigError(f"parts.{name} has no size '{unknown[0]}'; allowed: {', '.join(allowed)}")
        if "dim_in" not in sizes:
            raise ConfigError(
                f"parts.{name} lacks dim_in; give the columns of the track that it reads, such as dim_in=1024"
            )
        optional = {key: sizes[key] for key in ("queries", "dim", "layers", "heads") if key in sizes}
        expect_whole(f"parts.{name}", {"dim_in": sizes["dim_in"], **optional})
