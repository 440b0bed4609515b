"""The action unit projector: shapes, masks, gradients, weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hero.nn.action_units import AUProjector


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    values = torch.cat([5 * torch.rand(2, 6, 17), torch.randint(0, 2, (2, 6, 18)).float()], dim=-1)
    return values, torch.rand(2, 6, 35) > 0.3


def test_shape_and_determinism() -> None:
    net, (values, mask) = AUProjector().eval(), inputs()
    tokens = net(values, mask)
    assert tokens.shape == (2, 6, 768) and torch.equal(tokens, net(values, mask))
    assert AUProjector(dim=32, hidden=8)(values, mask).shape == (2, 6, 32)


def test_masked_cells_cannot_influence_anything() -> None:
    net, (values, mask) = AUProjector(dim=16), inputs()
    for other in (99.0, float("nan"), float("inf")):
        changed = torch.where(mask, values, torch.tensor(other)).requires_grad_()
        tokens = net(changed, mask)
        assert torch.equal(tokens, net(values, mask))
        (gradient,) = torch.autograd.grad(tokens.sum(), changed)
        assert torch.isfinite(gradient).all() and (gradient[~mask] == 0).all()


def test_a_masked_unit_is_not_a_unit_at_rest() -> None:
    net, (values, _) = AUProjector(dim=16), inputs()
    values[..., 3] = 0
    everything = torch.ones_like(values, dtype=torch.bool)
    without = everything.clone()
    without[..., 3] = False
    assert not torch.allclose(net(values, everything), net(values, without))


def test_frames_without_any_unit_are_the_unseen_vector() -> None:
    net, (values, mask) = AUProjector(dim=16), inputs()
    mask[0, 2] = False
    tokens = net(values, mask)
    assert torch.equal(tokens[0, 2], net.unseen) and not torch.equal(tokens[0, 1], net.unseen)
    tokens[0, 2].sum().backward()
    assert net.unseen.grad is not None and net.unseen.grad.abs().sum() > 0
    assert all((p.grad == 0).all() for p in net.layers.parameters())


def test_gradients_reach_every_weight_and_intensities_count_in_fifths() -> None:
    net, (values, mask) = AUProjector(dim=16), inputs()
    mask[0, 0] = False
    net(values, mask).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    assert net.scale[:17].tolist() == pytest.approx([0.2] * 17) and net.scale[17:].tolist() == [1.0] * 18


def test_weights_come_back() -> None:
    net, other, (values, mask) = AUProjector(dim=16), AUProjector(dim=16), inputs()
    assert not torch.equal(net(values, mask), other(values, mask))
    assert "scale" not in net.state_dict()
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(values, mask), other(values, mask))


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected two of \(B, T, 35\)"):
        AUProjector(dim=16)(torch.zeros(1, 2, 34), torch.ones(1, 2, 34))
    with pytest.raises(ValueError, match="with mask"):
        AUProjector(dim=16)(torch.zeros(1, 2, 35), torch.ones(1, 2))
