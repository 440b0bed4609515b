"""The language-model reasoner on tiny random models: valid verdicts, the same alone and together, honest failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llguidance")
pytest.importorskip("peft")

from builders import case, evidence, posterior
from test_adjudicator import masked_smile
from transformers import LogitsProcessor

from hero.config import IntegrateConfig, ReasonerConfig
from hero.errors import ConfigError, WeightsError
from hero.ground.support import check
from hero.hero_model import HeroModel, Lora
from hero.hero_model.base import find_base
from hero.integrate.model import open_model
from hero.integrate.weigh import integrate
from hero.label_sets import label_set
from hero.nn.connector_files import Training
from hero.reason.answer import read_answer
from hero.reason.language_model import NO_CONTEXT, TEXT_ONLY, LanguageModelReasoner
from hero.reason.reasoner import Conclusion
from hero.types import CaseFile, Observation, Timeline, Track

TINY = {"model": "tiny-qwen2", "device": "cpu", "precision": "fp32"}
TRAINED = Training(True, "made up for a test", "CC0-1.0", True, "1", {})


@pytest.fixture(autouse=True)
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrained models write as much as they may: let that be little."""
    for name in ("MOST_CAPTION", "MOST_REASONING", "MOST_SUMMARY", "MOST_CITED"):
        monkeypatch.setattr(f"hero.reason.answer_schema.{name}", 1)
    monkeypatch.setattr("hero.reason.answer_schema.MOST_TEXT", {"en": 20, "zh": 12})


class Dictated(LogitsProcessor):
    """Lets a model write these tokens and no others."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = list(tokens)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        wanted = torch.full_like(scores, float("-inf"))
        wanted[:, self.tokens[input_ids.shape[1]]] = 0
        return wanted


def reasoner(labels: str = "ekman7", *, abstain_below: float = 0.0, **settings: Any) -> LanguageModelReasoner:
    """A reasoner on the tiny Qwen2."""
    return LanguageModelReasoner(ReasonerConfig("language-model", abstain_below, labels, {**TINY, **settings}))


def voices(count: int) -> CaseFile:
    """A case of many pieces of evidence, the heaviest first."""
    found = [evidence("voice", f"cue{n}", n, n + 1, strength=1 - n / 100) for n in range(count)]
    return case(found, {"voice": 1.0}, posterior(sad=0.6))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("labels", ["ekman7", "mer6", "open"])
def test_an_untrained_model_gives_a_valid_verdict(labels: str, lang: str) -> None:
    made = masked_smile()
    conclusion = reasoner(labels).conclude(made, lang=lang)
    verdict = conclusion.verdict
    assert not verdict.abstained and verdict.label_set == labels and verdict.lang == lang
    if labels != "open":
        assert verdict.final_emotion in label_set(labels).labels
        assert sum(verdict.alternatives.values()) + verdict.confidence <= 1.001
    flaws = {flaw.problem for flaw in check(verdict, (*made.evidence, *made.inferred)).flaws}
    assert not flaws & {"uncited", "unknown id", "inferred cited as observed"}
    assert conclusion.notes[0] == TEXT_ONLY and "random model" in conclusion.notes[-1]
    assert conclusion.details["answer_tokens"] > 20 and conclusion.models[0].name == "tiny-qwen2"


def test_the_probability_is_scored_and_depends_on_the_evidence() -> None:
    first, again = (reasoner().conclude(masked_smile()) for _ in range(2))
    other = reasoner().conclude(voices(3))
    assert first == again
    chances = first.details["probabilities"]
    assert sum(chances.values()) == pytest.approx(1, abs=1e-4) and set(chances) == set(label_set("ekman7").labels)
    assert first.verdict.confidence == pytest.approx(max(chances.values()), abs=1e-4)
    assert other.details["probabilities"] != chances


def test_below_the_threshold_it_abstains_with_its_reason() -> None:
    verdict = reasoner(abstain_below=0.99).conclude(masked_smile()).verdict
    assert verdict.abstained and "99%" in str(verdict.abstention_reason)


def test_one_and_many_give_the_same_verdicts() -> None:
    cases = [masked_smile(), voices(2), voices(9)]
    judge = reasoner()
    together = [made.verdict for made in judge.conclude_many(cases)]
    assert [made.verdict for made in reasoner(batch=2).conclude_many(cases)] == together
    assert together == [judge.conclude(one).verdict for one in cases]


def test_free_decoding_repairs_once_and_then_abstains() -> None:
    conclusion = reasoner(decode="free", answer_tokens=40).conclude(masked_smile())
    assert conclusion.verdict.abstained and conclusion.details["repaired"]
    assert 40 < conclusion.details["answer_tokens"] <= 80
    assert "no answer that can be used" in str(conclusion.verdict.abstention_reason)


def test_a_repaired_answer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    good = {
        "emotion_caption": "Brows are lowered [VE-01].",
        "evidence_summary": [{"id": "VE-01", "text": "lowered brows"}],
        "reasoning_process": "Lowered brows [VE-01].",
        "final_emotion": "Fear",  # what this model scores highest
    }
    said: list[list[int]] = []

    whole = HeroModel.generate

    def generate(self: HeroModel, ids: torch.Tensor, mask: torch.Tensor, **options: Any) -> Any:
        """What the model would have to read and write for the text to be its own."""
        said.append(ids[0].tolist())
        text = "I think so." if len(said) == 1 else json.dumps(good)
        tokens = self.tokenizer.encode(text, add_special_tokens=False)
        options["logits_processor"] = [Dictated(tokens)]
        return whole(self, ids, mask, **options | {"max_new_tokens": len(tokens)})

    monkeypatch.setattr(HeroModel, "generate", generate)
    judge = reasoner(decode="free")
    conclusion = judge.conclude(masked_smile())
    assert not conclusion.verdict.abstained and conclusion.details["repaired"] and len(said) == 2
    asked_again = judge._source.model().tokenizer.decode(said[1])
    assert "I think so." in asked_again and "no JSON object" in asked_again


def test_a_cut_answer_is_an_abstention() -> None:
    verdict = reasoner(answer_tokens=5).conclude(masked_smile()).verdict
    assert verdict.abstained and "no answer" in str(verdict.abstention_reason)


def test_what_finds_no_room_is_dropped_and_listed() -> None:
    made = voices(30)
    conclusion = reasoner(context_tokens=2400).conclude(made)
    dropped = conclusion.details["dropped_evidence"]
    assert 0 < len(dropped) < 30
    assert dropped == [ev.id for ev in made.evidence[-len(dropped) :]]
    assert any(dropped[0] in note and "lightest" in note for note in conclusion.notes)
    none = reasoner(context_tokens=300).conclude(made)
    assert none.verdict.abstained and "300 tokens" in str(none.verdict.abstention_reason)


def test_without_evidence_there_is_nothing_to_ask() -> None:
    verdict = reasoner().conclude(case([], {}, None)).verdict
    assert verdict.abstained and "there is no evidence" in str(verdict.abstention_reason)
    assert check(verdict, ()).claims == 0  # an abstention for want of an answer claims nothing


def test_a_language_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="known: en, zh"):
        reasoner().conclude_many([masked_smile()], lang="fr")


def test_the_stream_is_the_answer() -> None:
    judge = reasoner()
    pieces = list(judge.stream(masked_smile()))
    answer = read_answer("".join(pieces), judge.labels, with_label=False)
    assert len(pieces) > 5 and answer.emotion_caption == judge.conclude(masked_smile()).verdict.emotion_caption


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"colour": 1}, "known: model"), ({"decode": "json"}, "constrained, free"), ({"temperature": -1}, "0.01 to 100"),
     ({"temperature": float("inf")}, "0.01 to 100"), ({"temperature": 1e-300}, "0.01 to 100"),
     ({"seed": 10**22}, "whole number"),
     ({"model": None}, "allowed: a word"), ({"model": "auto"}, "no language model is named"),
     ({"model": "gpt-x"}, "no checkpoint is called")],
)  # fmt: skip
def test_wrong_settings_say_what_is_allowed(
    settings: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hero.models.folders", lambda: (tmp_path,))
    with pytest.raises(ConfigError, match=message):
        reasoner(**settings).conclude(masked_smile())


def test_licence_open_refuses_what_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_base("tiny-qwen2")
    monkeypatch.setattr("hero.hero_model.base.find_base", lambda _: replace(found, commercial=False))
    with pytest.raises(ConfigError, match="commercial"):
        LanguageModelReasoner(ReasonerConfig("language-model", 0, "ekman7", TINY), licence="open")


PARTS = {"voice": {"dim_in": 6, "queries": 2}, "face": {"dim_in": 5, "queries": 2}}


def checkpoint(folder: Path, training: Training = TRAINED) -> Path:
    """A HERO checkpoint of random weights that says it was trained."""
    torch.manual_seed(0)
    sizes = {"parts": PARTS, "dim": 32, "heads": 4, "layers": 1, "queries": 4}
    model = HeroModel.from_base("tiny-qwen2", integration=sizes, lora=Lora(r=2, alpha=4), training=training)
    model.save_pretrained(folder)
    return folder


def watched(columns: Sequence[int] = (6, 5), seed: int = 0) -> Timeline:
    """The masked smile's timeline with feature tracks of a voice and a face."""
    rng = np.random.default_rng(seed)
    line = masked_smile().timeline
    made = {}
    for modality, width in zip(("voice", "face"), columns, strict=True):
        times = np.arange(20) / 5
        values = rng.standard_normal((20, width)).astype(np.float32)
        track = Track("features", values, times, np.ones(20, bool), tuple(f"{i}" for i in range(width)))
        made[f"{modality}_features"] = Observation(f"{modality}_features", modality, {"features": track})
    return replace(line, observations={**line.observations, **made})


def test_a_trained_model_weighs_orders_and_puts_soft_tokens_first(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    opened = open_model(str(folder), device="cpu")
    made = integrate(watched(), IntegrateConfig(), model=opened)
    assert made.context is not None and made.context.values.shape == (4, 64)
    assert made.heat is not None and made.heat.source == "integration"
    assert sum(made.weights.values()) == pytest.approx(1, abs=1e-5) and made.weights["words"] == 0
    for name in ("voice", "face"):
        share = made.heat.share[:, made.heat.modalities.index(name)].sum()
        assert share == pytest.approx(made.weights[name], abs=1e-5)
    conclusion = reasoner(hero_model=str(folder)).conclude(made)
    assert not conclusion.verdict.abstained
    assert conclusion.details["soft_tokens"] == 4 and not {TEXT_ONLY, NO_CONTEXT} & set(conclusion.notes)
    assert [used.name for used in conclusion.models] == ["tiny-qwen2", "hero-model"]
    other = integrate(watched(seed=1), IntegrateConfig(), model=opened)
    assert (
        reasoner(hero_model=str(folder)).conclude(other).details["probabilities"] != conclusion.details["probabilities"]
    )


def test_soft_context_and_text_alone_share_a_batch(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    opened = open_model(str(folder), device="cpu")
    with_context = integrate(watched(), IntegrateConfig(), model=opened)
    cases = [with_context, replace(with_context, evidence=with_context.evidence[:2]), voices(3)]
    judge = reasoner(hero_model=str(folder))
    assert [c.verdict for c in judge.conclude_many(cases)] == [judge.conclude(one).verdict for one in cases]


@pytest.mark.parametrize("setting", ["hero_model", "model"])
def test_what_nobody_trained_is_not_used(tmp_path: Path, setting: str) -> None:
    folder = checkpoint(tmp_path / "model", Training())
    made = integrate(watched(), IntegrateConfig(), model=open_model(str(folder), device="cpu"))
    assert made.context is None and any("not trained" in note for note in made.notes)
    conclusion = reasoner(**{setting: str(folder)}).conclude(made)
    assert TEXT_ONLY in conclusion.notes and any("adapters are left out" in note for note in conclusion.notes)
    assert [used.name for used in conclusion.models] == ["tiny-qwen2"]
    assert conclusion.details == reasoner().conclude(made).details


def test_trained_adapters_serve_clips_without_soft_context_too(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    conclusion = reasoner(model=str(folder)).conclude(masked_smile())
    assert NO_CONTEXT in conclusion.notes and TEXT_ONLY not in conclusion.notes
    assert [used.name for used in conclusion.models] == ["tiny-qwen2", "hero-model"]


def test_another_model_than_the_checkpoints_is_refused_by_name(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"trained on 'tiny-qwen2'; give reasoner\.model=auto"):
        reasoner(model="tiny-qwen3", hero_model=str(folder))
    assert reasoner(model="auto", hero_model=str(folder))._source.base == "tiny-qwen2"


def test_a_full_memory_halves_the_batch_and_then_abstains(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, sizes = reasoner(), []
    whole = LanguageModelReasoner._together

    def together(self: LanguageModelReasoner, cases: Sequence[CaseFile], *rest: Any) -> list[Conclusion]:
        sizes.append(len(cases))
        if len(cases) > 1 or len(cases[0].evidence) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, cases, *rest)

    monkeypatch.setattr(LanguageModelReasoner, "_together", together)
    small, large, other = judge.conclude_many([masked_smile(), voices(9), voices(2)])
    assert sizes == [3, 1, 2, 1, 1]
    assert not small.verdict.abstained and not other.verdict.abstained
    assert large.verdict.abstained and "memory" in str(large.verdict.abstention_reason)


def test_a_repair_finds_room_when_the_brief_fills_the_context() -> None:
    judge = reasoner(decode="free", answer_tokens=40, context_tokens=2600)
    conclusion = judge.conclude(voices(30))
    assert conclusion.details["dropped_evidence"] and conclusion.details["repaired"]


def test_features_of_another_width_are_named(tmp_path: Path) -> None:
    opened = open_model(str(checkpoint(tmp_path / "model")), device="cpu")
    part = integrate(watched(columns=(6, 9)), IntegrateConfig(), model=opened)
    assert part.context is not None and part.weights.get("face") == 0
    assert any("reads 5 columns" in note for note in part.notes)
    nothing = integrate(watched(columns=(7, 9)), IntegrateConfig(), model=opened)
    assert nothing.context is None and any("weighs nothing" in note for note in nothing.notes)


def test_a_context_of_another_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    made = integrate(watched(), IntegrateConfig(), model=open_model(str(folder), device="cpu"))
    assert made.context is not None
    stale = replace(made, context=replace(made.context, sha256="0" * 64))
    with pytest.raises(WeightsError, match="changed since"):
        reasoner(hero_model=str(folder)).conclude(stale)
    with pytest.raises(WeightsError, match="is none or has changed"):
        reasoner().conclude(made)


def test_another_base_than_the_checkpoint_was_trained_on(tmp_path: Path) -> None:
    from hero.pretrained.tiny_language import build

    made = integrate(watched(), IntegrateConfig(), model=open_model(str(checkpoint(tmp_path / "model")), device="cpu"))
    other = build("tiny-qwen3", tmp_path / "other")
    with pytest.raises(WeightsError, match="not the language model"):
        reasoner(model=str(other), hero_model=str(tmp_path / "model")).conclude(made)
