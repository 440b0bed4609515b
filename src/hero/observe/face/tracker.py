"""Several faces over time: each is followed by its own landmarks, detection only starts and confirms tracks.

A face keeps its number while its landmarks are found where they were; the detector runs every `REDETECT_S` seconds and
whenever a face is lost. The leading face (largest so far, with moving lips counting extra) is measured in every frame,
the others in every third one, which bounds the cost of a crowd.

Legend: H, W frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.crop import Roi
from hero.observe.face.detector import Detection, detect, iou
from hero.observe.face.landmarks import Face, find_landmarks
from hero.observe.face.networks import Networks

REDETECT_S = 0.5
MIN_PRESENCE = 0.5
SAME_FACE_IOU = 0.3
REVIVE_S = 1.5
"""A face that comes back near its old place within this time is the same one."""
MAX_UNCONFIRMED = 3
"""Detector rounds in a row that may miss a face whose landmarks look doubtful."""
TILES_EVERY = 4
"""Detector rounds between two looks for faces too small for the whole frame."""
OTHERS_EVERY = 3
MIN_SIDE_PX = 24.0


@dataclass
class _Live:
    """A face being followed."""

    number: int
    face: Face
    seen_s: float
    first_s: float
    weight: float = 0.0
    unconfirmed: int = 0


class FaceTracker:
    """Follows faces through the frames of one clip."""

    def __init__(self, networks: Networks, *, max_faces: int = 4) -> None:
        self._networks = networks
        self._max_faces = max_faces
        self._live: list[_Live] = []
        self._lost: list[_Live] = []
        self._detected_s = -np.inf
        self._frames = 0
        self._count = 0
        self._rounds = 0

    def step(self, time_s: float, rgb: NDArray[np.uint8]) -> list[tuple[int, Face]]:
        """Faces measured in this frame (H, W, 3) as (number, face); numbers count from 0 in order of appearance."""
        self._frames += 1
        measured = self._follow(time_s, rgb)
        due = time_s - self._detected_s >= REDETECT_S
        if due or not self._live:
            measured += self._search(time_s, rgb, thorough=due)
        return [(live.number, live.face) for live in measured]

    def _follow(self, time_s: float, rgb: NDArray[np.uint8]) -> list[_Live]:
        leader = max(self._live, key=lambda live: live.weight, default=None)
        measured = []
        for live in list(self._live):
            if live is not leader and (self._frames + live.number) % OTHERS_EVERY:
                continue
            face = find_landmarks(self._networks, rgb, live.face.next_roi)
            moved = iou(face.box, live.face.box) < SAME_FACE_IOU / 2
            if face.presence < MIN_PRESENCE or not _inside(face.next_roi, rgb) or moved or self._doubled(face, live):
                self._live.remove(live)
                self._lost.append(live)
                continue
            self._keep(live, face, time_s)
            measured.append(live)
        self._lost = [live for live in self._lost if time_s - live.seen_s <= REVIVE_S]
        return measured

    def _search(self, time_s: float, rgb: NDArray[np.uint8], *, thorough: bool) -> list[_Live]:
        found = detect(self._networks, rgb)
        if thorough:
            self._detected_s = time_s
            if self._rounds % TILES_EVERY == 0 or not self._live:
                for region in _tiles(rgb):
                    found += [d for d in detect(self._networks, rgb, region) if not _overlaps(d, found)]
            self._rounds += 1
            self._confirm(found)
        fresh = []
        for detection in sorted(found, key=lambda d: -d.roi.side):
            if len(self._live) >= self._max_faces:
                break
            if any(iou(detection.box, live.face.box) > SAME_FACE_IOU for live in self._live):
                continue
            live = self._begin(detection, time_s, rgb)
            if live:
                fresh.append(live)
        return fresh

    def _begin(self, detection: Detection, time_s: float, rgb: NDArray[np.uint8]) -> _Live | None:
        """Start (or resume) a track; the landmarks are found twice, so that the crop is the one of later frames."""
        face = find_landmarks(self._networks, rgb, detection.roi)
        if face.presence >= MIN_PRESENCE:
            face = find_landmarks(self._networks, rgb, face.next_roi)
        if face.presence < MIN_PRESENCE or face.next_roi.side < MIN_SIDE_PX or self._doubled(face, None):
            return None
        old = next((live for live in self._lost if _near(live.face, face)), None)
        if old:
            self._lost.remove(old)
            live = old
        else:
            live = _Live(self._count, face, time_s, time_s)
            self._count += 1
        live.unconfirmed = 0
        self._keep(live, face, time_s)
        self._live.append(live)
        return live

    def _keep(self, live: _Live, face: Face, time_s: float) -> None:
        step_s = min(max(time_s - live.seen_s, 0.0), 0.2)
        lips = abs(_lip_gap(face) - _lip_gap(live.face))
        live.weight += step_s * face.roi.side * (1 + 20 * min(lips, 0.1))
        live.face, live.seen_s = face, time_s

    def _doubled(self, face: Face, own: _Live | None) -> bool:
        """Whether another, older track already sits on this face."""
        return any(
            other is not own and (own is None or other.number < own.number) and iou(face.box, other.face.box) > 0.5
            for other in self._live
        )

    def _confirm(self, found: list[Detection]) -> None:
        for live in list(self._live):
            seen = any(iou(d.box, live.face.box) > SAME_FACE_IOU / 2 for d in found)
            live.unconfirmed = 0 if seen else live.unconfirmed + 1
            if live.unconfirmed >= MAX_UNCONFIRMED and live.face.presence < 0.9:
                self._live.remove(live)


def _tiles(rgb: NDArray[np.uint8]) -> list[Roi]:
    """Two squares at the ends of an oblong frame: faces too small for the whole frame's 128 pixels show there."""
    height, width = rgb.shape[:2]
    side = float(min(height, width))
    if max(height, width) < 1.2 * side:
        return []
    if width > height:
        return [Roi(side / 2, side / 2, side), Roi(width - side / 2, side / 2, side)]
    return [Roi(side / 2, side / 2, side), Roi(side / 2, height - side / 2, side)]


def _overlaps(detection: Detection, others: list[Detection]) -> bool:
    return any(iou(detection.box, other.box) > SAME_FACE_IOU for other in others)


def _inside(roi: Roi, rgb: NDArray[np.uint8]) -> bool:
    return roi.side >= MIN_SIDE_PX and 0 <= roi.x < rgb.shape[1] and 0 <= roi.y < rgb.shape[0]


def _near(old: Face, new: Face) -> bool:
    a, b = old.next_roi, new.next_roi
    return bool(np.hypot(a.x - b.x, a.y - b.y) < 0.5 * a.side and 0.6 < a.side / b.side < 1.6)


def _lip_gap(face: Face) -> float:
    """Inner lip distance over the region's side: only to see lips move."""
    return float(np.hypot(*(face.points[13] - face.points[14])[:2]) / face.roi.side)
