"""The JSON Schema of an answer, so tight that a decoder which keeps to it can only cite evidence that exists.

Patterns use only what the regular expressions of JSON Schema, Rust and Python have in common: classes, groups and bounded
repeats, no looking ahead. A sentence has no stop inside but one right before a letter or digit (1.2, e.g), and no
brackets but those of its citations; nothing in it needs an escape in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hero.errors import VerdictError
from hero.label_sets import LabelSet
from hero.phrases import phrases
from hero.types import Evidence

MOST_CAPTION, MOST_REASONING, MOST_SUMMARY, MOST_CITED = 2, 8, 6, 5  # sentences, sentences, items, ids a sentence
MOST_TEXT = {"en": 140, "zh": 80}  # characters of a sentence before its citation
MOST_ITEM = {"en": 50, "zh": 30}  # characters of an item of the summary
STOP = {"en": ".", "zh": "。"}
BETWEEN = {"en": " ", "zh": ""}
WIDEST = 3  # bytes of a character in UTF-8
WORDS, LONGEST_WORD = 3, 18  # of an emotion in its own words

_ASCII = "#-\\-/->@-Z^-~"  # printable, without the blank and . ! ? " \ [ ]
_WIDE = "¡-¬®-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\u2fff\u3001\u3003-\ud7ff\uf900-\ufdff＂-－／-＞＠-｠￠-￦"
_LETTERS = "A-Za-zÀ-ÖØ-öø-ɏͰ-ϿЀ-ӿ぀-ヿ㐀-鿿가-힣"
_PIECE = rf"(?:[ {_ASCII}{_WIDE}]|\.[0-9A-Za-z])"  # at most three bytes


def answer_schema(
    evidence: Sequence[Evidence], labels: LabelSet, *, lang: str = "en", with_label: bool = False
) -> dict[str, Any]:
    """The JSON Schema of an answer about this evidence (inferred evidence included, which only its mark may cite).

    With `with_label` the answer ends with a `final_emotion` of the label set; without it the label is left to scoring.

    Raises:
        VerdictError: there is no observed evidence that an answer could cite.
    """
    observed = [ev.id for ev in evidence if not ev.inferred]
    if not observed:
        raise VerdictError("there is no observed evidence that an answer could cite; abstain instead of asking a model")
    sentence = _sentence(evidence, lang)
    item = {
        "id": {"type": "string", "enum": observed},
        "text": {"type": "string", "pattern": f"^{_text(MOST_ITEM[lang])}$"},
    }
    fields: dict[str, Any] = {
        "emotion_caption": _sentences(sentence, MOST_CAPTION, lang),
        "evidence_summary": {"type": "array", "items": _object(item), "minItems": 1, "maxItems": MOST_SUMMARY},
        "reasoning_process": _sentences(sentence, MOST_REASONING, lang),
    }
    word = f"[{_LETTERS}]{{1,{LONGEST_WORD}}}"
    open_label = {"type": "string", "pattern": f"^{word}(?:[ -]{word}){{0,{WORDS - 1}}}$"}
    if with_label:
        fields["final_emotion"] = open_label if labels.open else {"type": "string", "enum": list(labels.labels)}
    return _object(fields)


def most_bytes(evidence: Sequence[Evidence], labels: LabelSet, *, lang: str = "en", with_label: bool = False) -> int:
    """An upper bound for the UTF-8 bytes of an answer that fits the schema, and so for its tokens.

    A model whose every token is one byte ends within so many tokens and its end mark.
    """
    observed = max((len(ev.id) for ev in evidence if not ev.inferred), default=0)
    inferred = max((len(ev.id) for ev in evidence if ev.inferred), default=0)
    cited = len(" []") + MOST_CITED * (observed + 2) - 2
    if inferred:
        cited += len(" [, ]") + inferred + len(phrases("adjudicator", lang).say("inferred").encode())
    sentence = MOST_TEXT[lang] * WIDEST + cited + len(STOP[lang].encode()) + len(BETWEEN[lang])
    summary = MOST_SUMMARY * (MOST_ITEM[lang] * WIDEST + observed + len('{"id": "", "text": ""}, '))
    closed = (len(json.dumps(name, ensure_ascii=False).encode()) - 2 for name in labels.labels)
    label = max(closed, default=WORDS * (LONGEST_WORD * WIDEST + 1) - 1)
    frame = len('{"emotion_caption": "", "evidence_summary": [], "reasoning_process": "", "final_emotion": ""}')
    return (MOST_CAPTION + MOST_REASONING) * sentence + summary + frame + with_label * label


def _text(most: int) -> str:
    """Three characters or more, not beginning with a blank."""
    return f"[{_ASCII}{_WIDE}]{_PIECE}{{2,{most - 1}}}"


def _sentence(evidence: Sequence[Evidence], lang: str) -> str:
    """A pattern of one sentence: text, then citations of observed or marked inferred evidence, then the stop."""
    observed = _one_of([ev.id for ev in evidence if not ev.inferred])
    inferred = [ev.id for ev in evidence if ev.inferred]
    cite = rf" \[{observed}(?:, {observed}){{0,{MOST_CITED - 1}}}\]"
    if inferred:
        marked = rf" \[{_one_of(inferred)}, {phrases('adjudicator', lang).say('inferred')}\]"
        cite = f"(?:{cite}(?:{marked})?|{marked})"
    return _text(MOST_TEXT[lang]) + cite + STOP[lang].replace(".", r"\.")


def _sentences(sentence: str, most: int, lang: str) -> dict[str, str]:
    return {"type": "string", "pattern": f"^{sentence}(?:{BETWEEN[lang]}{sentence}){{0,{most - 1}}}$"}


def _one_of(ids: Sequence[str]) -> str:
    """A pattern of ids, those of one prefix together: (?:VE-(?:01|02)|AE-(?:01))."""
    numbers: dict[str, list[str]] = {}
    for evidence_id in ids:
        prefix, _, number = evidence_id.rpartition("-")
        numbers.setdefault(prefix, []).append(number)
    groups = [f"{prefix}-(?:{'|'.join(found)})" for prefix, found in numbers.items()]
    return f"(?:{'|'.join(groups)})"


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
