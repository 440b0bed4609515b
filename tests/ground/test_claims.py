"""Sentences of any author against evidence: true ones pass, contradictions and strangers are told apart."""

from __future__ import annotations

import time

import numpy as np
import pytest
from builders import evidence

from hero.ground.support import Flaw, check
from hero.reason.verdict import Verdict
from hero.types import Evidence, Track, number_evidence

FOUND = {
    ev.cue: ev
    for ev in number_evidence(
        [
            evidence(
                "face",
                "AU02",
                0.6,
                1.9,
                brief="raised brows",
                text="Brows clearly raised (AU02 2.2) for 1.3 s.",
                measures={"AU02": 2.2},
            ),
            evidence("face", "AU04", 2.7, 3.3, brief="lowered brows", text="Brows lowered.", measures={"AU04": 1.5}),
            evidence(
                "face",
                "smile_without_cheeks",
                3.6,
                5.0,
                brief="smile without raised cheeks",
                text="Smile.",
                measures={"AU12": 3.5, "AU06": 0.7},
            ),
            evidence(
                "voice",
                "pitch_high",
                0.5,
                1.8,
                brief="raised pitch",
                text="Pitch 7.6 semitones above.",
                measures={"f0_semitones": 7.62},
            ),
            evidence(
                "voice",
                "slow",
                4.1,
                5.2,
                brief="slow speech",
                text="Slow speech, 2.6 syllables/s.",
                measures={"rate_syl_s": 2.61},
            ),
            evidence(
                "words", "utterance", 0.5, 1.7, brief='"The letter came."', text='The speaker says: "The letter came."'
            ),
            evidence("voice", "crying", 5.5, 6.5, brief="crying", text="Crying or sobbing."),
            evidence(
                "words", "confession", 7.0, 8.0, brief='"I cried."', text='The speaker says: "I cried all night."'
            ),
            evidence("voice", "strange", 2.0, 3.0, brief="a quiver", text="The voice trembles.", measures={}),
            evidence(
                "voice",
                "melody",
                0.5,
                1.8,
                brief="pitch",
                text="Pitch against the usual.",
                measures={"f0_semitones": -3.1},
            ),
            evidence("face", "smile", 6.0, 7.0, brief="Face 2: smile", text="Face 2: Smile.", person=1),
            evidence(
                "words",
                "inferred_words",
                0.0,
                8.0,
                brief="words unknown (inferred)",
                text="The words are unknown.",
                inferred=True,
            ),
        ]
    )
}


def flaw(sentence: str, *cues: str, tracks: dict[str, Track] | None = None) -> Flaw | None:
    """What is wrong with a sentence that cites evidence of these cues."""
    cite = f" [{', '.join(FOUND[cue].id for cue in cues)}{', inferred' if FOUND[cues[0]].inferred else ''}]"
    row = {"emotion_caption": sentence + cite, "evidence_summary": [{"id": "AE-01", "text": "x"}]}
    verdict = Verdict.model_validate({**row, "reasoning_process": "x", "final_emotion": "sad", "confidence": 0.5})
    flaws = check(verdict, FOUND.values(), tracks).flaws
    return next((one for one in flaws if one.field == "emotion_caption"), None)


@pytest.mark.parametrize(
    ("sentence", "cues"),
    [
        ("The eyebrows shoot up for 1.3 s while the pitch jumps by more than seven semitones", ["AU02", "pitch_high"]),
        ("音调升高，眉毛扬起", ["pitch_high", "AU02"]),
        ("A frown from 2.7 to 3.3 s", ["AU04"]),
        ("She smiles, but her cheeks do not rise", ["smile_without_cheeks"]),
        ("嘴角在笑，脸颊却没有抬起", ["smile_without_cheeks"]),
        ('He says "The letter came"', ["utterance"]),
        ("He talks of a letter", ["utterance"]),
        ("The slow delivery speaks for sadness", ["slow"]),
        ("I conclude sadness", ["slow"]),
        ("The voice is shaky", ["strange"]),
        ("What was said is unknown", ["inferred_words"]),
        ("Another face smiles", ["smile"]),
        ("After the smile, the brows go up", ["AU02"]),
        ("A face with raised brows is in view", ["AU02"]),
        ("Sobbing is heard, and tears run down the cheeks", ["crying"]),
        ("传来哭声", ["crying"]),
        ("No tears are seen while the brows rise", ["AU02"]),
        ("She says that she cried in the night", ["confession"]),
    ],
)
def test_true_sentences_pass(sentence: str, cues: list[str]) -> None:
    assert flaw(sentence, *cues) is None


@pytest.mark.parametrize(
    ("sentence", "cues", "about"),
    [
        ("The brows are lowered", ["AU02"], "brows are lowered"),
        ("The brows are not raised", ["AU02"], "brows are not raised"),
        ("眉毛压低", ["AU02"], "眉毛压低"),
        ("Her pitch drops", ["pitch_high"], "pitch drops"),
        ("raised pitch", ["melody"], "raised pitch"),
        ("The pitch rises by 4 semitones", ["pitch_high"], "4 semitones"),
        (
            "raised brows (2.7-3.3 s); lowered brows (0.6-1.9 s)",
            ["AU02", "AU04"],
            "raised brows (2.7-3.3 s); lowered brows (0.6-1.9 s)",
        ),
        ("mouth corners turn downward, he weeps", ["smile_without_cheeks"], "mouth corners turn downward; weeps"),
        ("A smile with raised cheeks", ["smile_without_cheeks"], "raised cheeks"),
        ("He speaks quickly", ["slow"], "speaks quickly"),
        ('He says "The letter burned"', ["utterance"], "The letter burned"),
        ("The voice is steady", ["strange"], "voice is steady"),
    ],
)
def test_contradictions_are_found(sentence: str, cues: list[str], about: str) -> None:
    found = flaw(sentence, *cues)
    assert found is not None
    assert (found.problem, found.about) == ("contradicted", about)


@pytest.mark.parametrize(
    ("sentence", "cues", "blamed"),
    [
        ("The brows are raised", ["slow"], ""),
        ("raised brows", ["AU02", "slow"], "slow"),
        ("In the voice: slow speech", ["slow", "pitch_high"], "pitch_high"),
        ("He is a liar", ["slow"], "slow"),
        ("I conclude happiness", ["slow"], "slow"),
        ("She smiles", ["smile"], ""),
        ("Not observed: the face", ["inferred_words"], "inferred_words"),
        ("She laughs", ["slow"], ""),
    ],
)
def test_strangers_are_found(sentence: str, cues: list[str], blamed: str) -> None:
    found = flaw(sentence, *cues)
    assert found is not None
    assert (found.problem, found.id) == ("unrelated", FOUND[blamed].id if blamed else "")


@pytest.mark.parametrize(
    ("sentence", "about"),
    [
        ("Tears run down the cheeks", "Tears run down"),
        ("A smile without raised cheeks, and his eyes are watery", "eyes are watery"),
        ("微笑，眼泪流下", "眼泪"),
        ("微笑，声音哽咽", "哽咽"),
        ("Her cheeks are red as she smiles", "cheeks are red"),
        ("He smiles, sweating", "sweating"),
        ("A smile with trembling hands", "trembling hands"),
        ("微笑，双手微微发抖", "双手微微发抖"),
        ("A smile over clenched fists", "clenched fists"),
        ("微笑，握紧拳头", "拳头"),
        ("A smile through gritted teeth", "gritted teeth"),
        ("The smile comes with dilated pupils", "pupils"),
        ("微笑，瞳孔放大", "瞳孔"),
        ("She smiles and swallows", "swallows"),
        ("A smile, arms crossed", "arms crossed"),
        ("A smile and a shrug", "shrug"),
    ],
)
def test_signs_that_nobody_measures_have_no_evidence(sentence: str, about: str) -> None:
    found = flaw(sentence, "smile_without_cheeks")
    assert found is not None
    assert (found.problem, found.about, found.id) == ("unrelated", about, "")


def lip_corners(level: float) -> dict[str, Track]:
    """A face's track in which AU12 stays at one level for 8 s."""
    times_s = np.arange(0, 8, 0.1)
    return {"face.au": Track("au", np.full(80, level), times_s, np.ones(80, bool), ("AU12_r",), "FACS level 0..5")}


def test_a_track_denies_what_no_evidence_was_written_about() -> None:
    assert (flaw("She smiles", "slow") or Flaw("", "", "uncited")).problem == "unrelated"
    denied = flaw("She smiles", "slow", tracks=lip_corners(0.1))
    assert denied is not None
    assert denied.problem == "contradicted"
    between = flaw("She smiles", "slow", tracks=lip_corners(0.7))
    assert between is not None
    assert between.problem == "unrelated"
    shown = flaw("There is no smile while he speaks slowly", "slow", tracks=lip_corners(3.0))
    assert shown is not None
    assert shown.problem == "contradicted"
    assert flaw("There is no smile while he speaks slowly", "slow", tracks=lip_corners(0.1)) is None


def test_a_label_that_no_cue_leans_to_is_not_judged() -> None:
    line = [{"id": FOUND["slow"].id, "text": "slow speech"}]
    row = {
        "emotion_caption": f"He is worried [{FOUND['slow'].id}].",
        "evidence_summary": line,
        "reasoning_process": "x",
    }
    verdict = Verdict.model_validate({**row, "final_emotion": "worried", "confidence": 0.5, "label_set": "mer6"})
    flaws = check(verdict, FOUND.values()).flaws
    assert [one.field for one in flaws] == ["reasoning_process"]


def test_a_sentence_of_twenty_thousand_letters_is_judged_quickly() -> None:
    endless = "the brows are raised and not lowered, the voice falls at 3.0 s (1.0-2.0 s), " * 260
    began = time.perf_counter()
    assert flaw(endless[:1900], "AU02") is not None
    row = {
        "emotion_caption": "x",
        "evidence_summary": [{"id": "AE-01", "text": "x"}],
        "reasoning_process": endless[:19_900],
    }
    verdict = Verdict.model_validate({**row, "final_emotion": "sad", "confidence": 0.5})
    cited = verdict.model_copy(update={"reasoning_process": f"{endless[:19_900]} [{FOUND['AU02'].id}]."})
    assert any(one.problem == "contradicted" for one in check(cited, FOUND.values(), lip_corners(0.1)).flaws)
    assert time.perf_counter() - began < 5


def test_an_unmarked_inference_is_told_from_a_marked_one() -> None:
    bare: Evidence = FOUND["inferred_words"]
    line = {"id": bare.id, "text": "the words"}
    row = {
        "emotion_caption": f"The words are unknown [{bare.id}].",
        "evidence_summary": [line],
        "reasoning_process": "x",
    }
    verdict = Verdict.model_validate({**row, "final_emotion": "sad", "confidence": 0.5})
    problems = [one.problem for one in check(verdict, FOUND.values()).flaws]
    assert problems == ["inferred cited as observed", "uncited", "inferred cited as observed"]
