"""What a missing modality probably held: marked `I..E-` evidence, never observed, never given weight.

Two ways. A missing face or voice, with evidence of the other at hand, is written by the trained imputer
(`hero.integrate.impute`): one to three cues with their chances. All else (words; evidence of kinds that the imputer never
saw) words the fused posterior as the cue that usually goes with it. With nothing to infer from, nothing is inferred.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hero import weights
from hero.integrate.impute import NAME, Imputation, Imputer
from hero.labels import LABELS
from hero.phrases import Phrases, phrases
from hero.types import Evidence, Modality, ModelUsed, Span, Timeline

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WORDED = "impute"  # the expert that words the pooled posterior: an opinion about the label, not about a cue
CONFIDENCE_SHARE = 0.5  # an inference is at most half as sure as what it rests on
STRENGTH = 0.2
PROBABLE = 0.5  # what holds a cue of a lower chance is called possible
MODALITY: dict[str, Modality] = {"face": "face", "voice": "voice", "words": "words"}


@dataclass(frozen=True)
class Inferred:
    """Inferred evidence in the order of the missing modalities, and the weights that took part."""

    evidence: tuple[Evidence, ...] = ()
    models: tuple[ModelUsed, ...] = ()

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self.evidence)


def infer_missing(
    timeline: Timeline,
    missing: Mapping[str, str],
    fused: NDArray[np.float64] | None,
    *,
    lang: str,
    licence: Literal["any", "open"] = "any",
    weights_folder: Path | None = None,
) -> Inferred:
    """At most one inferred piece of evidence per missing modality.

    Args:
        timeline: what was observed.
        missing: modalities that nobody observed, with the reason.
        fused: posterior (7,) over what is present, None where there is none.
        lang: language of the sentences.
        licence: "open" leaves the trained imputer out where its data forbids commercial use.
        weights_folder: weights that take precedence over the packaged ones.

    Raises:
        WeightsError: the imputer's weights are missing or damaged.
    """
    words = phrases("missing", lang)
    imputer = _imputer(timeline, missing, licence, weights_folder)
    found, wrote = [], False
    for modality in missing:
        guess = imputer.impute(timeline.evidence, MODALITY[modality]) if imputer else None
        if guess is not None:
            found.append(_written(guess, MODALITY[modality], lang))
            wrote = True
        elif fused is not None:
            found.append(_worded(timeline, modality, missing, fused, words, lang))
    return Inferred(tuple(found), (imputer.used,) if imputer and wrote else ())


def _imputer(
    timeline: Timeline, missing: Mapping[str, str], licence: Literal["any", "open"], folder: Path | None
) -> Imputer | None:
    """The trained imputer, where something can come of it and the licence allows it."""
    other = {"face": "voice", "voice": "face"}
    seen = {ev.modality for ev in timeline.evidence}
    if not any(other.get(modality) in seen for modality in missing):
        return None
    if licence == "open" and not weights.read_card(NAME, folder)["commercial"]:
        return None
    return Imputer.load(folder)


def _written(guess: Imputation, modality: Modality, lang: str) -> Evidence:
    """The imputer's guess as evidence over the time of what it rests on."""
    text, brief = sentence(guess, modality, lang=lang)
    rest = float(np.mean([ev.confidence for ev in guess.rests_on]))
    span = Span(min(ev.span.start_s for ev in guess.rests_on), max(ev.span.end_s for ev in guess.rests_on))
    chances = {f"chance_{cue}": value for cue, value in guess.cues.items()} or {"chance_nothing": guess.nothing}
    return Evidence(modality, f"{NAME}@1", f"inferred_{modality}", text, brief, span,
                    CONFIDENCE_SHARE * rest * guess.chance, STRENGTH, chances, inferred=True)  # fmt: skip


def sentence(guess: Imputation, modality: Modality, *, lang: str) -> tuple[str, str]:
    """`text` and `brief` of a guess about a modality."""
    words, names = phrases("missing", lang), phrases("labels", lang)
    cues = [words.say(f"cue_{cue}") for cue in guess.cues] or [words.say(f"plain_{modality}")]
    likely = words.say("join").join([words.say("list").join(cues[:-1]), cues[-1]] if cues[1:] else cues)
    kinds = dict.fromkeys(ev.modality for ev in guess.rests_on)
    present = words.say("join").join(names.say(f"the_{kind}") for kind in kinds)
    least = min(guess.cues.values(), default=guess.nothing)
    chance = words.say("probably" if least >= PROBABLE else "possibly")
    return words.evidence(f"written_{modality}", present=present, likely=likely, chance=chance)


def _worded(
    timeline: Timeline, modality: str, missing: Mapping[str, str], fused: NDArray[np.float64], words: Phrases, lang: str
) -> Evidence:
    """The cue that usually goes with the likeliest label of what is present."""
    names = phrases("labels", lang)
    present = words.say("join").join(names.say(f"the_{m}") for m in ("face", "voice", "words") if m not in missing)
    likely = words.say(f"{modality}_{LABELS[int(np.argmax(fused))]}")
    text, brief = words.evidence(modality, present=present, likely=likely)
    span = Span(0.0, float(timeline.clip["duration_s"]))
    confidence = CONFIDENCE_SHARE * float(fused.max())
    return Evidence(MODALITY[modality], WORDED, f"inferred_{modality}", text, brief, span, confidence, STRENGTH,
                    inferred=True)  # fmt: skip
