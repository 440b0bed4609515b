"""The face head: a distribution for any subset of units, and masks that truly mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hero.data.formats import ravdess
from hero.errors import UsageError
from hero.evaluate.metrics import accuracy
from hero.labels import LABELS, mapping
from hero.observe.heads.face import FULL_SCALE, UNITS, FaceHead, Usual

ALL = np.ones(17, dtype=bool)


@pytest.fixture(scope="module")
def head() -> FaceHead:
    return FaceHead.load()


def _units(**intensities: float) -> np.ndarray:
    values = np.zeros(17)
    for name, value in intensities.items():
        values[UNITS.index(int(name[2:]))] = value
    return values


@pytest.mark.parametrize("seed", range(6))
def test_any_subset_gives_a_distribution(head: FaceHead, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(17) < 0.5
    mask[seed] = True
    probs = head.posterior(rng.uniform(0, 5, 17), rng.uniform(0, 1, 17), mask)
    assert probs.shape == (len(LABELS),) and probs.sum() == pytest.approx(1) and probs.min() > 0


@pytest.mark.parametrize("stuffing", [0.0, 5.0, -100.0, np.nan, np.inf])
@pytest.mark.parametrize("own", [False, True])
def test_what_stands_in_a_masked_unit_changes_nothing(head: FaceHead, stuffing: float, own: bool) -> None:
    rng = np.random.default_rng(0)
    mean, std, mask = rng.uniform(0, 2, 17), rng.uniform(0, 1, 17), rng.random(17) < 0.6
    usual = Usual(np.full(34, 0.5), np.full(34, 0.4)) if own else None
    stuffed = [np.where(mask, values, stuffing) for values in (mean, std)]
    assert np.array_equal(head.posterior(mean, std, mask, usual=usual), head.posterior(*stuffed, mask, usual=usual))


def test_a_masked_unit_is_not_a_unit_at_zero(head: FaceHead) -> None:
    mean, std, mask = _units(AU12=2.0), np.full(17, 0.1), ALL.copy()
    mask[UNITS.index(4)] = False
    assert np.abs(head.posterior(mean, std, ALL) - head.posterior(mean, std, mask)).max() > 1e-4


def test_smile_raises_happy_and_a_still_face_is_neutral(head: FaceHead) -> None:
    still = head.posterior(np.zeros(17), np.zeros(17), ALL)
    assert LABELS[int(still.argmax())] == "neutral"
    smile = head.posterior(_units(AU06=3.0, AU07=1.5, AU10=1.0, AU12=3.5, AU25=1.5), np.zeros(17), ALL)
    assert LABELS[int(smile.argmax())] == "happy"
    assert smile[LABELS.index("happy")] > 5 * still[LABELS.index("happy")]


@pytest.mark.parametrize(
    ("units", "label"),
    [
        ({"AU04": 3.0, "AU09": 2.5, "AU10": 2.0}, "disgust"),
        ({"AU01": 3.0, "AU02": 3.0, "AU05": 2.0, "AU26": 2.0}, "surprise"),
    ],
)
def test_units_that_facs_names_raise_their_emotion_most(head: FaceHead, units: dict[str, float], label: str) -> None:
    still = head.posterior(np.zeros(17), np.zeros(17), ALL)
    moved = head.posterior(_units(**units), np.zeros(17), ALL)
    assert LABELS[int((moved / still)[:-1].argmax())] in (label, "fear" if label == "surprise" else label)


def test_a_persons_usual_face_takes_the_place_of_the_neutral_one(head: FaceHead) -> None:
    habit = np.concatenate([_units(AU12=2.5, AU06=2.0), np.full(17, 0.3)])
    usual = Usual(habit, np.full(34, 0.5))
    at_rest = head.posterior(habit[:17], habit[17:], ALL, usual=usual)
    happy = LABELS.index("happy")
    assert at_rest[happy] < head.posterior(habit[:17], habit[17:], ALL)[happy]


@pytest.mark.parametrize(
    ("mean", "std", "mask", "message"),
    [
        (np.zeros(16), np.zeros(17), ALL, r"each must be \(17,\)"),
        (np.zeros(17), np.zeros(17), ~ALL, "no action unit is measured"),
        (np.full(17, np.nan), np.zeros(17), ALL, "not finite"),
    ],
)
def test_bad_input_is_explained(head: FaceHead, mean, std, mask, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        head.posterior(mean, std, mask)


def test_weights_say_that_they_are_non_commercial(head: FaceHead) -> None:
    assert head.used is not None and not head.used.commercial and "NC" in head.used.licence


def test_real_table_through_the_shipped_head(hero_data: Path, head: FaceHead) -> None:
    """Seen in training, so this checks units, scale and order, not skill."""
    table = ravdess.feature_table(hero_data)
    truth = np.array([mapping("ravdess").index(ravdess.EMOTIONS[k]) for k in table.labels])
    names = [f"AU{43 if u == 45 else u:02d}" for u in UNITS]
    mean, std = (np.stack([table.column(f"{n}_{kind}") for n in names], 1) for kind in ("mean", "std"))
    calm = truth == LABELS.index("neutral")
    mean, std = (FULL_SCALE * (values - values[calm].mean(0)) for values in (mean, std))
    said = [head.posterior(m, s, ALL).argmax() for m, s in zip(mean, std, strict=True)]
    assert accuracy(truth, said) > 0.55
