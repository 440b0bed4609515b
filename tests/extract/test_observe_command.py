"""`hero observe` on the command line: help, exit codes, one-line errors, and where observations are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from extract.runs import light_preset, some_clips

HERO = str(Path(sys.executable).with_name("hero"))


def hero(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run([HERO, "observe", *map(str, words)], capture_output=True, text=True, check=False, timeout=240,
                          env={**os.environ, "COLUMNS": "120", **env})  # fmt: skip


def test_help_names_what_may_be_given() -> None:
    done = hero("--help")
    assert done.returncode == 0
    for part in ("Example", "manifests", "shards", "--engine", "--no-cache", "--transcripts"):
        assert part in done.stdout


def test_exit_codes_and_the_default_cache(tmp_path: Path) -> None:
    clips = some_clips(tmp_path / "clips", 1)
    preset, kept = light_preset(tmp_path), tmp_path / "kept"
    wishes = ("--preset", preset, "--offline")
    done = hero(clips, "--out", tmp_path / "out", *wishes, HERO_CACHE=str(kept))
    assert done.returncode == 0, done.stderr
    assert "1 clips: 1 done, 0 failed" in done.stderr
    assert done.stdout == ""
    assert list((kept / "observations").rglob("*.safetensors"))
    (clips / "bad.mp4").write_text("no film")
    done = hero(clips, "--out", tmp_path / "two", "--no-cache", *wishes, HERO_CACHE=str(tmp_path / "none"))
    assert done.returncode == 3
    assert "failed: " in done.stderr
    assert not (tmp_path / "none").exists()
    done = hero(tmp_path / "nowhere", "--out", tmp_path / "out", *wishes)
    assert (done.returncode, done.stderr.count("hero: "), "Traceback" in done.stderr) == (3, 1, False)
    done = hero(clips, "--out", tmp_path / "out", "--preset", "none")
    assert done.returncode == 2
