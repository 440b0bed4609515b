"""The GoEmotions reader: indicators, single-label comments, and lines that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero.data.formats import goemotions
from hero.errors import InputError


def _write(folder: Path, text: str) -> Path:
    ekman = folder / "goemotions" / "ekman"
    ekman.mkdir(parents=True)
    (ekman / "labels.txt").write_text("anger\ndisgust\nfear\n")
    (ekman / "dev.tsv").write_text(text, encoding="utf-8")
    return folder


def test_comments(tmp_path: Path) -> None:
    data = _write(tmp_path, "No way\t0,2\tid1\nodd\u2028break\u0085here\t1\tid2\n")
    comments = goemotions.comments(data, "dev")
    assert comments.texts == ("No way", "odd\u2028break\u0085here")  # not split at exotic line separators
    assert comments.indicators.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert comments.single.tolist() == [False, True]
    assert comments.ids == ("id1", "id2") and comments.classes == ("anger", "disgust", "fear")


@pytest.mark.parametrize(
    ("text", "message"),
    [("no tabs here\n", "line 1 has 1 columns"), ("a\t7\tid\n", r"classes \[7\]; allowed are 0..2")],
)
def test_lines_that_do_not_fit(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        goemotions.comments(_write(tmp_path, text), "dev")


def test_missing_split(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no GoEmotions file ekman/train\.tsv"):
        goemotions.comments(_write(tmp_path, "a\t0\tid\n"), "train")


def test_real_splits(hero_data: Path) -> None:
    sizes = [len(goemotions.comments(hero_data, split).texts) for split in ("train", "dev", "test")]
    assert sizes == [43410, 5426, 5427]
    assert len(goemotions.comments(hero_data, "dev", grouping="original").classes) == 28
