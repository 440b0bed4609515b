"""The words that sentences about a clip use, and what each of them claims: `topics.yaml`, compiled.

A *topic* is one thing that is so (brows up, a slow voice, a pause). It is named by a term of its own ("frowns", 皱眉), or by
a *direction* said of a *subject* ("the brows ... raised"), each direction going to the nearest subject that knows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from hero.errors import ConfigError
from hero.label_sets import shipped
from hero.labels import LABELS

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Topic:
    """One thing that is so.

    Evidence bears it by its cue in `cues`, its modality, or a value of `measures` in its range (lowest, highest). A `column`
    (its name, the column) measures it and reaches `high` where it is there. It cannot go with the topics in `against`.
    """

    name: str
    cues: frozenset[str]
    modality: str
    measures: Mapping[str, tuple[float, float]]
    column: tuple[str, str] | None
    high: float
    against: frozenset[str]


@dataclass(frozen=True)
class Subject:
    """What directions are said of; `cues` and `modality` tell which evidence is about it, `says` which topic a way means."""

    name: str
    cues: frozenset[str]
    modality: str
    says: Mapping[str, str]


@dataclass(frozen=True)
class Lexicon:
    """All of `topics.yaml`: terms are (name, pattern), and `common` words say nothing about what a text is about."""

    topics: Mapping[str, Topic]
    subjects: Mapping[str, Subject]
    topic_terms: tuple[tuple[str, re.Pattern[str]], ...]
    subject_terms: tuple[tuple[str, re.Pattern[str]], ...]
    direction_terms: tuple[tuple[str, re.Pattern[str]], ...]
    label_terms: tuple[tuple[str, re.Pattern[str]], ...]
    negation: re.Pattern[str]
    common: frozenset[str]


@cache
def lexicon() -> Lexicon:
    """The shipped lexicon.

    Raises:
        ConfigError: `topics.yaml` leads to a topic that it does not have.
    """
    import yaml

    raw = yaml.safe_load(files("hero.ground").joinpath("topics.yaml").read_text("utf-8"))
    topics = {name: _topic(name, entry, raw["topics"]) for name, entry in raw["topics"].items()}
    subjects = {name: _subject(name, entry, raw["directions"]) for name, entry in raw["subjects"].items()}
    named = {topic for entry in subjects.values() for topic in entry.says.values()}
    if strange := (named | {other for topic in topics.values() for other in topic.against}) - set(topics):
        raise ConfigError(f"topics.yaml: '{min(strange)}' is no topic; write an entry for it under 'topics'")
    return Lexicon(
        topics,
        subjects,
        _terms(raw["topics"]),
        _terms(raw["subjects"]),
        _terms(raw["directions"]),
        _label_terms(raw["labels"]),
        _pattern(raw["negations"]),
        frozenset(raw["common"]),
    )


def _topic(name: str, entry: Mapping[str, Any], table: Mapping[str, Mapping[str, Any]]) -> Topic:
    against = {*entry.get("against", ()), *(other for other, more in table.items() if name in more.get("against", ()))}
    ranges = {
        key: (float("-inf") if low is None else float(low), float("inf") if high is None else float(high))
        for key, (low, high) in entry.get("measures", {}).items()
    }
    track, _, column = entry.get("column", "").partition(" ")
    place = (track, column) if column else None
    cues, modality = frozenset(entry.get("cues", ())), entry.get("modality", "")
    return Topic(name, cues, modality, ranges, place, entry.get("high", 0.0), frozenset(against))


def _subject(name: str, entry: Mapping[str, Any], directions: Iterable[str]) -> Subject:
    says = {way: entry[way] for way in directions if way in entry}
    return Subject(name, frozenset(entry.get("cues", ())), entry.get("modality", ""), says)


def _terms(table: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, _pattern(entry)) for name, entry in table.items() if any(map(entry.get, LANGUAGES)))


def _label_terms(table: Mapping[str, Mapping[str, list[str]]]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Terms of each common label, with the names that the shipped label sets have for it."""
    terms = []
    for label in LABELS:
        names = {said for chosen in shipped().values() for said, ours in chosen.common.items() if ours == label}
        own = table.get(label, {})
        terms.append((label, _pattern({"en": [*own.get("en", ()), *map(re.escape, names)], "zh": own.get("zh", [])})))
    return tuple(terms)


def _pattern(entry: Mapping[str, Any]) -> re.Pattern[str]:
    """One expression for the terms of both languages; letters of the Latin alphabet do not continue a term."""
    english = [term.replace(" ?", r"[\s-]*").replace(" ", r"[\s-]+") for term in entry.get("en", ())]
    bounded = [rf"(?a:(?<![A-Za-z])(?:{'|'.join(english)})(?![A-Za-z]))"] if english else []
    return re.compile("|".join([*bounded, *entry.get("zh", ())]), re.IGNORECASE)
