"""The order of evidence follows the weight of its modality, and where in time that weight lies."""

from __future__ import annotations

import numpy as np
import pytest
from builders import evidence

from hero.integrate.weigh import rank
from hero.types import Heat


def heat(**shares: list[float]) -> Heat:
    """Shares per second of each modality."""
    table = np.array(list(shares.values())).T  # (T, M)
    return Heat(np.arange(len(table), dtype=float), 1.0, tuple(shares), table / table.sum(), "integration")  # type: ignore[arg-type]


def test_the_heavier_modality_comes_first() -> None:
    face, voice = evidence("face", "smile"), evidence("voice", "slow")
    assert rank(face, {"face": 0.7, "voice": 0.3}) > rank(voice, {"face": 0.7, "voice": 0.3})
    assert rank(face, {"face": 0.3, "voice": 0.7}) < rank(voice, {"face": 0.3, "voice": 0.7})


def test_within_a_modality_the_heavier_moment_comes_first() -> None:
    early, late = evidence("voice", "slow", 0, 1), evidence("voice", "slow", 3, 4)
    weights = {"voice": 1.0}
    assert rank(early, weights) == rank(late, weights)
    at_the_end = heat(voice=[0.1, 0.1, 0.1, 0.7])
    assert rank(late, weights, at_the_end) > 2 * rank(early, weights, at_the_end)


def test_a_moment_without_weight_is_ordered_last_and_not_lost() -> None:
    silent = rank(evidence("voice", "slow", 0, 1), {"voice": 1.0}, heat(voice=[0.0, 1.0]))
    assert 0 < silent == pytest.approx(rank(evidence("voice", "slow", 0, 1), {"voice": 1.0}) / 4)


def test_other_people_come_last() -> None:
    own, other = evidence("face", "smile"), evidence("face", "smile", person=1)
    assert rank(other, {"face": 1.0}) < rank(own, {"face": 0.3})
