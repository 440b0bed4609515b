"""The words and the evidence as SubRip subtitles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hero.report.answer import checked, printable
from hero.types import LabelledSpan

PAUSE_S = 0.6  # a longer silence between two words starts a new subtitle
LINE_S = 6.0
LINE_CHARS = 60
LEAST_S = 0.4  # shorter evidence is shown this long, or nobody could read it


def subtitles(result: Mapping[str, Any], spans: Mapping[str, Sequence[LabelledSpan]], *, evidence: bool = True) -> str:
    """Utterances made of the words, and each piece of evidence as `[VE-01] text`, in order of time.

    Subtitles may overlap, as evidence does; players stack them. SubRip has no escapes: `<`, `>`, `{` and `}` become
    look-alikes, so that no player takes them for markup.

    Raises:
        VerdictError: the result does not have the public shape.
    """
    rows = checked(result)
    cues = utterances(spans.get("words.words", ()))
    if evidence:
        for ev in rows["evidence"]:
            mark = f"{ev['id']}?" if ev["inferred"] else ev["id"]
            cues.append((ev["span"][0], max(ev["span"][1], ev["span"][0] + LEAST_S), f"[{mark}] {ev['text']}"))
    cues.sort(key=lambda cue: (cue[0], cue[1]))
    blocks = [
        f"{number}\n{stamp(start)} --> {stamp(max(end, start + 0.001))}\n{_safe(text)}\n"
        for number, (start, end, text) in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def utterances(words: Sequence[LabelledSpan]) -> list[tuple[float, float, str]]:
    """(start_s, end_s, text) of words joined up to a pause, a length of time or a length of line."""
    groups: list[list[LabelledSpan]] = []
    for word in sorted((w for w in words if w.label.strip()), key=lambda w: w.span):
        group = groups[-1] if groups else []
        letters = sum(len(w.label) + 1 for w in group) + len(word.label)
        joined = bool(group) and word.span.start_s - group[-1].span.end_s <= PAUSE_S
        if joined and word.span.end_s - group[0].span.start_s <= LINE_S and letters <= LINE_CHARS:
            group.append(word)
        else:
            groups.append([word])
    return [(g[0].span.start_s, max(w.span.end_s for w in g), join_words([w.label for w in g])) for g in groups]


def join_words(labels: Sequence[str]) -> str:
    """Words as a line: with spaces, except between Chinese characters."""
    text = ""
    for label in (label.strip() for label in labels):
        tight = not text or (_is_han(text[-1]) and _is_han(label[0])) or label[0] in "，。！？；：、"
        text += label if tight else f" {label}"
    return text


def _is_han(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff" or letter in "，。！？；：、"


def stamp(seconds: float) -> str:
    """`00:01:02,345`."""
    total = round(seconds * 1000)
    return f"{total // 3600000:02d}:{total // 60000 % 60:02d}:{total // 1000 % 60:02d},{total % 1000:03d}"


def _safe(text: str) -> str:
    return " ".join(printable(text).replace("-->", "→").split()).translate(str.maketrans("<>{}", "‹›❴❵"))
