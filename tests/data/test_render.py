"""The rendered portrait: known units move the pixels they should, and only those."""

from __future__ import annotations

import numpy as np
import pytest

from hero.data.render import SIDE, UNITS, FaceRenderer
from hero.data.render_fields import EYES, FIELDS, LIPS_INNER_LOW, LIPS_INNER_UP, displacement
from hero.errors import UsageError
from hero.observe.face.pose import mean_face

pytest.importorskip("skimage", reason="the portrait comes with scikit-image")


@pytest.fixture(scope="module")
def renderer() -> FaceRenderer:
    return FaceRenderer()


def test_every_field_moves_landmarks_and_holds_what_it_should() -> None:
    face = mean_face()[:, :2] - mean_face()[[33, 133, 362, 263], :2].mean(0)
    for number, field in FIELDS.items():
        shift = displacement(number, face)
        assert 0.02 < np.abs(shift).max() < 0.4, number
        assert np.abs(shift[list(field.holds)]).max(initial=0) == 0


def test_fields_are_symmetric_on_a_symmetric_face() -> None:
    face = mean_face()[:, :2] - mean_face()[[33, 133, 362, 263], :2].mean(0)
    for number in FIELDS:
        shift = displacement(number, face)
        assert shift[55] == pytest.approx(shift[285] * [-1, 1], abs=0.01), number
        assert shift[61] == pytest.approx(shift[291] * [-1, 1], abs=0.01), number


def test_the_resting_face_has_closed_lips_and_the_smile_is_the_photograph(renderer: FaceRenderer) -> None:
    rest, smile = renderer.landmarks({}), renderer.landmarks({12: 5})
    gap = [np.abs(p[LIPS_INNER_LOW, 1] - p[LIPS_INNER_UP, 1]).max() for p in (rest, smile)]
    assert gap[0] < 1.0 < 5.0 < gap[1]
    assert np.ptp(smile[[61, 291], 0]) > 1.1 * np.ptp(rest[[61, 291], 0])
    assert np.abs(smile - renderer._points).max() < 1.0


@pytest.mark.parametrize(
    ("unit", "point", "up"), [(1, 107, 1), (2, 70, 1), (4, 55, -1), (15, 61, -1), (26, 152, -1), (12, 61, 1)]
)
def test_units_move_their_landmarks(renderer: FaceRenderer, unit: int, point: int, up: int) -> None:
    rest, moved = renderer.landmarks({}), renderer.landmarks({unit: 5})
    assert up * (rest[point, 1] - moved[point, 1]) > 0.03 * renderer.eye_distance_px


def test_blink_brings_the_lids_together(renderer: FaceRenderer) -> None:
    shut = renderer.landmarks({45: 5})
    rest = renderer.landmarks({})
    assert shut[145, 1] - shut[159, 1] < 0.15 * (rest[145, 1] - rest[159, 1])


def test_picture_changes_where_the_unit_is_and_nowhere_else(renderer: FaceRenderer) -> None:
    rest, raised = renderer.render({}).astype(int), renderer.render({1: 4, 2: 4}).astype(int)
    assert rest.shape == (SIDE, SIDE, 3)
    points = renderer.landmarks({}).astype(int)
    change = np.abs(rest - raised).max(axis=2)
    brow = points[[107, 336, 70, 300]]
    assert np.mean([change[y - 6 : y + 7, x - 6 : x + 7].max() for x, y in brow]) > 30
    chin_y = points[152, 1]
    assert change[chin_y - 10 :].mean() < 1.0
    assert np.abs(points[EYES] - renderer.landmarks({1: 4, 2: 4}).astype(int)[EYES]).max() <= 1


def test_head_shift_moves_the_whole_face(renderer: FaceRenderer) -> None:
    moved = renderer.landmarks({}, (7.0, -3.0)) - renderer.landmarks({})
    assert moved == pytest.approx(np.tile([7.0, -3.0], (len(moved), 1)))


def test_unknown_unit_names_the_allowed_ones(renderer: FaceRenderer) -> None:
    with pytest.raises(UsageError, match=r"\[23\]; allowed: 1, 2"):
        renderer.render({23: 3})
    assert 12 in UNITS and 45 in UNITS
