"""The evidence decoder on T5: loaded from a folder in the hub's layout, it learns texts, obeys the task and its masks."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from hero.errors import ConfigError, WeightsError
from hero.nn.connector import Connector, Connectors
from hero.nn.connector_files import Training, load_connectors, save_connectors
from hero.nn.evidence_decoder import TASK_TOKENS
from hero.nn.t5_evidence_decoder import T5EvidenceDecoder
from hero.observe.connect import open_t5

TEXTS = ["a bright room", "声音颤抖"]


def build_t5(folder: Path) -> Path:
    """A seeded random T5 of two layers, 32 wide, whose tokenizer knows single bytes."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    table = {"<pad>": 0, "</s>": 1, "<unk>": 2, **{letter: 3 + i for i, letter in enumerate(letters)}}
    inner = Tokenizer(models.BPE(vocab=table, merges=[], unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=len(fast), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        decoder_start_token_id=0, dropout_rate=0.0,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def t5_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_t5(tmp_path_factory.mktemp("t5"))


def _open(folder: Path) -> T5EvidenceDecoder:
    torch.manual_seed(0)
    return open_t5(folder, 16).eval()


def test_the_task_decides_and_texts_are_learned_exactly(t5_folder: Path) -> None:
    decoder = _open(t5_folder)
    features = torch.randn(1, 5, 16).expand(2, -1, -1)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-2)
    for _ in range(300):
        loss = decoder.loss(features, None, ["visual", "audio"], TEXTS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    found = decoder.generate(features, None, ["visual", "audio"])
    assert [f.text for f in found] == TEXTS
    assert all(f.finished and f.confidence > 0.9 for f in found)
    assert [f.text for f in decoder.generate(features, None, ["audio", "visual"])] == TEXTS[::-1]
    cut = decoder.generate(features, None, "visual", max_tokens=4)[0]
    assert (cut.text, cut.finished) == ("a br", False)


def test_masked_and_absent_features(t5_folder: Path) -> None:
    decoder, features = _open(t5_folder), torch.randn(3, 5, 16)
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[0, 3:] = False
    mask[1] = False
    tokens = torch.zeros(3, 0, dtype=torch.long)
    plain = decoder(features, mask, "au", tokens)
    spoiled = features.clone()
    spoiled[~mask] = float("nan")
    assert torch.equal(decoder(spoiled, mask, "au", tokens), plain)
    found = decoder.generate(spoiled, mask, "au", max_tokens=4)
    assert (found[1].text, found[1].confidence) == ("", 0.0)
    assert 0 < found[0].confidence < 1
    texts = ["one", "never", "three"]
    rest = decoder.loss(features[[0, 2]], mask[[0, 2]], "au", texts[::2])
    assert decoder.loss(spoiled, mask, "au", texts).item() == pytest.approx(rest.item(), abs=1e-4)


def test_task_tokens_are_added_once(t5_folder: Path, tmp_path: Path) -> None:
    first = _open(t5_folder)
    first.save_backbone(tmp_path / "again")
    second = _open(tmp_path / "again")
    assert len(second.tokenizer) == len(first.tokenizer)
    ids = second.tokenizer.convert_tokens_to_ids(list(TASK_TOKENS))
    assert len(set(ids)) == 6
    assert max(ids) < second.model.get_input_embeddings().num_embeddings
    features, tokens = torch.randn(1, 2, 16), torch.zeros(1, 0, dtype=torch.long)
    second.enter.load_state_dict(first.enter.state_dict())
    assert torch.allclose(first(features, None, "au", tokens), second(features, None, "au", tokens), atol=1e-6)


def test_a_t5_travels_with_its_connectors(t5_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    part = Connector(dim_in=6, queries=4, dim=16, dim_lm=12, layers=1, heads=2)
    connectors = Connectors({"voice": part}, _open(t5_folder)).eval()
    save_connectors(tmp_path, connectors, Training())
    again = load_connectors(tmp_path, open_t5=open_t5).connectors
    tokens = part(torch.randn(1, 5, 6)).tokens
    heard = [c.decoder.generate(tokens, None, "audio", max_tokens=6) for c in (connectors, again)]
    assert heard[0] == heard[1]
    weights = tmp_path / "t5" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(WeightsError, match=r"model.safetensors is damaged"):
        load_connectors(tmp_path, open_t5=open_t5)


def test_bad_folders_name_the_cure(t5_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"cannot be loaded as T5 .*config.json"):
        open_t5(tmp_path, 16)
    bert = transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    transformers.BertModel(bert).save_pretrained(tmp_path / "bert")
    with pytest.raises(WeightsError, match=r"type 'bert'.*give a folder with a T5"):
        open_t5(tmp_path / "bert", 16)
    with pytest.raises(ConfigError, match="'smell'"):
        _open(t5_folder).generate(torch.randn(1, 2, 16), None, "smell")
