"""What the page and Markdown tell alike: support, the way to the verdict, an abstention's reason once, no turned text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sample

from hero.phrases import phrases
from hero.report.exports import export

FORMS = ("html", "md")
TURNED = "\u202etext\u2066\u200f"


def told(form: str, result: dict[str, Any], lang: str = "en") -> str:
    """What a reader of a report in this form sees, without marks and escapes."""
    text = export(form, result, {}, {}, lang=lang)
    text = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", "", text).replace("\\", "")
    return " ".join(text.replace("&#34;", '"').split())


@pytest.mark.parametrize("form", FORMS)
def test_support_is_told_in_words(form: str) -> None:
    text = told(form, sample.of_a_language_model(sample.result()))
    assert "1 of 4 statements are supported by the evidence they cite." in text
    assert "Statements without support" in text
    for said, why in (
        ("Tears run down", "none of the evidence it cites is about: “Tears run down”"),
        ("He is calm.", "it cites no evidence"),
        ("low brows", "it cites VE-02 (lowered brows) and says nothing about it"),
    ):
        assert said in text and why in text
    assert "emotion_caption" not in text and "unrelated" not in text and "uncited" not in text


@pytest.mark.parametrize("form", FORMS)
def test_support_is_told_in_chinese(form: str) -> None:
    text = told(form, sample.of_a_language_model(sample.result(lang="zh")), "zh")
    assert "4 条陈述中有 1 条得到所引证据的支持。" in text
    assert "所引证据均未涉及：“Tears run down”" in text and "未引用任何证据" in text
    assert "emotion_caption" not in text


@pytest.mark.parametrize(
    "problem", ["uncited", "unknown id", "inferred cited as observed", "contradicted", "unrelated"]
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_problem_has_words(problem: str, lang: str) -> None:
    result = sample.result(lang=lang)
    flaw = {"field": "emotion_caption", "sentence": "So.", "problem": problem, "id": "VE-77", "about": "this"}
    result["support"]["problems"] = [flaw]
    text = told("md", result, lang)
    assert f"{phrases('report', lang).say('caption')}: So.: " in text
    assert problem not in text


@pytest.mark.parametrize("form", FORMS)
def test_the_way_to_the_verdict_is_told(form: str) -> None:
    text = told(form, sample.of_a_language_model(sample.result()))
    for part in ("language-model", "qwen2.5-0.5b-instruct", "held to its schema while it was written", "uncalibrated"):
        assert part in text
    assert re.search(r"Soft tokens:? ?32", text)
    assert text.count("words fell back to none") == 1
    shares = re.search(r"Probabilities of the labels:? ?(.{0,40})", text)
    assert shares and re.match(r"sad ?(0\.750, neutral 0\.125|75\.0 % ?neutral ?12\.5 %)", shares[1])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "reasoning",
    [None, "old", {}, {"model": 3, "decode": [], "soft_tokens": True, "probabilities": {"sad": "x", "b": 7}}],
)
def test_older_and_foreign_results_stay_readable(form: str, reasoning: Any) -> None:
    result = sample.result()
    result["provenance"]["reasoning"] = reasoning
    result["support"]["problems"] = ["said so", {"field": "x"}, ["a", "b"]]
    text = told(form, result)
    assert "said so" in text and "a · b" in text
    assert "Soft tokens" not in text and "Probabilities of the labels" not in text


@pytest.mark.parametrize("form", FORMS)
def test_an_abstention_gives_its_reason_once(form: str) -> None:
    result = sample.result(abstained=True)
    sentence = "No verdict: the evidence is too weak."
    result["verdict"] |= {"emotion_caption": sentence, "reasoning_process": sentence, "evidence_summary": []}
    result["support"] = {"claims": 0, "supported": 0, "rate": 1.0, "problems": []}
    text = told(form, result)
    assert text.count("the evidence is too weak") == 1
    assert "Reasoning" not in text and "What is seen and heard" not in text


@pytest.mark.parametrize("form", FORMS)
def test_an_abstention_with_a_reasoning_of_its_own_keeps_it(form: str) -> None:
    result = sample.result(abstained=True)
    result["verdict"]["emotion_caption"] = "No verdict: the evidence is too weak."
    text = told(form, result)
    assert text.count("the evidence is too weak") == 1
    assert "Reasoning" in text and "it is read as masking" in text
    result["verdict"]["reasoning_process"] = result["verdict"]["emotion_caption"] = "Nothing can be said."
    assert told(form, result).count("Nothing can be said.") == 1


@pytest.mark.parametrize("form", ["html", "md", "srt", "eaf", "json"])
@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["evidence"][0].update(text=f"He says {TURNED}"),
        lambda r: r["verdict"].update(emotion_caption=f"A {TURNED} [VE-02]."),
        lambda r: r["clip"].update(name=f"{TURNED}.mp4"),
    ],
)
def test_no_mark_turns_the_direction_of_a_report(form: str, change: Callable[[dict[str, Any]], None]) -> None:
    result = sample.result()
    change(result)
    text = export(form, result, {}, {})
    assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f]", text)
