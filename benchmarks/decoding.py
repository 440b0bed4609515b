"""Constrained decoding: does it always give a verdict, and what does it cost beside free decoding?

    python benchmarks/decoding.py

1. Answers of an untrained model, sampled, in batches of 20: two languages, three label sets, 2 to 60 pieces of
   evidence, a schema per row. Each is read, its labels are scored, and it must become a verdict; an abstention is none.
2. CPU time per token, constrained against free, on a randomly initialised Qwen2 of the 0.5B shape with a vocabulary of
   151,936 (a byte-level BPE learned from Python's standard library, filled up with made words). Both sample from the
   same kind of logits, in turns; each round gives one ratio.
3. A batch of 16 answers against the same 16 one by one: the same shape with fewer layers, prompts of 300 tokens, the
   same number of new tokens in both. The time holds the prompt, too.
Times are CPU seconds with one torch thread, llguidance's own threads included: on an idle machine what a clock would show,
and hardly changed by other work on a busy one.
Writes `results/decoding.json`.
"""

from __future__ import annotations

import json
import random
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import torch
from bars import Bar, publish
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, PreTrainedTokenizerFast, Qwen2Config

from hero.errors import VerdictError
from hero.hero_model.constrain import JsonConstraint, Vocabulary
from hero.hero_model.score import label_probabilities
from hero.label_sets import LabelSet, label_set
from hero.pretrained import tiny_language
from hero.reason.answer import answer_prefix, answer_schema, candidates, most_bytes, read_answer, to_verdict
from hero.types import Evidence, Span, number_evidence

BATCHES, ROWS = 25, 20
ROUNDS, TOKENS = 4, 32  # of part 2; the first tokens are the fixed beginning, the rest free text
COMPARED, ANSWER_TOKENS, PROMPT_TOKENS, LAYERS = 16, 60, 300, 4  # of part 3
VOCABULARY = 151_936
SHAPE = {
    "hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14, "num_key_value_heads": 2,
    "vocab_size": VOCABULARY, "tie_word_embeddings": True,
}  # fmt: skip
END = "<|im_end|>"


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


def verdicts() -> tuple[Counter[str], dict[str, Any]]:
    """What became of each answer of an untrained model: "verdict", "abstention", or the flaw."""
    with tempfile.TemporaryDirectory() as folder:
        made = str(tiny_language.build("tiny-qwen2", Path(folder) / "tiny-qwen2"))
        model, tokenizer = AutoModelForCausalLM.from_pretrained(made).eval(), AutoTokenizer.from_pretrained(made)
    kinds = [(lang, label_set(name)) for lang in ("en", "zh") for name in ("ekman7", "mer6", "open")]
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


def wide_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of the standard library's words, filled up with made words to a published model's size."""
    source = Path(sysconfig.get_paths()["stdlib"])
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer, tokens.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=8000, initial_alphabet=alphabet, show_progress=False)
    tokens.train([str(file) for file in sorted(source.glob("*.py"))], trainer)
    chance, known = random.Random(0), tokens.get_vocab()
    fill: dict[str, None] = {}
    while len(known) + len(fill) < VOCABULARY - 300:  # a published vocabulary is smaller than its model's logits
        word = made_word(chance)
        if word not in known:
            fill[word] = None
    table = known | {word: len(known) + place for place, word in enumerate(fill)}
    tokens.model = models.BPE(vocab=table, merges=merges_of(tokens))
    tokens.add_special_tokens([AddedToken(END, special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token=END, pad_token=END)


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


def shaped(layers: int) -> Any:
    """A random Qwen2 of the 0.5B shape."""
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(Qwen2Config(**SHAPE, num_hidden_layers=layers)).eval()


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


def throughput(model: Any, tokenizer: Any) -> dict[str, float]:
    """Seconds for answers one by one and for all at once."""
    prompt = torch.randint(0, 8000, (COMPARED, PROMPT_TOKENS))
    write(model, tokenizer, prompt[:1], 8, constrained=True)
    seconds = []
    for batches in (list(prompt.split(1)), [prompt]):
        start = time.process_time()
        for batch in batches:
            write(model, tokenizer, batch, ANSWER_TOKENS, constrained=True)
        seconds.append(time.process_time() - start)
    return {"one_by_one_s": seconds[0], "together_s": seconds[1], "times": seconds[0] / seconds[1]}


def rounded(table: dict[str, float]) -> dict[str, float]:
    """Three decimals."""
    return {key: round(value, 3) for key, value in table.items()}


def main() -> int:
    """Measure, print and keep."""
    torch.set_num_threads(1)
    outcomes, lengths = verdicts()
    tokenizer = wide_tokenizer()
    model = shaped(24)
    one, four = cost(model, tokenizer, 1), cost(model, tokenizer, 4)
    del model
    batch = throughput(shaped(LAYERS), tokenizer)
    total = outcomes.total()
    bars = [
        Bar("schema-valid verdicts of an untrained model, share", outcomes["verdict"] / total, 1.0, note=f"{total} answers"),
        Bar("CPU time per token, constrained / free, batch 1", one["ratio"], 1.15, at_least=False),
        Bar("CPU time per token, constrained / free, batch 4", four["ratio"], 1.15, at_least=False),
        Bar("answers in a batch of 16 / one by one, throughput", batch["times"], 2.0, note=f"{LAYERS} layers"),
    ]  # fmt: skip
    details = {
        "untrained": {**lengths, "outcomes": dict(outcomes)},
        "cost_batch_1": rounded(one), "cost_batch_4": rounded(four), "throughput": rounded(batch),
    }  # fmt: skip
    return publish("decoding", bars, details)


if __name__ == "__main__":
    sys.exit(main())
