"""The adaptive query generator: one vector that says what to look for, made from the summaries of all modalities.

Three strategies: `dynamic` lets a gate find out which modality to rely on, `audio` asks from the voice, `concat` is the
baseline without attention. Synergy (do picture and sound belong together?) is judged before it is believed: it counts
only where there is sound and a moving picture to compare, and then only as far as its `trust` goes.

Legend: B samples, M modalities, D columns.
Source: spec 1 section 2.2 (Panoramic Guidance: gated scoring, hybrid anchor, refinement); the gate is that of
attention-based multiple-instance learning (Ilse et al. 2018) without its second branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hero.errors import ConfigError, InputError
from hero.nn.attention import Attention, small_normal
from hero.types import Modality

Strategy = Literal["dynamic", "audio", "concat"]

FIRST_TRUST = 1.1  # logit: before training, synergy is believed to 0.75


class GlobalQuery(NamedTuple):
    """What to look for and whom it came from.

    `query` (B, D); `weights` (B, M) sum to 1 over what counts and are 0 elsewhere (all 0 where nothing is present);
    `synergy` (B,) is the trust in the synergy summary, in [0, 1], 0 where there is none or nothing to check it with.
    """

    query: Tensor
    weights: Tensor
    synergy: Tensor


class AdaptiveQueryGenerator(nn.Module):
    """Summaries (B, M, D) of the modalities, some of them missing, to one query (B, D).

    dynamic: a gate scores each summary; the hybrid anchor is their weighted sum, and one attention to all summaries
        refines it.
    audio: the voice asks all other summaries; its weight is 1. Where there is no voice, the mean of what is present
        asks what is present, all with the same weight.
    concat: all summaries side by side through two layers, with a learned vector where one is missing; all that are
        present weigh the same.

    Under each strategy synergy counts only with voice and one of face and motion, and only as far as it is trusted: the
    logarithm of the trust is added to its score and to its key, so that a trust of 0 is the same as no synergy.

    Args:
        modalities: what stands in the M places.
        dim: columns D.
        heads: attention heads; `concat` has none.
        hidden: width of the gate and of the trust network.
        strategy: dynamic, audio or concat.

    Raises:
        ConfigError: modalities that are unknown, double or none, sizes below 1, or an unknown strategy.
    """

    def __init__(
        self,
        *,
        modalities: Sequence[Modality],
        dim: int = 768,
        heads: int = 12,
        hidden: int = 256,
        strategy: Strategy = "dynamic",
    ) -> None:
        super().__init__()
        _check_arguments(modalities, dim, hidden, strategy)
        self.modalities, self.dim, self.strategy = tuple(modalities), dim, strategy
        self.embedding = nn.Parameter(torch.empty(len(modalities), dim))
        self.enter, self.leave = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.anchor: DynamicAnchor | AudioAnchor | ConcatAnchor
        if strategy == "dynamic":
            self.anchor = DynamicAnchor(dim=dim, heads=heads, hidden=hidden)
        elif strategy == "audio":
            self.anchor = AudioAnchor(dim=dim, heads=heads, voice=self._places("voice"))
        else:
            self.anchor = ConcatAnchor(dim=dim, places=len(modalities))
        self.trust = two_layers(2 * dim, hidden, 1) if "synergy" in modalities else None
        self.apply(small_normal)
        nn.init.normal_(self.embedding, std=0.02)
        if self.trust is not None:
            nn.init.constant_(cast("nn.Linear", self.trust[-1]).bias, FIRST_TRUST)

    def forward(self, summaries: Tensor, present: Tensor) -> GlobalQuery:
        """The query of each sample.

        Args:
            summaries: (B, M, D); what stands in the places of missing modalities has no effect.
            present: (B, M) bool.

        Raises:
            InputError: the shapes do not fit.
        """
        self._check(summaries, present)
        known = torch.where(
            present[..., None], summaries, 0.0
        )  # where, not *: a NaN in a missing place must not live on
        tokens = self.enter(known + self.embedding)  # (B, M, D)
        counted = self._counted(present)
        scores = self.anchor.scores(tokens, counted)  # (B, M)
        log_trust = self._log_trust(tokens, scores, counted)  # (B, M), 0 but for synergy
        weights = shares(scores + log_trust, counted)
        query = self.leave(self.anchor(tokens, weights, counted, log_trust))
        return GlobalQuery(query, weights, self._synergy(log_trust, counted))

    def _places(self, *wanted: Modality) -> list[int]:
        return [place for place, name in enumerate(self.modalities) if name in wanted]

    def _counted(self, present: Tensor) -> Tensor:
        """`present` (B, M) without the synergy of samples that lack sound or moving picture."""
        heard, seen = (present[:, self._places(*names)].any(dim=1) for names in (("voice",), ("face", "motion")))
        checkable = torch.ones_like(present)
        checkable[:, self._places("synergy")] = (heard & seen)[:, None]
        return present & checkable

    def _log_trust(self, tokens: Tensor, scores: Tensor, counted: Tensor) -> Tensor:
        """(B, M): for synergy the logarithm of the trust in it, judged beside what the others say together; else 0."""
        none = torch.zeros_like(scores)
        if self.trust is None:
            return none
        place = self._places("synergy")[0]
        others = counted.clone()
        others[:, place] = False
        said = (shares(scores, others)[..., None] * tokens).sum(dim=1)  # (B, D)
        logit = self.trust(torch.cat([tokens[:, place], said], dim=-1))  # (B, 1)
        at_synergy = torch.zeros_like(counted[:1])
        at_synergy[:, place] = True
        return torch.where(at_synergy, F.logsigmoid(logit), none)

    def _synergy(self, log_trust: Tensor, counted: Tensor) -> Tensor:
        """(B,): the trust itself, 0 where synergy does not count."""
        places = self._places("synergy")
        return (log_trust[:, places].exp() * counted[:, places]).sum(dim=1)

    def _check(self, summaries: Tensor, present: Tensor) -> None:
        places = len(self.modalities)
        if summaries.ndim != 3 or summaries.shape[1:] != (places, self.dim):
            raise InputError(
                f"summaries of {', '.join(self.modalities)} came as {tuple(summaries.shape)}; give (B, {places}, {self.dim})"
            )
        if present.shape != summaries.shape[:2] or present.dtype != torch.bool:
            raise InputError(
                f"`present` is {present.dtype} {tuple(present.shape)}; give bool {tuple(summaries.shape[:2])}"
            )


class DynamicAnchor(nn.Module):
    """A gate weighs the summaries; their weighted sum, refined by one attention to all of them, is the query."""

    def __init__(self, *, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.gate = two_layers(dim, hidden, 1)
        self.refine = Attention(dim=dim, heads=heads)

    def scores(self, tokens: Tensor, counted: Tensor) -> Tensor:
        """(B, M) before the softmax."""
        found: Tensor = self.gate(tokens)[..., 0]
        return found

    def forward(self, tokens: Tensor, weights: Tensor, counted: Tensor, log_trust: Tensor) -> Tensor:
        """(B, D)."""
        anchor = (weights[..., None] * tokens).sum(dim=1)
        return anchor + gathered(self.refine, anchor, tokens, counted, log_trust)


class AudioAnchor(nn.Module):
    """The voice asks all the others; without a voice the mean of what is present asks what is present."""

    def __init__(self, *, dim: int, heads: int, voice: list[int]) -> None:
        super().__init__()
        self.voice = voice  # its place, or none
        self.ask = Attention(dim=dim, heads=heads)

    def scores(self, tokens: Tensor, counted: Tensor) -> Tensor:
        """(B, M) before the softmax: -inf beside a voice, all equal without one."""
        return torch.zeros_like(tokens[..., 0]).masked_fill(self._beside(counted), float("-inf"))

    def forward(self, tokens: Tensor, weights: Tensor, counted: Tensor, log_trust: Tensor) -> Tensor:
        """(B, D)."""
        anchor = (weights[..., None] * tokens).sum(dim=1)
        heard = counted[:, self.voice].any(dim=1, keepdim=True)  # (B, 1)
        asked = torch.where(heard, counted & self._beside(counted), counted)
        return anchor + gathered(self.ask, anchor, tokens, asked, log_trust)

    def _beside(self, counted: Tensor) -> Tensor:
        """(B, M): True for the others where there is a voice, False for all where there is none."""
        others = torch.ones_like(counted)
        others[:, self.voice] = False
        return others & counted[:, self.voice].any(dim=1, keepdim=True)


class ConcatAnchor(nn.Module):
    """All summaries side by side through two layers."""

    def __init__(self, *, dim: int, places: int) -> None:
        super().__init__()
        self.missing = nn.Parameter(0.02 * torch.randn(places, dim))
        self.join = two_layers(places * dim, dim, dim)

    def scores(self, tokens: Tensor, counted: Tensor) -> Tensor:
        """(B, M) before the softmax: all equal."""
        return torch.zeros_like(tokens[..., 0])

    def forward(self, tokens: Tensor, weights: Tensor, counted: Tensor, log_trust: Tensor) -> Tensor:
        """(B, D)."""
        share = (log_trust.exp() * counted)[..., None]  # (B, M, 1): 1 present, 0 missing, synergy in between
        joined: Tensor = self.join((share * tokens + (1 - share) * self.missing).flatten(1))
        return joined


def two_layers(dim_in: int, hidden: int, dim_out: int) -> nn.Sequential:
    """Linear - Tanh - Linear."""
    return nn.Sequential(nn.Linear(dim_in, hidden), nn.Tanh(), nn.Linear(hidden, dim_out))


def shares(scores: Tensor, counted: Tensor) -> Tensor:
    """Softmax of scores (B, M) over what counts, 0 elsewhere; a row in which nothing counts is all 0."""
    some = counted.any(dim=1, keepdim=True)
    filled = torch.where(some, scores.masked_fill(~counted, float("-inf")), 0.0)  # a softmax of -inf alone is NaN
    return filled.softmax(dim=1).masked_fill(~counted, 0.0)


def gathered(attention: Attention, anchor: Tensor, tokens: Tensor, asked: Tensor, bias: Tensor) -> Tensor:
    """What the anchor (B, D) gathers from the tokens (B, M, D) it may ask (B, M): (B, D), 0 where it may ask none."""
    some = asked.any(dim=1, keepdim=True)  # (B, 1)
    mask = torch.where(some, bias.masked_fill(~asked, float("-inf")), 0.0)[:, None, None, :]  # (B, 1, 1, M)
    found = attention(anchor[:, None], attention.project(tokens, tokens), mask)[:, 0]
    return found.masked_fill(~some, 0.0)


def _check_arguments(modalities: Sequence[Modality], dim: int, hidden: int, strategy: str) -> None:
    unknown = sorted(set(modalities) - set(get_args(Modality)))
    if unknown or not modalities or len(set(modalities)) < len(modalities):
        raise ConfigError(
            f"a query cannot be made from the modalities {list(modalities)}; give each of {', '.join(get_args(Modality))} "
            "once at most, and one at least"
        )
    if min(dim, hidden) < 1:
        raise ConfigError(f"a query of {dim} columns with {hidden} hidden ones cannot be made; each must be 1 or more")
    if strategy not in get_args(Strategy):
        raise ConfigError(f"no query strategy is called '{strategy}'; known: {', '.join(get_args(Strategy))}")
