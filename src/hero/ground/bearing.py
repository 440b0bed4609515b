"""Which evidence bears a topic, which denies it, and what the measurement itself says where no evidence was written.

Evidence is asked for its cue first, then for its measures, then for its own words: so evidence of an expert that the
lexicon does not know is understood as far as its text is.

Legend of shapes: T time steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from hero.ground.lexicon import Subject, Topic, lexicon
from hero.ground.mentions import spoken
from hero.types import Evidence, Span, Track

OTHERS = "others"
SHARE_SHOWN = 90  # percentile: what is there for a tenth of a span is there
LEAST_SHOWN = 0.5  # of the value from which it is there; below it is denied
LEAST_SAMPLES = 3
OPEN_MODALITIES = ("words", "scene")  # their evidence may speak of anything
_LATIN, _HAN = re.compile(r"[A-Za-z]{4,}"), re.compile(r"[\u4e00-\u9fff]+")
STEM = 5
LEAST_PAIRS = 2  # of Chinese characters


def bears(ev: Evidence, topic: Topic) -> bool:
    """Whether evidence says that a topic is so."""
    if ev.cue in topic.cues or (topic.name == OTHERS and ev.person != 0):
        return True
    if ev.modality == topic.modality and not ev.inferred:
        return True
    if _opposite_cue(ev, topic):
        return False
    measured = _by_measures(ev, topic)
    return measured if measured is not None else topic.name in _told(ev)


def opposes(ev: Evidence, topic: Topic) -> bool:
    """Whether evidence says that a topic is not so: it bears what cannot go with it, or denies it in its own words."""
    if ev.cue in topic.cues:
        return False
    topics = lexicon().topics
    return any(bears(ev, topics[other]) for other in topic.against) or topic.name in _told(ev, denied=True)


def is_about(ev: Evidence, subject: Subject) -> bool:
    """Whether evidence is about a subject at all."""
    return ev.cue in subject.cues or bool(subject.modality and ev.modality == subject.modality)


def shares_words(ev: Evidence, text: str) -> bool:
    """Whether a text repeats what open evidence (speech, a place, an unknown cue) says in its own words."""
    if ev.modality not in OPEN_MODALITIES and any(ev.cue in topic.cues for topic in lexicon().topics.values()):
        return False
    own = f"{ev.text} {ev.brief}"
    return bool(_stems(own) & _stems(text)) or len(_pairs(own) & _pairs(text)) >= LEAST_PAIRS


def shown(topic: Topic, spans: Iterable[Span], tracks: Mapping[str, Track]) -> bool | None:
    """Whether the measurement shows a topic within spans; None where it was not measured or lies between yes and no."""
    if topic.column is None or topic.column[0] not in tracks:
        return None
    track, name = tracks[topic.column[0]], topic.column[1]
    if name not in track.columns:
        return None
    values, known = track.column(name)  # (T,), (T,)
    inside = np.zeros(len(values), dtype=bool)
    for span in spans:
        inside |= (track.times_s >= span.start_s) & (track.times_s < span.end_s)
    if (inside & known).sum() < LEAST_SAMPLES:
        return None
    reached = float(np.percentile(values[inside & known], SHARE_SHOWN))
    return True if reached >= topic.high else False if reached < LEAST_SHOWN * topic.high else None


def _opposite_cue(ev: Evidence, topic: Topic) -> bool:
    topics = lexicon().topics
    return any(ev.cue in topics[other].cues for other in topic.against)


def _by_measures(ev: Evidence, topic: Topic) -> bool | None:
    """What the measures say of a topic; None where they do not measure it."""
    for key, (low, high) in topic.measures.items():
        if key in ev.measures:
            return low <= ev.measures[key] <= high
    return None


def _told(ev: Evidence, *, denied: bool = False) -> frozenset[str]:
    """The topics that evidence claims, or denies, in its own words."""
    said = (*spoken(ev.text).mentions, *spoken(ev.brief).mentions)
    return frozenset(mention.topic for mention in said if mention.denied == denied)


def _stems(text: str) -> frozenset[str]:
    return frozenset(word.lower()[:STEM] for word in _LATIN.findall(text) if word.lower() not in lexicon().common)


def _pairs(text: str) -> frozenset[str]:
    return frozenset(run[k : k + 2] for run in _HAN.findall(text) for k in range(len(run) - 1))
