"""How probable a language model finds each of several continuations, with the prompt computed once.

The probability of a label is the model's own score of the tokens that would write it, not a word it happened to say. Given
the model's last hidden states it is exact: the output embedding is applied in float32, because logits of 16 to 32 in
bfloat16 stand on a grid of 0.125, where labels would tie.

Legend: B rows, S prompt tokens, W width, V vocabulary, K options, T tokens of an option, P positions read, N tokens asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hero.errors import VerdictError

CLOSING = '"}'  # what follows a label in the canonical answer; part of an option, so that no label is a part of another
CHUNK = 8192  # words of the vocabulary whose embeddings are in float32 at a time


def score_options(
    language: Any, embeds: Tensor, mask: Tensor, options: Sequence[Sequence[int]], *, cache: Any = None
) -> Tensor:
    """Log-probabilities (B, K) of whole options after each prompt, natural logarithm, float32.

    The prompt is computed once; the options share its cache, which is cut back after each.

    Args:
        language: a causal language model of transformers whose logits are its output embedding of the last hidden states.
        embeds: (B, S, W), what the model reads.
        mask: (B, S), 1 where a position is real; padded on the left. With a cache (B, C + S): first its C positions.
        options: token ids of each option, one or more.
        cache: what the model has read before, C positions; it is left longer by S.

    Raises:
        VerdictError: there is no option, an option is empty, or the prompts are padded on the right.
    """
    if not options or not all(options):
        raise VerdictError("there is nothing to score; give options of one token or more")
    if not bool(mask[:, -1].all()):
        raise VerdictError("the prompts are padded on the right; pad them on the left, so that options follow at once")
    tokens = sorted({token for option in options for token in option})
    begins: dict[tuple[int, ...], int] = {}  # where the positions after the tokens of each head begin
    with torch.inference_mode(), torch.autocast(embeds.device.type, enabled=False), _reading(language) as read:
        positions = (mask.long().cumsum(1) - 1).clamp(min=0)[:, -embeds.shape[1] :]
        out = language(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        for head in dict.fromkeys(tuple(option[:-1]) for option in options):  # shared where only the last token differs
            begins[head] = sum(states.shape[1] for states in read)
            if head:
                _after(language, out.past_key_values, mask, head)
        chances = _log_probabilities(torch.cat(read, dim=1), language.get_output_embeddings(), tokens)  # (B, P, N)
    scores = []
    for option in options:
        places = [0, *range(begins[tuple(option[:-1])], begins[tuple(option[:-1])] + len(option) - 1)]
        scores.append(chances[:, places, [tokens.index(token) for token in option]].sum(1))
    return torch.stack(scores, dim=1)  # (B, K)


def label_probabilities(
    language: Any, tokenizer: Any, embeds: Tensor, mask: Tensor, labels: Sequence[Sequence[str]], *, cache: Any = None
) -> list[dict[str, float]]:
    """How probable each of a row's labels is as the end of its answer; a row's probabilities sum to 1.

    Args:
        language: a causal language model of transformers.
        tokenizer: its tokenizer.
        embeds: (B, S, W), prompts and answers up to `"final_emotion": "`.
        mask: (B, S), as in `score_options`.
        labels: the labels of each row, in a closed set the same for all.
        cache: as in `score_options`.

    Raises:
        VerdictError: as `score_options`.
    """
    every = list(dict.fromkeys(label for row in labels for label in row))
    options = [tokenizer.encode(written(label), add_special_tokens=False) for label in every]
    scores = score_options(language, embeds, mask, options, cache=cache).double().cpu()  # (B, K)
    found = []
    for row, own in zip(scores, labels, strict=True):
        chances = row[[every.index(label) for label in own]].softmax(0).tolist()
        found.append(dict(zip(own, chances, strict=True)))
    return found


def written(label: str) -> str:
    """A label as it ends the canonical answer, without the quotation mark before it."""
    return json.dumps(label, ensure_ascii=False)[1:-1] + CLOSING


def _after(language: Any, cache: Any, mask: Tensor, head: Sequence[int]) -> None:
    """Read what follows each token of `head`, T - 1 positions; the cache is left as it was."""
    rows, count = len(mask), len(head)
    ids = torch.tensor([head], device=mask.device).expand(rows, count)
    positions = mask.long().sum(1, keepdim=True) + torch.arange(count, device=mask.device)  # (B, T - 1)
    longer = torch.cat([mask, mask.new_ones(rows, count)], dim=1)
    language(input_ids=ids, attention_mask=longer, position_ids=positions, past_key_values=cache, use_cache=True)
    cache.crop(-count)


@contextmanager
def _reading(language: Any) -> Iterator[list[Tensor]]:
    """Collect what the output embedding reads (B, P, W), call after call; where it is packed or adapted, its logits (B, P, V).

    A plain one works on one position only meanwhile: its logits are not used.
    """
    read: list[Tensor] = []
    head = language.get_output_embeddings()

    def before(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        read.append(inputs[0])
        return (inputs[0][:, -1:],)

    def after(_module: nn.Module, _inputs: Any, logits: Tensor) -> None:
        read.append(logits)

    handle = head.register_forward_pre_hook(before) if _plain(head) else head.register_forward_hook(after)
    try:
        yield read
    finally:
        handle.remove()


def _plain(head: nn.Module) -> bool:
    """Whether an output embedding is a matrix (V, W) and nothing else: not of few bits, not under an adapter."""
    return type(head) is nn.Linear and head.weight.is_floating_point()


def _log_probabilities(read: Tensor, head: nn.Module, tokens: Sequence[int]) -> Tensor:
    """Log-probabilities (B, P, N) of the tokens over the whole vocabulary, in float32; `read` as `_reading` collects it."""
    if not isinstance(head, nn.Linear) or not _plain(head):
        return read.float().log_softmax(-1)[..., list(tokens)]
    states = read.float()

    def logits(rows: Any) -> Tensor:
        bias = None if head.bias is None else head.bias[rows].float()
        return nn.functional.linear(states, head.weight[rows].float(), bias)

    size = len(head.weight)
    sums = [logits(slice(at, at + CHUNK)).logsumexp(-1) for at in range(0, size, CHUNK)]
    return logits(list(tokens)) - torch.stack(sums).logsumexp(0).unsqueeze(-1)
