"""Emotion of a stretch of face from its action units: Gaussians with one shared covariance, numpy only.

Legend: 17 action units of OpenFace's intensity schema, D features (17 means, and in `own` 17 spreads over the stretch),
S subclasses (emotion x acted intensity), 8 RAVDESS classes, 7 common labels.

Each subclass is a Gaussian around its own mean; all share a covariance, shrunk towards its diagonal (regularised linear
discriminant analysis, Friedman 1989, with subclasses, Hastie & Tibshirani 1996). A Gaussian can be asked about any
subset of its features by leaving out rows and columns, so a masked action unit is integrated out exactly, whatever
stands in its slot. Temperature and a share of doubt are calibrated for how many units are seen.

Two sets of parameters. `own` compares with the person's usual values over other clips, measured by the same instrument;
it uses means and spreads. `unknown` compares with the neutral face and has to cross instruments: the training table
holds py-feat's probabilities (0-1, here above the neutral face of the training actors), HERO measures landmark
intensities 0-5 above the person's neutral face, divided by 5. Two detectors of the same muscles agree only in part, and
the spread of a probability is no spread of an intensity; so `unknown` uses the means alone and carries the disagreement
as added variance in every unit. Its score on the table is an upper bound for HERO's units (see the card).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hero import weights
from hero.errors import UsageError
from hero.labels import to_common

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hero.types import ModelUsed

NAME = "face_emotion"
UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
FULL_SCALE = 5.0  # HERO's intensities run from 0 to 5, the training table's from 0 to 1


@dataclass(frozen=True, eq=False)
class Usual:
    """A person's usual action units over other clips, label-free: `mean` and `spread` (34,) on the 0-5 scale.

    The first 17 describe the means of clips, the last 17 their spreads. Needs a handful of clips to be worth using.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FaceHead:
    """The trained Gaussians; tensor names start with `unknown_` or `own_`."""

    tensors: Mapping[str, NDArray[np.float64]]
    used: ModelUsed | None = None

    @classmethod
    def load(cls, folder: Path | None = None) -> FaceHead:
        """Read the weights from `folder`, or those that ship in the package.

        Raises:
            WeightsError: the weights are missing or damaged.
        """
        read = weights.read(NAME, folder)
        return cls({k: np.asarray(v, dtype=np.float64) for k, v in read.tensors.items()}, read.used)

    def posterior(
        self, au_mean: ArrayLike, au_std: ArrayLike, mask: ArrayLike, *, usual: Usual | None = None
    ) -> NDArray[np.float64]:
        """Calibrated distribution over the common labels (7,).

        Args:
            au_mean: mean intensity of each unit over the stretch (17,), 0-5, above the neutral face.
            au_std: its standard deviation over the stretch (17,); read only together with `usual`.
            mask: (17,) True where the unit was measured.
            usual: the person's usual values, where a memory of the person exists.

        Raises:
            UsageError: wrong shapes, no unit measured, or a measured value that is not finite.
        """
        mean, std, seen = (np.asarray(a) for a in (au_mean, au_std, mask))
        if not mean.shape == std.shape == seen.shape == (len(UNITS),):
            raise UsageError(f"action units have shapes {mean.shape}, {std.shape}, {seen.shape}; each must be (17,)")
        known = seen.astype(bool)
        if not known.any():
            raise UsageError("no action unit is measured; declare the face absent instead of asking its head")
        if not (np.all(np.isfinite(mean[known])) and np.all(np.isfinite(std[known]))):
            raise UsageError("a measured action unit is not finite; mask what was not measured")
        mean, std = (np.where(known, values, 0.0) for values in (mean, std))
        if usual is None:
            z = squash(mean / FULL_SCALE / self.tensors["unknown_scale"], float(self.tensors["unknown_clip"][0]))
            return to_common(self._classes("unknown", z, known), "ravdess")
        spread = blend(usual.spread / FULL_SCALE, self.tensors["own_spread"], float(self.tensors["own_blend"][0]))
        z = squash((np.concatenate([mean, std]) - usual.mean) / FULL_SCALE / spread, float(self.tensors["own_clip"][0]))
        return to_common(self._classes("own", z, np.tile(known, 2)), "ravdess")

    def _classes(self, kind: str, z: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Posterior over the 8 RAVDESS classes."""
        means, covariance = self.tensors[f"{kind}_means"], self.tensors[f"{kind}_covariance"]
        members = self.tensors[f"{kind}_members"]  # (S, 8) one-hot
        logs = log_posterior(z[None], means, covariance, members, known)[0]  # (8,)
        share, temperatures, doubts = self.tensors[f"{kind}_calibration"].T  # (K,) each
        temperature, doubt = (np.interp(known.mean(), share, column) for column in (temperatures, doubts))
        raised = np.exp((logs - logs.max()) / temperature)
        return (1 - doubt) * raised / raised.sum() + doubt / len(raised)


def squash(z: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """Bend standardised values so that none counts for more than `clip` deviations."""
    return clip * np.tanh(z / clip)


def blend(own: NDArray[np.float64], typical: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """A person's spread, pulled towards the typical one, because it rests on few clips; never 0."""
    return np.sqrt((1 - share) * own**2 + share * typical**2) + 1e-6


def log_posterior(
    z: NDArray[np.float64],
    means: NDArray[np.float64],
    covariance: NDArray[np.float64],
    members: NDArray[np.float64],
    known: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Log posterior (N, C) of classes made of equally likely Gaussian subclasses, from the known features of z (N, D)."""
    centres = means[:, known]  # (S, D')
    solved = np.linalg.solve(covariance[np.ix_(known, known)], centres.T)  # (D', S)
    scores = z[:, known] @ solved - 0.5 * (centres * solved.T).sum(1)  # (N, S)
    raised = np.exp(scores - scores.max(1, keepdims=True)) @ members  # (N, C)
    return np.log(np.maximum(raised / raised.sum(1, keepdims=True), 1e-12))
