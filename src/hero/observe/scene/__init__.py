"""Where we are: shots, light, picture quality, how many people are in view, and the place where CLIP is at hand.

Legend of shapes: T frames. Kept are three signatures, and five numbers per frame; no pictures, except one small one per
shot for CLIP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from hero.observe.motion.flow import small_grey
from hero.observe.scene.light import COLUMNS, measure, remarkable
from hero.observe.scene.people import People, count_people
from hero.observe.scene.place import Place, open_finder
from hero.observe.scene.shots import Cut, CutFinder, signature
from hero.observe.stream import shrink
from hero.phrases import Phrases, phrases
from hero.types import Absence, Evidence, LabelledSpan, Observation, Span, Track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.observe.scene.place import PlaceFinder
    from hero.types import Modality

STRENGTH = {"black": 0.6, "dark": 0.4, "bright": 0.3, "backlit": 0.4, "blurred": 0.4, "flicker": 0.6}
PLACE_STRENGTH = 0.1


class SceneExpert:
    """Cuts, light, quality and people; one summary of the setting, and more only where something is remarkable."""

    name = "scene"
    modality: Modality = "scene"
    revision = "1"
    reads: Reads = "frames"
    identity = ""

    def __init__(self) -> None:
        self.fps = 4.0
        self.max_side = 160
        self.lang = "en"
        self.duration_s = 0.0
        self._light_side = self.max_side
        self._places: PlaceFinder | None = None
        self._no_place = ""
        self._cuts = CutFinder()
        self._rows: list[tuple[float, ...]] = []  # time_s and COLUMNS

    def start(self, context: Context) -> Absence | None:
        """Take the settings `fps`, `max_side` and `clip` ("auto", "none" or a CLIP folder); never absent by itself."""
        self.fps = float(context.settings.get("fps", self.fps))
        self.max_side = self._light_side = int(context.settings.get("max_side", self.max_side))
        self.lang = context.lang
        self.duration_s = context.clip.duration_s
        self._places, self._no_place = open_finder(context)
        self.identity = self._places.model.used.sha256 if self._places else ""
        if self._places:
            # A whole multiple: shrunk again for light and cuts, the frames of clips at least 640 pixels wide are what
            # they are without CLIP; those of smaller clips may come a little smaller.
            self.max_side *= -(-self._places.model.size_px // self.max_side)
        return None

    def take(self, piece: Frame | Block) -> None:
        """Note a frame's light and compare it with the frame before."""
        frame = cast("Frame", piece)
        rgb = shrink(frame, self._light_side).rgb
        self._cuts.push(signature(frame.time_s, rgb))
        self._rows.append((frame.time_s, *measure(small_grey(rgb, self._light_side))))
        if self._places:
            self._places.push(frame, self._cuts.cuts)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Track `light`, spans `shots`, and evidence."""
        if not self._rows:
            absence = Absence(self.name, "no frame was read", "give a clip with a readable picture")
            return Observation(self.name, self.modality, absent=absence)
        table = np.array(self._rows, np.float64)  # (T, 1 + D)
        light = Track(
            "light", table[:, 1:].astype(np.float32), table[:, 0], np.isfinite(table[:, 1:]), COLUMNS, "share"
        )
        whole = Span(float(table[0, 0]), max(self.duration_s, float(table[-1, 0]) + 1 / self.fps))
        cuts = self._cuts.flush()
        people = count_people(earlier.get("face"))
        parts = shots(cuts, whole)
        places = self._places.flush(cuts, [shot.span for shot in parts]) if self._places else []
        words = phrases("scene", self.lang)
        evidence = (
            self._setting(light, whole, cuts, people, words),
            *(self._cut(cut, whole, words) for cut in cuts),
            *(self._light(kind, span, light, words) for kind, span in remarkable(light)),
            *self._people(people, whole, words),
            *(self._place(place, words) for place in places),
        )
        models = (self._places.model.used,) if self._places and self._places.looked_at else ()
        notes = self._notes(people, len(parts))
        return Observation(self.name, self.modality, {"light": light}, evidence, {"shots": parts}, models, notes)

    def _notes(self, people: People | None, shot_count: int) -> tuple[str, ...]:
        notes = [self._no_place]
        if self._places:
            notes = [f"the place: CLIP looked at one frame in {self._places.looked_at} of {shot_count} shots"]
        return (*notes, *(() if people else ("the number of people is unknown: no faces were looked for",)))

    def _setting(self, light: Track, whole: Span, cuts: list[Cut], people: People | None, words: Phrases) -> Evidence:
        luma, contrast = (float(light.column(name)[0].mean()) for name in ("luma_mean", "contrast"))
        measures = {"shots": float(len(cuts) + 1), "luma_mean": luma, "contrast": contrast}
        level = words.say("light_dark" if luma < 0.2 else "light_bright" if luma > 0.7 else "light_even")
        who = words.say("people_unknown")
        if people is not None:
            measures["people"] = float(people.most)
            who = words.say(("people_0", "people_1", "people_2")[people.most] if people.most <= 2 else "people_n",
                            count=people.most)  # fmt: skip
        takes = words.say("shot_one" if not cuts else "shots_many", count=len(cuts) + 1)
        text, brief = words.evidence("setting", takes=takes, level=level, people=who)
        return self._evidence("setting", text, brief, whole, 0.8, 0.1, measures)

    def _cut(self, cut: Cut, whole: Span, words: Phrases) -> Evidence:
        span = Span(cut.time_s, min(cut.time_s + 1 / self.fps, max(whole.end_s, cut.time_s)))
        text, brief = words.evidence("cut", start_s=cut.time_s)
        return self._evidence("cut", text, brief, span, 0.5 + 0.45 * cut.score, 0.2, {"change": cut.score})

    def _light(self, kind: str, span: Span, light: Track, words: Phrases) -> Evidence:
        part = light.within(span)
        measures = {"luma_mean": float(part.column("luma_mean")[0].mean())}
        if kind in ("backlit", "blurred"):
            name = {"backlit": "backlight", "blurred": "sharpness"}[kind]
            values, known = part.column(name)
            measures[name] = float(values[known].mean())
        text, brief = words.evidence(kind, start_s=span.start_s, end_s=span.end_s)
        return self._evidence(kind, text, brief, span, 0.8 if kind != "blurred" else 0.6, STRENGTH[kind], measures)

    def _people(self, people: People | None, whole: Span, words: Phrases) -> list[Evidence]:
        if people is None or people.most < 2:
            return []
        span = people.together or whole
        cue = "people_two" if people.most == 2 else "people_many"
        text, brief = words.evidence(cue, start_s=span.start_s, end_s=span.end_s, count=people.most)
        return [self._evidence(cue, text, brief, span, 0.7, 0.3, {"people": float(people.most)})]

    def _place(self, place: Place, words: Phrases) -> Evidence:
        text, brief = words.evidence("place", place=place.words[self.lang], share=place.share)
        return self._evidence("place", text, brief, place.span, place.share, PLACE_STRENGTH, {"share": place.share})

    def _evidence(
        self, cue: str, text: str, brief: str, span: Span, sure: float, strength: float, measures: dict[str, float]
    ) -> Evidence:
        expert = f"{self.name}@{self.revision}"
        return Evidence(self.modality, expert, cue, text, brief, span, sure, strength, measures)


def shots(cuts: list[Cut], whole: Span) -> tuple[LabelledSpan, ...]:
    """The clip's shots between its cuts, labelled `shot 1`, `shot 2` ...; a cut's score is the shot's confidence."""
    starts = [whole.start_s, *(cut.time_s for cut in cuts)]
    ends = [*starts[1:], whole.end_s]
    scores: list[float | None] = [None, *(cut.score for cut in cuts)]
    return tuple(
        LabelledSpan(Span(a, max(a, b)), f"shot {i}", score)
        for i, (a, b, score) in enumerate(zip(starts, ends, scores, strict=True), 1)
    )
