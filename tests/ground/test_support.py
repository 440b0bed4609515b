"""Support: unknown ids, uncited sentences and inferred evidence cited as observed are found."""

from __future__ import annotations

from builders import evidence

from hero.ground.support import check
from hero.reason.verdict import Verdict
from hero.types import number_evidence

EVIDENCE = number_evidence([evidence("voice", "slow"), evidence("words", "inferred_words", inferred=True)])


def _verdict(caption: str, reasoning: str) -> Verdict:
    summary = [{"id": "AE-01", "text": "slow"}]
    row = {"emotion_caption": caption, "evidence_summary": summary, "reasoning_process": reasoning}
    return Verdict.model_validate({**row, "final_emotion": "sad", "confidence": 0.5})


def test_whole_verdict_is_supported() -> None:
    support = check(_verdict("Slow voice [AE-01].", "It is slow [AE-01]. Words unknown [ITE-01, inferred]."), EVIDENCE)
    assert (support.claims, support.supported, support.rate) == (4, 4, 1.0)


def test_each_flaw_is_named() -> None:
    reasoning = "It is slow. It is fast [AE-07]. He says so [ITE-01]. Slow again [AE-01]."
    support = check(_verdict("Slow voice [AE-01].", reasoning), EVIDENCE)
    assert [flaw.problem for flaw in support.flaws] == ["uncited", "unknown id", "inferred cited as observed"]
    assert support.claims - support.supported == 3
    assert support.as_json()["rate"] == round(3 / 6, 4)
    assert support.as_json()["problems"][1] == {
        "field": "reasoning_process", "sentence": "It is fast [AE-07].", "problem": "unknown id", "id": "AE-07", "about": "",
    }  # fmt: skip


def test_one_sentence_is_one_claim_whatever_it_cites() -> None:
    support = check(_verdict("Both [AE-08, AE-09].", "Slow speech [AE-01]."), EVIDENCE)
    assert support.supported == support.claims - 1


def test_a_line_of_the_summary_must_say_what_its_evidence_says() -> None:
    row = {"emotion_caption": "Slow voice [AE-01].", "evidence_summary": [{"id": "AE-01", "text": "raised brows"}]}
    verdict = Verdict.model_validate(
        {**row, "reasoning_process": "Slow [AE-01].", "final_emotion": "sad", "confidence": 0.5}
    )
    (flaw,) = check(verdict, EVIDENCE).flaws
    assert (flaw.field, flaw.problem, flaw.about) == ("evidence_summary", "unrelated", "raised brows")


def test_an_abstention_claims_nothing_in_its_caption() -> None:
    row = {"emotion_caption": "No verdict: too weak.", "evidence_summary": [], "reasoning_process": "Slow [AE-01]."}
    reason = {"final_emotion": None, "confidence": 0.0, "abstained": True, "abstention_reason": "too weak"}
    support = check(Verdict.model_validate({**row, **reason}), EVIDENCE)
    assert (support.claims, support.rate) == (1, 1.0)
