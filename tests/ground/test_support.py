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
    reasoning = "It is slow. It is fast [AE-07]. He says so [ITE-01]. Fine [AE-01]."
    support = check(_verdict("Slow voice [AE-01].", reasoning), EVIDENCE)
    assert [flaw.problem for flaw in support.flaws] == ["uncited", "unknown id", "inferred cited as observed"]
    assert support.claims - support.supported == 3
    assert support.as_json()["rate"] == round(3 / 6, 4)


def test_one_sentence_is_one_claim_whatever_it_cites() -> None:
    support = check(_verdict("Both [AE-08, AE-09].", "Fine [AE-01]."), EVIDENCE)
    assert support.supported == support.claims - 1
