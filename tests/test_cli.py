"""The command line: help, exit codes, JSON, one-line errors, batches that go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HERO = str(Path(sys.executable).with_name("hero"))
DEMO = ROOT / "examples" / "demo.mp4"


def hero(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command; `--offline` keeps tests away from the network."""
    extra = ["--offline"] if words and words[0] == "analyze" else []
    command = [HERO, *map(str, words), *extra]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=240)


def one_line_error(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """The error is one line on stderr with the exit code that belongs to it, and no traceback."""
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("hero: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in lines[0], lines[0]


@pytest.mark.parametrize("words", [["--help"], ["analyze", "--help"], ["models", "--help"], ["schema", "--help"],
                                   ["models", "fetch", "--help"], ["models", "pack", "--help"]])  # fmt: skip
def test_help_has_examples(words: list[str]) -> None:
    done = subprocess.run(
        [HERO, *words], capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "120"}
    )
    assert done.returncode == 0
    assert "Usage" in done.stdout
    if words not in (["--help"], ["models", "--help"]):
        assert "hero " in done.stdout.split("Usage", 1)[1]


def test_version_and_schema() -> None:
    assert hero("--version").stdout.startswith("hero 0.")
    assert json.loads(hero("schema").stdout)["title"] == "Verdict"


def test_models_lists_licences() -> None:
    done = subprocess.run(
        [HERO, "models"], capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "250"}
    )
    assert done.returncode == 0, done.stderr
    for part in ("face_landmarker", "voice_emotion", "CC BY-NC-SA", "commercial"):
        assert part in done.stdout


def test_json_is_json_and_complete(tmp_path: Path) -> None:
    done = hero("analyze", DEMO, "--transcript", DEMO.with_suffix(".srt"), "--json", "--out", tmp_path, "--format",
                "html,json,md,csv,srt,eaf")  # fmt: skip
    assert done.returncode in {0, 4}, done.stderr
    result = json.loads(done.stdout)
    assert {"clip", "evidence", "absent", "conflicts", "weights", "verdict", "support", "provenance"} <= set(result)
    assert result["support"]["rate"] == 1.0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"demo.{kind}" for kind in ("csv", "eaf", "html", "json", "md", "srt")
    ]
    assert json.loads((tmp_path / "demo.json").read_text("utf-8"))["verdict"] == result["verdict"]


def test_usage_errors(tmp_path: Path) -> None:
    one_line_error(hero("analyze", DEMO, "--preset", "magic"), 2, "no preset is called 'magic'", "embedded")
    one_line_error(hero("analyze", DEMO, "--format", "pdf"), 2, "no format is called 'pdf'", "html")
    one_line_error(hero("analyze", DEMO, "--set", "face.speed=1"), 2, "no setting 'speed'")
    assert hero("analyze").returncode == 2
    blocked = tmp_path / "file"
    blocked.write_text("x")
    one_line_error(hero("analyze", DEMO, "--out", blocked / "sub", "--format", "json"), 2, "cannot write to", "--out")


def test_input_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is not a film\n" * 50)
    (tmp_path / "cut.mp4").write_bytes(DEMO.read_bytes()[:400])
    one_line_error(hero("analyze", tmp_path / "none.mp4"), 3, "does not exist")
    one_line_error(hero("analyze", tmp_path / "empty"), 3, "holds no clips", ".mp4")
    for name in ("zero.mp4", "text.mp4", "cut.mp4"):
        one_line_error(hero("analyze", tmp_path / name), 3, name)


def test_batch_lists_failures_and_goes_on(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    (clips / "sub").mkdir(parents=True)
    (clips / "good.mp4").write_bytes(DEMO.read_bytes())
    (clips / "sub" / "good.mp4").write_bytes(DEMO.read_bytes())
    (clips / "bad.mp4").write_text("not a film")
    out = tmp_path / "out"
    done = hero("analyze", clips, "--out", out, "--format", "json")
    assert done.returncode == 3
    assert "3 clips: " in done.stdout
    assert "1 failed" in done.stdout
    assert "bad.mp4" in done.stdout
    assert sorted(p.name for p in out.iterdir()) == ["clips-good.mp4.json", "sub-good.mp4.json"]
