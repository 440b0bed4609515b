"""Bad input gets a clear answer and loses nothing: files, names and transcripts.

A refusal is one line on stderr (what was wrong, what is allowed, what to do) with its exit code; anything else is a
valid answer in which every expert that had nothing to go on is declared absent with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import road_commands
from media.make_clips import painted, write_clip, write_picture
from road_commands import (
    FAST,
    HERO,
    Command,
    Done,
    endless_link,
    name_beyond_the_file_system,
    no_file,
    process,
    sound_answer,
    text_file,
    zero_bytes,
)

import hero
from hero.errors import HeroError, InputError
from hero.report.write import file_stem

clips, command = road_commands.clips, road_commands.command  # fixtures


# Files


def cut_before_its_index(folder: Path) -> Path:
    path = write_clip(folder / "cut.mp4")
    path.write_bytes(path.read_bytes()[:6000])
    return path


def still_picture(folder: Path) -> Path:
    write_picture(folder / "photo.png", painted(3, 64, 48))
    return folder / "photo.png"


def empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def device(folder: Path) -> Path:
    return Path(os.devnull)


def folder_of_damaged_pictures(folder: Path) -> Path:
    (folder / "frames").mkdir()
    (folder / "frames" / "1.png").write_bytes(b"no picture")
    return folder / "frames"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (no_file, "does not exist"), (text_file, "no media data"), (zero_bytes, "0 bytes"),
        (cut_before_its_index, "no media data"), (still_picture, "still picture"), (empty_folder, "holds no clips"),
        (device, "neither a file nor a folder"), (endless_link, "loop.mp4"),
        (name_beyond_the_file_system, "too long"), (folder_of_damaged_pictures, "can be decoded"),
    ],
)  # fmt: skip
def test_unreadable_input_is_refused(make: Callable[[Path], Path], says: str, tmp_path: Path, command: Command) -> None:
    path = make(tmp_path)
    line = command(path).refused(3, says, path.name[:60])
    assert ".mp4" in line or "mp4" in line or "PNG" in line, "it says what is allowed"
    with pytest.raises(InputError):
        hero.analyze(path)


def test_an_empty_path_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "a.wav", seconds=0.2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    done = process("")
    assert (done.code, done.out) == (2, "")
    assert "an empty path" in done.err


def test_a_baseline_needs_a_face_or_a_voice(clips: Path, tmp_path: Path) -> None:
    done = subprocess.run([HERO, "baseline", clips / "ok.wav", "--out", tmp_path / "b.json", "--offline"],
                          capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
    Done(done.returncode, done.stdout, done.stderr).refused(2, "no clip has a face or a voice", "give clips")
    assert not (tmp_path / "b.json").exists()


def test_a_folder_that_may_not_be_read(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    look = Path.iterdir

    def denied(self: Path) -> Iterator[Path]:
        if self != tmp_path:
            return look(self)
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", denied)
    command(tmp_path).refused(3, "cannot be looked at (Permission denied)", "may be read")


def black(index: int, width: int, height: int) -> np.ndarray:
    """A black picture, (H, W, 3) uint8."""
    return np.zeros((height, width, 3), np.uint8)


ODD: dict[str, tuple[str, dict[str, object], dict[str, str]]] = {
    "a tenth of a second": ("a.mp4", {"seconds": 0.1}, {"face": "no face", "voice": "no speech"}),
    "a tenth of a second of sound": ("a.wav", {"seconds": 0.1}, {"face": "no picture", "voice": "no speech"}),
    "black": ("a.mp4", {"paint": black}, {"face": "no face"}),
    "no sound stream": ("a.mp4", {"audio": False}, {"voice": "no sound"}),
    "no picture stream": ("a.mp4", {"video": False}, {"face": "no picture", "motion": "no picture"}),
    "192 kHz": ("a.wav", {"rate_hz": 192_000}, {"face": "no picture", "voice": "no speech"}),
    "one pixel": ("a.mkv", {"size": (1, 1), "codecs": ("ffv1", "flac")}, {"face": "no face"}),
    "a line of pixels": ("a.mkv", {"size": (320, 1), "codecs": ("ffv1", "flac")}, {"face": "no face"}),
    "sound starts late": ("a.mkv", {"seconds": 0.8, "audio_start_s": 0.7}, {"voice": "no speech"}),
    "picture starts late": ("a.mkv", {"seconds": 0.8, "video_start_s": 0.7}, {"face": "no face"}),
    "one frame a second": ("a.mp4", {"seconds": 3.0, "fps": 1, "audio": False}, {"face": "no face"}),
    "a hole in the picture": ("a.mkv", {"times_ms": [0, 40, 80, 4000, 4040]}, {"face": "no face"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_clips_give_an_answer_with_declared_absences(name: str, tmp_path: Path) -> None:
    file, options, absent = ODD[name]
    analysis = hero.analyze(write_clip(tmp_path / file, **options), overrides=FAST)  # type: ignore[arg-type]
    reasons = sound_answer(analysis)
    for expert, part in absent.items():
        if expert == "face" and "models are not" in reasons["face"]:
            continue  # without face models that is the reason, and the right one
        assert part in reasons[expert], reasons
    assert analysis.verdict.abstained
    assert analysis.verdict.abstention_reason


def test_a_silent_sound_track(tmp_path: Path) -> None:
    import wave

    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16_000))
    assert "silent" in sound_answer(hero.analyze(path))["voice"]


def test_a_clip_that_was_cut_off_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.mkv", seconds=2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    analysis = hero.analyze(path, overrides=FAST)
    sound_answer(analysis)
    assert 0.3 < analysis.clip.duration_s < 1.9


def test_two_faces_are_told_apart(tmp_path: Path, hero_data: Path) -> None:
    frame = next(hero.Clip.open(hero_data / "faces" / "single_face.mp4").frames(fps=1, max_side=400)).rgb
    pair = np.concatenate([frame, frame[:, ::-1]], axis=1)  # (H, 2W, 3)
    height, width = pair.shape[0] // 2 * 2, pair.shape[1] // 2 * 2
    clip = write_clip(tmp_path / "two.mp4", seconds=1.0, size=(width, height),
                      paint=lambda index, w, h: np.ascontiguousarray(pair[:h, :w]))  # fmt: skip
    analysis = hero.analyze(clip, overrides=("face.fps=10",))
    sound_answer(analysis)
    setting = next(ev for ev in analysis.timeline if ev.cue == "setting")
    assert setting.measures["people"] == 2
    assert "face.au" in analysis.tracks
    assert any("person" in name for name in analysis.tracks if name.startswith("face."))


# Names

NAMES = ("a b.mp4", "quote\"'s.mp4", "[bold]x[red].mp4", "[.mp4", "new\nline.mp4", "smile 😀.mp4", "esc\x1b[31m.mp4",
         "-dash.mp4", "%s{0}$HOME.mp4", "名字.mp4", "n" * 251 + ".mp4", ".hidden.mp4", "UPPER.MP4")  # fmt: skip


def test_odd_names_come_through_every_format(clips: Path, tmp_path: Path, command: Command) -> None:
    folder, out = tmp_path / "odd", tmp_path / "out"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes((clips / "ok.mp4").read_bytes())
    done = command(*(folder / name for name in NAMES), "--format", "html,json,md,csv,srt,eaf", "--out", out).answered(0)
    assert f"{len(NAMES)} clips" in done.out
    assert "\x1b[31m" not in done.out + done.err, "a file name may not drive the terminal"
    assert len(done.err.splitlines()) == len(NAMES) * 7, "one line for each clip and each file"
    written = sorted(path.name for path in out.iterdir())
    assert len(written) == 6 * len(NAMES)
    assert not any(set(name) & set("\n\x1b") or name.endswith(".part") for name in written)
    html = (out / "[bold]x[red].html").read_text("utf-8")
    assert "[bold]x[red].mp4" in html


def test_a_name_that_is_no_text(clips: Path, tmp_path: Path, command: Command) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\xfe.mp4"))
    path.write_bytes((clips / "ok.mp4").read_bytes())
    done = command(path, "--json", "--format", "html,json,md,csv,srt", "--out", tmp_path / "out").answered()
    assert json.loads(done.out)["clip"]["name"] == "bad\ufffd\ufffd.mp4"
    command(path, "--format", "eaf", "--out", tmp_path / "out").answered()
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_result_names_are_short_distinct_and_stable() -> None:
    assert file_stem("clip") == "clip"
    long = file_stem("名" * 200)
    assert len(long.encode()) <= 200
    assert file_stem(long) == long
    assert file_stem("名" * 201) != long
    assert file_stem("a\nb/c\u2028") == "a_b_c_"


# Transcripts


def subtitle(text: str, start: str = "00:00:00,000", end: str = "00:00:00,500") -> str:
    """One SRT cue."""
    return f"1\n{start} --> {end}\n{text}\n"


REFUSED = {
    "of another clip": ("t.srt", subtitle("hello", "00:10:00,000", "00:10:05,000"), "belongs to this clip"),
    "empty": ("t.srt", "", "holds no words"),
    "no times": ("t.srt", "1\nhello\n", "-->"),
    "binary": ("t.srt", bytes(range(256)) * 20, "is not text"),
    "broken JSON": ("t.json", '{"words": [', "not valid JSON"),
    "JSON of something else": ("t.json", '{"a": 1}', "no words found"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_unusable_transcripts_are_refused(name: str, clips: Path, tmp_path: Path, command: Command) -> None:
    file, text, says = REFUSED[name]
    path = tmp_path / file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    command(clips / "ok.mp4", "--transcript", path).refused(3, file, says)


def test_transcripts_that_are_not_there(clips: Path, tmp_path: Path, command: Command) -> None:
    command(clips / "ok.mp4", "--transcript", tmp_path / "no.srt").refused(3, "no such transcript", "SRT, VTT")
    command(clips / "ok.mp4", "--transcript", tmp_path).refused(3, "is a folder", "SRT, VTT")
    command(clips, "--transcript", tmp_path / "no.srt").refused(2, "one clip, but 2", "one by one")


USED: dict[str, tuple[str, str | bytes, str]] = {
    "Chinese": ("t.txt", "我今天非常高兴，因为天气很好！", "天气"),
    "emoji": ("t.srt", subtitle("hello 😀👩‍👩‍👧 there"), "😀"),
    "right to left": ("t.srt", subtitle("\u202eمرحبا שלום\u202c"), "שלום"),
    "Latin-1": ("t.srt", subtitle("ça va très bien").encode("latin-1"), "très"),
    "UTF-16": ("t.srt", subtitle("good morning").encode("utf-16"), "morning"),
    "rich markup": ("t.txt", "hello [/nothing] there", "hello"),
    "one endless word": ("t.txt", "x" * 100_000, "xxxx"),
    "long words": ("t.txt", " ".join(f"Donaudampfschifffahrtsgesellschaft{i}" for i in range(100)), "Donau"),
    "lone surrogates": ("t.json", '{"words": [{"word": "a\\ud800b", "start": 0.1, "end": 0.3}]}', "b"),
    "control characters": ("t.json", '[{"word": "\\u001b[31mred", "start": 0.1, "end": 0.3}]', "red"),
    "numbers that are none": ("t.json", '[{"word": "one", "start": NaN, "end": 1e999, "confidence": NaN}]', "one"),
    "backwards and negative": ("t.srt", subtitle("no", "00:00:00,500", "00:00:00,100")
                               + "\n" + subtitle("early", "-00:00:01,000", "00:00:00,300"), "early"),
}  # fmt: skip


@pytest.mark.parametrize("name", USED)
def test_odd_transcripts_are_used(name: str, clips: Path, tmp_path: Path, command: Command) -> None:
    file, text, kept = USED[name]
    path = tmp_path / file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = command(clips / "ok.wav", "--transcript", path, "--format", "html,json,srt,eaf", "--out", tmp_path)
    assert "\x1b[31m" not in done.answered().out
    result = json.loads((tmp_path / "ok.json").read_text("utf-8"))
    assert any(kept in ev["text"] for ev in result["evidence"] if ev["modality"] == "words"), result["evidence"]


def test_ten_thousand_words(clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text(" ".join(f"word{i}" for i in range(10_000)))
    began_s = time.monotonic()
    analysis = hero.analyze(clips / "ok.wav", transcript=path)
    sound_answer(analysis)
    assert len(analysis.spans["words.words"]) == 10_000
    assert time.monotonic() - began_s < 30


def test_markup_in_a_transcript_stays_text(clips: Path, tmp_path: Path, command: Command) -> None:
    words = 'say <img src=x onerror=alert and </script><script>alert(1)</script> "quoted" & so on'
    (tmp_path / "t.json").write_text(json.dumps({"words": [
        {"word": word, "start": 0.05 * i, "end": 0.05 * i + 0.04} for i, word in enumerate(words.split())
    ]}))  # fmt: skip
    command(clips / "ok.wav", "--transcript", tmp_path / "t.json", "--format", "html,eaf,srt,md", "--out",
            tmp_path).answered()  # fmt: skip
    html = (tmp_path / "ok.html").read_text("utf-8")
    assert "onerror=alert" in html
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    from xml.etree import ElementTree

    ElementTree.fromstring((tmp_path / "ok.eaf").read_text("utf-8").encode())


def test_every_refusal_is_of_this_package(tmp_path: Path) -> None:
    for make in (no_file, text_file, zero_bytes, endless_link, name_beyond_the_file_system):
        with pytest.raises(HeroError) as error:
            hero.analyze(make(tmp_path), lang="zh")
        assert "\n" not in error.value.line
