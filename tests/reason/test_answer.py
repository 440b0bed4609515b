"""A language model's answer: what the schema admits, what the reader takes and refuses, and which verdict comes of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from builders import case, evidence, posterior

from hero.errors import VerdictError
from hero.ground.support import check
from hero.label_sets import LabelSet, label_set
from hero.labels import LABELS
from hero.reason.answer import (
    abstention,
    answer_prefix,
    answer_schema,
    candidates,
    most_bytes,
    read_answer,
    repair_request,
    to_verdict,
)
from hero.reason.verdict import cited, sentences
from hero.types import number_evidence

SEVEN, OPEN = label_set("ekman7"), label_set("open")
EVIDENCE = number_evidence(
    [evidence("face", "AU04"), evidence("voice", "pitch_low"), evidence("words", "inferred_words", inferred=True)]
)
GOOD: dict[str, Any] = {
    "emotion_caption": "The man looks sad, his brows 1.2 s down [VE-01].",
    "evidence_summary": [{"id": "VE-01", "text": "lowered brows"}, {"id": "AE-01", "text": "low pitch"}],
    "reasoning_process": "Brows and voice agree [VE-01, AE-01]. The words are not known [ITE-01, inferred].",
    "final_emotion": "sad",
}
CHANCES = {label: 0.6 if label == "sad" else 0.3 if label == "angry" else 0.02 for label in LABELS}
STRUCTURE = {"uncited", "unknown id", "inferred cited as observed"}


def _answer(**changes: object) -> str:
    return json.dumps({**GOOD, **changes}, ensure_ascii=False)


def _pattern(field: str, lang: str = "en", labels: LabelSet = SEVEN) -> re.Pattern[str]:
    fields = answer_schema(EVIDENCE, labels, lang=lang, with_label=True)["properties"]
    return re.compile(fields[field]["pattern"])


# --- the schema ---


def test_fields_stand_in_the_order_of_the_spec() -> None:
    schema = answer_schema(EVIDENCE, SEVEN, with_label=True)
    assert list(schema["properties"]) == list(GOOD) == schema["required"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["final_emotion"] == {"type": "string", "enum": list(SEVEN.labels)}
    assert "final_emotion" not in answer_schema(EVIDENCE, SEVEN)["properties"]


def test_only_observed_evidence_stands_in_the_summary() -> None:
    items = answer_schema(EVIDENCE, SEVEN)["properties"]["evidence_summary"]["items"]
    assert items["properties"]["id"]["enum"] == ["VE-01", "AE-01"]


@pytest.mark.parametrize(
    "text",
    ["Brows down [VE-01].", "At 1.2 s, e.g in his voice (low) [AE-01, VE-01].", "Words [ITE-01, inferred].",
     "Both [VE-01] [ITE-01, inferred]. And more [AE-01].", "Она грустит; 他说“好” [VE-01]."],
)  # fmt: skip
def test_sentences_that_fit(text: str) -> None:
    assert _pattern("reasoning_process").search(text)


@pytest.mark.parametrize(
    "text",
    ["Brows down.", "Brows down [VE-02].", "Brows down [VE-01]", "Words [ITE-01].", "Words [VE-01, inferred].",
     "One. Two [VE-01].", "One! Two [VE-01].", "Say \"no\" [VE-01].", "A\nline [VE-01].", "a [x] b [VE-01].",
     " Blank [VE-01].", "[VE-01].", "Brows [VE-01]. Uncited.", "Brows [VE-01].  Two blanks [VE-01].", "x" * 200 + " [VE-01].",
     "back\\slash [VE-01].", "All [VE-01, VE-01, VE-01, VE-01, VE-01, VE-01].", "空白。更多 [VE-01]."],
)  # fmt: skip
def test_sentences_that_do_not_fit(text: str) -> None:
    assert not _pattern("reasoning_process").search(text)


def test_chinese_sentences_end_in_their_own_stop() -> None:
    pattern = _pattern("reasoning_process", "zh")
    assert pattern.search("眉毛压低，1.2 秒 [VE-01]。言语未知 [ITE-01, 推断]。")
    assert not pattern.search("眉毛压低 [VE-01].")
    assert not pattern.search("言语未知 [ITE-01, inferred]。")


def test_a_caption_has_at_most_two_sentences() -> None:
    pattern = _pattern("emotion_caption")
    assert pattern.search("One [VE-01]. Two [AE-01].")
    assert not pattern.search("One [VE-01]. Two [AE-01]. Three [VE-01].")


def test_an_open_label_is_a_word_or_three() -> None:
    pattern = _pattern("final_emotion", labels=OPEN)
    assert all(pattern.search(word) for word in ("wistful", "bitter-sweet", "quiet inner joy", "悲喜交加", "légère"))
    assert not any(pattern.search(word) for word in ("", "sad!", "a b c d", " sad", "s4d", "x" * 30))


def test_whatever_the_patterns_take_is_read_back_as_sentences_that_cite() -> None:
    text = "At 1.2 s e.g a.b brows [VE-01, AE-01]. Words [VE-01] [ITE-01, inferred]."
    assert _pattern("reasoning_process").search(text)
    assert [cited(sentence) for sentence in sentences(text)] == [["VE-01", "AE-01"], ["VE-01", "ITE-01"]]


def test_without_observed_evidence_there_is_nothing_to_ask_for() -> None:
    with pytest.raises(VerdictError, match="no observed evidence"):
        answer_schema(EVIDENCE[2:], SEVEN)


def test_the_longest_answer_stays_within_six_thousand_bytes() -> None:
    many = number_evidence([evidence("face", "AU04", i, i + 1) for i in range(99)])
    assert most_bytes(many, OPEN, with_label=True) < 6300
    assert most_bytes(many, OPEN, lang="zh", with_label=True) < 6300
    assert most_bytes(EVIDENCE, OPEN, with_label=True) > most_bytes(EVIDENCE, SEVEN, with_label=True)


# --- reading ---


def test_reads_an_answer_bare_fenced_and_among_prose() -> None:
    bare = read_answer(_answer(), SEVEN, with_label=True)
    assert bare.final_emotion == "sad"
    assert bare.evidence_summary[1].id == "AE-01"
    for text in (
        f"```json\n{_answer()}\n```",
        f"Here {{as asked}} it is:\n{_answer()}\nThat is all {{}}.",
        f'<think>{{"final_emotion": "angry"}} hm</think>\n{_answer()}',
        f'{{"answer": {_answer()}}}',
    ):
        assert read_answer(text, SEVEN, with_label=True) == bare


def test_a_label_that_was_not_asked_for_is_left_out() -> None:
    assert read_answer(_answer(final_emotion="whatever"), SEVEN, with_label=False).final_emotion is None
    short = {name: value for name, value in GOOD.items() if name != "final_emotion"}
    assert read_answer(json.dumps(short), SEVEN, with_label=False).final_emotion is None
    assert read_answer(_answer(final_emotion=7), SEVEN, with_label=False).final_emotion is None
    assert read_answer(_answer(final_emotion="wistful"), OPEN, with_label=False).final_emotion is None


def test_a_label_of_the_set_that_was_not_asked_for_is_kept_for_the_check_of_contradiction() -> None:
    assert read_answer(_answer(final_emotion="Happy "), SEVEN, with_label=False).final_emotion == "happy"


def test_a_label_is_spelled_as_the_set_spells_it() -> None:
    assert read_answer(_answer(final_emotion=" Sad "), SEVEN, with_label=True).final_emotion == "sad"
    assert read_answer(_answer(final_emotion="Wistful"), OPEN, with_label=True).final_emotion == "Wistful"


@pytest.mark.parametrize(
    ("word", "label"),
    [("Angry", "angry"), ("ANGRY", "angry"), ("Disgusted", "disgust"), ("fearful", "fear"), ("Surprised", "surprise"),
     ("愤怒", "angry"), ("平静", "neutral")],
)  # fmt: skip
def test_an_open_word_for_a_common_label_is_that_label(word: str, label: str) -> None:
    answer = read_answer(_answer(final_emotion=word), OPEN, with_label=True)
    assert answer.final_emotion == label
    for one in (answer, replace(answer, final_emotion=word)):
        words = candidates(one, OPEN)
        assert words[0] == label and sorted(words) == sorted(LABELS)
        verdict = to_verdict(one, CHANCES, OPEN, lang="en", abstain_below=0.0)
        assert (verdict.final_emotion, verdict.confidence) == (label, CHANCES[label])


@pytest.mark.parametrize("word", ["Wistful", "happiness", "ÄRGER", "Angry-sad", "愤怒的"])
def test_candidates_of_an_open_set_differ_in_more_than_case(word: str) -> None:
    words = candidates(read_answer(_answer(final_emotion=word), OPEN, with_label=True), OPEN)
    assert words == (word, *LABELS)
    assert len({each.casefold() for each in words}) == 8


def test_an_id_that_the_summary_names_twice_is_kept_once() -> None:
    twice = [{"id": "VE-01", "text": "first"}, {"id": "VE-01", "text": "second"}]
    assert [
        item.text for item in read_answer(_answer(evidence_summary=twice), SEVEN, with_label=True).evidence_summary
    ] == ["first"]


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", "no JSON object"),
        ("I feel that he is sad.", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ('{"mood": "sad"}', "no JSON object"),
        (_answer()[:-1], "ends before it is complete"),
        (_answer()[:80], "ends before it is complete"),
        (_answer().replace(', "evidence', ' "evidence'), "cannot be read"),
        ('{"emotion_caption":' * 5000, "ends before|cannot be read"),
        (_answer() + _answer(), "2 JSON objects"),
        (_answer(mood="sad"), '"mood" is not allowed'),
        (_answer(emotion_caption=3), "must be a text, and it is a number"),
        (_answer(emotion_caption=" "), "has 0 characters"),
        (_answer(reasoning_process="x" * 20_001), "20001 characters"),
        (_answer(reasoning_process=None), "it is null"),
        (_answer(emotion_caption="a\x00b"), r"U\+0000"),
        (_answer().replace("The man", "\\ud800"), r"U\+D800"),
        (_answer(evidence_summary=[]), "list of one or more"),
        (_answer(evidence_summary="VE-01"), "it is a text"),
        (_answer(evidence_summary=["VE-01"]), '"id": ...'),
        (_answer(evidence_summary=[{"id": "VE-01"}]), '"id": ...'),
        (_answer(evidence_summary=[{"id": "smile", "text": "x"}]), "no evidence id"),
        (_answer(final_emotion="bored"), "must be one of: angry, disgust"),
        (_answer(final_emotion=None), "it is null"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "final_emotion"}), '"final_emotion" is missing'),
    ],
)
def test_what_cannot_be_used_is_named(text: str, flaw: str) -> None:
    with pytest.raises(VerdictError, match=flaw) as raised:
        read_answer(text, SEVEN, with_label=True)
    assert raised.value.line in repair_request(str(raised.value))
    assert len(raised.value.line) < 300


# --- on to the verdict ---


def test_the_prefix_is_what_the_canonical_answer_begins_with() -> None:
    answer = read_answer(_answer(), SEVEN, with_label=True)
    assert answer_prefix(answer) + 'sad"}' == _answer()
    strange = read_answer(_answer(emotion_caption='He says "好"\n[VE-01].'), SEVEN, with_label=True)
    assert json.loads(answer_prefix(strange) + '"}')["emotion_caption"] == 'He says "好"\n[VE-01].'


@pytest.mark.parametrize("said", [None, "sad"])
def test_probabilities_decide_over_a_closed_set(said: str | None) -> None:
    answer = replace(read_answer(_answer(), SEVEN, with_label=True), final_emotion=said)
    verdict = to_verdict(answer, CHANCES, SEVEN, lang="en", abstain_below=0.3)
    assert (verdict.final_emotion, verdict.confidence) == ("sad", 0.6)
    assert verdict.alternatives == {"angry": 0.3}
    assert verdict.label_set == "ekman7"
    assert not STRUCTURE & {flaw.problem for flaw in check(verdict, EVIDENCE).flaws}


@pytest.mark.parametrize(
    ("lang", "reason"),
    [("en", "the answer says happy, its own probabilities say sad"),
     ("zh", "回答写的是 happy，而它自己给出的概率最高的是 sad")],
)  # fmt: skip
@pytest.mark.parametrize("least", [0.0, 0.7])
def test_an_answer_that_contradicts_its_own_probabilities_is_no_verdict(lang: str, reason: str, least: float) -> None:
    answer = read_answer(_answer(final_emotion="Happy"), SEVEN, with_label=True)
    verdict = to_verdict(answer, CHANCES, SEVEN, lang=lang, abstain_below=least)
    assert verdict.abstained and verdict.final_emotion is None
    assert verdict.abstention_reason == reason and reason in verdict.emotion_caption
    assert (verdict.confidence, verdict.alternatives) == (0.6, {"sad": 0.6, "angry": 0.3})
    assert verdict.reasoning_process == answer.reasoning_process


def test_a_written_label_that_is_as_probable_as_the_first_is_no_contradiction() -> None:
    answer = read_answer(_answer(final_emotion="surprise"), SEVEN, with_label=True)
    verdict = to_verdict(answer, dict.fromkeys(LABELS, 1 / 7), SEVEN, lang="en", abstain_below=0.0)
    assert verdict.final_emotion == "surprise"


def test_below_the_asked_confidence_it_abstains_with_the_reason() -> None:
    answer = read_answer(_answer(), SEVEN, with_label=True)
    verdict = to_verdict(answer, CHANCES, SEVEN, lang="en", abstain_below=0.7)
    assert verdict.abstained and verdict.final_emotion is None
    assert "60%" in str(verdict.abstention_reason) and "70%" in str(verdict.abstention_reason)
    assert verdict.alternatives == {"sad": 0.6, "angry": 0.3}
    assert verdict.emotion_caption != answer.emotion_caption
    assert to_verdict(answer, CHANCES, SEVEN, lang="en", abstain_below=0.6).final_emotion == "sad"


def test_in_an_open_set_the_answers_own_word_stands_with_its_probability() -> None:
    answer = read_answer(_answer(final_emotion="wistful"), OPEN, with_label=True)
    words = candidates(answer, OPEN)
    assert words == ("wistful", *LABELS)
    chances = dict.fromkeys(words, 0.05) | {"wistful": 0.25, "sad": 0.45}
    verdict = to_verdict(answer, chances, OPEN, lang="zh", abstain_below=0.0)
    assert (verdict.final_emotion, verdict.confidence, verdict.lang) == ("wistful", 0.25, "zh")
    assert verdict.alternatives["sad"] == 0.45
    known = read_answer(_answer(final_emotion="sad"), OPEN, with_label=True)
    assert sorted(candidates(known, OPEN)) == sorted(LABELS)


def test_candidates_of_a_closed_set_are_its_labels() -> None:
    assert candidates(read_answer(_answer(), SEVEN, with_label=True), label_set("mer6")) == label_set("mer6").labels


@pytest.mark.parametrize("chances", [{}, {**CHANCES, "sad": float("nan")}, {**CHANCES, "sad": 1.5}])
def test_without_probabilities_there_is_no_verdict(chances: dict[str, float]) -> None:
    with pytest.raises(VerdictError, match="no probability"):
        to_verdict(read_answer(_answer(), SEVEN, with_label=True), chances, SEVEN, lang="en", abstain_below=0.0)


def test_an_open_answer_must_name_its_emotion() -> None:
    answer = read_answer(_answer(), OPEN, with_label=False)
    with pytest.raises(VerdictError, match="must name its emotion"):
        to_verdict(answer, dict.fromkeys(LABELS, 1 / 7), OPEN, lang="en", abstain_below=0.0)


def test_an_abstention_lists_what_was_observed_and_claims_nothing() -> None:
    found = [evidence("face", "AU04", i, i + 1.0) for i in range(9)]
    made = case(found, {"face": 1.0}, posterior(sad=0.9), inferred=EVIDENCE[2:])
    verdict = abstention(made, "the model did not answer", SEVEN, lang="en")
    assert verdict.abstained and verdict.abstention_reason == "the model did not answer"
    assert verdict.confidence == 0.0
    assert [item.id for item in verdict.evidence_summary] == [ev.id for ev in made.evidence[:6]]
    assert check(verdict, made.evidence).flaws == ()
    assert abstention(case([], {}, None), "没有证据", OPEN, lang="zh").evidence_summary == ()
