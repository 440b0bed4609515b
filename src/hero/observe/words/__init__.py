"""The words expert: what is said, from the transcript that came with the clip or from a recogniser at hand.

Spans: `words` (each with its confidence where a recogniser gave one), `utterances` (the text of each sentence).
Evidence quotes what was said and describes how it was put: hesitations, repetitions, interjections, negations,
exclamations, questions. Where neither transcript nor recogniser is at hand the words are absent, with the cure.
Where somebody laughs, sighs or cries, the span list `tagged_words` holds the words with [laughter], [sigh] ... among them.

The setting `recognizer` is "auto" (a faster-whisper model at hand), "none", or the name or folder of a checkpoint:
whisper-large-v3, qwen2-audio-7b-instruct ...; then `device` and `precision` say where it computes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from hero.errors import ConfigError
from hero.observe.features.feed import choose
from hero.observe.windows import cut
from hero.observe.words import recognize, tags
from hero.observe.words.tell import ESTIMATED, GIVEN, Teller
from hero.observe.words.utterances import has_no_times, lay_over, utterances_of
from hero.phrases import phrases
from hero.pretrained.device import resolve
from hero.types import Absence, LabelledSpan, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hero.checkpoints import Checkpoint
    from hero.media.clip import Block, Frame
    from hero.media.transcript import Transcript
    from hero.observe.encoders.recognizer import Recognizer
    from hero.observe.expert import Context, Reads
    from hero.pretrained.device import Device, Precision
    from hero.types import Modality, ModelUsed, Span

__all__ = ["WordsExpert"]

CURE = (
    "name a transcript (SRT, VTT, JSON or text), or pip install 'hero-emotion[speech]' and put a faster-whisper model "
    "folder into HERO_MODELS, or set words.recognizer to a checkpoint such as whisper-large-v3"
)
UNWANTED_CURE = "name a transcript, or set words.recognizer=auto (or a checkpoint such as whisper-large-v3)"
RECOGNISING = ("whisper", "audio_llm")


class WordsExpert:
    """Reads the transcript, else lets a recogniser hear the stretches of speech that the voice expert found."""

    name = "words"
    modality: Modality = "words"
    revision = "1"
    reads: Reads = "timeline"
    identity = ""

    def start(self, context: Context) -> Absence | None:
        """Absent without a transcript and without a recogniser."""
        self._context = context
        self._recognizer: Recognizer | None = None
        self._checkpoint: Checkpoint | None = None
        self._tags: list[LabelledSpan] = []  # that a recogniser wrote
        if context.clip.transcript is not None:
            return None
        if context.clip.audio is None:
            return Absence(self.name, "no transcript, and the clip has no sound", "name a transcript")
        wanted = context.settings.get("recognizer", "auto")
        if not isinstance(wanted, str) or not wanted:
            raise ConfigError(
                f"words.recognizer is {wanted!r}; allowed: auto, none, or the name or folder of a checkpoint such as "
                "whisper-large-v3; correct the setting"
            )
        if wanted == "none":
            return Absence(self.name, "no transcript, and the setting words.recognizer is 'none'", UNWANTED_CURE)
        if wanted != "auto":
            return self._choose(wanted)
        self._recognizer = recognize.recognizer()
        self.identity = self._recognizer.used.sha256 if self._recognizer else ""
        if self._recognizer is None:
            return Absence(self.name, "no transcript, and no usable speech recogniser is at hand", CURE)
        return None

    def _choose(self, wanted: str) -> Absence | None:
        """Take the checkpoint that the settings name; it is loaded when there is speech to hear."""
        settings = self._context.settings
        self._device = cast("Device", settings.get("device", "auto"))
        self._precision = cast("Precision", settings.get("precision", "auto"))
        found = choose(self.name, replace(self._context, settings={"model": wanted}), wanted, RECOGNISING)
        if isinstance(found, Absence):
            return replace(found, reason=f"no transcript, and {found.reason}")
        self._checkpoint = found
        self.identity = f"{found.sha256}:{resolve(self._device, self._precision)[1]}"
        return None

    def take(self, piece: Frame | Block) -> None:
        """Nothing: this expert looks at the timeline."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Words, utterances and evidence, or why there are none."""
        return self._with_tags(self._worded(earlier), earlier.get("sounds"))

    def _with_tags(self, said: Observation, sounds: Observation | None) -> Observation:
        """The same with `tagged_words`, where a sound that is no word was heard or written."""
        words = sorted([*said.spans.get("words", ()), *self._tags], key=lambda word: word.span)
        items = tags.tagged(words, sounds.evidence if sounds else ())
        if said.absent or not items:
            return said
        note = f"words: {tags.told(items)} stand among the words in tagged_words"
        return replace(said, spans={**said.spans, "tagged_words": items}, notes=(*said.notes, note))

    def _worded(self, earlier: Mapping[str, Observation]) -> Observation:
        voice = earlier.get("voice")
        speech = [item.span for item in voice.spans.get("speech", ())] if voice else []
        transcript = self._context.clip.transcript
        if transcript is not None:
            return self._given(transcript, speech)
        if not speech:
            reason = voice.absent.reason if voice and voice.absent else "no speech was found"
            return Observation(self.name, self.modality, absent=Absence(self.name, f"nothing to recognise: {reason}"))
        if self._recognizer is None:
            assert self._checkpoint is not None
            self._recognizer = recognize.opened(self._checkpoint, self._device, self._precision)
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
        words, self._tags = tags.parted(words)
        if not words:
            return Observation(
                self.name, self.modality, absent=Absence(self.name, f"{recognizer.name} heard no words in the speech")
            )
        taken = max(set(languages), key=languages.count) if languages else "unknown"
        notes = [f"words: recognised by {recognizer.name} (language {taken}); (?) marks words below half confidence"]
        if recognizer.estimated:
            notes.append("words: times of single words are estimates inside the stretches that were recognised")
        return self._observation(words, notes, ESTIMATED if recognizer.estimated else GIVEN, (recognizer.used,))

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
