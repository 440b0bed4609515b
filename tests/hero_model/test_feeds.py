"""Tracks of several clips become one padded batch; long ones are averaged, what does not fit is left out and noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_hero import PARTS, SIZES, clips, tiny_hero, track

from hero.errors import InputError
from hero.hero_model import HeroModel, feeds_of
from hero.nn.integration import IntegrationLayer
from hero.types import Track


@pytest.fixture(scope="module")
def layer() -> IntegrationLayer:
    torch.manual_seed(0)
    return IntegrationLayer(**SIZES, dim_lm=8).eval()


def test_shapes_and_padding(layer: IntegrationLayer) -> None:
    feeds, notes = feeds_of(clips(), layer)
    assert list(feeds) == list(PARTS) and notes == ((), (), ())
    voice = feeds["voice"]
    assert voice.values.shape == voice.mask.shape == (3, 9, 6) and voice.times_s.shape == (3, 9)
    assert voice.values.dtype == torch.float32 and voice.mask.dtype == torch.bool
    assert voice.mask.all(-1).sum(1).tolist() == [4, 9, 0]
    first = clips()[0]["voice"]
    assert torch.equal(voice.values[0, :4], torch.from_numpy(first.values))
    assert (voice.values[0, 4:] == 0).all() and voice.times_s[1, 8].item() == pytest.approx(0.8)
    assert feeds["synergy"].values.shape == (3, 6, 3) and not feeds["synergy"].mask[1:].any()


def test_padding_changes_nothing(layer: IntegrationLayer) -> None:
    with torch.no_grad():
        together = layer(feeds_of(clips(), layer).feeds)
        for row, clip in enumerate(clips()[:2]):
            alone = layer(feeds_of([clip], layer).feeds)
            assert torch.allclose(alone.context[0], together.context[row], atol=1e-5)
            assert torch.allclose(alone.query_weights[0], together.query_weights[row], atol=1e-6)
    assert together.present.tolist() == [True, True, False]


def test_a_long_track_is_averaged_over_equal_groups(layer: IntegrationLayer) -> None:
    values = np.arange(60, dtype=np.float32).reshape(10, 6)
    mask = np.ones((10, 6), bool)
    mask[3] = False
    mask[6:9, 2] = False
    voice = Track("features", values, np.arange(10) * 0.5, mask, tuple("abcdef"))
    feed = feeds_of([{"voice": voice}], layer, max_steps=4).feeds["voice"]
    assert feed.values.shape == (1, 4, 6)
    groups = [(0, 3), (3, 6), (6, 9), (9, 10)]
    for place, (begin, end) in enumerate(groups):
        valid = mask[begin:end]
        assert feed.times_s[0, place].item() == pytest.approx(np.arange(10)[begin:end].mean() * 0.5)
        assert feed.mask[0, place].tolist() == valid.any(0).tolist()
        for column in np.flatnonzero(valid.any(0)):
            wanted = values[begin:end, column][valid[:, column]].mean()
            assert feed.values[0, place, column].item() == pytest.approx(wanted)
    assert not feed.mask[0, 2, 2] and feed.values[0, 2, 2] == 0
    exactly = feeds_of([{"voice": voice}], layer, max_steps=10).feeds["voice"]
    assert torch.equal(exactly.values[0], torch.from_numpy(voice.values))
    assert feeds_of([{"voice": track(5000, 6)}], layer).feeds["voice"].values.shape[1] == 500


def test_a_track_that_does_not_fit_is_left_out_and_noted(layer: IntegrationLayer) -> None:
    feeds, notes = feeds_of([{"voice": track(4, 7), "motion": track(2, 5)}, {"voice": track(3, 6)}], layer)
    assert notes == (("the track of 'voice' has 7 columns, the model reads 6: it was left out",), ())
    assert feeds["voice"].mask.any(-1).sum(1).tolist() == [0, 3]
    assert feeds["motion"].mask.any(-1).sum(1).tolist() == [2, 0]


def test_a_track_in_which_nothing_is_measured_is_noted(layer: IntegrationLayer) -> None:
    values = np.full((4, 6), np.nan)
    nothing = Track("features", values, np.arange(4.0), np.ones(4, bool), tuple("abcdef"))
    feeds, notes = feeds_of([{"voice": nothing, "motion": track(2, 5)}, {"voice": track(3, 6)}], layer)
    assert notes == (
        ("the track of 'voice' counts as missing: all of its 4 steps are masked, or NaN or infinite",),
        (),
    )
    assert feeds["voice"].mask.any(-1).sum(1).tolist() == [0, 3]


def test_a_track_that_the_model_does_not_read_is_noted(layer: IntegrationLayer, bases: Path) -> None:
    clip: dict[Any, Track] = {"voise": track(4, 6), "scene": track(2, 9), "motion": track(2, 5)}
    told = "was left out: the model reads voice, face, synergy, motion"
    assert feeds_of([{}, clip], layer).notes == ((), (f"the track of 'voise' {told}", f"the track of 'scene' {told}"))
    text = HeroModel.from_base(bases / "tiny-qwen2", device="cpu").config
    assert feeds_of([{"motion": track(2, 5)}], text).notes == (
        ("the track of 'motion' was left out: the model reads text only",),
    )


def test_nothing_at_all_is_masked(layer: IntegrationLayer) -> None:
    feeds, _ = feeds_of([{}, {"voice": track(0, 6), "scene": track(3, 9)}], layer)
    assert all(feed.values.shape[:2] == (2, 1) and not feed.mask.any() for feed in feeds.values())
    with torch.no_grad():
        assert not layer(feeds).present.any()


def test_the_configuration_serves_as_the_reader(bases: Path) -> None:
    model = tiny_hero(bases)
    by_config, by_layer = (feeds_of(clips(), reader).feeds for reader in (model.config, model.integration))
    assert list(by_config) == list(by_layer)
    assert all(
        torch.equal(one, other)
        for name in by_config
        for one, other in zip(by_config[name], by_layer[name], strict=True)
    )


def test_no_batch(layer: IntegrationLayer) -> None:
    with pytest.raises(InputError, match=r"0 clips of at most 512 steps make no batch"):
        feeds_of([], layer)
    with pytest.raises(InputError, match=r"at most 0 steps"):
        feeds_of([{}], layer, max_steps=0)
