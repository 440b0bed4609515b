"""The nouns that cross folders: spans, tracks, evidence, observations, timelines and case files.

Legend of shapes: T time steps, D columns of a track. Times are seconds on the clip's one clock.
A value and its validity travel together: what was not measured is masked, never zero.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Modality = Literal["face", "motion", "scene", "voice", "words", "synergy"]

MODALITIES: tuple[Modality, ...] = ("face", "voice", "words", "motion", "scene", "synergy")

ID_PREFIX: dict[str, str] = {
    "face": "VE", "motion": "VE", "scene": "VE", "voice": "AE", "words": "TE", "synergy": "SE",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of time, end exclusive: `start_s <= t < end_s`."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (0 <= self.start_s <= self.end_s < float("inf")):
            raise ValueError(f"span needs 0 <= start <= end, got {self.start_s}..{self.end_s}")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def overlap_s(self, other: Span) -> float:
        """Seconds that both spans share."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def as_list(self) -> list[float]:
        """`[start_s, end_s]` rounded to milliseconds."""
        return [round(self.start_s, 3), round(self.end_s, 3)]


@dataclass(frozen=True, eq=False)
class Track:
    """Values over time with their validity.

    values (T, D) float32, times_s (T,) non-decreasing, mask (T, D) bool (True = measured). A mask of shape (T,)
    is accepted and broadcast. `columns` names the D columns, `units` gives the unit of all of them or one each.

    Raises:
        ValueError: shapes that do not fit, or times that run backwards.
    """

    name: str
    values: NDArray[np.floating]
    times_s: NDArray[np.float64]
    mask: NDArray[np.bool_]
    columns: tuple[str, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float32)
        if values.ndim == 1:
            values = values[:, None]  # (T,) -> (T, 1)
        mask = np.asarray(self.mask, dtype=bool)
        if mask.ndim == 1:
            mask = np.repeat(mask[:, None], values.shape[1], axis=1)  # (T,) -> (T, D)
        times_s = np.asarray(self.times_s, dtype=np.float64)
        if mask.shape != values.shape or times_s.shape != values.shape[:1]:
            raise ValueError(f"track {self.name}: values {values.shape}, mask {mask.shape}, times {times_s.shape}")
        if len(self.columns) != values.shape[1]:
            raise ValueError(f"track {self.name}: {values.shape[1]} columns but {len(self.columns)} names")
        if times_s.size > 1 and np.any(np.diff(times_s) < 0):
            raise ValueError(f"track {self.name}: times run backwards")
        mask = mask & np.isfinite(values)
        for key, value in (("values", np.where(mask, values, 0)), ("mask", mask), ("times_s", times_s)):
            object.__setattr__(self, key, value)

    def column(self, name: str) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Values (T,) and mask (T,) of one named column."""
        index = self.columns.index(name)
        return self.values[:, index], self.mask[:, index]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(T,) True where anything was measured."""
        return np.asarray(self.mask.any(axis=1), dtype=bool)

    def within(self, span: Span) -> Track:
        """The part of the track whose times lie in the span."""
        keep = (self.times_s >= span.start_s) & (self.times_s < span.end_s)
        return replace(self, values=self.values[keep], times_s=self.times_s[keep], mask=self.mask[keep])


@dataclass(frozen=True)
class Evidence:
    """One atomic, descriptive observation on the timeline.

    `cue` is its machine-readable kind (`AU04`, `pitch_high`, `pause`, `laughter` ...), `text` says it in words, `brief`
    in two or three. `strength` in [0, 1] is how marked the cue is, `confidence` in [0, 1] how sure the measurement is.
    `measures` holds numbers with units in their names. `id` is empty until the timeline numbers it. `person` is the
    face track it belongs to (0 = the subject). `inferred` evidence was never observed.
    """

    modality: Modality
    expert: str
    cue: str
    text: str
    brief: str
    span: Span
    confidence: float
    strength: float = 0.5
    measures: Mapping[str, float] = field(default_factory=dict)
    inferred: bool = False
    person: int = 0
    id: str = ""

    def as_json(self) -> dict[str, Any]:
        """The record of the public JSON output."""
        return {
            "id": self.id, "modality": self.modality, "expert": self.expert, "cue": self.cue,
            "span": self.span.as_list(), "confidence": round(self.confidence, 3), "strength": round(self.strength, 3),
            "inferred": self.inferred, "person": self.person, "text": self.text, "brief": self.brief,
            "measures": {key: round(float(value), 3) for key, value in self.measures.items()},
        }  # fmt: skip

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Evidence:
        """Read back what `as_json` wrote."""
        fields = {key: value for key, value in row.items() if key != "span"}
        return cls(**fields, span=Span(*row["span"]))


@dataclass(frozen=True)
class Absence:
    """Why an expert has nothing to say, and what would change that.

    A `passing` one was an error that may not come again (memory ran out, say): nobody should remember it.
    """

    expert: str
    reason: str
    cure: str = ""
    passing: bool = False

    def as_json(self) -> dict[str, str]:
        """The record of the public JSON output."""
        return {"expert": self.expert, "reason": self.reason, "cure": self.cure}


@dataclass(frozen=True)
class ModelUsed:
    """One set of weights that took part in an answer."""

    name: str
    sha256: str
    licence: str
    commercial: bool = True

    def as_json(self) -> dict[str, Any]:
        """The record of the public JSON output."""
        return {"name": self.name, "sha256": self.sha256, "licence": self.licence, "commercial": self.commercial}


@dataclass(frozen=True)
class Observation:
    """What one expert returns: tracks and evidence, or the reason it is absent.

    `spans` are named stretches that are no evidence by themselves (speech, words, shots); an absent observation has
    neither tracks nor evidence. `notes` are remarks for the provenance (what fell back to what).
    """

    expert: str
    modality: Modality
    tracks: Mapping[str, Track] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    spans: Mapping[str, tuple[LabelledSpan, ...]] = field(default_factory=dict)
    models: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()
    absent: Absence | None = None

    def __post_init__(self) -> None:
        if self.absent and (self.tracks or self.evidence):
            raise ValueError(f"expert {self.expert} is absent and yet brought tracks or evidence")


@dataclass(frozen=True)
class LabelledSpan:
    """A stretch of time with a label: a word, a speech segment, a shot. `confidence` is None where nobody measured."""

    span: Span
    label: str
    confidence: float | None = None


@dataclass(frozen=True)
class Baseline:
    """A person's usual values per cue, label-free: mean, spread and how many clips they rest on.

    Keys are `expert.column` (`voice.f0_semitones`, `face.AU04`). Handed in by whoever keeps a memory of people.
    """

    mean: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    count: int = 0


@dataclass(frozen=True)
class Timeline:
    """Everything known about a clip: observations with numbered evidence, in the order of the clip's clock."""

    clip: Mapping[str, Any]
    observations: Mapping[str, Observation]
    evidence: tuple[Evidence, ...]

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self.evidence)

    @property
    def absent(self) -> tuple[Absence, ...]:
        """The experts that brought nothing, with their reasons."""
        return tuple(obs.absent for obs in self.observations.values() if obs.absent)

    @property
    def tracks(self) -> dict[str, Track]:
        """All tracks by `expert.track`."""
        return {f"{e}.{n}": track for e, obs in self.observations.items() for n, track in obs.tracks.items()}

    def spans(self, expert: str, kind: str) -> tuple[LabelledSpan, ...]:
        """Named stretches of one expert; empty where it brought none."""
        obs = self.observations.get(expert)
        return obs.spans.get(kind, ()) if obs else ()

    def to_jsonl(self) -> str:
        """One JSON object a line: the clip, spans, evidence (tracks are stored beside it, not in it)."""
        rows: list[dict[str, Any]] = [{"type": "clip", **self.clip}]
        for expert, obs in self.observations.items():
            if obs.absent:
                rows.append({"type": "absent", **obs.absent.as_json()})
            for kind, spans in obs.spans.items():
                rows += [
                    {"type": "span", "expert": expert, "kind": kind, "span": s.span.as_list(), "label": s.label,
                     "confidence": s.confidence}
                    for s in spans
                ]  # fmt: skip
        rows += [{"type": "evidence", **ev.as_json()} for ev in self.evidence]
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def number_evidence(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Sort by time and give ids: VE seen, AE heard, TE said, SE across modalities, I..E inferred."""
    counts: dict[str, int] = {}
    numbered = []
    for ev in sorted(evidence, key=lambda e: (e.span, e.expert, e.cue)):
        prefix = ("I" if ev.inferred else "") + ID_PREFIX[ev.modality]
        counts[prefix] = counts.get(prefix, 0) + 1
        numbered.append(replace(ev, id=f"{prefix}-{counts[prefix]:02d}"))
    return tuple(numbered)


@dataclass(frozen=True)
class Conflict:
    """Two or more pieces of evidence that point different ways; `score` in [0, 1]. `kind` names the rule that fired."""

    between: tuple[str, ...]
    kind: str
    score: float
    text: str
    span: Span

    def as_json(self) -> dict[str, Any]:
        """The record of the public JSON output."""
        return {"between": list(self.between), "kind": self.kind, "score": round(self.score, 3), "text": self.text,
                "span": self.span.as_list()}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Heat:
    """Where the weight lies: share (T, M) per step of time and modality; all of it sums to 1.

    Step i covers `times_s[i] <= t < times_s[i] + step_s`. `source` is who weighed: "integration" (a trained HERO model's
    attention) or "fusion" (the pooled posteriors of the experts).
    """

    times_s: NDArray[np.float64]
    step_s: float
    modalities: tuple[Modality, ...]
    share: NDArray[np.float64]
    source: Literal["integration", "fusion"]

    def as_json(self) -> dict[str, Any]:
        """The record of the public JSON output."""
        rows = {name: [round(float(v), 7) for v in self.share[:, i]] for i, name in enumerate(self.modalities)}
        return {
            "source": self.source,
            "step_s": round(self.step_s, 6),
            "start_s": round(float(self.times_s[0]), 3),
            "share": rows,
        }


@dataclass(frozen=True, eq=False)
class SoftContext:
    """What a trained HERO model's integration gives the language model: values (N, W) float32, and whose they are."""

    values: NDArray[np.float32]
    folder: Path
    sha256: str


@dataclass(frozen=True)
class CaseFile:
    """The timeline after integration: what weighs how much, in which order, what conflicts and what is missing.

    `weights` per modality sum to 1 over what is present; `posterior` (7,) is over the common labels, None when no
    modality brought one. `evidence` is observed evidence in order of weight, `inferred` the marked imputations. `heat`
    says where in time the weight lies; `context` is there when a trained HERO model integrated. `notes` are remarks for
    the provenance.
    """

    timeline: Timeline
    weights: Mapping[str, float]
    posterior: NDArray[np.float64] | None
    posteriors: Mapping[str, NDArray[np.float64]]
    evidence: tuple[Evidence, ...]
    inferred: tuple[Evidence, ...]
    conflicts: tuple[Conflict, ...]
    missing: Mapping[str, str]
    models: tuple[ModelUsed, ...] = ()
    heat: Heat | None = None
    context: SoftContext | None = None
    notes: tuple[str, ...] = ()
