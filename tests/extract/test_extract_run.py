"""A run over many clips: each gets its file, failures are listed, and what is finished is not done again."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from extract.runs import contents, copy_of, light_preset, observe, some_clips, states, table
from media.make_clips import write_clip

from hero.errors import ConfigError, InputError, OutputError, UsageError
from hero.extract import local_engine, work
from hero.extract.table import Journal, Row
from hero.media.clip import Clip
from hero.observe.expert import Context
from hero.observe.stream import observe as observe_clip
from hero.observe.timeline_file import read_timeline

HERO = str(Path(sys.executable).with_name("hero"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return some_clips(tmp_path_factory.mktemp("given") / "clips")


def test_each_clip_gets_its_file_and_its_row(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert observe(out, clips) == 0
    rows = table(out)
    assert [row["file"] for row in rows] == [f"clip{n}.safetensors" for n in range(3)]
    assert {row["status"] for row in rows} == {"done"}
    assert all(float(row["seconds"]) > 0 for row in rows)
    assert rows[2]["duration_s"] == "1.000"
    assert "motion.body:4x5" in rows[2]["tracks"]
    assert table(out, "failed.csv") == []
    record = json.loads((out / "run.json").read_text())
    assert record["clips"] == {"done": 3}
    assert record["preset"]["name"] == "light"
    assert str(tmp_path) not in json.dumps(record), "a result says nothing of this machine's folders"


def test_a_file_holds_what_observing_the_clip_gives(clips: Path, tmp_path: Path) -> None:
    from hero.config import load_preset

    observe(tmp_path / "out", clips)
    stored = read_timeline(tmp_path / "out" / "clip1.safetensors")
    clip = Clip.open(clips / "clip1.mp4")
    direct = observe_clip(clip, load_preset(light_preset(tmp_path)), Context(clip))
    assert stored.clip == direct.clip
    assert stored.evidence == direct.evidence
    assert stored.absent == direct.absent
    assert list(stored.tracks) == list(direct.tracks)
    for name, track in stored.tracks.items():
        assert (track.values == direct.tracks[name].values).all()
        assert (track.mask == direct.tracks[name].mask).all()


def test_a_second_run_does_nothing_again(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    observe(out, clips)
    before, seconds = states(out), [row["seconds"] for row in table(out)]
    monkeypatch.setattr(work, "observe", None)  # would crash
    assert observe(out, clips) == 0
    assert states(out) == before
    assert [row["seconds"] for row in table(out)] == seconds
    assert "3 done (3 of them before this run)" in capsys.readouterr().err


def test_what_changed_is_done_again_and_nothing_else(clips: Path, tmp_path: Path) -> None:
    own = tmp_path / "clips"
    for name in ("clip0.mp4", "clip1.mp4"):
        copy_of(clips / name, own / name)
    out = tmp_path / "out"
    observe(out, own)
    before = states(out)
    os.utime(own / "clip0.mp4", (1, 1))  # the same content at another time: read, but not done again
    copy_of(clips / "clip2.mp4", own / "clip1.mp4")
    observe(out, own)
    after = states(out)
    assert after["clip0.safetensors"] == before["clip0.safetensors"]
    assert after["clip1.safetensors"] != before["clip1.safetensors"]
    assert table(out)[1]["duration_s"] == "1.000"
    observe(out, own, overrides=("motion.fps=10",))
    again = states(out)
    assert again.keys() == after.keys()
    assert not set(again.values()) & set(after.values()), "other settings renew every file"
    (own / "words").mkdir()
    (own / "words" / "clip1.srt").write_text("1\n00:00:00,000 --> 00:00:00,500\nhello\n")
    observe(out, own, overrides=("motion.fps=10",), transcripts=own / "words")
    assert states(out)["clip0.safetensors"] == again["clip0.safetensors"]
    assert states(out)["clip1.safetensors"] != again["clip1.safetensors"]


def test_a_damaged_result_is_made_again(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    observe(out, clips)
    whole = contents(out)
    (out / "clip0.safetensors").write_bytes((out / "clip0.safetensors").read_bytes()[:-3])
    (out / "clip1.safetensors").write_bytes(b"")
    (out / "journal.jsonl").write_text('{"clip": "x", "st')
    assert observe(out, clips) == 0
    assert contents(out) == whole
    assert [bool(row["seconds"]) for row in table(out)] == [True, True, False], "the journal knew how long; it is gone"
    lines = (out / "journal.jsonl").read_text().split("\n")
    assert len([json.loads(line) for line in lines[1:] if line]) == 2, "a torn line spoils no other"


def test_with_the_cache_a_new_folder_costs_no_decoding(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe(tmp_path / "one", clips, cache=tmp_path / "cache")
    monkeypatch.setattr("hero.media.clip.stream_frames", None)  # would crash
    monkeypatch.setattr("hero.media.clip.stream_sound", None)
    assert observe(tmp_path / "two", clips, cache=tmp_path / "cache") == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


# Failures


def test_failures_stop_no_other_clip(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed"
    for name in ("a.mp4", "e.mp4", "gone.mp4", "crash.mp4"):
        copy_of(clips / "clip0.mp4", mixed / name)
    (mixed / "b.mp4").write_text("no film")
    (mixed / "c.wav").touch()
    (mixed / "d.mp4").write_bytes((clips / "clip2.mp4").read_bytes()[:900])
    opened = Clip.open

    def lossy(path: Path, **more: object) -> Clip:
        if path.name == "crash.mp4":
            raise ZeroDivisionError("a bug")
        if path.name == "gone.mp4":
            path.unlink()
        return opened(path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(work.Clip, "open", lossy)
    out = tmp_path / "out"
    assert observe(out, mixed) == 3
    rows = {Path(row["clip"]).name: row for row in table(out)}
    assert {name for name, row in rows.items() if row["status"] == "done"} == {"a.mp4", "e.mp4"}
    assert "0 bytes" in rows["c.wav"]["reason"]
    assert "no such file" in rows["gone.mp4"]["reason"]
    assert "give the path of a clip" in rows["gone.mp4"]["cure"]
    assert "ZeroDivisionError: a bug" in rows["crash.mp4"]["reason"]
    assert "report it" in rows["crash.mp4"]["cure"]
    assert [Path(row["clip"]).name for row in table(out, "failed.csv")] == [
        "b.mp4",
        "c.wav",
        "crash.mp4",
        "d.mp4",
        "gone.mp4",
    ]
    err = capsys.readouterr().err
    assert err.count("failed: ") == 5
    assert "7 clips: 2 done, 5 failed" in err
    monkeypatch.setattr(work.Clip, "open", opened)
    observe(out, mixed / "crash.mp4")
    assert table(out)[0]["status"] == "done", "what failed is tried again"


def test_a_part_that_an_error_left_out_is_tried_again(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hero.errors import WeightsError
    from hero.observe.motion import MotionExpert

    def no_memory(*_: object) -> None:
        raise WeightsError("memory ran out")

    with monkeypatch.context() as patch:
        patch.setattr(MotionExpert, "finish", no_memory)
        assert observe(tmp_path / "out", clips / "clip0.mp4", cache=tmp_path / "cache") == 0
    (row,) = table(tmp_path / "out")
    assert "motion" in row["absent"].split()
    assert "memory ran out" in row["reason"]
    observe(tmp_path / "out", clips / "clip0.mp4", cache=tmp_path / "cache")
    (row,) = table(tmp_path / "out")
    assert "motion" not in row["absent"].split()
    before = states(tmp_path / "out")
    observe(tmp_path / "out", clips / "clip0.mp4", cache=tmp_path / "cache")
    assert states(tmp_path / "out") == before


def test_clips_of_one_name_and_of_one_content(clips: Path, tmp_path: Path) -> None:
    first = copy_of(clips / "clip0.mp4", tmp_path / "x" / "a.mp4")
    second = copy_of(clips / "clip0.mp4", tmp_path / "y" / "a.mp4")
    out = tmp_path / "out"
    assert observe(out, first, second, first, tmp_path / "x" / ".." / "x", cache=tmp_path / "cache", workers=1) == 0
    assert [row["file"] for row in table(out)] == ["x-a.mp4.safetensors", "y-a.mp4.safetensors"]
    assert len({path.parent for path in (tmp_path / "cache").rglob("*.safetensors")}) == 1, (
        "one content, looked at once"
    )


def test_a_name_that_is_no_text(clips: Path, tmp_path: Path) -> None:
    try:
        copy_of(clips / "clip0.mp4", tmp_path / "in" / os.fsdecode(b"caf\xe9 \xff.mp4"))
    except OSError:
        pytest.skip("this file system takes only text")
    out = tmp_path / "out"
    assert observe(out, tmp_path / "in") == 0
    (row,) = table(out)
    assert "caf\\xe9" in row["clip"]
    assert (out / row["file"]).is_file()
    before = states(out)
    observe(out, tmp_path / "in")
    assert states(out) == before


def test_places_that_take_no_results(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(OutputError, match="cannot write to"):
            observe(out, clips, preset=light_preset(tmp_path))
    with pytest.raises(OutputError, match="--cache"):
        observe(tmp_path / "out", clips, cache=tmp_path / "file")
    assert [row["status"] for row in table(tmp_path / "out")] == ["waiting"] * 3


def test_a_full_disk_ends_the_run_with_one_line(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for number in range(3):
        write_clip(given / f"{number}.wav", seconds=20)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    command = [
        HERO,
        "observe",
        given,
        "--out",
        tmp_path / "out",
        "--preset",
        light_preset(tmp_path),
        "--no-cache",
        "--offline",
    ]
    done = subprocess.run(
        command, preexec_fn=small_files_only, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("hero: ")]
    assert "MB are free" in line
    assert "--out" in line
    assert not list((tmp_path / "out").glob(".*"))
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_wrong_wishes_are_refused_before_the_work(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        observe(tmp_path / "out", clips, transcripts=tmp_path / "nowhere")
    with pytest.raises(InputError, match="does not exist"):
        observe(tmp_path / "out", tmp_path / "nowhere")
    with pytest.raises(UsageError, match="--workers is 0"):
        observe(tmp_path / "out", clips, workers=0)
    with pytest.raises(ConfigError, match=r"motion.fps is 0"):
        observe(tmp_path / "out", clips, overrides=("motion.fps=0",))


# Interruptions


def test_ctrl_c_leaves_whole_files_and_the_rest_for_later(tmp_path: Path) -> None:
    given = some_clips(tmp_path / "given", 12)
    out = tmp_path / "out"
    command = [HERO, "observe", given, "--out", out, "--preset", light_preset(tmp_path), "--no-cache", "--offline"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while len(list(out.glob("*.safetensors"))) < 2 and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "hero: interrupted" in err
    assert "Traceback" not in err
    finished = contents(out)
    assert 2 <= len(finished) < 12
    assert {row["status"] for row in table(out)} == {"done", "waiting"}
    before = states(out)
    assert observe(out, given, preset=light_preset(tmp_path)) == 0
    assert before.items() <= states(out).items()
    assert len(contents(out)) == 12


def test_one_wrong_setting_stops_all_workers(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def fails(source: object, work: object) -> Row:
        begun.append("x")
        raise OutputError("the disk is full")

    monkeypatch.setattr(local_engine, "extract", fails)
    with pytest.raises(OutputError, match="full"):
        local_engine.run_local(list(range(100)), None, 2, begun.append)  # type: ignore[arg-type]
    time.sleep(0.05)
    assert len(begun) <= 2


def test_the_journal_survives_odd_lines(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(
        b'[1]\n\xff\xfe\n{"clip": 1}\n\n{"clip": "a", "stem": "a", "status": "done", "seconds": 2.5}\n'
    )
    journal = Journal(tmp_path)
    assert journal.remembered(Row("a", "a", "done", kept=True)).seconds == 2.5
    assert journal.remembered(Row("b", "b", "done", kept=True)).seconds is None


def test_a_clip_of_which_nothing_can_be_decoded_has_failed(hero_data: Path, tmp_path: Path) -> None:
    whole = next(iter(sorted(hero_data.glob("grid/*.mpg"))))
    cut = tmp_path / "cut.mpg"
    cut.write_bytes(whole.read_bytes()[:3000])  # enough for the streams' headers
    assert observe(tmp_path / "out", cut) == 3
    (row,) = table(tmp_path / "out", "failed.csv")
    assert "not one frame and no sound could be decoded" in row["reason"]
