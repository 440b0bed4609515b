"""Transcripts of every kind, with right and wrong times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from make_clips import write_clip

from hero.errors import InputError, TranscriptError
from hero.media.clip import Clip
from hero.media.notes import Notes
from hero.media.transcript import Transcript, join, read_transcript, tokens

SRT = "1\n00:00:00,500 --> 00:00:01,500\n<i>Hello</i> there\n\n2\n00:00:02,000 --> 00:00:03,000\n[door] you\ntwo!\n"


def read(
    tmp_path: Path, name: str, content: str | bytes, duration_s: float = 10.0, notes: Notes | None = None
) -> Transcript:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_transcript(path, duration_s=duration_s, notes=notes)


def spans(words: Transcript) -> list[tuple[str, float, float]]:
    return [(w.label, round(w.span.start_s, 3), round(w.span.end_s, 3)) for w in words.words]


def test_srt(tmp_path: Path) -> None:
    words = read(tmp_path, "a.srt", SRT)
    assert spans(words) == [("Hello", 0.5, 1.0), ("there", 1.0, 1.5), ("you", 2.0, 2.5), ("two!", 2.5, 3.0)]
    assert words.text == "Hello there you two!" and not words.timed and words.lang is None and words.source == "a.srt"
    assert [s.label for s in words.segments] == ["Hello there", "you two!"]
    assert all(w.confidence is None for w in words.words)


def test_srt_without_blank_lines_and_with_windows_line_ends(tmp_path: Path) -> None:
    squeezed = SRT.replace("\n\n", "\n").replace("\n", "\r\n")
    assert spans(read(tmp_path, "a.srt", squeezed)) == spans(read(tmp_path, "b.srt", SRT))


def test_vtt_with_word_times(tmp_path: Path) -> None:
    vtt = (
        "WEBVTT\n\nNOTE not said\n\nSTYLE\n::cue { color: red }\n\n00:00.500 --> 00:02.000 align:start\n"
        "so<00:00:01.000><c> far</c><00:01.500><c> away</c>\n\n00:02.000 --> 00:02.010\nso far away\n"
    )
    words = read(tmp_path, "a.vtt", vtt)
    assert spans(words) == [("so", 0.5, 1.0), ("far", 1.0, 1.5), ("away", 1.5, 2.0)] and words.timed


TIMED = [("hello", 0.5, 0.9), ("you", 1.0, 1.4)]
SHAPES = {
    "list": [{"word": "hello", "start": 0.5, "end": 0.9}, {"word": "you", "start": 1.0, "end": 1.4}],
    "words": {"words": [{"text": "hello", "start": "0.5s", "end": "0.9s"}, {"text": "you", "start": 1, "end": 1.4}]},
    "whisper": {"segments": [{"start": 0, "end": 2, "text": "hello you", "words": [
        {"word": " hello", "start": 0.5, "end": 0.9, "probability": 0.9},
        {"word": " you", "start": 1.0, "end": 1.4}]}]},
    "vosk": {"result": [{"conf": 1, "word": "hello", "start": 0.5, "end": 0.9},
                        {"conf": 1, "word": "you", "start": 1.0, "end": 1.4}], "text": "hello you"},
    "milliseconds": {"words": [{"word": "hello", "start_ms": 500, "end_ms": 900},
                               {"word": "you", "start_ms": 1000, "end_ms": 1400}]},
    "durations": {"b": 0, "d": 2, "t": "hello you", "w": [{"b": 0, "d": 0.5, "t": "<sil>"},
                  {"b": 0.5, "d": 0.4, "t": "hello(2)", "p": 0.9}, {"b": 1.0, "d": 0.4, "t": "you"}]},
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_json_with_word_times(tmp_path: Path, shape: str) -> None:
    words = read(tmp_path, "a.json", json.dumps(SHAPES[shape]))
    assert spans(words) == TIMED and words.timed and words.segments == ()


def test_json_confidence_and_language(tmp_path: Path) -> None:
    words = read(tmp_path, "a.json", json.dumps({**SHAPES["whisper"], "language": "en"}))
    assert [w.confidence for w in words.words] == [0.9, None] and words.lang == "en"


@pytest.mark.parametrize("data", [
    {"segments": [{"start": 1.0, "end": 2.0, "text": "ab cd"}]},
    {"chunks": [{"timestamp": [1.0, 2.0], "text": "ab cd"}], "text": "ab cd"},
    {"transcription": [{"offsets": {"from": 1000, "to": 2000}, "text": " ab cd"}]},
    [{"start": "00:00:01.0", "end": "00:00:02.0", "text": "ab cd"}],
])  # fmt: skip
def test_json_with_segment_times_only(tmp_path: Path, data: object) -> None:
    words = read(tmp_path, "a.json", json.dumps(data))
    assert spans(words) == [("ab", 1.0, 1.5), ("cd", 1.5, 2.0)] and not words.timed


def test_plain_text_is_spread_over_the_clip(tmp_path: Path) -> None:
    notes = Notes()
    words = read(tmp_path, "a.txt", "ab cd\n\nefgh", duration_s=8.0, notes=notes)
    assert spans(words) == [("ab", 0, 2), ("cd", 2, 4), ("efgh", 4, 8)] and not words.timed
    assert any("no times" in line for line in notes.lines)
    assert [w[0] for w in spans(read(tmp_path, "b.json", '{"text": "ab cd"}'))] == ["ab", "cd"]


def test_chinese_characters_are_words(tmp_path: Path) -> None:
    words = read(tmp_path, "a.srt", "1\n00:00:00,000 --> 00:00:03,000\n我很好,OK 吗?\n")
    assert [w.label for w in words.words] == ["我", "很", "好,", "OK", "吗?"]
    assert words.text == "我很好, OK 吗?" and words.lang == "zh"
    assert tokens("你好 world") == ["你", "好", "world"] and join(["你", "好", "world"]) == "你好 world"


@pytest.mark.parametrize(("encoding", "text"), [
    ("utf-8-sig", "café so"), ("utf-16", "café so"), ("utf-16-le", "cafe so"), ("cp1252", "café so"),
    ("gb18030", "你好 so"),
])  # fmt: skip
def test_encodings(tmp_path: Path, encoding: str, text: str) -> None:
    srt = f"1\n00:00:00,000 --> 00:00:01,000\n{text}\n"
    assert read(tmp_path, "a.srt", srt.encode(encoding)).text == text


def test_wrong_times_are_clamped_or_skipped_and_noted(tmp_path: Path) -> None:
    rows = [("late", 4.0, 5.0), ("early", -1.0, 0.5), ("turned", 3.0, 2.0), ("beyond", 50.0, 51.0), ("long", 9.0, 20.0),
            ("nan", float("nan"), 1.0)]  # fmt: skip
    notes = Notes()
    data = json.dumps([{"word": w, "start": a, "end": b} for w, a, b in rows])
    words = read(tmp_path, "a.json", data, notes=notes)
    assert [w[0] for w in spans(words)][:2] == ["early", "late"] and ("early", 0.0, 0.5) in spans(words)
    assert ("long", 9.0, 10.0) in spans(words) and not {"turned", "beyond", "nan"} & {w[0] for w in spans(words)}
    assert all(0 <= w.span.start_s <= w.span.end_s <= 10 for w in words.words)
    told = " ".join(notes.lines)
    assert "3 of 6" in told and "cut to it" in told and "not in order" in told


@pytest.mark.parametrize(("name", "content", "told"), [
    ("a.srt", "1\n00:01:00,000 --> 00:01:02,000\nhello\n", "none of its 1 time spans"),
    ("a.srt", "hello there", "-->"),
    ("a.srt", "", "no words"),
    ("a.json", "{broken", "not valid JSON"),
    ("a.json", '{"foo": 1}', "it holds: foo"),
    ("a.json", "[]", "no words"),
    ("a.json", "[" * 100_000, "not valid JSON"),
    ("a.txt", "  \n", "no words"),
    ("a.txt", bytes(range(256)) * 20, "not text"),
    ("a.vtt", "WEBVTT\n\nNOTE nothing\n", "-->"),
])  # fmt: skip
def test_unusable_transcripts_say_why(tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    with pytest.raises(TranscriptError) as caught:
        read(tmp_path, name, content)
    assert told in str(caught.value) and name in str(caught.value) and "\n" not in caught.value.line


def test_missing_transcripts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such transcript"):
        read_transcript(tmp_path / "a.srt", duration_s=1.0)
    with pytest.raises(TranscriptError, match="folder"):
        read_transcript(tmp_path, duration_s=1.0)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_embedded_subtitles(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"a{suffix}", subtitles=[(0.1, 0.4, "Hello there"), (0.5, 0.9, "you")])
    words = Clip.open(path).transcript
    assert words is not None and words.source == "embedded subtitles" and not words.timed
    assert spans(words) == [("Hello", 0.1, 0.25), ("there", 0.25, 0.4), ("you", 0.5, 0.9)]


def test_only_a_named_transcript_is_used(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", seconds=4)
    (tmp_path / "a.srt").write_text(SRT)
    assert Clip.open(path).transcript is None
    named = Clip.open(path, transcript=tmp_path / "a.srt")
    assert named.transcript is not None and named.transcript.source == "a.srt"
    assert named.as_json()["transcript"] == {"source": "a.srt", "lang": None, "timed": False}


def test_real_word_times(hero_data: Path) -> None:
    path = hero_data / "speech" / "librivox" / "sense_and_sensibility_01_austen_64kb-0870.json"
    words = read_transcript(path, duration_s=7.1)
    assert words.timed and words.text.startswith("and mister john dashwood had then leisure")
    assert len(words.words) == 22
