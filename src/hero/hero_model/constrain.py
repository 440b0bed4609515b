"""Decoding that keeps to a JSON schema: before each token, what would leave the schema gets no probability.

The masks come from llguidance (https://github.com/guidance-ai/llguidance), which walks schema and vocabulary byte by byte;
special tokens never fit, so that none can stand inside an answer.

Legend: B rows, S tokens, V columns of the logits, N tokens of the vocabulary, W 32-bit words that hold a bit per token.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from hero.errors import ConfigError, VerdictError
from hero.pretrained.loading import INSTALL

# Tokens of these characters alone are tested as one where the schema allows them all, as within a sentence.
SLICES = ("[ #-\\-/->@-Z^-~]{1,10}", "[ #-\\-/->@-Z^-~一-鿿]{1,10}")
# One canonical form: what json.dumps writes.
FORM = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_KNOWN: weakref.WeakKeyDictionary[Any, dict[int, Vocabulary]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A tokenizer's vocabulary as llguidance reads it: `tokens`, how many (`size`), and the token that `end`s an answer."""

    tokens: Any
    size: int
    end: int

    @classmethod
    def of(cls, tokenizer: Any, *, end: int | None = None) -> Vocabulary:
        """The vocabulary of a fast tokenizer of transformers, read once (a second for 150,000 tokens).

        Args:
            tokenizer: one of bytes (Qwen, Llama 3), so that any text can be written.
            end: the token that ends an answer, if it is not the tokenizer's `eos_token`.

        Raises:
            ConfigError: llguidance is missing, or the tokenizer is none that it can read.
        """
        chosen = tokenizer.eos_token_id if end is None else end
        if chosen is None:
            raise ConfigError("the tokenizer has no end token; give `end`, the token that ends the model's answers")
        known = _KNOWN.setdefault(tokenizer, {})
        if chosen not in known:
            known[chosen] = _read(tokenizer, chosen)
        return known[chosen]


class JsonConstraint(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Keeps each row of one generation to its own JSON schema (transformers' `logits_processor`).

    After the object's last brace a row can only end. Serves greedy decoding and sampling, not beams.
    """

    def __init__(self, vocabulary: Vocabulary, schemas: Sequence[Mapping[str, Any]], *, prompt_tokens: int = 0) -> None:
        """One generation's constraint.

        Args:
            vocabulary: of the model's tokenizer.
            schemas: one per row.
            prompt_tokens: S of `input_ids` if the prompt is given so; 0 where it is given as `inputs_embeds`.

        Raises:
            VerdictError: llguidance cannot enforce a schema.
        """
        guidance = _guidance()
        self.vocabulary, self.prompt_tokens = vocabulary, prompt_tokens
        limits = guidance.LLParserLimits(verbose_errors=False)  # its long errors would quote the answer
        self.rows = [
            guidance.LLMatcher(vocabulary.tokens, _grammar(guidance, schema), log_level=0, limits=limits)
            for schema in schemas
        ]
        for row, matcher in enumerate(self.rows):
            _sound(matcher, row)
        self._threads = guidance.LLExecutor() if len(self.rows) > 1 else None
        self._ended = [False] * len(self.rows)
        self._read = 0  # new tokens of each row that the matchers have seen
        words = (vocabulary.size + 31) // 32
        self._mask = torch.zeros((len(self.rows), words), dtype=torch.int32)  # (B, W)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (B, V) with minus infinity at every token that leaves its row's schema; input_ids (B, S).

        Raises:
            VerdictError: a row cannot go on within its schema, or these are not the rows the constraint was made for.
        """
        new = input_ids[:, self.prompt_tokens :]
        if len(new) != len(self.rows) or new.shape[1] < self._read:
            raise VerdictError(
                f"a JSON constraint of {len(self.rows)} rows that has read {self._read} tokens got {len(new)} rows of "
                f"{new.shape[1]} new tokens; it serves one generation without beams: make one for each, with a schema per row"
            )
        for row, tokens in enumerate(new[:, self._read :].tolist()):
            self._consume(row, tokens)
        self._read = new.shape[1]
        return scores.masked_fill(~self._allowed(scores), float("-inf"))

    def _consume(self, row: int, tokens: Sequence[int]) -> None:
        """Tell a matcher what was chosen, up to the end; what follows an end is padding."""
        for token in tokens:
            if self._ended[row]:
                return
            self.rows[row].consume_token(token)
            _sound(self.rows[row], row)
            self._ended[row] = token == self.vocabulary.end

    def _allowed(self, scores: Tensor) -> Tensor:
        """(B, V) True where a token fits; a row that has ended may only end again."""
        if self._threads is None:
            import_module("llguidance.numpy").fill_next_token_bitmask(self.rows[0], self._mask.numpy())
        else:
            live = [(matcher, row) for row, matcher in enumerate(self.rows)]
            import_module("llguidance.numpy").fill_next_token_bitmask_par(self._threads, live, self._mask.numpy())
        for row, matcher in enumerate(self.rows):
            _sound(matcher, row)
        packed = self._mask.view(torch.uint8).to(scores.device)  # (B, 4 W): a quarter of the bits' bytes to move
        bits = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=scores.device)
        allowed = (packed.unsqueeze(-1) & bits).ne(0).flatten(1)  # (B, 32 W)
        beyond = scores.shape[1] - allowed.shape[1]  # a model's logits are often wider than its vocabulary
        return torch.nn.functional.pad(allowed, (0, beyond))  # (B, V)


def _read(tokenizer: Any, end: int) -> Vocabulary:
    guidance = _guidance()
    try:
        tokens = import_module("llguidance.hf").from_tokenizer(tokenizer, eos_token=end, slices=list(SLICES))
    except ValueError as error:
        raise ConfigError(
            f"llguidance cannot read this tokenizer ({error}); use one with a tokenizer.json, or decode: free"
        ) from error
    assert isinstance(tokens, guidance.LLTokenizer)
    return Vocabulary(tokens, tokens.vocab_size, end)


def _grammar(guidance: Any, schema: Mapping[str, Any]) -> str:
    return guidance.LLMatcher.grammar_from_json_schema(dict(schema), overrides=FORM)


def _sound(matcher: Any, row: int) -> None:
    """Raise what a matcher has to complain of."""
    if matcher.is_error():
        reason = str(matcher.get_error()).strip().splitlines() or ["no reason given"]
        raise VerdictError(
            f"row {row} cannot be kept to its JSON schema ({reason[0]}); simplify the schema, or decode: free"
        )


def _guidance() -> Any:
    try:
        return import_module("llguidance")
    except ImportError as error:
        raise ConfigError(f"constrained decoding needs llguidance ({error}); {INSTALL}, or decode: free") from error
