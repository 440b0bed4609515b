"""An observation as arrays and a JSON record, and back, without loss.

Legend of shapes: T time steps, D columns of a track. A track becomes `<track>.values` (T, D) float32, `<track>.times_s`
(T,) float64 and `<track>.mask`: (T, D) bool, or (T,) where every step is measured in all columns or in none, as in
feature tracks of a thousand columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hero.types import Absence, Evidence, LabelledSpan, ModelUsed, Observation, Span, Track

Arrays = dict[str, "np.ndarray[Any, Any]"]


def pack(obs: Observation, prefix: str = "") -> tuple[Arrays, dict[str, Any]]:
    """Arrays, their names beginning with `prefix`, and the record that says what they are."""
    arrays: Arrays = {}
    for name, track in obs.tracks.items():
        arrays[f"{prefix}{name}.values"] = track.values
        arrays[f"{prefix}{name}.times_s"] = track.times_s
        arrays[f"{prefix}{name}.mask"] = _narrow(track.mask)
    record = {
        "expert": obs.expert,
        "modality": obs.modality,
        "tracks": {
            key: {"name": track.name, "columns": list(track.columns), "unit": track.unit}
            for key, track in obs.tracks.items()
        },
        "evidence": [pack_evidence(ev) for ev in obs.evidence],
        "spans": {kind: [_pack_label(item) for item in items] for kind, items in obs.spans.items()},
        "models": [model.as_json() for model in obs.models],
        "notes": list(obs.notes),
        "absent": obs.absent.as_json() if obs.absent else None,
        "order": [list(obs.tracks), list(obs.spans)],  # a sorted JSON object forgets it
    }
    return arrays, record


def unpack(arrays: Mapping[str, np.ndarray[Any, Any]], record: Mapping[str, Any], prefix: str = "") -> Observation:
    """The observation that `pack` was given.

    Raises:
        KeyError, TypeError, ValueError: arrays and record do not belong together.
    """
    tracks = {}
    for key in record["order"][0]:
        row, name = record["tracks"][key], f"{prefix}{key}"
        tracks[key] = Track(
            row["name"], arrays[f"{name}.values"], arrays[f"{name}.times_s"], arrays[f"{name}.mask"],
            tuple(row["columns"]), row["unit"],
        )  # fmt: skip
    return Observation(
        record["expert"],
        record["modality"],
        tracks,
        tuple(unpack_evidence(row) for row in record["evidence"]),
        {kind: tuple(_unpack_label(row) for row in record["spans"][kind]) for kind in record["order"][1]},
        tuple(ModelUsed(**row) for row in record["models"]),
        tuple(record["notes"]),
        Absence(**record["absent"]) if record["absent"] else None,
    )


def pack_evidence(ev: Evidence) -> dict[str, Any]:
    """Like `Evidence.as_json`, without its rounding."""
    exact = {
        "span": [float(ev.span.start_s), float(ev.span.end_s)],
        "confidence": float(ev.confidence),
        "strength": float(ev.strength),
        "inferred": bool(ev.inferred),
        "person": int(ev.person),
        "measures": {key: float(value) for key, value in ev.measures.items()},
    }
    return {**ev.as_json(), **exact, "order": list(ev.measures)}


def unpack_evidence(row: Mapping[str, Any]) -> Evidence:
    """Read back what `pack_evidence` wrote."""
    fields = {key: value for key, value in row.items() if key != "order"}
    return Evidence.from_json({**fields, "measures": {key: row["measures"][key] for key in row["order"]}})


def _narrow(mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    whole = np.asarray(mask.all(axis=1))  # (T, D) -> (T,)
    return whole if np.array_equal(whole, mask.any(axis=1)) else mask


def _pack_label(item: LabelledSpan) -> list[Any]:
    sure = None if item.confidence is None else float(item.confidence)
    return [float(item.span.start_s), float(item.span.end_s), item.label, sure]


def _unpack_label(row: list[Any]) -> LabelledSpan:
    return LabelledSpan(Span(row[0], row[1]), row[2], row[3])
