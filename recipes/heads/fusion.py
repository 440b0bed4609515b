"""Train the gated fusion on CREMA-D's crowd votes: five folds by actor, five seeds, then the shipped weights.

    HERO_DATA=... python recipes/heads/fusion.py --out runs/fusion [--final]

Writes `runs/fusion/oof.csv` (out-of-fold posteriors of every clip, seed and condition) and, with --final, the weights
trained on all folds and their model card into the package. The smoothing of the votes and the weight decay are chosen
inside the training folds (each inner fold is one of them); the seed changes initialisation and modality dropout.

Legend: M = 2 modalities (voice, face), N clips, K = 6 answers on the common labels, H hidden units.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hero import weights
from hero.data.formats import cremad
from hero.integrate.fusion import SHARPEST
from hero.labels import LABELS, mapping

SEEDS = (0, 1, 2, 3, 4)
FOLDS = 5
STEPS = 400
RATE = 0.02
HIDDEN = 8
DROP = 0.3  # share of clips that lose one modality in a step
GRID = ((0.5, 1e-3), (1.0, 1e-3), (1.0, 3e-3))  # votes added to each answer, weight decay
CONDITIONS = {"both": (1.0, 1.0), "voice": (1.0, 0.0), "face": (0.0, 1.0)}
# Of the mean trained modality: words often are neutral although the display is not (on RAVDESS, whose two sentences say
# nothing, 0.25 costs 0.02 weighted F1, 0.5 costs 0.08); the rest has no votes at all.
PRIOR = {"words": 0.25, "other": 0.25}


class Pool(nn.Module):
    """The pool of `hero.integrate.fusion` on the six labels that CREMA-D has."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.confusions = nn.Parameter(torch.eye(labels).repeat(2, 1, 1))  # (M, K, K)
        self.bias = nn.Parameter(torch.zeros(2, labels))
        self.gate_in = nn.Parameter(torch.randn(2, labels + 2, HIDDEN) / (labels + 2) ** 0.5)  # (M, K + 2, H)
        self.gate_in_bias = nn.Parameter(torch.zeros(2, HIDDEN))
        self.gate_out = nn.Parameter(torch.randn(2, HIDDEN) / HIDDEN**0.5)
        self.gate_out_bias = nn.Parameter(torch.zeros(2))
        self.sharpness = nn.Parameter(torch.zeros(6))

    def forward(self, probs: Tensor, mask: Tensor) -> Tensor:
        """Logits (N, K) from posteriors (M, N, K) and presence (M, N)."""
        logs = probs.log()
        centred = logs - logs.mean(-1, keepdim=True)
        entropy = -(probs * logs).sum(-1)  # (M, N)
        together = mask.prod(0)  # (N,)
        overlap = (probs[0] * probs[1]).sqrt().sum(-1) * together
        features = torch.cat([centred, entropy[..., None], overlap.expand(2, -1)[..., None]], -1)  # (M, N, K + 2)
        hidden = torch.tanh(torch.einsum("mnf,mfh->mnh", features, self.gate_in) + self.gate_in_bias[:, None])
        gates = (hidden * self.gate_out[:, None]).sum(-1) + self.gate_out_bias[:, None]
        share = torch.softmax(gates.masked_fill(mask == 0, -torch.inf), 0)  # (M, N)
        says = torch.einsum("mnk,mkj->mnj", centred, self.confusions) + self.bias[:, None]
        pooled = (share[..., None] * says).sum(0)  # (N, K)
        k = self.sharpness
        alone = (share * k[:2, None]).sum(0)
        base = together * (k[2] + k[3] * overlap) + (1 - together) * alone
        sharp = base + k[4] * (share * entropy).sum(0) + k[5] * pooled.max(-1).values
        return pooled * torch.exp(sharp.clamp(-SHARPEST, SHARPEST))[:, None]


def smoothed(votes: cremad.Votes, added: float) -> Tensor:
    """Votes as posteriors (M, N, K): `added` votes more for every answer."""
    counts = np.stack([votes.voice, votes.face]) + added
    return torch.tensor(counts / counts.sum(-1, keepdims=True), dtype=torch.float32)


def train(votes: cremad.Votes, *, added: float, decay: float, seed: int) -> Pool:
    """Full-batch Adam with modality dropout."""
    torch.manual_seed(seed)
    probs, truth = smoothed(votes, added), torch.tensor(cremad.majority(votes.both))
    count = len(truth)
    model = Pool(probs.shape[-1])
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        draw = torch.rand(count)
        mask = torch.stack([(draw >= DROP / 2).float(), ((draw < DROP / 2) | (draw >= DROP)).float()])
        shrink = (model.confusions - torch.eye(probs.shape[-1])).pow(2).sum()
        shrink = shrink + model.gate_in.pow(2).sum() + model.gate_out.pow(2).sum()
        loss = nn.functional.cross_entropy(model(probs, mask), truth) + decay * shrink
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def predict(model: Pool, votes: cremad.Votes, *, added: float, present: tuple[float, float]) -> np.ndarray:
    """Posteriors (N, K) in one condition."""
    probs = smoothed(votes, added)
    mask = torch.tensor(present)[:, None].expand(2, probs.shape[1])
    return torch.softmax(model(probs, mask), -1).numpy()


def choose(votes: cremad.Votes) -> tuple[float, float]:
    """Smoothing and decay with the lowest log loss over the three conditions on held-out training folds."""
    losses = {}
    for added, decay in GRID:
        total = 0.0
        for fold in np.unique(votes.folds):
            inside, held = votes.take(votes.folds != fold), votes.take(votes.folds == fold)
            model = train(inside, added=added, decay=decay, seed=0)
            truth = cremad.majority(held.both)
            for present in CONDITIONS.values():
                probs = predict(model, held, added=added, present=present)
                total -= np.log(probs[np.arange(len(truth)), truth]).mean()
        losses[added, decay] = total
    return min(losses, key=losses.__getitem__)


def tensors(model: Pool) -> dict[str, np.ndarray]:
    """The weights on the seven common labels: what CREMA-D never saw gets no off-diagonals, no bias and no gate."""
    to = [LABELS.index(mapping("cremad").classes[a] or "") for a in cremad.ANSWERS]  # (K,)
    state = {name: value.detach().numpy() for name, value in model.named_parameters()}
    count = len(LABELS)
    confusions = np.zeros((2, count, count), np.float32)
    confusions[np.ix_(range(2), to, to)] = state["confusions"]
    bias = np.zeros((2, count), np.float32)
    bias[:, to] = state["bias"]
    gate_in = np.zeros((2, count + 2, HIDDEN), np.float32)
    gate_in[:, [*to, count, count + 1]] = state["gate_in"]
    for m in range(2):
        for k in set(range(count)) - set(to):
            confusions[m, k, k] = np.diag(state["confusions"][m]).mean()
    kept = {name: state[name].astype(np.float32) for name in ("gate_in_bias", "gate_out", "gate_out_bias", "sharpness")}
    return {**kept, "confusions": confusions, "bias": bias, "gate_in": gate_in}


def main() -> None:
    """Out-of-fold predictions; with --final also the shipped weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("HERO_DATA"), required="HERO_DATA" not in os.environ
    )
    parser.add_argument("--out", type=Path, default=Path("runs/fusion"))
    parser.add_argument("--final", action="store_true", help="also train on all folds and write the packaged weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    votes = cremad.votes(args.data)
    votes = votes.take(cremad.majority(votes.both) != cremad.TIED)
    with (args.out / "oof.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seed", "fold", "condition", "clip", "truth", *cremad.ANSWERS])
        for fold in range(FOLDS):
            inside, held = votes.take(votes.folds != fold), votes.take(votes.folds == fold)
            added, decay = choose(inside)
            print(f"fold {fold}: {added} votes added, decay {decay}", flush=True)
            truth = cremad.majority(held.both)
            for seed in SEEDS:
                model = train(inside, added=added, decay=decay, seed=seed)
                for condition, present in CONDITIONS.items():
                    probs = predict(model, held, added=added, present=present)
                    for clip, label, row in zip(held.clip_ids, truth, probs, strict=True):
                        writer.writerow([seed, fold, condition, clip, label, *(f"{p:.6f}" for p in row)])
    if args.final:
        added, decay = choose(votes)
        model = train(votes, added=added, decay=decay, seed=0)
        weights.write(weights.PACKAGED / "fusion.safetensors", tensors(model), card(votes, added, decay))


def card(votes: cremad.Votes, added: float, decay: float) -> dict[str, object]:
    """The model card stored with the weights."""
    return {
        "name": "fusion", "licence": "ODbL-1.0 (CREMA-D votes)", "commercial": True,
        "data": "CREMA-D crowd votes (Cao et al. 2014), clips with an untied audio-visual majority",
        "split": "all folds; scores are out-of-fold, five folds by actor",
        "ids_seen": sorted({f"cremad:{actor}" for actor in votes.actors.tolist()}),
        "labels": list(LABELS), "unseen": [LABELS[i] for i in np.flatnonzero(~mapping("cremad").seen)],
        "votes_added": added, "decay": decay, "prior": PRIOR,
        "scores": "see fusion.md and benchmarks/results/heads_fusion.json",
    }  # fmt: skip


if __name__ == "__main__":
    main()
