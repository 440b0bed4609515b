"""Tags for sounds that are no words ([laughter], [sigh] ...) among the words, in order of time.

They come from what the sounds expert heard and from tags that a transcript or recogniser wrote itself, such as
"(laughs)" or "[叹气]". A transcript's words stay as they are; a recogniser's tags are no words, so that what reads the words
is not disturbed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from hero.types import Evidence, LabelledSpan

WRITTEN: dict[str, tuple[str, ...]] = {
    "laughter": ("laugh", "laughs", "laughing", "laughter", "chuckle", "chuckles", "chuckling", "giggle", "giggles",
                 "giggling", "snicker", "snickers", "haha", "笑", "笑声", "大笑", "笑了", "轻笑"),
    "crying": ("cry", "cries", "crying", "sob", "sobs", "sobbing", "weep", "weeps", "weeping", "whimper", "whimpers",
               "哭", "哭泣", "哭声", "抽泣", "啜泣"),
    "sigh": ("sigh", "sighs", "sighing", "叹气", "叹息"),
    "gasp": ("gasp", "gasps", "gasping", "倒吸一口气", "倒抽一口气", "喘气"),
    "groan": ("groan", "groans", "groaning", "moan", "moans", "moaning", "grunt", "grunts", "呻吟"),
    "shout": ("shout", "shouts", "shouting", "yell", "yells", "yelling", "喊", "大喊", "喊叫"),
    "scream": ("scream", "screams", "screaming", "shriek", "shrieks", "尖叫"),
    "whisper": ("whisper", "whispers", "whispering", "耳语", "低语"),
    "singing": ("sing", "sings", "singing", "hum", "hums", "humming", "唱歌", "哼唱"),
    "cough": ("cough", "coughs", "coughing", "clears", "咳嗽", "清嗓子"),
    "sniff": ("sniff", "sniffs", "sniffing", "sniffle", "sniffles", "sniffling", "抽鼻子"),
    "breathing": ("breath", "breaths", "breathes", "breathing", "inhales", "exhales", "pant", "pants", "panting",
                  "呼吸", "吸气", "呼气"),
}  # fmt: skip
TAGS = {word: cue for cue, words in WRITTEN.items() for word in words}
BRACKETS = {"(": ")", "[": "]", "（": "）", "【": "】", "［": "］", "*": "*", "<": ">"}
MOST_LATIN, MOST_WORDS = 3, 8  # of a tag that a transcript wrote: "(laughs and claps)", or single Chinese characters
SAME_S = 0.5  # the same sound, heard and written so near to each other, is one
BARE = re.compile(r"[^\w\u4e00-\u9fff]+")


def tag(cue: str) -> str:
    """How a cue is written among the words."""
    return f"[{cue}]"


def tagged(words: Sequence[LabelledSpan], sounds: Iterable[Evidence]) -> tuple[LabelledSpan, ...]:
    """The words with tags among them, by time; () where there is no tag.

    A tag from the text covers the words it was written with; the same sound heard within half a second of it, or inside
    it, is not told again.
    """
    plain, written = parted(words)
    heard = [
        LabelledSpan(ev.span, tag(ev.cue), ev.confidence) for ev in sounds if ev.cue in WRITTEN and not ev.inferred
    ]  # fmt: skip
    new = [item for item in heard if not any(_same(item, other) for other in written)]
    if not written and not new:
        return ()
    return tuple(sorted([*plain, *written, *new], key=lambda item: (item.span.start_s, item.span.end_s)))


def told(items: Iterable[LabelledSpan]) -> str:
    """The tags among tagged words, each once, for a note."""
    names = {tag(cue) for cue in WRITTEN}
    return ", ".join(dict.fromkeys(item.label for item in items if item.label in names))


def _same(a: LabelledSpan, b: LabelledSpan) -> bool:
    gap_s = max(a.span.start_s, b.span.start_s) - min(a.span.end_s, b.span.end_s)
    return a.label == b.label and gap_s <= SAME_S


def parted(words: Sequence[LabelledSpan]) -> tuple[list[LabelledSpan], list[LabelledSpan]]:
    """Plain words, and the tags that stand in brackets among them, spelled as `tag` does."""
    plain: list[LabelledSpan] = []
    written: list[LabelledSpan] = []
    at = 0
    while at < len(words):
        end, cue = _bracketed(words, at)
        if cue:
            span = type(words[at].span)(words[at].span.start_s, max(w.span.end_s for w in words[at:end]))
            known = [w.confidence for w in words[at:end] if w.confidence is not None]
            written.append(LabelledSpan(span, tag(cue), min(known) if known else None))
            at = end
        else:
            plain.append(words[at])
            at += 1
    return plain, written


def _bracketed(words: Sequence[LabelledSpan], at: int) -> tuple[int, str | None]:
    """Where a bracket that opens at a word's start closes, and the sound that it names, if any."""
    closing = BRACKETS.get(words[at].label[:1])
    if closing is None:
        return at, None
    inside = ""
    for end in range(at, min(len(words), at + MOST_WORDS)):
        label = words[end].label[1:] if end == at else words[end].label
        body, closed, _ = label.partition(closing)
        inside += f" {body}"
        if closed:
            return end + 1, next(_sounds(inside), None)
    return at, None


def _sounds(inside: str) -> Iterator[str]:
    """The sounds that the text in brackets names: one word of it, or all of it where characters are words."""
    single = [BARE.sub("", word).lower() for word in inside.split()]
    if sum(word.isascii() for word in single) > MOST_LATIN:  # a remark that happens to name a sound
        return
    for word in ("".join(single), *single):
        if word in TAGS:
            yield TAGS[word]
