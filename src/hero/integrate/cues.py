"""What a cue usually goes with: valence, arousal and the displayed emotions it speaks for, as data in `cues.yaml`.

Sources: FACS combinations of Ekman & Friesen's EMFACS as tabulated in the spec's pseudo-label rules (surprise 1+2+5+26,
happy 6+12, sad 1+4+15, angry 4+5+7+23, disgust 9+15, fear 1+2+4+5+20); vocal correlates of Juslin & Laukka (2003).
They order and explain evidence; the numbers of a verdict come from calibrated posteriors, not from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from hero.errors import ConfigError
from hero.labels import LABELS
from hero.types import Evidence


@dataclass(frozen=True)
class CueMeaning:
    """`valence` and `arousal` in [-1, 1]; `speaks_for` gives labels with a weight in (0, 1]."""

    valence: float = 0.0
    arousal: float = 0.0
    speaks_for: Mapping[str, float] = field(default_factory=dict)


@cache
def cue_table() -> dict[str, CueMeaning]:
    """The whole table by cue.

    Raises:
        ConfigError: the table names a label that is not common.
    """
    import yaml

    raw = yaml.safe_load(files("hero.integrate").joinpath("cues.yaml").read_text("utf-8"))
    table = {cue: CueMeaning(**(entry or {})) for cue, entry in raw.items()}
    for cue, meaning in table.items():
        if unknown := set(meaning.speaks_for) - set(LABELS):
            raise ConfigError(f"cues.yaml: '{cue}' speaks for {sorted(unknown)}; allowed: {', '.join(LABELS)}")
    return table


def meaning_of(ev: Evidence) -> CueMeaning:
    """What a piece of evidence usually goes with; nothing, for a cue that is not in the table."""
    return cue_table().get(ev.cue, CueMeaning())


def leaning(ev: Evidence, label: str) -> float:
    """How far evidence speaks for a label (> 0) or for others (< 0), in [-1, 1], by strength and confidence."""
    speaks_for = meaning_of(ev).speaks_for
    if not speaks_for:
        return 0.0
    best_other = max((weight for other, weight in speaks_for.items() if other != label), default=0.0)
    own = speaks_for.get(label, 0.0)
    return (own if own > 0 else -best_other) * ev.strength * ev.confidence
