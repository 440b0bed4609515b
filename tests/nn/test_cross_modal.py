"""The cross-modal transformer: shapes, masks, and that it can learn which frames belong together."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the training side needs PyTorch")

from hero.nn.cross_modal import CrossModalTransformer


def model(**changes: int) -> CrossModalTransformer:
    torch.manual_seed(0)
    return CrossModalTransformer(**({"motion_dim": 4, "audio_dim": 3, "dim": 8, "heads": 2} | changes)).eval()


def sides(seed: int = 0, batch: int = 2, size: int = 20) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    known = torch.ones(batch, size, dtype=torch.bool)
    return [torch.randn(batch, size, 4), known.clone(), torch.randn(batch, size, 3), known.clone()]


@pytest.mark.parametrize(("motion", "audio", "dim"), [(4, 4, 32), (768, 1024, 64)])
def test_features_per_frame_and_one_logit_per_pair(motion: int, audio: int, dim: int) -> None:
    net = model(motion_dim=motion, audio_dim=audio, dim=dim)
    known = torch.ones(3, 11, dtype=torch.bool)
    features, logit = net(torch.randn(3, 11, motion), known, torch.randn(3, 11, audio), known)
    assert features.shape == (3, 11, dim)
    assert logit.shape == (3,)


def test_shipped_size_stays_small() -> None:
    net = CrossModalTransformer(motion_dim=4, audio_dim=4)
    assert len(net.layers) == 2
    assert sum(p.numel() for p in net.parameters()) < 150_000


@pytest.mark.parametrize("side", [0, 2])
def test_masked_frames_have_no_influence_whatever_they_hold(side: int) -> None:
    net, inputs = model(), sides()
    inputs[side + 1][:, 7:12] = False
    before = net(*inputs)
    inputs[side][:, 7:12] = float("nan")
    after = net(*inputs)
    assert torch.equal(before[1], after[1])
    assert torch.equal(before[0], after[0])
    assert (after[0][:, 7:12] == 0).all()


def test_unmasked_frames_do_have_influence() -> None:
    net, inputs = model(), sides()
    before = net(*inputs)[1]
    inputs[2][:, 7:12] += 1
    assert (net(*inputs)[1] - before).abs().max() > 1e-4


def test_nothing_measured_gives_a_number_and_no_features() -> None:
    net, inputs = model(), sides()
    inputs[1][:] = False
    inputs[3][0] = False
    features, logit = net(*inputs)
    assert torch.isfinite(logit).all()
    assert (features == 0).all()


def test_masking_the_end_equals_cutting_it_off() -> None:
    net, inputs = model(), sides()
    inputs[1][:, 15:], inputs[3][:, 15:] = False, False
    short = net(*(part[:, :15] for part in inputs))
    long = net(*inputs)
    assert torch.allclose(long[0][:, :15], short[0], atol=1e-6)
    assert torch.allclose(long[1], short[1], atol=1e-6)


def test_attention_looks_near_first() -> None:
    bias = model(reach=4).layers[0].to_sound.bias
    assert bias.shape == (2, 9)
    assert (bias.argmax(dim=1) == 4).all()


def test_learns_whether_frames_go_together() -> None:
    net = model(motion_dim=1, audio_dim=1).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.01)
    known = torch.ones(32, 16, dtype=torch.bool)
    belongs = torch.arange(32) % 2 == 0
    for _ in range(60):
        lips, other = torch.randn(32, 16, 1), torch.randn(32, 16, 1)
        sound = torch.where(belongs[:, None, None], lips, other)
        logit = net(lips, known, sound, known)[1]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, belongs.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(((logit > 0) == belongs).float().mean()) > 0.9
