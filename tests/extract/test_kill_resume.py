"""SIGKILL in the middle of a run: the benchmark's trial with three kills and few clips."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_three_kills_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    kill_resume = importlib.import_module("kill_resume")
    clips = kill_resume.make_clips(tmp_path / "clips", 6)
    count = kill_resume.trial(clips, tmp_path, kills=3, seed=1)
    assert count.kills == 3
    assert (count.half, count.lost, count.again, count.differences) == (0, 0, 0, 0), count


def test_the_trial_would_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    kill_resume = importlib.import_module("kill_resume")
    from hero.observe import tensor_file

    path = tmp_path / "out" / "a.safetensors"
    tensor_file.save(path, {}, {}, option="--out")
    before, count = kill_resume.states(tmp_path), kill_resume.Count()
    tensor_file.save(path, {}, {}, option="--out")
    (tmp_path / "out" / "b.safetensors").write_bytes(path.read_bytes()[:-1])
    (tmp_path / "out" / "table.csv").write_text("clip,file\n")
    kill_resume.look(tmp_path, {**before, tmp_path / "gone": (1, 1)}, count)
    assert (count.half, count.lost, count.again) == (2, 1, 1)
