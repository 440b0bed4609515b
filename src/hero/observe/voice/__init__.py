"""The voice expert: speech, pauses, pitch, loudness, pace and quality of the voice, against the speaker's own.

Tracks: `prosody`, 10 ms hop: f0_hz, f0_semitones (re the speaker's median or the baseline), loudness_db (K-weighted),
hnr_db, tilt_db, jitter_pct, shimmer_pct, speech (1 in speech, 0 outside; always measured); pitch and quality are masked
outside voiced speech. `rate`: syllables per second per stretch of talk, at its middle. Spans: `speech`, `pauses`,
`phrases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from hero.observe.voice import rate, speech
from hero.observe.voice.evidence import Anchors, Writer, write
from hero.observe.voice.stream import HOP_S, Prosody, ProsodyStream
from hero.observe.voice.utterance import Utterance, measure, usual_of, usual_pitch
from hero.observe.voice.voicing import voiced_spans
from hero.phrases import phrases
from hero.types import Absence, LabelledSpan, Observation, Span, Track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.types import Modality

__all__ = ["VoiceExpert"]

SILENT_DB = -70.0
BRIDGE_S = 0.3
COLUMNS = ("f0_hz", "f0_semitones", "loudness_db", "hnr_db", "tilt_db", "jitter_pct", "shimmer_pct", "speech")
UNITS = "Hz, semitones, dB, dB, dB, %, %, 0/1"


class VoiceExpert:
    """Listens to the sound as it streams by; one instance per clip."""

    name = "voice"
    modality: Modality = "voice"
    revision = "1"
    reads: Reads = "sound"
    identity = ""

    def start(self, context: Context) -> Absence | None:
        """Make a fresh detector; absent without an audio stream or a detector."""
        if context.clip.audio is None:
            return Absence(self.name, "the clip has no audio stream", "give a clip with sound")
        detector = speech.make_detector()
        if detector is None:
            return Absence(self.name, "no speech detector is installed", speech.CURE)
        self._context = context
        self._speech = speech.SpeechStream(detector)
        self._prosody = ProsodyStream()
        self._taken = 0
        return None

    def take(self, piece: Frame | Block) -> None:
        """One block of sound at 16 kHz; where the stream has a hole, silence keeps the clock."""
        block = cast("Block", piece)
        hole = round(block.start_s * speech.RATE_HZ) - self._taken
        while hole > speech.RATE_HZ // 100:
            part = min(hole, speech.RATE_HZ)
            self._push(np.zeros(part, np.float32))
            hole -= part
        self._push(block.samples)

    def _push(self, samples: NDArray[np.float32]) -> None:
        self._taken += len(samples)
        self._speech.push(samples)
        self._prosody.push(samples)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Spans, tracks and evidence, or why there is no voice to describe."""
        prosody = self._prosody.flush()
        probabilities = self._speech.flush()
        if not len(prosody.times_s) or prosody.level_db.max() < SILENT_DB:
            return self._absent("the sound is silent", "check the recording")
        duration_s = self._taken / speech.RATE_HZ
        found = speech.spans_of(probabilities, duration_s)
        notes: tuple[str, ...] = ()
        if not found and (found := voiced_spans(prosody, probabilities)):
            notes = ("voice: the speech detector was unsure; loud voiced sound was taken for speech",)
        if not found:
            level = float(np.percentile(prosody.loudness_db, 90))
            return self._absent(f"no speech was found in the sound (its level is {level:.0f} dB)", "")
        return self._describe(prosody, found, duration_s, notes)

    def _describe(
        self, prosody: Prosody, found: list[tuple[Span, float]], duration_s: float, notes: tuple[str, ...]
    ) -> Observation:
        spans = [span for span, _ in found]
        talk = _inside(spans, len(prosody.times_s))
        nuclei = rate.nuclei(prosody, talk)
        baseline = self._context.baseline
        known = baseline.mean.get("voice.f0_hz") if baseline and baseline.count else None
        usual_hz = known or usual_pitch(prosody, talk)
        stretches = rate.phrases_of(spans, BRIDGE_S)
        utterances = [measure(prosody, talk, nuclei, span, usual_hz) for span in stretches]
        usual = usual_of(prosody, talk, utterances, baseline)
        pauses = rate.pauses_of(spans, BRIDGE_S)
        anchors = Anchors()
        writer = Writer(phrases(self.name, self._context.lang), f"{self.name}@{self.revision}", _snr_db(prosody, talk))
        write(writer, utterances, usual, pauses, anchors)
        return Observation(
            self.name, self.modality,
            tracks={"prosody": _track(prosody, talk, usual_hz), "rate": _rate_track(utterances)},
            evidence=writer.strongest(duration_s, anchors.per_10_s),
            spans={
                "speech": tuple(LabelledSpan(span, "speech", round(p, 3)) for span, p in found),
                "pauses": tuple(LabelledSpan(span, "pause") for span in pauses),
                "phrases": tuple(LabelledSpan(span, "phrase") for span in stretches),
            },
            notes=notes,
        )  # fmt: skip

    def _absent(self, reason: str, cure: str) -> Observation:
        return Observation(self.name, self.modality, absent=Absence(self.name, reason, cure))


def _inside(spans: Sequence[Span], count: int) -> NDArray[np.bool_]:
    inside = np.zeros(count, bool)
    for span in spans:
        inside[rate.frames_in(span, HOP_S, count)] = True
    return inside


def _snr_db(prosody: Prosody, talk: NDArray[np.bool_]) -> float:
    """Level of the speech over that of the rest; 20 dB where there is hardly any rest to compare with."""
    if not talk.any() or (~talk).sum() * HOP_S < 0.2:
        return 20.0
    return float(np.percentile(prosody.level_db[talk], 75) - np.median(prosody.level_db[~talk]))


def _track(prosody: Prosody, talk: NDArray[np.bool_], usual_hz: float) -> Track:
    voiced = talk & (prosody.f0_hz > 0)
    semitones = 12 * np.log2(np.where(voiced, prosody.f0_hz, usual_hz) / usual_hz)
    loud = prosody.loudness_db > -90
    pairs = (
        (prosody.f0_hz, voiced), (semitones, voiced), (prosody.loudness_db, loud), (prosody.hnr_db, voiced),
        (prosody.tilt_db, talk & loud), (prosody.jitter_pct, voiced), (prosody.shimmer_pct, voiced),
        (talk.astype(np.float32), np.ones(len(talk), bool)),
    )  # fmt: skip
    values = np.stack([np.asarray(v, np.float32) for v, _ in pairs], axis=1)  # (F, 8)
    mask = np.stack([m for _, m in pairs], axis=1)
    return Track("prosody", values, prosody.times_s, mask, COLUMNS, UNITS)


def _rate_track(utterances: Sequence[Utterance]) -> Track:
    values = np.asarray([u.rate_syl_s for u in utterances], np.float32)
    times_s = np.asarray([(u.span.start_s + u.span.end_s) / 2 for u in utterances])
    return Track("rate", values, times_s, np.isfinite(values), ("rate_syl_s",), "syllables/s")
