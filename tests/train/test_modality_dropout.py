"""Modality dropout: presence, rates, seeds, the rule for synergy, and the exact subsets."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")

from hero.errors import ConfigError, InputError
from hero.nn.integration import Feed, IntegrationLayer
from hero.train.modality_dropout import draw_keep, keep_only, presence, subsets, without_orphans
from hero.types import MODALITIES, Modality

SENSED: tuple[Modality, ...] = ("face", "voice", "words", "motion", "scene")


def _seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _every_presence(count: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([False, True], repeat=count)))  # (2 ** M, M)


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.9, 1.0])
def test_nothing_absent_is_kept_and_something_sensed_always_stays(probability: float) -> None:
    present = _every_presence(6).repeat(20, 1)
    keep = draw_keep(present, modalities=MODALITIES, probability=probability, generator=_seeded())
    assert not (keep & ~present).any()
    assert torch.equal(keep[:, :5].any(dim=1), present[:, :5].any(dim=1))
    face, voice, _, motion, _, synergy = keep.T
    assert not (synergy & ~(voice & (face | motion))).any()


def test_a_probability_of_zero_drops_nothing() -> None:
    present = without_orphans(_every_presence(6), modalities=MODALITIES)
    assert torch.equal(draw_keep(present, modalities=MODALITIES, probability=0.0), present)


def test_a_probability_of_one_leaves_exactly_one() -> None:
    present = torch.ones(3000, 5, dtype=torch.bool)
    keep = draw_keep(present, modalities=SENSED, probability=1.0, generator=_seeded())
    assert (keep.sum(dim=1) == 1).all()
    assert (keep.float().mean(dim=0) - 0.2).abs().max() < 0.04  # drawn evenly


def test_rates_are_met() -> None:
    wanted = {"face": 0.5, "voice": 0.2, "words": 0.7}
    present = torch.ones(40_000, 5, dtype=torch.bool)
    keep = draw_keep(present, modalities=SENSED, probability=wanted, generator=_seeded())
    dropped = 1 - keep.float().mean(dim=0)
    for name, rate in zip(SENSED, dropped.tolist(), strict=True):
        assert rate == pytest.approx(wanted.get(name, 0.0), abs=0.01)


def test_the_rescue_follows_the_chance_of_being_kept() -> None:
    present = torch.ones(20_000, 2, dtype=torch.bool)
    probability = {"face": 1.0, "voice": 0.5}
    keep = draw_keep(present, modalities=("face", "voice"), probability=probability, generator=_seeded())
    assert keep[:, 1].all()  # the voice is what is left, also where it had been dropped with the face
    assert keep[:, 0].float().mean() < 0.001


def test_a_seed_draws_the_same_again_and_another_seed_does_not() -> None:
    present = torch.ones(64, 6, dtype=torch.bool)
    first, again, other = (
        draw_keep(present, modalities=MODALITIES, probability=0.5, generator=_seeded(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_synergy_falls_with_the_voice_and_with_face_and_motion_together() -> None:
    keep = torch.ones(4, 6, dtype=torch.bool)
    keep[1, MODALITIES.index("voice")] = False
    keep[2, MODALITIES.index("face")] = False
    keep[3, [MODALITIES.index("face"), MODALITIES.index("motion")]] = False
    found = without_orphans(keep, modalities=MODALITIES)
    assert found[:, MODALITIES.index("synergy")].tolist() == [True, False, True, False]
    assert torch.equal(found[:, :5], keep[:, :5])
    assert keep[:, 5].all()  # the argument is left alone


def test_subsets_are_all_of_them_once_the_largest_first() -> None:
    found = subsets(MODALITIES)
    assert found[0] == MODALITIES
    assert len(set(found)) == len(found) == 31
    assert all(("synergy" in s) == ("voice" in s and bool({"face", "motion"} & set(s))) for s in found)
    sizes = [len(set(s) - {"synergy"}) for s in found]
    assert sizes == sorted(sizes, reverse=True)
    assert subsets(("voice", "words")) == (("voice", "words"), ("voice",), ("words",))


def test_keep_only_leaves_exactly_the_subset_of_what_is_there() -> None:
    present = torch.tensor([[True, True, True, True, True, True], [False, True, True, False, False, False]])
    found = keep_only(present, modalities=MODALITIES, kept=("face", "voice", "synergy"))
    assert found.tolist() == [[True, True, False, False, False, True], [False, True, False, False, False, False]]


def _feed(mask: list[list[bool]], columns: int) -> Feed:
    steps = torch.tensor(mask)
    return Feed(torch.randn(*steps.shape, columns), steps, torch.arange(steps.shape[1]).expand(steps.shape).float())


def test_presence_is_what_the_layer_can_use() -> None:
    parts = {"face": {"dim_in": 35, "queries": 2, "projection": "action_units"}, "voice": {"dim_in": 4, "queries": 2},
             "words": {"dim_in": 4, "queries": 2}, "synergy": {"dim_in": 3, "queries": 2}}  # fmt: skip
    layer = IntegrationLayer(parts=parts, dim_lm=8, dim=8, heads=2, layers=1, queries=2)
    face, voice = _feed([[True, False], [False, False], [True, True]], 35), _feed([[True]] * 3, 4)
    half = face.mask[..., None].expand(3, 2, 35).clone()
    half[0, 0, 1:] = False  # one action unit alone is still a face
    some = voice.mask[..., None].expand(3, 1, 4).clone()
    some[2, 0, 0] = False  # an encoder's step with a gap is not valid
    feeds = {"face": face._replace(mask=half), "voice": voice._replace(mask=some), "synergy": _feed([[True]] * 3, 3)}
    found = presence(layer, feeds)
    assert layer.modalities == ("face", "voice", "words", "synergy")
    assert found.tolist() == [[True, True, False, True], [False, True, False, False], [True, False, False, False]]
    assert torch.equal(found, layer(feeds).query_weights > 0)
    assert torch.equal(found, presence(layer.bfloat16(), feeds))
    with pytest.raises(InputError, match="there is no feed"):
        presence(layer, {})


def test_bad_arguments_are_named() -> None:
    present = torch.ones(2, 2, dtype=torch.bool)
    two: tuple[Modality, ...] = ("face", "voice")
    with pytest.raises(InputError, match=r"give bool \(samples, 2\) for face, voice"):
        draw_keep(present.float(), modalities=two, probability=0.5)
    with pytest.raises(InputError, match=r"shape \(2, 2\)"):
        draw_keep(present, modalities=("face",), probability=0.5)
    with pytest.raises(ConfigError, match=r"\{'voice': 1\.5\}; give numbers from 0 to 1"):
        draw_keep(present, modalities=two, probability={"voice": 1.5})
    with pytest.raises(ConfigError, match="a probability for words"):
        draw_keep(present, modalities=two, probability={"words": 0.5})
    with pytest.raises(ConfigError, match="smell: give each modality once"):
        draw_keep(present, modalities=("face", "smell"), probability=0.5)
    with pytest.raises(ConfigError, match="face: give each modality once"):
        subsets(("face", "face"))
    with pytest.raises(ConfigError, match="beside synergy"):
        subsets(("synergy",))
    with pytest.raises(ConfigError, match="cannot keep words"):
        keep_only(present, modalities=two, kept=("words",))
