"""Cross-modal transformer of the synergy expert: picture and sound frames on one axis look at each other, layer by layer.

Every layer lets picture frames attend to sound frames and the other way round, with a learned bias for how far apart in
time two frames lie, and multiplies the frames of one moment with each other: the point-to-point interaction. The output
is a feature per moment and the logit of the proxy task "does this sound belong to this picture" (spec 1, synergy expert;
the task: Owens & Efros 2018, Chung & Zisserman 2016; relative bias: Shaw et al. 2018).

Legend of shapes: B pairs, T frames, Dm and Da columns of picture and sound, D width, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CrossModalTransformer(nn.Module):
    """Two tracks on one axis -> synergy features (B, T, D) and the logit (B,) that they belong together.

    Args:
        motion_dim: columns of the picture's track (4 lip measures; 768 for VideoMAE v2 base).
        audio_dim: columns of the sound's track (4 measures; 1024 for HuBERT large).
        dim: width D.
        layers: number of cross-modal layers.
        heads: attention heads.
        reach: frames up to which the bias tells distances in time apart; farther ones share the last.
        kernel: frames of the temporal convolution through which a frame sees its neighbours; odd.
        dropout: share of values dropped while training.
    """

    def __init__(
        self, *, motion_dim: int, audio_dim: int, dim: int = 32, layers: int = 2, heads: int = 4, reach: int = 12,
        kernel: int = 5, dropout: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.motion = Embed(motion_dim, dim, kernel)
        self.audio = Embed(audio_dim, dim, kernel)
        self.layers = nn.ModuleList(CrossModalLayer(dim, heads, reach, dropout) for _ in range(layers))
        self.join = nn.Linear(3 * dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.verdict = nn.Linear(dim, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, motion: Tensor, motion_mask: Tensor, audio: Tensor, audio_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, D), 0 where either side is masked, and logit (B,).

        Args:
            motion: picture frames (B, T, Dm).
            motion_mask: (B, T), True where the picture was measured.
            audio: sound frames (B, T, Da).
            audio_mask: (B, T), True where the sound was measured.
        """
        x, y = self.motion(motion, motion_mask), self.audio(audio, audio_mask)  # (B, T, D)
        for layer in self.layers:
            x, y = layer(x, motion_mask, y, audio_mask)
        both = (motion_mask & audio_mask)[..., None].to(x.dtype)  # (B, T, 1)
        features = (
            self.norm(torch.nn.functional.gelu(self.join(torch.cat([x, y, x * y], dim=-1)), approximate="tanh")) * both
        )
        pooled = features.sum(1) / both.sum(1).clamp(min=1.0)  # (B, D)
        return features, self.verdict(self.dropout(pooled)).squeeze(-1)


class Embed(nn.Module):
    """Columns (B, T, Din) and their steps from frame to frame -> (B, T, D), neighbours mixed by a convolution."""

    def __init__(self, columns: int, dim: int, kernel: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * columns, dim)
        self.near = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D), 0 where masked."""
        known = mask[..., None]
        values = torch.where(known, values, torch.zeros_like(values))
        linked = (known[:, 1:] & known[:, :-1]).to(values.dtype)
        steps = torch.nn.functional.pad((values[:, 1:] - values[:, :-1]) * linked, (0, 0, 1, 0))  # (B, T, Din)
        x = self.linear(torch.cat([values, steps], dim=-1)) * known
        x = x + torch.nn.functional.gelu(self.near(x.transpose(1, 2)).transpose(1, 2), approximate="tanh")
        return torch.where(known, self.norm(x), torch.zeros_like(x))


class CrossModalLayer(nn.Module):
    """Each side attends to the other, takes in the product of the moment, and passes a feed-forward block."""

    def __init__(self, dim: int, heads: int, reach: int, dropout: float) -> None:
        super().__init__()
        self.to_sound = CrossAttention(dim, heads, reach, dropout)
        self.to_picture = CrossAttention(dim, heads, reach, dropout)
        self.point_x, self.point_y = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.take_x, self.take_y = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.feed_x, self.feed_y = FeedForward(dim, dropout), FeedForward(dim, dropout)

    def forward(self, x: Tensor, x_mask: Tensor, y: Tensor, y_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Picture x and sound y (B, T, D) after the exchange, 0 where masked."""
        x_known, y_known = x_mask[..., None].to(x.dtype), y_mask[..., None].to(y.dtype)
        seen, heard = x + self.to_sound(x, y, y_mask), y + self.to_picture(y, x, x_mask)
        product = self.point_x(seen) * self.point_y(heard) * x_known * y_known  # (B, T, D): one moment, both sides
        seen, heard = seen + self.take_x(product), heard + self.take_y(product)
        return self.feed_x(seen) * x_known, self.feed_y(heard) * y_known


class CrossAttention(nn.Module):
    """Multi-head attention from one side to the other with a bias per head for the distance in time."""

    def __init__(self, dim: int, heads: int, reach: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.ask, self.tell = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        far = torch.arange(-reach, reach + 1).abs() / max(1, reach)
        self.bias = nn.Parameter(-2.0 * far.repeat(heads, 1))  # (H, 2 reach + 1): near frames first, as a start
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, y: Tensor, y_mask: Tensor) -> Tensor:
        """What x (B, T, D) takes from the measured frames of y (B, T, D); 0 where nothing of y was measured."""
        batch, size, dim = x.shape
        told = self.tell(y)

        def split(z: Tensor) -> Tensor:
            return z.view(batch, size, self.heads, dim // self.heads).transpose(1, 2)  # (B, H, T, D / H)

        q, k, v = split(self.query(self.ask(x))), split(self.key(told)), split(self.value(told))
        place = torch.arange(size, device=x.device)
        apart = (place[None] - place[:, None]).clamp(-self.reach, self.reach) + self.reach  # (T, T)
        score = (q / (dim // self.heads) ** 0.5) @ k.transpose(-1, -2) + self.bias[:, apart]  # (B, H, T, T)
        weight = torch.softmax(score.masked_fill(~y_mask[:, None, None], -1e4), dim=-1)
        taken = weight @ (v * y_mask[:, None, :, None])  # where all is masked: nothing
        taken = taken.transpose(1, 2).reshape(batch, size, dim)
        return self.dropout(self.out(taken))


class FeedForward(nn.Module):
    """Residual block: norm, widen twice, narrow."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.wide, self.narrow = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return x + self.dropout(self.narrow(torch.nn.functional.gelu(self.wide(self.norm(x)), approximate="tanh")))
