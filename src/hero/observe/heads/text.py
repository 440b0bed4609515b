"""Emotion of an English sentence from its word and letter n-grams: one sparse linear layer, numpy only.

Legend: F kept n-grams, 7 common labels.

A sentence becomes two bags, word n-grams (1-3, with negation marks) and letter n-grams within words (3-5). Each bag
holds (1 + log count) * idf, scaled to length 1. The weights are logistic regressions on features rescaled by their
naive Bayes log-count ratio (Wang & Manning 2012, "Baselines and Bigrams"), kept for the n-grams that matter most and
stored as 8 bits on a square-root scale, the log-odds calibrated by broken lines. N-grams are known by
their CRC-32, so no vocabulary is stored.

`scores` answers "which of the seven, each by itself" (GoEmotions is multi-label); `posterior` is one distribution over
the seven, for sentences that carry one emotion. Both are calibrated on the development split.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from hero import weights
from hero.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.types import ModelUsed

NAME = "text_emotion"
WORD_ORDERS = (1, 2, 3)
LETTER_ORDERS = (3, 4, 5)
NEGATION_REACH = 4  # words after a negation that are marked as negated
MAX_CHARACTERS = 2000  # longer input is cut: the head judges sentences

_REPEATS = re.compile(r"(.)\1{2,}")
_TOKEN = re.compile(r"\[name\]|[\w']+|[^\w\s]")
_SHOUTED = re.compile(r"[A-Z]{3,}")
_NEGATIONS = frozenset({"not", "no", "never", "without"})


def _tokens(sentence: str) -> list[str]:
    """Lower-case words and marks; drawn-out letters are cut to three."""
    return _TOKEN.findall(_REPEATS.sub(r"\1\1\1", sentence.lower().replace("’", "'")))


def word_grams(sentence: str) -> Counter[str]:
    """Word n-grams with sentence borders, negated words, shouting and length, as counted strings."""
    words = _tokens(sentence)
    bordered = ["^", *words, "$"]
    grams = Counter(words)
    grams.update(" ".join(pair) for pair in pairwise(bordered))
    grams.update(" ".join(three) for three in zip(words, words[1:], words[2:], strict=False))
    reach = 0
    for word in words:
        if word in _NEGATIONS or word.endswith("n't"):
            reach = NEGATION_REACH
        elif reach and (word[0].isalnum() or word[0] == "_"):
            grams[f"NEG_{word}"] += 1
            reach -= 1
    if _SHOUTED.search(sentence):
        grams["CAPS"] += 1
    grams[f"LEN{min(6, len(words) // 5)}"] += 1
    return grams


def letter_grams(sentence: str) -> Counter[str]:
    """Letter n-grams inside space-separated words, the word's borders included as spaces."""
    grams: Counter[str] = Counter()
    for word in sentence.lower().split():
        padded = f" {word} "
        for order in LETTER_ORDERS:
            if len(padded) <= order:
                grams[padded] += 1
                break
            grams.update(padded[i : i + order] for i in range(len(padded) - order + 1))
    return grams


def bags(sentence: str) -> tuple[dict[int, int], dict[int, int]]:
    """The sentence's two bags, word and letter n-grams: CRC-32 key -> count."""
    cut = sentence[:MAX_CHARACTERS]
    return _keyed("w", word_grams(cut)), _keyed("c", letter_grams(cut))


@dataclass(frozen=True, eq=False)
class TextHead:
    """The trained layer. `keys` (F,) sorted, `table` (F, 7) unpacked weights; see `load`."""

    keys: NDArray[np.uint32]
    idf: NDArray[np.float32]
    table: NDArray[np.float32]
    small: Mapping[str, NDArray[np.float64]]
    used: ModelUsed | None = None

    @classmethod
    def load(cls, folder: Path | None = None) -> TextHead:
        """Read the weights from `folder`, or those that ship in the package.

        Raises:
            WeightsError: the weights are missing or damaged.
        """
        read = weights.read(NAME, folder)
        packed = read.tensors["packed"]  # (F, 7) int8
        small = {
            k: np.asarray(v, dtype=np.float64) for k, v in read.tensors.items() if k not in ("keys", "packed", "idf")
        }
        idf = unpack_idf(read.tensors["idf"])
        return cls(read.tensors["keys"], idf, unpack(packed, small["scale"]), small, read.used)

    def knows(self, sentence: str) -> bool:
        """Whether any word of the sentence was seen often enough in training to count: the rest would be guessing."""
        words = Counter(w for w in _tokens(sentence[:MAX_CHARACTERS]) if len(w) > 1 and w[0].isalpha())
        return bool(np.isin(np.fromiter(_keyed("w", words), dtype=np.uint32), self.keys).any())

    def logits(self, sentence: str) -> NDArray[np.float64]:
        """Uncalibrated log-odds of each label (7,).

        Raises:
            UsageError: the sentence is not text.
        """
        if not isinstance(sentence, str):
            raise UsageError(f"a sentence must be text, got {type(sentence).__name__}; decode bytes first")
        total = self.small["bias"].copy()
        for bag in bags(sentence):
            wanted = np.fromiter(bag, dtype=np.uint32, count=len(bag))
            counts = np.fromiter(bag.values(), dtype=np.float32, count=len(bag))
            where = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
            known = self.keys[where] == wanted
            rows = where[known]
            values = (1 + np.log(counts[known])) * self.idf[rows]  # (n,)
            if len(rows):
                total += values @ self.table[rows] / np.sqrt(values @ values)
        return total

    def scores(self, sentence: str) -> NDArray[np.float64]:
        """Calibrated probability of each label by itself (7,); they need not sum to 1.

        Raises:
            UsageError: the sentence is not text.
        """
        return 1 / (1 + np.exp(-self._log_odds(sentence)))

    def labels(self, sentence: str) -> NDArray[np.bool_]:
        """Which labels stand out (7,): scores above the thresholds chosen on the development split.

        Raises:
            UsageError: the sentence is not text.
        """
        return self.scores(sentence) > self.small["thresholds"]

    def posterior(self, sentence: str) -> NDArray[np.float64]:
        """Calibrated distribution over the common labels (7,), summing to 1.

        Raises:
            UsageError: the sentence is not text.
        """
        mixed = self._log_odds(sentence) @ self.small["mix"] + self.small["mix_offset"]
        raised = np.exp(mixed - mixed.max())
        return raised / raised.sum()

    def _log_odds(self, sentence: str) -> NDArray[np.float64]:
        return bend(self.logits(sentence), self.small["knots"]) @ self.small["slopes"] + self.small["offset"]


def bend(logits: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits (..., 7) with their excess over each of J knots (J, 7), side by side (..., 7 * (J + 1)).

    A linear layer on these is a sum of broken lines: calibration that may bend where Platt's cannot.
    """
    over = np.maximum(0.0, logits[..., None, :] - knots)  # (..., J, 7)
    return np.concatenate([logits, over.reshape(*logits.shape[:-1], -1)], axis=-1)


def pack(table: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Weights (F, 7) as 8 bits on a square-root scale, with the largest weight of each column (7,)."""
    scale = np.abs(table).max(0)
    return (np.sign(table) * np.round(np.sqrt(np.abs(table) / scale) * 127)).astype(np.int8), scale


def unpack(packed: NDArray[np.int8], scale: NDArray[np.float64]) -> NDArray[np.float32]:
    """The weights that `pack` stored."""
    step = packed.astype(np.float32) / 127
    table = np.sign(step) * step**2 * scale
    return table.astype(np.float32)


IDF_STEP = 0.05  # idf lies in 1..11.6


def pack_idf(idf: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Inverse document frequencies (F,) in steps of 0.05."""
    return np.round(idf / IDF_STEP).astype(np.uint8)


def unpack_idf(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The frequencies that `pack_idf` stored."""
    return packed.astype(np.float32) * np.float32(IDF_STEP)


def _keyed(family: str, grams: Counter[str]) -> dict[int, int]:
    keyed: dict[int, int] = {}
    for gram, count in grams.items():
        key = crc32(f"{family}:{gram}".encode("utf-8", "surrogatepass"))
        keyed[key] = keyed.get(key, 0) + count
    return keyed
