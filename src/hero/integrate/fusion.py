"""Weigh the posteriors of the modalities that are present: a gated logarithmic pool that copies how people weigh them.

Legend: M modalities, 7 common labels, H hidden units of a gate.

Trained on CREMA-D's crowd votes, where people judged a clip from its voice, from its face, and from both: given the
first two, what do people answer to the whole? Each modality m has

    x_m = log p_m, centred over the labels its source knows                                   (7,)
    g_m = V_m tanh(U_m [x_m, entropy, agreement with the others] + u_m) + v_m                 scalar gate
    w   = softmax(g) over present modalities (a missing one stands at minus infinity)         (M,)
    posterior = softmax(s * sum_m w_m e_m)

The gates w serve both kinds of posteriors; evidence e and sharpness s differ. For *votes* (shares of raters), e_m =
x_m A_m + b_m with the confusions A_m that people have in that modality, and s is a learned function of agreement and
entropy. *Machine* posteriors are calibrated already: e_m = x_m, and s = 1 / sum_m w_m^2, the effective number of
modalities, so that one alone is returned as it came and two that agree become surer, as independent witnesses do.
Measured on RAVDESS out-of-fold posteriors, where human confusions would cost accuracy and calibration.

A modality without votes of its own (words, motion ...) joins through the same softmax: its gate is the mean of the
trained gates plus log(prior). `prior` is a number in the model card, set by hand, not learned.
Logarithmic pools: Genest & Zidek 1986; gating: Arevalo et al. 2017; effective number: Kish 1965.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from hero import weights
from hero.errors import UsageError
from hero.labels import LABELS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hero.types import ModelUsed

NAME = "fusion"
TRAINED = ("voice", "face")  # row order of the trained tensors
Source = Literal["machine", "votes"]
SHARPEST = 3.0  # bound of the log sharpness, in training and use
FLOOR = 1e-4  # smallest probability taken at its word: a posterior of exactly 0 would veto every other modality


@dataclass(frozen=True, eq=False)
class FusionResult:
    """Posterior (7,) on the common labels, and the weight of each present modality; the weights sum to 1."""

    posterior: NDArray[np.float64]
    weights: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _Saying:
    """What one modality says, prepared: centred log-posterior (7,), probabilities (7,), known labels, entropy."""

    logs: NDArray[np.float64]
    probs: NDArray[np.float64]
    seen: NDArray[np.bool_]
    entropy: float


@dataclass(frozen=True, eq=False)
class Fusion:
    """The trained pool; `prior` is the weight of each untrained modality against the mean trained one."""

    tensors: Mapping[str, NDArray[np.floating]]
    prior: Mapping[str, float]
    used: ModelUsed | None = None

    @classmethod
    def load(cls, folder: Path | None = None) -> Fusion:
        """Read the weights from `folder`, or those that ship in the package.

        Raises:
            WeightsError: the weights are missing or damaged.
        """
        read = weights.read(NAME, folder)
        return cls({k: np.asarray(v, dtype=np.float64) for k, v in read.tensors.items()}, read.card["prior"], read.used)

    def weigh(
        self,
        posteriors: Mapping[str, ArrayLike],
        seen: Mapping[str, ArrayLike] | None = None,
        *,
        source: Source = "machine",
    ) -> FusionResult:
        """Pool the posteriors of any non-empty set of modalities.

        Args:
            posteriors: modality name -> probabilities (7,) on `LABELS`; leave out what is missing.
            seen: modality name -> (7,) bool, the labels its source can produce; all where absent. About a label that
                a modality never saw it says nothing, for or against; one that nobody saw gets probability 0.
            source: "machine" for calibrated posteriors of models, "votes" for shares of human raters (voice, face).

        Raises:
            UsageError: no modality, a posterior that is not seven finite, non-negative numbers with a positive sum, or
                votes on a modality that people did not vote on.
        """
        if not posteriors:
            raise UsageError("fusion got no posterior; it needs at least one modality out of face, voice, words, ...")
        names = sorted(posteriors)  # a fixed order makes the result independent of the caller's, to the last bit
        if source == "votes" and not set(names) <= set(TRAINED):
            raise UsageError(f"votes on {names} cannot be pooled; people voted on {', '.join(TRAINED)} only")
        said = [_prepare(name, posteriors[name], (seen or {}).get(name)) for name in names]
        agreements = np.array([_agreement(said, i) for i in range(len(said))])
        share = _softmax(np.array([self._gate(n, s, a) for n, s, a in zip(names, said, agreements, strict=True)]))
        known = np.any([one.seen for one in said], axis=0)
        if source == "votes":
            pooled = np.sum([w * self._crowd(n, s) for w, n, s in zip(share, names, said, strict=True)], axis=0)
            sharp = self._sharpness(names, said, share, agreements, pooled[known].max())
        else:
            pooled = np.sum([w * one.logs for w, one in zip(share, said, strict=True)], axis=0)
            sharp = 1 / float(share @ share)
        posterior = np.zeros(len(LABELS))
        posterior[known] = _softmax(sharp * pooled[known])
        return FusionResult(posterior, {n: float(w) for n, w in zip(names, share, strict=True)})

    def _gate(self, name: str, said: _Saying, agreement: float) -> float:
        features = np.concatenate([np.where(said.seen, said.logs, 0.0), [said.entropy, agreement]])  # (9,)
        hidden = np.tanh(np.einsum("mfh,f->mh", self.tensors["gate_in"], features) + self.tensors["gate_in_bias"])
        gates = (hidden * self.tensors["gate_out"]).sum(1) + self.tensors["gate_out_bias"]  # one per trained modality
        if name in TRAINED:
            return float(gates[TRAINED.index(name)])
        return float(gates.mean() + np.log(self.prior.get(name, self.prior["other"])))

    def _crowd(self, name: str, said: _Saying) -> NDArray[np.float64]:
        """What votes in one modality say about the whole, human confusions included (7,)."""
        index = TRAINED.index(name)
        return np.where(said.seen, said.logs, 0.0) @ self.tensors["confusions"][index] + self.tensors["bias"][index]

    def _sharpness(
        self,
        names: list[str],
        said: list[_Saying],
        share: NDArray[np.float64],
        agreements: NDArray[np.float64],
        top: float,
    ) -> float:
        k = self.tensors["sharpness"]  # alone: voice, face; together: base, agreement; always: entropy, top
        entropy = float(np.sum(share * [one.entropy for one in said]))
        base = k[2] + k[3] * float(share @ agreements) if len(said) > 1 else k[TRAINED.index(names[0])]
        return float(np.exp(np.clip(base + k[4] * entropy + k[5] * top, -SHARPEST, SHARPEST)))


def _prepare(name: str, posterior: ArrayLike, seen: ArrayLike | None) -> _Saying:
    probs = np.asarray(posterior, dtype=np.float64)
    mask = np.ones(len(LABELS), dtype=bool) if seen is None else np.asarray(seen, dtype=bool)
    if probs.shape != (len(LABELS),) or mask.shape != (len(LABELS),):
        raise UsageError(f"posterior of '{name}' has shape {probs.shape}, its mask {mask.shape}; both must be (7,)")
    if not mask.any():
        raise UsageError(f"posterior of '{name}' knows none of the labels; leave the modality out instead")
    inside = probs[mask]
    if not np.all(np.isfinite(inside)) or inside.min() < 0 or inside.sum() <= 0:
        raise UsageError(
            f"posterior of '{name}' is {inside.tolist()}; it needs finite, non-negative numbers, sum above 0"
        )
    inside = np.maximum(inside / inside.sum(), FLOOR)
    inside = inside / inside.sum()
    full = np.zeros(len(LABELS))
    full[mask] = inside
    # A label the source never saw: as likely as its average label, so that it is neither favoured nor ruled out.
    logs = np.full(len(LABELS), -np.log(len(inside)) - np.log(inside).mean())
    logs[mask] = np.log(inside) - np.log(inside).mean()
    return _Saying(logs, full, mask, float(-(inside * np.log(inside)).sum()))


def _agreement(said: list[_Saying], index: int) -> float:
    """Mean Bhattacharyya overlap of one modality with the others, 0..1; 0 when it is alone."""
    others = [one for i, one in enumerate(said) if i != index]
    if not others:
        return 0.0
    return float(np.mean([np.sqrt(said[index].probs * one.probs).sum() for one in others]))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max())
    return raised / raised.sum()
