"""The face expert: landmarks in every sampled frame, then tracks and evidence at the end.

Legend: H, W frame; T frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hero.errors import WeightsError
from hero.observe.expert import Context, Reads
from hero.observe.face.describe import Scene, describe, visibility
from hero.observe.face.measure import Measured, measure_face
from hero.observe.face.record import FaceRecord
from hero.phrases import Phrases, phrases
from hero.types import Absence, Evidence, LabelledSpan, Modality, ModelUsed, Observation, Span

if TYPE_CHECKING:
    from hero.media.clip import Frame
    from hero.observe.face.tracker import FaceTracker

FETCH = "run `hero models fetch` once with network, or name a packed folder in HERO_MODELS"
MIN_SEEN_S = 0.3
"""A face seen for less is an accident of the detector, unless the clip itself is hardly longer."""


class FaceExpert:
    """Faces over time: action units, head pose, gaze and mouth of the subject, and of the others beside it."""

    name = "face"
    modality: Modality = "face"
    revision = "1"
    reads: Reads = "frames"
    identity = ""

    def __init__(self) -> None:
        self.fps = 20.0
        self.max_side = 640
        self._records: dict[int, FaceRecord] = {}
        self._times_s: list[float] = []

    def start(self, context: Context) -> Absence | None:
        """Load the better backend at hand (`backend: bundle|landmarks` in the settings fixes it)."""
        from hero.observe.face.networks import best_backend, load
        from hero.observe.face.tracker import FaceTracker

        settings = context.settings
        self.fps, self.max_side = float(settings.get("fps", self.fps)), int(settings.get("max_side", self.max_side))
        self._context = context
        if context.clip.video is None:
            return Absence(self.name, "the clip has no picture", "give a clip with a picture")
        try:
            backend = settings.get("backend") or best_backend()
            if backend is None:
                return Absence(self.name, "the face landmark models are not on this computer", FETCH)
            networks = load(backend)
        except WeightsError as error:
            return Absence(self.name, error.line, FETCH)
        self.backend: str = backend
        self._model: ModelUsed = networks.entry.used
        self.identity = self._model.sha256
        self._tracker: FaceTracker = FaceTracker(networks, max_faces=int(settings.get("max_faces", 4)))
        return None

    def take(self, piece: Frame) -> None:
        """Measure the faces of one frame; only numbers are kept."""
        self._times_s.append(piece.time_s)
        height, width = piece.rgb.shape[:2]
        for number, face in self._tracker.step(piece.time_s, piece.rgb):
            self._records.setdefault(number, FaceRecord(number)).add(piece.time_s, face, width, height)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Tracks of the subject (`au`, `pose`, `gaze`, `mouth`, `box`, `cues`), of others (`au_person1`, ...), evidence."""
        times_s = np.array(self._times_s)
        step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1 / self.fps
        faces = self._ranked(step_s)
        if not faces:
            looked = (
                f"no face was found in {len(times_s)} frames" if len(times_s) else "the clip gave no frame to look at"
            )
            return Observation(self.name, self.modality, models=(self._model,),
                               absent=Absence(self.name, looked, "give a clip in which a face shows"))  # fmt: skip
        own = [
            measure_face(record, times_s, self.backend, self._context.baseline if index == 0 else None)
            for index, record in enumerate(faces)
        ]
        tracks = dict(own[0].tracks)
        for person, face in enumerate(own[1:], start=1):
            tracks |= {f"{name}_person{person}": track for name, track in face.tracks.items() if name != "cues"}
        return Observation(
            self.name, self.modality, tracks, self._evidence(own, times_s, step_s, earlier),
            spans={"visible": _visible(own[0])}, models=(self._model,), notes=self._notes(own),
        )  # fmt: skip

    def _ranked(self, step_s: float) -> list[FaceRecord]:
        """Faces seen long enough, the subject first."""
        shortest = min(MIN_SEEN_S, 0.5 * step_s * len(self._times_s))
        kept = [r for r in self._records.values() if r.times_s[-1] - r.times_s[0] + step_s >= shortest]
        return sorted(kept, key=lambda record: -record.weight(step_s))

    def _evidence(
        self, faces: list[Measured], times_s: NDArray[np.float64], step_s: float, earlier: Mapping[str, Observation]
    ) -> tuple[Evidence, ...]:
        lang, duration_s = self._context.lang, float(times_s[-1] + step_s)
        speech = tuple(s.span for s in earlier["voice"].spans.get("speech", ())) if "voice" in earlier else ()
        words, expert = phrases("face", lang), f"{self.name}@{self.revision}"
        scenes = [Scene(face, words, self.backend, expert, person, speech if person == 0 else ())
                  for person, face in enumerate(faces)]  # fmt: skip
        found = list(describe(scenes[0], duration_s))
        for scene in scenes[1:]:
            strongest = sorted(describe(scene, duration_s), key=lambda ev: -ev.strength * ev.confidence)[:3]
            found += [_of_another(ev, words) for ev in strongest]
        whole = Span(0.0, duration_s)
        share = float(np.mean(np.any([face.tracks["box"].mask[:, 0] for face in faces], axis=0)))
        seen = visibility(scenes[0], whole, share)
        return (*found, seen) if seen else tuple(found)

    def _notes(self, faces: list[Measured]) -> tuple[str, ...]:
        what = (
            "478 landmarks and blendshapes" if self.backend == "bundle" else "468 landmarks, action units from geometry"
        )
        notes = [f"face backend: {what}; not measurable here and masked: AU23"
                 + ("" if self.backend == "bundle" else ", AU14, AU28, gaze")]  # fmt: skip
        if faces[0].trust < 0.75 and not self._context.baseline:
            notes.append(
                f"the face was readable for {faces[0].seen_s:.1f} s: its resting state is partly a population mean"
            )
        return tuple(notes)


def _of_another(ev: Evidence, words: Phrases) -> Evidence:
    """The same evidence, saying that it is not the subject's face."""
    text, brief = (words.say("another", number=ev.person + 1, text=said) for said in (ev.text, ev.brief))
    return replace(ev, text=text, brief=brief)


def _visible(face: Measured) -> tuple[LabelledSpan, ...]:
    from hero.observe.face.episodes import visible_spans

    return tuple(LabelledSpan(span, "face") for span in visible_spans(face.tracks["box"]))
