"""Runs of active samples become spans; hysteresis keeps them from flickering."""

from __future__ import annotations

import numpy as np
import pytest

from hero.observe.spans import hysteresis, runs, sample_ends
from hero.types import Span

TIMES = np.arange(10) / 10


def active(*indices: int) -> np.ndarray:
    state = np.zeros(10, bool)
    state[list(indices)] = True
    return state


def rounded(spans: list[Span]) -> list[list[float]]:
    return [span.as_list() for span in spans]


def test_a_run_ends_where_the_next_sample_begins():
    assert rounded(runs(active(2, 3, 4), TIMES)) == [[0.2, 0.5]]


def test_the_last_sample_holds_one_usual_step():
    assert rounded(runs(active(8, 9), TIMES)) == [[0.8, 1.0]]


def test_short_gaps_are_bridged_and_longer_ones_are_not():
    state = active(0, 1, 3, 4, 8)
    assert rounded(runs(state, TIMES, gap_s=0.1)) == [[0.0, 0.5], [0.8, 0.9]]
    assert rounded(runs(state, TIMES)) == [[0.0, 0.2], [0.3, 0.5], [0.8, 0.9]]


def test_gaps_are_bridged_before_short_runs_are_dropped():
    assert rounded(runs(active(0, 2, 6), TIMES, gap_s=0.1, min_s=0.3)) == [[0.0, 0.3]]


def test_a_hole_in_the_times_ends_a_run():
    times = np.array([0.0, 0.1, 0.2, 3.0, 3.1])
    assert rounded(runs(np.ones(5, bool), times)) == [[0.0, 0.35], [3.0, 3.2]]


def test_nothing_active_and_nothing_at_all():
    assert runs(active(), TIMES) == []
    assert runs([], []) == []


def test_bad_shapes_and_backward_times_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\)"):
        runs([True] * 3, TIMES)
    with pytest.raises(ValueError, match="backwards"):
        sample_ends([1.0, 0.5])


def test_hysteresis_holds_between_the_levels_and_stops_at_a_mask():
    values = [0, 5, 3, 3, 1, 3, 5, 5, 3]
    mask = [True] * 7 + [False, True]
    expected = [False, True, True, True, False, False, True, False, False]
    assert hysteresis(values, on=4, off=2, mask=mask).tolist() == expected
    with pytest.raises(ValueError, match="off <= on"):
        hysteresis(values, on=1, off=2)
