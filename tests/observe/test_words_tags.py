"""Tags for sounds that are no words: heard ones, written ones, and how they stand among the words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from builders import evidence

from hero.media.clip import Block
from hero.media.transcript import read_transcript
from hero.observe.sounds import KINDS
from hero.observe.words import WordsExpert
from hero.observe.words.tags import WRITTEN, parted, tag, tagged, told
from hero.types import LabelledSpan, Observation, Span


def said(text: str, step_s: float = 0.5) -> list[LabelledSpan]:
    return [LabelledSpan(Span(k * step_s, (k + 1) * step_s), word, 0.9) for k, word in enumerate(text.split())]


def labels(items: tuple[LabelledSpan, ...] | list[LabelledSpan]) -> list[str]:
    return [item.label for item in items]


def test_heard_sounds_stand_where_they_were_heard() -> None:
    sounds = [evidence("voice", "laughter", 0.6, 0.9, confidence=0.7), evidence("voice", "sigh", 5.0, 6.0)]
    items = tagged(said("oh that is funny"), sounds)
    assert labels(items) == ["oh", "that", "[laughter]", "is", "funny", "[sigh]"]
    assert items[2].span == Span(0.6, 0.9) and items[2].confidence == 0.7
    assert told(items) == "[laughter], [sigh]"


def test_without_tags_there_is_no_list() -> None:
    assert tagged(said("nothing to hear"), []) == ()
    assert (
        tagged(said("nothing"), [evidence("voice", "music"), evidence("voice", "applause"), evidence("voice", "pause")])
        == ()
    )
    assert tagged(said("nothing"), [evidence("voice", "sigh", inferred=True)]) == ()
    assert tagged([], []) == ()


def test_every_tag_is_a_kind_of_the_sounds_expert() -> None:
    assert set(WRITTEN) <= set(KINDS)
    spellings = [word for words in WRITTEN.values() for word in words]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("well (laughs) yes", ["well", "[laughter]", "yes"]),
        ("well [LAUGHTER] yes", ["well", "[laughter]", "yes"]),
        ("well (sighs heavily) yes", ["well", "[sigh]", "yes"]),
        ("*gasps* no", ["[gasp]", "no"]),
        ("<cough> no", ["[cough]", "no"]),
        ("好 （笑声） 的", ["好", "[laughter]", "的"]),
        ("好 【叹 气】 的", ["好", "[sigh]", "的"]),
        ("(crying) (crying)", ["[crying]", "[crying]"]),
    ],
)
def test_written_tags_are_spelled_one_way(text: str, wanted: list[str]) -> None:
    assert labels(tagged(said(text), [])) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "he laughs loudly",
        "(he never laughs at me at all)",
        "(laughs without an end",
        "(music) [door slams]",
        "() [] *",
        "3 < 4 laughs",
    ],
)
def test_other_brackets_are_left_alone(text: str) -> None:
    plain, written = parted(said(text))
    assert written == [] and labels(plain) == text.split()


def test_a_sound_both_written_and_heard_is_told_once() -> None:
    words = said("so (laughs) there we are now")  # the tag stands at 0.5..1.0 s
    for start_s, end_s, times in ((0.6, 0.9, 1), (1.4, 2.0, 1), (0.0, 3.0, 1), (1.6, 2.0, 2)):
        items = tagged(words, [evidence("voice", "laughter", start_s, end_s)])
        assert labels(items).count(tag("laughter")) == times
    other = tagged(words, [evidence("voice", "crying", 0.6, 0.9)])
    assert labels(other) == ["so", "[laughter]", "[crying]", "there", "we", "are", "now"]


class MadeClip:
    """Ten seconds with a transcript."""

    duration_s = 10.0
    audio = object()

    def __init__(self, path: Path) -> None:
        self.transcript = read_transcript(path, duration_s=10.0)

    def sound(self) -> Iterator[Block]:
        raise AssertionError("a transcript needs no sound")


def test_a_transcript_keeps_its_words_and_its_evidence(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:02,000 --> 00:00:04,000\nI am fine (sighs) really.\n", "utf-8")
    heard = Observation("sounds", "voice", evidence=(evidence("voice", "laughter", 5.0, 6.0),))
    found = []
    for earlier in ({}, {"sounds": heard}):
        expert = WordsExpert()
        assert expert.start(SimpleNamespace(clip=MadeClip(path), lang="en", settings={})) is None  # type: ignore[arg-type]
        found.append(expert.finish(earlier))
    silent, laughing = found
    assert [ev.text for ev in silent.evidence] == [ev.text for ev in laughing.evidence]
    assert labels(laughing.spans["words"]) == ["I", "am", "fine", "(sighs)", "really."]
    assert labels(silent.spans["tagged_words"]) == ["I", "am", "fine", "[sigh]", "really."]
    assert labels(laughing.spans["tagged_words"]) == ["I", "am", "fine", "[sigh]", "really.", "[laughter]"]
    assert laughing.notes[-1] == "words: [sigh], [laughter] stand among the words in tagged_words"


def test_absent_words_have_no_tags() -> None:
    expert = WordsExpert()
    clip = SimpleNamespace(transcript=None, audio=object(), duration_s=10.0)
    expert.start(SimpleNamespace(clip=clip, lang="en", settings={"recognizer": "none"}))  # type: ignore[arg-type]
    heard = Observation("sounds", "voice", evidence=(evidence("voice", "laughter"),))
    found = expert.finish({"sounds": heard, "voice": Observation("voice", "voice")})
    assert found.absent is not None and not found.spans
