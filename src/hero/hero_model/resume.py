"""Going on from what a generation has read: its cache is kept, so that nobody computes the prompt twice.

Legend: B rows, S prompt positions, T tokens that were written, C = S + T - 1 cached positions, L tokens to go on with,
W the language model's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Written:
    """A generation: `tokens` (B, T), and the `cache` of the C positions after the prompt's `mask` (B, S)."""

    tokens: Tensor
    cache: Any
    mask: Tensor


@dataclass(frozen=True, eq=False)
class Continued:
    """What to read next: `embeds` (B, L, W), the `mask` (B, C + L) of everything, and the `cache` of what was read."""

    embeds: Tensor
    mask: Tensor
    cache: Any


def continue_with(
    language: Any, tokenizer: Any, written: Written, rows: Sequence[int], texts: Sequence[str]
) -> Continued:
    """Some rows of a generation, so that their text becomes `texts`: what was written otherwise is masked out.

    The tokens of a row are kept as far as they write the beginning of its text; the rest is read anew.

    Args:
        language: the causal language model that wrote.
        tokenizer: its tokenizer.
        written: the generation; its cache is used up.
        rows: which rows go on.
        texts: the whole text of each after the prompt.
    """
    tokens = written.tokens[list(rows)]
    kept = [_kept(tokenizer, row, text) for row, text in zip(tokens.tolist(), texts, strict=True)]
    tails = [
        tokenizer.encode(text[len(_text(tokenizer, row[:count])) :], add_special_tokens=False)
        for row, text, count in zip(tokens.tolist(), texts, kept, strict=True)
    ]
    longest = max(map(len, tails))
    device = written.mask.device
    ids = torch.tensor([[0] * (longest - len(tail)) + tail for tail in tails], device=device)
    there = torch.tensor([[0] * (longest - len(tail)) + [1] * len(tail) for tail in tails], device=device)
    cached = torch.arange(tokens.shape[1] - 1, device=device) < torch.tensor(kept, device=device)[:, None]  # (B, T - 1)
    mask = torch.cat([written.mask[list(rows)].long(), cached.long(), there], dim=1)
    if list(rows) != list(range(len(written.tokens))):
        written.cache.batch_select_indices(torch.tensor(list(rows), device=device))
    return Continued(language.get_input_embeddings()(ids), mask, written.cache)


def _kept(tokenizer: Any, row: Sequence[int], text: str) -> int:
    """How many tokens write the beginning of the text; the last one is not in the cache, and something has to follow."""
    for count in range(len(row) - 1, 0, -1):
        said = _text(tokenizer, row[:count])
        if len(said) < len(text) and text.startswith(said):
            return count
    return 0


def _text(tokenizer: Any, row: Sequence[int]) -> str:
    """Special tokens are written out: an end mark is no beginning of any text, and is not kept."""
    return str(tokenizer.decode(row, skip_special_tokens=False, clean_up_tokenization_spaces=False))
