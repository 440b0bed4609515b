"""Cuts at known times, light that is remarkable, and people counted from faces."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hero.observe.expert import create
from hero.observe.scene import SceneExpert
from hero.observe.scene.light import flickering, measure
from hero.observe.scene.people import count_people
from hero.types import Absence, Observation, Track

RATE_HZ = 4.0


def room(seed: int, level: float = 128.0, blur: float = 1.0) -> np.ndarray:
    """A coloured picture (90, 160, 3) with structure of its own."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(-60, 60, (9, 16, 3)), np.ones((10, 10, 1)))
    return np.clip(gaussian_filter(blocks, (blur, blur, 0)) + level + rng.uniform(-40, 40, 3), 0, 255).astype(np.uint8)


def watch(pictures: list[np.ndarray], earlier: dict | None = None, lang: str = "en") -> Observation:
    expert = SceneExpert()
    clip = SimpleNamespace(duration_s=len(pictures) / RATE_HZ)
    expert.start(
        SimpleNamespace(clip=clip, lang=lang, licence="any", settings={"fps": RATE_HZ, "max_side": 160, "clip": "none"})
    )
    for i, rgb in enumerate(pictures):
        expert.take(SimpleNamespace(time_s=i / RATE_HZ, rgb=rgb))
    return expert.finish(earlier or {})


def cues(obs: Observation) -> list[str]:
    return [ev.cue for ev in obs.evidence]


def noisy(picture: np.ndarray, seed: int, sigma: float = 4.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_cuts_are_found_at_their_times_and_bound_the_shots():
    pictures = [room(1)] * 12 + [room(2)] * 8 + [room(3)] * 12
    obs = watch([noisy(p, i) for i, p in enumerate(pictures)])
    cuts = [ev.span.start_s for ev in obs.evidence if ev.cue == "cut"]
    assert cuts == pytest.approx([3.0, 5.0])
    assert [s.span.as_list() for s in obs.spans["shots"]] == [[0.0, 3.0], [3.0, 5.0], [5.0, 8.0]]
    assert [s.label for s in obs.spans["shots"]] == ["shot 1", "shot 2", "shot 3"]


def test_a_cut_to_the_last_frame_counts():
    assert [ev.span.start_s for ev in watch([room(1)] * 7 + [room(2)]).evidence if ev.cue == "cut"] == [1.75]


def test_noise_alone_is_no_cut():
    obs = watch([noisy(room(1), i, 25.0) for i in range(40)])
    assert "cut" not in cues(obs)
    assert len(obs.spans["shots"]) == 1


def test_a_flash_is_no_cut():
    flash = np.full((90, 160, 3), 250, np.uint8)
    assert "cut" not in cues(watch([room(1)] * 8 + [flash] + [room(1)] * 8))


def test_a_steady_pan_is_no_cut():
    wide = np.concatenate([room(s) for s in range(6)], axis=1)
    obs = watch([wide[:, 12 * i : 12 * i + 160] for i in range(40)])
    assert "cut" not in cues(obs)


def test_a_light_switch_is_no_cut():
    assert "cut" not in cues(watch([room(1)] * 8 + [(room(1) * 0.6).astype(np.uint8)] * 8))


@pytest.mark.parametrize(
    ("make", "cue"),
    [
        (lambda i: (room(1) * 0.15).astype(np.uint8), "dark"),
        (lambda i: np.clip(room(1) // 6 + 225, 0, 255).astype(np.uint8), "bright"),
        (lambda i: np.zeros((90, 160, 3), np.uint8), "black"),
        (lambda i: (room(1) * (1.0 if i % 2 else 0.7)).astype(np.uint8), "flicker"),
        (lambda i: gaussian_filter(room(1), (3, 3, 0)), "blurred"),
    ],
)
def test_remarkable_light_is_told_with_its_span(make, cue: str):
    obs = watch([room(1)] * 8 + [make(i) for i in range(12)] + [room(1)] * 8)
    found = [ev for ev in obs.evidence if ev.cue == cue]
    assert len(found) == 1
    assert found[0].span.start_s == pytest.approx(2.0, abs=0.3)
    assert found[0].span.end_s == pytest.approx(5.0, abs=0.3)


def test_light_from_behind():
    picture = np.full((90, 160, 3), 235, np.uint8)
    picture[20:, 45:115] = room(1)[20:, 45:115] // 4
    assert "backlit" in cues(watch([picture] * 12))


def test_a_dark_person_before_a_middling_wall_is_not_backlit_and_nothing_is_remarkable():
    assert cues(watch([noisy(room(1), i) for i in range(20)])) == ["setting"]


def test_a_short_dark_clip_is_dark():
    assert "dark" in cues(watch([(room(1) * 0.15).astype(np.uint8)] * 3))


def test_the_light_track_has_levels_between_zero_and_one():
    light = watch([np.full((90, 160, 3), 51, np.uint8)] * 4).tracks["light"]
    luma, known = light.column("luma_mean")
    np.testing.assert_allclose(luma, 0.2, atol=0.01)
    assert known.all()
    assert light.column("contrast")[0].max() < 0.01
    assert not light.column("sharpness")[1].any()  # a plain picture has no edge to judge


def test_flicker_needs_turns_in_a_row():
    times = np.arange(9) / 4
    up_down = np.array([0.5, 0.6, 0.5, 0.6, 0.5, 0.6, 0.6, 0.6, 0.6])
    assert flickering(up_down, times, np.ones(9, bool)).tolist() == [True] * 6 + [False] * 3
    assert not flickering(np.linspace(0.2, 0.8, 9), times, np.ones(9, bool)).any()


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 160, 3), (7, 9, 3)])
def test_tiny_pictures_do_no_harm(shape: tuple[int, int, int]):
    obs = watch([np.full(shape, 120, np.uint8)] * 6)
    assert cues(obs) == ["setting"]


def test_a_change_of_size_is_a_cut_not_an_error():
    assert "cut" in cues(watch([room(1)] * 5 + [room(1)[:60, :80]] * 5))


def test_a_single_black_frame_is_a_setting_and_no_more():
    assert cues(watch([np.zeros((90, 160, 3), np.uint8)])) == ["setting"]


def test_no_frames_is_absent_with_a_reason():
    obs = watch([])
    assert obs.absent is not None
    assert "no frame" in obs.absent.reason


def test_missing_parts_are_said_in_notes():
    notes = " ".join(watch([room(1)] * 4).notes)
    assert "CLIP" in notes
    assert "number of people is unknown" in notes


def faces(counts: list[int]) -> Observation:
    times = np.arange(len(counts)) / 4
    tracks = {}
    for person in range(max(counts)):
        name = f"box_person{person}" if person else "box"
        tracks[name] = Track(name, np.ones((times.size, 1)), times, np.array(counts) > person, ("x",))
    return Observation("face", "face", tracks)


def test_people_are_counted_from_faces_with_the_stretch():
    obs = watch([room(1)] * 16, {"face": faces([1] * 4 + [2] * 8 + [1] * 4)})
    two = [ev for ev in obs.evidence if ev.cue == "people_two"]
    assert [ev.span.as_list() for ev in two] == [[1.0, 3.0]]
    assert "two faces in view" in obs.evidence[0].text
    assert obs.evidence[0].measures["people"] == 2


def test_a_face_that_flickers_into_a_second_one_is_not_two_people():
    people = count_people(faces([1] * 6 + [2] + [1] * 6))
    assert people is not None
    assert people.most == 1


def test_no_face_and_no_face_expert_differ():
    none = Observation("face", "face", absent=Absence("face", "no face was found in 12 frames"))
    unknown = Observation("face", "face", absent=Absence("face", "the landmark models are missing"))
    assert count_people(none).most == 0
    assert count_people(unknown) is None
    assert count_people(None) is None


def test_chinese_speaks_chinese():
    obs = watch([room(1)] * 4 + [room(2)] * 4, lang="zh")
    assert all(any("\u4e00" <= c <= "\u9fff" for c in ev.text) for ev in obs.evidence)


def test_sharpness_falls_with_blur():
    sharp = room(1, blur=0.3).mean(axis=2).astype(np.float32)
    values = [measure(gaussian_filter(sharp, s) if s else sharp)[4] for s in (0, 1, 2)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.62
    assert values[2] < 0.555


def test_the_table_of_experts_makes_it():
    assert create("scene").name == "scene"
