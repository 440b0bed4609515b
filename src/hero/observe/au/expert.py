"""The action unit expert: one schema (T, 35), from the face expert or from a source outside.

Sources: `mediapipe` (what the face expert measured), `openface` and `pyfeat` (a table, found by the clip's name in a
folder), `feature_extraction` (OpenFace's own program), `pyfeat` without a table (its detector, where it is installed).
Times are on the clip's clock: a table's 0 is the first picture.

Legend of shapes: T frames.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from hero.errors import ConfigError, HeroError
from hero.observe.au import feature_extraction, pyfeat
from hero.observe.au.openface import MIN_CONFIDENCE, read_openface
from hero.observe.au.schema import AUTable, Reading, Source
from hero.observe.expert import Context, Reads
from hero.types import Absence, Evidence, Modality, ModelUsed, Observation, Span, Track

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hero.media.clip import Block, Clip, Frame

SOURCES: tuple[Source, ...] = get_args(Source)
LICENCES: Mapping[str, tuple[str, str]] = {
    "openface": ("OpenFace 2", "OpenFace academic licence"),
    "feature_extraction": ("OpenFace 2", "OpenFace academic licence"),
    "pyfeat": ("py-feat action units", "MIT code, models trained on research data"),
}
"""Neither may serve commercial use: `--licence open` leaves them out."""
TABLE_CURE = "set au.table to a FILE, or to a FOLDER with <clip name>.csv"
SAME_EVIDENCE_SHARE = 0.5
LONGER_STEPS = 1.5


@dataclass(frozen=True)
class Settings:
    """The expert's lines of a preset.

    `table` is a file, or a folder with `<clip's name without its ending>.csv`; `program` is OpenFace's FeatureExtraction;
    `timeout_s` is for that program (0: thirty times the clip, at least 120 s); `fps` and `max_side` are the frames that
    py-feat's detector gets.
    """

    source: Source = "mediapipe"
    table: str | None = None
    min_confidence: float = MIN_CONFIDENCE
    program: str | None = None
    timeout_s: float = 0.0
    fps: float = 5.0
    max_side: int = 640

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Checked settings.

        Raises:
            ConfigError: a setting that is none, or a value that cannot be.
        """
        allowed = {"source", "table", "min_confidence", "program", "timeout_s", "fps", "max_side"}
        if unknown := sorted(set(given) - allowed):
            raise ConfigError(f"au has no setting '{unknown[0]}'; known: {', '.join(sorted(allowed))}")
        source = given.get("source", "mediapipe")
        if source not in SOURCES:
            raise ConfigError(f"au.source is {source!r}; allowed: {', '.join(SOURCES)}")
        numbers = {key: given[key] for key in ("min_confidence", "timeout_s", "fps", "max_side") if key in given}
        for key, value in numbers.items():
            most = 1 if key == "min_confidence" else math.inf
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0 <= value <= most
                or math.isinf(value)
            ):
                raise ConfigError(f"au.{key} is {value!r}; allowed: a number from 0 to {most:g}")
        if not numbers.get("fps", 1) or not numbers.get("max_side", 1):
            raise ConfigError("au.fps and au.max_side must be above 0, such as 5 and 640")
        table = given.get("table")
        if table and source not in ("openface", "pyfeat"):
            raise ConfigError(f"au.table goes with source: openface or pyfeat, not {source}; leave one of the two out")
        if source == "openface" and not table:
            raise ConfigError(f"au.source is openface and no table is named; {TABLE_CURE}")
        texts: dict[str, Any] = {key: str(given[key]) for key in ("table", "program") if given.get(key)}
        return cls(source=source, **texts, **numbers)


class AUExpert:
    """Action units of the main face (`units` (T, 35)) and of others (`units_person1` ...), from the source of choice."""

    name = "au"
    modality: Modality = "face"
    revision = "1"
    reads: Reads = "timeline"
    identity = ""

    def __init__(self) -> None:
        self._reading: Reading | None = None
        self._program: Path | None = None
        self._foreign: tuple[str, ...] = ()  # that the table bears another name than the clip

    def start(self, context: Context) -> Absence | None:
        """Find and read the table, or find the program or package of the source.

        Raises:
            ConfigError: a setting that is none, a value that cannot be, or a named table or program that is not there.
        """
        self._settings = Settings.of(context.settings)
        self._context = context
        source = self._settings.source
        self.identity = source
        if source == "mediapipe":
            return None
        if context.licence == "open":
            return self._absent(f"the licence of {LICENCES[source][0]} allows no commercial use",
                                "set source: mediapipe, or give --licence any")  # fmt: skip
        if source == "openface" or self._settings.table:
            return self._start_table(context.clip)
        if context.clip.video is None:
            return self._absent("the clip has no picture", "give a clip with a video stream")
        return self._start_program(context.clip) if source == "feature_extraction" else self._start_pyfeat()

    def take(self, piece: Frame | Block) -> None:
        """Nothing: this expert looks at what others found, or at the clip by itself."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Tracks `units`, and for outside sources `quality`, `pose`, `gaze` and evidence.

        Raises:
            UsageError: the program or the detector failed; it may go well the next time, so this is no observation to keep.
            InputError: the program wrote a table that cannot be used.
        """
        if self._settings.source == "mediapipe":
            return self._from_face(earlier)
        return self._observation(self._reading or self._measure(), earlier)

    def _start_table(self, clip: Clip) -> Absence | None:
        settings = self._settings
        path = Path(settings.table or "").expanduser()
        if path.is_dir():
            path = path / f"{clip.path.stem}.csv"
            if not path.is_file():
                return self._absent(f"there is no table {path.name} for this clip in {path.parent}", TABLE_CURE)
        elif not path.is_file():
            raise ConfigError(f"au.table is '{settings.table}', which is no file and no folder; {TABLE_CURE}")
        elif path.stem != clip.path.stem:
            self._foreign = (f"the table {path.name} was taken for the clip {clip.path.name}",)
        fps = clip.video.fps if clip.video else None
        read = read_openface if settings.source == "openface" else pyfeat.read_pyfeat
        try:
            self._reading = read(path, min_confidence=settings.min_confidence, fps=fps)
        except HeroError as error:
            reason, _, cure = error.line.partition("; ")
            return self._absent(reason, cure)
        self.identity = f"{settings.source}:{self._reading.sha256}"
        return None

    def _start_program(self, clip: Clip) -> Absence | None:
        program = feature_extraction.available(self._settings.program)
        if program is None and self._settings.program:
            raise ConfigError(
                f"au.program is '{self._settings.program}', where no {feature_extraction.PROGRAM} lies that can be run; "
                "name the program or its folder"
            )
        if program is None:
            return self._absent(
                f"OpenFace's {feature_extraction.PROGRAM} is not on PATH and {feature_extraction.VARIABLE} names no program",
                f"install OpenFace 2 and set {feature_extraction.VARIABLE}, or give its tables (source: openface, table: FOLDER)",
            )
        if clip.path.is_dir():
            return self._absent("OpenFace's program gets media files only and the clip is a folder of frames",
                                "encode the frames as a video, or run it by hand with -fdir and give its table")  # fmt: skip
        self._program = program
        with program.open("rb") as file:
            self.identity = f"feature_extraction:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        return None

    def _start_pyfeat(self) -> Absence | None:
        version = pyfeat.available()
        if version is None:
            return self._absent("py-feat is not installed", pyfeat.INSTALL)
        self.identity = f"pyfeat:{version}"
        return None

    def _measure(self) -> Reading:
        settings, clip = self._settings, self._context.clip
        if settings.source == "pyfeat":
            frames = clip.frames(fps=settings.fps, max_side=int(settings.max_side))
            return pyfeat.detect(frames, min_confidence=settings.min_confidence)
        assert self._program is not None and clip.video is not None
        timeout_s = settings.timeout_s or max(120.0, 30 * clip.duration_s)
        return feature_extraction.run(
            clip.path, self._program, timeout_s=timeout_s, min_confidence=settings.min_confidence, fps=clip.video.fps
        )

    def _from_face(self, earlier: Mapping[str, Observation]) -> Observation:
        face = earlier.get("face")
        if face is None:
            return self._nothing(self._absent(
                "no face expert ran before it", "put face before au in the preset, or set another source"))  # fmt: skip
        if face.absent:
            return self._nothing(replace(face.absent, expert=self.name))
        tracks = {
            name.replace("au", "units", 1): replace(track, name="units")
            for name, track in face.tracks.items()
            if name == "au" or name.startswith("au_person")
        }
        return Observation(
            self.name, self.modality, tracks, models=face.models, notes=("action units of the face expert",)
        )

    def _observation(self, reading: Reading, earlier: Mapping[str, Observation]) -> Observation:
        source, duration_s = self._settings.source, self._context.clip.duration_s
        tables, notes = self._placed(reading.tables)
        if not any(len(table.times_s) for table in tables):
            return self._nothing(self._absent(
                "no row of the table lies within the clip", "give the table of this clip, with times in seconds"))  # fmt: skip
        if not any(table.mask.any() for table in tables):
            return self._unmeasured(tables, reading.notes)
        tracks: dict[str, Track] = {}
        for table in tables:
            suffix = f"_person{table.face}" if table.face else ""
            beside = {"units": table.as_track(), "quality": table.quality(), "pose": table.pose, "gaze": table.gaze}
            tracks |= {f"{name}{suffix}": track for name, track in beside.items() if track is not None}
        model = self._model(reading)
        told = f"action units from {source}" + (
            ", as probabilities" if tables[0].scale.meaning == "probability" else ""
        )
        return Observation(self.name, self.modality, tracks, self._evidence(tables, duration_s, earlier), models=(model,),
                           notes=(told, *self._foreign, *reading.notes, *notes))  # fmt: skip

    def _unmeasured(self, tables: Sequence[AUTable], notes: Sequence[str]) -> Observation:
        """Why nothing of the tables counts as measured: their action unit cells, or no face that is sure enough."""
        least, maker = self._settings.min_confidence, LICENCES[self._settings.source][0]
        beside = f" ({', '.join(notes)})" if notes else ""
        if rows := sum(int(_shows_face(table, least).sum()) for table in tables):
            return self._nothing(self._absent(
                f"{rows} rows show a face, but no action unit in them is a number within its scale{beside}",
                f"give the table as {maker} wrote it, with action units"))  # fmt: skip
        return self._nothing(self._absent(
            f"in no row was a face found with a confidence of {least:g} or more{beside}",
            "lower min_confidence, or give a clip in which a face shows"))  # fmt: skip

    def _model(self, reading: Reading) -> ModelUsed:
        """What measured: a table is known by its hash, the program by its own, an installed package by its version."""
        name, licence = LICENCES[self._settings.source]
        kind, _, which = self.identity.partition(":")
        if kind == "pyfeat" and not reading.sha256:
            return ModelUsed(f"{name} {which}", "", licence, commercial=False)
        return ModelUsed(name, which, licence, commercial=False)

    def _placed(self, tables: Sequence[AUTable]) -> tuple[tuple[AUTable, ...], tuple[str, ...]]:
        """The tables on the clip's clock, cut to the clip, and what was cut."""
        clip = self._context.clip
        shift_s = 0.0 if self._settings.source == "pyfeat" and self._reading is None else _picture_start_s(clip)
        placed = tuple(table.on_clock(shift_s, clip.duration_s) for table in tables)
        last = max((float(t.times_s[-1]) for t in tables if len(t.times_s)), default=0.0) + shift_s
        over = sum(len(old.times_s) - len(new.times_s) for old, new in zip(tables, placed, strict=True))
        step = LONGER_STEPS / clip.video.fps if clip.video and clip.video.fps > 0 else 0.1
        if over and last > clip.duration_s + step:
            return placed, (
                f"the table runs to {last:.2f} s, the clip ends at {clip.duration_s:.2f} s: {over} rows were cut",
            )
        return placed, ()

    def _evidence(
        self, tables: Sequence[AUTable], duration_s: float, earlier: Mapping[str, Observation]
    ) -> tuple[Evidence, ...]:
        from hero.observe.au.describe import Scene, describe
        from hero.phrases import phrases

        lang = self._context.lang
        voice, face = earlier.get("voice"), earlier.get("face")
        speech: tuple[Span, ...] = tuple(s.span for s in voice.spans.get("speech", ())) if voice else ()
        found: list[Evidence] = []
        for table in tables:
            scene = Scene(table, phrases("face", lang), phrases("au", lang), f"{self.name}@{self.revision}",
                          () if table.face else speech)  # fmt: skip
            found += describe(scene, duration_s)
        told = face.evidence if face else ()
        return tuple(ev for ev in found if not any(_same(ev, other) for other in told))

    def _absent(self, reason: str, cure: str) -> Absence:
        return Absence(self.name, reason, cure)

    def _nothing(self, absence: Absence) -> Observation:
        return Observation(self.name, self.modality, absent=absence)


def _same(ev: Evidence, other: Evidence) -> bool:
    """Whether the face expert has told it already: the same cue of the same person at the same time counts once."""
    shared = ev.span.overlap_s(other.span) > SAME_EVIDENCE_SHARE * ev.span.duration_s
    return ev.cue == other.cue and ev.person == other.person and shared


def _shows_face(table: AUTable, least: float) -> NDArray[np.bool_]:
    """Whether a face was found (T,); py-feat's success says that units were measured, so there the score decides."""
    assert table.confidence is not None and table.success is not None
    if table.source == "pyfeat":
        return table.confidence >= least
    return table.success & ~(table.confidence < least)


def _picture_start_s(clip: Clip) -> float:
    """When the first picture shows on the clip's clock: 0 in a table's own time."""
    if clip.video is None:
        return 0.0
    frames = clip.frames(max_side=64)
    first = next(frames, None)
    cast(Any, frames).close()
    return first.time_s if first else 0.0
