"""What is missing is named and inferred, marked, from what is present; with nothing present nothing is inferred."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import evidence, posterior, timeline

from hero.config import IntegrateConfig
from hero.errors import WeightsError
from hero.integrate.impute import MOST_WRITTEN, Imputation
from hero.integrate.missing import CONFIDENCE_SHARE, infer_missing, sentence
from hero.integrate.weigh import integrate, missing_modalities
from hero.phrases import LANGUAGES
from hero.types import Evidence, Span, number_evidence

SAID = {"en": "inferred", "zh": "推断"}
SILENT = {"voice": "the clip has no sound", "words": "no transcript"}
UNSEEN = {"face": "no face", "words": "no transcript"}
FACE = [
    evidence("face", "AU04", 1.0, 1.6, strength=0.6, confidence=0.7),
    evidence("face", "AU09", 2.0, 2.5, strength=0.5, confidence=0.5),
]
VOICE = [
    evidence("voice", "pitch_high", 0.5, 3.0, strength=0.8, confidence=0.8, measures={"f0_hz": 280.0}),
    evidence("voice", "louder", 0.5, 3.0, strength=0.8, confidence=0.8),
]


def inferred(found: list[Evidence], absent: dict[str, str], *, lang: str = "en", **more: object) -> list[Evidence]:
    """What is inferred about absent experts, from evidence and a sad posterior."""
    line = timeline(found, absent)
    return list(number_evidence(infer_missing(line, missing_modalities(line), posterior(sad=0.6), lang=lang, **more)))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_missing_words_are_worded_from_the_posterior(lang: str) -> None:
    line = timeline([evidence("face", "smile"), evidence("voice", "slow")], {"words": "no transcript"})
    missing = missing_modalities(line)
    assert missing == {"words": "no transcript"}
    (ev,) = number_evidence(infer_missing(line, missing, posterior(sad=0.6), lang=lang))
    assert (ev.id, ev.expert) == ("ITE-01", "impute")
    assert ev.inferred
    assert ev.confidence <= 0.3
    assert SAID[lang] in ev.text
    assert SAID[lang] in ev.brief


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("found", "absent", "number"), [(FACE, SILENT, "IAE-01"), (VOICE, UNSEEN, "IVE-01")])
def test_a_missing_face_or_voice_is_written_by_the_imputer(lang: str, found, absent, number: str) -> None:
    written, words = sorted(inferred(found, absent, lang=lang), key=lambda ev: ev.modality == "words")
    assert (written.id, written.expert, words.expert) == (number, "imputer@1", "impute")
    assert written.inferred
    assert SAID[lang] in written.text
    assert SAID[lang] in written.brief
    assert 1 <= len(written.measures) <= MOST_WRITTEN
    assert all(key.startswith("chance_") and 0 < value < 1 for key, value in written.measures.items())


def test_at_most_half_as_sure_as_what_it_rests_on() -> None:
    written = next(ev for ev in inferred(FACE, SILENT) if ev.modality == "voice")
    chance = sum(written.measures.values()) / len(written.measures)
    assert written.confidence == pytest.approx(CONFIDENCE_SHARE * 0.6 * chance)  # 0.7 and 0.5 are 0.6 on average
    assert written.span == Span(1.0, 2.5)


def test_it_follows_what_is_seen() -> None:
    """Two different faces do not leave the same guess about the voice."""
    other = [evidence("face", cue, strength=0.9, confidence=0.8) for cue in ("smile_with_cheeks", "AU05", "AU02")]
    first, second = (next(ev for ev in inferred(face, SILENT) if ev.modality == "voice") for face in (FACE, other))
    assert first.measures != second.measures


def test_evidence_it_was_not_trained_on_falls_back_to_the_posterior() -> None:
    written = next(ev for ev in inferred([evidence("face", "gaze_away")], SILENT) if ev.modality == "voice")
    assert written.expert == "impute"
    assert "quiet and slow" in written.text


def test_an_open_licence_leaves_the_imputer_out() -> None:
    line = timeline(FACE, SILENT)
    found = infer_missing(line, SILENT, posterior(sad=0.6), lang="en", licence="open")
    assert [ev.expert for ev in found] == ["impute", "impute"]
    assert found.models == ()
    assert [m.name for m in infer_missing(line, SILENT, None, lang="en").models] == ["imputer"]


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "imputer.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(WeightsError, match="imputer"):
        inferred(FACE, SILENT, weights_folder=tmp_path)


def test_a_low_chance_is_called_possible() -> None:
    rests_on = (evidence("face", "AU04"),)
    sure = sentence(Imputation({"louder": 0.7, "pitch_high": 0.5, "fast": 0.6}, 0.1, rests_on), "voice", lang="en")
    unsure = sentence(Imputation({"louder": 0.8, "fast": 0.4}, 0.1, rests_on), "voice", lang="en")
    plain = sentence(Imputation({}, 0.6, rests_on), "voice", lang="zh")
    assert sure[0] == (
        "The voice was not heard; as far as the face tells, it is probably louder than usual, raised in pitch and fast "
        "(inferred)."
    )
    assert unsure[1] == "voice unheard, possibly louder than usual and fast (inferred)"
    assert plain[0] == "未听到声音；就面部来看，声音很可能与平常相近（推断）。"


def test_inferred_evidence_is_never_weighed_or_in_conflict() -> None:
    smile = evidence("face", "smile_with_cheeks", strength=1.0, confidence=0.9)
    case = integrate(timeline([smile], SILENT), IntegrateConfig(conflict_above=0.0))
    assert {ev.id for ev in case.inferred} == {"IAE-01"}
    assert not any(ev.inferred for ev in case.evidence)
    assert not any(set(conflict.between) & {ev.id for ev in case.inferred} for conflict in case.conflicts)
    assert case.weights["voice"] == 0.0


def test_an_inference_does_not_rest_on_an_inference() -> None:
    guessed = replace(VOICE[0], inferred=True)
    assert inferred([guessed], UNSEEN)[0].expert == "impute"


def test_nothing_is_inferred_from_nothing() -> None:
    line = timeline([], {"face": "no face", "voice": "no sound", "words": "no words"})
    assert list(infer_missing(line, missing_modalities(line), None, lang="en")) == []
