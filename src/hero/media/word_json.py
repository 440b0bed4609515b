"""Transcripts as JSON: the common shapes of speech recognisers, read into cues.

Known shapes: a list of words or segments; `{"words": [...]}`; `{"segments": [{"words": [...]}]}` (Whisper and its
relatives); `{"result": [...]}` (Vosk); `{"chunks": [{"timestamp": [a, b]}]}` (transformers); `{"transcription":
[{"offsets": {"from": ms}}]}` (whisper.cpp); `{"w": [{"b", "d", "t"}]}` (PocketSphinx); `{"text": "..."}` alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hero.errors import TranscriptError
from hero.media.cues import Cue, clean, from_text, read_mark

LISTS = ("words", "segments", "result", "results", "chunks", "transcription", "utterances", "monologues", "w")
INNER = ("words", "w", "tokens")
TEXT = ("word", "text", "t", "token", "value", "transcript", "punctuated_word", "sentence")
START = ("start", "start_s", "start_time", "startTime", "begin", "from", "b", "s")
END = ("end", "end_s", "end_time", "endTime", "to", "e", "stop")
SURE = ("confidence", "probability", "prob", "score", "conf", "p")
ONE_WORD = ("word", "token", "punctuated_word")
VARIANT = re.compile(r"\(\d+\)$")  # PocketSphinx marks pronunciation variants: "and(2)"


def from_json(text: str, name: str) -> tuple[list[Cue], str | None]:
    """Cues and the language that the file names, if any.

    Raises:
        TranscriptError: not JSON, or none of the known shapes.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise TranscriptError(
            f"{name}: is not valid JSON ({fault}); correct it or give SRT, VTT or plain text"
        ) from fault
    lang = data.get("language") if isinstance(data, Mapping) else None
    cues = _cues(data)
    if not cues:
        keys = ", ".join(map(str, list(data)[:6])) if isinstance(data, Mapping) else type(data).__name__
        raise TranscriptError(
            f"{name}: no words found in this JSON (it holds: {keys or 'nothing'}); allowed: a list of "
            '{"word", "start", "end"}, {"words": [...]} or {"segments": [...]}'
        )
    return cues, lang if isinstance(lang, str) else None


def _cues(data: Any) -> list[Cue]:
    if isinstance(data, str):
        return from_text(data)
    if isinstance(data, list):
        return [cue for item in data for cue in _item(item)]
    if not isinstance(data, Mapping):
        return []
    for key in LISTS:
        if isinstance(data.get(key), list) and data[key]:
            cues = [cue for item in data[key] for cue in _item(item, one_word=key in INNER)]
            if cues:
                return cues
    return from_text(data["text"]) if isinstance(data.get("text"), str) else []


def _item(item: Any, *, one_word: bool = False) -> list[Cue]:
    """A word, or a segment with or without its words."""
    if isinstance(item, str):
        return from_text(item)
    if not isinstance(item, Mapping):
        return []
    for key in INNER:
        if isinstance(item.get(key), list) and item[key]:
            words = [cue for word in item[key] for cue in _item(word, one_word=True)]
            if words:
                return words
    key, text = next(((k, item[k]) for k in TEXT if isinstance(item.get(k), str)), ("", ""))
    text = clean(VARIANT.sub("", text))
    if not text:
        return []
    start_s, end_s = _times(item)
    sure = next((_number(item[k]) for k in SURE if k in item), None)
    confidence = min(1.0, max(0.0, sure)) if sure is not None and sure == sure else None
    is_word = (one_word or key in ONE_WORD or (key == "t" and "d" in item)) and start_s is not None
    return [Cue(text, start_s, end_s, is_word=is_word, confidence=confidence)]


def _times(item: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Start and end in seconds, whatever they are called."""
    pair = item.get("timestamp") or item.get("timestamps") or item.get("span")
    if isinstance(pair, list) and len(pair) == 2:
        return _number(pair[0]), _number(pair[1])
    offsets = item.get("offsets")
    if isinstance(offsets, Mapping):
        first, last = _number(offsets.get("from")), _number(offsets.get("to"))
        return None if first is None else first / 1000, None if last is None else last / 1000
    for unit, scale in (("", 1.0), ("_ms", 1000.0)):
        first = next((_number(item[k + unit]) for k in START if k + unit in item), None)
        last = next((_number(item[k + unit]) for k in END if k + unit in item), None)
        if last is None and first is not None:
            length = _number(item.get("duration" + unit, item.get("d")))
            last = None if length is None else first + length
        if first is not None:
            return first / scale, None if last is None else last / scale
    return None, None


def _number(value: Any) -> float | None:
    """A number, also from `"1.5"`, `"1.5s"` and `"00:00:01.5"`."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e9 else None
    if not isinstance(value, str):
        return None
    if ":" in value:
        return read_mark(value)
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*s?\s*", value)
    return float(found.group(1)) if found else None
