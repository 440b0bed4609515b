"""Bad places to write, batches with failures, wrong settings, missing models, odd terminals: clear answers, nothing lost."""

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
import road_commands
from media.make_clips import painted, write_clip, write_picture, write_pictures
from road_commands import (
    DEMO,
    FAST,
    HERO,
    QUICK,
    Command,
    Done,
    process,
    sound_answer,
    text_file,
    zero_bytes,
)

import hero
from hero.cli import main
from hero.clips import distinct, expand, is_frame_folder
from hero.errors import ConfigError, OutputError
from hero.report.write import prepare
from hero.show import common_folder

clips, command = road_commands.clips, road_commands.command  # fixtures


# Places to write


def test_out_is_a_file(clips: Path, command: Command) -> None:
    before = (clips / "ok.wav").read_bytes()
    began_s = time.monotonic()
    command(clips / "ok.mp4", "--out", clips / "ok.wav").refused(2, "cannot write to", "ok.wav", "allowed", "--out")
    command(clips, "--out", clips / "ok.wav" / "deep").refused(2, "cannot write to", "allowed", "--out")
    assert (clips / "ok.wav").read_bytes() == before
    assert time.monotonic() - began_s < 5, "it is found before the work, not after it"


def test_out_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)  # nothing is read-only for root
    try:
        for folder in (tmp_path, tmp_path / "results"):
            with pytest.raises(OutputError, match=r"cannot write to .*Permission denied.*--out"):
                prepare(folder)
    finally:
        if was_root:
            os.seteuid(0)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that takes no files")
def test_out_is_where_no_files_can_be() -> None:
    with pytest.raises(OutputError, match=r"cannot write to '/proc'.*--out"):
        prepare(Path("/proc"))


def test_a_full_disk_keeps_what_was_there(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "ok.html").write_text("older result")

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = process(clips / "ok.mp4", clips / "ok.wav", "--format", "json,html", "--out", tmp_path,
                   preexec_fn=small_files_only)  # fmt: skip
    assert done.code == 2, done.err
    assert "cannot write to" in done.err
    assert "Traceback" not in done.err
    assert (tmp_path / "ok.html").read_text() == "older result"
    assert not list(tmp_path.glob(".*")), "no scratch files stay behind"


def test_formats_may_be_repeated_and_in_capitals(clips: Path, tmp_path: Path, command: Command) -> None:
    done = command(clips / "ok.wav", "--format", "JSON, json,,Srt", "--out", tmp_path).answered()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ok.json", "ok.srt"]
    assert done.err.count("wrote ") == 2
    command(clips / "ok.wav", "--format", "pdf").refused(2, "'pdf'", "html, json, md, csv, srt, eaf")


# Batches


def test_a_batch_lists_what_failed_and_goes_on(clips: Path, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("a.mp4", "z.mp4"):
        (folder / name).write_bytes((clips / "ok.mp4").read_bytes())
    (folder / "bad.mp4").write_text("no film")
    (folder / "empty.wav").touch()
    done = command(folder, "--out", tmp_path / "out", "--format", "json").answered(3)
    assert "4 clips: 0 verdicts, 2 abstained, 2 failed" in done.out
    assert sum(line.startswith("failed: ") for line in done.err.splitlines()) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "z.json"]


def test_the_summary_of_a_batch_can_be_read(tmp_path: Path) -> None:
    assert common_folder([Path("/a/b/c.mp4"), Path("/a/d.mp4")]) == Path("/a")
    assert common_folder([Path("c.mp4"), Path("b/d.mp4")]) == Path()
    assert common_folder([Path("c.mp4"), Path("/b/d.mp4")]) is None
    bad = text_file(tmp_path)
    done = process(bad, "zero.mp4", cwd=zero_bytes(tmp_path).parent).answered(3)  # one absolute, one relative
    assert "2 clips: 0 verdicts, 0 abstained, 2 failed" in done.out
    done = process(bad, tmp_path / "zero.mp4", env={"COLUMNS": "120"}).answered(3)
    assert "text.mp4" in done.out
    assert "0 bytes" in done.out


def test_json_of_a_batch_is_one_object_a_line(clips: Path, tmp_path: Path, command: Command) -> None:
    bad = text_file(tmp_path)
    done = command(clips / "ok.mp4", bad, clips / "ok.wav", "--json", "--lang", "zh").answered(3)
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["clip"]["name"] for row in rows if "clip" in row] == ["ok.mp4", "ok.wav"]
    assert [Path(row["path"]).name for row in rows if "error" in row] == [bad.name]
    assert "1 failed" in done.err


def test_the_same_clip_is_analysed_once(clips: Path, tmp_path: Path, command: Command) -> None:
    path = clips / "ok.wav"
    command(path, path, path.parent / ".." / path.parent.name / path.name, "--format", "json", "--out", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["ok.json"]
    link = tmp_path / "link.wav"
    link.symlink_to(path)
    assert distinct([path, link, path]) == [path, link], "a link has a name of its own"


def test_folders_with_links_frames_and_hidden_files(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "again").symlink_to(tmp_path)
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "link.mp4").symlink_to(clips / "ok.mp4")
    (tmp_path / "._link.mp4").write_text("what a Mac leaves beside files")
    frames = write_pictures(tmp_path / "deep" / "frames", 3)
    (frames / "sound.wav").symlink_to(clips / "ok.wav")
    found = [path.relative_to(tmp_path).as_posix() for path in expand((tmp_path,))]
    assert found == ["deep/frames", "link.mp4"]
    for name in ("a.wav", "b.wav"):
        (tmp_path / "deep" / name).symlink_to(clips / "ok.wav")
    write_picture(tmp_path / "deep" / "cover.png", painted(0, 64, 48))
    assert not is_frame_folder(tmp_path / "deep"), "recordings with a cover are recordings"


# Settings


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("face.fps=abc", "'abc'"), ("face.fps=0", "0.01 to 1000"), ("face.fps=-1", "0.01 to 1000"),
        ("face.fps=.nan", "nan"), ("face.fps=", "None"), ("face.max_side=0", "1 pixel"), ("motion.fps=yes", "True"),
        ("face", "part.key=value"), ("face.speed=1", "no setting 'speed'"), ("nose.fps=1", "one of: voice, face"),
        ("face.fps=[", "face.fps=["), ("reasoner.abstain_below=abc", "abstain_below"), ("reasoner.name=x", "'x'"),
        ("integrate.conflict_above=x", "conflict_above"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(setting: str, says: str, clips: Path) -> None:
    with pytest.raises(ConfigError) as error:
        hero.analyze(clips / "ok.mp4", overrides=[setting])
    assert says in error.value.line


@pytest.mark.parametrize(
    "text", [b"name: \xff\xfe", b"[1]", b"experts: [face]", b"experts: {face: 3}", b"experts: {nose: {}}", b"a: [", b""]
)
def test_wrong_presets_are_refused(text: bytes, clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "preset.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError):
        hero.analyze(clips / "ok.mp4", preset=str(path))


def test_a_wrong_setting_ends_a_batch_at_once(clips: Path, command: Command) -> None:
    command(clips, "--set", "scene.fps=0").refused(2, "scene.fps is 0", "allowed")


# Models


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which no third-party weights lie; the folder is the cache."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("HERO_CACHE", str(cache))
    monkeypatch.setenv("HERO_MODELS", str(tmp_path / "no such folder"))
    monkeypatch.delenv("HERO_DATA", raising=False)
    return cache


def test_without_face_models_the_voice_decides(no_models: Path) -> None:
    analysis = hero.analyze(DEMO)
    reasons = sound_answer(analysis)
    assert "hero models fetch" in reasons["face"]
    assert "HERO_MODELS" in reasons["face"]
    assert analysis.case.weights["voice"] == pytest.approx(1)


def test_damaged_models_are_named_with_the_cure(no_models: Path, clips: Path, command: Command) -> None:
    (no_models / "models").mkdir(parents=True)
    (no_models / "models" / "face_landmarker.task").write_bytes(b"damaged" * 100)
    reasons = sound_answer(hero.analyze(clips / "ok.mp4", overrides=FAST))
    for part in ("face_landmarker.task", "sha256", "delete it"):
        assert part in reasons["face"]
    command(clips / "ok.mp4", clips / "ok.wav").answered(0)


def test_a_cache_that_cannot_be_written(
    no_models: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    no_models.write_text("a file where the cache should be")
    monkeypatch.setattr(sys, "argv", ["hero", "analyze", str(clips / "ok.mp4"), "--set", "face.fps=5"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 4
    assert "set HERO_CACHE elsewhere" in capfd.readouterr().err


# Terminals and processes


def test_a_narrow_terminal_without_colour(clips: Path) -> None:
    done = process(clips / "ok.mp4", env={"COLUMNS": "40", "NO_COLOR": "1"}).answered(4)
    assert max(map(len, done.out.splitlines())) <= 40
    assert "\x1b" not in done.out


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_chinese_on_a_terminal_that_knows_ascii_only(clips: Path) -> None:
    done = process(clips / "ok.mp4", "--lang", "zh", env=ASCII).answered(4)
    assert "\\u" in done.out
    result = json.loads(process(clips / "ok.mp4", "--lang", "zh", "--json", env=ASCII).answered(4).out)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in result["verdict"]["emotion_caption"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_or_closed_output_is_no_crash(clips: Path) -> None:
    for more in ((), ("--json",)):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run([HERO, "analyze", clips / "ok.wav", *QUICK, *more], stdout=full, timeout=120,
                                  stderr=subprocess.PIPE, text=True, check=False)  # fmt: skip
        Done(done.returncode, "", done.stderr).refused(2, "cannot print", "--out")
    reader = subprocess.Popen([HERO, "analyze", clips / "ok.wav", *QUICK, "--json"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert reader.stdout is not None
    assert reader.stderr is not None
    reader.stdout.close()
    assert "Traceback" not in reader.stderr.read()
    reader.wait(60)
    reader.stderr.close()


def test_ctrl_c_ends_at_once_and_says_so(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", seconds=40, size=(320, 240))
    out = tmp_path / "out"
    command = [HERO, "analyze", clip, *QUICK[:1], "--set", "face.fps=25", "--format", "json", "--out", out]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not out.exists() and running.poll() is None:
        time.sleep(0.02)
    time.sleep(1.0)  # past the loading of models, in the middle of the clip
    running.send_signal(signal.SIGINT)
    began_s = time.monotonic()
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "hero: interrupted" in err
    assert "Traceback" not in err
    assert time.monotonic() - began_s < 10
    assert not list(out.iterdir())


def test_optimised_python_from_another_folder_and_two_at_once(clips: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-O", "-m", "hero.cli", "analyze", clips / "ok.wav", *QUICK, "--format", "json,html",
             "--out", "results"]  # fmt: skip
    both = [subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    for one in both:
        _, err = one.communicate(timeout=120)
        assert one.returncode == 4, err.decode()
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["ok.html", "ok.json"]
    assert json.loads((tmp_path / "results" / "ok.json").read_text("utf-8"))["verdict"]["abstained"]
