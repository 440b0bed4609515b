"""The file of one clip: what stands in it, and what is said of files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import evidence

from hero.errors import InputError, OutputError
from hero.observe import tensor_file
from hero.observe.timeline_file import read_header, read_timeline, shapes, write_timeline
from hero.types import Absence, Observation, Timeline, Track, number_evidence


def made() -> Timeline:
    track = Track("features", np.ones((3, 4)), np.arange(3.0), np.array([True, False, True]), tuple("abcd"), "feature")
    found = (evidence("voice", "pause", 1 / 3, 2 / 3),)
    seen = {
        "voice": Observation("voice", "voice", {"features": track}, found),
        "face": Observation("face", "face", absent=Absence("face", "no face", "show one")),
    }
    return Timeline({"name": "a.mp4", "duration_s": 3.0}, seen, number_evidence(found))


def test_a_file_is_plain_safetensors_with_named_arrays(tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "a.safetensors"
    write_timeline(path, made(), {"preset": "p"})
    with safe_open(path, "numpy") as file:
        assert set(file.keys()) == {f"voice.features.{part}" for part in ("values", "times_s", "mask")}
        assert list(file.metadata()) == ["hero"]
    assert shapes(path) == {"voice.features": [3, 4]}
    header = read_header(path)
    assert header["preset"] == "p"
    assert [row["expert"] for row in header["experts"]] == ["voice", "face"]
    back = read_timeline(path)
    assert back.evidence == made().evidence
    assert back.absent == made().absent
    assert back.tracks["voice.features"].valid.tolist() == [True, False, True]


def test_the_same_timeline_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_timeline(tmp_path / name, made())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_files_are_refused_with_the_cure(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    tensor_file.save(other, {}, {"no": "timeline"}, option="--out")
    from safetensors.numpy import save_file

    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": np.zeros(2)}, foreign)
    (tmp_path / "text.safetensors").write_text("hello, this is text")
    for path, says in (
        (other, "was not written by `hero observe`"), (foreign, "delete it and run again"),
        (tmp_path / "text.safetensors", "delete it and run again"), (tmp_path / "none", "cannot be read"),
        (tmp_path, "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says):
            read_timeline(path)
    with pytest.raises(OutputError, match="--out"):
        write_timeline(other / "deep" / "a", made())
