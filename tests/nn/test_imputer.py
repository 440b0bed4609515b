"""The imputer's decoder: masked evidence changes nothing, no look ahead, and the NumPy form gives the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model is PyTorch")

from hero.errors import ConfigError
from hero.integrate.impute import forward
from hero.nn.imputer import EvidenceImputer

TOKENS, FEATURES, HEADS = 11, 6, 2


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small only lose time on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def model(layers: int = 2) -> EvidenceImputer:
    """A small decoder with every weight moved away from its start."""
    torch.manual_seed(0)
    net = EvidenceImputer(tokens=TOKENS, features=FEATURES, dim=8, heads=HEADS, layers=layers, dropout=0.3).eval()
    with torch.no_grad():
        for weight in net.parameters():
            weight += 0.3 * torch.randn_like(weight)
    return net


def inputs() -> tuple[torch.Tensor, ...]:
    """Three clips: four cues, two cues, none; two written tokens behind the start."""
    torch.manual_seed(1)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool)
    cues, written = torch.randint(3, TOKENS, (3, 4)), torch.randint(0, TOKENS, (3, 3))
    return cues, torch.randn(3, 4, FEATURES), mask, written


def test_numpy_equals_pytorch() -> None:
    net, given = model(), inputs()
    with torch.no_grad():
        expected = net(*given).numpy()
    tensors = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    np.testing.assert_allclose(forward(tensors, *(x.numpy() for x in given), heads=HEADS), expected, atol=2e-5)


def test_what_stands_in_masked_slots_changes_nothing() -> None:
    net, (cues, features, mask, written) = model(), inputs()
    other = torch.where(mask, cues, 3), torch.where(mask[..., None], features, 1e3)
    with torch.no_grad():
        torch.testing.assert_close(net(*other, mask, written), net(cues, features, mask, written))
        assert not torch.allclose(net(cues, 2 * features, mask, written)[0], net(cues, features, mask, written)[0])


def test_later_tokens_do_not_change_earlier_answers() -> None:
    net, (cues, features, mask, written) = model(), inputs()
    later = written.clone()
    later[:, 2] = (later[:, 2] + 1) % TOKENS
    with torch.no_grad():
        before, after = net(cues, features, mask, written), net(cues, features, mask, later)
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2], after[:, 2])


def test_the_order_of_evidence_does_not_matter() -> None:
    net, (cues, features, mask, written) = model(), inputs()
    turned = [2, 0, 3, 1]
    with torch.no_grad():
        same = net(cues[:, turned], features[:, turned], mask[:, turned], written)
        torch.testing.assert_close(same, net(cues, features, mask, written))


def test_learns_a_rule() -> None:
    """Token 5 follows cue 3, token 6 follows cue 4."""
    torch.manual_seed(0)
    net = EvidenceImputer(tokens=TOKENS, features=FEATURES, dim=16, heads=HEADS)
    cues, written = torch.tensor([[3], [4]]), torch.zeros(2, 1, dtype=torch.int64)
    truth = torch.nn.functional.one_hot(torch.tensor([[5], [6]]), TOKENS).float()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(40):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            net(cues, torch.zeros(2, 1, FEATURES), torch.ones(2, 1, dtype=torch.bool), written), truth
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    chances = net(cues, torch.zeros(2, 1, FEATURES), torch.ones(2, 1, dtype=torch.bool), written).sigmoid()
    assert chances[0, 0, 5] > 0.9 > 0.1 > chances[0, 0, 6]
    assert chances[1, 0, 6] > 0.9 > 0.1 > chances[1, 0, 5]


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ConfigError, match="dim is 10 and heads 4"):
        EvidenceImputer(tokens=TOKENS, features=FEATURES, dim=10, heads=4)
