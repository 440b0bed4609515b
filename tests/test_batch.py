"""Many clips are concluded together where the reasoner can, and a clip that fails takes nobody with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hero import batch
from hero.config import ReasonerConfig
from hero.reason.adjudicator import Adjudicator
from hero.reason.reasoner import Conclusion, conclude_all
from hero.types import CaseFile

DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"
FAST = ("face.fps=2", "motion.fps=2", "scene.fps=1")


class Pairs(Adjudicator):
    """An adjudicator that takes two cases at a time."""

    together = 2

    def __init__(self) -> None:
        super().__init__(ReasonerConfig())
        self.sizes: list[int] = []

    def conclude_many(self, cases: Sequence[CaseFile], *, lang: str = "en") -> list[Conclusion]:
        self.sizes.append(len(cases))
        return [self.conclude(case, lang=lang) for case in cases]


def test_clips_are_concluded_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "d"):
        (tmp_path / f"{name}.mp4").write_bytes(DEMO.read_bytes())
    (tmp_path / "c.mp4").write_bytes(b"no clip")
    judge = Pairs()
    monkeypatch.setattr(batch, "reasoner_of", lambda *_, **__: judge)
    job = batch.Job(paths=(tmp_path,), overrides=FAST, as_json=True, offline=True, out=tmp_path / "out", formats="json")
    assert batch.run(job) == batch.FAILED
    assert judge.sizes == [2, 1]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum("error" in line for line in lines) == 1
    names = [line["clip"]["name"] for line in lines if "clip" in line]
    assert names == ["a.mp4", "b.mp4", "d.mp4"]
    for line in (line for line in lines if "clip" in line):
        written = json.loads((tmp_path / "out" / line["clip"]["name"]).with_suffix(".json").read_text("utf-8"))
        assert written["verdict"] == line["verdict"]


def test_a_reasoner_that_takes_one_case_gets_them_one_by_one() -> None:
    seen = []

    class Single:
        name, together = "single", 1

        def conclude(self, case: CaseFile, *, lang: str = "en") -> Conclusion:
            seen.append((case, lang))
            return Conclusion(None)  # type: ignore[arg-type]

    assert len(conclude_all(Single(), ["x", "y"], lang="zh")) == 2  # type: ignore[list-item]
    assert seen == [("x", "zh"), ("y", "zh")]
