"""Where results go: no input and no file of others is overwritten, and no clip's result by another clip's."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from extract.runs import contents, copy_of, light_preset, observe, some_clips, states, table

from hero.errors import OutputError, UsageError
from hero.extract.gather import gather
from hero.extract.shards import write_shards
from hero.extract.work import key_of

HERO = str(Path(sys.executable).with_name("hero"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return some_clips(tmp_path_factory.mktemp("given") / "clips")


def shard(path: Path, parts: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    os.utime(path, (1, 1))
    return path


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lengths(out: Path) -> dict[str, str]:
    """Which file holds the result of which clip, told by the clip's length."""
    return {name: f"{header['clip']['duration_s']:.1f}" for name, (header, _) in contents(out).items()}


# Inputs and files of others


def test_shards_never_replace_what_is_read(clips: Path, tmp_path: Path) -> None:
    one = shard(tmp_path / "a" / "shards" / "features-000000.tar", {"k.mp4": (clips / "clip0.mp4").read_bytes()})
    copy_of(clips / "clip0.mp4", tmp_path / "b" / "shards" / "x.mp4")
    before = everything(tmp_path)
    preset = light_preset(tmp_path / "b")
    before = everything(tmp_path)
    for out, given in ((tmp_path / "a", one), (tmp_path / "b", tmp_path / "b" / "shards"), (tmp_path / "b",) * 2):
        with pytest.raises(UsageError, match=r"is read by this run.*--out"):
            observe(out, given, to="webdataset", preset=preset)
    assert everything(tmp_path) == before


def test_shards_never_replace_files_of_others(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    observe(out, clips)
    (out / "shards").mkdir()
    (out / "shards" / "train-000000.tar").write_text("years of work")
    with pytest.raises(UsageError, match=r"train-000000\.tar"):
        observe(out, clips, to="webdataset")
    with pytest.raises(OutputError, match=r"train-000000\.tar"):
        write_shards(out, ["clip0"])
    assert (out / "shards" / "train-000000.tar").read_text() == "years of work"
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("name", ["table.csv", "failed.csv"])
def test_a_manifest_is_never_overwritten(name: str, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    observe(out, clips / "clip0.mp4")  # also where hero's own tables were
    (out / name).write_text(f"path\n{clips}/clip0.mp4\n")
    with pytest.raises(UsageError, match=f"{name}' is read by this run"):
        observe(out, out / name)
    assert (out / name).read_text().startswith("path\n")


@pytest.mark.parametrize("name", ["table.csv", "failed.csv", "run.json", "journal.jsonl", "clip0.safetensors"])
def test_files_of_others_are_never_overwritten(name: str, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("label,name\n1,a\n")
    with pytest.raises(UsageError, match=f"{name}' exists, and hero did not write it"):
        observe(out, clips)
    assert everything(out) == {out / name: b"label,name\n1,a\n"}


def test_what_a_killed_run_left_is_gone_on_with(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    observe(out, clips)
    before = states(out)
    (out / "run.json").unlink()
    (out / "journal.jsonl").unlink()
    assert observe(out, clips) == 0
    assert states(out) == before


def test_an_empty_path_is_refused(clips: Path, tmp_path: Path) -> None:
    for option in ("--out", "--cache", "--transcripts"):
        command = [HERO, "observe", clips, "--out", "o", "--preset", light_preset(tmp_path), "--offline", option, ""]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, "an empty path" in done.stderr) == (2, True), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["light.yaml"]


def test_an_address_needs_its_engine(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="used only by --engine ray"):
        observe(tmp_path / "out", clips, ray_address="127.0.0.1:1")


# Names


def test_results_of_two_folders_live_side_by_side(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, folder in enumerate("AB"):
        copy_of(clips / f"clip{number}.mp4", tmp_path / folder / "x.mp4")
    out = tmp_path / "out"
    observe(out, tmp_path / "A")
    first = states(out)
    observe(out, tmp_path / "B")
    assert lengths(out) == {"x.safetensors": "0.6", "B-x.mp4.safetensors": "0.8"}
    both = states(out)
    assert first.items() <= both.items()
    monkeypatch.chdir(tmp_path)
    for given in (["A", "B"], ["B", "A"], ["B"], ["A"], ["A/../A/x.mp4"]):
        observe(out, *map(Path, given), preset=light_preset(tmp_path))
        assert len(table(out)) == len(given)
    assert states(out) == both, "each is found again under its name, however it is spelled"
    copy_of(clips / "clip2.mp4", tmp_path / "B" / "x.mp4")
    observe(out, Path("B"), preset=light_preset(tmp_path))
    assert lengths(out) == {"x.safetensors": "0.6", "B-x.mp4.safetensors": "1.0"}, "what changed keeps its name"


def test_one_relative_name_from_two_places_is_two_clips(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, folder in enumerate("AB"):
        clip = copy_of(clips / f"clip{number}.mp4", tmp_path / folder / "c" / "x.mp4")
        clip.write_bytes(clip.read_bytes().ljust(100_000, b"\0"))  # of one size and time of change
        os.utime(clip, (1, 1))
        monkeypatch.chdir(tmp_path / folder)
        observe(tmp_path / "out", Path("c"), preset=light_preset(tmp_path))
    assert lengths(tmp_path / "out") == {"x.safetensors": "0.6", "c-x.mp4.safetensors": "0.8"}
    copy_of(clips / "clip2.mp4", tmp_path / "C" / "c" / "x.mp4")
    monkeypatch.chdir(tmp_path / "C")
    observe(tmp_path / "out", Path("c"), preset=light_preset(tmp_path))
    assert sorted(lengths(tmp_path / "out").values()) == ["0.6", "0.8", "1.0"]


def test_data_that_moved_is_not_observed_again(clips: Path, tmp_path: Path) -> None:
    copy_of(clips / "clip0.mp4", tmp_path / "here" / "x.mp4")
    observe(tmp_path / "out", tmp_path / "here")
    before = states(tmp_path / "out")
    (tmp_path / "here").rename(tmp_path / "there")
    observe(tmp_path / "out", tmp_path / "there")
    assert states(tmp_path / "out") == before


def test_keys_of_two_shards_do_not_swap(clips: Path, tmp_path: Path) -> None:
    films = [(clips / f"clip{number}.mp4").read_bytes().ljust(100_000, b"\0") for number in range(2)]
    one, two = (shard(tmp_path / f"s{number}.tar", {"000.mp4": film}) for number, film in enumerate(films))
    out = tmp_path / "out"
    observe(out, one, two)
    wanted = {"s0-000.safetensors": "0.6", "s1-000.safetensors": "0.8"}
    assert lengths(out) == wanted
    before = states(out)
    observe(out, two, one)
    assert (lengths(out), states(out)) == (wanted, before)
    assert [row["file"] for row in table(out)] == ["s1-000.safetensors", "s0-000.safetensors"]
    assert [row["duration_s"] for row in table(out)] == ["0.800", "0.600"]


def test_names_do_not_depend_on_the_order(clips: Path, tmp_path: Path) -> None:
    paths = [copy_of(clips / "clip0.mp4", tmp_path / folder / "b" / "x.mp4") for folder in "pqr"]
    found = {one.place: one.stem for one in gather(paths)}
    assert len(set(found.values())) == 3
    assert {one.place: one.stem for one in gather(paths[::-1])} == found


# What became of a clip


def test_a_clip_that_became_unreadable_keeps_no_old_result(clips: Path, tmp_path: Path) -> None:
    own = tmp_path / "in"
    for name in ("a.mp4", "b.mp4"):
        copy_of(clips / "clip0.mp4", own / name)
    out = tmp_path / "out"
    observe(out, own)
    (own / "a.mp4").write_text("no film")
    assert observe(out, own) == 3
    assert [row["status"] for row in table(out)] == ["failed", "done"]
    assert list(lengths(out)) == ["b.safetensors"]


def test_a_failure_of_an_unchanged_clip_costs_no_result(clips: Path, tmp_path: Path) -> None:
    clip = copy_of(clips / "clip0.mp4", tmp_path / "in" / "a.mp4")
    out = tmp_path / "out"
    observe(out, clip)
    before = states(out)
    os.utime(clip, (1, 1))
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.json").write_text('{"url": "x"}')
    assert observe(out, clip, transcripts=tmp_path / "words") == 3
    assert states(out) == before


def test_an_edited_file_in_a_folder_of_the_settings_is_noticed(tmp_path: Path) -> None:
    from hero.config import load_preset

    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "a.csv").write_text("1")
    stat = tables.stat()
    preset = load_preset(light_preset(tmp_path), (f"scene.clip={tables}",))
    before = key_of(preset, "en", "any")
    assert key_of(preset, "en", "any") == before
    (tables / "a.csv").write_text("22")
    assert tables.stat().st_mtime_ns == stat.st_mtime_ns, "the folder's own time says nothing"
    assert key_of(preset, "en", "any") != before
