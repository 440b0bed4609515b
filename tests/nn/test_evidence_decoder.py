"""The evidence decoder: it learns texts exactly, obeys the task, keeps to its masks, and caches without changing a byte."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hero.errors import ConfigError, InputError
from hero.nn.evidence_decoder import (
    END,
    PAD,
    TASK_TOKENS,
    TASKS,
    VOCABULARY,
    EvidenceDecoder,
    encode_texts,
)

PAIRS = (
    ("visual", "A man stands in a hospital corridor."),
    ("audio", "语速缓慢，音调低。"),
    ("au", "Brows lowered (AU4), 0.7 s."),
    ("motion", "他突然站起来，捶打桌子。"),
)


def _decoder(seed: int = 0, **sizes: int) -> EvidenceDecoder:
    torch.manual_seed(seed)
    return EvidenceDecoder(**{"dim_features": 16, "dim": 64, "layers": 2, "heads": 4, **sizes}).eval()


def _features(seed: int = 1, samples: int = 4) -> torch.Tensor:
    return torch.randn(samples, 5, 16, generator=torch.Generator().manual_seed(seed))


def _overfit(decoder: EvidenceDecoder, features: torch.Tensor, tasks: list[str], texts: list[str]) -> EvidenceDecoder:
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=4e-3)
    decoder.train()
    for _ in range(250):
        loss = decoder.loss(features, None, tasks, texts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    return decoder.eval()


def test_learns_four_texts_exactly_and_is_sure_of_them() -> None:
    tasks, texts = [task for task, _ in PAIRS], [text for _, text in PAIRS]
    decoder = _overfit(_decoder(), _features(), tasks, texts)
    found = decoder.generate(_features(), None, tasks)
    assert [f.text for f in found] == texts
    assert all(f.finished and f.confidence > 0.9 for f in found)
    alone = decoder.generate(_features()[2:3], None, tasks[2])
    assert alone[0].text == texts[2]
    assert alone[0].confidence == pytest.approx(found[2].confidence, abs=1e-4)


def test_the_task_decides_where_the_features_are_the_same() -> None:
    features = _features(samples=1).expand(2, -1, -1)
    tasks, texts = ["visual", "audio"], ["a bright room", "声音颤抖"]
    decoder = _overfit(_decoder(), features, tasks, texts)
    assert [f.text for f in decoder.generate(features, None, tasks)] == texts
    assert [f.text for f in decoder.generate(features, None, tasks[::-1])] == texts[::-1]


@pytest.mark.parametrize("seed", range(3))
def test_cached_equals_uncached(seed: int) -> None:
    decoder, features = _decoder(seed), _features(seed)
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[1, 2:] = False
    tasks = ["visual", "motion", "text", "synergy"]
    fast = decoder.generate(features, mask, tasks, max_bytes=30)
    slow = decoder.generate(features, mask, tasks, max_bytes=30, cached=False)
    assert [f.text for f in fast] == [s.text for s in slow]
    assert [f.confidence for f in fast] == pytest.approx([s.confidence for s in slow], abs=1e-5)


def test_the_future_does_not_leak() -> None:
    decoder, features = _decoder(), _features(samples=1)
    first, second = encode_texts(["same start A"]), encode_texts(["same start B, and then more"])
    a, b = decoder(features, None, "text", first), decoder(features, None, "text", second)
    assert torch.allclose(a[:, :12], b[:, :12], atol=1e-5)
    assert not torch.allclose(a[:, 12], b[:, 12], atol=1e-3)


def test_masked_features_cannot_be_felt() -> None:
    decoder, features = _decoder(), _features()
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[:, 3:] = False
    tokens = encode_texts(["one", "two", "three", "四"])
    plain = decoder(features, mask, "visual", tokens)
    for junk in (1e30, float("nan"), float("inf")):
        spoiled = features.clone()
        spoiled[:, 3:] = junk
        assert torch.equal(decoder(spoiled, mask, "visual", tokens), plain)
    changed = features.clone()
    changed[:, 2] += 1
    assert not torch.allclose(decoder(changed, mask, "visual", tokens), plain)


def test_nothing_is_said_or_learned_of_an_absent_sample() -> None:
    decoder, features = _decoder(), _features()
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[1] = False
    features[1] = float("nan")
    found = decoder.generate(features, mask, "au", max_bytes=5)
    assert (found[1].text, found[1].confidence) == ("", 0.0)
    assert found[0].confidence > 0
    texts = ["one", "never", "three", "four"]
    rest = decoder.loss(features[[0, 2, 3]], mask[[0, 2, 3]], "au", [texts[0], *texts[2:]])
    assert decoder.loss(features, mask, "au", texts).item() == pytest.approx(rest.item(), abs=1e-5)
    assert decoder.loss(features[1:2], mask[1:2], "au", texts[1:2]).item() == 0


def test_absent_features_never_went_through_cross_attention() -> None:
    decoder, features, tokens = _decoder(), _features(), encode_texts(["ab"] * 4)
    for layer in decoder.layers:
        torch.nn.init.normal_(layer.cross_attention.out.bias)
    absent = decoder(features, torch.zeros(4, 5, dtype=torch.bool), "au", tokens)
    for layer in decoder.layers:
        torch.nn.init.zeros_(layer.cross_attention.out.weight)
        torch.nn.init.zeros_(layer.cross_attention.out.bias)
    assert torch.allclose(absent, decoder(features, None, "au", tokens), atol=1e-6)


def test_broken_utf8_is_left_out_and_the_length_kept() -> None:
    decoder, features = _decoder(), _features(samples=1)
    decoder = _overfit(decoder, features, ["text"], ["一二三"])
    found = decoder.generate(features, None, "text", max_bytes=7)[0]
    assert (found.text, found.finished) == ("一二", False)
    untrained = _decoder(3).generate(_features(3), None, "text", max_bytes=64)
    for decoded in untrained:
        decoded.text.encode("utf-8")
        assert "\ufffd" not in decoded.text


def test_no_padding_and_no_task_is_ever_chosen() -> None:
    decoder = _decoder()
    with torch.no_grad():
        decoder.leave.weight.zero_()
        decoder.leave.bias.copy_(decoder.embed.weight[PAD] * 100)  # the logits now favour padding above all
    favoured = decoder(_features(), None, "text", encode_texts(["a"] * 4)).argmax(dim=-1)
    assert (favoured == PAD).all()
    found = decoder.generate(_features(), None, "text", max_bytes=3)  # bytes() would refuse a 256
    assert all(f.confidence > 0 for f in found)


def test_texts_become_bytes_with_an_end() -> None:
    tokens = encode_texts(["ab", "一", "\ud800"])
    assert tokens.tolist() == [[97, 98, END, PAD], [0xE4, 0xB8, 0x80, END], [ord("?"), END, PAD, PAD]]
    assert 256 + 2 + len(TASKS) == VOCABULARY
    assert TASK_TOKENS[:2] == ("<visual_task>", "<motion_task>")


def test_one_embedding_serves_input_and_output() -> None:
    names = [name for name, p in _decoder().named_parameters() if VOCABULARY in p.shape]
    assert names == ["embed.weight"]


def test_bad_input_names_the_cure() -> None:
    decoder, features = _decoder(), _features()
    with pytest.raises(ConfigError, match=r"'smell'.*visual, motion, au, audio, text, synergy"):
        decoder.generate(features, None, "smell")
    with pytest.raises(ConfigError, match="2 tasks for 4 samples"):
        decoder.generate(features, None, ["text", "au"])
    with pytest.raises(InputError, match=r"16 feature columns got \(4, 5, 8\)"):
        decoder.generate(features[..., :8], None, "text")
    with pytest.raises(InputError, match=r"give bool \(4, 5\)"):
        decoder.generate(features, torch.ones(4, 3, dtype=torch.bool), "text")
    with pytest.raises(InputError, match="2 texts came for 4"):
        decoder.loss(features, None, "text", ["a", "b"])
    with pytest.raises(ConfigError, match="10 columns cannot be shared by 4 heads"):
        _decoder(dim=10)
