"""What is missing is named and inferred, marked, from what is present; with nothing present nothing is inferred."""

from __future__ import annotations

import pytest
from builders import evidence, posterior, timeline

from hero.integrate.missing import infer_missing
from hero.integrate.weigh import missing_modalities
from hero.types import number_evidence


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_inferred_evidence_is_marked(lang: str) -> None:
    line = timeline([evidence("face", "smile"), evidence("voice", "slow")], {"words": "no transcript"})
    missing = missing_modalities(line)
    assert missing == {"words": "no transcript"}
    (ev,) = number_evidence(infer_missing(line, missing, posterior(sad=0.6), lang=lang))
    assert ev.id == "ITE-01"
    assert ev.inferred
    assert ev.confidence <= 0.3
    assert ("inferred" if lang == "en" else "推断") in ev.text
    assert ("inferred" if lang == "en" else "推断") in ev.brief


def test_nothing_is_inferred_from_nothing() -> None:
    line = timeline([], {"face": "no face", "voice": "no sound", "words": "no words"})
    assert list(infer_missing(line, missing_modalities(line), None, lang="en")) == []
