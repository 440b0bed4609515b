"""The imputer without PyTorch: what it reads, what it writes, how often, and weights that do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import evidence

from hero import weights
from hero.errors import WeightsError
from hero.integrate.impute import END, MOST_WRITTEN, Imputer, Vocabulary, token_of
from hero.phrases import LANGUAGES, phrases
from hero.types import ModelUsed

TOKENS = (
    "<face>",
    "<voice>",
    END,
    "profile",
    "AU04",
    "AU05",
    "smile",
    "louder",
    "pitch_high",
    "softer",
    "slow",
    "fast",
)
WORDS = Vocabulary(
    TOKENS,
    {"face": ("AU04", "AU05", "smile"), "voice": ("louder", "pitch_high", "softer", "slow", "fast")},
    {"f0_hz": (200.0, 50.0)},
    {"face": 2, "voice": 3},
)
DIM = 8


def tensors(bias: dict[str, float], seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights of one decoder layer; `bias` sets the logits, which nothing else moves (the last layer is zero)."""
    rng = np.random.default_rng(seed)
    shapes = {"embed.weight": (len(TOKENS), DIM), "measure.weight": (DIM, WORDS.width), "measure.bias": (DIM,)}
    shapes |= {"nothing": (DIM,), "layers.0.widen.weight": (2 * DIM, DIM), "layers.0.widen.bias": (2 * DIM,)}
    shapes |= {"layers.0.narrow.weight": (DIM, 2 * DIM), "layers.0.narrow.bias": (DIM,)}
    for part in ("written", "observed"):
        for name in ("query", "key", "value", "out"):
            shapes |= {f"layers.0.{part}.{name}.weight": (DIM, DIM), f"layers.0.{part}.{name}.bias": (DIM,)}
    for norm in ("memory_norm", "norm", *(f"layers.0.norms.{k}" for k in range(3))):
        shapes |= {f"{norm}.weight": (DIM,), f"{norm}.bias": (DIM,)}
    made = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    made["answer.weight"] = np.zeros((len(TOKENS), DIM), np.float32)
    made["answer.bias"] = np.array([bias.get(token, -9.0) for token in TOKENS], np.float32)
    return made


def imputer(least: float = 0.3, enough: float = 0.2, **bias: float) -> Imputer:
    """An imputer whose chances are the logistic function of `bias`; `end` stands for END."""
    logits = {END if token == "end" else token: value for token, value in bias.items()}
    used = ModelUsed("imputer", "0" * 64, "made")
    return Imputer(
        [tensors(logits)], WORDS, 2, dict.fromkeys(WORDS.writes, enough), dict.fromkeys(WORDS.writes, least), used
    )


def test_writes_each_cue_once_the_likeliest_first() -> None:
    guess = imputer(louder=1.0, pitch_high=0.5, smile=5.0).impute([evidence("face", "smile")], "voice")
    assert list(guess.cues) == ["louder", "pitch_high"]  # a smile is no cue of the voice; the others are unlikely
    assert guess.cues["louder"] == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-5)
    assert guess.chance == pytest.approx((guess.cues["louder"] + guess.cues["pitch_high"]) / 2)


def test_writes_at_most_three() -> None:
    everything = dict.fromkeys(WORDS.writes["voice"], 2.0)
    assert len(imputer(**everything).impute([evidence("face", "AU04")], "voice").cues) == MOST_WRITTEN


def test_end_ends() -> None:
    guess = imputer(louder=-1.0, end=1.0).impute([evidence("face", "AU04")], "voice")
    assert guess.cues == {}
    assert guess.chance == guess.nothing == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-5)


def test_end_counts_only_where_it_is_likely_enough() -> None:
    unsure = {"louder": -1.0, "end": -0.5}  # 0.27 and 0.38
    assert imputer(enough=0.3, **unsure).impute([evidence("face", "AU04")], "voice").cues == {}
    assert list(imputer(enough=0.4, **unsure).impute([evidence("face", "AU04")], "voice").cues) == ["louder"]


def test_an_unlikely_second_cue_is_not_named() -> None:
    likely = {"louder": 0.0, "slow": -0.5}  # 0.5 and 0.38
    assert list(imputer(least=0.45, **likely).impute([evidence("face", "AU04")], "voice").cues) == ["louder"]
    assert list(imputer(least=0.3, **likely).impute([evidence("face", "AU04")], "voice").cues) == ["louder", "slow"]


def test_members_are_averaged() -> None:
    one, two = imputer(louder=2.0), imputer(louder=-2.0)
    both = replace(one, members=[*one.members, *two.members])
    assert both.impute([evidence("face", "AU04")], "voice").cues["louder"] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    "unknown",
    [
        evidence("face", "face_visible"),
        evidence("words", "utterance"),
        evidence("motion", "nod"),
        evidence("face", "smile", person=1),
        evidence("face", "smile", inferred=True),
        evidence("voice", "louder"),
    ],
    ids=lambda ev: ev.cue,
)
def test_what_was_not_trained_on_tells_nothing(unknown) -> None:
    assert imputer(louder=1.0).impute([unknown], "voice") is None


def test_words_are_never_written() -> None:
    assert imputer(louder=1.0).impute([evidence("face", "smile"), evidence("voice", "louder")], "words") is None


def test_keeps_the_strongest_of_each_cue_and_as_many_as_in_training() -> None:
    weak, strong = evidence("face", "AU04", strength=0.2), evidence("face", "AU04", 3.0, 4.0, strength=0.7)
    smile, eyes = evidence("face", "smile_with_cheeks", strength=0.9), evidence("face", "AU05", strength=0.1)
    assert WORDS.known([weak, eyes, strong, smile], "voice") == (smile, strong)


def test_encodes_strength_confidence_and_the_profile() -> None:
    profile = evidence("voice", "profile", strength=0.3, confidence=0.6, measures={"f0_hz": 250.0})
    high = evidence("voice", "pitch_high", strength=0.5, confidence=0.7, measures={"f0_hz": 250.0})
    cues, rows = WORDS.encode([profile, high])
    assert [TOKENS[cue] for cue in cues] == ["profile", "pitch_high"]
    np.testing.assert_allclose(rows, [[0.3, 0.6, 1.0], [0.5, 0.7, 0.0]], rtol=1e-6)


def test_ordinary_cues_count_only_when_marked() -> None:
    assert token_of(evidence("voice", "pitch_fall_end", strength=0.5)) is None
    assert token_of(evidence("voice", "pitch_fall_end", strength=0.7)) == "pitch_fall"


def card(**other: object) -> dict[str, object]:
    """The card of the made weights."""
    return {
        "name": "imputer", "licence": "made", "commercial": True, "data": "made", "ids_seen": [],
        "tokens": list(TOKENS), "writes": {side: list(cues) for side, cues in WORDS.writes.items()},
        "measures": {"f0_hz": [200.0, 50.0]}, "most": WORDS.most, "enough": {"face": 0.2, "voice": 0.2},
        "least": {"face": 0.3, "voice": 0.3}, "heads": 2, "members": 2, **other,
    }  # fmt: skip


def stored(folder: Path, **other: object) -> Path:
    """Two members in a file, each saying `louder`."""
    named = {f"{k}/{name}": value for k in range(2) for name, value in tensors({"louder": 1.0}, seed=k).items()}
    weights.write(folder / "imputer.safetensors", named, card(**other))
    return folder


def test_load_gives_back_what_was_stored(tmp_path: Path) -> None:
    loaded = Imputer.load(stored(tmp_path))
    assert len(loaded.members) == 2
    assert (loaded.words.tokens, loaded.words.measures) == (list(TOKENS), WORDS.measures)
    assert list(loaded.impute([evidence("face", "AU04")], "voice").cues) == ["louder"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tokens": [*TOKENS, "more"]}, "not for the 13 tokens"),
        ({"measures": {}}, "not for the 12 tokens and 2 numbers"),
        ({"members": 3}, "lack"),
        ({"least": None}, "lack"),
    ],
    ids=["tokens", "measures", "members", "least"],
)
def test_weights_that_do_not_fit_their_card(tmp_path: Path, wrong: dict[str, object], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        Imputer.load(stored(tmp_path, **wrong))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_cue_of_the_shipped_weights_has_words(lang: str) -> None:
    shipped = Imputer.load()
    table = phrases("missing", lang).table
    assert shipped.used.commercial is False
    for cues in shipped.words.writes.values():
        assert {f"cue_{cue}" for cue in cues} <= set(table)


def test_a_sentence_does_not_contradict_itself() -> None:
    """With pitch raised, lowered pitch is no longer open however likely; nor is a soft voice beside a loud one."""
    contrary = Vocabulary((*TOKENS, "pitch_low"), {**WORDS.writes, "voice": (*WORDS.writes["voice"], "pitch_low")},
                          WORDS.measures, WORDS.most)  # fmt: skip
    made = imputer(pitch_high=2.0, louder=1.0, softer=0.9, slow=-0.5)
    member = dict(made.members[0])
    member["embed.weight"] = np.vstack([member["embed.weight"], np.ones(DIM)]).astype(np.float32)
    member["answer.weight"] = np.zeros((len(TOKENS) + 1, DIM), np.float32)
    member["answer.bias"] = np.append(member["answer.bias"], np.float32(1.9))
    guess = replace(made, members=[member], words=contrary).impute([evidence("face", "AU04")], "voice")
    assert list(guess.cues) == ["pitch_high", "louder", "slow"]


def test_the_shipped_imputer_follows_the_face() -> None:
    """Eyes wide and brows up go with a louder voice more often than a pushed-up chin and lowered lip corners do."""
    shipped = Imputer.load()

    def chance(*cues: str) -> float:
        known = shipped.words.known([evidence("face", cue, strength=0.6, confidence=0.7) for cue in cues], "voice")
        coded = [part[None] for part in shipped.words.encode(known)]
        start = np.array([[shipped.words.tokens.index("<voice>")]])
        return float(shipped.chances(*coded, start)[0, 0, shipped.words.tokens.index("louder")])

    assert chance("AU05", "AU02") > chance("AU17", "AU15") + 0.1
