"""Constrained decoding: does it always give a verdict, and what does it cost beside free decoding?

    python benchmarks/decoding.py

1. Answers of an untrained model, sampled: two languages, three label sets. 440 are generated in a bare loop, batches of
   20, 2 to 60 pieces of evidence, a schema per row; each is read, its labels are scored, and it must become a verdict. 60
   go through the product's `LanguageModelReasoner.conclude_many`, on briefs of 3 to 30 pieces of evidence in the experts'
   own words. An abstention is no verdict.
2. CPU time per token, constrained against free, on a randomly initialised Qwen2 of the 0.5B shape with a vocabulary of
   151,936 (a byte-level BPE learned from the package's phrases, filled up with made words). Both sample from the same
   kind of logits, in turns; each round gives one ratio.
3. Verdicts a second of 16 cases by `conclude_many`, and of every fourth of them by `conclude`: the same model, saved to a
   folder that the reasoner opens; briefs of 20 pieces of evidence, answers of the length of a verdict of some sentences
   (an untrained model writes as much as it may, so its bounds are lowered), greedy, labels scored. In bfloat16.
Times are CPU seconds with one torch thread, llguidance's own threads included: on an idle machine what a clock would show,
and hardly changed by other work on a busy one.
Writes `results/decoding.json`.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from statistics import fmean, median
from typing import Any
from unittest.mock import patch

import torch
from bars import Bar, publish
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, Qwen2Config, Qwen2Tokenizer

import hero.phrases
import hero.reason.answer_schema as bounds_of_answers
from hero.config import ReasonerConfig
from hero.errors import VerdictError
from hero.hero_model.constrain import JsonConstraint, Vocabulary
from hero.hero_model.score import label_probabilities
from hero.label_sets import LabelSet, label_set
from hero.phrases import phrases
from hero.pretrained import tiny_language
from hero.reason.answer import answer_prefix, answer_schema, candidates, most_bytes, read_answer, to_verdict
from hero.reason.brief import write_brief
from hero.reason.language_model import LanguageModelReasoner
from hero.types import CaseFile, Evidence, Observation, Span, Timeline, number_evidence

KINDS = tuple((lang, name) for lang in ("en", "zh") for name in ("ekman7", "mer6", "open"))
BATCHES, ROWS = 22, 20  # of the bare loop of part 1
CASES = 10  # of each kind, through the reasoner
ROUNDS, TOKENS = 4, 32  # of part 2; the first tokens are the fixed beginning, the rest free text
COMPARED, PIECES, PRECISION = 16, 20, "bf16"  # of part 3
STRIDE = 7  # through what experts can say, so that a case has several modalities
VOCABULARY = 151_936
SHAPE = {
    "hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14, "num_key_value_heads": 2,
    "num_hidden_layers": 24,
    "vocab_size": VOCABULARY, "tie_word_embeddings": True,
}  # fmt: skip


class Clock(LogitsProcessor):
    """Notes when the scores of each token are asked for, and lets no row end (free decoding would end by chance)."""

    def __init__(self, end: int) -> None:
        self.end, self.times = end, []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.times.append(time.process_time())
        scores[:, self.end] = float("-inf")
        return scores

    @property
    def per_token_s(self) -> float:
        """Mean seconds from one token to the next, without the prompt."""
        return (self.times[-1] - self.times[0]) / (len(self.times) - 1)


def evidence(count: int) -> tuple[Evidence, ...]:
    """Made evidence: `count` observed pieces of three modalities and one inferred."""
    made = [
        Evidence(modality, modality, "cue", "A cue was observed.", "a cue", Span(i, i + 1.0), 0.9)
        for i, modality in zip(range(count), ("face", "voice", "words") * count, strict=False)
    ]
    inferred = Evidence("words", "impute", "cue", "Unknown.", "unknown", Span(0, 1.0), 0.2, inferred=True)
    return number_evidence([*made, inferred])


def verdicts(folder: Path) -> tuple[Counter[str], dict[str, Any]]:
    """What became of each answer that the bare loop generated: "verdict", "abstention", or the flaw."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    kinds = [(lang, label_set(name)) for lang, name in KINDS]
    cases = [(*kinds[row % len(kinds)], evidence(2 + 3 * row)) for row in range(ROWS)]
    schemas = [answer_schema(found, labels, lang=lang, with_label=labels.open) for lang, labels, found in cases]
    longest = max(most_bytes(found, labels, lang=lang, with_label=labels.open) for lang, labels, found in cases)
    outcomes: Counter[str] = Counter()
    lengths: list[int] = []
    for seed in range(BATCHES):
        torch.manual_seed(seed)
        prompt = torch.randint(0, 256, (ROWS, 16))
        new = model.generate(
            inputs_embeds=model.get_input_embeddings()(prompt), attention_mask=torch.ones_like(prompt),
            logits_processor=[JsonConstraint(Vocabulary.of(tokenizer), schemas)], max_new_tokens=longest + 1,
            do_sample=True, temperature=1.0, top_k=0, top_p=1.0, pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
        texts = tokenizer.batch_decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        lengths += (new != tokenizer.pad_token_id).sum(1).tolist()
        for text, (lang, labels, _) in zip(texts, cases, strict=True):
            outcomes[outcome(model, tokenizer, text, labels, lang)] += 1
        print(f"{(seed + 1) * ROWS} answers: {dict(outcomes)}", flush=True)
    return outcomes, {"longest_bound": longest, "tokens_median": median(lengths), "tokens_most": max(lengths)}


def reasoned(folder: Path) -> tuple[Counter[str], dict[str, Any]]:
    """What became of each case that the product's reasoner concluded: "verdict", or the reason of its abstention."""
    outcomes: Counter[str] = Counter()
    lengths: list[int] = []
    for seed, (lang, labels) in enumerate(KINDS):
        judge = reasoner(folder, labels, temperature=1.0, seed=seed, batch=5)
        cases = [case_of(3 * (place + 1), lang, first=place) for place in range(CASES)]
        for made in judge.conclude_many(cases, lang=lang):
            outcomes[made.verdict.abstention_reason or "verdict"] += 1
            lengths.append(made.details["answer_tokens"])
        print(f"{outcomes.total()} through the reasoner: {dict(outcomes)}", flush=True)
    return outcomes, {"tokens_median": median(lengths), "tokens_most": max(lengths)}


def outcome(model: Any, tokenizer: Any, text: str, labels: LabelSet, lang: str) -> str:
    """What becomes of one answer."""
    try:
        answer = read_answer(text, labels, with_label=labels.open)
        ids = torch.tensor([tokenizer.encode(answer_prefix(answer), add_special_tokens=False)])
        words = candidates(answer, labels)
        embeds = model.get_input_embeddings()(ids)
        chances = label_probabilities(model, tokenizer, embeds, torch.ones_like(ids), [words])[0]
        verdict = to_verdict(answer, chances, labels, lang=lang, abstain_below=0.0)
    except VerdictError as error:
        return error.line
    return "abstention" if verdict.abstained else "verdict"


def wide_tokenizer() -> Any:
    """A byte-level BPE of the package's own phrases, filled up with made words to a published size.

    Saved beside a model it opens as a published one does: Qwen2's tokenizer class, its marks and ChatML.
    """
    texts = sorted(Path(hero.phrases.__file__).parent.glob("*/*.yaml"))
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer, tokens.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=8000, initial_alphabet=alphabet, show_progress=False)
    tokens.train([str(file) for file in texts], trainer)
    chance, known = random.Random(0), tokens.get_vocab()
    fill: dict[str, None] = {}
    while len(known) + len(fill) < VOCABULARY - 300:  # a published vocabulary is smaller than its model's logits
        word = made_word(chance)
        if word not in known:
            fill[word] = None
    table = known | {word: len(known) + place for place, word in enumerate(fill)}
    pad, _, end = marks = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    made = Qwen2Tokenizer(
        vocab=table, merges=merges_of(tokens), eos_token=end, pad_token=pad, unk_token=pad,
        additional_special_tokens=list(marks), clean_up_tokenization_spaces=False,
    )  # fmt: skip
    made.chat_template = tiny_language.CHATML
    return made


def made_word(chance: random.Random) -> str:
    """A word, a number of Chinese characters, or punctuation, as byte-level BPE writes it."""
    kind = chance.random()
    if kind < 0.2:
        text = "".join(chr(chance.randint(0x4E00, 0x9FA5)) for _ in range(chance.randint(1, 3)))
    elif kind < 0.3:
        text = "".join(chance.choices(" .,;:!?()[]{}\"'\n\t-=+*/<>#_", k=chance.randint(2, 6)))
    else:
        text = chance.choice(("", " ")) + "".join(chance.choices("etaoinshrdlucmfwypvbgkjqxz", k=chance.randint(3, 11)))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return level.pre_tokenize_str(text)[0][0]


def merges_of(tokens: Tokenizer) -> list[tuple[str, str]]:
    """The merges of a BPE."""
    return [(first, second) for first, second in json.loads(tokens.to_str())["model"]["merges"]]


def shaped() -> Any:
    """A random Qwen2 of the 0.5B shape."""
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(Qwen2Config(**SHAPE)).eval()


def write(model: Any, tokenizer: Any, prompt: torch.Tensor, tokens: int, *, constrained: bool) -> Clock:
    """Sample so many tokens for each row, and the clock of it."""
    schema = answer_schema(evidence(20), label_set("ekman7"))
    clock = Clock(tokenizer.eos_token_id)
    processors: list[LogitsProcessor] = [clock]
    if constrained:
        processors.append(JsonConstraint(Vocabulary.of(tokenizer), [schema] * len(prompt)))
    model.generate(
        inputs_embeds=model.get_input_embeddings()(prompt), attention_mask=torch.ones_like(prompt), max_new_tokens=tokens,
        logits_processor=processors, do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    assert len(clock.times) == tokens, "an answer ended early: give fewer tokens"
    return clock


def cost(model: Any, tokenizer: Any, rows: int) -> dict[str, float]:
    """Milliseconds per token of both kinds, and the median of the rounds' ratios."""
    free, kept = [], []
    for turn in range(-1, ROUNDS):
        prompt = torch.randint(0, 8000, (rows, 16))
        pair = {}
        for constrained in (turn % 2 == 0, turn % 2 != 0):
            torch.manual_seed(turn)
            pair[constrained] = write(model, tokenizer, prompt, TOKENS, constrained=constrained).per_token_s
        if turn >= 0:  # the round before warms up
            free.append(pair[False])
            kept.append(pair[True])
    ratios = sorted(b / a for a, b in zip(free, kept, strict=True))
    return {
        "ratio": median(ratios), "ratio_least": ratios[0], "ratio_most": ratios[-1],
        "free_ms": 1000 * median(free), "constrained_ms": 1000 * median(kept),
    }  # fmt: skip


def throughput(folder: Path) -> dict[str, float]:
    """CPU seconds for a verdict one by one and together, and the tokens of briefs and answers."""
    cases = [case_of(PIECES, "en", first=place) for place in range(COMPARED)]
    judge = reasoner(folder, "ekman7", precision=PRECISION)
    with shorter_answers():
        judge.conclude_many([case_of(2, "en"), case_of(3, "en")])  # opens the model and reads the vocabulary
        start = time.process_time()
        alone = [judge.conclude(case) for case in cases[::4]]
        between = time.process_time()
        together = judge.conclude_many(cases)
        end = time.process_time()
    failed = [made.verdict.abstention_reason for made in (*alone, *together) if made.verdict.abstained]
    assert not failed, f"an abstention is no verdict: {failed[0]}"
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    briefs = [write_brief(case, label_set("ekman7")).messages for case in cases]
    single, batched = (between - start) / len(alone), (end - between) / len(together)
    return {
        "one_by_one_s": single, "together_s": batched, "times": single / batched,
        "brief_tokens": median(len(tokenizer.apply_chat_template(list(b), return_dict=False)) for b in briefs),
        "answer_tokens_one_by_one": fmean(made.details["answer_tokens"] for made in alone),
        "answer_tokens_together": fmean(made.details["answer_tokens"] for made in together),
    }  # fmt: skip


@contextmanager
def shorter_answers() -> Iterator[None]:
    """Bounds that let an untrained model, which writes as much as it may, write as much as a trained one would."""
    bounds: dict[str, Any] = {"MOST_CAPTION": 1, "MOST_REASONING": 5, "MOST_SUMMARY": 3, "MOST_CITED": 2}
    with patch.multiple(bounds_of_answers, MOST_TEXT={"en": 80, "zh": 40}, MOST_ITEM={"en": 24, "zh": 12}, **bounds):
        yield


def reasoner(folder: Path, labels: str, **settings: Any) -> LanguageModelReasoner:
    """The product's reasoner with the model in a folder; it never abstains for want of confidence."""
    given = {"model": str(folder), "device": "cpu", "batch": COMPARED, **settings}
    return LanguageModelReasoner(ReasonerConfig("language-model", 0.0, labels, given))


@cache
def told(lang: str) -> tuple[tuple[str, str, str, str], ...]:
    """(modality, cue, text, brief) of each piece of evidence that experts can bring, with made numbers in it."""
    number = defaultdict(lambda: Number(1.5))
    return tuple(
        (part, cue, entry["text"].format_map(number), entry["brief"].format_map(number))
        for part in ("face", "voice", "words", "motion", "scene")
        for cue, entry in phrases(part, lang).table.items()
        if isinstance(entry, dict) and {"text", "brief"} <= set(entry)
    )


class Number(float):
    """A number that any template takes."""

    def __format__(self, spec: str) -> str:
        return format(2 if spec.endswith("d") else float(self), spec) if spec else "2"


def case_of(count: int, lang: str, *, first: int = 0) -> CaseFile:
    """A case of so many observed pieces of evidence in the experts' own words, and one inferred piece."""
    rows = [told(lang)[(first + STRIDE * place) % len(told(lang))] for place in range(count)]
    found = number_evidence([
        Evidence(part, part, cue, text, brief, Span(place, place + 1.0), 0.9, strength=1 - place / 100)
        for place, (part, cue, text, brief) in enumerate(rows)
    ])  # fmt: skip
    observations: dict[str, Observation] = {}
    for part in {ev.modality for ev in found}:
        observations[part] = Observation(part, part, evidence=tuple(ev for ev in found if ev.modality == part))
    clip = {
        "name": "made.mp4",
        "sha256": "0" * 64,
        "duration_s": count + 1.0,
        "video": None,
        "audio": None,
        "notes": [],
    }
    weights = {part: 1 / len(observations) for part in observations}
    return CaseFile(Timeline(clip, observations, found), weights, None, {}, found, evidence(0), (), {})


def rounded(table: dict[str, float]) -> dict[str, float]:
    """Three decimals."""
    return {key: round(value, 3) for key, value in table.items()}


def main() -> int:
    """Measure, print and keep."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as spare:
        tiny = tiny_language.build("tiny-qwen2", Path(spare) / "tiny-qwen2")
        (bare, lengths), (through, more) = verdicts(tiny), reasoned(tiny)
        tokenizer, model, folder = wide_tokenizer(), shaped(), Path(spare) / "shaped"
        one, four = cost(model, tokenizer, 1), cost(model, tokenizer, 4)
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        del model
        batch = throughput(folder)
    valid, total = bare["verdict"] + through["verdict"], bare.total() + through.total()
    note = f"{total} answers, {through.total()} of them through the reasoner"
    bars = [
        Bar("schema-valid verdicts of an untrained model, share", valid / total, 1.0, note=note),
        Bar("CPU time per token, constrained / free, batch 1", one["ratio"], 1.15, at_least=False),
        Bar("CPU time per token, constrained / free, batch 4", four["ratio"], 1.15, at_least=False),
        Bar("verdicts of a batch of 16 / one by one, throughput", batch["times"], 2.0, note=f"24 layers, {PRECISION}"),
    ]  # fmt: skip
    details = {
        "untrained": {**lengths, "outcomes": dict(bare)}, "untrained_reasoner": {**more, "outcomes": dict(through)},
        "cost_batch_1": rounded(one), "cost_batch_4": rounded(four), "throughput": rounded(batch),
    }  # fmt: skip
    return publish("decoding", bars, details)


if __name__ == "__main__":
    sys.exit(main())
