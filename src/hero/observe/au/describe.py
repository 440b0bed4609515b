"""Words for action units that came from outside: evidence with spans, out of the face expert's episodes and phrases.

Intensities are told with their degree and level, as the face expert tells them. A probability says how sure a source is,
never how strong a movement was: such units are told with their mean probability and no degree.

Legend of shapes: T frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from hero.observe.au.schema import FULL_LEVEL, AUTable
from hero.observe.face.describe import ALWAYS_SHARE, CHEEKS_LEVEL, FULL_STRENGTH_LEVEL, PER_10_S, SAME_BROW_SHARE
from hero.observe.face.episodes import Episode, au_episodes, away_spans, blinks, mean_level
from hero.observe.spans import sample_ends
from hero.phrases import Phrases
from hero.types import Evidence, Span, Track

RELIABILITY: dict[str, dict[int, float]] = {
    "intensity": {1: 0.7, 2: 0.65, 4: 0.75, 5: 0.6, 6: 0.7, 7: 0.55, 9: 0.6, 10: 0.6, 12: 0.85, 14: 0.55, 15: 0.5, 17: 0.55,
                  20: 0.4, 23: 0.45, 25: 0.85, 26: 0.65},
    "probability": {1: 0.6, 2: 0.6, 4: 0.65, 5: 0.5, 6: 0.65, 7: 0.55, 9: 0.5, 10: 0.55, 12: 0.8, 14: 0.5, 15: 0.45,
                    17: 0.5, 20: 0.35, 23: 0.4, 25: 0.8, 26: 0.55},
}  # fmt: skip
"""How far a unit of an outside source is trusted: set by hand, smiles and parted lips most, as everywhere; not measured."""
LEAST_PEAK = 1.0
"""OpenFace's presences and intensities come from different models: a unit counts where both say it is there."""
PROBABLE_CHEEKS = 0.5 * FULL_LEVEL
PROBABILITY_STRENGTH = 0.5
OTHERS_TELL = 3


@dataclass(frozen=True, eq=False)
class Scene:
    """What the sentences are made from: the table, the phrases of the face and of this expert, who tells, and speech."""

    table: AUTable
    face_words: Phrases
    own_words: Phrases
    expert: str
    speech: Sequence[Span] = ()

    @property
    def probable(self) -> bool:
        """Whether the numbers are probabilities."""
        return self.table.scale.meaning == "probability"


def describe(scene: Scene, duration_s: float) -> tuple[Evidence, ...]:
    """The strongest evidence of one face in order of time, within 0..duration_s; of another face than the main one, three."""
    if not len(scene.table.times_s):
        return ()
    found = [*_units(scene), *_gaze(scene), *_eyes(scene)]
    found = [replace(ev, span=Span(ev.span.start_s, min(ev.span.end_s, duration_s))) for ev in found]
    budget = OTHERS_TELL if scene.table.face else max(3, ceil(PER_10_S * duration_s / 10))
    found.sort(key=lambda ev: -ev.strength * ev.confidence)
    return tuple(sorted((_whose(scene, ev) for ev in found[:budget]), key=lambda ev: ev.span))


def _units(scene: Scene) -> Iterator[Evidence]:
    track = scene.table.as_track()
    least = 0.0 if scene.probable else LEAST_PEAK
    episodes = {
        n: [e for e in au_episodes(track, n, scene.speech) if e.peak >= least]
        for n in RELIABILITY[scene.table.scale.meaning]
    }
    for number, list_of in episodes.items():
        for episode in list_of:
            if not any(_shares(episode, episodes[other]) for other in _TOLD_WITH.get(number, ())):
                yield _entry(scene, track, episode, episodes)


_TOLD_WITH = {1: (2,), 6: (12,), 7: (6,), 10: (12,), 25: (12, 26)}
"""Units that go without saying beside another: brows rise as a whole, cheeks rise in a smile, lips part when the jaw drops."""


def _entry(scene: Scene, track: Track, episode: Episode, episodes: dict[int, list[Episode]]) -> Evidence:
    key, more = _cue(track, episode, episodes, PROBABLE_CHEEKS if scene.probable else CHEEKS_LEVEL)
    cue = "AU02" if key == "brows_raised" else key
    name, length = f"AU{episode.number:02d}", episode.span.duration_s
    sure = (
        RELIABILITY[scene.table.scale.meaning][episode.number]
        * _confidence(scene, episode.span)
        * min(1.0, 0.7 + length)
    )
    if length >= ALWAYS_SHARE * float(track.valid.sum()) * _step_s(track):
        sure *= 0.75  # never seen otherwise in this clip: it may be how this face rests
    if scene.probable:
        level = episode.mean / FULL_LEVEL
        text, brief = _probable(scene, key, episode, level)
        measures = {f"{name}_probability": level, "apex_s": episode.apex_s}
        sure, strength = sure * level, PROBABILITY_STRENGTH
    else:
        text, brief = _graded(scene, key, episode, more)
        measures = {name: episode.peak, **more, "mean_level": episode.mean, "apex_s": episode.apex_s}
        sure *= min(1.0, 0.6 + 0.2 * episode.peak)
        strength = float(np.clip((0.6 * episode.peak + 0.4 * episode.mean) / FULL_STRENGTH_LEVEL, 0, 1))
    return Evidence("face", scene.expert, cue, text, brief, episode.span, float(np.clip(sure, 0.05, 0.97)), strength,
                    measures, person=scene.table.face)  # fmt: skip


def _cue(
    track: Track, episode: Episode, episodes: dict[int, list[Episode]], cheeks_level: float
) -> tuple[str, dict[str, float]]:
    """The phrase of an episode, and what else it measures."""
    if episode.number == 12:
        cheeks = mean_level(track, 6, episode.span)
        if cheeks is None:
            return "smile", {}
        return ("smile_with_cheeks" if cheeks >= cheeks_level else "smile_without_cheeks"), {"AU06": cheeks}
    if episode.number == 2 and (inner := _shares(episode, episodes[1])):
        return "brows_raised", {"AU01": inner.peak}
    return f"AU{episode.number:02d}", {}


def _graded(scene: Scene, key: str, episode: Episode, more: dict[str, float]) -> tuple[str, str]:
    words = scene.own_words if key in scene.own_words.table else scene.face_words
    degree = scene.face_words.say("slight" if episode.peak < 1.8 else "clear" if episode.peak < 3.2 else "strong")
    return words.evidence(
        key, degree=degree, level=episode.peak, length=episode.span.duration_s, other=next(iter(more.values()), 0.0)
    )


def _probable(scene: Scene, key: str, episode: Episode, level: float) -> tuple[str, str]:
    words = scene.own_words if key in scene.own_words.table else scene.face_words
    brief = words.table[key]["brief"]
    text, _ = scene.own_words.evidence(
        "probable",
        what=brief[0].upper() + brief[1:],
        number=episode.number,
        level=level,
        length=episode.span.duration_s,
    )
    return text, brief


def _gaze(scene: Scene) -> Iterator[Evidence]:
    words = scene.face_words
    for span, right, up in away_spans(scene.table.gaze) if scene.table.gaze is not None else ():
        across = abs(right) >= 0.7 * abs(up)
        side = ("image_right" if right > 0 else "image_left") if across else ("up" if up > 0 else "down")
        degrees = float(np.hypot(right, up))
        text, brief = words.evidence("gaze_away", side=words.say(side), degrees=degrees, length=span.duration_s)
        strength = float(np.clip(degrees / 40, 0.2, 0.8) * min(1, 0.5 + span.duration_s / 2))
        yield Evidence("face", scene.expert, "gaze_away", text, brief, span, 0.6 * _confidence(scene, span), strength,
                       {"right_deg": right, "up_deg": up}, person=scene.table.face)  # fmt: skip


def _eyes(scene: Scene) -> Iterator[Evidence]:
    for span in blinks(scene.table.as_track())[1]:
        text, brief = scene.face_words.evidence("eyes_closed", length=span.duration_s)
        strength = float(np.clip(span.duration_s / 2, 0.2, 0.7))
        yield Evidence("face", scene.expert, "eyes_closed", text, brief, span, 0.7 * _confidence(scene, span), strength,
                       {"closed_s": span.duration_s}, person=scene.table.face)  # fmt: skip


def _whose(scene: Scene, ev: Evidence) -> Evidence:
    if not scene.table.face:
        return ev
    text, brief = (scene.face_words.say("another", number=ev.person + 1, text=said) for said in (ev.text, ev.brief))
    return replace(ev, text=text, brief=brief)


def _shares(episode: Episode, others: Sequence[Episode]) -> Episode | None:
    """The episode of another unit that shares most of this one's time."""
    return next((o for o in others if o.span.overlap_s(episode.span) > SAME_BROW_SHARE * episode.span.duration_s), None)


def _confidence(scene: Scene, span: Span) -> float:
    """The source's mean confidence in a span, 1 where it said none."""
    quality = scene.table.quality().within(span)
    sure, known = quality.column("confidence")
    return float(sure[known].mean()) if known.any() else 1.0


def _step_s(track: Track) -> float:
    """How long a row stands for, on average, in seconds."""
    return float((sample_ends(track.times_s) - track.times_s).mean())
