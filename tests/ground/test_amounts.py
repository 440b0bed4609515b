"""Numbers with units and times of sentences against what evidence measured."""

from __future__ import annotations

import pytest
from builders import evidence

from hero.ground.amounts import amounts, times, unmeasured
from hero.types import number_evidence

PITCH = number_evidence(
    [
        evidence(
            "voice",
            "pitch_high",
            1.0,
            2.3,
            measures={"f0_semitones": 7.62},
            text="Pitch 7.6 semitones above.",
            brief="raised pitch",
        )
    ]
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7.6 semitones", [(7.6, "semitones")]),
        ("more than seven seconds", [(7.0, "s")]),
        ("每秒只有 1.7 个音节", [(1.7, "syllables/s")]),
        ("高出七个多半音", [(7.0, "semitones")]),
        ("AU12 3.5 for 1.2 s", [(3.5, "AU12"), (1.2, "s")]),
        ("two faces, 34 %", [(34.0, "%"), (2.0, "people")]),
        ('"10 dB" in quotes', []),
    ],
)
def test_numbers_are_read_with_their_units(text: str, found: list[tuple[float, str]]) -> None:
    assert [(amount.value, amount.unit) for amount in amounts(text)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lowered brows (2.7-3.3, 5.3-5.7 s and 1 more)", [(2.7, 3.3), (5.3, 5.7)]),
        ("Between 3.6 and 5.1 s", [(3.6, 5.1)]),
        ("from 2.0 s to 4.6 s", [(2.0, 4.6)]),
        ("从 1.4 秒起", [(1.4, 1.4)]),
        ("at about 7 s", [(7.0, 7.0)]),
        ("for 1.3 s at 1.7 syllables per second", []),
    ],
)
def test_times_of_the_clock_are_told_from_lengths(text: str, found: list[tuple[float, float]]) -> None:
    assert [(moment.start_s, moment.end_s) for moment in times(text)] == found


@pytest.mark.parametrize(
    "text", ["7.6 semitones", "8 semitones", "about 7 semitones", "for 1.3 s", "at 1.5 s", "1.0-2.3 s"]
)
def test_what_was_measured_passes_with_the_tolerance_of_its_rounding(text: str) -> None:
    assert unmeasured(text, PITCH) is None


@pytest.mark.parametrize(
    "text", ["15.2 semitones", "7.4 semitones", "4 dB", "for 2.6 s", "at 3.5 s", "1.0-3.3 s", "在 0.5 秒处"]
)
def test_what_was_not_measured_is_named(text: str) -> None:
    wrong = unmeasured(text, PITCH)
    assert wrong is not None
    assert wrong.split(" ")[0] in text


def test_a_count_that_nobody_took_is_let_pass_and_a_wrong_one_is_not() -> None:
    assert unmeasured("two people", PITCH) is None
    setting = number_evidence(
        [evidence("scene", "setting", measures={"people": 1.0}, text="One shot.", brief="one face in view")]
    )
    assert unmeasured("two people", setting) == "two people"
    assert unmeasured("one person", setting) is None
