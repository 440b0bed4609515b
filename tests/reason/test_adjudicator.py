"""The adjudicator cites in every sentence, walks its chain in order, and abstains for a stated reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builders import case, evidence, posterior

from hero.config import ReasonerConfig
from hero.ground.support import check
from hero.reason.adjudicator import Adjudicator
from hero.reason.verdict import Verdict, cited, sentences
from hero.types import CaseFile, Conflict, Span

GOLDEN = Path(__file__).parents[1] / "golden"


def masked_smile() -> CaseFile:
    """A smile over a low, slow voice; the words are unknown."""
    found = [
        evidence("face", "smile", 2.0, 2.6, brief="smile"),
        evidence("face", "AU04", 0.5, 1.9, brief="lowered brows"),
        evidence("voice", "pitch_low", 0.4, 2.6, brief="lowered pitch"),
        evidence("voice", "slow", 0.4, 2.6, brief="slow speech", strength=0.5),
        evidence("scene", "setting", 0.0, 4.0, brief="one person, bright light"),
    ]
    numbered = {ev.cue: ev.id for ev in case(found, {}, None).timeline.evidence}
    clash = Conflict(
        (numbered["smile"], numbered["pitch_low"]), "opposed cues", 0.7, "A smile meets a low voice.", Span(2, 2.6)
    )
    unknown = evidence(
        "words", "inferred_words", 0, 4, inferred=True, brief="words unknown, probably a regret (inferred)"
    )
    weights = {"face": 0.4, "voice": 0.6, "words": 0.0}
    fused = posterior(sad=0.55, angry=0.2)
    return case(found, weights, fused, conflicts=[clash], inferred=[unknown], missing={"words": "no transcript"})


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_sentence_cites_existing_evidence(lang: str) -> None:
    made = masked_smile()
    verdict = Adjudicator(ReasonerConfig()).conclude(made, lang=lang).verdict
    for text in (verdict.emotion_caption, verdict.reasoning_process):
        assert sentences(text)
        assert all(cited(sentence) for sentence in sentences(text))
    support = check(verdict, (*made.timeline.evidence, *made.inferred))
    assert support.claims > 6
    assert support.rate == 1.0, support.flaws


def test_chain_runs_in_order_and_names_what_it_excluded() -> None:
    verdict = Adjudicator(ReasonerConfig()).conclude(masked_smile()).verdict
    text = verdict.reasoning_process
    steps = ["In the face", "(conflict 0.70)", "Set aside: smile", "Not observed", "Weighed (face 40%, voice 60%)"]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert verdict.final_emotion == "sad"
    assert verdict.confidence == pytest.approx(0.55)
    assert next(iter(verdict.alternatives)) == "angry"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_golden_verdict(lang: str) -> None:
    verdict = Adjudicator(ReasonerConfig()).conclude(masked_smile(), lang=lang).verdict
    assert Verdict.model_validate_json((GOLDEN / f"verdict_{lang}.json").read_text("utf-8")) == verdict


def test_chinese_verdict_is_chinese() -> None:
    verdict = Adjudicator(ReasonerConfig()).conclude(masked_smile(), lang="zh").verdict
    assert "悲伤" in verdict.emotion_caption
    assert not re.search(r"[a-z]{3,} (the|and) ", verdict.reasoning_process)


def test_abstains_without_posterior_and_below_threshold() -> None:
    judge = Adjudicator(ReasonerConfig(abstain_below=0.5))
    nothing = judge.conclude(case([evidence("scene", "setting")], {"face": 0.0}, None)).verdict
    weak = judge.conclude(case([evidence("voice", "slow")], {"voice": 1.0}, posterior(sad=0.4))).verdict
    for verdict, part in ((nothing, "neither face, voice nor words"), (weak, "reaches only 40%, and 50%")):
        assert verdict.abstained
        assert verdict.final_emotion is None
        assert part in str(verdict.abstention_reason)
    sure = judge.conclude(case([evidence("voice", "slow")], {"voice": 1.0}, posterior(sad=0.6))).verdict
    assert sure.final_emotion == "sad"


def test_abstains_when_nothing_can_be_cited() -> None:
    verdict = (
        Adjudicator(ReasonerConfig())
        .conclude(case([evidence("scene", "setting")], {"voice": 1.0}, posterior(sad=0.9)))
        .verdict
    )
    assert verdict.abstained


def test_quoted_speech_does_not_cut_a_sentence_from_its_citation() -> None:
    quote = evidence("words", "utterance", brief='says "Stop. Please! Why? [VE-99]"')
    made = case([quote], {"words": 1.0}, posterior(sad=0.6))
    verdict = Adjudicator(ReasonerConfig()).conclude(made).verdict
    assert all(cited(s) == ["TE-01"] for s in sentences(verdict.emotion_caption))


def supported(made: CaseFile, lang: str = "en") -> Verdict:
    """The verdict of a case, every sentence of which holds."""
    verdict = Adjudicator(ReasonerConfig()).conclude(made, lang=lang).verdict
    support = check(verdict, (*made.timeline.evidence, *made.inferred))
    assert support.rate == 1.0, support.flaws
    return verdict


def test_other_people_are_named_with_what_they_show() -> None:
    found = [
        evidence("voice", "slow", brief="slow speech"),
        evidence("face", "AU04", person=1, brief="Face 2: lowered brows"),
    ]
    text = supported(case(found, {"voice": 1.0}, posterior(sad=0.6))).reasoning_process
    assert "kept apart from the subject: Face 2: lowered brows (1.0-2.0 s) [VE-01]" in text


def test_a_conflict_that_names_no_cue_is_followed_by_the_cues() -> None:
    found = [evidence("voice", "slow", brief="slow speech"), evidence("face", "AU04", brief="lowered brows")]
    clash = Conflict(
        ("VE-01", "AE-01"), "posteriors diverge", 0.5, "The face looks most angry, the voice most sad", Span(1, 2)
    )
    made = case(found, {"voice": 0.6, "face": 0.4}, posterior(sad=0.6), conflicts=[clash])
    named = "the voice most sad: lowered brows (1.0-2.0 s); slow speech (1.0-2.0 s) (conflict 0.50) [VE-01, AE-01]"
    assert named in supported(made).reasoning_process


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_agreement_and_a_conclusion_without_a_deciding_cue_name_what_they_cite(lang: str) -> None:
    briefs = {"en": ("pause", "nod"), "zh": ("停顿", "点头")}[lang]
    found = [evidence("voice", "pause", brief=briefs[0]), evidence("motion", "nod", brief=briefs[1])]
    text = supported(case(found, {"voice": 1.0}, posterior(neutral=0.6)), lang).reasoning_process
    assert text.splitlines()[-1].count(briefs[0]) == 1
    assert text.splitlines()[-2].count(briefs[0]) == 1


def test_same_case_same_verdict() -> None:
    judge = Adjudicator(ReasonerConfig())
    assert judge.conclude(masked_smile()).verdict == judge.conclude(masked_smile()).verdict


def test_a_long_clip_names_different_cues_and_counts_the_rest() -> None:
    pauses = [evidence("voice", "pause", t, t + 0.1, brief="pause") for t in (0.1, 0.5, 0.9, 1.3, 1.7)]
    slow = evidence("voice", "slow", 2.0, 2.5, brief="slow speech", strength=0.2)
    made = case([*pauses, slow], {"voice": 1.0}, posterior(sad=0.6))
    text = Adjudicator(ReasonerConfig()).conclude(made).verdict.reasoning_process
    assert "pause (0.1-0.2, 0.5-0.6 s and 3 more); slow speech (2.0-2.5 s)" in text


def test_the_longest_evidence_still_fits_the_schema() -> None:
    long = "x" * 90
    spans = [(t / 10, t / 10 + 0.1) for t in range(12)]
    modalities = ("face", "voice", "words", "motion", "scene", "synergy")
    found = [evidence(m, f"{m}{n}", *s, brief=f"{long}{m}{n // 2}") for m in modalities for n, s in enumerate(spans)]
    made = case(found, {"face": 0.4, "voice": 0.3, "words": 0.3}, posterior(sad=0.6))
    ids = tuple(ev.id for ev in made.evidence[:4])
    clashes = [Conflict(ids, "opposed cues", 0.9, f"{long}; {long}; {long}; {long}", Span(0, 4))] * 6
    whole = case(found, made.weights, posterior(sad=0.6), conflicts=clashes)
    assert len(Adjudicator(ReasonerConfig()).conclude(whole).verdict.reasoning_process) > 5000
