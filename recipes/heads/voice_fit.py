"""The learners of the voice head: linear discriminants on views of the vector, small perceptrons, and their mixture.

Letters: B rows (clips and copies), D functionals, C classes, G settings (view and shrinkage), K perceptrons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import scipy.optimize
import torch

from hero.observe.heads import acoustic
from hero.observe.heads.networks import log_softmax
from hero.observe.heads.voice import standardise

Setting = tuple[tuple[str, ...], float]  # names of views, shrinkage

SHRINKAGE = (0.3, 0.5, 0.7)
VIEWS = {
    "mixed": ("functionals", "voiced_correlation", "mixed_correlation", "cepstral_lag"),
    "cepstral": ("functionals", "voiced_correlation", "cepstral_correlation", "cepstral_lag", "voice_lag"),
}
VIEW_SETS = (("mixed",), ("cepstral",), ("mixed", "cepstral"))
SETTINGS = tuple((views, shrinkage) for views in VIEW_SETS for shrinkage in SHRINKAGE)
NETS = 1
HIDDEN = 64
EPOCHS = 10
BATCH = 128
RATE = 3e-3
DECAY = 0.05
MIXUP = 0.4


@dataclass(frozen=True, eq=False)
class Learned:
    """What was fitted on one set of actors: scaling, a linear map per setting, perceptrons."""

    mean: np.ndarray
    scale: np.ndarray
    linear: dict[Setting, tuple[np.ndarray, np.ndarray]]
    nets: tuple[dict[str, np.ndarray], ...]


@dataclass(frozen=True)
class Mixture:
    """Chosen on held-out actors: a setting, the factor of its scores, the factor of the perceptrons' log votes."""

    setting: Setting
    linear_factor: float
    net_factor: float
    held_out_nll: float
    sharpening: float = 1.0


def learn(vectors: np.ndarray, label: np.ndarray, *, seed: int) -> Learned:
    """Fit everything that no held-out clip has a say in; vectors (B, D), label (B,)."""
    mean = np.nanmean(vectors, axis=0)
    scale = np.nanstd(vectors, axis=0) + 1e-6
    x = standardise(vectors, mean, scale)
    nets = tuple(perceptron(x, label, seed * NETS + k) for k in range(NETS))
    return Learned(mean, scale, discriminants(x, label), nets)


def discriminants(x: np.ndarray, label: np.ndarray) -> dict[Setting, tuple[np.ndarray, np.ndarray]]:
    """Linear discriminants with shrunk within-class covariance, weight (D, C) and bias (C,) per setting.

    What differs between speakers within a class is spread that the discriminant discounts: no speaker is modelled.
    """
    classes = int(label.max()) + 1
    centres = np.stack([x[label == c].mean(0) for c in range(classes)])  # (C, D)
    rest = (x - centres[label]).astype(np.float32)
    covariance = rest.T @ rest / len(x)  # (D, D)
    prior = np.log(np.bincount(label) / len(label))
    single = {}
    places = acoustic.blocks()
    for view, blocks in VIEWS.items():
        columns = np.concatenate([np.arange(places[name].start, places[name].stop) for name in blocks])
        inner = covariance[np.ix_(columns, columns)]
        for shrinkage in SHRINKAGE:
            shrunk = (1 - shrinkage) * inner
            shrunk[np.diag_indices(len(columns))] += shrinkage * np.trace(inner) / len(columns)
            solved = scipy.linalg.solve(shrunk, centres[:, columns].T, assume_a="pos")  # (D', C)
            weight = np.zeros((x.shape[1], classes), np.float32)
            weight[columns] = solved
            single[view, shrinkage] = weight, prior - 0.5 * np.sum(centres[:, columns].T * solved, axis=0)
    return {
        (views, shrinkage): tuple(np.mean([single[view, shrinkage][part] for view in views], axis=0) for part in (0, 1))
        for views, shrinkage in SETTINGS
    }


def perceptron(x: np.ndarray, label: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """One hidden layer trained with dropout and mixup; batch normalisation folded into its weights."""
    torch.manual_seed(seed)
    inputs = torch.from_numpy(x)
    target = torch.nn.functional.one_hot(torch.from_numpy(label), int(label.max()) + 1).float()
    into, norm = torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.BatchNorm1d(HIDDEN)
    out = torch.nn.Linear(HIDDEN, target.shape[1])
    net = torch.nn.Sequential(torch.nn.Dropout(0.3), into, norm, torch.nn.ReLU(), torch.nn.Dropout(0.5), out)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps * EPOCHS)
    mix = np.random.default_rng(seed).beta(MIXUP, MIXUP, size=(EPOCHS, steps))
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x))
        for step in range(steps):
            rows, partner = order[step * BATCH : (step + 1) * BATCH], torch.randperm(BATCH)
            share = float(mix[epoch, step])
            batch, truth = inputs[rows], target[rows]
            logits = net(share * batch + (1 - share) * batch[partner])
            loss = torch.nn.functional.cross_entropy(logits, share * truth + (1 - share) * truth[partner])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return {
            "in.weight": (into.weight * gain[:, None]).T.contiguous().numpy().astype(np.float16),
            "in.bias": ((into.bias - norm.running_mean) * gain + norm.bias).numpy(),
            "out.weight": out.weight.T.contiguous().numpy().astype(np.float16),
            "out.bias": out.bias.numpy().copy(),
        }


def tensors(learned: Learned, mixture: Mixture) -> dict[str, np.ndarray]:
    """What ships: the chosen linear map, the perceptrons and their factor."""
    weight, bias = learned.linear[mixture.setting]
    out = {"mean": learned.mean.astype(np.float32), "scale": learned.scale.astype(np.float32)}
    out["linear.weight"] = (mixture.linear_factor * weight).astype(np.float16)
    out["linear.bias"] = (mixture.linear_factor * bias).astype(np.float32)
    out["net_factor"] = np.float32([mixture.net_factor])
    return out | {f"net.{k}.{name}": value for k, net in enumerate(learned.nets) for name, value in net.items()}


def scores(learned: Learned, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of every setting (G, B, C) and mean log votes of the perceptrons (B, C)."""
    from hero.observe.heads.networks import perceptron as forward

    x = standardise(vectors, learned.mean.astype(np.float32), learned.scale.astype(np.float32))
    linear = np.stack([x @ weight + bias for weight, bias in (learned.linear[setting] for setting in SETTINGS)])
    named = [{f"net.{name}": value for name, value in net.items()} for net in learned.nets]
    return linear, np.mean([log_softmax(forward(x, net, "net")) for net in named], axis=0)


def choose(linear: np.ndarray, votes: np.ndarray, label: np.ndarray) -> Mixture:
    """The setting and factors with the least negative log likelihood on actors that were held out."""

    def loss(factors: np.ndarray, scored: np.ndarray) -> float:
        return -float(np.mean(log_softmax(factors[0] * scored + factors[1] * votes)[np.arange(len(label)), label]))

    found = []
    for setting, scored in zip(SETTINGS, linear, strict=True):
        fit = scipy.optimize.minimize(loss, (0.3, 0.7), args=(scored,), bounds=[(0.0, 5.0)] * 2, method="L-BFGS-B")
        found.append(Mixture(setting, float(fit.x[0]), float(fit.x[1]), float(fit.fun)))
    return min(found, key=lambda mixture: mixture.held_out_nll)


def sharpened(
    mixture: Mixture, linear: np.ndarray, votes: np.ndarray, label: np.ndarray, *, actors: tuple[int, int, int]
) -> Mixture:
    """The mixture for learners on more actors than the ones it was chosen with.

    Args:
        linear, votes, label: held-out scores of learners on still fewer actors, as in `choose`.
        actors: how many actors those learners had, the ones of the choice, and the ones to be used.

    The best common factor of the scores is taken to grow with the logarithm of the number of actors: it is fitted at
    the fewest, 1 at the middle by construction, and read off at the most. (Learners on 4, 8 and 12 actors need
    factors of about 0.43, 0.77 and 1: nearer to the logarithm than to the inverse number.)
    """
    scored = linear[SETTINGS.index(mixture.setting)]
    logs = log_softmax(mixture.linear_factor * scored + mixture.net_factor * votes)

    def loss(factor: float) -> float:
        return -float(np.mean(log_softmax(factor * logs)[np.arange(len(label)), label]))

    few, middle, most = np.log(actors)
    fitted = scipy.optimize.minimize_scalar(loss, bounds=(0.2, 2.0), method="bounded").x
    factor = 1.0 + (1.0 - float(fitted)) * float((most - middle) / (middle - few))
    return replace(
        mixture, linear_factor=factor * mixture.linear_factor, net_factor=factor * mixture.net_factor, sharpening=factor
    )
