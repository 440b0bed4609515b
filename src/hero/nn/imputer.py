"""Evidence imputer: a small transformer decoder that writes the cues a missing modality probably held.

It looks at the observed evidence through cross attention and writes cue after cue of the wanted modality, each at most
once, until END. The cues of a clip are a set, so every step asks of each token the same question, whatever the order: "is
it among those still to come?" - END is true when none is. The answers are chances of their own (a sigmoid each), not shares
of one sum, so a chance says how often the cue is really there (spec 1, explicit evidence imputation; a loss over all that
is still to come: Welleck et al. 2018).

Legend of shapes: B clips, N observed cues, F numbers that come with a cue, T written tokens, V tokens, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hero.errors import ConfigError


class EvidenceImputer(nn.Module):
    """Observed cues and what is written so far -> chance of each token to be still to come, (B, T, V) as logits.

    Args:
        tokens: V, the size of the vocabulary (starts of the modalities, END, cues).
        features: F numbers that come with an observed cue (strength, confidence, measures).
        dim: width D.
        heads: attention heads; they divide `dim`.
        layers: decoder layers.
        dropout: share of values dropped while training.

    Raises:
        ConfigError: `heads` does not divide `dim`.
    """

    def __init__(
        self, *, tokens: int, features: int, dim: int = 32, heads: int = 4, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ConfigError(f"dim is {dim} and heads {heads}; the heads share the width, so dim must be a multiple")
        self.embed = nn.Embedding(tokens, dim)
        self.measure = nn.Linear(features, dim)
        self.nothing = nn.Parameter(torch.zeros(dim))
        self.memory_norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.answer = nn.Linear(dim, tokens)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.embed.weight, std=0.3)

    def forward(self, cues: Tensor, features: Tensor, mask: Tensor, written: Tensor) -> Tensor:
        """Logits (B, T, V); position t knows the tokens written up to t.

        Args:
            cues: observed cues (B, N), int64.
            features: what comes with them (B, N, F).
            mask: (B, N), True where there is a cue; a clip may have none.
            written: tokens so far (B, T), int64, the first of which says which modality is wanted.
        """
        observed = self.embed(cues) + self.measure(features)  # (B, N, D)
        nothing = self.nothing.expand(len(cues), 1, -1)  # always there, so that attention has somewhere to rest
        memory = self.dropout(self.memory_norm(torch.cat([nothing, observed], dim=1)))  # (B, 1 + N, D)
        known = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)  # (B, 1 + N)
        x = self.embed(written)  # (B, T, D)
        for layer in self.layers:
            x = layer(x, memory, known)
        logits: Tensor = self.answer(self.norm(x))
        return logits


class DecoderLayer(nn.Module):
    """Self attention over what is written, cross attention to the evidence, perceptron; normalised before each."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.written = Attention(dim, heads)
        self.observed = Attention(dim, heads)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.widen = nn.Linear(dim, 2 * dim)
        self.narrow = nn.Linear(2 * dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, known: Tensor) -> Tensor:
        """x (B, T, D), memory (B, M, D) of which `known` (B, M) is there -> (B, T, D)."""
        steps = x.shape[1]
        earlier = torch.ones(steps, steps, dtype=torch.bool, device=x.device).tril()[None]  # (1, T, T)
        y = self.norms[0](x)
        x = x + self.dropout(self.written(y, y, earlier))
        x = x + self.dropout(self.observed(self.norms[1](x), memory, known[:, None, :]))
        hidden = torch.nn.functional.gelu(self.widen(self.norms[2](x)), approximate="tanh")
        narrowed: Tensor = self.dropout(self.narrow(self.dropout(hidden)))
        return x + narrowed


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017) with a mask of what each query may look at."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, memory: Tensor, allowed: Tensor) -> Tensor:
        """x (B, T, D), memory (B, M, D), allowed (B or 1, T or 1, M) -> (B, T, D)."""

        def split(values: Tensor) -> Tensor:
            return values.view(*values.shape[:2], self.heads, -1).transpose(1, 2)  # (B, H, T, D / H)

        q, k, v = split(self.query(x)), split(self.key(memory)), split(self.value(memory))
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed[:, None])
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out
