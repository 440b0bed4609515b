"""A random language model with its tokenizer, made once per family, and evidence for it to cite."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from builders import evidence

from hero.types import Evidence, number_evidence

EVIDENCE: tuple[Evidence, ...] = number_evidence([
    evidence("face", "AU04"), evidence("face", "AU12", 2.0, 3.0), evidence("voice", "pitch_low"),
    evidence("words", "inferred_words", inferred=True),
])  # fmt: skip


@cache
def language_model(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) of one of the tiny language models."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from hero.pretrained import tiny_language

    folder = str(tiny_language.build(name, Path(mkdtemp(prefix="hero-tiny-")) / name))
    model = AutoModelForCausalLM.from_pretrained(folder).eval().requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(folder)
