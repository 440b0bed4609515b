"""Made timelines and cases for tests of integration, reasoning and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hero.labels import LABELS
from hero.types import Absence, CaseFile, Conflict, Evidence, Observation, Span, Timeline, number_evidence

CLIP = {"name": "made.mp4", "sha256": "0" * 64, "duration_s": 4.0, "video": None, "audio": None, "notes": []}


def evidence(modality: str, cue: str, start_s: float = 1.0, end_s: float = 2.0, **more: object) -> Evidence:
    """One piece of evidence with sensible defaults."""
    defaults = {"confidence": 0.9, "strength": 0.8, "text": f"{cue} was observed.", "brief": cue.replace("_", " ")}
    return Evidence(modality=modality, expert=modality, cue=cue, span=Span(start_s, end_s), **{**defaults, **more})


def posterior(**chances: float) -> np.ndarray:
    """(7,) probabilities; what is not named shares the rest."""
    rest = (1 - sum(chances.values())) / (len(LABELS) - len(chances))
    return np.array([chances.get(label, rest) for label in LABELS])


def timeline(found: Sequence[Evidence], absent: Mapping[str, str] | None = None) -> Timeline:
    """A timeline whose experts brought this evidence; `absent` experts did not, with the reason."""
    groups: dict[str, list[Evidence]] = {}
    for ev in found:
        groups.setdefault(ev.expert, []).append(ev)
    observations = {name: Observation(name, evs[0].modality, evidence=tuple(evs)) for name, evs in groups.items()}
    for name, reason in (absent or {}).items():
        observations[name] = Observation(name, "face", absent=Absence(name, reason, "bring it"))
    return Timeline(CLIP, observations, number_evidence(found))


def case(
    found: Sequence[Evidence],
    weights: Mapping[str, float],
    fused: np.ndarray | None,
    *,
    conflicts: Sequence[Conflict] = (),
    inferred: Sequence[Evidence] = (),
    missing: Mapping[str, str] | None = None,
) -> CaseFile:
    """A case file with evidence in the order of weight, strength and confidence."""
    line = timeline(found)
    ordered = sorted(line.evidence, key=lambda e: -weights.get(e.modality, 0.1) * e.strength * e.confidence)
    return CaseFile(
        line, dict(weights), fused, {}, tuple(ordered), number_evidence(inferred), tuple(conflicts), missing or {}
    )
