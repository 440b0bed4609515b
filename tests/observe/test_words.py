"""Words: from transcripts with and without times, from a recogniser, and what is said about them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from hero.media.clip import Block
from hero.media.transcript import Transcript, read_transcript
from hero.observe.words import CURE, WordsExpert, recognize
from hero.observe.words.recognize import LONGEST_S, Recognizer, windows_of
from hero.observe.words.tell import plain, repeats
from hero.observe.words.utterances import MOST_WORDS, lay_over, utterances_of
from hero.types import LabelledSpan, ModelUsed, Observation, Span

SPEECH = (LabelledSpan(Span(1.0, 2.0), "speech"), LabelledSpan(Span(4.0, 8.0), "speech"))


def said(text: str, step_s: float = 0.3, confidence: float | None = None) -> list[LabelledSpan]:
    return [LabelledSpan(Span(k * step_s, (k + 1) * step_s), w, confidence) for k, w in enumerate(text.split())]


class MadeClip:
    """A clip of silence with a transcript or without."""

    def __init__(self, transcript: Transcript | None, *, audio: bool = True, duration_s: float = 10.0) -> None:
        self.transcript, self.duration_s = transcript, duration_s
        self.audio = object() if audio else None

    def sound(self, rate_hz: int = 16000, block_s: float = 1.0) -> object:
        for k in range(int(self.duration_s)):
            yield Block(float(k), np.full(rate_hz, k / 100, np.float32), rate_hz)


def observe(clip: MadeClip, *, lang: str = "en", speech: tuple[LabelledSpan, ...] = SPEECH) -> Observation:
    expert = WordsExpert()
    absence = expert.start(SimpleNamespace(clip=clip, lang=lang, settings={}))
    assert absence is None, absence
    return expert.finish({"voice": Observation("voice", "voice", spans={"speech": speech})})


def transcript(tmp_path: Path, name: str, text: str) -> Transcript:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return read_transcript(path, duration_s=10.0)


def cues(observation: Observation) -> list[str]:
    return [ev.cue for ev in observation.evidence]


def test_a_timed_transcript_keeps_its_times(tmp_path: Path) -> None:
    given = transcript(
        tmp_path, "a.json", '[{"word": "Hello.", "start": 1.0, "end": 1.4}, {"word": "You?", "start": 2, "end": 2.5}]'
    )
    observation = observe(MadeClip(given))
    assert [w.span for w in observation.spans["words"]] == [Span(1.0, 1.4), Span(2.0, 2.5)]
    assert [ev.text for ev in observation.evidence if ev.cue == "utterance"] == [
        'The speaker says: "Hello."', 'The speaker says: "You?"',
    ]  # fmt: skip
    assert observation.notes == ("words: from a.json",)
    assert observation.evidence[0].confidence == pytest.approx(0.95)


def test_text_without_times_is_laid_over_the_speech(tmp_path: Path) -> None:
    observation = observe(MadeClip(transcript(tmp_path, "a.txt", "one two three four five six")))
    words = observation.spans["words"]
    assert words[0].span.start_s == pytest.approx(1.0) and words[-1].span.end_s == pytest.approx(8.0)
    assert all(w.span.start_s < 2.0 or w.span.end_s > 4.0 for w in words)
    assert "laid over" in observation.notes[1]
    assert observation.evidence[0].confidence < 0.95


def test_subtitles_keep_their_segments(tmp_path: Path) -> None:
    srt = "1\n00:00:02,000 --> 00:00:04,000\nI am not here.\n"
    observation = observe(MadeClip(transcript(tmp_path, "a.srt", srt)))
    assert observation.spans["utterances"][0].span == Span(2.0, 4.0)
    assert "negation" in cues(observation) and "estimates" in observation.notes[1]


def test_sentences_pauses_and_length_cut_utterances() -> None:
    assert [u.text for u in utterances_of(said("Mr. Smith left. Did he? Yes"))] == ["Mr. Smith left.", "Did he?", "Yes"]
    late = [*said("so then"), LabelledSpan(Span(5.0, 5.3), "gone")]
    assert [u.text for u in utterances_of(late)] == ["so then", "gone"]
    long = utterances_of(said("word " * (3 * MOST_WORDS)))
    assert [len(u.words) for u in long] == [MOST_WORDS] * 3
    assert [u.text for u in utterances_of([LabelledSpan(Span(0, 1), c) for c in ("好", "吧。", "走")])] == [
        "好吧。",
        "走",
    ]


def test_manner_of_english(tmp_path: Path) -> None:
    text = "Um, no no no! I don't, uh, want that. Oh, why? We go on."
    found = observe(MadeClip(transcript(tmp_path, "a.txt", text))).evidence
    by_cue = {ev.cue: ev for ev in found}
    assert by_cue["repetition"].text == 'Said 3 times in a row: "no".' and by_cue["repetition"].measures["times"] == 3
    assert '"oh"' in by_cue["interjection"].text
    assert {'"don\'t"' in ev.text for ev in found if ev.cue == "negation"} == {True, False}
    assert {"exclamation", "question", "hesitation"} <= set(by_cue)
    assert not [ev for ev in found if "go on" in ev.text and ev.cue != "utterance"]


def test_manner_of_chinese(tmp_path: Path) -> None:
    given = transcript(tmp_path, "a.txt", "嗯，我不要不要去！妈妈，你去吗？")
    found = observe(MadeClip(given), lang="zh").evidence
    texts = {ev.cue: ev.text for ev in found}
    assert texts["utterance"].startswith("说话者说：“")
    assert "不要" in texts["negation"] and texts["repetition"] == "连说 2 次：“不要”。"
    assert {"hesitation", "exclamation", "question"} <= set(texts)


def test_repeats_know_chinese_doubling() -> None:
    assert list(repeats(["妈", "妈", "看", "看"])) == []
    assert list(repeats(["好", "好", "好"])) == [(0, 1, 3)]
    assert list(repeats(["it", "is", "fine", "it", "is", "fine", "so"])) == [(0, 3, 2)]
    assert list(repeats(["", "", "that", "was"])) == []


def test_quotes_cannot_forge_citations() -> None:
    assert plain('so "he" said [VE-01]\n twice') == "so 'he' said (VE-01) twice"


def test_lay_over_keeps_order_and_bounds() -> None:
    words = said("a b c d e f g h", step_s=10 / 8)
    laid = lay_over(words, [s.span for s in SPEECH], 10.0)
    starts = [w.span.start_s for w in laid]
    assert starts == sorted(starts) and laid[-1].span.end_s == pytest.approx(8.0)
    assert lay_over(words, [], 10.0) == words


def test_absent_without_transcript_and_recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognize, "recognizer", lambda: None)
    absence = WordsExpert().start(SimpleNamespace(clip=MadeClip(None), lang="en", settings={}))
    assert absence is not None and absence.cure == CURE
    silent = WordsExpert().start(SimpleNamespace(clip=MadeClip(None, audio=False), lang="en", settings={}))
    assert silent is not None and "no sound" in silent.reason


def test_recogniser_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognize, "recognizer", lambda: pytest.fail("asked for a recogniser"))
    absence = WordsExpert().start(SimpleNamespace(clip=MadeClip(None), lang="en", settings={"recognizer": "none"}))
    assert absence is not None and "words.recognizer is 'none'" in absence.reason
    assert "words.recognizer=auto" in absence.cure and "faster-whisper" not in absence.cure


def made_recognizer(words: list[LabelledSpan], heard: list[int]) -> Recognizer:
    def hear(samples: np.ndarray) -> tuple[list[LabelledSpan], str | None]:
        heard.append(len(samples))
        return words, "en"

    return Recognizer("faster-whisper-made", hear, ModelUsed("faster-whisper-made", "0" * 64, "MIT"))


def test_recognised_words_stand_on_the_clips_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    words = [LabelledSpan(Span(0.2, 0.6), "well", 0.9), LabelledSpan(Span(0.7, 99.0), "maybe", 0.3)]
    monkeypatch.setattr(recognize, "recognizer", lambda: made_recognizer(words, heard))
    observation = observe(MadeClip(None))
    assert [w.span.start_s for w in observation.spans["words"]] == pytest.approx([1.0, 1.5, 4.0, 4.5], abs=1e-6)
    assert max(w.span.end_s for w in observation.spans["words"]) <= 8.2 + 1e-9
    assert heard == [round(1.4 * 16000), round(4.4 * 16000)]
    first = observation.evidence[0]
    assert "maybe(?)" in first.text and "uncertain" in first.text and first.cue == "utterance"
    assert first.measures["unsure_words"] == 1 and first.confidence == pytest.approx(0.6)
    assert observation.models[0].name == "faster-whisper-made" and "faster-whisper-made" in observation.notes[0]


@pytest.mark.parametrize("speech", [(), SPEECH])
def test_nothing_heard_is_absent(monkeypatch: pytest.MonkeyPatch, speech: tuple[LabelledSpan, ...]) -> None:
    monkeypatch.setattr(recognize, "recognizer", lambda: made_recognizer([], []))
    observation = observe(MadeClip(None), speech=speech)
    assert observation.absent is not None and not observation.evidence


def test_windows_stay_short_enough_for_the_recogniser() -> None:
    windows = windows_of([Span(0.0, 10.0), Span(10.3, 25.0), Span(25.2, 40.0), Span(50.0, 130.0)], 130.0)
    assert max(w.duration_s for w in windows) <= LONGEST_S + 0.5
    assert windows[0].start_s == 0.0 and windows[-1].end_s == 130.0
    assert windows_of([], 5.0) == []


def test_faster_whisper_is_asked_for_word_times_and_nothing_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("faster-whisper-large", "faster-whisper-small"):
        (tmp_path / name).mkdir()
        for file in ("model.bin", "config.json"):
            (tmp_path / name / file).write_text("made", "utf-8")
    monkeypatch.setenv("HERO_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    asked: dict[str, object] = {}

    class WhisperModel:
        def __init__(self, folder: str, **options: object) -> None:
            asked.update(options, folder=folder)

        def transcribe(self, samples: np.ndarray, **options: object) -> tuple[object, object]:
            asked.update(options)
            word = SimpleNamespace(start=0.1, end=0.4, word=" hello", probability=0.8)
            return iter([SimpleNamespace(words=[word]), SimpleNamespace(words=None)]), SimpleNamespace(language="en")

    module = ModuleType("faster_whisper")
    module.WhisperModel = WhisperModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    monkeypatch.setattr(recognize.util, "find_spec", lambda name: object())
    found = recognize.recognizer()
    assert found is not None and found.name == "faster-whisper-small"
    assert found.hear(np.zeros(16000, np.float32)) == ([LabelledSpan(Span(0.1, 0.4), "hello", 0.8)], "en")
    assert asked["local_files_only"] is True and asked["word_timestamps"] is True
    assert asked["folder"] == str(tmp_path / "faster-whisper-small")


def test_a_folder_without_a_model_is_no_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "faster-whisper-small").mkdir()
    monkeypatch.setenv("HERO_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    assert recognize.model_folder() is None and recognize.recognizer() is None
