"""The sentences about a voice: which measures are worth a word, how marked they are, how sure.

Two kinds of statement. *Relative*: against the speaker's own usual values (a baseline from outside, else the rest of
the clip, which needs at least two stretches of talk). *Absolute*: against the ranges that talking adults show; these
also serve a clip of one short sentence. No statement names a feeling.

Shapes: F frames of one stretch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hero.observe.voice.movement import movements
from hero.types import Evidence, Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hero.observe.voice.utterance import Usual, Utterance
    from hero.phrases import Phrases


LEAST_KEPT = 2


@dataclass(frozen=True)
class Anchors:
    """From which value on a cue is mentioned.

    Adults read at 75-300 Hz (men about 85-180, women 165-255: Traunmueller & Eriksson 1995). The limits of range, pace,
    harmonics and jitter leave the outer 3 to 10 percent of 192 sentences of RAVDESS (actors 1-16, chosen without regard
    to their labels) outside.
    """

    relative_semitones: float = 2.5
    relative_loudness_db: float = 4.0
    relative_rate: float = 0.3
    relative_hnr_db: float = 3.5
    movement_semitones: float = 5.0
    flat_semitones: float = 4.5
    wide_semitones: float = 15.0
    low_hz: float = 75.0
    high_hz: float = 300.0
    slow_syl_s: float = 3.2
    fast_syl_s: float = 5.7
    noisy_hnr_db: float = 5.0
    rough_jitter_pct: float = 3.5
    whisper_share: float = 0.2
    swell_db: float = 6.0
    fade_db: float = 9.0
    pause_s: float = 0.5
    per_10_s: int = 1


class Writer:
    """Turns cues into evidence in one language, keeping the strongest few of each kind."""

    def __init__(self, words: Phrases, expert: str, snr_db: float) -> None:
        self._words = words
        self._expert = expert
        self._sure = float(1 / (1 + np.exp(-(snr_db - 8) / 4)))
        self._kept: list[Evidence] = []

    def say(
        self, cue: str, span: Span, *, support_s: float, marked: float, measures: Mapping[str, float], **values: Any
    ) -> None:
        """Add one piece: `support_s` is the voiced time it rests on, `marked` how far beyond the threshold (0-1)."""
        if not np.isfinite(marked):
            return
        text, brief = self._words.evidence(cue, **values)
        confidence = 0.2 + 0.75 * self._sure * support_s / (support_s + 0.3)
        strength = 0.3 + 0.7 * float(np.clip(marked, 0, 1))
        sure, marked = round(confidence, 3), round(strength, 3)
        self._kept.append(Evidence("voice", self._expert, cue, text, brief, span, sure, marked, dict(measures)))

    @property
    def marked(self) -> bool:
        """Whether anything out of the ordinary was said so far (pauses and slight pitch movements are ordinary)."""
        ordinary = ("pause", "pitch_rise", "pitch_fall")
        return any(ev.strength >= 0.6 or not ev.cue.startswith(ordinary) for ev in self._kept)

    def phrase(self, key: str) -> str:
        """A plain phrase of the same part."""
        return self._words.say(key)

    def strongest(self, duration_s: float, per_10_s: int) -> tuple[Evidence, ...]:
        """At most `per_10_s` pieces per cue and 10 s (but two), the strongest, in the order of time."""
        most = max(LEAST_KEPT, int(np.ceil(per_10_s * duration_s / 10)))
        by_cue: dict[str, list[Evidence]] = {}
        for ev in self._kept:
            by_cue.setdefault(ev.cue, []).append(ev)
        chosen = [ev for group in by_cue.values() for ev in sorted(group, key=lambda e: -e.strength)[:most]]
        return tuple(sorted(chosen, key=lambda e: (e.span, e.cue)))


def write(
    writer: Writer, utterances: Sequence[Utterance], usual: Usual, pauses: Sequence[Span], anchors: Anchors
) -> None:
    """Everything worth saying about the stretches of talk and the pauses between them."""
    for u in utterances:
        _pitch_level(writer, u, usual, anchors)
        _pitch_shape(writer, u, anchors)
        _loudness(writer, u, usual, anchors)
        _pace(writer, u, usual, anchors)
        _quality(writer, u, usual, anchors)
    for pause in pauses:
        if pause.duration_s >= anchors.pause_s:
            length = pause.duration_s
            writer.say("pause", pause, support_s=length, marked=(length - anchors.pause_s) / 1.5,
                       measures={"pause_s": length}, length=length)  # fmt: skip
    _profile(writer, utterances, anchors)


def _against(writer: Writer, usual: Usual) -> str | None:
    if usual.known:
        return writer.phrase("usual_known")
    return writer.phrase("usual_clip") if usual.phrases >= 2 and usual.voiced_s >= 1.5 else None


def _pitch_level(writer: Writer, u: Utterance, usual: Usual, a: Anchors) -> None:
    if not np.isfinite(u.f0_hz):
        return
    against = _against(writer, usual)
    away = 12 * np.log2(u.f0_hz / usual.f0_hz)
    if against and abs(away) >= a.relative_semitones:
        writer.say("pitch_high" if away > 0 else "pitch_low", u.span, support_s=u.voiced_s,
                   marked=(abs(away) - a.relative_semitones) / 6, measures={"f0_semitones": away, "f0_hz": u.f0_hz},
                   amount=abs(away), usual=against)  # fmt: skip
    above, below = 12 * np.log2(u.f0_hz / a.high_hz), 12 * np.log2(a.low_hz / u.f0_hz)
    if max(above, below) > 0:
        writer.say("voice_very_high" if above > 0 else "voice_very_low", u.span, support_s=u.voiced_s,
                   marked=max(above, below) / 6, measures={"f0_hz": u.f0_hz}, hz=u.f0_hz)  # fmt: skip


def _pitch_shape(writer: Writer, u: Utterance, a: Anchors) -> None:
    for move in movements(u.semitones, u.span.start_s, a.movement_semitones):
        at_end = u.span.end_s - move.span.end_s < 0.25
        cue = ("pitch_rise" if move.semitones > 0 else "pitch_fall") + ("_end" if at_end else "")
        size = abs(move.semitones)
        writer.say(cue, move.span, support_s=move.span.duration_s, marked=(size - a.movement_semitones) / 8,
                   measures={"f0_change_semitones": move.semitones}, amount=size, at=move.span.start_s)  # fmt: skip
    if u.voiced_s < 0.6 or not np.isfinite(u.range_semitones):
        return
    measures = {"f0_range_semitones": u.range_semitones}
    if u.range_semitones <= a.flat_semitones:
        writer.say("pitch_flat", u.span, support_s=u.voiced_s, marked=1 - u.range_semitones / a.flat_semitones,
                   measures=measures, amount=u.range_semitones)  # fmt: skip
    elif u.range_semitones >= a.wide_semitones:
        writer.say("pitch_wide", u.span, support_s=u.voiced_s, marked=u.range_semitones / a.wide_semitones - 1,
                   measures=measures, amount=u.range_semitones)  # fmt: skip


def _loudness(writer: Writer, u: Utterance, usual: Usual, a: Anchors) -> None:
    away = u.loudness_db - usual.loudness_db
    against = _against(writer, usual)
    if against and np.isfinite(away) and abs(away) >= a.relative_loudness_db:
        writer.say("louder" if away > 0 else "softer", u.span, support_s=u.speech_s,
                   marked=(abs(away) - a.relative_loudness_db) / 10, measures={"loudness_change_db": away},
                   amount=abs(away), usual=against)  # fmt: skip
    talk = u.loudness[np.isfinite(u.loudness)]
    if len(talk) < 90:
        return
    third = len(talk) // 3
    swell = float(np.percentile(talk[-third:], 75) - np.percentile(talk[:third], 75))
    least = a.swell_db if swell > 0 else a.fade_db  # sentences end softer than they begin
    if abs(swell) >= least:
        writer.say("grows_louder" if swell > 0 else "grows_softer", u.span, support_s=u.speech_s,
                   marked=(abs(swell) - least) / 10, measures={"loudness_change_db": swell},
                   amount=abs(swell))  # fmt: skip


def _pace(writer: Writer, u: Utterance, usual: Usual, a: Anchors) -> None:
    rate = u.rate_syl_s
    if not np.isfinite(rate) or u.speech_s < 0.8 or u.voiced_s < 0.3:
        return
    measures = {"rate_syl_s": rate}
    below, above = 1 - rate / a.slow_syl_s, rate / a.fast_syl_s - 1
    if max(below, above) >= 0:
        writer.say("slow" if below >= 0 else "fast", u.span, support_s=u.speech_s / 2, marked=2 * max(below, above),
                   measures=measures, rate=rate)  # fmt: skip
    change = rate / usual.rate_syl_s - 1 if usual.rate_syl_s else float("nan")
    if _against(writer, usual) and usual.phrases >= 3 and u.speech_s >= 1.2 and abs(change) >= a.relative_rate:
        writer.say("faster" if change > 0 else "slower", u.span, support_s=u.speech_s / 2,
                   marked=(abs(change) - a.relative_rate) / 0.5, measures=measures, rate=rate,
                   usual=usual.rate_syl_s)  # fmt: skip


def _quality(writer: Writer, u: Utterance, usual: Usual, a: Anchors) -> None:
    share = u.voiced_s / u.speech_s if u.speech_s else 1.0
    if u.speech_s >= 0.6 and share < a.whisper_share:
        writer.say("little_voicing", u.span, support_s=u.speech_s / 2, marked=1 - share / a.whisper_share,
                   measures={"voiced_share": share}, percent=100 * share)  # fmt: skip
    if not np.isfinite(u.hnr_db) or u.voiced_s < 0.4:
        return
    if u.hnr_db <= a.noisy_hnr_db:
        writer.say("breathy", u.span, support_s=u.voiced_s, marked=1 - u.hnr_db / a.noisy_hnr_db,
                   measures={"hnr_db": u.hnr_db}, hnr=u.hnr_db)  # fmt: skip
    elif _against(writer, usual) and abs(u.hnr_db - usual.hnr_db) >= a.relative_hnr_db:
        away = u.hnr_db - usual.hnr_db
        writer.say("clearer" if away > 0 else "rougher", u.span, support_s=u.voiced_s,
                   marked=(abs(away) - a.relative_hnr_db) / 6, measures={"hnr_db": u.hnr_db}, hnr=u.hnr_db,
                   usual=usual.hnr_db)  # fmt: skip
    if np.isfinite(u.jitter_pct) and u.jitter_pct >= a.rough_jitter_pct:
        writer.say("unsteady", u.span, support_s=u.voiced_s, marked=u.jitter_pct / a.rough_jitter_pct - 1,
                   measures={"jitter_pct": u.jitter_pct, "shimmer_pct": u.shimmer_pct},
                   jitter=u.jitter_pct)  # fmt: skip


def _profile(writer: Writer, utterances: Sequence[Utterance], a: Anchors) -> None:
    whole = [u for u in utterances if np.isfinite(u.range_semitones) and np.isfinite(u.rate_syl_s)]
    if not whole:
        return
    voiced_s = sum(u.voiced_s for u in whole)

    def mean(name: str) -> float:
        return float(sum(getattr(u, name) * u.voiced_s for u in whole)) / voiced_s

    hz, reach, pace = mean("f0_hz"), mean("range_semitones"), mean("rate_syl_s")
    middling = a.flat_semitones < reach < a.wide_semitones and a.slow_syl_s < pace < a.fast_syl_s
    span = Span(whole[0].span.start_s, whole[-1].span.end_s)
    cue = "profile_middling" if middling and not writer.marked else "profile"
    writer.say(cue, span, support_s=voiced_s, marked=0.0,
               measures={"f0_hz": hz, "f0_range_semitones": reach, "rate_syl_s": pace, "hnr_db": mean("hnr_db")},
               hz=hz, range=reach, rate=pace)  # fmt: skip
