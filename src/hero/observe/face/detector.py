"""Find faces in a frame: single-shot boxes on fixed anchors, merged by weighted non-maximum suppression.

Anchors and decoding as in MediaPipe's short-range face detector (BlazeFace, Bazarevsky et al. 2019): 128 pixel input,
strides 8 (two anchors a cell) and 16 (six a cell), offsets in pixels from the anchor's centre.

Legend: H, W frame; A anchors (896); K keypoints (6: right eye, left eye, nose, mouth, right ear, left ear).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.crop import Roi, crop
from hero.observe.face.networks import DETECTOR_SIDE, Networks

MIN_SCORE = 0.5
SUPPRESS_IOU = 0.3
ROI_SCALE = 1.5


@dataclass(frozen=True, eq=False)
class Detection:
    """A face found: box (x0, y0, x1, y1) in pixels, keypoints (K, 2) in pixels, score in 0..1."""

    box: tuple[float, float, float, float]
    keypoints: NDArray[np.float32]
    score: float

    @property
    def roi(self) -> Roi:
        """The square around the face that the landmark network wants, turned so that the eyes lie level."""
        x0, y0, x1, y1 = self.box
        right, left = self.keypoints[0], self.keypoints[1]
        angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
        return Roi((x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) * ROI_SCALE, angle)


@cache
def anchors() -> NDArray[np.float32]:
    """Anchor centres (A, 2) as fractions of the input."""
    layers = []
    for stride, per_cell in ((8, 2), (16, 6)):
        cells = DETECTOR_SIDE // stride
        y, x = np.mgrid[:cells, :cells]
        centres = np.stack([x, y], -1).reshape(-1, 2) + 0.5
        layers.append(np.repeat(centres / cells, per_cell, axis=0))
    return np.concatenate(layers).astype(np.float32)  # (896, 2)


def detect(networks: Networks, rgb: NDArray[np.uint8], region: Roi | None = None) -> list[Detection]:
    """Faces in a frame (H, W, 3), or in a square region of it, best first."""
    height, width = rgb.shape[:2]
    region = region or Roi(width / 2, height / 2, max(height, width))
    image = crop(rgb, region, DETECTOR_SIDE) / np.float32(127.5) - np.float32(1)
    boxes, logits = networks.detect(image)
    scores: NDArray[np.float32] = (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)
    keep = scores >= MIN_SCORE
    if not keep.any():
        return []
    centres, raw = anchors()[keep], boxes[keep] / np.float32(DETECTOR_SIDE)
    points = raw.reshape(-1, 8, 2)  # centre, size, six keypoints
    points[:, 0] += centres
    points[:, 2:] += centres[:, None]
    return [_to_frame(row, score, region) for row, score in _merge(points, scores[keep])]


def iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Shared area over joint area of two boxes (x0, y0, x1, y1)."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _merge(points: NDArray[np.float32], scores: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], float]]:
    """Weighted non-maximum suppression: boxes that overlap become their score-weighted mean."""
    merged: list[tuple[NDArray[np.float32], float]] = []
    order = list(np.argsort(-scores))
    corners = np.concatenate([points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2], axis=1)
    while order:
        best = order[0]
        group = [i for i in order if iou(tuple(corners[best]), tuple(corners[i])) > SUPPRESS_IOU] or [best]
        weights = scores[group][:, None, None]
        merged.append(((points[group] * weights).sum(0) / weights.sum(), float(scores[best])))
        order = [i for i in order if i not in group]
    return merged


def _to_frame(row: NDArray[np.float32], score: float, region: Roi) -> Detection:
    centre = region.to_frame(row[0:1])[0]
    half = row[1] * region.side / 2
    box = (
        float(centre[0] - half[0]),
        float(centre[1] - half[1]),
        float(centre[0] + half[0]),
        float(centre[1] + half[1]),
    )
    return Detection(box, region.to_frame(row[2:]), score)
