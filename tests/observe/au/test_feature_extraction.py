"""OpenFace's own program, played by small shell scripts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from au_tables import openface_rows, write

from hero.errors import InputError, UsageError
from hero.observe.au import feature_extraction
from hero.observe.au.feature_extraction import PROGRAM, VARIABLE, available, run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in program is a shell script")


def program(folder: Path, body: str) -> Path:
    path = folder / PROGRAM
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_where_the_program_is_sought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert available() is None
    path = program(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert available() == path
    monkeypatch.setenv("PATH", "")
    assert available(tmp_path) == path and available(path) == path
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert available() == path
    path.chmod(0o644)
    assert available() is None, "what cannot be run is not there"
    assert available(tmp_path / "nothing") is None


def test_its_table_is_read(tmp_path: Path) -> None:
    table = write(tmp_path / "made.csv", openface_rows(10))
    fake = program(tmp_path, f"""
[ "$1" = -f ] && [ -f "$2" ] && [ "$3" = -out_dir ] && [ "$5 $6 $7" = "-aus -pose -gaze" ] || exit 9
cp '{table}' "$4/clip.csv"; echo details > "$4/clip_of_details.txt" """)  # fmt: skip
    clip = tmp_path / "a clip.mp4"
    clip.write_bytes(b"x")
    read = run(clip, fake, timeout_s=20)
    assert len(read.tables[0].times_s) == 10 and read.tables[0].source == "feature_extraction"
    assert read.tables[0].mask.all()


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("echo 'could not open the model' >&2; exit 3", UsageError, r"failed with code 3: could not open the model; run"),
        ("echo 'no face model'", UsageError, r"ended without a table for 'clip.mp4' \(no face model\)"),
        ("exit 0", UsageError, r"without a table .*\(it said nothing\)"),
        ("echo 'frame, timestamp' > \"$4/clip.csv\"", InputError, r"a table for 'clip.mp4' that cannot be used: the table has"),
    ],
)  # fmt: skip
def test_failures_say_what_the_program_said(tmp_path: Path, body: str, error: type[Exception], message: str) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    with pytest.raises(error, match=message):
        run(clip, program(tmp_path, body), timeout_s=20)


def test_a_program_that_hangs_is_stopped_with_its_children(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    mark = tmp_path / "alive"
    fake = program(tmp_path, f"(sleep 2; echo > '{mark}') & sleep 30")
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"did not end within 0.3 s and was stopped; raise timeout_s"):
        run(clip, fake, timeout_s=0.3)
    assert time.monotonic() - began < 5
    time.sleep(2.2)
    assert not mark.exists()


def test_a_file_that_is_no_program_is_an_error_with_a_cure(tmp_path: Path) -> None:
    path = tmp_path / PROGRAM
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    with pytest.raises(UsageError, match=f"cannot be started .* in {VARIABLE}"):
        run(tmp_path / "clip.mp4", path, timeout_s=5)
    assert feature_extraction.OPTIONS == ("-aus", "-pose", "-gaze")
