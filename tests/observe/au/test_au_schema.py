"""One schema: its columns, its scales, its peak, and the way to a track and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hero.errors import UsageError
from hero.observe.au.schema import AU_C, AU_R, COLUMNS, SCALES, AUTable, as_tracks, peak, to_schema
from hero.observe.face import action_units
from hero.report import au_table
from hero.types import Track


def table(levels: dict[str, list[float]], masked: dict[str, list[int]] | None = None) -> AUTable:
    count = len(next(iter(levels.values())))
    values, mask = np.zeros((count, 35)), np.zeros((count, 35), bool)
    for name, column in levels.items():
        values[:, COLUMNS.index(name)], mask[:, COLUMNS.index(name)] = column, True
    for name, rows in (masked or {}).items():
        mask[rows, COLUMNS.index(name)] = False
    return AUTable(np.arange(count) / 25, values, mask, "openface")


def test_columns_are_defined_once() -> None:
    assert len(AU_R) == 17 and len(AU_C) == 18 and len(COLUMNS) == 35
    assert "AU28_c" in COLUMNS and "AU28_r" not in COLUMNS
    assert action_units.AU_R is AU_R and action_units.AU_C is AU_C
    assert au_table.AU_INTENSITY is AU_R and au_table.AU_PRESENCE is AU_C
    assert [c for c in au_table.COLUMNS if c.startswith("AU")] == list(COLUMNS)


def test_intensities_keep_their_scale_and_absent_columns_are_masked() -> None:
    values, mask, notes = to_schema(
        {"AU12_r": np.array([0.0, 2.5, 5.0]), "AU12_c": np.array([0.0, 1.0, 1.0])}, "openface", 3
    )
    assert values[:, COLUMNS.index("AU12_r")].tolist() == [0.0, 2.5, 5.0]
    assert mask.sum() == 6 and not mask[:, COLUMNS.index("AU01_r")].any()
    assert "AU01_r" in notes[0] and "AU12_r" not in notes[0]


def test_probabilities_become_presences_and_five_times_themselves() -> None:
    values, mask, _ = to_schema(
        {"AU12": np.array([0.2, 0.5, np.nan]), "AU43": np.array([0.9, 0.0, 0.0]), "AU28": np.array([0.7, 0.1, 0.1]),
         "AU11": np.ones(3)}, "pyfeat", 3)  # fmt: skip

    def column(name: str) -> list[float]:
        return values[:, COLUMNS.index(name)].tolist()

    assert column("AU12_r")[:2] == [1.0, 2.5] and column("AU12_c")[:2] == [0.0, 1.0]
    assert not mask[2, COLUMNS.index("AU12_r")] and not mask[2, COLUMNS.index("AU12_c")]
    assert column("AU45_r") == [4.5, 0.0, 0.0] and column("AU45_c") == [1.0, 0.0, 0.0], "43, eyes closed, is our 45"
    assert column("AU28_c") == [1.0, 0.0, 0.0]
    assert mask.any(axis=0).sum() == 5, "AU11 lies outside the schema"
    assert SCALES["pyfeat"].meaning == "probability"


def test_numbers_outside_the_scale_are_not_believed() -> None:
    columns = {"AU04_r": np.array([5.05, 7.0, -1.0, 3.0]), "AU04_c": np.array([0.0, 0.7, 1.0, 2.0])}
    values, mask, notes = to_schema(columns, "openface", 4)
    assert mask[:, COLUMNS.index("AU04_r")].tolist() == [True, False, False, True]
    assert values[0, COLUMNS.index("AU04_r")] == 5.0
    assert mask[:, COLUMNS.index("AU04_c")].tolist() == [True, False, True, False]
    assert "4 action unit cells" in notes[-1]
    assert not to_schema({"AU04": np.array([1.4])}, "pyfeat", 1)[1].any()


def test_peak_is_the_greatest_sum_without_the_blink_and_without_masked_cells() -> None:
    found = peak(table({"AU12_r": [1, 2, 3, 0], "AU06_r": [1, 2, 0, 0], "AU45_r": [0, 0, 0, 5]}))
    assert found is not None and (found.index, found.level) == (1, 4.0) and found.time_s == pytest.approx(0.04)
    masked = peak(table({"AU12_r": [1, 2, 3, 0], "AU06_r": [1, 2, 0, 0]}, {"AU06_r": [1], "AU12_r": [1]}))
    assert masked is not None and masked.index == 2
    assert peak(table({"AU45_r": [0, 5], "AU12_c": [1, 1]})) is None


def test_a_track_comes_back_as_the_same_table() -> None:
    before = table({"AU12_r": [1, 2], "AU28_c": [0, 1]}, {"AU12_r": [0]})
    after = AUTable.from_track(before.as_track(), "openface")
    np.testing.assert_array_equal(after.mask, before.mask)
    np.testing.assert_array_equal(after.values, before.values)
    shuffled = Track("au", np.array([[3.0, 1.0]]), np.zeros(1), np.ones((1, 2), bool), ("AU12_c", "AU04_r"))
    assert AUTable.from_track(shuffled, "mediapipe").values[0, COLUMNS.index("AU04_r")] == 1.0
    with pytest.raises(UsageError, match=r"track 'pose' has no column of the action unit schema"):
        AUTable.from_track(Track("pose", np.zeros((1, 1)), np.zeros(1), np.ones(1), ("yaw_deg",)), "openface")


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        AUTable(np.zeros(2), np.zeros((2, 35)), np.ones((2, 35)), "openface", confidence=np.zeros(3))
    with pytest.raises(ValueError, match="34 columns but 35 names"):
        AUTable(np.zeros(2), np.zeros((2, 34)), np.ones((2, 34)), "openface")


def test_on_clock_moves_and_cuts_everything_together() -> None:
    moved = table({"AU12_r": [1, 2, 3, 4]}).on_clock(-0.04, 0.07)
    assert moved.times_s.tolist() == pytest.approx([0.0, 0.04]) and moved.values[
        :, COLUMNS.index("AU12_r")
    ].tolist() == [2, 3]
    assert moved.success is not None and len(moved.success) == 2


def test_tracks_for_the_writer_are_named_by_face() -> None:
    first, second = table({"AU12_r": [1, 2]}), table({"AU12_r": [0, 0]})
    named = as_tracks([first, AUTable(second.times_s, second.values, second.mask, "openface", 1)])
    assert set(named) == {"face.au", "face.quality", "face.au_person1", "face.quality_person1"}
    assert math.isnan(first.confidence[0]) and not named["face.quality"].column("confidence")[1].any()  # type: ignore[index]
