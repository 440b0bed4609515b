"""Soft tokens and text in one sequence: where each stands, which positions are real, and which are padding.

A row is [first token] [soft tokens] [the rest of the text]: the first token is the beginning-of-sequence mark where the
tokenizer puts one, since a language model without it at position 0 is not the one that was trained. Padding may stand on
either side, in what comes and in what is made.

Legend: B samples, L tokens as they come, N soft tokens, S positions of the made sequence, W the language model's width.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from hero.errors import InputError

Side = Literal["left", "right"]
IGNORED = -100
"""The label of a position that is not learned, as transformers and PyTorch have it."""


class Prompt(NamedTuple):
    """`embeds` (B, S, W) and `mask` (B, S) bool, True where a position is real."""

    embeds: Tensor
    mask: Tensor


class Packed(NamedTuple):
    """A prompt with its `labels` (B, S); None where none were given."""

    prompt: Prompt
    labels: Tensor | None


def pack(
    embeds: Tensor,
    mask: Tensor,
    begins: Tensor,
    soft: Tensor | None,
    there: Tensor | None,
    labels: Tensor | None,
    *,
    side: Side,
) -> Packed:
    """Put soft tokens (B, N, W) into token embeddings (B, L, W).

    Args:
        embeds: (B, L, W).
        mask: (B, L) bool, True = a token; the padding may stand anywhere.
        begins: (B, L) bool, True = a mark that only the first token of a row can be.
        soft: (B, N, W), None where no row has soft tokens.
        there: (B,) bool, True = the row has soft tokens; all have without it.
        labels: (B, L), `IGNORED` where nothing is learned. A row's first token never is: it could be only where soft tokens
            stand before it, and a row that loses them in modality dropout would count other labels than its teacher.
        side: where the padding of the result stands.

    Raises:
        InputError: a row has no token.
    """
    if not len(mask) or not bool(mask.any(dim=1).all()):
        raise InputError("a row of the batch has no token; give each sample some text")
    order = (~mask).int().argsort(dim=1, stable=True)  # tokens first, in their order
    embeds, mask, begins = _along(embeds, order), mask.gather(1, order), begins.gather(1, order)
    if labels is not None:
        labels = labels.gather(1, order)
        labels[:, 0] = IGNORED
    if soft is not None:
        there = mask.any(dim=1) if there is None else there
        embeds, mask, labels = _with_soft(embeds, mask, begins[:, :1], soft, there[:, None], labels)
    last_first = mask if side == "left" else ~mask
    order = last_first.int().argsort(dim=1, stable=True)  # left: padding first; right: padding last
    longest = int(mask.sum(dim=1).max())
    order = order[:, -longest:] if side == "left" else order[:, :longest]
    mask = mask.gather(1, order)
    embeds = _along(embeds, order).masked_fill(~mask[..., None], 0)
    labels = None if labels is None else labels.gather(1, order).masked_fill(~mask, IGNORED)
    return Packed(Prompt(embeds, mask), labels)


def _with_soft(
    embeds: Tensor, mask: Tensor, begins: Tensor, soft: Tensor, there: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """[first token if it begins] [soft] [tokens without it], each (B, 1 + N + L ...); `begins` and `there` are (B, 1)."""
    rest = torch.cat([mask[:, :1] & ~begins, mask[:, 1:]], dim=1)
    mask = torch.cat([mask[:, :1] & begins, there.expand(-1, soft.shape[1]), rest], dim=1)
    embeds = torch.cat([embeds[:, :1], soft.masked_fill(~there[..., None], 0), embeds], dim=1)
    if labels is not None:
        unlearned = labels.new_full((len(labels), 1 + soft.shape[1]), IGNORED)
        labels = torch.cat([unlearned, labels], dim=1)
    return embeds, mask, labels


def expect_numbers(name: str, values: Tensor) -> Tensor:
    """Token ids or labels as int64.

    Raises:
        InputError: they are no tensor of whole numbers.
    """
    if (
        not isinstance(values, Tensor)
        or values.is_floating_point()
        or values.is_complex()
        or values.dtype == torch.bool
    ):
        came = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise InputError(f"{name} are {came}; give a tensor of whole numbers (int64), as the tokenizer makes them")
    return values.long()


def expect_tokens(name: str, ids: Tensor, mask: Tensor, words: int) -> None:
    """Raise unless each of the ids (B, L) that the mask (B, L) leaves is one of so many words.

    Raises:
        InputError: one is not.
    """
    wrong = mask & ((ids < 0) | (ids >= words))
    if bool(wrong.any()):
        row, place = wrong.nonzero()[0].tolist()
        more = f", or {IGNORED} where nothing is learned" if name == "labels" else ""
        raise InputError(
            f"{name} hold {int(ids[row, place])} in row {row}, position {place}; allowed: 0 to {words - 1}{more}: use the "
            "tokenizer of this model"
        )


def positions(mask: Tensor) -> Tensor:
    """Position of each token (B, S): the padding takes none, so that left and right padding agree."""
    return (mask.long().cumsum(dim=1) - 1).clamp(min=0)


def _along(values: Tensor, order: Tensor) -> Tensor:
    """Rows of values (B, L, W) in the order (B, L)."""
    return values.gather(1, order[..., None].expand(-1, -1, values.shape[2]))
