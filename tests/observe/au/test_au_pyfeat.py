"""py-feat: its real tables, made ones, and its detector as a stand-in module."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from au_tables import MadeClip, openface_rows, pyfeat_rows, write

from hero.errors import InputError, UsageError
from hero.observe.au import pyfeat
from hero.observe.au.schema import COLUMNS, as_tracks, peak
from hero.report.au_table import au_table

AU04_R, AU04_C, AU45_C = (COLUMNS.index(name) for name in ("AU04_r", "AU04_c", "AU45_c"))


def test_the_real_tables_convert(hero_data: Path, tmp_path: Path) -> None:
    paths = sorted((hero_data / "news_aus").glob("0*.csv"))
    assert len(paths) == 20
    for path in paths:
        (table,) = pyfeat.read_pyfeat(path, fps=25).tables
        with path.open() as file:
            rows = list(csv.DictReader(file))
        assert len(table.times_s) == len(rows)
        np.testing.assert_allclose(table.times_s, [int(row["frame"]) / 25 for row in rows])
        assert table.mask.all(), "all of the schema's 18 units are among py-feat's 20"
        for theirs, ours in (("AU04", "AU04"), ("AU12", "AU12"), ("AU43", "AU45")):
            p = np.array([float(row[theirs]) for row in rows])
            np.testing.assert_allclose(table.values[:, COLUMNS.index(f"{ours}_r")], 5 * p, rtol=1e-5)
            np.testing.assert_array_equal(table.values[:, COLUMNS.index(f"{ours}_c")], p >= 0.5)
        assert peak(table) is not None
    (tmp_path / "a.csv").write_text(au_table(as_tracks([table])))
    with (tmp_path / "a.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [float(row["AU12_c"]) for row in written] == table.values[:, COLUMNS.index("AU12_c")].tolist()


def test_frames_need_a_rate(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="say the frame rate"):
        pyfeat.read_pyfeat(write(tmp_path / "a.csv", pyfeat_rows()), fps=None)


def test_low_scores_and_frames_without_a_face_are_masked(tmp_path: Path) -> None:
    rows = pyfeat_rows(5)
    rows[1]["FaceScore"] = 0.5
    rows[3] |= dict.fromkeys([k for k in rows[3] if k.startswith(("AU", "Face"))], "")
    read = pyfeat.read_pyfeat(write(tmp_path / "a.csv", rows, blank=False), fps=25)
    (table,) = read.tables
    assert table.mask.any(axis=1).tolist() == [True, False, True, False, True]
    assert table.success is not None and table.success.tolist() == [True, True, True, False, True]
    assert any("FaceScore below 0.8" in n for n in read.notes)


def test_identities_give_a_table_each(tmp_path: Path) -> None:
    rows = []
    for row in pyfeat_rows(6):
        rows += [row | {"Identity": "Person_1", "FaceRectWidth": 40}, row | {"Identity": "Person_0", "AU04": 0.2}]
    rows.append(pyfeat_rows(7)[6] | {"Identity": "nan", "AU04": ""} | {f"AU{n:02d}": "" for n in range(1, 44)})
    read = pyfeat.read_pyfeat(write(tmp_path / "a.csv", rows), fps=25)
    main, other = read.tables
    assert main.values[0, AU04_R] == pytest.approx(1.0) and other.values[0, AU04_R] == pytest.approx(4.5)
    assert len(main.times_s) == 7 and len(other.times_s) == 6
    assert any("the main one is Person_0" in n for n in read.notes)


def test_without_identities_the_largest_face_is_taken(tmp_path: Path) -> None:
    rows = [r for row in pyfeat_rows(4) for r in (row | {"FaceRectWidth": 20, "AU04": 0.1}, row)]
    read = pyfeat.read_pyfeat(write(tmp_path / "a.csv", rows), fps=25)
    (table,) = read.tables
    assert table.values[:, AU04_C].tolist() == [1.0] * 4
    assert any("the largest face of each frame was taken" in n for n in read.notes)


def test_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="set source: openface"):
        pyfeat.read_pyfeat(write(tmp_path / "a.csv", openface_rows(3)), fps=25)


class Fex(dict):
    """The little of a data frame that is asked for."""

    columns = property(lambda self: list(self))


def stand_in(monkeypatch: pytest.MonkeyPatch, detect: object) -> None:
    module = ModuleType("feat")
    module.Detector = type("Detector", (), {"detect": detect} if detect else {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "feat", module)


def test_the_detector_runs_in_batches_on_the_clips_own_times(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    seen = []

    def detect(self, inputs, data_type, batch_size):
        assert data_type == "tensor" and inputs.dtype == torch.float32 and inputs.shape[1] == 3
        assert float(inputs.max()) == 90, "colours are 0..255"
        seen.append(batch_size)
        frames = [i for i in range(len(inputs)) for _ in range(2)]
        sides = [90, 10] * len(inputs)
        return Fex({"frame": frames, "FaceRectWidth": sides, "FaceRectHeight": sides,
                    "AU04": [0.8, 0.1] * len(inputs), "FaceScore": [0.99] * len(frames), "input": ["t"]})  # fmt: skip

    stand_in(monkeypatch, detect)
    clip = MadeClip(Path("a.mp4"), 4.5, picture_s=0.5)
    (table,) = pyfeat.detect(clip.frames(fps=5, max_side=320)).tables
    assert seen == [16, 4]
    np.testing.assert_allclose(table.times_s, 0.5 + np.arange(20) / 5)
    np.testing.assert_allclose(table.values[:, AU04_R], 4.0, rtol=1e-6)
    assert not table.mask[:, AU45_C].any()


def test_a_detector_that_fails_or_is_old_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")

    def detect(self, *_, **__):
        raise OSError("no route to huggingface.co")

    frames = list(MadeClip(Path("a.mp4")).frames(fps=5))
    stand_in(monkeypatch, detect)
    with pytest.raises(UsageError, match=r"could not detect faces .*no route.*give the table it wrote"):
        pyfeat.detect(frames)
    stand_in(monkeypatch, None)
    with pytest.raises(UsageError, match=r"older than 0\.7"):
        pyfeat.detect(frames)
    monkeypatch.setitem(sys.modules, "feat", None)
    with pytest.raises(UsageError, match=r"cannot be imported.*pip install"):
        pyfeat.detect(frames)


def test_whether_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "feat", raising=False)
    assert pyfeat.available() is None
    (tmp_path / "feat.py").write_text("")
    assert pyfeat.available() == "unknown version"
