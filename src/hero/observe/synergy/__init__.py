"""Across face and voice: whether lips and sound belong together, and whether both grow lively at the same moments.

A small cross-modal transformer (`learned`) adds the tracks `features` and `belongs`; the evidence rests on measures alone.
Only measures and descriptions: what a mismatch means is for the integration to say. Legend of shapes: W windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hero.observe.spans import runs
from hero.observe.synergy.agree import action_units, agreement, energy, voice_under_raised_corners
from hero.observe.synergy.axis import lips_and_sound, normalise_lips, normalise_sound
from hero.observe.synergy.learned import NAME, SLOWEST_S, SynergyModel
from hero.observe.synergy.sync import HOP_S, NEAR_S, WINDOW_S, Pair, Sync, judge, pair_up, windows
from hero.phrases import Phrases, phrases
from hero.types import Absence, Evidence, Observation, Span, Track
from hero.weights import read_card

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.types import Modality

MIN_SPEECH_S = 1.0
MATCH_R, MATCH_CHANCE = 0.40, 0.10
LATE_R, LATE_GAIN, LATE_CHANCE = 0.40, 0.15, 0.12
MISMATCH_R, MISMATCH_MIN_S = 0.30, 2.5  # what unrelated syllables reach on average
SYNC_COLUMNS = ("correlation", "lag_s", "near_correlation", "near_level_correlation")
TOGETHER_R, TOGETHER_CHANCE = 0.40, 0.05
SHORT = "too little speech with the mouth in view to judge lips against sound ({got:.1f} s; at least {need:.0f} s)"
RARE = "the mouth was seen every {step:.2f} s, not at least every {slowest} s: too rarely to judge lips against sound"


class SynergyExpert:
    """Reads the mouth and cue tracks of the face expert and the prosody track of the voice expert."""

    name = "synergy"
    modality: Modality = "synergy"
    revision = "1"
    reads: Reads = "timeline"
    identity = ""

    def __init__(self) -> None:
        self.lang = "en"
        self._model: SynergyModel | None = None

    def start(self, context: Context) -> Absence | None:
        """Load the trained model, unless the licence forbids it; whether there is anything to compare shows at the end."""
        self.lang = context.lang
        if context.licence == "any" or read_card(NAME, context.weights_folder)["commercial"]:
            self._model = SynergyModel.load(context.weights_folder)
            self.identity = self._model.used.sha256
        return None

    def take(self, piece: Frame | Block) -> None:
        """Never called: this expert reads the timeline."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Tracks `sync`, `energy`, `features`, `belongs` and evidence, or which side is missing."""
        lacking = _lacking(earlier)
        if lacking:
            return Observation(self.name, self.modality, absent=lacking)
        face, prosody = earlier["face"].tracks, earlier["voice"].tracks["prosody"]
        words = phrases("synergy", self.lang)
        pair = pair_up(face["mouth"], prosody)
        tracks, evidence, notes = {"sync": sync_track(pair)}, [], []
        step_s = float(np.median(np.diff(face["mouth"].times_s))) if face["mouth"].times_s.size > 1 else np.inf
        if step_s > SLOWEST_S:
            notes.append(RARE.format(step=step_s, slowest=SLOWEST_S))
        elif pair.speech_s < MIN_SPEECH_S:
            notes.append(SHORT.format(got=pair.speech_s, need=MIN_SPEECH_S))
        elif (sync := judge(pair)) is not None:
            evidence += self._sync(sync, pair, tracks["sync"], words)
        units = action_units(face)
        if units is not None:
            evidence += [self._corners(span, measures, words)
                         for span, measures in voice_under_raised_corners(units, prosody)]  # fmt: skip
            lively = energy(units, prosody)
            if lively is not None:
                tracks["energy"] = lively
                evidence += self._together(lively, words)
        learned = self._learned(earlier)
        tracks |= learned
        used = (self._model.used,) if self._model and learned else ()
        return Observation(self.name, self.modality, tracks, tuple(evidence), models=used, notes=tuple(notes))

    def _learned(self, earlier: Mapping[str, Observation]) -> dict[str, Track]:
        """Tracks `features` and `belongs`; none without the model or for a clip shorter than its window."""
        if self._model is None or "cues" not in earlier["face"].tracks:
            return {}
        motion, prosody = lips_and_sound(earlier)
        found = self._model.tracks(normalise_lips(motion), normalise_sound(prosody))
        return {track.name: track for track in found} if found else {}

    def _sync(self, sync: Sync, pair: Pair, track: Track, words: Phrases) -> list[Evidence]:
        whole = Span(float(pair.times_s[0]), float(pair.times_s[-1]))
        if out_of_step(sync):
            measures = {"correlation": sync.best_r, "lag_s": sync.lag_s, "chance": sync.chance_best}
            cue = "sound_late" if sync.lag_s > 0 else "sound_early"
            return [self._evidence(cue, whole, _sure(sync.chance_best, sync.speech_s), 0.5, measures, words)]
        found = [
            self._evidence("lips_mismatch", span, 0.4 + 0.1 * min(3.0, span.duration_s - MISMATCH_MIN_S), 0.5,
                           {"correlation": r}, words)
            for span, r in mismatches(track)
        ]  # fmt: skip
        if matches(sync) and sum(ev.span.duration_s for ev in found) < 0.5 * whole.duration_s:
            measures = {"correlation": sync.near_r, "lag_s": sync.near_lag_s, "chance": sync.chance_near}
            sure = _sure(sync.chance_near, sync.speech_s)
            found.insert(0, self._evidence("lips_match", whole, sure, min(1.0, sync.near_r), measures, words))
        return found

    def _corners(self, span: Span, measures: dict[str, float], words: Phrases) -> Evidence:
        pitch, level = measures["f0_semitones"], measures["loudness_over_usual_db"]
        text = {
            "pitch": words.say("pitch_above" if pitch > 1 else "pitch_below" if pitch < -1 else "pitch_usual",
                               amount=abs(pitch)),
            "level": words.say("level_above" if level > 2 else "level_below" if level < -2 else "level_usual",
                               amount=abs(level)),
        }  # fmt: skip
        strength = min(1.0, measures["AU12"] / 5)
        return self._evidence("corners_up_voice", span, 0.6, strength, measures, words, **text)

    def _together(self, lively: Track, words: Phrases) -> list[Evidence]:
        found = agreement(lively)
        if found is None or abs(found.correlation) < TOGETHER_R:
            return []
        chance = found.chance if found.correlation > 0 else 1 - found.chance
        if chance > TOGETHER_CHANCE:
            return []
        cue = "lively_together" if found.correlation > 0 else "lively_apart"
        span = Span(float(lively.times_s[0]), float(lively.times_s[-1]))
        measures = {"correlation": found.correlation, "chance": chance}
        return [self._evidence(cue, span, 0.6, 0.3, measures, words)]

    def _evidence(
        self, cue: str, span: Span, sure: float, strength: float, measures: dict[str, float], words: Phrases,
        **extra: str,
    ) -> Evidence:  # fmt: skip
        text, brief = words.evidence(cue, start_s=span.start_s, end_s=span.end_s,
                                     lag_abs_s=abs(measures.get("lag_s", 0.0)), **measures, **extra)  # fmt: skip
        expert = f"{self.name}@{self.revision}"
        return Evidence(self.modality, expert, cue, text, brief, span, round(min(sure, 0.95), 3), strength, measures)


def matches(sync: Sync) -> bool:
    """Whether lips and sound move together, near enough in time and better than chance."""
    return sync.near_r >= MATCH_R and sync.chance_near <= MATCH_CHANCE


def out_of_step(sync: Sync) -> bool:
    """Whether lips and sound fit clearly better at a lag that people would notice."""
    far = abs(sync.lag_s) > NEAR_S + 1e-9
    return far and sync.best_r >= max(LATE_R, sync.near_r + LATE_GAIN) and sync.chance_best <= LATE_CHANCE


def sync_track(pair: Pair) -> Track:
    """Track `sync`: best correlation and its lag per window, and correlations near lag 0; stamped at window ends."""
    table = windows(pair).astype(np.float64)
    return Track(
        "sync", table[:, 1:].astype(np.float32), table[:, 0], np.isfinite(table[:, 1:]), SYNC_COLUMNS, "r, s, r, r"
    )


def mismatches(sync: Track) -> list[tuple[Span, float]]:
    """(span, mean correlation) of stretches in which steps and levels of lips and sound hardly go together."""
    steps, known = sync.column("near_correlation")
    if not known.any():
        return []
    both = (steps + sync.column("near_level_correlation")[0]) / 2
    kernel = np.ones(min(3, both.size))  # neighbouring windows overlap, one alone proves little
    near = np.convolve(np.where(known, both, 0), kernel, "same") / np.maximum(np.convolve(known, kernel, "same"), 1e-9)
    found = []
    for span in runs(known & (near < MISMATCH_R), sync.times_s):
        here = known & (sync.times_s >= span.start_s) & (sync.times_s < span.end_s)
        heard = Span(max(0.0, span.start_s - WINDOW_S), span.end_s - HOP_S)  # rows are stamped at the window's end
        if heard.duration_s >= MISMATCH_MIN_S:
            found.append((heard, float(near[here].mean())))
    return found


def _sure(chance: float, speech_s: float) -> float:
    return (0.9 - chance) * (0.6 + 0.4 * min(1.0, speech_s / 3))


def _lacking(earlier: Mapping[str, Observation]) -> Absence | None:
    """Which side of the comparison is missing, in the words of the expert that should have brought it."""
    for expert, track, cure in (
        ("face", "mouth", "give a clip in which a face is seen"),
        ("voice", "prosody", "give a clip in which somebody speaks"),
    ):
        found = earlier.get(expert)
        if found is None:
            return Absence("synergy", f"the {expert} expert did not run", f"use a preset with the {expert} expert")
        if found.absent or track not in found.tracks:
            reason = found.absent.reason if found.absent else f"it brought no track '{track}'"
            return Absence("synergy", f"nothing from the {expert} expert: {reason}", cure)
    if not (earlier["voice"].tracks["prosody"].column("speech")[0] > 0.5).any():
        return Absence("synergy", "nobody speaks in the clip", "give a clip in which somebody speaks")
    return None
