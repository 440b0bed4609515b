"""A language model on this machine concludes: evidence as text and, from a trained HERO model, soft context before it.

The answer's form is enforced while it is decoded (or, with `decode: free`, read afterwards, repaired once, then
abstained from). The probability of the final emotion is the model's score of each label, never its own word for it.

Legend: B cases, S prompt tokens, N context tokens, W width, K labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hero.checkpoints import catalogue, is_path
from hero.errors import ConfigError, VerdictError, WeightsError
from hero.integrate.model import folder_of, is_checkpoint
from hero.label_sets import label_set
from hero.phrases import phrases
from hero.pretrained.loading import libraries
from hero.reason.answer import (
    Answer,
    abstention,
    answer_prefix,
    answer_schema,
    candidates,
    most_bytes,
    read_answer,
    repair_request,
    to_verdict,
)
from hero.reason.brief import Brief, Message, write_brief
from hero.reason.reasoner import Conclusion
from hero.types import CaseFile, Evidence

if TYPE_CHECKING:
    import torch

    from hero.config import ReasonerConfig
    from hero.hero_model.model import HeroModel

NAME = "language-model"
SETTINGS: Mapping[str, Any] = {
    "model": "auto", "device": "auto", "precision": "auto", "quantize": "none", "decode": "constrained",
    "temperature": 0.0, "seed": 0, "context_tokens": 0, "answer_tokens": 0,
}  # fmt: skip
"""Settings with their defaults; 0 tokens: as many as the model or the answer's form allows."""
FREE_TOKENS = 1024  # of an answer whose form nothing bounds
TEXT_ONLY = "the language model read text evidence only: no trained HERO model took part"


@dataclass
class _Turn:
    """One case on its way to a verdict."""

    case: CaseFile
    brief: Brief
    messages: list[Message]
    answer: Answer | None = None
    flaw: str = ""
    repaired: bool = False
    tokens: int = 0
    chances: dict[str, float] = field(default_factory=dict)


class LanguageModelReasoner:
    """Concludes with a language model of the Qwen2, Qwen3 or Llama family, one case or many at a time."""

    name = NAME

    def __init__(self, config: ReasonerConfig, *, licence: Literal["any", "open"] = "any") -> None:
        """Settings are checked here, and whether the model is at hand; it is opened at the first case.

        Raises:
            ConfigError: a setting is unknown or wrong.
            WeightsError: the named model is not at hand, or PyTorch is missing.
        """
        if unknown := sorted(set(config.settings) - set(SETTINGS)):
            raise ConfigError(f"the reasoner '{NAME}' has no setting '{unknown[0]}'; known: {', '.join(SETTINGS)}")
        self.settings = {**SETTINGS, **config.settings}
        if self.settings["decode"] not in ("constrained", "free"):
            raise ConfigError(f"reasoner.decode is {self.settings['decode']!r}; allowed: constrained, free")
        for name in ("temperature", "seed", "context_tokens", "answer_tokens"):
            value = self.settings[name]
            if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
                raise ConfigError(f"reasoner.{name} is {value!r}; allowed: a number of 0 or more")
        self.labels = label_set(config.label_set)
        self.abstain_below = config.abstain_below
        self.licence = licence
        self._models: dict[Path | None, HeroModel] = {}
        libraries()
        named = str(self.settings["model"])
        if named != "auto" and not is_checkpoint(named):
            from hero.hero_model.base import find_base

            find_base(named)

    def conclude(self, case: CaseFile, *, lang: str = "en") -> Conclusion:
        """A verdict, or an abstention with its reason.

        Raises:
            ConfigError: the model is not named, or does not fit the HERO checkpoint.
            WeightsError: the model is not at hand or damaged.
        """
        return self.conclude_many([case], lang=lang)[0]

    def conclude_many(self, cases: Sequence[CaseFile], *, lang: str = "en") -> list[Conclusion]:
        """Verdicts of many cases, decoded together: several times faster than one by one, with the same answers.

        Raises:
            ConfigError, WeightsError: as for `conclude`.
        """
        groups: dict[Path | None, list[int]] = {}
        for place, case in enumerate(cases):
            groups.setdefault(case.context.folder if case.context else None, []).append(place)
        done: dict[int, Conclusion] = {}
        for folder, places in groups.items():
            model = self._model(folder)
            for case in (cases[i] for i in places):
                _expect_own(case, model)
            done |= zip(places, self._together([cases[i] for i in places], model, lang), strict=True)
        return [done[i] for i in range(len(cases))]

    def stream(self, case: CaseFile, *, lang: str = "en") -> Iterator[str]:
        """The answer's text piece by piece, while it is decoded (for a screen; `conclude` gives the verdict).

        Raises:
            ConfigError, WeightsError: as for `conclude`.
        """
        model = self._model(case.context.folder if case.context else None)
        _expect_own(case, model)
        turn = self._turn(case, model, lang)
        if not turn.brief.evidence:
            return
        ids, mask = _left_padded([_chat_ids(turn.messages, model)], model)
        yield from model.stream(ids, mask, **_soft([turn], model), **self._options([turn], model, lang))

    def _together(self, cases: Sequence[CaseFile], model: HeroModel, lang: str) -> list[Conclusion]:
        turns = [self._turn(case, model, lang) for case in cases]
        asked = [turn for turn in turns if turn.brief.evidence]
        if asked:
            self._answer(asked, model, lang)
        broken = [turn for turn in asked if turn.flaw]
        if broken and self.settings["decode"] == "free":
            self._answer(broken, model, lang)
        answered = [turn for turn in asked if turn.answer is not None]
        if answered:
            self._score(answered, model)
        return [self._conclusion(turn, model, lang) for turn in turns]

    def _turn(self, case: CaseFile, model: HeroModel, lang: str) -> _Turn:
        soft = len(case.context.values) if case.context else 0
        room = self._context_tokens(model) - soft - self._answer_tokens(case.evidence, lang, model)

        def fits(messages: Sequence[Message]) -> bool:
            return len(_chat_ids(messages, model)) <= room

        brief = write_brief(case, self.labels, lang=lang, fits=fits)
        return _Turn(case, brief, list(brief.messages))

    def _answer(self, turns: Sequence[_Turn], model: HeroModel, lang: str) -> None:
        """Ask for the answers of all turns together; a flaw stays in its turn, with the request to repair it."""
        ids, mask = _left_padded([_chat_ids(turn.messages, model) for turn in turns], model)
        with _seeded(int(self.settings["seed"])):
            made = model.generate(ids, mask, **_soft(turns, model), **self._options(turns, model, lang))  # (B, new)
        written = model.tokenizer.batch_decode(made, skip_special_tokens=True)
        for turn, text, row in zip(turns, written, made, strict=True):
            turn.tokens += int((row != model.tokenizer.pad_token_id).sum())
            turn.repaired, turn.flaw = bool(turn.flaw), ""
            try:
                turn.answer = read_answer(text, self.labels, with_label=self._writes_label)
            except VerdictError as error:
                turn.flaw = error.line
                turn.messages += [
                    {"role": "assistant", "content": text},
                    {"role": "user", "content": repair_request(error.line)},
                ]

    def _score(self, turns: Sequence[_Turn], model: HeroModel) -> None:
        """The probabilities of each turn's candidates after its own answer."""
        from hero.hero_model.score import label_probabilities

        answers = [turn.answer for turn in turns if turn.answer]
        encode = model.tokenizer.encode
        prompts = [
            [*_chat_ids(turn.brief.messages, model), *encode(answer_prefix(answer), add_special_tokens=False)]
            for turn, answer in zip(turns, answers, strict=True)
        ]
        prompt = model.embed(*_left_padded(prompts, model), **_soft(turns, model))
        names = [candidates(answer, self.labels) for answer in answers]
        found = label_probabilities(model.language, model.tokenizer, prompt.embeds, prompt.mask, names)
        for turn, chances in zip(turns, found, strict=True):
            turn.chances = chances

    def _conclusion(self, turn: _Turn, model: HeroModel, lang: str) -> Conclusion:
        case = turn.case
        if turn.answer:
            verdict = to_verdict(turn.answer, turn.chances, self.labels, lang=lang, abstain_below=self.abstain_below)
        else:
            say = phrases("reasoner", lang)
            reason = say.say("no_answer", flaw=turn.flaw) if turn.flaw else say.say("nothing_to_read")
            verdict = abstention(case, reason, self.labels, lang=lang)
        dropped = [ev.id for ev in turn.brief.dropped]
        notes = [] if case.context else [TEXT_ONLY]
        base = model.used[0].name
        if base in catalogue() and catalogue()[base].random:
            notes.append(f"{base} is a random model for trying the path: its verdict means nothing")
        if dropped:
            notes.append(f"left out of the brief for want of room, the lightest evidence: {', '.join(dropped)}")
        details = {
            "model": base,
            "decode": self.settings["decode"],
            "soft_tokens": len(case.context.values) if case.context else 0,
            "answer_tokens": turn.tokens,
            "repaired": turn.repaired,
            "dropped_evidence": dropped,
            "probabilities": {name: float(f"{chance:.6g}") for name, chance in turn.chances.items()},
        }
        return Conclusion(verdict, model.used, tuple(notes), details)

    @property
    def _writes_label(self) -> bool:
        """Whether the model writes its label: in a closed set, constrained, it is scored at once."""
        return self.labels.open or self.settings["decode"] == "free"

    def _options(self, turns: Sequence[_Turn], model: HeroModel, lang: str) -> dict[str, Any]:
        """Options of transformers' generate."""
        heat = float(self.settings["temperature"])
        options: dict[str, Any] = {"do_sample": heat > 0, **({"temperature": heat} if heat else {})}
        options["max_new_tokens"] = max(self._answer_tokens(turn.brief.evidence, lang, model) for turn in turns)
        if self.settings["decode"] == "constrained":
            from hero.hero_model.constrain import JsonConstraint, Vocabulary

            schemas = [
                answer_schema(turn.brief.evidence, self.labels, lang=lang, with_label=self._writes_label)
                for turn in turns
            ]
            options["logits_processor"] = [JsonConstraint(Vocabulary.of(model.tokenizer), schemas)]
        return options

    def _answer_tokens(self, evidence: Sequence[Evidence], lang: str, model: HeroModel) -> int:
        """The most tokens of an answer: as set, or so many that one whose form is enforced ends whatever the model does.

        At most half of the context: a model that writes words, not single bytes, ends far earlier.
        """
        if self.settings["answer_tokens"]:
            return int(self.settings["answer_tokens"])
        if self.settings["decode"] == "free":
            return min(FREE_TOKENS, self._context_tokens(model) // 2)
        longest = most_bytes(evidence, self.labels, lang=lang, with_label=self._writes_label) + 1
        return min(longest, self._context_tokens(model) // 2)

    def _context_tokens(self, model: HeroModel) -> int:
        longest = int(model.language.config.max_position_embeddings)
        return min(longest, int(self.settings["context_tokens"]) or longest)

    def _model(self, folder: Path | None) -> HeroModel:
        """The model of a case's soft context, or the one that the settings name; each is loaded once.

        Raises:
            ConfigError: no model is named, or its licence is refused.
            WeightsError: it is not at hand, damaged, or not the one of the context.
        """
        if folder not in self._models:
            opened = self._open(folder)
            refused = [used.name for used in opened.used if self.licence == "open" and not used.commercial]
            if refused:
                raise ConfigError(
                    f"the weights of {refused[0]} are not free for commercial use and --licence open leaves them out; "
                    "name another reasoner.model"
                )
            self._models[folder] = opened
        return self._models[folder]

    def _open(self, folder: Path | None) -> HeroModel:
        from hero.hero_model.model import HeroModel

        named = str(self.settings["model"])
        where = {name: self.settings[name] for name in ("device", "precision", "quantize")}
        own = folder or (folder_of("auto") if named == "auto" else None)
        if folder is None and is_checkpoint(named):
            own = Path(named)
        if own is not None:  # its base by reference, or from the folder that is named
            base = named if is_path(named) and not is_checkpoint(named) else None
            return HeroModel.from_pretrained(own, base=base, **where)
        if named == "auto":
            raise ConfigError(
                "no language model is named; give --set reasoner.model=qwen2.5-7b-instruct, another name that `hero models` "
                "lists for reasoning, or a folder"
            )
        return HeroModel.from_base(named, **where)


def _expect_own(case: CaseFile, model: HeroModel) -> None:
    """Refuse a soft context that another state of the checkpoint made.

    Raises:
        WeightsError: it did.
    """
    if case.context and case.context.sha256 not in [used.sha256 for used in model.used]:
        raise WeightsError(
            f"the HERO checkpoint {case.context.folder} changed since this case was integrated; analyse the clip again"
        )


def _soft(turns: Sequence[_Turn], model: HeroModel) -> dict[str, Any]:
    """Soft context (B, N, W) of the turns and whether each has one; empty where none has."""
    import torch

    found = [turn.case.context for turn in turns]
    shape = next((one.values.shape for one in found if one), None)
    if shape is None:
        return {}
    rows = [torch.from_numpy(one.values) if one else torch.zeros(shape) for one in found]
    present = torch.tensor([one is not None for one in found])
    return {"context": torch.stack(rows), "present": present}


def _chat_ids(messages: Sequence[Message], model: HeroModel) -> list[int]:
    """The messages in the model's chat template, up to where its answer begins; no thinking aloud before it."""
    found: list[int] = model.tokenizer.apply_chat_template(
        list(messages), add_generation_prompt=True, enable_thinking=False, return_dict=False
    )
    return found


def _left_padded(rows: Sequence[Sequence[int]], model: HeroModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids (B, S) and their mask, padded on the left."""
    import torch

    longest, pad = max(map(len, rows)), int(model.tokenizer.pad_token_id)
    ids = [[pad] * (longest - len(row)) + list(row) for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=model.device), torch.tensor(mask, device=model.device)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Sampling that repeats itself, and leaves the caller's random numbers alone."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
