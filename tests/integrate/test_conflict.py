"""Conflicts: what meets and contradicts is found and scored; what agrees or lies apart is not."""

from __future__ import annotations

import pytest
from builders import evidence, posterior, timeline

from hero.config import IntegrateConfig
from hero.integrate.conflict import find_conflicts, jensen_shannon_bits
from hero.integrate.cues import cue_table, leaning

CONFIG = IntegrateConfig()


def test_smile_with_a_low_voice_is_a_conflict() -> None:
    line = timeline([evidence("face", "smile", 2.0, 2.6), evidence("voice", "pitch_low", 1.8, 3.0)])
    (conflict,) = find_conflicts(line, {}, CONFIG, lang="en")
    assert set(conflict.between) == {"VE-01", "AE-01"}
    assert CONFIG.conflict_above <= conflict.score <= 1


@pytest.mark.parametrize(
    ("cue", "start_s"),
    [("pitch_low", 6.0), ("louder", 1.8)],
    ids=["far apart in time", "the same direction"],
)
def test_no_conflict(cue: str, start_s: float) -> None:
    line = timeline([evidence("face", "smile", 2.0, 2.6), evidence("voice", cue, start_s, start_s + 1)])
    assert find_conflicts(line, {}, CONFIG, lang="en") == ()


def test_cues_of_one_modality_add_up() -> None:
    smile, low = evidence("face", "smile", 2.0, 2.6), evidence("voice", "pitch_flat", 1.8, 3.0)
    slow = evidence("voice", "slow", 1.8, 3.0)
    (one,) = find_conflicts(timeline([smile, low]), {}, CONFIG, lang="en")
    (two,) = find_conflicts(timeline([smile, low, slow]), {}, CONFIG, lang="en")
    assert len(two.between) == 3
    assert one.score < two.score < 1
    assert "smile, and pitch flat; slow" in two.text


def test_a_still_body_does_not_contradict_a_smile() -> None:
    line = timeline([evidence("face", "smile", 2.0, 2.6), evidence("motion", "body_still", 0.0, 4.0, strength=1.0)])
    assert find_conflicts(line, {}, IntegrateConfig(conflict_above=0.01), lang="en") == ()


def test_weaker_evidence_scores_lower() -> None:
    def score(strength: float) -> float:
        line = timeline([evidence("face", "smile", strength=strength), evidence("voice", "pitch_low")])
        return max(
            (c.score for c in find_conflicts(line, {}, IntegrateConfig(conflict_above=0), lang="en")), default=0.0
        )

    assert score(0.9) > score(0.3) > 0


def test_diverging_posteriors_cite_both_sides() -> None:
    line = timeline([evidence("face", "body", 0, 1), evidence("voice", "profile", 0, 1)])
    both = {"face": posterior(happy=0.9), "voice": posterior(sad=0.9)}
    (conflict,) = find_conflicts(line, both, CONFIG, lang="en")
    assert conflict.kind == "posteriors diverge"
    assert "happy" in conflict.text
    assert "sad" in conflict.text
    assert find_conflicts(line, {"face": both["face"], "voice": both["face"]}, CONFIG, lang="en") == ()


def test_divergence_is_bounded_and_symmetric() -> None:
    p, q = posterior(happy=0.99), posterior(sad=0.99)
    assert jensen_shannon_bits(p, p) == pytest.approx(0)
    assert jensen_shannon_bits(p, q) == pytest.approx(jensen_shannon_bits(q, p))
    assert 0.8 < jensen_shannon_bits(p, q) <= 1


def test_leaning_has_the_sign_of_the_cue() -> None:
    smile = evidence("face", "smile")
    assert leaning(smile, "happy") > 0 > leaning(smile, "sad")
    assert leaning(evidence("voice", "no_such_cue"), "sad") == 0
    assert all(-1 <= m.valence <= 1 and -1 <= m.arousal <= 1 for m in cue_table().values())
