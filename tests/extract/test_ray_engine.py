"""The Ray engine writes the same files as the local one, goes on where a run was, and names what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from extract.runs import contents, light_preset, observe, some_clips, states, table

from hero.errors import OutputError, UsageError
from hero.extract import ray_engine
from hero.extract.source import Source
from hero.extract.table import Row
from hero.extract.work import Extraction


@pytest.mark.slow
def test_ray_gives_what_the_local_engine_gives_and_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray.data")
    clips = some_clips(tmp_path / "clips")
    (clips / "bad.mp4").write_text("no film")
    local, out = tmp_path / "local", tmp_path / "ray"
    assert observe(local, clips) == 3
    finished = clips / "clip0.mp4"
    observe(out, finished)
    before = states(out)
    assert observe(out, clips, engine="ray", workers=2) == 3
    assert contents(out) == contents(local)
    assert before.items() <= states(out).items(), "what was finished is left alone"
    rows = [{key: cell for key, cell in row.items() if key != "seconds"} for row in table(out)]
    assert rows == [{key: cell for key, cell in row.items() if key != "seconds"} for row in table(local)]
    assert not list(out.glob(".*"))
    assert "Traceback" not in capfd.readouterr().err
    with pytest.raises(UsageError, match=r"no Ray cluster answers at '127\.0\.0\.1:1'.*ray start"):
        observe(tmp_path / "none", clips, engine="ray", ray_address="127.0.0.1:1")


def test_without_ray_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"--engine ray needs ray.*pip install 'hero-emotion\[scale\]'"):
        observe(tmp_path / "out", some_clips(tmp_path / "clips", 1), engine="ray")


def work(folder: Path) -> Extraction:
    from hero.config import load_preset

    return Extraction(load_preset(light_preset(folder)), folder / "out", "key")


def test_a_process_answers_with_rows_or_with_what_stops_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    observer = ray_engine.Observer(work(tmp_path), 1, tmp_path / "tries")
    batch = {"source": [pickle.dumps(Source(name, name, tmp_path / name)) for name in "ab"]}
    answer = observer(batch)
    assert [Row.from_json(row).status for row in answer["row"]] == ["failed", "failed"]
    assert answer["stop"] == [b"", b""]
    (tmp_path / "out").write_text("a file")
    monkeypatch.setattr(ray_engine, "run_local", fail)
    assert isinstance(pickle.loads(observer(batch)["stop"][0]), OutputError)


def fail(*_: object) -> None:
    raise OutputError("the disk is full")


def test_a_clip_that_ends_its_process_twice_is_not_begun_again(tmp_path: Path) -> None:
    one, other = (Source(name, name, tmp_path / name) for name in "ab")
    for _ in range(ray_engine.ATTEMPTS):
        assert not ray_engine.Attempts(tmp_path / "tries").spent(one), "a new process counts on"
    assert ray_engine.Attempts(tmp_path / "tries").spent(one)
    assert not ray_engine.Attempts(tmp_path / "tries").spent(other)
    ray_engine.Attempts(tmp_path / "tries").forget([one])
    assert not ray_engine.Attempts(tmp_path / "tries").spent(one)


@pytest.mark.parametrize(("amount", "actors", "share"), [(2, 2, 1), (16, 5, 3), (2, 4, 0.5), (1, 2, 0.5)])
def test_shares_are_what_ray_takes(amount: float, actors: int, share: float) -> None:
    assert ray_engine._share(amount, actors) == share
