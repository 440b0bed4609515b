"""The words of a clip with their times: from a file that was named, or from a subtitle stream inside the clip.

Times that cannot be right (negative, backwards, beyond the clip) are clamped or skipped and noted. Words of a cue that
is timed only as a whole share its time in proportion to their letters; then `Transcript.timed` is False and the
words have no confidence. Text without any times is spread over the clip the same way.
"""

from __future__ import annotations

import codecs
import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hero.errors import InputError, TranscriptError
from hero.media.cues import Cue, from_stream, from_subtitles, from_text
from hero.media.notes import Notes
from hero.media.word_json import from_json
from hero.types import LabelledSpan, Span

MAX_BYTES = 64 << 20
END_SLACK_S = 0.5  # an end this little beyond the clip is rounding
OPEN_CUE_S = 4.0  # how long a cue without an end lasts at most
HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff"
TOKEN = re.compile(rf"[{HAN}]|[^\s{HAN}]+")
LEADING_MARKS = re.compile(r"[^\w\s]+")
HAN_CHAR = re.compile(f"[{HAN}]")
ALLOWED = "SRT, VTT, JSON with word times, or plain text"


@dataclass(frozen=True)
class Transcript:
    """What is said: `words` in order of time, the whole `text`, and where it came from.

    `timed` is True when the source gave a time for every word; otherwise word times are estimates inside their
    `segments` (the cues of the source, true times where the source has any).
    """

    words: tuple[LabelledSpan, ...]
    text: str
    source: str
    lang: str | None
    timed: bool
    segments: tuple[LabelledSpan, ...] = ()


def read_transcript(path: str | Path, *, duration_s: float, notes: Notes | None = None) -> Transcript:
    """Read a transcript file for a clip of that length; the kind is told by its content.

    Raises:
        InputError: there is no such file.
        TranscriptError: not text, no words, or no usable times.
    """
    path, notes = Path(path), notes or Notes()
    text = _decode(_bytes(path), path.name, notes)
    lang = None
    head = text.lstrip()[:1]
    if path.suffix.lower() == ".json" or (head in "{[" and head and path.suffix.lower() != ".txt"):
        cues, lang = from_json(text, path.name)
    elif "-->" in text:
        cues = from_subtitles(text)
    elif path.suffix.lower() in {".srt", ".vtt"} and text.strip():
        raise TranscriptError(f"{path.name}: has no line such as '00:00:01,000 --> 00:00:02,000'; allowed: {ALLOWED}")
    else:
        cues = from_text(text)
    if not cues:
        raise TranscriptError(f"{path.name}: holds no words ({len(text)} characters); allowed: {ALLOWED}")
    return assemble(cues, duration_s=duration_s, source=path.name, lang=lang, notes=notes)


def embedded_transcript(
    path: Path, index: int, *, zero_s: float, duration_s: float, lang: str | None, notes: Notes
) -> Transcript | None:
    """The words of a subtitle stream inside the clip, or None with a note where it holds nothing usable."""
    cues = from_stream(path, index, zero_s, notes)
    if not cues:
        return None
    try:
        return assemble(cues, duration_s=duration_s, source="embedded subtitles", lang=lang, notes=notes)
    except TranscriptError as error:
        notes.add(error.line)
        return None


def _bytes(path: Path) -> bytes:
    if not path.exists():
        raise InputError(
            f"{path}: there is no such transcript file; allowed: {ALLOWED}; correct the path or leave it out"
        )
    if not path.is_file():
        raise TranscriptError(f"{path}: is a folder, not a transcript file; allowed: {ALLOWED}")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TranscriptError(f"{path.name}: {size} bytes is too long for a transcript (at most {MAX_BYTES})")
        return path.read_bytes()
    except OSError as fault:
        raise TranscriptError(f"{path}: cannot be read ({fault.strerror}); check its permissions") from fault


def _decode(raw: bytes, name: str, notes: Notes) -> str:
    """Text of a file in UTF-8 or UTF-16 (with or without mark), GB 18030 or Windows-1252."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = raw.decode("utf-16", "replace")
    elif raw.count(0) > len(raw) // 4:
        little = raw[1::2].count(0) >= raw[0::2].count(0)
        text = raw.decode("utf-16-le" if little else "utf-16-be", "replace")
    else:
        text = _eight_bit(raw, name, notes)
    if text.count("\0") or sum(c < " " and c not in "\t\r\n\f\v" for c in text) > 0.02 * len(text):
        raise TranscriptError(f"{name}: is not text; allowed: {ALLOWED}; give a text file")
    return text


def _eight_bit(raw: bytes, name: str, notes: Notes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pairs = re.findall(rb"[\x80-\xff]+", raw)
        chinese = sum(len(p) for p in pairs if len(p) % 2 == 0) > 0.9 * sum(map(len, pairs))
        encoding = "gb18030" if chinese else "cp1252"
        notes.add(f"{name} is not UTF-8: read as {encoding}")
        return raw.decode(encoding, "replace")


def assemble(cues: Iterable[Cue], *, duration_s: float, source: str, lang: str | None, notes: Notes) -> Transcript:
    """Checked words from unchecked cues.

    Raises:
        TranscriptError: no cue is left.
    """
    cues = list(cues)
    if all(cue.start_s is None for cue in cues):
        text = " ".join(cue.text for cue in cues)
        kept = [Cue(text, 0.0, duration_s)]
        notes.add(f"{source} has no times: its words were spread over the clip")
        timed = False
    else:
        kept = _usable(_filled(cues), duration_s, source, notes)
        timed = all(cue.is_word for cue in kept)
    words = tuple(word for cue in kept for word in _spread(cue))
    if not words:
        raise TranscriptError(f"{source}: holds no words; allowed: {ALLOWED}")
    text = join(word.label for word in words)
    segments = tuple(LabelledSpan(_span(c), c.text, c.confidence) for c in kept) if not timed else ()
    return Transcript(words, text, source, lang or _guess(text), timed, segments)


def _filled(cues: list[Cue]) -> list[Cue]:
    """Cues without times, or without an end, take what their neighbours leave them."""
    filled: list[Cue] = []
    for at, cue in enumerate(cues):
        before_s = filled[-1].end_s if filled and filled[-1].end_s is not None else 0.0
        after_s = next((c.start_s for c in cues[at + 1 :] if c.start_s is not None), None)
        if cue.start_s is None:
            end_s = after_s if after_s is not None and after_s >= before_s else before_s + 0.3 * len(tokens(cue.text))
            cue = replace(cue, start_s=before_s, end_s=end_s, is_word=False)
        elif cue.end_s is None:
            end_s = cue.start_s + OPEN_CUE_S if not cue.is_word else cue.start_s + 0.3
            cue = replace(cue, end_s=min(end_s, after_s) if after_s is not None and after_s > cue.start_s else end_s)
        filled.append(cue)
    return filled


def _usable(cues: list[Cue], duration_s: float, source: str, notes: Notes) -> list[Cue]:
    """Cues inside the clip, in order of time; what was changed is noted."""
    kept, skipped, clamped = [], 0, 0
    for cue in cues:
        start_s, end_s = cue.start_s, cue.end_s
        assert start_s is not None and end_s is not None
        if (
            not (math.isfinite(start_s) and math.isfinite(end_s))
            or end_s < start_s
            or end_s < 0
            or start_s >= duration_s
        ):
            skipped += 1
            continue
        clamped += start_s < 0 or end_s > duration_s + END_SLACK_S
        kept.append(replace(cue, start_s=max(0.0, start_s), end_s=min(duration_s, end_s)))
    if not kept:
        first = cues[0]
        raise TranscriptError(
            f"{source}: none of its {len(cues)} time spans lies in the clip of {duration_s:.2f} s (the first is "
            f"{first.start_s:.2f}..{first.end_s:.2f} s); allowed: 0 <= start <= end, start before the clip's end; "
            "check that it belongs to this clip"
        )
    if skipped:
        notes.add(f"{source}: {skipped} of {len(cues)} time spans are impossible in this clip and were skipped")
    if clamped:
        notes.add(f"{source}: {clamped} time spans reach beyond the clip and were cut to it")
    if any(a.start_s > b.start_s for a, b in itertools.pairwise(kept)):  # type: ignore[operator]
        notes.add(f"{source}: its times are not in order: sorted")
        kept.sort(key=lambda c: (c.start_s, c.end_s))
    return kept


def tokens(text: str) -> list[str]:
    """Words of a text; each Chinese or Japanese character is a word; punctuation stays with the word before it."""
    found: list[str] = []
    for match in TOKEN.finditer(text):
        token = match.group()
        if found and HAN_CHAR.match(text[match.start() - 1]) and (mark := LEADING_MARKS.match(token)):
            found[-1] += mark.group()
            token = token[mark.end() :]
        if found and token and not any(c.isalnum() for c in token):
            found[-1] += token
        elif token:
            found.append(token)
    return found


def join(words: Iterable[str]) -> str:
    """Words as running text: blanks between words, none between Chinese characters."""
    text = ""
    for word in words:
        glued = not text or (HAN_CHAR.search(text[-2:]) and HAN_CHAR.match(word))
        text += word if glued else f" {word}"
    return text


def _spread(cue: Cue) -> list[LabelledSpan]:
    """The words of a cue, sharing its time in proportion to their letters."""
    words = tokens(cue.text)
    span = _span(cue)
    if len(words) == 1:
        return [LabelledSpan(span, words[0], cue.confidence if cue.is_word else None)]
    share = [max(1, sum(c.isalnum() for c in word)) for word in words]
    unit_s = span.duration_s / sum(share) if share else 0.0
    spread, at = [], 0
    for word, letters in zip(words, share, strict=True):
        part = Span(span.start_s + at * unit_s, min(span.end_s, span.start_s + (at + letters) * unit_s))
        spread.append(LabelledSpan(part, word, cue.confidence if cue.is_word else None))
        at += letters
    return spread


def _span(cue: Cue) -> Span:
    assert cue.start_s is not None and cue.end_s is not None
    return Span(cue.start_s, max(cue.start_s, cue.end_s))


def _guess(text: str) -> str | None:
    """`zh` for text that is mostly Chinese characters; nothing is guessed about other scripts."""
    letters = [c for c in text if c.isalpha()]
    han = sum("\u4e00" <= c <= "\u9fff" for c in letters)
    return "zh" if letters and han > 0.5 * len(letters) else None
