"""Head pose: the rigid fit of a face's landmarks to a mean face, and the face without that pose.

The mean face (`mean_face.json`) is this project's own: landmarks of frontal frames of many people, aligned and
mirrored (`recipes/face_population.py`). Axes: x to the image's right, y up, z towards the camera; the unit is the
distance between the eye centres. The fit is Umeyama's (1991) similarity on points that expression hardly moves.

Legend: L landmarks (468 or 478).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from hero.observe.face.topology import STABLE_POINTS


@dataclass(frozen=True, eq=False)
class Pose:
    """Head turned by `yaw_deg` (positive: towards the image's right), `pitch_deg` (positive: up) and `roll_deg`
    (positive: clockwise in the image); `points` (L, 3) are the landmarks with pose and size taken out; `scale_px` is
    the distance between the eye centres that a frontal view of this head would have, in pixels."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    points: NDArray[np.float32]
    scale_px: float


@cache
def mean_face() -> NDArray[np.float64]:
    """Landmarks (478, 3) of the mean frontal face, neutral, eye distance 1."""
    return np.array(json.loads(files("hero.observe.face").joinpath("mean_face.json").read_text("utf-8")))


def fit_pose(points: NDArray[np.float32]) -> Pose:
    """Fit landmarks (L, 3) in pixels (y down, smaller z nearer) to the mean face."""
    mirrored = points * np.array([1.0, -1.0, -1.0])  # y up, z towards the camera
    rotation, scale, aligned = similarity(mirrored, mean_face()[: len(points)], STABLE_POINTS)
    yaw, pitch, roll = angles_deg(rotation.T)
    return Pose(yaw, pitch, roll, aligned.astype(np.float32), 1 / scale)


def similarity(
    source: NDArray[np.float64], target: NDArray[np.float64], subset: NDArray[np.int_]
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Rotation (3, 3), scale and moved source (L, 3) with the least squared distance to the target on `subset`."""
    a, b = source[subset], target[subset]
    a_mean, b_mean = a.mean(0), b.mean(0)
    a, b = a - a_mean, b - b_mean
    u, strength, vt = np.linalg.svd(b.T @ a)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * flip) @ vt
    scale = float((strength * flip).sum() / (a**2).sum())
    return rotation, scale, scale * (source - a_mean) @ rotation.T + b_mean


def angles_deg(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """(yaw, pitch, roll) in degrees of a head rotation (3, 3), head frame -> camera frame.

    Taken from where the head's forward and right axes point: yaw and pitch are the direction of the face, roll the tilt.
    """
    forward, right = rotation[:, 2], rotation[:, 0]
    yaw = np.arctan2(forward[0], forward[2])
    pitch = np.arcsin(np.clip(forward[1], -1, 1))
    level = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])  # the right axis of a head with this yaw and no roll
    up = np.cross(forward, level)
    roll = -np.arctan2(right @ up, right @ level)
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
