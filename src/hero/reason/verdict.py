"""The verdict: four fields, a confidence, or an abstention with its reason. Its JSON Schema is the public contract.

Fields follow spec 1: `emotion_caption`, `evidence_summary`, `reasoning_process`, `final_emotion`. Emotion is reported
as what is displayed, with uncertainty.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hero.label_sets import COMMON, LONGEST_LABEL, LabelSet, shipped
from hero.labels import LABELS

ID_PATTERN = r"I?[VATS]E-\d{2,}"
CITATION = re.compile(rf"\[((?:{ID_PATTERN}(?:, ?)?)+)([^\]]*)\]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")

Label = Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SummaryItem(_Strict):
    """One line of the evidence summary: an evidence id and what it shows in a few words."""

    id: str = Field(pattern=f"^{ID_PATTERN}$")
    text: str = Field(min_length=1, max_length=400)


class Verdict(_Strict):
    """What a reasoner concludes about a clip; an abstention has no `final_emotion` and says why.

    `final_emotion` and `alternatives` are labels of `label_set` (`hero.label_sets`).
    """

    emotion_caption: str = Field(min_length=1, max_length=2000)
    evidence_summary: tuple[SummaryItem, ...]
    reasoning_process: str = Field(min_length=1, max_length=20_000)
    final_emotion: Label | None
    confidence: float = Field(ge=0, le=1)
    abstained: bool = False
    abstention_reason: str | None = None
    alternatives: dict[Label, float] = Field(default_factory=dict)
    label_set: str = COMMON
    lang: Literal["en", "zh"] = "en"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.abstained != (self.final_emotion is None) or self.abstained != (self.abstention_reason is not None):
            raise ValueError(
                "an abstention has a reason and no final_emotion; a verdict has a final_emotion and no reason"
            )
        if not self.abstained and not self.evidence_summary:
            raise ValueError("a verdict that is not an abstention names its evidence in evidence_summary")
        known = shipped().get(self.label_set)
        named = [*self.alternatives, *([self.final_emotion] if self.final_emotion else [])]
        strange = [label for label in named if known and not known.open and label not in known.labels]
        if known and strange:
            allowed = ", ".join(known.labels)
            raise ValueError(
                f"final_emotion or alternatives: '{strange[0]}' is no label of {known.name}; allowed: {allowed}"
            )
        return self


def json_schema(labels: LabelSet | None = None) -> dict[str, Any]:
    """The JSON Schema of a verdict in a label set (Ekman's six and neutral without one)."""
    chosen = labels or shipped()[COMMON]
    schema = Verdict.model_json_schema()
    fields = schema["properties"]
    fields["label_set"] = {"const": chosen.name, "default": chosen.name, "type": "string"}
    if not chosen.open:
        one_of = {"type": "string", "enum": list(chosen.labels)}
        fields["final_emotion"]["anyOf"] = [one_of, {"type": "null"}]
        fields["alternatives"] |= {"propertyNames": {"enum": list(chosen.labels)}}
    return schema


def sentences(text: str) -> list[str]:
    """The sentences of a verdict's field, in English or Chinese."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def cited(sentence: str) -> list[str]:
    """The evidence ids that a sentence cites, in order."""
    return [evidence_id for match in CITATION.finditer(sentence) for evidence_id in re.findall(ID_PATTERN, match[1])]


def language(lang: str) -> Literal["en", "zh"]:
    """A verdict's language, English unless it is Chinese."""
    return "zh" if lang == "zh" else "en"


def label_name(label: str, lang: str) -> str:
    """How a label is shown in a language; one that is not among the common labels stands as it is."""
    from hero.phrases import phrases

    return phrases("labels", lang).say(label) if label in LABELS else label
