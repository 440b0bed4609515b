"""The words expert: what is said, from the transcript that came with the clip or from a recogniser at hand.

Spans: `words` (each with its confidence where a recogniser gave one), `utterances` (the text of each sentence).
Evidence quotes what was said and describes how it was put: hesitations, repetitions, interjections, negations,
exclamations, questions. Where neither transcript nor recogniser is at hand the words are absent, with the cure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hero.errors import ConfigError
from hero.observe.windows import cut
from hero.observe.words import recognize
from hero.observe.words.tell import ESTIMATED, GIVEN, Teller
from hero.observe.words.utterances import has_no_times, lay_over, utterances_of
from hero.phrases import phrases
from hero.types import Absence, LabelledSpan, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hero.media.clip import Block, Frame
    from hero.media.transcript import Transcript
    from hero.observe.expert import Context, Reads
    from hero.observe.words.recognize import Recognizer
    from hero.types import Modality, ModelUsed, Span

__all__ = ["WordsExpert"]

CURE = (
    "name a transcript (SRT, VTT, JSON or text), or pip install 'hero-emotion[speech]' and put a faster-whisper model "
    "folder into HERO_MODELS"
)


class WordsExpert:
    """Reads the transcript, else lets a recogniser hear the stretches of speech that the voice expert found."""

    name = "words"
    modality: Modality = "words"
    revision = "1"
    reads: Reads = "timeline"

    def start(self, context: Context) -> Absence | None:
        """Absent without a transcript and without a recogniser (setting `recognizer`: "auto" or "none")."""
        self._context = context
        self._recognizer: Recognizer | None = None
        if context.clip.transcript is not None:
            return None
        if context.clip.audio is None:
            return Absence(self.name, "no transcript, and the clip has no sound", "name a transcript")
        wanted = context.settings.get("recognizer", "auto")
        if wanted not in {"auto", "none"}:
            raise ConfigError(f"words.recognizer is {wanted!r}; allowed: auto, none")
        if wanted == "auto":
            self._recognizer = recognize.recognizer()
        if self._recognizer is None:
            return Absence(self.name, "no transcript, and no usable speech recogniser is at hand", CURE)
        return None

    def take(self, piece: Frame | Block) -> None:
        """Nothing: this expert looks at the timeline."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Words, utterances and evidence, or why there are none."""
        voice = earlier.get("voice")
        speech = [item.span for item in voice.spans.get("speech", ())] if voice else []
        transcript = self._context.clip.transcript
        if transcript is not None:
            return self._given(transcript, speech)
        assert self._recognizer is not None
        if not speech:
            reason = voice.absent.reason if voice and voice.absent else "no speech was found"
            return Observation(self.name, self.modality, absent=Absence(self.name, f"nothing to recognise: {reason}"))
        return self._heard(self._recognizer, speech)

    def _given(self, transcript: Transcript, speech: list[Span]) -> Observation:
        words = list(transcript.words)
        notes = [f"words: from {transcript.source}"]
        if has_no_times(transcript, self._context.clip.duration_s) and speech:
            words = lay_over(words, speech, self._context.clip.duration_s)
            notes.append("words: the transcript has no times, so they were laid over the stretches of speech")
        elif not transcript.timed:
            notes.append("words: times of single words are estimates inside the transcript's segments")
        return self._observation(words, notes, GIVEN if transcript.timed else ESTIMATED)

    def _heard(self, recognizer: Recognizer, speech: list[Span]) -> Observation:
        words: list[LabelledSpan] = []
        languages: list[str] = []
        windows = recognize.windows_of(speech, self._context.clip.duration_s)
        for window, samples in cut(self._context.clip, windows):
            found, language = recognizer.hear(samples)
            words += recognize.shifted(found, window)
            languages += [language] if language else []
        words.sort(key=lambda word: (word.span.start_s, word.span.end_s))
        if not words:
            return Observation(
                self.name, self.modality, absent=Absence(self.name, f"{recognizer.name} heard no words in the speech")
            )
        taken = max(set(languages), key=languages.count) if languages else "unknown"
        notes = [f"words: recognised by {recognizer.name} (language {taken}); (?) marks words below half confidence"]
        return self._observation(words, notes, GIVEN, (recognizer.used,))

    def _observation(
        self, words: list[LabelledSpan], notes: list[str], sure: float, models: tuple[ModelUsed, ...] = ()
    ) -> Observation:
        utterances = utterances_of(words)
        teller = Teller(phrases(self.name, self._context.lang), f"{self.name}@{self.revision}", sure)
        return Observation(
            self.name, self.modality, evidence=tuple(teller.tell(utterances)),
            spans={
                "words": tuple(words),
                "utterances": tuple(LabelledSpan(u.span, u.text, u.confidence) for u in utterances),
            },
            models=models, notes=tuple(notes),
        )  # fmt: skip
