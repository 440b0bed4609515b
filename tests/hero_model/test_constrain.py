"""Constrained decoding: whatever a model has learned, each row keeps to its own schema, and what it writes is an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llguidance")

from random_language import EVIDENCE, language_model

from hero.errors import ConfigError, VerdictError
from hero.ground.support import check
from hero.hero_model.constrain import JsonConstraint, Vocabulary
from hero.label_sets import LabelSet, label_set
from hero.labels import LABELS
from hero.reason import answer_schema as bounds
from hero.reason.answer import answer_prefix, answer_schema, candidates, most_bytes, read_answer, to_verdict
from hero.reason.verdict import cited, sentences

SEVEN, MER, OPEN = label_set("ekman7"), label_set("mer6"), label_set("open")
KINDS: list[tuple[str, LabelSet, bool]] = [
    ("en", SEVEN, False), ("zh", SEVEN, True), ("en", OPEN, True), ("zh", OPEN, True), ("en", MER, True),
]  # fmt: skip
WORD = {"type": "object", "properties": {"word": {"enum": ["yes", "no"]}}, "required": ["word"],
        "additionalProperties": False}  # fmt: skip


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short sentences, so that a random model is soon done; the benchmark runs the whole length."""
    monkeypatch.setattr(bounds, "MOST_TEXT", {"en": 10, "zh": 6})
    monkeypatch.setattr(bounds, "MOST_ITEM", {"en": 6, "zh": 4})
    monkeypatch.setattr(bounds, "MOST_REASONING", 2)
    monkeypatch.setattr(bounds, "MOST_SUMMARY", 3)


def _generate(
    name: str, schemas: Sequence[Mapping[str, Any]], most: int, *, as_ids: bool = False, **options: Any
) -> list[str]:
    """What a random model writes, one text per schema."""
    model, tokenizer = language_model(name)
    torch.manual_seed(0)
    prompt = torch.randint(0, 256, (len(schemas), 7))
    constraint = JsonConstraint(Vocabulary.of(tokenizer), schemas, prompt_tokens=7 if as_ids else 0)
    given = {"input_ids": prompt} if as_ids else {"inputs_embeds": model.get_input_embeddings()(prompt)}
    new = model.generate(
        **given, attention_mask=torch.ones_like(prompt), logits_processor=[constraint], max_new_tokens=most,
        pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id, **options,
    )[:, 7 if as_ids else 0 :]  # fmt: skip
    return tokenizer.batch_decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)


GREEDY = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
SAMPLED = {"do_sample": True, "temperature": 1.0, "top_p": 1.0, "top_k": 0}


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize(
    ("name", "options"), [("tiny-qwen2", SAMPLED), ("tiny-qwen2", GREEDY), ("tiny-llama", SAMPLED)],
    ids=["qwen2-sampled", "qwen2-greedy", "llama-sampled"],
)  # fmt: skip
def test_twenty_answers_of_an_untrained_model_are_verdicts(name: str, options: dict[str, Any]) -> None:
    kinds = KINDS * 4
    schemas = [answer_schema(EVIDENCE, labels, lang=lang, with_label=said) for lang, labels, said in kinds]
    most = max(most_bytes(EVIDENCE, labels, lang=lang, with_label=said) for lang, labels, said in kinds)
    texts = _generate(name, schemas, most + 1, **options)
    for text, (lang, labels, said) in zip(texts, kinds, strict=True):
        table = json.loads(text)
        assert json.dumps(table, ensure_ascii=False) == text, "not in the canonical form"
        assert ("final_emotion" in table) is said
        answer = read_answer(text, labels, with_label=said)
        for field in (answer.emotion_caption, answer.reasoning_process):
            assert all(cited(sentence) for sentence in sentences(field))
        words = candidates(answer, labels)
        verdict = to_verdict(answer, dict.fromkeys(words, 1 / len(words)), labels, lang=lang, abstain_below=0.0)
        assert verdict.label_set == labels.name
        assert check(verdict, EVIDENCE).claims >= 3
        assert not {"uncited", "unknown id", "inferred cited as observed"} & {
            flaw.problem for flaw in check(verdict, EVIDENCE).flaws
        }


@pytest.mark.usefixtures("_short")
def test_answers_validate_against_their_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = answer_schema(EVIDENCE, OPEN, with_label=True)
    texts = _generate("tiny-qwen3", [schema] * 4, most_bytes(EVIDENCE, OPEN, with_label=True) + 1, **SAMPLED)
    for text in texts:
        jsonschema.validate(json.loads(text), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(texts[0]), "emotion_caption": "Uncited."}, schema)


def test_each_row_keeps_to_its_own_schema_whether_the_prompt_is_ids_or_embeddings() -> None:
    only = [{**WORD, "properties": {"word": {"enum": [word]}}} for word in ("yes", "certainly not", "é“好”")]
    expected = ['{"word": "yes"}', '{"word": "certainly not"}', '{"word": "é“好”"}']
    for as_ids in (False, True):
        assert _generate("tiny-qwen2", only, 40, as_ids=as_ids, **SAMPLED) == expected


def test_a_row_that_has_ended_may_only_end_again() -> None:
    _, tokenizer = language_model("tiny-qwen2")
    vocabulary = Vocabulary.of(tokenizer)
    texts = [tokenizer.encode(f'{{"word": "{word}"}}') for word in ("no", "yes")]
    assert len(texts[0]) < len(texts[1])
    steps = len(texts[1]) + 2
    rows = torch.full((2, steps), tokenizer.pad_token_id)
    for row, text in enumerate(texts):
        rows[row, : len(text) + 1] = torch.tensor([*text, vocabulary.end])
    constraint = JsonConstraint(vocabulary, [WORD, WORD])
    for step in range(steps):
        scores = constraint(rows[:, :step], torch.zeros(2, len(tokenizer)))
        for row, text in enumerate(texts):
            fits = scores[row].isfinite().nonzero().flatten().tolist()
            if step < len(text):
                assert text[step] in fits and vocabulary.end not in fits
            else:
                assert fits == [vocabulary.end]


def test_special_tokens_never_stand_in_an_answer() -> None:
    _, tokenizer = language_model("tiny-qwen3")
    vocabulary = Vocabulary.of(tokenizer)
    constraint = JsonConstraint(vocabulary, [answer_schema(EVIDENCE, SEVEN)])
    written: list[int] = []
    generator = torch.Generator().manual_seed(0)
    for _ in range(120):
        scores = constraint(torch.tensor([written], dtype=torch.long), torch.zeros(1, len(tokenizer)))
        fits = scores[0].isfinite()
        assert not fits[tokenizer.all_special_ids].any()
        written.append(int(torch.multinomial(fits.float(), 1, generator=generator)))


def test_logits_wider_than_the_vocabulary_are_closed_at_their_end() -> None:
    _, tokenizer = language_model("tiny-qwen2")
    constraint = JsonConstraint(Vocabulary.of(tokenizer), [WORD])
    scores = constraint(torch.zeros(1, 0, dtype=torch.long), torch.zeros(1, 1000))
    assert scores.shape == (1, 1000)
    assert scores[0, : len(tokenizer)].isfinite().any()
    assert not scores[0, len(tokenizer) :].isfinite().any()


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_longest_answer_one_byte_at_a_time_ends_within_the_bound(lang: str) -> None:
    _, tokenizer = language_model("tiny-qwen2")
    end = tokenizer.eos_token_id
    constraint = JsonConstraint(Vocabulary.of(tokenizer), [answer_schema(EVIDENCE, OPEN, lang=lang, with_label=True)])
    # What goes on is taken before what comes to an end: characters of three bytes, then a blank, a comma, a bracket.
    wishes = [*range(0xFF, 0xDF, -1), *range(0xBF, 0x7F, -1), *b" ,["]
    order = [*wishes, *(byte for byte in range(256) if byte not in wishes)]
    rank = torch.full((len(tokenizer),), 1000)
    for token in range(len(tokenizer)):
        if (byte := _byte(tokenizer.convert_ids_to_tokens(token))) is not None:
            rank[token] = order.index(byte)
    rank[end] = 999
    bound = most_bytes(EVIDENCE, OPEN, lang=lang, with_label=True)
    written = torch.zeros(1, bound + 1, dtype=torch.long)
    for count in range(bound + 1):
        fits = constraint(written[:, :count], torch.zeros(1, len(tokenizer)))[0].isfinite()
        written[0, count] = torch.where(fits, rank, 2000).argmin()
        if written[0, count] == end:
            break
    assert written[0, count] == end, "not at its end within the bound"
    text = tokenizer.decode(written[0, :count], clean_up_tokenization_spaces=False)
    reached = len(text.encode())
    assert (0.99 if lang == "en" else 0.85) * bound < reached <= bound
    assert read_answer(text, OPEN, with_label=True).final_emotion


def _byte(piece: str) -> int | None:
    """The byte that a byte-level token stands for, if it is one byte (the table of GPT-2)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    table = {chr(byte): byte for byte in shown} | {chr(256 + place): byte for place, byte in enumerate(hidden)}
    return table.get(piece)


def test_an_answer_cut_off_before_its_end_is_named_as_such() -> None:
    text = _generate("tiny-qwen2", [answer_schema(EVIDENCE, SEVEN)], 60, **SAMPLED)[0]
    with pytest.raises(VerdictError, match="ends before it is complete"):
        read_answer(text, SEVEN, with_label=False)


def test_the_canonical_prefix_keeps_to_the_schema_up_to_the_label() -> None:
    _, tokenizer = language_model("tiny-qwen2")
    caption = "He frowns, 1.2 s [VE-01]."
    given = {"emotion_caption": caption, "evidence_summary": [{"id": "VE-01", "text": "frown"}],
             "reasoning_process": f"{caption} The words are unknown [ITE-01, inferred]."}  # fmt: skip
    answer = read_answer(json.dumps(given), SEVEN, with_label=False)
    constraint = JsonConstraint(Vocabulary.of(tokenizer), [answer_schema(EVIDENCE, SEVEN, with_label=True)])
    written = torch.tensor([tokenizer.encode(answer_prefix(answer))])
    fits = constraint(written, torch.zeros(1, len(tokenizer)))[0].isfinite().nonzero().flatten().tolist()
    assert {tokenizer.decode(token)[0] for token in fits} == {label[0] for label in LABELS}


def test_a_vocabulary_is_read_once() -> None:
    _, tokenizer = language_model("tiny-qwen2")
    assert Vocabulary.of(tokenizer) is Vocabulary.of(tokenizer)
    assert Vocabulary.of(tokenizer, end=tokenizer.pad_token_id).end == tokenizer.pad_token_id


def test_what_is_asked_wrongly_is_said() -> None:
    _, tokenizer = language_model("tiny-qwen2")
    vocabulary = Vocabulary.of(tokenizer)
    with pytest.raises(VerdictError, match="cannot be kept to its JSON schema"):
        JsonConstraint(vocabulary, [{"type": "string", "pattern": "(?=a)"}])
    with pytest.raises(VerdictError, match="without beams"):
        _generate("tiny-qwen2", [WORD], 10, num_beams=2, **GREEDY)
    used = JsonConstraint(vocabulary, [WORD])
    used(torch.tensor([tokenizer.encode('{"')]), torch.zeros(1, len(tokenizer)))
    with pytest.raises(VerdictError, match="serves one generation"):
        used(torch.zeros(1, 0, dtype=torch.long), torch.zeros(1, len(tokenizer)))
    with pytest.raises(VerdictError, match="row 1 cannot be kept"):
        JsonConstraint(vocabulary, [WORD, WORD])(
            torch.tensor([tokenizer.encode("{")[:1], tokenizer.encode("x")[:1]]), torch.zeros(2, len(tokenizer))
        )


def test_a_tokenizer_that_cannot_be_read() -> None:
    class Slow:
        eos_token_id = 1

    class Endless:
        eos_token_id = None

    with pytest.raises(ConfigError, match="cannot read this tokenizer"):
        Vocabulary.of(Slow())
    with pytest.raises(ConfigError, match="no end token"):
        Vocabulary.of(Endless())


def test_without_llguidance_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    _, tokenizer = language_model("tiny-qwen2")
    vocabulary = Vocabulary.of(tokenizer)
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(ConfigError, match="pip install"):
        JsonConstraint(vocabulary, [WORD])
