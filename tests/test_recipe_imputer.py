"""The imputer's recipe: cues out of the feature table, the scores, when to stop, and a rule that training finds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from builders import evidence

torch = pytest.importorskip("torch", reason="training needs PyTorch")

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(RECIPES))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield __import__("imputer_fit"), __import__("imputer_pairs")
    torch.set_num_threads(threads)
    for name in ("imputer_fit", "imputer_pairs"):
        sys.modules.pop(name, None)


def cues(pairs, **units: float) -> list[str]:
    level = dict.fromkeys(pairs.UNITS, 0.0) | {int(name[2:]): value for name, value in units.items()}
    return [ev.cue for ev in pairs.cues_of(level, 3.0)]


def test_cues_follow_the_rules_of_the_face_expert(recipe) -> None:
    _, pairs = recipe
    assert cues(pairs, AU12=2.0, AU06=1.5) == ["smile_with_cheeks"]
    assert cues(pairs, AU12=2.0) == ["smile_without_cheeks"]
    assert cues(pairs, AU01=2.0, AU02=1.5) == ["AU02"]
    assert cues(pairs, AU01=2.0) == ["AU01"]
    assert cues(pairs, AU04=0.9) == []
    assert len(cues(pairs, AU04=2.0, AU05=2.0, AU09=2.0, AU15=2.0, AU17=2.0)) == pairs.MOST_CUES


def test_a_clip_is_judged_against_the_persons_other_clips(recipe) -> None:
    _, pairs = recipe

    class Table:
        actors = np.array([1, 1, 1, 2, 2, 2])
        high = np.array([0.1, 0.3, 0.9, 5.0, 5.2, 5.4])

        def column(self, name: str) -> np.ndarray:
            return self.high if name == "AU04_mean" else np.zeros(6)

    levels = pairs.own_levels(Table())[:, pairs.UNITS.index(4)]
    np.testing.assert_allclose(levels[2], (0.9 - 0.2) / 0.1, rtol=1e-4)  # the others are 0.1 and 0.3
    np.testing.assert_allclose(levels[4], 0.0, atol=1e-4)


def test_scores_and_the_constant_answer(recipe) -> None:
    fit, _ = recipe
    truth = [("a", "b"), ("a",), (), ("b", "a")]
    assert fit.hits(["a", "a", "a", "a"], truth) == 0.75
    assert fit.hits([None, None, None, "c"], truth) == 0.25
    assert fit.f1([("a",), ("b",), (), ("a", "c")], truth) == pytest.approx(2 * 2 / (4 + 5))
    assert fit.prior(truth) == fit.Prior("a", ("a", "b"))


def test_stopping(recipe) -> None:
    fit, _ = recipe
    said = fit.Said(("a", "b", "c"), (0.5, 0.3, 0.2), (0.4, 0.1, 0.6))
    assert said.named(fit.Stop(enough=0.0, least=0.1)) == ("a", "b")  # END at the third step
    assert said.named(fit.Stop(enough=0.7, least=0.1)) == ("a", "b", "c")
    assert said.named(fit.Stop(enough=0.7, least=0.4)) == ("a",)
    assert fit.Said(("a",), (0.3,), (0.5,)).named(fit.Stop(enough=0.0, least=0.1)) == ()


def test_training_finds_a_rule(recipe) -> None:
    """Brows go with a louder voice, a smile with a higher one; a strange cue tells nothing."""
    fit, pairs = recipe
    kinds = (("AU04", "louder"), ("smile_with_cheeks", "pitch_high"))
    takes = []
    for number in range(40):
        seen, heard = kinds[number % 2]
        profile = evidence("voice", "profile", measures=dict.fromkeys(fit.MEASURES, float(number)))
        voice = (profile, evidence("voice", heard))
        takes.append(
            pairs.Pair(f"clip{number}", number % 5, 3.0, dict.fromkeys(pairs.PEOPLE, voice), (evidence("face", seen),))
        )
    words, chosen = fit.vocabulary(takes), fit.samples(takes)
    assert words.writes == {"face": ("AU04", "smile"), "voice": ("louder", "pitch_high")}
    model = fit.trained(chosen, words, fit.Setting(8, 0.0, 0.0, steps=80), [0])
    said = fit.answers(model, [sample for sample in chosen if sample.wanted == "voice"])
    named = [one.named(fit.Stop(enough=0.0, least=0.5)) for one in said]
    assert fit.f1(named, [sample.truth for sample in chosen if sample.wanted == "voice"]) == 1.0
