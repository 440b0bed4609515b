"""Words for what a face did: evidence with spans, measures, strength and confidence. No entry names an emotion.

Cues: `AU04` and so on for single units, `AU02` for brows raised as a whole (its measures hold AU01 too), `smile`,
`smile_with_cheeks`, `smile_without_cheeks`, `gaze_away`, `eyes_closed`, `blink_rate`, `face_visible`, `faces`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from hero.observe.face.episodes import Episode, au_episodes, away_spans, blinks, mean_level, talking_spans
from hero.observe.face.measure import Measured
from hero.phrases import Phrases
from hero.types import Evidence, Span, Track

PER_10_S = 12
CHEEKS_LEVEL = 0.8
SAME_BROW_SHARE = 0.5
FULL_STRENGTH_LEVEL = 4.0
MIN_BLINK_SEEN_S = 8.0
USUAL_BLINKS = (6.0, 28.0)
"""Blinks a minute at rest and in talk (Bentivoglio et al. 1997: 17 and 26 on average)."""
FULLY_VISIBLE = 0.9
ALWAYS_SHARE = 0.9

RELIABILITY: dict[str, dict[int, float]] = {
    "bundle": {1: 0.75, 2: 0.75, 4: 0.75, 5: 0.6, 6: 0.55, 7: 0.5, 9: 0.5, 10: 0.6, 12: 0.9, 14: 0.45, 15: 0.5,
               17: 0.6, 20: 0.5, 25: 0.9, 26: 0.85},
    "landmarks": {1: 0.6, 2: 0.55, 4: 0.45, 5: 0.4, 6: 0.45, 7: 0.35, 9: 0.3, 10: 0.5, 12: 0.75, 15: 0.4, 17: 0.3,
                  20: 0.4, 25: 0.85, 26: 0.75},
}  # fmt: skip
"""How far a unit of each backend is trusted: set by hand after the rendered ramps of `benchmarks/action_units.py`."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What the sentences are made from: the face, the words, the backend, who it is."""

    face: Measured
    words: Phrases
    backend: str
    expert: str
    person: int = 0
    speech: Sequence[Span] = field(default_factory=tuple)

    @property
    def au(self) -> Track:
        """The action units."""
        return self.face.tracks["au"]


def describe(scene: Scene, duration_s: float) -> tuple[Evidence, ...]:
    """The strongest evidence of one face, at most `PER_10_S` entries for ten seconds, in order of time."""
    found = [*_units(scene), *_gaze(scene), *_eyes(scene)]
    budget = max(3, ceil(PER_10_S * duration_s / 10))
    found.sort(key=lambda ev: -ev.strength * ev.confidence)
    return tuple(sorted(found[:budget], key=lambda ev: ev.span))


def visibility(scene: Scene, seen: Span, share: float) -> Evidence | None:
    """That the face is in view for part of the time only."""
    if share >= FULLY_VISIBLE:
        return None
    text, brief = scene.words.evidence("face_visible", percent=100 * share)
    return Evidence("face", scene.expert, "face_visible", text, brief, seen, 0.9, 0.2, {"visible_share": share})


def _units(scene: Scene) -> Iterator[Evidence]:
    talking = [*talking_spans(scene.face.tracks["mouth"]), *scene.speech]
    episodes = {n: au_episodes(scene.au, n, talking) for n in RELIABILITY[scene.backend]}
    raised = episodes.get(2, [])
    for number, list_of in episodes.items():
        for episode in list_of:
            if number == 12:
                yield _smile(scene, episode)
            elif number == 2 and (inner := _beside(episode, episodes[1])):
                yield _entry(scene, "brows_raised", "AU02", episode, {"AU01": inner.peak})
            elif number == 1 and _beside(episode, raised):
                continue  # told as brows raised
            elif number in (6, 10, 25) and _beside(episode, episodes[12]):
                continue  # part of the smile
            elif number == 7 and _beside(episode, episodes[6]):
                continue
            elif number == 25 and _beside(episode, episodes[26]):
                continue  # lips part when the jaw drops
            else:
                yield _entry(scene, f"AU{number:02d}", f"AU{number:02d}", episode, {})


def _smile(scene: Scene, episode: Episode) -> Evidence:
    cheeks = mean_level(scene.au, 6, episode.span)
    if cheeks is None:
        return _entry(scene, "smile", "smile", episode, {})
    cue = "smile_with_cheeks" if cheeks >= CHEEKS_LEVEL else "smile_without_cheeks"
    return _entry(scene, cue, cue, episode, {"AU06": cheeks})


def _entry(scene: Scene, key: str, cue: str, episode: Episode, more: dict[str, float]) -> Evidence:
    words = scene.words
    degree = words.say("slight" if episode.peak < 1.8 else "clear" if episode.peak < 3.2 else "strong")
    length = episode.span.duration_s
    values = {"degree": degree, "level": episode.peak, "length": length, "other": next(iter(more.values()), 0.0)}
    text, brief = words.evidence(key, **values)
    if degree:
        text, brief = text[0].upper() + text[1:], brief.strip()
    sure = RELIABILITY[scene.backend][episode.number] * _view(scene, episode.span)
    sure *= 0.7 + 0.3 * scene.face.trust
    sure *= min(1.0, 0.6 + 0.2 * episode.peak) * min(1.0, 0.7 + length)
    if length >= ALWAYS_SHARE * scene.face.seen_s:
        sure *= 0.75  # never seen otherwise in this clip: it may be how this face rests
    measures = {f"AU{episode.number:02d}": episode.peak, **more, "mean_level": episode.mean, "apex_s": episode.apex_s}
    strength = float(np.clip((0.6 * episode.peak + 0.4 * episode.mean) / FULL_STRENGTH_LEVEL, 0, 1))
    return Evidence("face", scene.expert, cue, text, brief, episode.span, float(np.clip(sure, 0.05, 0.97)), strength,
                    measures, person=scene.person)  # fmt: skip


def _view(scene: Scene, span: Span) -> float:
    """How well the face shows in a span, 0.4..1: turned heads count less."""
    pose = scene.face.tracks["pose"].within(span)
    yaw, known = pose.column("yaw_deg")
    if not known.any():
        return 0.4
    return float(np.clip(1.3 - np.abs(yaw[known]).mean() / 45, 0.4, 1.0))


def _gaze(scene: Scene) -> Iterator[Evidence]:
    for span, right, up in away_spans(scene.face.tracks["gaze"]):
        side = (
            ("image_right" if right > 0 else "image_left")
            if abs(right) >= 0.7 * abs(up)
            else "up"
            if up > 0
            else "down"
        )
        degrees = float(np.hypot(right, up))
        text, brief = scene.words.evidence(
            "gaze_away", side=scene.words.say(side), degrees=degrees, length=span.duration_s
        )
        strength = float(np.clip(degrees / 40, 0.2, 0.8) * min(1, 0.5 + span.duration_s / 2))
        yield Evidence("face", scene.expert, "gaze_away", text, brief, span, 0.6 * _view(scene, span), strength,
                       {"right_deg": right, "up_deg": up}, person=scene.person)  # fmt: skip


def _eyes(scene: Scene) -> Iterator[Evidence]:
    short, long = blinks(scene.au)
    for span in long:
        text, brief = scene.words.evidence("eyes_closed", length=span.duration_s)
        strength = float(np.clip(span.duration_s / 2, 0.2, 0.7))
        yield Evidence("face", scene.expert, "eyes_closed", text, brief, span, 0.7 * _view(scene, span), strength,
                       {"closed_s": span.duration_s}, person=scene.person)  # fmt: skip
    if scene.face.seen_s < MIN_BLINK_SEEN_S:
        return
    rate = 60 * len(short) / scene.face.seen_s
    if not USUAL_BLINKS[0] <= rate <= USUAL_BLINKS[1]:
        text, brief = scene.words.evidence("blink_rate", rate=rate)
        times = scene.au.times_s
        yield Evidence("face", scene.expert, "blink_rate", text, brief, Span(float(times[0]), float(times[-1])), 0.6, 0.3,
                       {"blinks_per_min": rate}, person=scene.person)  # fmt: skip


def _beside(episode: Episode, others: Sequence[Episode]) -> Episode | None:
    """The episode of another unit that shares most of this one's time."""
    return next((o for o in others if o.span.overlap_s(episode.span) > SAME_BROW_SHARE * episode.span.duration_s), None)
