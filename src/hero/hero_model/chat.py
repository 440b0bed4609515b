"""Chat messages as a language model's template writes them: always the same tokens for the same messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from hero.errors import WeightsError
from hero.pretrained.loading import fetch_again

DATE = "26 Jul 2024"
"""What a template that writes today's date (Llama 3.1 and later) writes: answers must not change overnight."""
_OPTIONS: Mapping[str, Any] = {"add_generation_prompt": True, "enable_thinking": False, "date_string": DATE}
_CHECK = tuple(  # the longest chat that a reasoner holds: task and brief, a flawed answer, the request to repair it
    {"role": role, "content": f"<{text}>"}
    for role, text in (("system", "the task"), ("user", "a brief"), ("assistant", "an answer"), ("user", "a request"))
)
_FLAWS = (TemplateError, TypeError, ValueError)  # what a template raises, on purpose or not


def chat_prompt(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """The messages as token ids, up to where the model's answer begins; no thinking aloud before it, no date of today.

    Args:
        tokenizer: of a language model that `open_base` opened, which checked its template.
        messages: `role` (system, user, assistant) and `content` each.
    """
    found: list[int] = tokenizer.apply_chat_template(list(messages), return_dict=False, **_OPTIONS)
    return found


def expect_template(folder: Path, tokenizer: Any) -> None:
    """Raise where a tokenizer's chat template cannot write what a reasoner asks.

    Raises:
        WeightsError: it has none, is broken, refuses or drops a message, or makes the model think aloud in any case.
    """
    told = "it is a model that was not taught to answer; take an instructed one, or " + fetch_again(folder)
    other = "take another instructed model"
    if not tokenizer.chat_template:
        raise WeightsError(f"the tokenizer in {folder} has no chat template; {told}")
    question = _written(tokenizer, _CHECK[1:2])
    if isinstance(question, Exception):
        raise WeightsError(f"the chat template in {folder} is broken ({question}); {told}")
    for chat, what in ((_CHECK[:2], "takes no system message"), (_CHECK, "takes no answer with a request after it")):
        text = _written(tokenizer, chat)
        if isinstance(text, Exception):
            raise WeightsError(f"the chat template in {folder} {what} ({text}); {other}")
        if left_out := [message["role"] for message in chat if message["content"] not in text]:
            raise WeightsError(f"the chat template in {folder} leaves out the message of the {left_out[0]}; {other}")
        if text.rfind("<think>") > text.rfind("</think>"):
            raise WeightsError(
                f"the chat template in {folder} makes the model think aloud before each answer, although it is asked not "
                "to (enable_thinking=False); take an instructed model that can answer at once"
            )


def _written(tokenizer: Any, chat: Sequence[Mapping[str, str]]) -> str | Exception:
    """The chat as text, or what its template raised."""
    try:
        return str(tokenizer.apply_chat_template(list(chat), tokenize=False, **_OPTIONS))
    except _FLAWS as error:
        return error
