"""Camera and body motion on pictures moved by known amounts; nods and shakes on drawn poses."""

from __future__ import annotations

import gc
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter, shift

from hero.observe.expert import create
from hero.observe.motion import MotionExpert
from hero.observe.motion.flow import fit_camera, optical_flow, residual_px, small_grey
from hero.observe.motion.head import head_gestures, turning_points
from hero.types import Observation, Track

RATE_HZ = 10.0


def world(seed: int = 0, shape: tuple[int, int] = (140, 240)) -> np.ndarray:
    grey = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.0)
    return np.clip(128 + 45 * grey / grey.std(), 0, 255).astype(np.float32)


def view(picture: np.ndarray, x: float, y: float, shape: tuple[int, int] = (54, 96)) -> np.ndarray:
    """What a camera sees whose upper left corner is at (x, y); sub-pixel places are interpolated."""
    rows, columns = shape
    return shift(picture, (-y, -x), order=3, mode="nearest")[:rows, :columns].astype(np.float32)


def watch(pictures: list[np.ndarray], earlier: dict | None = None, rate_hz: float = RATE_HZ) -> Observation:
    expert = MotionExpert()
    for i, picture in enumerate(pictures):
        rgb = np.repeat(np.clip(np.rint(picture), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
        expert.take(SimpleNamespace(time_s=i / rate_hz, rgb=rgb))
    return expert.finish(earlier or {})


def cues(obs: Observation) -> list[str]:
    return [ev.cue for ev in obs.evidence]


@pytest.mark.parametrize(("dx", "dy"), [(1.0, 0.0), (-2.5, 1.5), (4.2, -3.5), (9.0, 0.0), (-12.0, 6.0)])
def test_a_known_shift_is_found_and_leaves_no_body_motion(dx: float, dy: float):
    before, after = view(world(), 60, 40), view(world(), 60 - dx, 40 - dy)
    flow = optical_flow(before, after)
    camera = fit_camera(flow)
    assert camera is not None
    assert camera.shift_x == pytest.approx(dx, abs=0.15)
    assert camera.shift_y == pytest.approx(dy, abs=0.15)
    assert np.median(residual_px(flow, camera)[flow.reliable]) < 0.2


@pytest.mark.parametrize("zoom", [0.03, -0.04])
def test_a_known_zoom_is_found(zoom: float):
    before = view(world(), 60, 40)
    centre = (np.array(before.shape) - 1) / 2
    after = affine_transform(
        before, np.eye(2) / (1 + zoom), offset=centre - centre / (1 + zoom), order=3, mode="nearest"
    )
    camera = fit_camera(optical_flow(before, after))
    assert camera is not None
    assert camera.zoom == pytest.approx(zoom, abs=0.008)
    assert abs(camera.shift_x) < 0.2


def test_a_moving_patch_is_body_not_camera():
    pictures = []
    for i in range(12):
        picture = view(world(), 60, 40)
        left = 30 + 3 * i
        picture[20:44, left : left + 24] = view(world(7), 10, 10, (24, 24))
        pictures.append(picture)
    body = watch(pictures).tracks["body"]
    assert np.median(body.column("camera_speed")[0]) < 0.02
    assert np.median(body.column("body_speed")[0]) == pytest.approx(3 * RATE_HZ / 96, rel=0.3)


def test_body_motion_survives_a_panning_camera():
    pictures = []
    for i in range(10):
        picture = view(world(), 40 + 2 * i, 40)
        picture[20:44, 36:60] = view(world(7), 10, 10, (24, 24))  # a person the camera follows
        pictures.append(picture)
    body = watch(pictures).tracks["body"]
    assert np.median(body.column("camera_x")[0]) == pytest.approx(-2 * RATE_HZ / 96, rel=0.1)
    assert np.median(body.column("body_speed")[0]) == pytest.approx(2 * RATE_HZ / 96, rel=0.3)


def test_a_pan_is_told_with_its_direction_and_span():
    places = [40.0] * 10 + [40.0 + 2.5 * i for i in range(1, 13)] + [70.0] * 10
    obs = watch([view(world(), x, 40) for x in places])
    moves = [ev for ev in obs.evidence if ev.cue.startswith("camera")]
    assert [ev.cue for ev in moves] == ["camera_right"]
    assert moves[0].span.start_s == pytest.approx(1.0, abs=0.25)
    assert moves[0].span.end_s == pytest.approx(2.2, abs=0.25)


def test_a_shaking_camera_is_not_a_pan():
    obs = watch([view(world(), 60 + 3 * (-1) ** i, 40 + 2 * (i % 3)) for i in range(24)])
    assert "camera_shakes" in cues(obs)
    assert not {"camera_left", "camera_right"} & set(cues(obs))


def test_sensor_noise_is_a_still_body_and_a_still_camera():
    rng = np.random.default_rng(3)
    obs = watch([view(world(), 60, 40) + rng.normal(0, 2, (54, 96)) for _ in range(40)])
    assert cues(obs) == ["body_still"]


def gesture(onset: list[float]) -> list[np.ndarray]:
    pictures = []
    for place in onset:
        picture = view(world(), 60, 40)
        left = round(20 + place)
        picture[14:48, left : left + 34] = view(world(7), 10, 10, (34, 34))
        pictures.append(picture)
    return pictures


def test_a_burst_after_rest_is_sudden_and_has_its_span():
    places = [0.0] * 20 + [6.0 * i for i in range(1, 6)] + [30.0] * 15
    bursts = [ev for ev in watch(gesture(places)).evidence if ev.cue in ("gesture_burst", "sudden_movement")]
    assert [ev.cue for ev in bursts] == ["sudden_movement"]
    assert bursts[0].span.start_s == pytest.approx(2.0, abs=0.2)
    assert bursts[0].span.end_s == pytest.approx(2.5, abs=0.25)


def test_a_person_who_fills_one_side_does_not_move_the_camera():
    wall = 60 + 0.2 * view(world(), 60, 40)  # faint texture, as a dark wall has
    pictures = []
    for i in range(10):
        picture = wall.copy()
        picture[:, 44:] = view(world(7), 20 - 2 * i, 20 + i, (54, 52))
        pictures.append(picture)
    body = watch(pictures).tracks["body"]
    assert np.median(body.column("camera_speed")[0]) < 0.02
    assert np.median(body.column("body_speed")[0]) > 0.15


def test_a_plain_border_masks_the_camera_and_says_so():
    pictures = []
    for i in range(8):
        picture = np.full((54, 96), 90.0, np.float32)
        picture[20:50, 38 + i : 62 + i] = view(world(7), 10, 10, (30, 24))
        pictures.append(picture)
    obs = watch(pictures)
    assert not obs.tracks["body"].column("camera_speed")[1].any()
    assert obs.tracks["body"].column("body_speed")[1].all()
    assert any("border" in note for note in obs.notes)


def test_a_cut_is_masked_not_motion():
    obs = watch([view(world(1), 60, 40)] * 6 + [view(world(2), 60, 40)] * 6)
    mask = obs.tracks["body"].mask[:, :2].all(axis=1)
    assert mask.tolist() == [True] * 5 + [False] + [True] * 5


def test_an_earlier_row_does_not_change_when_more_frames_come():
    pictures = [view(world(), 60 + i, 40) for i in range(12)]
    whole, part = watch(pictures).tracks["body"], watch(pictures[:7]).tracks["body"]
    np.testing.assert_array_equal(whole.values[:6], part.values)


def test_a_hole_in_the_picture_is_masked():
    expert = MotionExpert()
    for time_s in (0.0, 0.1, 0.2, 2.0, 2.1):
        expert.take(
            SimpleNamespace(time_s=time_s, rgb=np.repeat(view(world(), 60, 40)[..., None], 3, 2).astype(np.uint8))
        )
    track = expert.finish({}).tracks["body"]
    assert track.column("body_speed")[1].tolist() == [True, True, False, True]


@pytest.mark.parametrize("shape", [(1, 1), (2, 160), (9, 16)])
def test_tiny_pictures_do_no_harm(shape: tuple[int, int]):
    obs = watch([np.full(shape, 10.0 * i) for i in range(4)])
    assert obs.absent is None
    assert obs.evidence == ()


def test_one_frame_is_absent_with_a_reason():
    obs = watch([view(world(), 60, 40)])
    assert obs.absent is not None
    assert "fewer than two frames" in obs.absent.reason


def test_no_frame_is_kept():
    expert = MotionExpert()
    rgb = np.repeat(view(world(), 60, 40)[..., None], 3, 2).astype(np.uint8)
    for i in range(50):
        expert.take(SimpleNamespace(time_s=i / 10, rgb=rgb.copy()))
    gc.collect()
    kept = sum(value.nbytes for value in gc.get_referents(*expert.__dict__.values()) if isinstance(value, np.ndarray))
    rows = sum(sys.getsizeof(row) for row in expert._rows)
    assert kept <= 54 * 96 * 4
    assert rows <= 50 * 200


def test_small_grey_averages_areas():
    rgb = np.zeros((4, 192, 3), np.uint8)
    rgb[:, 1::2] = 200
    small = small_grey(rgb)
    assert small.shape == (2, 96)
    np.testing.assert_allclose(small, 100, atol=0.01)


def test_the_table_of_experts_makes_it():
    assert create("motion").name == "motion"


# Head gestures


def pose(pitch: np.ndarray, yaw: np.ndarray | None = None, mask: np.ndarray | None = None) -> Track:
    times = np.arange(pitch.size) / 20
    values = np.stack([pitch, np.zeros(pitch.size) if yaw is None else yaw, np.zeros(pitch.size)], axis=1)
    valid = np.ones(pitch.size, bool) if mask is None else mask
    return Track("pose", values, times, valid, ("pitch_deg", "yaw_deg", "roll_deg"), "degrees")


def swings(count: int, far_deg: float, seconds: float = 4.0, rate_hz: float = 2.0) -> np.ndarray:
    """Rest, `count` swings to and fro starting at 1 s, rest; with half a degree of noise."""
    t = np.arange(round(seconds * 20)) / 20
    moving = (t >= 1) & (t < 1 + count / (2 * rate_hz))
    wave = far_deg / 2 * (1 - np.cos(2 * np.pi * rate_hz * (t - 1)))
    rest = far_deg if count % 2 else 0.0
    return np.where(moving, wave, np.where(t >= 1, rest, 0.0)) + np.random.default_rng(0).normal(0, 0.3, t.size)


def test_nods_are_found_with_span_swings_and_size():
    found = head_gestures(pose(swings(4, 10)))
    assert [g.kind for g in found] == ["nod"]
    assert found[0].swings == 4
    assert found[0].amplitude_deg == pytest.approx(10, abs=1.5)
    assert found[0].span.start_s == pytest.approx(1.0, abs=0.15)
    assert found[0].span.end_s == pytest.approx(2.0, abs=0.15)
    assert found[0].rate_hz == pytest.approx(2.0, abs=0.5)


def test_shakes_need_three_swings_of_yaw():
    still = np.zeros(80)
    assert [g.kind for g in head_gestures(pose(still, swings(4, 12)))] == ["head_shake"]
    assert head_gestures(pose(still, swings(2, 12))) == []


def test_small_slow_or_diagonal_movement_is_no_gesture():
    assert head_gestures(pose(swings(4, 2))) == []
    assert head_gestures(pose(swings(4, 10, seconds=12, rate_hz=0.4))) == []
    assert head_gestures(pose(swings(4, 10), swings(4, 10))) == []


def test_one_drop_of_the_head_is_no_nod():
    assert head_gestures(pose(swings(1, 15))) == []


def test_masked_pose_is_not_read():
    track = pose(swings(4, 10), mask=np.arange(80) / 20 < 1.2)
    assert head_gestures(track) == []


def test_gestures_become_evidence_through_the_face_expert():
    face = Observation("face", "face", {"pose": pose(swings(4, 10))})
    obs = watch([view(world(), 60, 40)] * 5, {"face": face})
    nods = [ev for ev in obs.evidence if ev.cue == "nod"]
    assert len(nods) == 1
    assert nods[0].measures["swings"] == 4
    assert not any("head pose" in note for note in obs.notes)
    assert any("head pose" in note for note in watch([view(world(), 60, 40)] * 5).notes)


def test_turning_points_alternate():
    assert turning_points(np.array([0, 5, 10, 4, 0, 6, 5.5])) == [0, 2, 4, 5]
    assert turning_points(np.zeros(0)) == []
