"""The rows of the timeline: words, action units, prosody, movement, evidence, conflicts, and where the weight lies.

Every position is a percentage of the clip's length, so a page can zoom by widening one box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hero.phrases import Phrases
from hero.report.curves import Curve, draw
from hero.report.heat_cells import Cells, draw_cells
from hero.report.packing import pack
from hero.types import MODALITIES, LabelledSpan, Track

MAX_UNITS = 6
ACTIVE_LEVEL = 0.5  # an intensity (0-5) below which an action unit is not worth a row
BLINK = "AU45_r"
LEAST_SHARE = 0.03  # room of a bar, as a share of the clip, when bars are packed into rows


@dataclass(frozen=True)
class Bar:
    """A stretch drawn as a box; `left` and `width` in percent. `key` is the evidence id, "" for words and shots."""

    left: float
    width: float
    start_s: float
    end_s: float
    row: int
    text: str
    title: str
    key: str = ""
    inferred: bool = False


@dataclass(frozen=True)
class Lane:
    """One row: its name, a remark under it, a look (modality), and bars, a curve or cells with what they say aloud."""

    kind: str
    label: str
    detail: str
    look: str
    bars: tuple[Bar, ...] = ()
    rows: int = 1
    curve: Curve | None = None
    filled: bool = False
    cells: Cells | None = None
    said: str = ""


# lane key, track, columns in order of preference, look, filled
_TRACK_LANES: tuple[tuple[str, str, tuple[str, ...], str, bool], ...] = (
    ("lane_pitch", "voice.prosody", ("f0_semitones", "f0_hz"), "voice", False),
    ("lane_loudness", "voice.prosody", ("loudness_db",), "voice", False),
    ("lane_motion", "motion.body", ("body_speed",), "motion", True),
    ("lane_sync", "synergy.sync", ("near_correlation", "correlation"), "synergy", False),
)


def build_lanes(
    result: Mapping[str, Any], tracks: Mapping[str, Track], spans: Mapping[str, Sequence[LabelledSpan]], *,
    duration_s: float, words: Phrases,
) -> tuple[list[Lane], list[Lane]]:  # fmt: skip
    """(lanes measured over time, lanes of evidence and conflicts), in reading order; empty ones are left out."""
    measured = [_span_lane("lane_said", spans.get("words.words", ()), duration_s, "words", words)]
    measured += _unit_lanes(tracks, duration_s, words)
    for key, name, columns, look, filled in _TRACK_LANES:
        measured.append(_track_lane(words.say(key), tracks.get(name), columns, look, duration_s, words, filled=filled))
    shots = spans.get("scene.shots", ())
    measured.append(_span_lane("lane_shots", shots if len(shots) > 1 else (), duration_s, "scene", words))
    found = [_evidence_lane(result, modality, duration_s, words) for modality in MODALITIES]
    found.append(_conflict_lane(result, duration_s, words))
    return [lane for lane in measured if lane], [lane for lane in found if lane]


def clock(seconds: float, digits: int = 2) -> str:
    """`3.27 s`, from a minute on `1:03.27`."""
    if seconds < 60:
        return f"{seconds:.{digits}f} s"
    return f"{int(seconds // 60)}:{seconds % 60:0{3 + digits if digits else 2}.{digits}f}"


def _bar(
    start_s: float, end_s: float, duration_s: float, *, row: int, text: str, title: str, key: str = "",
    inferred: bool = False,
) -> Bar:  # fmt: skip
    start, end = min(start_s, duration_s), min(end_s, duration_s)
    left = round(100 * start / duration_s, 3)
    return Bar(left, round(100 * (end - start) / duration_s, 3), start_s, end_s, row, text, title, key, inferred)


def _span_lane(key: str, labelled: Sequence[LabelledSpan], duration_s: float, look: str, words: Phrases) -> Lane | None:
    if not labelled:
        return None
    rows = pack([(s.span.start_s, s.span.end_s) for s in labelled])
    bars = tuple(
        _bar(s.span.start_s, s.span.end_s, duration_s, row=row, text=s.label,
             title=f"{s.label} · {s.span.start_s:.2f}–{s.span.end_s:.2f} s")
        for s, row in zip(labelled, rows, strict=True)
    )  # fmt: skip
    return Lane("spans", words.say(key), "", look, bars, max(rows) + 1)


def _unit_lanes(tracks: Mapping[str, Track], duration_s: float, words: Phrases) -> list[Lane]:
    """The action units that rise most, as small ridges on one scale, so that their heights compare.

    Blinks reach the top in every clip: they come last in line for a row and do not set the scale.
    """
    track = tracks.get("face.au")
    if track is None:
        return []
    peaks = {}
    for column in track.columns:
        values, mask = track.column(column)
        if column.endswith("_r") and mask.any():
            peaks[column] = float(np.percentile(values[mask], 98))
    active = sorted((c for c in peaks if peaks[c] >= ACTIVE_LEVEL), key=lambda c: (c == BLINK, -peaks[c]))[:MAX_UNITS]
    top = max([2.0, *(float(track.column(c)[0].max()) for c in active if c != BLINK)])
    lanes = []
    for column in sorted(active):
        values, mask = track.column(column)
        unit, high = column.removesuffix("_r"), 5.0 if column == BLINK else top
        curve = draw(track.times_s, values, mask, duration_s, low=0.0, high=high, filled=True)
        detail = f"{unit} · {words.say('lane_range', low='0', high=_short(high))}"
        name = words.table.get(unit, unit)
        lanes.append(Lane("ridge", str(name), detail, "face", curve=curve, filled=True))
    return lanes


def _track_lane(
    label: str, track: Track | None, columns: Sequence[str], look: str, duration_s: float, words: Phrases, *,
    filled: bool,
) -> Lane | None:  # fmt: skip
    if track is None or not track.columns or not track.mask.any():
        return None
    column = next((c for c in columns if c in track.columns and track.column(c)[1].any()), None)
    column = column or next(c for c in track.columns if track.column(c)[1].any())
    values, mask = track.column(column)
    low, high = (float(v) for v in np.percentile(values[mask], [1, 99]))
    low = min(low, 0.0) if filled else low
    if high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    margin = 0.06 * (high - low)
    curve = draw(track.times_s, values, mask, duration_s, low=low - margin * (not filled), high=high + margin,
                 filled=filled)  # fmt: skip
    unit = _unit_of(column, track.unit)
    detail = f"{words.say('lane_range', low=_short(low), high=_short(high))} {unit}".strip()
    return Lane("curve", label, detail, look, curve=curve, filled=filled)


def _unit_of(column: str, unit: str) -> str:
    for ending, name in (("_semitones", "st"), ("_hz", "Hz"), ("_db", "dB"), ("_s", "s"), ("_deg", "°")):
        if column.endswith(ending):
            return name
    return unit if len(unit) <= 6 else ""


def _short(value: float) -> str:
    text = f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"
    return text.removesuffix(".0").replace("-", "−")


def _evidence_lane(result: Mapping[str, Any], modality: str, duration_s: float, words: Phrases) -> Lane | None:
    found = [ev for ev in result["evidence"] if ev["modality"] == modality]
    if not found:
        return None
    rows = pack([tuple(ev["span"]) for ev in found], least_s=LEAST_SHARE * duration_s)
    bars = tuple(
        _bar(ev["span"][0], ev["span"][1], duration_s, row=row, text=f"{ev['id']} {ev.get('brief') or ev['text']}",
             title=f"{ev['id']} · {ev['text']}", key=ev["id"], inferred=bool(ev["inferred"]))
        for ev, row in zip(found, rows, strict=True)
    )  # fmt: skip
    return Lane("bars", words.say(modality), "", modality, bars, max(rows) + 1)


def heat_lanes(result: Mapping[str, Any], *, duration_s: float, words: Phrases) -> list[Lane]:
    """A lane for each modality that weighs anything, in reading order; none where nobody weighed over time."""
    heat = result.get("heat")
    drawn = draw_cells(heat, duration_s) if heat else {}
    lanes = []
    for modality in (m for m in MODALITIES if m in drawn):
        peak, name = drawn[modality].peak_s, words.say(modality)
        detail = words.say("heat_even")
        if peak:
            start, end = (clock(moment, 1).replace(" ", "\u00a0") for moment in peak)
            detail = words.say("heat_peak", start=start.removesuffix("\u00a0s"), end=end)
        said = words.say("heat_said", name=name, detail=detail)
        lanes.append(Lane("heat", name, detail, modality, cells=drawn[modality], said=said))
    return lanes


def _conflict_lane(result: Mapping[str, Any], duration_s: float, words: Phrases) -> Lane | None:
    placed = [(c, conflict_span(c, result["evidence"])) for c in result["conflicts"]]
    shown = [(c, span) for c, span in placed if span is not None]
    if not shown:
        return None
    rows = pack([span for _, span in shown], least_s=LEAST_SHARE * duration_s)
    bars = tuple(
        _bar(span[0], span[1], duration_s, row=row, text=" ↔ ".join(c["between"]), title=c["text"])
        for (c, span), row in zip(shown, rows, strict=True)
    )
    return Lane("conflicts", words.say("lane_conflicts"), "", "conflict", bars, max(rows) + 1)


def conflict_span(conflict: Mapping[str, Any], evidence: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Where a conflict lies: its own span, else the reach of the evidence it names; None where neither is known."""
    if conflict.get("span"):
        return float(conflict["span"][0]), float(conflict["span"][1])
    named = [ev["span"] for ev in evidence if ev["id"] in conflict["between"]]
    if not named:
        return None
    return min(s[0] for s in named), max(s[1] for s in named)
