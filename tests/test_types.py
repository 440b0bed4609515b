"""The shared nouns refuse what cannot be, and number evidence by time and modality."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builders import evidence, timeline

from hero.types import Absence, Evidence, Observation, Span, Track, number_evidence


@pytest.mark.parametrize(("start_s", "end_s"), [(-1, 0), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_span_refuses(start_s: float, end_s: float) -> None:
    with pytest.raises(ValueError, match="span needs"):
        Span(start_s, end_s)


def test_span_overlap() -> None:
    assert Span(0, 2).overlap_s(Span(1, 3)) == 1
    assert Span(0, 1).overlap_s(Span(1, 2)) == 0


def test_track_masks_what_is_not_finite_and_hides_what_is_masked() -> None:
    track = Track("x", np.array([[1.0, np.nan], [3.0, 4.0]]), np.array([0.0, 1.0]), np.array([True, False]), ("a", "b"))
    assert track.mask.tolist() == [[True, False], [False, False]]
    assert track.values.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert track.valid.tolist() == [True, False]
    assert track.within(Span(0.5, 2)).times_s.tolist() == [1.0]


@pytest.mark.parametrize(
    ("times", "columns", "message"),
    [([0, 1], ("a",), "columns"), ([1, 0], ("a", "b"), "backwards"), ([0], ("a", "b"), "mask")],
)
def test_track_refuses(times: list[float], columns: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Track("x", np.zeros((2, 2)), np.array(times), np.ones((2, 2), bool), columns)


def test_ids_follow_time_and_modality() -> None:
    found = [evidence("voice", "slow", 2), evidence("face", "smile", 1), evidence("voice", "fast", 0, 1),
             evidence("words", "inferred_words", inferred=True), evidence("synergy", "lips_match")]  # fmt: skip
    assert {ev.cue: ev.id for ev in number_evidence(found)} == {
        "fast": "AE-01", "slow": "AE-02", "smile": "VE-01", "inferred_words": "ITE-01", "lips_match": "SE-01"
    }  # fmt: skip


def test_evidence_round_trip() -> None:
    (ev,) = number_evidence([evidence("face", "smile", measures={"AU12": 2.5})])
    assert Evidence.from_json(json.loads(json.dumps(ev.as_json()))) == ev


def test_absent_expert_brings_nothing() -> None:
    with pytest.raises(ValueError, match="absent"):
        Observation("face", "face", evidence=(evidence("face", "smile"),), absent=Absence("face", "no face"))


def test_timeline_as_json_lines() -> None:
    line = timeline([evidence("face", "smile")], {"voice": "no sound"})
    rows = [json.loads(row) for row in line.to_jsonl().splitlines()]
    assert [row["type"] for row in rows] == ["clip", "absent", "evidence"]
    assert [absence.expert for absence in line.absent] == ["voice"]
