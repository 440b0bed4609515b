"""Chat templates: the same tokens on every day, and each that cannot serve is refused when the model is opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_hero import FAMILIES

from hero.errors import WeightsError
from hero.hero_model import open_base
from hero.hero_model.chat import DATE, chat_prompt
from hero.pretrained.tiny_language import CHATML, LLAMA_CHAT

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "他生气吗?"}]
DATED = (
    "{%- if not date_string is defined -%}{%- set date_string = strftime_now('%d %b %Y') -%}{%- endif -%}"
    "Today Date: {{ date_string }}\n\n"
)
ONE_TURN = "{%- if messages | length > 2 -%}{{ raise_exception('one question only') }}{%- endif -%}"
NO_SYSTEM = "{%- if messages[0]['role'] == 'system' -%}{{ raise_exception('System role not supported') }}{%- endif -%}"
DROPS_SYSTEM = CHATML.replace("for message in messages", "for message in messages if message['role'] != 'system'")
THINKS = "{%- if add_generation_prompt -%}<think>\n{% endif -%}"


def edited(bases: Path, to: Path, template: str, name: str = "tiny-qwen2") -> Path:
    """A copy of a tiny language model with another chat template."""
    folder = Path(shutil.copytree(bases / name, to / "edited"))
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_ends_where_the_answer_begins(bases: Path, family: str) -> None:
    tokenizer = open_base(bases / family, device="cpu").tokenizer
    ids = chat_prompt(tokenizer, CHAT)
    assert all(isinstance(token, int) for token in ids)
    text = tokenizer.decode(ids)
    assert text.index("Be brief.") < text.index("他生气吗?")
    assert text.endswith({
        "tiny-qwen2": "<|im_start|>assistant\n", "tiny-qwen3": "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "tiny-llama": "<|start_header_id|>assistant<|end_header_id|>\n\n",
    }[family])  # fmt: skip
    assert ids.count(tokenizer.bos_token_id) == (family == "tiny-llama")


def test_a_template_that_writes_the_date_writes_the_same_one_every_day(bases: Path, tmp_path: Path) -> None:
    folder = edited(bases, tmp_path, DATED + LLAMA_CHAT, "tiny-llama")
    tokenizer = open_base(folder, device="cpu").tokenizer
    assert f"Today Date: {DATE}<" in tokenizer.decode(chat_prompt(tokenizer, CHAT))
    assert DATE not in tokenizer.apply_chat_template(CHAT, tokenize=False)  # left alone it writes today's


@pytest.mark.parametrize(("template", "said"), [
    (NO_SYSTEM + CHATML, r"takes no system message \(System role not supported\); take another instructed model"),
    (DROPS_SYSTEM, r"leaves out the message of the system; take another instructed model"),
    (ONE_TURN + CHATML, r"takes no answer with a request after it \(one question only\); take another"),
    (CHATML + THINKS, r"makes the model think aloud before each answer, although it is asked not to"),
    (CHATML + "{{ messages[0]['content'] + 1 }}", r"is broken \(.*\); it is a model that was not taught"),
])  # fmt: skip
def test_templates_that_cannot_serve_are_refused_at_once(bases: Path, tmp_path: Path, template: str, said: str) -> None:
    with pytest.raises(WeightsError, match=r"the chat template in .*edited " + said):
        open_base(edited(bases, tmp_path, template), device="cpu")
