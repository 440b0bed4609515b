"""Fusion: weights over what is present, masks that truly mask, and one answer whatever the order."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from hero.data.formats import cremad
from hero.errors import UsageError
from hero.integrate.fusion import Fusion
from hero.labels import LABELS, mapping, to_common

MODALITIES = ("face", "voice", "words", "motion")


@pytest.fixture(scope="module")
def fusion() -> Fusion:
    return Fusion.load()


def _posteriors(seed: int, names: tuple[str, ...] = MODALITIES) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.dirichlet(np.ones(7) * 0.6) for name in names}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_weights_and_posterior_sum_to_one_for_every_subset(fusion: Fusion, count: int) -> None:
    for seed, names in enumerate(itertools.combinations(MODALITIES, count)):
        result = fusion.weigh(_posteriors(seed, names))
        assert set(result.weights) == set(names)
        assert sum(result.weights.values()) == pytest.approx(1.0)
        assert min(result.weights.values()) > 0
        assert result.posterior.shape == (7,) and result.posterior.sum() == pytest.approx(1.0)


def test_order_of_modalities_changes_nothing(fusion: Fusion) -> None:
    posteriors = _posteriors(1)
    first = fusion.weigh(posteriors)
    for names in itertools.permutations(posteriors):
        again = fusion.weigh({name: posteriors[name] for name in names})
        assert np.array_equal(first.posterior, again.posterior)
        assert dict(first.weights) == dict(again.weights)


@pytest.mark.parametrize("stuffing", [0.0, 0.5, 1e9, np.nan, -3.0])
def test_what_stands_in_a_masked_label_changes_nothing(fusion: Fusion, stuffing: float) -> None:
    seen = {"voice": mapping("cremad").seen}
    clean = _posteriors(2, ("face", "voice"))
    clean["voice"][LABELS.index("surprise")] = 0.0
    stuffed = {**clean, "voice": clean["voice"].copy()}
    stuffed["voice"][LABELS.index("surprise")] = stuffing
    first, again = fusion.weigh(clean, seen), fusion.weigh(stuffed, seen)
    assert np.array_equal(first.posterior, again.posterior)
    assert dict(first.weights) == dict(again.weights)


def test_a_label_nobody_knows_gets_nothing_and_one_known_by_the_face_can_win(fusion: Fusion) -> None:
    blind = mapping("cremad").seen
    surprise = LABELS.index("surprise")
    posteriors = {"voice": np.array([1, 1, 1, 1, 1, 0, 1]) / 6, "face": np.eye(7)[surprise] * 0.9 + 0.1 / 7}
    assert fusion.weigh(posteriors, {"voice": blind}).posterior.argmax() == surprise
    posteriors = {"voice": posteriors["voice"], "face": np.eye(7)[0] * 0.9 + 0.1 / 7}
    assert fusion.weigh(posteriors, {"voice": blind, "face": blind}).posterior[surprise] == 0.0


def test_one_modality_alone_keeps_its_clear_winner(fusion: Fusion) -> None:
    for name, k in itertools.product(MODALITIES, range(7)):
        probs = np.full(7, 0.03)
        probs[k] = 0.82
        result = fusion.weigh({name: probs})
        assert result.posterior.argmax() == k
        assert result.weights == {name: 1.0}


@pytest.mark.parametrize("k", range(7))
def test_agreement_raises_confidence_and_conflict_lowers_it(fusion: Fusion, k: int) -> None:
    sure = np.full(7, 0.04)
    sure[k] = 0.76
    agreed = fusion.weigh({"face": sure, "voice": sure}).posterior[k]
    assert agreed > 0.76 > fusion.weigh({"face": sure, "voice": np.roll(sure, 1)}).posterior[k]


def test_a_calibrated_posterior_alone_comes_back_as_it_went_in(fusion: Fusion) -> None:
    for name, probs in _posteriors(7).items():
        safe = 0.99 * probs + 0.01 / 7
        assert np.allclose(fusion.weigh({name: safe}).posterior, safe, atol=1e-6)


def test_votes_of_people_count_their_confusions(fusion: Fusion) -> None:
    cremad = mapping("cremad").seen
    votes = np.where(cremad, 0.05, 0.0)
    votes[LABELS.index("happy")] = 0.75
    seen = {"face": cremad, "voice": cremad}
    both = fusion.weigh({"face": votes, "voice": votes}, seen, source="votes")
    assert both.posterior[LABELS.index("happy")] > 0.95  # nine raters who agree twice are nearly always right
    assert dict(both.weights) == dict(fusion.weigh({"face": votes, "voice": votes}, seen).weights)


def test_an_untrained_modality_joins_by_its_prior() -> None:
    fusion = Fusion.load()
    posteriors = _posteriors(5, ("face", "voice", "words"))
    louder = Fusion(fusion.tensors, {**fusion.prior, "words": 3 * fusion.prior["words"]})
    before, after = fusion.weigh(posteriors).weights, louder.weigh(posteriors).weights
    odds = [w["words"] / w["face"] for w in (before, after)]
    assert odds[1] == pytest.approx(3 * odds[0])
    assert before["face"] / before["voice"] == pytest.approx(after["face"] / after["voice"])


def test_probability_zero_is_no_veto(fusion: Fusion) -> None:
    face = np.zeros(7)
    face[0] = 1.0
    result = fusion.weigh({"face": face, "voice": np.array([0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05])})
    assert np.all(np.isfinite(result.posterior)) and result.posterior.min() > 0


@pytest.mark.parametrize(
    ("posteriors", "seen", "message"),
    [
        ({}, None, "at least one modality"),
        ({"face": np.ones(6) / 6}, None, "must be"),
        ({"face": np.full(7, np.nan)}, None, "finite"),
        ({"face": np.array([1, -1, 1, 1, 1, 1, 1.0])}, None, "non-negative"),
        ({"face": np.zeros(7)}, None, "sum above 0"),
        ({"face": np.ones(7) / 7}, {"face": np.zeros(7, bool)}, "knows none"),
    ],
)
def test_bad_input_is_explained(fusion: Fusion, posteriors: dict, seen: dict | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fusion.weigh(posteriors, seen)


def test_people_did_not_vote_on_words(fusion: Fusion) -> None:
    with pytest.raises(UsageError, match="people voted on voice, face"):
        fusion.weigh({"words": np.ones(7) / 7}, source="votes")


def test_weights_name_their_source(fusion: Fusion) -> None:
    assert fusion.used is not None and fusion.used.name == "fusion" and "ODbL" in fusion.used.licence


def test_real_votes_through_the_shipped_weights(hero_data: Path, fusion: Fusion) -> None:
    """Seen in training, so this checks that use and training compute the same, not skill."""
    votes = cremad.votes(hero_data)
    votes = votes.take(cremad.majority(votes.both) != cremad.TIED)
    votes = votes.take(np.arange(0, len(votes.clip_ids), 7))
    truth = cremad.majority(votes.both)
    source = mapping("cremad")
    order = [source.index(answer) for answer in cremad.ANSWERS]
    seen = {"voice": source.seen, "face": source.seen}
    hits = {"both": 0, "voice": 0, "face": 0}
    for voice, face, label in zip(
        to_common(votes.voice + 1, "cremad"), to_common(votes.face + 1, "cremad"), truth, strict=True
    ):
        for name, heard in (
            ("both", {"voice": voice, "face": face}),
            ("voice", {"voice": voice}),
            ("face", {"face": face}),
        ):
            hits[name] += int(fusion.weigh(heard, seen, source="votes").posterior.argmax() == order[label])
    share = {name: count / len(truth) for name, count in hits.items()}
    assert share["both"] > 0.82 and share["face"] > 0.77 and share["voice"] > 0.60
