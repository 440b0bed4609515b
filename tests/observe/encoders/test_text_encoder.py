"""BERT: tokens and their words, chunks of long text, batches, odd words, bad folders."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hero.checkpoints import Checkpoint
from hero.errors import WeightsError
from hero.observe.encoders.encoder import open_encoder

torch = pytest.importorskip("torch")
hub = pytest.importorskip("transformers")

from hero.observe.encoders import tiny_sound
from hero.observe.encoders.text import BertEncoder, chunks_of, load_bert

HELLO = ["Hello,", "I", "am", "so", "happy!"]


def checkpoint(folder: Path) -> Checkpoint:
    return Checkpoint("made", "bert", folder, "", "Apache-2.0", True, "0" * 64)


def load(folder: Path) -> BertEncoder:
    return load_bert(checkpoint(folder), device="cpu", precision="fp32")


def test_each_token_knows_its_word(bert: Path) -> None:
    encoder = load(bert)
    (found,) = encoder.encode([encoder.prepare(HELLO)])
    assert found.values.shape == (7, 32) and found.values.dtype == np.float32
    assert found.at.tolist() == [0, 0, 1, 2, 3, 4, 4]
    assert open_encoder(checkpoint(bert), device="cpu", precision="fp32").dim == 32


def test_features_are_the_last_hidden_states_without_marks(bert: Path) -> None:
    encoder = load(bert)
    model, tokenizer = hub.BertModel.from_pretrained(bert).eval(), hub.AutoTokenizer.from_pretrained(bert)
    batch = tokenizer(" ".join(HELLO), return_tensors="pt")
    with torch.inference_mode():
        wanted = model(**batch).last_hidden_state[0, 1:-1].numpy()
    assert encoder.encode([encoder.prepare(HELLO)])[0].values == pytest.approx(wanted, abs=1e-5)


def test_a_batch_equals_single_pieces(bert: Path) -> None:
    encoder = load(bert)
    texts = [HELLO, [], ["so"] * 700, ["no"], ["", " "], ["你们很高兴", "吗"], HELLO * 3, ["zebra"] * 120]
    pieces = [encoder.prepare(text) for text in texts]
    batch, single = encoder.encode(pieces), [encoder.encode([piece])[0] for piece in pieces]
    assert [len(found.values) for found in batch] == [7, 0, 700, 1, 0, 6, 21, 600]
    for a, b in zip(batch, single, strict=True):
        assert a.values == pytest.approx(b.values, abs=1e-4) and a.at.tolist() == b.at.tolist()
    assert batch[1].values.shape == (0, 32) and encoder.encode([]) == []


def test_chinese_unknown_and_broken_words(bert: Path) -> None:
    encoder = load(bert)
    piece = encoder.prepare(["我很好", "qß", "", "\ud800", "\u0e01\u0e02", "x" * 500, "\x00"])
    (found,) = encoder.encode([piece])
    assert piece.words[:3] == (0, 0, 0) and 2 not in piece.words and 5 in piece.words
    assert np.isfinite(found.values).all() and found.at.max() <= 6


def test_long_text_is_read_in_chunks_that_hardly_differ_from_the_whole(bert: Path) -> None:
    encoder = load(bert)
    words = (HELLO * 200)[:900]
    (found,) = encoder.encode([encoder.prepare(words)])
    assert found.values.shape[0] > 1000 and set(found.at) == set(range(900))
    first = encoder.encode([encoder.prepare(words[:300])])[0].values
    assert found.values[:100] == pytest.approx(first[:100], abs=0.2)  # other tokens around, same words
    assert np.abs(found.values[:100] - first[100:200]).max() > 0.2


def test_chunks_cover_every_token_once_and_cut_at_words() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        count, longest = int(generator.integers(1, 90)), int(generator.integers(2, 40))
        words = np.cumsum(generator.random(count) < generator.choice([0.02, 0.3, 1.0])).tolist()
        chunks = chunks_of(words, longest, int(generator.integers(0, 30)))
        assert chunks[0].keep_from == 0 and chunks[-1].keep_until == count
        assert all(
            0 < c.after - c.first <= longest and c.first <= c.keep_from < c.keep_until <= c.after for c in chunks
        )
        assert all(a.keep_until == b.keep_from for a, b in pairwise(chunks))
    words = [k // 3 for k in range(1200)]
    chunks = chunks_of(words, 510)
    assert len(chunks) == 3
    for chunk in chunks[1:]:
        assert words[chunk.first] != words[chunk.first - 1]
    for chunk in chunks[:-1]:
        assert words[chunk.after - 1] != words[chunk.after]
        assert chunk.after - chunk.keep_until >= 60


def test_golden_shape_of_bert_base(tmp_path: Path, bert: Path) -> None:
    torch.manual_seed(0)
    rows = len((bert / "vocab.txt").read_text("utf-8").split("\n")) - 1
    config = hub.BertConfig(vocab_size=rows, hidden_size=768, num_hidden_layers=1, num_attention_heads=12,
                            intermediate_size=64)  # fmt: skip
    hub.BertForMaskedLM(config).save_pretrained(tmp_path)  # the published file has a head too, and no pooler here
    for name in ("vocab.txt", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((bert / name).read_bytes())
    encoder = load(tmp_path)
    assert encoder.dim == 768 and encoder.encode([encoder.prepare(HELLO)])[0].values.shape == (7, 768)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, bert: Path) -> None:
    for file in bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("one\nmore\n")
    with pytest.raises(WeightsError, match="not that of its model"):
        load(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(WeightsError, match=r"no tokenizer: neither tokenizer\.json nor vocab\.txt"):
        load(tmp_path)
    other = tmp_path / "hubert"
    other.mkdir()
    tiny_sound.build_hubert(other)
    with pytest.raises(WeightsError, match="type 'hubert', not bert"):
        load(other)


def test_every_word_of_a_long_talk_from_many_threads(bert: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    encoder = load(bert)
    with ThreadPoolExecutor(4) as pool:
        pieces = list(pool.map(encoder.prepare, [HELLO * k for k in range(40)]))
    assert [len(piece.ids) for piece in pieces] == [7 * k for k in range(40)]
