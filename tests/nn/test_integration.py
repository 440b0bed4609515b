"""The integration layer: what is masked is not felt, weights add up over what is present, and it degrades as declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from hero.errors import ConfigError, InputError
from hero.nn.connector import Connector, Connectors
from hero.nn.connector_files import Training, load_connectors, save_connectors
from hero.nn.integration import Feed, Integrated, IntegrationLayer

PARTS: dict[str, dict[str, Any]] = {
    "scene": {"dim_in": 5, "queries": 3},
    "motion": {"dim_in": 6, "queries": 3},
    "face": {"dim_in": 35, "queries": 2, "projection": "action_units"},
    "voice": {"dim_in": 7, "queries": 3},
    "words": {"dim_in": 6, "queries": 2},
    "synergy": {"dim_in": 4, "queries": 2},
}
STEPS = {"scene": 2, "motion": 3, "face": 8, "voice": 10, "words": 4, "synergy": 5}
STRATEGIES = ("dynamic", "audio", "concat")
ORDER = tuple(PARTS)
JUNK = (1e30, float("nan"), float("inf"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nets this small only lose by sharing their work among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _layer(
    strategy: str = "dynamic", parts: dict[str, dict[str, Any]] = PARTS, spread: float = 0.3
) -> IntegrationLayer:
    torch.manual_seed(0)
    made = IntegrationLayer(parts=parts, dim_lm=10, dim=16, heads=2, layers=1, queries=4, strategy=strategy).eval()
    for parameter in made.parameters():  # weights as large as after training, so that leaks are felt
        torch.nn.init.normal_(parameter, std=spread)
    return made


def _feeds(samples: int = 3, names: Iterable[str] = ORDER, seed: int = 1) -> dict[str, Feed]:
    random = torch.Generator().manual_seed(seed)
    made = {}
    for name in names:
        steps, columns = STEPS[name], PARTS[name]["dim_in"]
        mask = torch.rand(samples, steps, generator=random) > 0.3
        mask[:, 0] = True
        times_s = (0.2 * torch.arange(steps, dtype=torch.float64)).repeat(samples, 1)
        made[name] = Feed(torch.randn(samples, steps, columns, generator=random), mask, times_s)
    return made


def _spoil(feed: Feed, junk: float) -> Feed:
    """Junk where the feed is masked: in the values and in the times."""
    cells = feed.mask if feed.mask.ndim == 3 else feed.mask[..., None].expand_as(feed.values)
    return Feed(
        feed.values.masked_fill(~cells, junk), feed.mask, feed.times_s.masked_fill(~cells.any(dim=-1), float("nan"))
    )


def _same(one: Integrated, other: Integrated) -> bool:
    return all(
        a == b if isinstance(a, dict) else torch.allclose(a.float(), b.float(), atol=1e-5)
        for a, b in zip(one, other, strict=True)
    )


def _by_modality(found: Integrated) -> dict[str, torch.Tensor]:
    """Attention weights (B,) of each modality of the bank."""
    parts = found.attention_weights.split(list(found.lengths.values()), dim=1)
    return {name: part.sum(dim=1) for name, part in zip(found.lengths, parts, strict=True)}


def test_shapes_and_the_order_of_the_bank() -> None:
    layer = _layer()
    found = layer(_feeds())
    assert layer.modalities == ORDER
    assert layer.bank_modalities == ORDER[:-1]
    assert found.context.shape == (3, 4, 10)
    assert found.lengths == {name: STEPS[name] for name in ORDER[:-1]}
    assert list(found.lengths) == list(layer.bank_modalities)
    assert found.attention_weights.shape == (3, sum(found.lengths.values()))
    assert found.query_weights.shape == (3, 6)
    assert found.present.tolist() == [True] * 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_masked_content_changes_nothing_in_any_subset(strategy: str) -> None:
    """A batch of every subset of the modalities: a missing one may hold anything, and may as well not be handed in."""
    layer, feeds = _layer(strategy), _feeds(64)
    keep = torch.tensor(list(product([False, True], repeat=6)))
    plain = layer(feeds, keep)
    for junk in JUNK:
        hidden = {
            name: _spoil(feed._replace(mask=feed.mask & keep[:, i : i + 1]), junk)
            for i, (name, feed) in enumerate(feeds.items())
        }
        assert _same(layer(hidden), plain)
    for row in range(1, 64, 5):
        kept = {
            n: Feed(*(t[row : row + 1] for t in f)) for (n, f), k in zip(feeds.items(), keep[row], strict=True) if k
        }
        alone = layer(kept)
        assert torch.allclose(alone.context[0], plain.context[row], atol=1e-4)
        assert torch.allclose(alone.query_weights[0], plain.query_weights[row], atol=1e-5)
    assert plain.context.isfinite().all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_weights_sum_to_one_over_what_is_present(strategy: str) -> None:
    layer, feeds = _layer(strategy), _feeds(64)
    keep = torch.tensor(list(product([False, True], repeat=6)))
    found = layer(feeds, keep)
    some = keep[:, :5].any(dim=1)
    assert torch.equal(found.present, some)
    assert torch.allclose(found.attention_weights.sum(dim=1), some.float())
    assert torch.allclose(found.query_weights.sum(dim=1), some.float())
    assert (found.query_weights[~keep] == 0).all()
    closed = torch.cat([~(feeds[name].mask & keep[:, i, None]) for i, name in enumerate(ORDER[:5])], dim=1)
    assert (found.attention_weights[closed] == 0).all()
    assert ((found.attention_weights > 0) == ~closed).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_and_many_samples_agree_whatever_the_padding(strategy: str) -> None:
    layer = _layer(strategy)
    singles = [_feeds(1, seed=seed) for seed in range(3)]
    for i, single in enumerate(singles):  # other lengths in each
        single["voice"] = Feed(*(t[:, : 10 - 3 * i] for t in single["voice"]))
        single["face"] = Feed(*(t[:, : 4 + 2 * i] for t in single["face"]))
    batch = {
        name: Feed(
            *(
                torch.cat(
                    [torch.nn.functional.pad(t, (0, 0) * (t.ndim - 2) + (0, STEPS[name] - t.shape[1])) for t in part]
                )
                for part in zip(*(single[name] for single in singles), strict=True)
            )
        )
        for name in ORDER
    }
    whole = layer({name: _spoil(feed, float("nan")) for name, feed in batch.items()})
    for i, single in enumerate(singles):
        alone = layer(single)
        assert torch.allclose(alone.context[0], whole.context[i], atol=1e-5)
        assert torch.allclose(alone.synergy[0], whole.synergy[i], atol=1e-6)
        mine, theirs = _by_modality(alone), _by_modality(whole)
        assert all(torch.allclose(mine[name][0], theirs[name][i], atol=1e-5) for name in mine)


def test_masks_of_cells_and_of_steps() -> None:
    layer, feeds = _layer(), _feeds()
    cells = {n: f._replace(mask=f.mask[..., None].repeat(1, 1, f.values.shape[2])) for n, f in feeds.items()}
    assert _same(layer(cells), layer(feeds))
    cells["face"].mask[:, 0, 3] = False
    spoiled = layer({**cells, "face": _spoil(cells["face"], float("nan"))})
    assert _same(spoiled, layer(cells))
    assert not torch.allclose(spoiled.context, layer(feeds).context, atol=1e-3)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_silent_video_is_the_same_whatever_synergy_says(strategy: str) -> None:
    layer, feeds = _layer(strategy), _feeds()
    silent = {name: feed for name, feed in feeds.items() if name != "voice"}
    wrong = {**silent, "synergy": silent["synergy"]._replace(values=-9 * silent["synergy"].values)}
    without = {name: feed for name, feed in silent.items() if name != "synergy"}
    assert _same(layer(silent), layer(wrong))
    assert _same(layer(silent), layer(without))
    heard = layer({**wrong, "voice": feeds["voice"]})
    assert not torch.allclose(heard.synergy, layer(feeds).synergy, atol=1e-3)  # with sound, it is listened to


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ORDER[:5])
def test_one_modality_is_enough(strategy: str, name: str) -> None:
    layer, feeds = _layer(strategy), _feeds(names=[name])
    found = layer(feeds)
    assert found.query_weights.tolist() == [[float(other == name) for other in ORDER]] * 3
    assert torch.allclose(_by_modality(found)[name], torch.ones(3))
    assert found.synergy.tolist() == [0, 0, 0]
    other = layer({name: feeds[name]._replace(values=feeds[name].values.flip(2))})
    assert not torch.allclose(found.context, other.context, atol=1e-3)


def test_nothing_at_all_is_said_to_be_nothing() -> None:
    layer, feeds = _layer(), _feeds()
    empty = layer({"words": Feed(torch.zeros(3, 0, 6), torch.zeros(3, 0, dtype=torch.bool), torch.zeros(3, 0))})
    synergy_alone = layer({"synergy": feeds["synergy"]})
    dropped = layer(feeds, torch.zeros(3, 6, dtype=torch.bool))
    for found in (empty, synergy_alone, dropped):
        assert found.present.tolist() == [False] * 3
        assert (found.attention_weights == 0).all()
        assert (found.query_weights == 0).all()
        assert found.context.isfinite().all()
        assert torch.allclose(found.context, empty.context, atol=1e-5)


def test_the_frame_rate_of_a_track_does_not_weigh() -> None:
    """Content that stays the same, at twice or ten times the rate: the modalities keep their weights, nearly."""
    torch.manual_seed(0)
    layer = IntegrationLayer(parts=PARTS, dim_lm=10, dim=16, heads=2, layers=1, queries=4).eval()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    constant = {name: feed.values[:, :1] for name, feed in _feeds().items()}

    def at(rate_hz: int) -> dict[str, torch.Tensor]:
        rates = dict.fromkeys(ORDER, 5) | {"voice": rate_hz}
        feeds = {
            name: Feed(
                value.expand(-1, 4 * rates[name], -1),
                torch.ones(3, 4 * rates[name], dtype=torch.bool),
                (torch.arange(4 * rates[name]) / rates[name]).repeat(3, 1),
            )
            for name, value in constant.items()
        }
        return _by_modality(layer(feeds))

    slow = at(5)
    assert ((slow["voice"] > 0.02) & (slow["voice"] < 0.9)).all()
    for rate_hz in (10, 50):
        fast = at(rate_hz)
        assert all((fast[name] - slow[name]).abs().max() < 0.02 for name in slow)


def test_the_gate_leads_the_attention() -> None:
    """Under `dynamic` a modality that the gate prefers gets more of the bank's attention; under the others it does not."""
    for strategy, leads in (("dynamic", True), ("concat", False)):
        layer, feeds = _layer(strategy, spread=0.02), _feeds()
        before = layer(feeds)
        scores = layer.query.anchor.scores
        voice = torch.eye(6)[ORDER.index("voice")]
        layer.query.anchor.scores = lambda *given, scores=scores, voice=voice: scores(*given) + 2 * voice
        after = layer(feeds)
        assert (after.query_weights[:, 3] > before.query_weights[:, 3] + 0.1).all()
        gained = _by_modality(after)["voice"] - _by_modality(before)["voice"]
        assert (gained > 0.1).all() == leads
        assert leads or (gained.abs() < 0.05).all()


def test_strategies_differ() -> None:
    feeds = _feeds()
    found = [_layer(strategy)(feeds) for strategy in STRATEGIES]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(found[i].context, found[j].context, atol=1e-3)
    assert found[1].query_weights[:, ORDER.index("voice")].tolist() == [1, 1, 1]
    assert (_by_modality(found[1])["face"] > 0).all()  # the voice asks, and yet the others are looked at


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_gradients_reach_every_parameter(strategy: str) -> None:
    layer = _layer(strategy).train()
    keep = torch.ones(3, 6, dtype=torch.bool)
    keep[1, 1] = False  # so that `concat` meets a missing modality in each place
    keep[2] = torch.tensor([False, True, False, False, False, False])
    (layer(_feeds(), keep).context * torch.randn(3, 4, 10)).sum().backward()
    still = [name for name, p in layer.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == ["connectors.parts.face.projection.unseen"]  # frames without a face are closed steps
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_gradients_are_finite_where_nothing_is_present() -> None:
    layer, feeds = _layer().train(), _feeds()
    spoiled = {name: _spoil(feed, float("nan")) for name, feed in feeds.items()}
    keep = torch.tensor([[False] * 6, [True] * 6, [True, False] * 3])
    layer(spoiled, keep).context.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_sizes_make_the_same_layer_again() -> None:
    layer, feeds = _layer("audio"), _feeds()
    again = IntegrationLayer(**layer.sizes).eval()
    assert not torch.allclose(again(feeds).context, layer(feeds).context, atol=1e-3)
    again.load_state_dict(layer.state_dict())
    assert torch.equal(again(feeds).context, layer(feeds).context)


def test_a_connector_without_projection_head(tmp_path: Path) -> None:
    connector = _layer().connectors.part("face")
    values, times_s = torch.rand(2, 6, 35), torch.rand(2, 6, 1)
    mask = torch.rand(2, 6, 35) > 0.5
    mask[:, 3] = False
    found = connector(values, mask, times_s)
    assert torch.equal(found.projected, found.tokens)
    steps, valid = connector.steps(values, mask)
    assert steps.shape == (2, 6, 16)
    assert torch.equal(valid, mask.any(dim=2))
    assert torch.equal(connector.sum_up(steps, valid, times_s).tokens, found.tokens)
    save_connectors(tmp_path, Connectors({"face": connector}), Training())
    again = load_connectors(tmp_path).connectors.part("face")
    assert again.sizes["dim_lm"] is None
    assert torch.equal(again(values, mask, times_s).tokens, found.tokens)
    with pytest.raises(ConfigError, match="8 hidden columns of a projection head without dim_lm"):
        Connector(dim_in=5, dim=16, heads=2, dim_lm=None, hidden=8)


def test_soft_tokens_start_as_spread_as_embeddings() -> None:
    torch.manual_seed(0)
    layer = IntegrationLayer(parts=PARTS, dim_lm=64, dim=16, heads=2, layers=1, queries=4)
    assert layer(_feeds()).context.std().item() == pytest.approx(0.02, rel=0.2)


def test_half_precision_masks_hold() -> None:
    layer, feeds = _layer().to(torch.bfloat16), _feeds()
    found = layer({name: _spoil(feed, float("nan")) for name, feed in feeds.items()})
    assert found.context.dtype == torch.bfloat16
    assert torch.equal(found.context, layer(feeds).context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert _layer()(feeds).context.isfinite().all()


def test_bad_input_names_the_cure() -> None:
    layer, feeds = _layer(), _feeds()
    voice = feeds["voice"]
    with pytest.raises(InputError, match=r"the feed of voice has values \(3, 10, 6\); give \(B, L, 7\)"):
        layer({"voice": voice._replace(values=voice.values[..., 1:])})
    with pytest.raises(InputError, match=r"mask torch.float32 \(3, 10\); give bool \(3, 10\) or \(3, 10, 7\)"):
        layer({"voice": voice._replace(mask=voice.mask.float())})
    with pytest.raises(InputError, match=r"the feed of voice has times \(3, 9\); give \(3, 10\)"):
        layer({"voice": voice._replace(times_s=voice.times_s[:, 1:])})
    with pytest.raises(InputError, match="give at least one feed"):
        layer({})
    with pytest.raises(InputError, match=r"\{'voice': 3, 'words': 2\} samples"):
        layer({"voice": voice, "words": _feeds(2)["words"]})
    with pytest.raises(InputError, match=r"give bool \(3, 6\)"):
        layer(feeds, torch.ones(3, 5, dtype=torch.bool))
    with pytest.raises(ConfigError, match="no connector for 'smell'"):
        layer({"smell": voice})
    with pytest.raises(ConfigError, match="synergy alone cannot be integrated"):
        _layer(parts={"synergy": PARTS["synergy"]})
    with pytest.raises(ConfigError, match="feature columns"):
        _layer(parts={"voice": {"dim_in": 7, "dim": 8}, "words": {"dim_in": 6}})
    with pytest.raises(ConfigError, match=r"parts has 'smell', which is no modality; modalities: face, motion, scene"):
        _layer(parts={"smell": {"dim_in": 7}})
    with pytest.raises(ConfigError, match=r"dim of parts\.voice is 8\.0; give a whole number of 1 or more"):
        _layer(parts={"voice": {"dim_in": 7, "dim": 8.0}})
    for scale in (0, -1.0, float("nan"), float("inf"), "0.02", True):
        with pytest.raises(ConfigError, match=r"scale of the integration layer is .*; give a number above 0"):
            IntegrationLayer(parts=PARTS, dim_lm=10, dim=16, heads=2, scale=scale)  # type: ignore[arg-type]
