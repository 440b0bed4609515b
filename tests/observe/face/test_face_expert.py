"""The whole face expert on rendered and real clips; needs the face models (and real clips where it says so)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hero import models
from hero.media.clip import Clip, Frame
from hero.observe.expert import Context, create
from hero.observe.face import FaceExpert
from hero.observe.face.action_units import AU_C, AU_R
from hero.types import Observation

BACKENDS = [
    pytest.param(backend, marks=pytest.mark.skipif(not models.find(name), reason=f"weights {name} are not at hand"))
    for backend, name in (("bundle", "face_landmarker"), ("landmarks", "face_landmarks"))
]
needs_any = pytest.mark.skipif(
    not (models.find("face_landmarker") or models.find("face_landmarks")), reason="no face models at hand"
)


def watch(frames: list[Frame], **settings: object) -> Observation:
    expert = FaceExpert()
    assert expert.start(Context(SimpleNamespace(video=object()), settings=settings)) is None  # type: ignore[arg-type]
    for frame in frames:
        expert.take(frame)
    return expert.finish({})


def watch_clip(path: Path, **settings: object) -> Observation:
    expert, clip = FaceExpert(), Clip.open(path)
    assert expert.start(Context(clip, settings=settings)) is None
    for frame in clip.frames(fps=expert.fps, max_side=expert.max_side):
        expert.take(frame)
    return expert.finish({})


@pytest.fixture(scope="module")
def smile_frames() -> list[Frame]:
    """1 s at rest, 1 s of a smile with the brows up, at ten frames a second, with a 0.5 s hole of an empty picture."""
    pytest.importorskip("skimage", reason="the portrait comes with scikit-image")
    from hero.data.render import FaceRenderer

    renderer = FaceRenderer()
    rest, smile = renderer.render({}), renderer.render({12: 4})
    empty = np.full_like(rest, 90)
    return [Frame(i / 10, picture) for i, picture in enumerate([rest] * 12 + [smile] * 10 + [empty] * 5)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_rendered_smile_is_seen_where_it_is(backend: str, smile_frames: list[Frame]) -> None:
    seen = watch(smile_frames, backend=backend)
    au = seen.tracks["au"]
    assert au.columns == AU_R + AU_C and len(au.times_s) == len(smile_frames)
    smile, known = au.column("AU12_r")
    assert smile[:11].max() < 1.0 < 2.0 < smile[14:20].min()
    assert known[:22].all() and not known[23:].any()  # no face, no value
    assert not au.column("AU23_r")[1].any()
    (found,) = [ev for ev in seen.evidence if ev.cue.startswith("smile")]
    assert found.span.start_s == pytest.approx(1.2, abs=0.21) and 0 < found.confidence < 1
    (visible,) = [ev for ev in seen.evidence if ev.cue == "face_visible"]
    assert visible.measures["visible_share"] == pytest.approx(22 / 27, abs=0.05)
    assert seen.models[0].licence == "Apache-2.0"
    assert seen.tracks["gaze"].mask.any() == (backend == "bundle")


@needs_any
def test_empty_pictures_are_an_absence() -> None:
    seen = watch([Frame(i / 10, np.full((120, 160, 3), 127, np.uint8)) for i in range(5)])
    assert seen.absent is not None and seen.absent.reason == "no face was found in 5 frames"


@needs_any
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 3), (40, 30, 3)])
def test_tiny_pictures_do_no_harm(shape: tuple[int, int, int]) -> None:
    assert watch([Frame(0.0, np.zeros(shape, np.uint8))]).absent is not None
    assert watch([]).absent is not None


@needs_any
def test_two_faces_are_kept_apart(smile_frames: list[Frame]) -> None:
    both = [Frame(f.time_s, np.hstack([smile_frames[0].rgb, f.rgb])) for f in smile_frames[:22]]
    seen = watch(both)
    assert "au_person1" in seen.tracks
    assert {ev.person for ev in seen.evidence if ev.cue.startswith("smile")} <= {0, 1}
    assert all(ev.text.startswith("Face 2: ") == (ev.person == 1) for ev in seen.evidence)
    left, right = (seen.tracks[name].column("x")[0] for name in ("box", "box_person1"))
    assert abs(float(left[left > 0].mean() - right[right > 0].mean())) > 0.3


def test_without_weights_the_reason_and_cure_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HERO_MODELS", "HERO_CACHE", "HERO_DATA"):
        monkeypatch.setenv(name, str(tmp_path))
    absent = create("face").start(Context(SimpleNamespace(video=object())))  # type: ignore[arg-type]
    assert absent is not None and "hero models fetch" in absent.cure


def test_sound_only_clip_is_an_absence() -> None:
    absent = FaceExpert().start(Context(SimpleNamespace(video=None)))  # type: ignore[arg-type]
    assert absent is not None and "no picture" in absent.reason


@needs_any
def test_real_talking_face(hero_data: Path) -> None:
    seen = watch_clip(hero_data / "ravdess_video" / "01-01-01-01-01-01-01.mp4")
    au = seen.tracks["au"]
    assert au.mask[:, 0].mean() > 0.95
    upper = [AU_R.index(f"AU{n:02d}_r") for n in (1, 2, 4, 5, 6)]
    assert au.values[:, upper].mean() < 0.6  # a neutral sentence
    assert not [ev for ev in seen.evidence if ev.cue in ("AU25", "AU26")]  # the mouth only speaks
    assert np.ptp(seen.tracks["mouth"].column("opening")[0]) > 0.05


@needs_any
def test_face_for_part_of_the_time(hero_data: Path) -> None:
    seen = watch_clip(hero_data / "faces" / "noface_face.mov")
    first = seen.spans["visible"][0].span.start_s
    assert 3.5 < first < 4.5
    (visible,) = [ev for ev in seen.evidence if ev.cue == "face_visible"]
    assert 0.3 < visible.measures["visible_share"] < 0.5


@needs_any
def test_no_face_in_a_real_clip(hero_data: Path) -> None:
    assert watch_clip(hero_data / "faces" / "no_face.mp4").absent is not None
