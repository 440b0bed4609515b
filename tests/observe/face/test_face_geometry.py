"""Crops, pose, cues and action units on known geometry; no weights needed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from hero.observe.face.action_units import AU_C, AU_R, NUMBERS_R, closure, intensities, presences
from hero.observe.face.crop import Roi, crop
from hero.observe.face.cues import CUES, GEOMETRY, measure
from hero.observe.face.detector import Detection, anchors, iou
from hero.observe.face.neutral import MAX_SPREADS, doubt, neutral_face, population
from hero.observe.face.pose import fit_pose, mean_face
from hero.observe.face.topology import BLENDSHAPE_POINTS, BLENDSHAPES
from hero.types import Baseline


def posed(yaw_deg: float, pitch_deg: float, roll_deg: float, size_px: float = 90.0) -> np.ndarray:
    """The mean face turned by known angles, as landmarks in image pixels (y down, smaller z nearer)."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    tilt = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    head = mean_face() @ (turn @ nod @ tilt).T
    return (head * size_px * [1, -1, -1] + [300, 200, 0]).astype(np.float32)


def test_schema_is_openfaces() -> None:
    assert len(AU_R) == 17 and len(AU_C) == 18
    assert "AU28_r" not in AU_R and "AU28_c" in AU_C
    assert AU_R[0] == "AU01_r" and AU_R[-1] == "AU45_r" and AU_C[-1] == "AU45_c"


def test_topology_sizes() -> None:
    assert len(BLENDSHAPES) == 52 and BLENDSHAPES[0] == "_neutral" and BLENDSHAPES[9] == "eyeBlinkLeft"
    assert len(set(BLENDSHAPE_POINTS.tolist())) == 146 and BLENDSHAPE_POINTS.max() == 477
    assert anchors().shape == (896, 2)


def test_crop_equals_spline_interpolation() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    roi, size = Roi(80.3, 61.7, 50.0, 0.3), 64
    steps = ((np.arange(size) + 0.5) / size - 0.5) * roi.side
    u, v = np.meshgrid(steps, steps)
    x = roi.x - 0.5 + u * np.cos(roi.angle) - v * np.sin(roi.angle)
    y = roi.y - 0.5 + u * np.sin(roi.angle) + v * np.cos(roi.angle)
    wanted = np.stack([map_coordinates(rgb[..., k].astype(float), [y, x], order=1) for k in range(3)], -1)
    assert np.abs(crop(rgb, roi, size) - wanted).max() < 0.05


def test_crop_outside_the_frame_is_black() -> None:
    rgb = np.full((50, 50, 3), 200, np.uint8)
    assert crop(rgb, Roi(500, 500, 40), 16).max() == 0
    half = crop(rgb, Roi(0, 25, 40), 16)
    assert half[:, :7].max() == 0 and half[:, 9:].min() == 200


def test_points_of_a_crop_return_to_the_frame() -> None:
    roi = Roi(100, 50, 40, np.pi / 2)
    assert roi.to_frame(np.array([[0.5, 0.5], [1.0, 0.5]], np.float32)) == pytest.approx(
        np.array([[100, 50], [100, 70]])
    )


def test_iou() -> None:
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0


def test_detection_roi_is_level_with_the_eyes() -> None:
    keypoints = np.zeros((6, 2), np.float32)
    keypoints[0], keypoints[1] = (10, 10), (20, 20)
    assert Detection((0, 0, 30, 40), keypoints, 0.9).roi == Roi(15, 20, 60, pytest.approx(np.pi / 4))


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (0, -20, 0), (0, 0, 15), (-25, 10, -10)])
def test_pose_is_recovered(yaw: float, pitch: float, roll: float) -> None:
    pose = fit_pose(posed(yaw, pitch, roll))
    assert (pose.yaw_deg, pose.pitch_deg, pose.roll_deg) == pytest.approx((yaw, pitch, roll), abs=0.1)
    assert pose.scale_px == pytest.approx(90, rel=1e-3)


def test_pose_signs_follow_the_picture() -> None:
    right, up = posed(25, 0, 0), posed(0, 25, 0)
    assert right[4, 0] > posed(0, 0, 0)[4, 0]  # the nose tip goes to the image's right
    assert up[4, 1] < posed(0, 0, 0)[4, 1]  # and upwards
    tilted = posed(0, 0, 20)
    assert tilted[263, 1] > tilted[33, 1]  # clockwise: the image's right eye lies lower


def test_cues_do_not_depend_on_pose_or_size() -> None:
    frontal = measure(fit_pose(posed(0, 0, 0)), None)
    turned = measure(fit_pose(posed(20, -10, 8, size_px=40)), None)
    known = np.isfinite(frontal)
    assert known.sum() == len(GEOMETRY)
    assert turned[known] == pytest.approx(frontal[known], abs=0.03)


def levels_of(change: dict[str, float], backend: str = "landmarks") -> dict[int, float]:
    """Intensities when some cues move away from a known neutral face."""
    cues = np.array([[population(backend).get(cue, (np.nan, 0))[0] for cue in CUES]] * 3, np.float32)
    neutral = cues[0].astype(float)
    for cue, amount in change.items():
        cues[1, CUES.index(cue)] += amount
    out = intensities(cues, neutral, np.zeros(len(CUES)), backend)[1]
    return dict(zip(NUMBERS_R, out.tolist(), strict=True))


def test_a_unit_rises_with_its_cue_and_others_stay() -> None:
    levels = levels_of({"brow_outer": 0.1})
    assert levels[2] > 3
    assert all(value == 0 for number, value in levels.items() if number != 2 and np.isfinite(value))


def test_a_smile_is_not_told_as_stretched_lips() -> None:
    levels = levels_of({"corner_up": 0.12, "mouth_width": 0.15})
    assert levels[12] > 3 and levels[20] < 1


@pytest.mark.parametrize(("backend", "lacking"), [("bundle", {23}), ("landmarks", {14, 23})])
def test_what_cannot_be_seen_is_masked_not_zero(backend: str, lacking: set[int]) -> None:
    assert {number for number, value in levels_of({}, backend).items() if not np.isfinite(value)} == lacking


def test_doubt_hides_what_another_resting_face_explains() -> None:
    cues = np.array([[population("landmarks").get(c, (np.nan, 0))[0] for c in CUES]], np.float32)
    neutral = cues[0].astype(float)
    cues[0, CUES.index("brow_outer")] += 0.02
    assert intensities(cues, neutral, np.zeros(len(CUES)), "landmarks")[0, NUMBERS_R.index(2)] > 0
    assert intensities(cues, neutral, doubt(0.0, "landmarks"), "landmarks")[0, NUMBERS_R.index(2)] == 0


def test_presence_has_hysteresis_and_masks() -> None:
    levels = np.full((5, 17), np.nan, np.float32)
    levels[:, NUMBERS_R.index(12)] = [0.5, 1.1, 0.8, 0.5, 0.9]
    out = presences(levels, np.full(5, np.nan, np.float32))
    assert out[:, AU_C.index("AU12_c")].tolist() == [0, 1, 1, 0, 0]
    assert np.isnan(out[:, AU_C.index("AU28_c")]).all() and np.isnan(out[:, AU_C.index("AU23_c")]).all()


def test_blink_counts_and_narrowed_eyes_do_not() -> None:
    opening = np.full(60, 0.30, np.float32)
    opening[30:33] = 0.04
    assert closure(opening, 0.30)[31] > 4 and closure(opening, 0.30)[:28].max() == 0
    assert closure(np.full(60, 0.18, np.float32), 0.30).max() == 0
    assert closure(np.full(60, 0.03, np.float32), 0.30).min() > 4


def smiling(seconds: int, start: int) -> np.ndarray:
    cues = np.array([[population("landmarks").get(c, (np.nan, 0))[0] for c in CUES]] * (20 * seconds), np.float32)
    cues[start:, CUES.index("corner_up")] += 0.15
    cues[start:, CUES.index("mouth_width")] += 0.2
    return cues


def test_neutral_face_comes_from_the_calm_frames() -> None:
    at = CUES.index("corner_up")
    usual = population("landmarks")["corner_up"][0]
    assert neutral_face(smiling(10, 80), 10.0, "landmarks")[at] == pytest.approx(usual, abs=0.01)


def test_constant_smile_is_not_taken_for_neutral() -> None:
    cues = smiling(10, 0)
    neutral = neutral_face(cues, 10.0, "landmarks")
    mean, spread = population("landmarks")["corner_up"]
    assert neutral[CUES.index("corner_up")] <= mean + MAX_SPREADS * spread + 1e-9
    levels = intensities(cues, neutral, doubt(10.0, "landmarks"), "landmarks")
    assert levels[0, NUMBERS_R.index(12)] > 1


def test_own_resting_face_replaces_the_populations_over_time() -> None:
    cues = np.array([[population("landmarks").get(c, (np.nan, 0))[0] for c in CUES]] * 200, np.float32)
    at, (mean, spread) = CUES.index("brow_inner"), population("landmarks")["brow_inner"]
    cues[:, at] -= spread
    short, long = neutral_face(cues, 0.2, "landmarks")[at], neutral_face(cues, 30.0, "landmarks")[at]
    assert mean - spread < long < short < mean
    known = Baseline({"face.brow_inner": mean - 2 * spread}, count=9)
    assert neutral_face(cues, 0.2, "landmarks", known)[at] < long
