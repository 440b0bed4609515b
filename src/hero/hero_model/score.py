"""How probable a language model finds each of several continuations: exact, with the prompt computed once.

The probability of a label is the model's own score of the tokens that would write it, not a word it happened to say.

Legend: B rows, S prompt tokens, W width, V vocabulary, K options, T tokens of an option.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hero.errors import VerdictError

CLOSING = '"}'  # what follows a label in the canonical answer; part of an option, so that no label is a part of another


def score_options(language: Any, embeds: Tensor, mask: Tensor, options: Sequence[Sequence[int]]) -> Tensor:
    """Log-probabilities (B, K) of whole options after each prompt, natural logarithm, float32.

    The prompt is computed once; the options share its cache, which is cut back after each.

    Args:
        language: a causal language model of transformers.
        embeds: (B, S, W), what the model reads.
        mask: (B, S), 1 where a position is real; padded on the left.
        options: token ids of each option, one or more.

    Raises:
        VerdictError: there is no option, an option is empty, or the prompts are padded on the right.
    """
    if not options or not all(options):
        raise VerdictError("there is nothing to score; give options of one token or more")
    if not bool(mask[:, -1].all()):
        raise VerdictError("the prompts are padded on the right; pad them on the left, so that options follow at once")
    with torch.inference_mode():
        positions = (mask.long().cumsum(1) - 1).clamp(min=0)
        out = language(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1
        )
        first = out.logits[:, -1].float().log_softmax(-1)  # (B, V)
        scores: list[Tensor] = [first[:, 0]] * len(options)
        for head in dict.fromkeys(
            tuple(option[:-1]) for option in options
        ):  # options that differ in their last token alone
            following = _after(language, out.past_key_values, mask, head) if head else None
            for place, option in enumerate(options):
                if tuple(option[:-1]) == head:
                    scores[place] = _sum(option, first, following)
    return torch.stack(scores, dim=1)  # (B, K)


def label_probabilities(
    language: Any, tokenizer: Any, embeds: Tensor, mask: Tensor, labels: Sequence[Sequence[str]]
) -> list[dict[str, float]]:
    """How probable each of a row's labels is as the end of its answer; a row's probabilities sum to 1.

    Args:
        language: a causal language model of transformers.
        tokenizer: its tokenizer.
        embeds: (B, S, W), prompts and answers up to `"final_emotion": "`.
        mask: (B, S), as in `score_options`.
        labels: the labels of each row, in a closed set the same for all.

    Raises:
        VerdictError: as `score_options`.
    """
    every = list(dict.fromkeys(label for row in labels for label in row))
    options = [tokenizer.encode(written(label), add_special_tokens=False) for label in every]
    scores = score_options(language, embeds, mask, options).double().cpu()  # (B, K)
    found = []
    for row, own in zip(scores, labels, strict=True):
        chances = row[[every.index(label) for label in own]].softmax(0).tolist()
        found.append(dict(zip(own, chances, strict=True)))
    return found


def written(label: str) -> str:
    """A label as it ends the canonical answer, without the quotation mark before it."""
    return json.dumps(label, ensure_ascii=False)[1:-1] + CLOSING


def _after(language: Any, cache: Any, mask: Tensor, head: Sequence[int]) -> Tensor:
    """Log-probabilities (B, T - 1, V) of what follows each token of `head`; the cache is left as it was."""
    rows, count = len(mask), len(head)
    ids = torch.tensor([head], device=mask.device).expand(rows, count)
    positions = mask.long().sum(1, keepdim=True) + torch.arange(count, device=mask.device)  # (B, T - 1)
    longer = torch.cat([mask, mask.new_ones(rows, count)], dim=1)
    out = language(input_ids=ids, attention_mask=longer, position_ids=positions, past_key_values=cache, use_cache=True)
    cache.crop(-count)
    return out.logits.float().log_softmax(-1)


def _sum(option: Sequence[int], first: Tensor, following: Tensor | None) -> Tensor:
    """(B,) log-probability of one option."""
    total = first[:, option[0]]
    if following is not None:
        rest = torch.tensor(option[1:], device=first.device).expand(len(first), -1).unsqueeze(-1)
        total = total + following.gather(2, rest).squeeze(-1).sum(1)
    return total
