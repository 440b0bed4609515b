"""From a real clip to a valid verdict of a language model, as the command line does it; and what stops it, in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llguidance")

from hero.reason.verdict import Verdict

ROOT = Path(__file__).parents[1]
HERO = str(Path(sys.executable).with_name("hero"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """`hero analyze` with the tiny preset and its language model."""
    command = [HERO, "analyze", *words, "--preset", "tiny", "--reasoner", "language-model", "--offline"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_demo_clip_becomes_a_valid_verdict() -> None:
    expect_verdict(ROOT / "examples" / "demo.mp4")


def test_a_real_clip_becomes_a_valid_verdict(hero_data: Path) -> None:
    expect_verdict(next((hero_data / "ravdess_video").glob("*.mp4")))


def expect_verdict(clip: Path) -> None:
    """The whole road over one clip, with everything that the answer must hold."""
    done = run(str(clip), "--json", "--labels", "meld", "--set", "reasoner.abstain_below=0")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    verdict = Verdict.model_validate(result["verdict"])
    assert verdict.label_set == "meld" and not verdict.abstained
    known = {ev["id"] for ev in result["evidence"]}
    assert {item.id for item in verdict.evidence_summary} <= known
    flaws = {problem["problem"] for problem in result["support"]["problems"]}
    assert not flaws & {"uncited", "unknown id", "inferred cited as observed"}
    told = result["provenance"]
    assert told["reasoner"] == "language-model" and told["reasoning"]["model"] == "tiny-qwen2"
    assert any("random model" in note for note in told["notes"])
    assert "tiny-qwen2" in [model["name"] for model in told["models"]]


@pytest.mark.parametrize(
    ("setting", "message"),
    [("reasoner.model=qwen2.5-7b-instruct", "hero models fetch qwen2.5-7b-instruct"),
     ("reasoner.colour=red", "no setting 'colour'"), ("reasoner.decode=json", "constrained, free"),
     ("integrate.model=nowhere", "holds no HERO checkpoint")],
)  # fmt: skip
def test_what_stops_it_is_one_line(setting: str, message: str) -> None:
    done = run(str(ROOT / "examples" / "demo.mp4"), "--set", setting)
    assert done.returncode in {2, 3}
    assert done.stderr.count("hero: ") == 1 and message in done.stderr and "Traceback" not in done.stderr
