"""The resampler and the projector: spec shapes, masks that hold, order that does not count, attention that adds up."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hero.errors import ConfigError, InputError
from hero.nn.positions import picture_grid, video_grid
from hero.nn.projector import Projector
from hero.nn.resampler import Resampler

SMALL = {"dim_in": 6, "dim": 24, "queries": 4, "layers": 2, "heads": 4}


def _resampler(seed: int = 0, **sizes: int) -> Resampler:
    torch.manual_seed(seed)
    found = Resampler(**{**SMALL, **sizes}).eval()
    for parameter in found.parameters():  # weights as large as after training, so that leaks are felt
        torch.nn.init.normal_(parameter, std=0.4)
    return found


def _sample(samples: int = 3, steps: int = 7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    inputs = torch.randn(samples, steps, 6)
    mask = torch.ones(samples, steps, dtype=torch.bool)
    times = torch.arange(steps, dtype=torch.float32)[None, :, None].repeat(samples, 1, 1) * 0.2
    return inputs, mask, times


@pytest.mark.parametrize(
    ("steps", "dim_in", "queries"), [(3, 1024, 32), (5, 768, 32), (80, 768, 8), (149, 1024, 32), (11, 768, 8)]
)
def test_spec_shapes(steps: int, dim_in: int, queries: int) -> None:
    torch.manual_seed(0)
    found = Resampler(dim_in=dim_in, queries=queries)(torch.randn(2, steps, dim_in), None, torch.rand(2, steps, 1))
    assert found.tokens.shape == (2, queries, 768)
    assert found.present.tolist() == [True, True]
    assert found.attention is None


@pytest.mark.parametrize("grid", [picture_grid(4, 4), video_grid([0.0, 0.04, 0.08], 2, 3)], ids=["picture", "video"])
def test_the_same_class_reads_pictures_and_video(grid: torch.Tensor) -> None:
    resampler, inputs = _resampler(), torch.randn(1, len(grid), 6)
    found = resampler(inputs, None, grid[None]).tokens
    assert found.shape == (1, 4, 24)
    assert not torch.allclose(found, resampler(inputs, None, grid.flip(0)[None]).tokens, atol=1e-4)


@pytest.mark.parametrize("junk", [1e30, float("nan"), float("inf")])
def test_masked_steps_cannot_be_felt(junk: float) -> None:
    resampler = _resampler()
    inputs, mask, times = _sample()
    mask[0, 4:] = False
    mask[1, ::2] = False
    plain = resampler(inputs, mask, times).tokens
    spoiled, elsewhere = inputs.clone(), times.clone()
    spoiled[~mask], elsewhere[~mask] = junk, junk
    spoiled.requires_grad_()
    found = resampler(spoiled, mask, elsewhere).tokens
    assert torch.equal(found, plain)
    found.sum().backward()
    assert (spoiled.grad[~mask] == 0).all()
    assert spoiled.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in resampler.parameters() if p.grad is not None)


def test_padding_does_not_count() -> None:
    resampler = _resampler()
    inputs, mask, times = _sample()
    mask[:, 4:] = False
    whole, cut = resampler(inputs, mask, times).tokens, resampler(inputs[:, :4], None, times[:, :4]).tokens
    assert torch.allclose(whole, cut, atol=1e-5)
    assert torch.allclose(resampler(inputs[1:2], mask[1:2], times[1:2]).tokens, whole[1:2], atol=1e-5)


def test_an_absent_sample_gives_the_plain_queries_and_says_so() -> None:
    resampler = _resampler()
    inputs, mask, times = _sample()
    mask[1] = False
    inputs[1] = float("nan")
    found = resampler(inputs, mask, times, with_attention=True)
    assert found.present.tolist() == [True, False, True]
    assert found.tokens.isfinite().all()
    empty = resampler(inputs.new_zeros(1, 0, 6))
    assert empty.present.tolist() == [False]
    assert torch.allclose(found.tokens[1], empty.tokens[0], atol=1e-6)
    assert (found.attention[1] == 0).all()
    other = inputs.clone()
    other[1] = 5
    assert torch.equal(resampler(other, mask, times).tokens[1], found.tokens[1])
    assert not torch.allclose(found.tokens[0], empty.tokens[0], atol=1e-2)


def test_the_plain_queries_never_went_through_cross_attention() -> None:
    resampler = _resampler()
    inputs, mask, _ = _sample()
    absent = resampler(inputs, ~mask).tokens
    for layer in resampler.layers:
        torch.nn.init.zeros_(layer.cross_attention.out.weight)
        torch.nn.init.zeros_(layer.cross_attention.out.bias)
    assert torch.allclose(absent, resampler(inputs, mask).tokens, atol=1e-6)


def test_order_does_not_count_but_coordinates_do() -> None:
    resampler = _resampler()
    inputs, mask, times = _sample(steps=9)
    mask[:, 7:] = False
    order = torch.randperm(9)
    plain = resampler(inputs, mask, times).tokens
    assert torch.allclose(resampler(inputs[:, order], mask[:, order], times[:, order]).tokens, plain, atol=1e-5)
    assert not torch.allclose(resampler(inputs[:, order], mask[:, order], times).tokens, plain, atol=1e-2)
    assert not torch.allclose(resampler(inputs, mask).tokens, plain, atol=1e-2)


def test_attention_says_where_a_query_looked() -> None:
    resampler = _resampler()
    inputs, mask, times = _sample()
    mask[0, 5:] = False
    found = resampler(inputs, mask, times, with_attention=True)
    assert found.attention.shape == (3, 2, 4, 7)
    assert torch.allclose(found.attention.sum(dim=-1), torch.ones(3, 2, 4), atol=1e-5)
    assert (found.attention[0, ..., 5:] == 0).all()
    assert torch.equal(found.tokens, resampler(inputs, mask, times).tokens)


def test_attention_weights_are_those_that_gather() -> None:
    from hero.nn.attention import Attention

    torch.manual_seed(1)
    attention = Attention(dim=8, heads=1)
    queries, steps = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    known = attention.project(steps, steps)
    by_hand = attention.out(attention.weights(queries, known) @ attention.value(steps))
    assert torch.allclose(attention(queries, known), by_hand, atol=1e-5)


def test_every_weight_learns() -> None:
    resampler = _resampler()
    resampler(*_sample()).tokens.square().mean().backward()
    unmoved = [name for name, p in resampler.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not unmoved


def test_learns_which_step_a_time_means() -> None:
    """Only the coordinates say which of six equal-looking steps is the one at 1.0 s."""
    torch.manual_seed(0)
    resampler = Resampler(**{**SMALL, "queries": 1, "layers": 1})
    read = torch.nn.Linear(24, 1)
    optimizer = torch.optim.AdamW([*resampler.parameters(), *read.parameters()], lr=5e-3)
    times = torch.tensor([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])[None, :, None].repeat(64, 1, 1)
    for _ in range(120):
        inputs = torch.randn(64, 6, 6)
        loss = (read(resampler(inputs, None, times).tokens[:, 0])[:, 0] - inputs[:, 5, 0].sign()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5  # 1.0 without knowing the step


def test_half_precision_masks_hold() -> None:
    resampler = _resampler().to(torch.bfloat16)
    inputs, mask, times = _sample()
    mask[2] = False
    found = resampler(inputs.to(torch.bfloat16), mask, times).tokens
    assert found.dtype == torch.bfloat16
    assert found.isfinite().all()


def test_bad_input_names_the_cure() -> None:
    resampler = _resampler()
    inputs, mask, times = _sample()
    with pytest.raises(InputError, match=r"6 columns got \(3, 7, 5\); give \(B, L, 6\)"):
        resampler(inputs[..., :5])
    with pytest.raises(InputError, match=r"give bool \(3, 7\)"):
        resampler(inputs, mask.float())
    with pytest.raises(InputError, match=r"give \(3, 7, 1 to 3\)"):
        resampler(inputs, mask, times[:, :3])
    with pytest.raises(ConfigError, match="24 columns cannot be shared by 5 heads"):
        _resampler(heads=5)
    with pytest.raises(ConfigError, match="0 queries"):
        _resampler(queries=0)


def test_projector_reaches_the_language_models_width() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(2, 32, 768)
    assert Projector()(tokens).shape == (2, 32, 4096)
    narrow = Projector(dim_out=64, hidden=128, scale=0.02)
    projected = narrow(tokens)
    assert projected.shape == (2, 32, 64)
    assert projected.std().item() == pytest.approx(0.02, rel=0.05)
    assert sum(isinstance(layer, torch.nn.Linear) for layer in narrow.layers) == 2
    with pytest.raises(ConfigError, match="scale 0"):
        Projector(scale=0.0)
