"""A language model's answer: the schema that bounds it, its reading, and its way to a verdict.

The canonical form is what `json.dumps(..., ensure_ascii=False)` writes. While decoding, the schema's patterns let every
sentence end only with a citation of evidence that exists; the length of every part is bounded, so that any model
finishes within `most_bytes` tokens, whatever it has learned.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from hero.errors import VerdictError
from hero.label_sets import LONGEST_LABEL, LabelSet
from hero.labels import LABELS
from hero.phrases import LANGUAGES, phrases
from hero.reason.answer_schema import MOST_SUMMARY, answer_schema, most_bytes
from hero.reason.verdict import ID_PATTERN, SummaryItem, Verdict, cited, language
from hero.types import CaseFile, Evidence

__all__ = [
    "Answer",
    "abstention",
    "answer_prefix",
    "answer_schema",
    "candidates",
    "most_bytes",
    "read_answer",
    "repair_request",
    "to_verdict",
]

CAPTION, SUMMARY, REASONING, LABEL = "emotion_caption", "evidence_summary", "reasoning_process", "final_emotion"
MIN_ALTERNATIVE = 0.05
LONGEST_CAPTION, LONGEST_REASONING, LONGEST_ITEM = 2000, 20_000, 400  # characters; what a verdict holds
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_LINE_ENDS = "\n\r\t"


@dataclass(frozen=True)
class Answer:
    """What a language model wrote; `final_emotion` is None where it wrote no label: then the label is scored alone."""

    emotion_caption: str
    evidence_summary: tuple[SummaryItem, ...]
    reasoning_process: str
    final_emotion: str | None = None


def read_answer(text: str, labels: LabelSet, *, with_label: bool, evidence: Iterable[Evidence] | None = None) -> Answer:
    """The answer in a model's text: exactly one JSON object, bare, in a code fence or among prose.

    Without `with_label` there need be no label; one that the model wrote all the same is kept where the set has it, so that
    `to_verdict` sees a contradiction, and left out otherwise. A written label is spelled as the set spells it; in an open
    set a word for one of the common seven, in any case or as `phrases/*/labels.yaml` writes it, is that label. Where the
    `evidence` of its brief is given, ids of anything else are a flaw.

    Raises:
        VerdictError: there is no such object or more than one, or a field is missing, unknown or of the wrong form; the
            message names the flaw in words that `repair_request` can hand back to the model.
    """
    table = _one_object(_THOUGHT.sub("", text))
    wanted = (CAPTION, SUMMARY, REASONING, LABEL)
    if unknown := [str(name) for name in table if name not in wanted]:
        raise VerdictError(f'the field "{_short(unknown[0])}" is not allowed; the fields are: {", ".join(wanted)}')
    needed = wanted if with_label else wanted[:-1]
    if missing := [name for name in needed if name not in table]:
        raise VerdictError(f'the field "{missing[0]}" is missing; the fields are: {", ".join(needed)}')
    answer = Answer(
        _text(table[CAPTION], CAPTION, LONGEST_CAPTION),
        _summary(table[SUMMARY]),
        _text(table[REASONING], REASONING, LONGEST_REASONING),
        _label(table[LABEL], labels) if with_label else _in_set(table.get(LABEL), labels),
    )
    known = None if evidence is None else {ev.id for ev in evidence}
    named = [item.id for item in answer.evidence_summary] + cited(
        f"{answer.emotion_caption} {answer.reasoning_process}"
    )
    if known is not None and (strange := [evidence_id for evidence_id in named if evidence_id not in known]):
        raise VerdictError(f"it cites {strange[0]}, which is not in the list of evidence")
    return answer


def repair_request(flaw: str) -> str:
    """What is asked of a model whose answer had this flaw (the words of `read_answer`'s error)."""
    return (
        f"Your answer cannot be used: {flaw}. Write the whole answer again: one JSON object and nothing else, with the "
        "fields and the citations that were asked for."
    )


def answer_prefix(answer: Answer) -> str:
    """The canonical JSON of an answer up to where its label begins: it ends in `"final_emotion": "`."""
    table = {
        CAPTION: answer.emotion_caption,
        SUMMARY: [{"id": item.id, "text": item.text} for item in answer.evidence_summary],
        REASONING: answer.reasoning_process,
        LABEL: "",
    }
    return json.dumps(table, ensure_ascii=False).removesuffix('"}')


def candidates(answer: Answer, labels: LabelSet) -> tuple[str, ...]:
    """The words whose probabilities decide: the set's labels; for an open set the answer's own word and the common seven.

    No two of an open set's words differ by case alone: they would share one probability between them.
    """
    if not labels.open:
        return labels.labels
    own = [_spelled(answer.final_emotion)] if answer.final_emotion else []
    return tuple(dict.fromkeys([*own, *LABELS]))


def to_verdict(
    answer: Answer,
    probabilities: Mapping[str, float],
    labels: LabelSet,
    *,
    lang: str,
    abstain_below: float,
) -> Verdict:
    """The verdict that an answer and the probabilities of its `candidates` (they sum to 1) make.

    In a closed set the most probable label is the final emotion; an answer that has written another one contradicts
    itself, and the verdict is an abstention that says so. In an open set the final emotion is the answer's own word. Below
    `abstain_below` the verdict is an abstention, too. Each abstention keeps the answer's reasoning, and confidence and
    alternatives as they were scored.

    Raises:
        VerdictError: a probability is missing or is none.
    """
    chances = {word: probabilities.get(word, -1.0) for word in candidates(answer, labels)}
    if wrong := [word for word, chance in chances.items() if not 0 <= chance <= 1]:
        raise VerdictError(f"'{wrong[0]}' has no probability from 0 to 1; score every candidate of the answer")
    if labels.open and not answer.final_emotion:
        raise VerdictError("an answer in an open label set must name its emotion; ask the model for final_emotion")
    said = _spelled(answer.final_emotion) if labels.open and answer.final_emotion else answer.final_emotion
    best = said if labels.open and said else max(chances, key=lambda word: (chances[word], word == said))
    confidence = round(chances[best], 4)
    ranked = sorted(chances.items(), key=lambda pair: -pair[1])
    say, reason = phrases("adjudicator", lang), None
    if said not in (None, best):
        reason = phrases("reasoner", lang).say("contradicts_itself", said=said, scored=best)
    elif confidence < abstain_below and labels.open:
        values = {
            "said": best,
            "own": confidence,
            "beaten_by": ranked[0][0],
            "best": ranked[0][1],
            "least": abstain_below,
        }
        reason = phrases("reasoner", lang).say("own_word_too_weak", **values)
    elif confidence < abstain_below:
        reason = say.say("too_weak", best=confidence, least=abstain_below)
    abstains = reason is not None
    return Verdict(
        emotion_caption=answer.emotion_caption if reason is None else say.say("abstained", reason=reason),
        evidence_summary=answer.evidence_summary,
        reasoning_process=answer.reasoning_process,
        final_emotion=None if abstains else best,
        confidence=confidence,
        abstained=abstains,
        abstention_reason=reason,
        alternatives={w: round(p, 4) for w, p in ranked if p >= MIN_ALTERNATIVE and (abstains or w != best)},
        label_set=labels.name,
        lang=language(lang),
    )


def abstention(case: CaseFile, reason: str, labels: LabelSet, *, lang: str) -> Verdict:
    """No verdict, for a reason without full stop; the weightiest observed evidence is listed, and nothing is claimed."""
    told = phrases("adjudicator", lang).say("abstained", reason=reason)
    return Verdict(
        emotion_caption=told,
        evidence_summary=tuple(SummaryItem(id=ev.id, text=ev.brief) for ev in case.evidence[:MOST_SUMMARY]),
        reasoning_process=told,
        final_emotion=None,
        confidence=0.0,
        abstained=True,
        abstention_reason=reason,
        label_set=labels.name,
        lang=language(lang),
    )


def _one_object(text: str) -> dict[str, Any]:
    """The one JSON object of a text that has a field of an answer; braces of prose and of wrappers are passed over."""
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    flaw, at = "", text.find("{")
    while at >= 0:
        end = at + 1
        try:
            table, end_of_table = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            flaw = flaw or _unreadable(text, error)
        else:
            if {CAPTION, SUMMARY, REASONING, LABEL} & set(table):
                found.append(table)
                end = end_of_table
        at = text.find("{", end)
    if len(found) != 1:
        several = f"it holds {len(found)} JSON objects; one is allowed"
        raise VerdictError(several if found else flaw or "there is no JSON object with the fields of an answer in it")
    return found[0]


def _unreadable(text: str, error: Exception) -> str:
    """Why the first brace of a text begins no JSON object."""
    cut = isinstance(error, json.JSONDecodeError) and (
        error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
    )
    return "its JSON ends before it is complete" if cut else f"its JSON cannot be read ({_short(str(error))})"


def _text(value: Any, field: str, longest: int) -> str:
    """A text of a field, without blanks around it."""
    if not isinstance(value, str):
        raise VerdictError(f'"{field}" must be a text, and it is {_kind(value)}')
    clean = value.strip()
    if not 0 < len(clean) <= longest:
        raise VerdictError(f'"{field}" has {len(clean)} characters; 1 to {longest} are allowed')
    if strange := [char for char in clean if unicodedata.category(char) in ("Cc", "Cs") and char not in _LINE_ENDS]:
        raise VerdictError(f'"{field}" holds the character U+{ord(strange[0]):04X}, which no text may hold')
    return clean


def _summary(value: Any) -> tuple[SummaryItem, ...]:
    """The items of the evidence summary, the first of each id."""
    if not isinstance(value, list) or not value:
        raise VerdictError(f'"{SUMMARY}" must be a list of one or more items, and it is {_kind(value)}')
    items: dict[str, SummaryItem] = {}
    for item in value:
        if not isinstance(item, dict) or set(item) != {"id", "text"}:
            raise VerdictError(f'each item of "{SUMMARY}" must be {{"id": ..., "text": ...}}, and one is {_kind(item)}')
        evidence_id, words = _text(item["id"], f"{SUMMARY}.id", LONGEST_LABEL), item["text"]
        if not re.fullmatch(ID_PATTERN, evidence_id):
            raise VerdictError(f'"{_short(evidence_id)}" in "{SUMMARY}" is no evidence id; write it as in VE-01')
        items.setdefault(evidence_id, SummaryItem(id=evidence_id, text=_text(words, f"{SUMMARY}.text", LONGEST_ITEM)))
    return tuple(items.values())


def _label(value: Any, labels: LabelSet) -> str:
    """The label that was written, as the set spells it."""
    label = _text(value, LABEL, LONGEST_LABEL)
    if labels.open:
        return _spelled(label)
    known = _in_set(label, labels)
    if known is None:
        raise VerdictError(f'"{LABEL}" is "{label}"; it must be one of: {", ".join(labels.labels)}')
    return known


def _in_set(value: Any, labels: LabelSet) -> str | None:
    """The label of a closed set that a value is, as the set spells it; None where it is none."""
    spelled = {known.casefold(): known for known in labels.labels}
    return spelled.get(value.strip().casefold()) if isinstance(value, str) else None


def _spelled(word: str) -> str:
    """A word for one of the common seven as that label; any other as it is."""
    return _common_names().get(word.casefold(), word)


@cache
def _common_names() -> Mapping[str, str]:
    """The common labels by what they are called, in lower case: their own names, and those of each language."""
    names = {phrases("labels", lang).say(label).casefold(): label for lang in LANGUAGES for label in LABELS}
    return {**names, **{label.casefold(): label for label in LABELS}}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return "empty" if value in ([], {}) else names.get(type(value), "a number")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
