"""OpenFace 2 tables: the real one there and back, and every way in which made ones are wrong."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from au_tables import openface_rows, write

from hero.errors import InputError
from hero.observe.au.openface import read_openface
from hero.observe.au.schema import AU_R, COLUMNS, as_tracks, peak
from hero.report.au_table import au_table


def column(table, name: str) -> np.ndarray:
    return np.where(table.mask, table.values, np.nan)[:, COLUMNS.index(name)]


def test_the_real_table_goes_there_and_back(hero_data: Path, tmp_path: Path) -> None:
    path = hero_data / "openface" / "OpenFace_Test.csv"
    first = read_openface(path)
    with path.open() as file:
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    truth = np.array(rows, float)
    (table,) = first.tables
    assert table.values.shape == (100, 35) and table.mask.all()
    written = tmp_path / "written.csv"
    written.write_text(au_table(as_tracks(first.tables)), "utf-8")
    (again,) = read_openface(written).tables
    for name in COLUMNS:
        theirs = truth[:, header.index(name)]
        np.testing.assert_allclose(column(table, name), theirs, rtol=1e-6)
        # the writer keeps four decimals
        np.testing.assert_allclose(column(again, name), theirs, rtol=0, atol=5.1e-5 if name in AU_R else 0)
    np.testing.assert_array_equal(again.times_s, truth[:, header.index("timestamp")])
    np.testing.assert_array_equal(again.success, truth[:, header.index("success")] == 1)
    np.testing.assert_allclose(again.confidence, truth[:, header.index("confidence")], atol=5.1e-5)
    assert again.pose is not None
    np.testing.assert_allclose(
        np.radians(-again.pose.column("pitch_deg")[0]), truth[:, header.index("pose_Rx")], atol=1e-4
    )
    second = tmp_path / "second.csv"
    second.write_text(au_table(as_tracks([again])), "utf-8")
    assert second.read_text() == written.read_text(), "once written, nothing changes any more"


def test_failed_and_unsure_rows_keep_their_place_but_count_for_nothing(tmp_path: Path) -> None:
    rows = openface_rows(6, smile=(0, 6))
    rows[1]["success"], rows[2]["confidence"] = 0, 0.5
    read = read_openface(write(tmp_path / "a.csv", rows))
    (table,) = read.tables
    assert len(table.times_s) == 6
    assert table.mask.any(axis=1).tolist() == [True, False, False, True, True, True]
    assert table.success is not None and table.success.tolist() == [True, False, True, True, True, True]
    assert table.pose is not None and not table.pose.mask[1].any()
    assert any("1 of 6 rows without success" in n for n in read.notes)
    assert any("1 rows with a confidence below 0.8" in n for n in read.notes)
    assert read_openface(tmp_path / "a.csv", min_confidence=0.4).tables[0].mask[2].any()
    back = tmp_path / "b.csv"
    back.write_text(au_table(as_tracks(read.tables)))
    (again,) = read_openface(back).tables
    np.testing.assert_array_equal(again.success, table.success)
    np.testing.assert_array_equal(again.mask, table.mask)


def test_cells_that_are_no_number_are_masked(tmp_path: Path) -> None:
    rows = openface_rows(8)
    rows[0]["AU12_r"], rows[1]["AU12_r"], rows[2]["AU12_r"], rows[3]["AU12_r"] = "nan", "inf", "", "-nan(ind)"
    (table,) = read_openface(write(tmp_path / "a.csv", rows)).tables
    assert table.mask[:, COLUMNS.index("AU12_r")].tolist() == [False] * 4 + [True] * 4
    assert table.mask[:4, COLUMNS.index("AU12_c")].all() and np.isfinite(table.values).all()


def test_several_faces_give_one_table_each(tmp_path: Path) -> None:
    near = openface_rows(10, face_id=3, pose_Tz=400)
    far = openface_rows(10, face_id=0, pose_Tz=1600, AU12_r=0.2)
    for row in far[8:]:
        row["success"] = 0
    mixed = [row for pair in zip(far, near, strict=True) for row in pair]
    read = read_openface(write(tmp_path / "a.csv", mixed))
    assert [t.face for t in read.tables] == [0, 1]
    assert column(read.tables[1], "AU12_r")[0] == pytest.approx(0.2), "face_id 0 is farther away: another person"
    assert any("main one is face_id 3" in n for n in read.notes)
    assert not any("repeat a time" in n for n in read.notes)
    back = tmp_path / "b.csv"
    back.write_text(au_table(as_tracks(read.tables)))
    again = read_openface(back)
    for old, new in zip(read.tables, again.tables, strict=True):
        np.testing.assert_array_equal(old.success, new.success)
        np.testing.assert_allclose(old.values, new.values, atol=1e-4)
    shorter = [*openface_rows(2, face_id=5), *openface_rows(9, face_id=1)]
    assert any("main one is face_id 1" in n for n in read_openface(write(tmp_path / "c.csv", shorter)).notes)


def test_missing_unit_columns_are_masked_and_named(tmp_path: Path) -> None:
    read = read_openface(write(tmp_path / "a.csv", openface_rows(4), without=("AU45_r", "AU28_c")))
    assert not read.tables[0].mask[:, [COLUMNS.index("AU45_r"), COLUMNS.index("AU28_c")]].any()
    assert "not in the table, so masked: AU45_r, AU28_c" in read.notes


def test_without_confidence_no_row_is_masked_for_it(tmp_path: Path) -> None:
    read = read_openface(write(tmp_path / "a.csv", openface_rows(4), without=("confidence",)))
    (table,) = read.tables
    assert table.mask.all() and table.confidence is not None and np.isnan(table.confidence).all()
    assert any("no confidence" in n for n in read.notes)
    bare = read_openface(write(tmp_path / "b.csv", openface_rows(4), without=("confidence", "success", "face_id")))
    assert bare.tables[0].mask.all() and any("no success" in n for n in bare.notes)


def test_times_come_from_frames_where_there_are_no_timestamps(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", openface_rows(4), without=("timestamp",))
    assert read_openface(path, fps=10).tables[0].times_s.tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    with pytest.raises(InputError, match=r"`frame` alone gives no time; say the frame rate"):
        read_openface(path)
    still = write(tmp_path / "b.csv", openface_rows(4, timestamp=0))
    assert read_openface(still, fps=10).tables[0].times_s[-1] == pytest.approx(0.3)
    with pytest.raises(InputError, match=r"neither `timestamp` nor `frame`.*the columns are AU01_r, AU02_r"):
        read_openface(write(tmp_path / "c.csv", openface_rows(4), without=("timestamp", "frame")))


def test_unsorted_double_and_missing_times_are_put_right_and_said(tmp_path: Path) -> None:
    rows = openface_rows(6)
    for index, row in enumerate(rows):
        row["AU04_r"] = index / 10
    rows[4]["timestamp"], rows[5]["timestamp"] = rows[3]["timestamp"], "nan"
    rows[0], rows[2] = rows[2], rows[0]
    read = read_openface(write(tmp_path / "a.csv", rows))
    (table,) = read.tables
    assert table.times_s.tolist() == pytest.approx([0, 0.04, 0.08, 0.12])
    assert column(table, "AU04_r").tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    said = " ".join(read.notes)
    assert "sorted" in said and "1 rows repeat a time" in said and "1 rows without a time" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the table is empty"),
        (b"\n \n", "the table is empty"),
        (b"frame, timestamp, confidence, success, AU01_r\n", "a header but no row"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary data"),
        (b"AU01_r,timestamp\n1,0\n1,2,3\n1,1\n", "row 2 has 3 cells, the header has 2"),
        (b"AU01_r,timestamp\n0,5,0,04\n0,5,0,08\n", "decimal commas, separate the cells with semicolons"),
        (b"AU01_r,timestamp,AU01_r\n1,0,1\n", "column 'AU01_r' stands twice"),
        (b"AU01,timestamp\n0.5,0\n", "set source: pyfeat"),
        (b"name,label\na,b\n", r"no action unit column .* among name, label; run FeatureExtraction with -aus"),
        (b"AU01_r,timestamp\n1,-3\n1,nan\n", "no row of the table has a time from 0 on"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_cure(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_openface(path)


def test_a_missing_file_and_a_folder_are_input_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_openface(path)


@pytest.mark.parametrize(
    ("encoding", "delimiter", "decimal"),
    [("utf-8-sig", ",", "."), ("utf-16", ",", "."), ("utf-8", ";", ","), ("utf-8", "\t", ".")]
)  # fmt: skip
def test_other_ways_of_writing_the_same_numbers(tmp_path: Path, encoding: str, delimiter: str, decimal: str) -> None:
    rows = openface_rows(5, AU04_r=1.25)
    lines = [delimiter.join(rows[0])] + [
        delimiter.join(str(v).replace(".", decimal) for v in row.values()) for row in rows
    ]
    path = tmp_path / "a.csv"
    path.write_text("\r\n".join(lines) + delimiter, encoding)  # a delimiter too many at the end is forgiven
    (table,) = read_openface(path).tables
    assert column(table, "AU04_r").tolist() == [1.25] * 5 and table.times_s[1] == pytest.approx(0.04)


def test_a_cut_off_last_row_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", openface_rows(5))
    path.write_text(path.read_text()[:-60])
    read = read_openface(path)
    assert len(read.tables[0].times_s) == 4 and "the last row is cut off and was left out" in read.notes


def test_a_blink_does_not_move_the_peak(tmp_path: Path) -> None:
    rows = openface_rows(10, smile=(3, 4))
    rows[8] |= {"AU45_r": 5, "AU45_c": 1}
    found = peak(read_openface(write(tmp_path / "a.csv", rows)).tables[0])
    assert found is not None and found.index == 3 and math.isclose(found.level, 4.0)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_table_is_read_or_refused_and_nothing_else(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = write(tmp_path / "a.csv", openface_rows(8))
    whole = bytearray(path.read_bytes())
    for _ in range(10):
        broken = bytearray(whole)
        for place in rng.integers(0, len(broken), rng.integers(1, 30)):
            broken[place] = rng.integers(0, 256)
        path.write_bytes(broken[: rng.integers(0, len(broken) + 1)])
        try:
            read = read_openface(path, fps=25)
        except InputError as error:
            assert str(path) in error.line
        else:
            assert all(np.isfinite(t.values).all() and (np.diff(t.times_s) > 0).all() for t in read.tables)
