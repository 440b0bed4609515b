"""BERT over the words of a clip: one vector per token, each with the number of the word it belongs to.

Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding". Features are the
last hidden states without the marks [CLS] and [SEP]. BERT reads 510 tokens at a time; longer text is read in chunks that
overlap by about 128 tokens and begin at words, and each token is taken from the chunk in which it stands farther from
the edge.

Legend of shapes: B chunks of a batch; n tokens of one piece; D columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hero.errors import WeightsError
from hero.observe.encoders.encoder import Features
from hero.observe.encoders.sound_pieces import alike
from hero.pretrained.device import resolve
from hero.pretrained.loading import fetch_again, load_pretrained
from hero.pretrained.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision

MARKS = 2  # [CLS] and [SEP]
OVERLAP = 128
PADDING = 0.25  # chunks are short next to sound: a rather full batch is worth more than the padding it costs
CPU_BATCH, GPU_BATCH = 4, 32


@dataclass(frozen=True)
class Tokens:
    """The tokens of one piece: their numbers in the vocabulary, and the word that each belongs to."""

    ids: tuple[int, ...]
    words: tuple[int, ...]


@dataclass(frozen=True)
class Chunk:
    """Tokens `first` <= k < `after` are read together; those in `keep_from`..`keep_until` are taken from it."""

    first: int
    after: int
    keep_from: int
    keep_until: int


def chunks_of(words: Sequence[int], longest: int, overlap: int = OVERLAP) -> list[Chunk]:
    """Chunks of at most `longest` tokens that begin and end at words; `words` has each token's word.

    Neighbours share about `overlap` tokens, a third of a chunk at most. A word longer than half a chunk may be cut.
    """
    count, overlap = len(words), min(overlap, longest // 3)
    firsts, ends = [0], [_border(words, 0, longest)]
    while ends[-1] < count:
        wanted = max(firsts[-1] + 1, ends[-1] - overlap)
        first = next((k for k in range(wanted, ends[-1]) if words[k] != words[k - 1]), ends[-1] - 1)
        firsts.append(first)
        ends.append(_border(words, first, longest))
    middles = [(a + b) // 2 for a, b in zip(firsts[1:], ends[:-1], strict=True)]
    borders = [0, *middles, count]
    return [Chunk(*four) for four in zip(firsts, ends, borders[:-1], borders[1:], strict=True) if four[1] > four[0]]


def _border(words: Sequence[int], first: int, longest: int) -> int:
    """The last word border at most `longest` tokens after `first`, or the cut in the middle of an endless word."""
    end = min(len(words), first + longest)
    if end == len(words):
        return end
    return next((k for k in range(end, first + longest // 2, -1) if words[k] != words[k - 1]), end)


class BertEncoder:
    """A frozen BERT; a piece is the tokens of a list of words, its features are (n, D) with `at` = numbers of words."""

    piece_frames = 0

    def __init__(
        self, model: Any, tokenizer: Any, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.dim = int(model.config.hidden_size)
        self.used = checkpoint.used
        self.batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        self._longest = int(model.config.max_position_embeddings) - MARKS
        self._model, self._tokenizer = model, tokenizer
        self._device, self._dtype = device, dtype
        self._lock = Lock()  # the tokenizer keeps state of its own

    def prepare(self, raw: Sequence[str]) -> Tokens:
        """The tokens of a list of words; an empty word has none, and what the vocabulary lacks becomes [UNK]."""
        words = [word.encode("utf-8", "replace").decode() for word in raw]  # lone surrogates, which no tokenizer reads
        if not words:
            return Tokens((), ())
        with self._lock:
            found = self._tokenizer(words, is_split_into_words=True, add_special_tokens=False, verbose=False)
            return Tokens(tuple(found["input_ids"]), tuple(found.word_ids()))

    def encode(self, pieces: Sequence[Tokens]) -> list[Features]:
        """Features of each piece; chunks of like lengths share a forward pass."""
        values = [np.zeros((len(piece.ids), self.dim), np.float32) for piece in pieces]
        chunks = [
            (k, chunk) for k, piece in enumerate(pieces) if piece.ids for chunk in chunks_of(piece.words, self._longest)
        ]
        for group in alike([chunk.after - chunk.first for _, chunk in chunks], PADDING):
            for at in range(0, len(group), max(1, self.batch)):
                part = [chunks[k] for k in group[at : at + self.batch]]
                states = self._forward([pieces[k].ids[chunk.first : chunk.after] for k, chunk in part])  # (B, n + 2, D)
                for row, (k, chunk) in zip(states, part, strict=True):
                    own = slice(1 + chunk.keep_from - chunk.first, 1 + chunk.keep_until - chunk.first)
                    values[k][chunk.keep_from : chunk.keep_until] = row[own]
        return [Features(found, np.array(piece.words, np.float64)) for found, piece in zip(values, pieces, strict=True)]

    def _forward(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        begin, end = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id
        longest = max(map(len, texts)) + MARKS
        ids = np.zeros((len(texts), longest), np.int64)
        mask = np.zeros((len(texts), longest), np.int64)
        for row, text in enumerate(texts):
            ids[row, : len(text) + MARKS] = (begin, *text, end)
            mask[row, : len(text) + MARKS] = 1
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.from_numpy(ids).to(self._device),
                attention_mask=None if mask.all() else torch.from_numpy(mask).to(self._device),
            )
        states: NDArray[np.float32] = output.last_hidden_state.float().cpu().numpy()
        return states


def load_bert(checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto") -> BertEncoder:
    """The BERT of a checkpoint folder with its tokenizer.

    Raises:
        WeightsError: the folder is no whole BERT, or its vocabulary is not the model's.
        ConfigError: the device or precision is not here.
    """
    where, dtype = resolve(device, precision)
    model = load_pretrained(
        "BertModel", checkpoint, dtype=dtype, device=where, types=("bert",), add_pooling_layer=False
    )  # fmt: skip
    tokenizer = load_tokenizer(checkpoint, model, ("vocab.txt",))
    if tokenizer.cls_token_id is None or tokenizer.sep_token_id is None or not tokenizer.is_fast:
        raise WeightsError(
            f"the tokenizer in {checkpoint.folder} is none of BERT: it lacks the marks [CLS] and [SEP]; "
            f"{fetch_again(checkpoint.folder)}"
        )
    return BertEncoder(model, tokenizer, checkpoint, where, dtype)
