"""The CREMA-D reader: three conditions per clip, ties marked, every actor in one fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hero.data.formats import cremad
from hero.errors import InputError

ROWS = (
    '"","A","D","F","H","N","S","fileName"',
    '"100001",5,0,0,0,4,0,"1001_IEO_ANG_XX"',
    '"200001",9,1,0,0,0,0,"1001_IEO_ANG_XX"',
    '"300001",4,4,0,0,1,0,"1001_IEO_ANG_XX"',
    '"100002",0,0,0,8,1,0,"1002_IEO_HAP_LO"',
    '"200002",0,0,0,9,0,0,"1002_IEO_HAP_LO"',
    '"300002",0,0,0,9,0,1,"1002_IEO_HAP_LO"',
    '"100003",0,0,0,8,1,0,"1002_IEO_SAD_LO"',
)


def _write(folder: Path, rows: tuple[str, ...], folds: str) -> Path:
    (folder / "cremad_votes").mkdir()
    (folder / "cremad_votes" / "tabulatedVotes.csv").write_text("\n".join(rows) + "\n")
    (folder / "cremad_votes" / "folds.csv").write_text(folds)
    return folder


def test_votes_of_clips_judged_three_times(tmp_path: Path) -> None:
    votes = cremad.votes(_write(tmp_path, ROWS, "actor,fold\n1001,2\n1002,0\n"))
    assert votes.clip_ids == ("1001_IEO_ANG_XX", "1002_IEO_HAP_LO")  # the third lacks face and both
    assert votes.voice[0].tolist() == [5, 0, 0, 0, 4, 0] and votes.face[0].tolist() == [9, 1, 0, 0, 0, 0]
    assert votes.folds.tolist() == [2, 0] and votes.actors.tolist() == [1001, 1002]
    assert cremad.majority(votes.both).tolist() == [cremad.TIED, 3]
    assert votes.take(cremad.majority(votes.both) != cremad.TIED).clip_ids == ("1002_IEO_HAP_LO",)


def test_errors_name_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no CREMA-D table"):
        cremad.votes(tmp_path)
    data = _write(tmp_path, ROWS, "actor,fold\n1001,2\n")
    with pytest.raises(InputError, match=r"actors \[1002\] have votes but no fold"):
        cremad.votes(data)
    (data / "cremad_votes" / "tabulatedVotes.csv").write_text("\n".join([ROWS[0], '"400001",1,0,0,0,0,0,"1001_X"']))
    with pytest.raises(InputError, match="row '400001' has no condition"):
        cremad.votes(data)


def test_real_votes(hero_data: Path) -> None:
    votes = cremad.votes(hero_data)
    assert len(votes.clip_ids) == 7442
    assert int((cremad.majority(votes.both) != cremad.TIED).sum()) == 7022
    for actor in np.unique(votes.actors):
        assert len(set(votes.folds[votes.actors == actor])) == 1
