"""Panoramic guided attention: masks that hold, weights that add up and follow the bias, a query that leads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")

from hero.errors import ConfigError, InputError
from hero.nn.panorama import PanoramicAttention


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nets this small only lose by sharing their work among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _panorama(**sizes: int) -> PanoramicAttention:
    torch.manual_seed(0)
    made = PanoramicAttention(**{"dim": 16, "heads": 2, "queries": 3, "layers": 2, **sizes}).eval()
    for parameter in made.parameters():  # weights as large as after training, so that leaks are felt
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def _sample(samples: int = 3, steps: int = 9) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    mask = torch.rand(samples, steps) > 0.3
    mask[:, 0] = True
    return torch.randn(samples, 16), torch.randn(samples, steps, 16), mask


@pytest.mark.parametrize("junk", [1e30, float("nan"), float("inf")])
def test_closed_steps_cannot_be_felt(junk: float) -> None:
    panorama, (query, bank, mask) = _panorama(), _sample()
    bias, positions = torch.randn(3, 9), torch.randn(3, 9, 16)
    plain = panorama(query, bank, mask, bias, positions)
    closed = ~mask
    spoiled = bank.masked_fill(closed[..., None], junk).requires_grad_()
    found = panorama(
        query, spoiled, mask, bias.masked_fill(closed, junk), positions.masked_fill(closed[..., None], junk)
    )
    assert torch.equal(found.tokens, plain.tokens)
    assert torch.equal(found.attention_weights, plain.attention_weights)
    found.tokens.square().sum().backward()
    assert spoiled.grad.isfinite().all()
    assert (spoiled.grad[closed] == 0).all()


def test_weights_sum_to_one_over_open_steps() -> None:
    panorama, (query, bank, mask) = _panorama(), _sample()
    mask[1] = False
    bank[1] = float("nan")
    found = panorama(query, bank, mask)
    assert found.tokens.shape == (3, 3, 16)
    assert found.attention_weights.shape == (3, 9)
    assert torch.allclose(found.attention_weights.sum(dim=1), torch.tensor([1.0, 0.0, 1.0]))
    assert (found.attention_weights[~mask] == 0).all()
    assert found.tokens.isfinite().all()
    empty = panorama(query, bank[:, :0], mask[:, :0])
    assert empty.attention_weights.shape == (3, 0)
    assert torch.allclose(empty.tokens[1], found.tokens[1], atol=1e-6)


def test_padding_and_company_change_nothing() -> None:
    panorama, (query, bank, mask) = _panorama(), _sample()
    whole = panorama(query, bank, mask, torch.zeros(3, 9))
    for row in range(3):
        steps = mask[row].nonzero()[:, 0]
        alone = panorama(query[row : row + 1], bank[row : row + 1, steps], mask[row : row + 1, steps])
        assert torch.allclose(alone.tokens[0], whole.tokens[row], atol=1e-5)
        assert torch.allclose(alone.attention_weights[0], whole.attention_weights[row, steps], atol=1e-6)


def test_the_query_leads_the_search() -> None:
    panorama, (query, bank, mask) = _panorama(), _sample()
    found, other = panorama(query, bank, mask), panorama(-query, bank, mask)
    assert not torch.allclose(found.attention_weights, other.attention_weights, atol=1e-2)


def test_bias_and_positions_move_the_weights() -> None:
    panorama, (query, bank, mask) = _panorama(layers=1), _sample()
    plain = panorama(query, bank, mask)
    bias = torch.zeros(3, 9)
    bias[:, 0] = 1.0
    found = panorama(query, bank, mask, bias).attention_weights
    assert (found[:, 0] > plain.attention_weights[:, 0]).all()
    closed_by_bias = bias.masked_fill(bias > 0, -60.0)
    assert (panorama(query, bank, mask, closed_by_bias).attention_weights[:, 0] < 1e-12).all()
    placed = panorama(query, bank, mask, None, torch.randn(3, 9, 16))
    assert not torch.allclose(placed.attention_weights, plain.attention_weights, atol=1e-2)


def test_weights_are_those_that_gather() -> None:
    """With one layer, one head and one query, the weights by themselves give what was gathered."""
    panorama, (query, bank, mask) = _panorama(layers=1, heads=1, queries=1), _sample()
    found = panorama(query, bank, mask)
    layer = panorama.layers[0]
    gathered: list[torch.Tensor] = []
    layer.cross_attention.out.register_forward_hook(lambda _, inputs, __: gathered.append(inputs[0]))
    panorama(query, bank, mask)
    by_hand = found.attention_weights[:, None] @ layer.cross_attention.value(panorama.enter(bank))
    assert torch.allclose(gathered[0], by_hand, atol=1e-5)


def test_queries_differ_before_training() -> None:
    torch.manual_seed(0)
    panorama = PanoramicAttention(dim=48, heads=4, queries=8)
    started = panorama.queries + panorama.guide(torch.randn(1, 48))
    assert 0.5 < started.std(dim=0).mean() / started.mean(dim=0).std() < 4


def test_every_weight_learns() -> None:
    panorama, (query, bank, mask) = _panorama(), _sample()
    (panorama(query, bank, mask).tokens * torch.randn(3, 3, 16)).sum().backward()
    assert not [name for name, p in panorama.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def test_half_precision_masks_hold() -> None:
    panorama, (query, bank, mask) = _panorama().to(torch.bfloat16), _sample()
    mask[2] = False
    found = panorama(query.bfloat16(), bank.bfloat16(), mask, torch.zeros(3, 9))
    assert found.tokens.dtype == torch.bfloat16
    assert found.tokens.isfinite().all()
    assert (found.attention_weights[~mask] == 0).all()


def test_bad_input_names_the_cure() -> None:
    panorama, (query, bank, mask) = _panorama(), _sample()
    with pytest.raises(InputError, match=r"got query \(3, 15\) and bank \(3, 9, 16\); give \(B, 16\) and \(B, L, 16\)"):
        panorama(query[:, :15], bank, mask)
    with pytest.raises(InputError, match=r"give bool \(3, 9\)"):
        panorama(query, bank, mask.float())
    with pytest.raises(InputError, match=r"the bias of a bank \(3, 9, 16\) is \(3, 8\); give \(3, 9\)"):
        panorama(query, bank, mask, torch.zeros(3, 8))
    with pytest.raises(InputError, match=r"the positions of a bank"):
        panorama(query, bank, mask, None, torch.zeros(3, 9, 15))
    with pytest.raises(ConfigError, match="0 queries"):
        _panorama(queries=0)
    with pytest.raises(ConfigError, match="16 columns cannot be shared by 3 heads"):
        _panorama(heads=3)
