"""The verdict schema: what fits, what does not, and how sentences and citations are read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hero.reason.verdict import Verdict, cited, json_schema, sentences

GOOD = {
    "emotion_caption": "Sad [AE-01].",
    "evidence_summary": [{"id": "AE-01", "text": "slow"}],
    "reasoning_process": "x [AE-01].",
    "final_emotion": "sad",
    "confidence": 0.5,
}


def test_round_trip() -> None:
    verdict = Verdict.model_validate(GOOD)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.parametrize(
    "change",
    [{"final_emotion": "bored"}, {"confidence": 1.2}, {"final_emotion": None}, {"abstained": True},
     {"evidence_summary": []},
     {"evidence_summary": [{"id": "XX-1", "text": "slow"}]}, {"extra": 1}, {"emotion_caption": ""}],
)  # fmt: skip
def test_what_does_not_fit(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Verdict.model_validate({**GOOD, **change})


def test_schema_names_the_fields_of_the_spec() -> None:
    schema = json_schema()
    assert {"emotion_caption", "evidence_summary", "reasoning_process", "final_emotion"} <= set(schema["required"])
    assert schema["additionalProperties"] is False


def test_sentences_and_citations() -> None:
    text = "Brows at 1.2 s [VE-01, AE-02]. Words unknown [ITE-01, inferred]! 声音低 [AE-10]。好 [VE-03]。"
    assert len(sentences(text)) == 4
    assert [cited(s) for s in sentences(text)] == [["VE-01", "AE-02"], ["ITE-01"], ["AE-10"], ["VE-03"]]
