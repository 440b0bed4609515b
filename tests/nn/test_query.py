"""The adaptive query generator: three strategies, missing modalities that are not felt, and synergy that must earn trust."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

torch = pytest.importorskip("torch")

from hero.errors import ConfigError, InputError
from hero.nn.query import AdaptiveQueryGenerator, GlobalQuery

ALL = ("scene", "motion", "face", "voice", "words", "synergy")
STRATEGIES = ("dynamic", "audio", "concat")
SUBSETS = torch.tensor(list(product([False, True], repeat=6)))  # (64, 6): every subset of the modalities
VOICE, SYNERGY = ALL.index("voice"), ALL.index("synergy")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nets this small only lose by sharing their work among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _generator(strategy: str = "dynamic", modalities: tuple[str, ...] = ALL) -> AdaptiveQueryGenerator:
    torch.manual_seed(0)
    made = AdaptiveQueryGenerator(modalities=modalities, dim=16, heads=2, hidden=8, strategy=strategy).eval()
    for parameter in made.parameters():  # weights as large as after training, so that leaks are felt
        torch.nn.init.normal_(parameter, std=0.4)
    return made


def _summaries(samples: int = 64) -> torch.Tensor:
    return torch.randn(samples, 6, 16, generator=torch.Generator().manual_seed(1))


def _counts(present: torch.Tensor) -> torch.Tensor:
    """Which summaries may count: synergy needs voice and one of motion and face."""
    counted = present.clone()
    counted[:, SYNERGY] &= present[:, VOICE] & (present[:, 1] | present[:, 2])
    return counted


def _same(one: GlobalQuery, other: GlobalQuery) -> bool:
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("junk", [1e30, float("nan"), float("inf")])
def test_missing_summaries_cannot_be_felt(strategy: str, junk: float) -> None:
    generator, summaries = _generator(strategy), _summaries()
    plain = generator(summaries, SUBSETS)
    spoiled = summaries.masked_fill(~SUBSETS[..., None], junk).requires_grad_()
    found = generator(spoiled, SUBSETS)
    assert _same(found, plain)
    found.query.square().sum().backward()
    assert spoiled.grad.isfinite().all()
    assert (spoiled.grad[~SUBSETS] == 0).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_weights_sum_to_one_over_what_counts(strategy: str) -> None:
    found = _generator(strategy)(_summaries(), SUBSETS)
    counted = _counts(SUBSETS)
    assert torch.allclose(found.weights.sum(dim=1), counted.any(dim=1).float())
    assert (found.weights[~counted] == 0).all()
    assert ((found.synergy > 0) == counted[:, SYNERGY]).all()
    assert (found.synergy <= 1).all()
    assert found.query.isfinite().all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_samples_do_not_know_of_each_other(strategy: str) -> None:
    generator, summaries = _generator(strategy), _summaries()
    whole = generator(summaries, SUBSETS)
    for row in range(0, 64, 7):
        alone = generator(summaries[row : row + 1], SUBSETS[row : row + 1])
        assert _same(alone, GlobalQuery(*(part[row : row + 1] for part in whole)))


def test_a_modality_that_is_alone_has_all_the_weight() -> None:
    alone = torch.eye(6, dtype=torch.bool)[:SYNERGY]
    for strategy in STRATEGIES:
        found = _generator(strategy)(_summaries(5), alone)
        assert torch.equal(found.weights, alone.float())


def test_strategies_weigh_differently() -> None:
    everything = torch.ones(4, 6, dtype=torch.bool)
    found = {strategy: _generator(strategy)(_summaries(4), everything) for strategy in STRATEGIES}
    assert (found["dynamic"].weights.std(dim=1) > 0.01).all()
    assert torch.equal(found["audio"].weights, torch.eye(6)[VOICE].repeat(4, 1))
    others = found["concat"].weights[:, :SYNERGY]
    assert torch.allclose(others, others[:, :1].expand_as(others))
    queries = [found[strategy].query for strategy in STRATEGIES]
    assert not torch.allclose(queries[0], queries[1], atol=0.1)
    assert not torch.allclose(queries[1], queries[2], atol=0.1)


def test_the_voice_asks_the_others_and_not_itself() -> None:
    generator, summaries = _generator("audio"), _summaries(1)
    present = torch.ones(1, 6, dtype=torch.bool)
    alone = torch.eye(6, dtype=torch.bool)[VOICE][None]
    assert not torch.allclose(generator(summaries, present).query, generator(summaries, alone).query, atol=1e-2)
    torch.nn.init.zeros_(generator.anchor.ask.out.weight)
    torch.nn.init.zeros_(generator.anchor.ask.out.bias)
    assert torch.allclose(generator(summaries, present).query, generator(summaries, alone).query, atol=1e-6)


def test_without_a_voice_the_mean_of_what_is_present_asks() -> None:
    generator, summaries = _generator("audio"), _summaries(1)
    present = torch.tensor([[True, False, True, False, False, True]])  # synergy without voice does not count
    found = generator(summaries, present)
    assert torch.allclose(found.weights, torch.tensor([[0.5, 0, 0.5, 0, 0, 0]]))
    swapped = summaries.clone()
    swapped[:, SYNERGY] *= -1
    assert _same(generator(swapped, present), found)
    swapped[:, 0] *= -1
    assert not torch.allclose(generator(swapped, present).query, found.query, atol=1e-2)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_silent_video_does_not_listen_to_synergy(strategy: str) -> None:
    generator, summaries = _generator(strategy), _summaries(3)
    unchecked = torch.ones(3, 6, dtype=torch.bool)
    unchecked[0, VOICE] = False  # a silent video
    unchecked[1, 1:3] = False  # sound over a still picture
    unchecked[2, :SYNERGY] = False  # synergy alone
    without = unchecked.clone()
    without[:, SYNERGY] = False
    assert _same(generator(summaries, unchecked), generator(summaries, without))
    everything = torch.ones(3, 6, dtype=torch.bool)
    without = everything.clone()
    without[:, SYNERGY] = False
    believed, disbelieved = generator(summaries, everything), generator(summaries, without)
    assert not torch.allclose(believed.query, disbelieved.query, atol=1e-3)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_trust_is_the_same_as_no_synergy(strategy: str) -> None:
    generator, summaries = _generator(strategy), _summaries(4)
    everything = torch.ones(4, 6, dtype=torch.bool)
    without = everything.clone()
    without[:, SYNERGY] = False
    torch.nn.init.constant_(generator.trust[-1].bias, -60.0)
    found = generator(summaries, everything)
    assert (found.synergy < 1e-20).all()
    assert torch.allclose(found.query, generator(summaries, without).query, atol=1e-6)


def test_trust_starts_between_a_half_and_nine_tenths() -> None:
    for strategy in STRATEGIES:
        torch.manual_seed(0)
        generator = AdaptiveQueryGenerator(modalities=ALL, dim=48, heads=4, strategy=strategy)
        trust = generator(torch.randn(50, 6, 48), torch.ones(50, 6, dtype=torch.bool)).synergy
        assert ((trust > 0.5) & (trust < 0.9)).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_weight_learns(strategy: str) -> None:
    generator = _generator(strategy).train()
    (generator(_summaries(), SUBSETS).query * _summaries()[:, 0]).sum().backward()
    still = [name for name, p in generator.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still
    assert all(p.grad.isfinite().all() for p in generator.parameters())


def test_few_modalities_need_no_synergy_and_no_voice() -> None:
    for strategy in STRATEGIES:
        generator = _generator(strategy, ("words", "face"))
        found = generator(torch.randn(2, 2, 16), torch.tensor([[True, False], [False, False]]))
        assert found.synergy.tolist() == [0, 0]
        assert found.weights.tolist() == [[1, 0], [0, 0]]
        assert found.query.isfinite().all()


def _overheard(samples: int, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Labels (B,), where synergy lies (B,), and summaries (B, 4, 16) of voice, face, words and synergy.

    Voice and face carry the label under noise. Synergy carries it clearly in half of the samples and says the opposite
    in the other half, in which a column of the voice speaks of noise.
    """
    labels = torch.randint(0, 2, (samples,), generator=random)
    lies = torch.rand(samples, generator=random) < 0.5
    summaries, sign = torch.randn(samples, 4, 16, generator=random), (2 * labels - 1).float()
    summaries[:, :2, 0] += 0.8 * sign[:, None]
    summaries[:, 3, 0] = 0.3 * summaries[:, 3, 0] + 2 * torch.where(lies, -sign, sign)
    summaries[:, 0, 1] = 0.3 * summaries[:, 0, 1] + torch.where(lies, 2.0, -2.0)
    return labels, lies, summaries


def test_learns_when_to_ignore_synergy() -> None:
    """The spec's last question: what if synergy is wrong? Trust falls where it lies, and then it does no harm."""
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    generator = AdaptiveQueryGenerator(modalities=("voice", "face", "words", "synergy"), dim=16, heads=2, hidden=32)
    read = torch.nn.Linear(16, 2)
    optimizer = torch.optim.AdamW([*generator.parameters(), *read.parameters()], lr=3e-3)
    for _ in range(300):
        labels, _, summaries = _overheard(256, random)
        present = torch.ones(256, 4, dtype=torch.bool)
        present[torch.rand(256, generator=random) < 0.3, 3] = False  # modality dropout
        loss = torch.nn.functional.cross_entropy(read(generator(summaries, present).query), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        labels, lies, summaries = _overheard(4000, random)
        everything = torch.ones(4000, 4, dtype=torch.bool)
        without = everything.clone()
        without[:, 3] = False
        found = generator(summaries, everything)
        right = read(found.query).argmax(dim=1) == labels
        alone = read(generator(summaries, without).query).argmax(dim=1) == labels
    assert found.synergy[lies].mean() < 0.3
    assert found.synergy[~lies].mean() > 0.6
    assert right[lies].float().mean() > alone[lies].float().mean() - 0.02
    assert right[~lies].float().mean() > alone[~lies].float().mean() + 0.05


def test_bad_input_names_the_cure() -> None:
    generator, present = _generator(), torch.ones(2, 6, dtype=torch.bool)
    with pytest.raises(InputError, match=r"came as \(2, 5, 16\); give \(B, 6, 16\)"):
        generator(torch.zeros(2, 5, 16), present)
    with pytest.raises(InputError, match=r"`present` is torch.float32 \(2, 6\); give bool \(2, 6\)"):
        generator(torch.zeros(2, 6, 16), present.float())
    with pytest.raises(ConfigError, match="no query strategy is called 'vision'; known: dynamic, audio, concat"):
        AdaptiveQueryGenerator(modalities=ALL, dim=16, heads=2, strategy="vision")
    for wrong in ((), ("face", "face"), ("smell",)):
        with pytest.raises(ConfigError, match="a query cannot be made from the modalities"):
            AdaptiveQueryGenerator(modalities=wrong, dim=16, heads=2)
    with pytest.raises(ConfigError, match="16 columns cannot be shared by 3 heads"):
        AdaptiveQueryGenerator(modalities=ALL, dim=16, heads=3)
    with pytest.raises(ConfigError, match="0 hidden"):
        AdaptiveQueryGenerator(modalities=ALL, dim=16, heads=2, hidden=0)
