"""Metrics agree with scikit-learn, and the calibration ceiling behaves like the quantile it claims to be."""

from __future__ import annotations

import numpy as np
import pytest

from hero.evaluate import metrics as m

sk = pytest.importorskip("sklearn.metrics")
TOLERANCE = 1e-9


def _sample(seed: int, count: int = 300, classes: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(classes) * 0.5, count)
    truth = np.array([rng.choice(classes, p=p) for p in probs])
    return probs, truth, probs.argmax(1)


@pytest.mark.parametrize("seed", range(5))
def test_single_label_scores_equal_scikit_learn(seed: int) -> None:
    _, truth, pred = _sample(seed)
    assert abs(m.weighted_f1(truth, pred) - sk.f1_score(truth, pred, average="weighted")) < TOLERANCE
    assert abs(m.macro_f1(truth, pred) - sk.f1_score(truth, pred, average="macro")) < TOLERANCE
    assert abs(m.accuracy(truth, pred) - sk.accuracy_score(truth, pred)) < TOLERANCE
    assert abs(m.uar(truth, pred) - sk.balanced_accuracy_score(truth, pred)) < TOLERANCE
    assert np.allclose(m.per_class_f1(truth, pred), sk.f1_score(truth, pred, average=None), atol=TOLERANCE)
    assert np.array_equal(m.confusion(truth, pred), sk.confusion_matrix(truth, pred))


def test_classes_that_never_occur() -> None:
    truth, pred = np.array([0, 0, 2, 2]), np.array([0, 2, 2, 2])
    assert abs(m.macro_f1(truth, pred) - sk.f1_score(truth, pred, average="macro")) < TOLERANCE
    fixed = sk.f1_score(truth, pred, average="macro", labels=range(4), zero_division=0)
    assert abs(m.macro_f1(truth, pred, classes=4) - fixed) < TOLERANCE
    assert np.isnan(m.per_class_f1(truth, pred)[1])
    assert m.per_class_f1(truth, pred, classes=4)[3] == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_multi_label_scores_equal_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, pred = rng.random((200, 7)) < 0.3, rng.random((200, 7)) < 0.4
    assert abs(m.macro_f1(truth, pred) - sk.f1_score(truth, pred, average="macro")) < TOLERANCE
    assert abs(m.weighted_f1(truth, pred) - sk.f1_score(truth, pred, average="weighted")) < TOLERANCE


def test_brier_equals_scikit_learn() -> None:
    probs, truth, _ = _sample(3)
    expected = sk.brier_score_loss(truth, probs, scale_by_half=False)
    assert abs(m.brier(probs, truth) - expected) < TOLERANCE
    event = truth == 0
    assert abs(m.brier(probs[:, 0], event) - sk.brier_score_loss(event, probs[:, 0])) < TOLERANCE


def test_ece_by_hand() -> None:
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 0])  # hit rate 0.5 at 0.9 and 1.0 at 0.6
    assert m.ece(probs, labels, bins=15) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    assert m.ece(np.array([1.0, 0.0]), np.array([1, 0])) == 0.0


def test_ece_ceiling_holds_for_a_calibrated_model_and_not_for_a_sharpened_one() -> None:
    below = 0
    for seed in range(60):
        probs, truth, _ = _sample(seed, count=200)
        below += m.ece(probs, truth) <= m.ece_ceiling(probs, draws=200, seed=seed)
    assert 51 <= below <= 60  # 95 % of 60 is 57
    probs, truth, _ = _sample(1, count=2000)
    sharp = probs**3 / (probs**3).sum(1, keepdims=True)
    assert m.ece(sharp, truth) > m.ece_ceiling(sharp, draws=200)


def test_bootstrap_interval_covers_and_repeats() -> None:
    _, truth, pred = _sample(0)
    low, high = m.bootstrap_interval(m.accuracy, truth, pred, draws=300, seed=1)
    assert low < m.accuracy(truth, pred) < high
    assert (low, high) == m.bootstrap_interval(m.accuracy, truth, pred, draws=300, seed=1)
    expected = 1.96 * np.sqrt(m.accuracy(truth, pred) * (1 - m.accuracy(truth, pred)) / len(truth))
    assert (high - low) / 2 == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize(
    "call",
    [
        lambda: m.accuracy([0, 1], [0]),
        lambda: m.confusion([], []),
        lambda: m.confusion([0, -1], [0, 0]),
        lambda: m.confusion([0, 5], [0, 0], classes=3),
        lambda: m.macro_f1(np.ones((2, 3)), np.ones((2, 2))),
        lambda: m.ece(np.ones((2, 2)) / 2, [0]),
        lambda: m.brier([0.5], []),
        lambda: m.bootstrap_interval(m.accuracy, [0, 1], [0]),
    ],
)
def test_bad_input_is_refused(call) -> None:
    with pytest.raises(ValueError):
        call()
