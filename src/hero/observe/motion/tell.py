"""From motion numbers to evidence: camera moves, still and lively bodies, bursts of gesture, nods and shakes.

Thresholds are in frame widths per second. Faces that merely talk gave 0.01-0.08 on real clips, hands that gesture
0.2 and more, and a camera on a stand 0.01-0.02 by measurement noise. Legend of shapes: T samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hero.observe.spans import hysteresis, runs, sample_ends
from hero.types import Evidence, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.observe.motion.head import HeadGesture
    from hero.phrases import Phrases
    from hero.types import Track

CAMERA_ON, CAMERA_OFF = 0.08, 0.05
CAMERA_MIN_S, CAMERA_GAP_S = 0.5, 0.7
SHAKE_RATIO = 3.0  # path over net displacement

BURST_ON, BURST_OFF_SHARE, BURST_OVER_USUAL = 0.2, 0.6, 3.0
BURST_MIN_S, BURST_GAP_S = 0.2, 0.2
SUDDEN_PEAK, SUDDEN_BEFORE, SUDDEN_LOOK_S = 0.25, 0.06, 0.35
STILL_BELOW, STILL_MIN_S = 0.016, 2.0
RESTLESS_ABOVE, RESTLESS_MIN_S = 0.15, 1.0


def describe(body: Track, gestures: list[HeadGesture], words: Phrases, expert: str) -> tuple[Evidence, ...]:
    """Evidence of the track `body` (columns of the motion expert) and of the head's gestures."""
    found = _camera(body) + _body(body) + [_head(gesture) for gesture in gestures]
    evidence = []
    for cue, span, confidence, strength, measures in found:
        text, brief = words.evidence(cue, start_s=span.start_s, end_s=span.end_s, lasts_s=span.duration_s, **measures)
        evidence.append(Evidence("motion", expert, cue, text, brief, span, confidence, strength, measures))
    return tuple(evidence)


Found = tuple[str, Span, float, float, dict[str, float]]


def _camera(body: Track) -> list[Found]:
    speed, known = body.column("camera_speed")
    if not known.any():
        return []
    smooth = _smooth(speed, known)
    ends = sample_ends(body.times_s)
    found: list[Found] = []
    active = hysteresis(smooth, on=CAMERA_ON, off=CAMERA_OFF, mask=known)
    for span in runs(active, body.times_s, min_s=CAMERA_MIN_S, gap_s=CAMERA_GAP_S):
        here = _inside(body, span) & known
        step = (ends - body.times_s)[here]
        x, y, zoom = (float((body.column(f"camera_{axis}")[0][here] * step).sum()) for axis in ("x", "y", "zoom"))
        path, mean = float((speed[here] * step).sum()), float(speed[here].mean())
        measures = {"camera_speed_widths_s": mean}
        cue = _camera_cue(x, y, zoom, path)
        sure = 0.5 + 0.4 * min(1.0, (mean - CAMERA_OFF) / 0.2)
        found.append((cue, span, sure, min(1.0, mean / 0.6), measures))
    return found


def _camera_cue(x: float, y: float, zoom: float, path: float) -> str:
    """Which way the camera went; the picture moves against the camera."""
    net = max(float(np.hypot(x, y)), abs(zoom) / 4)
    if net * SHAKE_RATIO < path:
        return "camera_shakes"
    if abs(zoom) / 4 > np.hypot(x, y):
        return "camera_nearer" if zoom > 0 else "camera_farther"
    if abs(x) >= abs(y):
        return "camera_left" if x > 0 else "camera_right"
    return "camera_up" if y > 0 else "camera_down"


def _body(body: Track) -> list[Found]:
    speed, known = body.column("body_speed")
    if not known.any():
        return []
    camera, camera_known = body.column("camera_speed")
    # While the camera moves, near and far things move apart, which the residual cannot tell from a body.
    steady = known & (_nearest(camera, camera_known) <= CAMERA_ON)
    if not steady.any():
        return []
    smooth = _smooth(speed, steady)
    usual = float(np.median(speed[steady]))
    on = max(BURST_ON, BURST_OVER_USUAL * usual)
    found: list[Found] = []
    active = hysteresis(smooth, on=on, off=BURST_OFF_SHARE * on, mask=steady)
    for span in runs(active, body.times_s, min_s=BURST_MIN_S, gap_s=BURST_GAP_S):
        peak = float(speed[_inside(body, span) & steady].max())
        if peak < on:  # only its neighbours outside the steady part were fast
            continue
        cue = "sudden_movement" if _sudden(body, steady, span, peak) else "gesture_burst"
        measures = {"peak_speed_widths_s": peak, "usual_speed_widths_s": usual}
        found.append((cue, span, 0.5 + 0.4 * min(1.0, peak / on - 1), min(1.0, peak / 0.8), measures))
    level = _smooth(speed, steady, 7)
    for cue, state, min_s, strength in (
        ("body_still", steady & (level < STILL_BELOW), STILL_MIN_S, 0.3),
        ("body_restless", steady & (level > RESTLESS_ABOVE), RESTLESS_MIN_S, 0.5),
    ):
        for span in runs(state, body.times_s, min_s=min_s, gap_s=0.3):
            mean = float(speed[_inside(body, span) & steady].mean())
            if cue == "body_restless" and any(span.overlap_s(b[1]) > 0.5 * span.duration_s for b in found):
                continue
            found.append((cue, span, 0.6, strength, {"body_speed_widths_s": mean}))
    return found


def _sudden(body: Track, steady: NDArray[np.bool_], span: Span, peak: float) -> bool:
    """Whether the body was at rest just before the span and fast within two samples."""
    speed, _ = body.column("body_speed")
    before = steady & (body.times_s < span.start_s) & (body.times_s >= span.start_s - SUDDEN_LOOK_S)
    onset = steady & (body.times_s >= span.start_s) & (body.times_s < span.start_s + 0.25)
    if peak < SUDDEN_PEAK or before.sum() < 2 or not onset.any():
        return False
    return bool(speed[before].mean() < SUDDEN_BEFORE and speed[onset].max() >= 0.7 * peak)


def _head(gesture: HeadGesture) -> Found:
    measures = {"swings": float(gesture.swings), "amplitude_deg": gesture.amplitude_deg, "rate_hz": gesture.rate_hz}
    sure = min(0.9, 0.4 + 0.1 * gesture.swings + 0.02 * gesture.amplitude_deg)
    return gesture.kind, gesture.span, sure, min(1.0, gesture.amplitude_deg / 20), measures


def _inside(track: Track, span: Span) -> NDArray[np.bool_]:
    return (track.times_s >= span.start_s - 1e-9) & (track.times_s < span.end_s - 1e-9)


def _nearest(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values (T,) with each masked one replaced by the nearest measured one; zeros where nothing was measured."""
    measured = np.flatnonzero(mask)
    if measured.size == 0:
        return np.zeros_like(values)
    places = np.arange(values.size)
    after = np.clip(np.searchsorted(measured, places), 0, measured.size - 1)
    before = np.clip(after - 1, 0, measured.size - 1)
    later = np.abs(measured[after] - places) <= np.abs(measured[before] - places)
    return values[np.where(later, measured[after], measured[before])]


def _smooth(values: NDArray[np.float32], mask: NDArray[np.bool_], width: int = 3) -> NDArray[np.float64]:
    """Mean over the valid ones of `width` neighbouring samples, (T,)."""
    kernel = np.ones(min(width, values.size))
    total = np.convolve(np.where(mask, values, 0.0), kernel, "same")
    return np.asarray(total / np.maximum(np.convolve(mask.astype(float), kernel, "same"), 1e-9))
