"""The lexicon knows the cues of every expert, and the experts' own words are true of their own evidence."""

from __future__ import annotations

import string
from collections.abc import Iterator

import pytest
from builders import evidence

from hero.ground.claims import Claim, fault_of
from hero.ground.lexicon import lexicon
from hero.ground.mentions import spoken
from hero.integrate.cues import cue_table
from hero.phrases import LANGUAGES, phrases

PARTS = {
    "face": "face",
    "voice": "voice",
    "motion": "motion",
    "sounds": "voice",
    "synergy": "synergy",
    "words": "words",
    "scene": "scene",
}
CUES = {"brows_raised": "AU02", "utterance_unsure": "utterance"}
FILLED = "so"  # what templates get where they want words


def entries(lang: str, form: str = "brief") -> Iterator[tuple[str, str, str]]:
    """(modality, cue, brief or text) of every evidence phrase."""
    for part, modality in PARTS.items():
        for key, entry in phrases(part, lang).table.items():
            if isinstance(entry, dict):
                wanted = [(name, spec) for _, name, spec, _ in string.Formatter().parse(entry[form]) if name]
                values = {name: 1.0 if spec else FILLED for name, spec in wanted}
                yield modality, CUES.get(key, key), entry[form].format(**values)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_brief_is_true_of_its_evidence(lang: str) -> None:
    found = list(entries(lang))
    assert len(found) > 70
    for modality, cue, brief in found:
        ev = evidence(modality, cue, brief=brief, text=brief, id="VE-01")
        fault = fault_of(Claim(brief, [ev], [ev], frozenset(), {}))
        assert fault is None, (cue, brief, fault)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_texts_of_the_experts_claim_nothing_but_their_cue(lang: str) -> None:
    """Otherwise evidence would bear what it never saw ("pushed up under the lower lip" is no smile)."""
    topics = lexicon().topics
    for modality, cue, text in entries(lang, "text"):
        claimed = {mention.topic for mention in spoken(text).mentions if not mention.denied}
        known = any(cue in topic.cues for topic in topics.values())
        assert not known or all(cue in topics[name].cues for name in claimed), (modality, cue, text, claimed)


def test_cues_with_a_meaning_are_known() -> None:
    known = {cue for topic in lexicon().topics.values() for cue in topic.cues}
    assert set(cue_table()) - known == set()


def test_opposites_are_mutual() -> None:
    topics = lexicon().topics
    assert all(name in topics[other].against for name, topic in topics.items() for other in topic.against)
    assert topics["brows up"].against == {"brows down"}
