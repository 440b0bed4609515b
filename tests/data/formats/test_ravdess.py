"""The RAVDESS reader: folds by actor, the guesses of another tool left out, empty cells kept apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hero.data.formats import ravdess
from hero.errors import InputError

HEADER = (
    "f0_mean,cpp_mean,file,anger_mean,AU01_mean,mouth_openness_mean,neutral_std,AU01_std,emotion,intensity,actor,gender"
)


def _table(folder: Path, *rows: str) -> Path:
    (folder / "ravdess_av_features").mkdir()
    (folder / "ravdess_av_features" / "combined_summary.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return folder


def test_feature_table_keeps_measurements_only(tmp_path: Path) -> None:
    data = _table(
        tmp_path,
        "100.0,,01-01-05-01-01-01-17,0.9,0.2,28.0,0.1,0.05,angry,1,17,male",
        ",1.0,01-01-02-02-01-01-04,0.9,0.4,30.0,0.1,0.07,calm,2,4,female",
    )
    table = ravdess.feature_table(data)
    assert table.columns == ("f0_mean", "AU01_mean", "mouth_openness_mean", "AU01_std")
    assert np.isnan(table.values[1, 0]) and table.values[0, 0] == 100.0
    assert [ravdess.EMOTIONS[k] for k in table.labels] == ["angry", "calm"]
    assert table.folds.tolist() == [4, 0] and table.intensities.tolist() == [1, 2]
    assert table.select("aus").tolist() == [[0.2, 0.05], [0.4, 0.07]]
    assert table.select("mouth", "acoustics").shape == (2, 2)
    assert table.column("AU01_std").tolist() == [0.05, 0.07]


def test_folds_never_split_an_actor_and_are_equally_large() -> None:
    folds = ravdess.fold_of(np.arange(1, 21))
    assert np.bincount(folds).tolist() == [4] * ravdess.FOLDS
    assert folds.tolist() == sorted(folds.tolist())


def test_speech_clips(tmp_path: Path) -> None:
    folder = tmp_path / "ravdess_speech"
    folder.mkdir()
    (folder / "metadata.csv").write_text(
        "file,emotion,intensity,statement,repetition,actor\n"
        "Actor_03/03-01-06-02-01-01-03.flac,fearful,strong,Dogs are sitting by the door,1,3\n"
    )
    (clip,) = ravdess.speech_clips(tmp_path)
    assert (clip.clip_id, clip.emotion, clip.actor, clip.intensity) == ("03-01-06-02-01-01-03", "fearful", 3, "strong")
    assert clip.path == folder / "Actor_03" / "03-01-06-02-01-01-03.flac"


def test_errors_name_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no RAVDESS table ravdess_av_features/combined_summary\.csv"):
        ravdess.feature_table(tmp_path)
    data = _table(tmp_path, "1,1,01-01-05-01-01-01-17,0,0,0,0,0,bored,1,17,male")
    with pytest.raises(InputError, match="emotion 'bored'; allowed are neutral, calm"):
        ravdess.feature_table(data)


def test_real_table(hero_data: Path) -> None:
    table = ravdess.feature_table(hero_data)
    assert table.values.shape == (300, 109)
    assert [table.select(g).shape[1] for g in ("aus", "mouth", "acoustics")] == [40, 2, 67]
    assert np.bincount(table.folds).tolist() == [60] * 5
    speech = {clip.clip_id for clip in ravdess.speech_clips(hero_data)}
    assert len(speech) == 1200 and {"03" + clip[2:] for clip in table.clip_ids} <= speech
