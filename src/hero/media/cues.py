"""What transcript files say before it is checked: cues, read from SRT, VTT, plain text and subtitle streams."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hero.errors import MediaError
from hero.media.container import media_faults, open_container, packets, seconds
from hero.media.notes import Notes

MARK = re.compile(r"(-?)(?:(\d+):)?(\d{1,3}):(\d{1,2})(?:[.,:](\d{1,3}))?")
ARROW = "-->"
INLINE = re.compile(r"<((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})>")
TAGS = re.compile(r"<[^>]*>|\{[^}]*\}|\[[^\]]*\]|♪|♫|\\[Nnh]")
ROLLING_S = 0.05  # cues this short between word-timed ones only repeat what was said


@dataclass(frozen=True)
class Cue:
    """A piece of text with the times its file gives, unchecked; `is_word` when the times are those of one word."""

    text: str
    start_s: float | None = None
    end_s: float | None = None
    is_word: bool = False
    confidence: float | None = None


def clean(text: str) -> str:
    """Text without styling tags, bracketed sound descriptions, music notes and surplus blanks."""
    return " ".join(TAGS.sub(" ", text).split())


def read_mark(text: str) -> float | None:
    """Seconds of a time mark such as `00:01:02,500` or `01:02.5`; None where there is none."""
    found = MARK.search(text)
    if not found:
        return None
    sign, hours, minutes, secs, fraction = found.groups()
    value = int(hours or 0) * 3600 + int(minutes) * 60 + int(secs) + float(f"0.{fraction or 0}")
    return -value if sign else value


def from_subtitles(text: str) -> list[Cue]:
    """Cues of an SRT or VTT text; a cue whose times cannot be read keeps its text without times."""
    cues: list[Cue] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        if ARROW not in lines[at]:
            at += 1
            continue
        left, _, right = lines[at].partition(ARROW)
        at += 1
        body = []
        while at < len(lines) and lines[at].strip() and ARROW not in lines[at]:
            body.append(lines[at])
            at += 1
        if at < len(lines) and ARROW in lines[at] and body and body[-1].strip().isdigit():
            body.pop()  # the number of the next cue, where no blank line stands between them
        cues += _cue(read_mark(left), read_mark(right), body)
    if any(cue.is_word for cue in cues):
        return [c for c in cues if c.is_word or c.start_s is None or c.end_s is None or c.end_s - c.start_s > ROLLING_S]
    return cues


def _cue(start_s: float | None, end_s: float | None, body: list[str]) -> list[Cue]:
    """One cue, or its words where time marks stand between them (WebVTT section 4.2.2)."""
    marked = [line for line in body if INLINE.search(line)]
    if not marked or start_s is None or end_s is None:
        text = clean(" ".join(body))
        return [Cue(text, start_s, end_s)] if text else []
    pieces = INLINE.split(" ".join(marked))
    marks = [start_s, *(read_mark(mark) or start_s for mark in pieces[1::2]), end_s]
    texts = [clean(piece) for piece in pieces[0::2]]
    return [Cue(t, a, b, is_word=True) for t, a, b in zip(texts, marks[:-1], marks[1:], strict=True) if t]


def from_text(text: str) -> list[Cue]:
    """Plain text: its lines, without times."""
    return [Cue(line) for line in (clean(raw) for raw in text.splitlines()) if line]


def from_stream(path: Path, index: int, zero_s: float, notes: Notes) -> list[Cue]:
    """Cues of a subtitle stream inside a media file, on the clip's clock."""
    cues: list[Cue] = []
    faults = media_faults()
    try:
        with open_container(path) as container:
            stream: Any = container.streams[index]
            for packet in packets(container, [stream], notes):
                start_s = seconds(packet.pts, stream)
                length_s = seconds(packet.duration, stream)
                if start_s is None:
                    continue
                try:
                    text = clean(" ".join(_dialogue(part) for part in stream.codec_context.decode2(packet) or ()))
                except faults:
                    notes.add("some embedded subtitles are damaged and were skipped")
                    continue
                if text:
                    begin_s = start_s - zero_s
                    cues.append(Cue(text, begin_s, begin_s + length_s if length_s else None))
    except MediaError as error:
        notes.add(f"the embedded subtitles cannot be read: {error.line}")
    return cues


def _dialogue(part: Any) -> str:
    """The words of one decoded subtitle, without the styling fields in front of them."""
    raw = getattr(part, "dialogue", b"") or getattr(part, "text", b"") or b""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
