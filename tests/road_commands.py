"""What the tests of bad input share: `hero analyze` in and out of this process, small clips, and broken ones.

A test module takes the fixtures by naming them: `clips, command = road_commands.clips, road_commands.command`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from media.make_clips import write_clip

from hero.cli import main
from hero.pipeline import Analysis
from hero.reason.verdict import cited, sentences

ROOT = Path(__file__).parents[1]
HERO = str(Path(sys.executable).with_name("hero"))
DEMO = ROOT / "examples" / "demo.mp4"
FAST = ("face.fps=5", "motion.fps=5")
QUICK = ("--offline", "--set", "face.fps=5", "--set", "motion.fps=5")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self, code: int, *parts: str) -> str:
        """The one line of a refusal: no traceback, no answer, the exit code, and the words that help."""
        lines = [line for line in self.err.splitlines() if line.startswith("hero: ")]
        assert self.code == code, (self.code, self.err)
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert self.out == ""
        for part in parts:
            assert part in lines[0], (part, lines[0])
        return lines[0]

    def answered(self, *codes: int) -> Done:
        """A result came, without a traceback."""
        assert self.code in (codes or (0, 4)), (self.code, self.err)
        assert "Traceback" not in self.err
        return self


Command = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """`hero analyze ...` inside this process, which spares a second for each."""

    def run(*words: str | Path) -> Done:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["hero", "analyze", *map(str, words), *QUICK])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return Done(int(end.value.code or 0), out, err)

    return run


def process(*words: str | Path, **options: object) -> Done:
    """`hero analyze ...` as a process of its own."""
    env = {**os.environ, **options.pop("env", {})}  # type: ignore[dict-item]
    done = subprocess.run([HERO, "analyze", *map(str, words), *QUICK], capture_output=True, check=False, timeout=120,
                          env=env, **options)  # type: ignore[call-overload]  # fmt: skip
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def sound_answer(analysis: Analysis) -> dict[str, str]:
    """Check what holds for every answer; returns the absent experts with their reasons."""
    result = json.loads(json.dumps(analysis.as_json(), allow_nan=False))
    result_ids = {row["id"] for row in result["evidence"]}
    verdict = analysis.verdict
    for text in (verdict.emotion_caption, verdict.reasoning_process):
        for sentence in sentences(text):
            assert set(cited(sentence)) <= result_ids
            assert cited(sentence) or verdict.abstained, sentence
    duration_s = result["clip"]["duration_s"]
    assert all(0 <= row["span"][0] <= row["span"][1] <= duration_s + 1e-3 for row in result["evidence"])
    assert all(row["reason"] for row in result["absent"])
    assert verdict.abstained or analysis.case.posterior is not None
    return {row["expert"]: row["reason"] + row["cure"] for row in result["absent"]}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small clips that many tests look at (none writes into it)."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "ok.mp4", seconds=0.6)
    write_clip(folder / "ok.wav", seconds=0.6)
    return folder


def no_file(folder: Path) -> Path:
    """The path of no file."""
    return folder / "none.mp4"


def text_file(folder: Path) -> Path:
    """A text that calls itself a film."""
    path = folder / "text.mp4"
    path.write_text("this is not a film\n" * 50)
    return path


def zero_bytes(folder: Path) -> Path:
    """A film of zero bytes."""
    path = folder / "zero.mp4"
    path.touch()
    return path


def endless_link(folder: Path) -> Path:
    """A link to itself."""
    (folder / "loop.mp4").symlink_to("loop.mp4")
    return folder / "loop.mp4"


def name_beyond_the_file_system(folder: Path) -> Path:
    """A name longer than any file system allows."""
    return folder / ("m" * 300 + ".mp4")
