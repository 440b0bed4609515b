"""Positions: continuous coordinates in seconds and fractions, not indexes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hero.errors import ConfigError
from hero.nn.positions import TIME, picture_grid, sine_cosine, video_grid


def _times(*seconds: float) -> torch.Tensor:
    return torch.tensor(seconds, dtype=torch.float64)[None, :, None]  # (1, L, 1)


@pytest.mark.parametrize(("axes", "dim"), [(1, 768), (2, 768), (3, 768), (1, 7), (3, 20)])
def test_shape_and_bounds(axes: int, dim: int) -> None:
    found = sine_cosine(torch.rand(2, 5, axes), dim=dim)
    assert found.shape == (2, 5, dim)
    assert found.dtype == torch.float32
    assert found.abs().max() <= 1


def test_a_time_has_one_position_at_any_rate() -> None:
    slow, fast = sine_cosine(_times(0, 1, 2), dim=64), sine_cosine(_times(0, 0.5, 1, 1.5, 2), dim=64)
    assert torch.equal(slow[0], fast[0, ::2])


def test_neighbours_differ_and_nearer_is_more_alike() -> None:
    found = sine_cosine(_times(10, 10.04, 10.5, 13, 60), dim=64)[0]
    likeness = found @ found[0]
    assert (likeness.diff() < 0).all()
    assert likeness[0] - likeness[1] > 0.1


def test_the_shift_is_what_counts() -> None:
    """The product of two positions depends on their distance alone, also late in a long recording."""
    early, late = sine_cosine(_times(1.0, 1.5), dim=768)[0], sine_cosine(_times(3000.0, 3000.5), dim=768)[0]
    assert (early[0] @ early[1]).item() == pytest.approx((late[0] @ late[1]).item(), abs=0.2)
    assert (early[0] @ early[0]).item() == pytest.approx(384, abs=1e-2)


def test_shortest_and_longest_wavelengths_come_back() -> None:
    shortest, longest = TIME
    found = sine_cosine(_times(0, shortest, longest), dim=4)[0]  # sin, sin, cos, cos
    assert found[1, 0].item() == pytest.approx(found[0, 0].item(), abs=1e-4)
    assert found[2, 1].item() == pytest.approx(found[0, 1].item(), abs=1e-4)
    assert abs(found[1, 1].item() - found[2, 0].item()) < 0.1


def test_a_picture_grid_keeps_its_meaning_when_it_gets_finer() -> None:
    coarse, fine = picture_grid(2, 3), picture_grid(6, 9)
    assert coarse.tolist()[0] == pytest.approx([0.25, 1 / 6])
    assert coarse.shape == (6, 2)
    middles = {tuple(round(x, 5) for x in row) for row in fine.tolist()}
    assert all(tuple(round(x, 5) for x in row) in middles for row in coarse.tolist())


def test_a_video_grid_goes_frame_by_frame() -> None:
    grid = video_grid([0.0, 2.5], 1, 2)
    assert grid.tolist() == [[0.0, 0.5, 0.25], [0.0, 0.5, 0.75], [2.5, 0.5, 0.25], [2.5, 0.5, 0.75]]


def test_bad_axes_name_the_cure() -> None:
    with pytest.raises(ConfigError, match="4 coordinates but 0 pairs"):
        sine_cosine(torch.rand(1, 2, 4), dim=64)
    with pytest.raises(ConfigError, match="2 coordinates but 1 pairs"):
        sine_cosine(torch.rand(1, 2, 2), dim=64, wavelengths=(TIME,))
    with pytest.raises(ConfigError, match="5 columns cannot hold positions on 3 axes; give at least 6"):
        sine_cosine(torch.rand(1, 2, 3), dim=5)
