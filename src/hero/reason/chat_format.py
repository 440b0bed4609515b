"""What an OpenAI-compatible endpoint answers, read strictly where it matters and leniently where servers differ.

The format is that of `POST /chat/completions` and `GET /models` in OpenAI's API reference; vLLM and llama.cpp write it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, ValidationError


@dataclass(frozen=True)
class Reply:
    """One answer: its text, whether it was cut off, and the alternatives for its first token with their log-probabilities."""

    text: str
    cut: bool
    first: tuple[tuple[str, float], ...] = ()


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: Any = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)


class Completion(BaseModel):
    """An answer of `/chat/completions`."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None

    def replies(self) -> tuple[Reply, ...]:
        """Its answers, one or as many as were asked for."""
        return tuple(
            Reply(choice.message.content or "", choice.finish_reason == "length", _first_token(choice.logprobs))
            for choice in self.choices
        )


class _Served(BaseModel):
    id: str = Field(min_length=1, max_length=500)


class Models(BaseModel):
    """An answer of `/models`."""

    data: list[_Served]

    def names(self) -> list[str]:
        """The names of the served models."""
        return [served.id for served in self.data]


class _Token(BaseModel):
    token: str
    logprob: float


class _Position(BaseModel):
    top_logprobs: list[_Token]


class _LogProbabilities(BaseModel):
    content: list[_Position] = Field(min_length=1)


def _first_token(log_probabilities: Any) -> tuple[tuple[str, float], ...]:
    """The alternatives for the first token; none where they are not stated or have another, older form."""
    try:
        found = _LogProbabilities.model_validate(log_probabilities)
    except ValidationError:
        return ()
    return tuple((token.token, token.logprob) for token in found.content[0].top_logprobs)
