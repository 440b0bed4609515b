"""What an expert is, and the one table from its name to its code.

An expert either reads the clip as it streams by (`reads` is "frames" or "sound": `take` is called for each frame or
block, in order, once) or looks at what earlier experts found (`reads` is "timeline"). All of them end with `finish`.
A fresh instance serves one clip. Experts describe local facts; none of them sees a label or names an emotion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hero.errors import ConfigError
from hero.types import Absence, Baseline, Modality, Observation

if TYPE_CHECKING:
    from hero.media.clip import Block, Clip, Frame

Reads = Literal["frames", "sound", "timeline"]

EXPERTS: dict[str, str] = {
    "scene": "hero.observe.scene:SceneExpert",
    "motion": "hero.observe.motion:MotionExpert",
    "face": "hero.observe.face:FaceExpert",
    "voice": "hero.observe.voice:VoiceExpert",
    "sounds": "hero.observe.sounds:SoundsExpert",
    "words": "hero.observe.words:WordsExpert",
    "synergy": "hero.observe.synergy:SynergyExpert",
    "scene_features": "hero.observe.features.pictures:SceneFeatures",
    "motion_features": "hero.observe.features.pictures:MotionFeatures",
    "au": "hero.observe.au.expert:AUExpert",
    "voice_features": "hero.observe.features.sounds:VoiceFeatures",
    "words_features": "hero.observe.features.text:WordsFeatures",
    "synergy_features": "hero.observe.features.synergy:SynergyFeatures",
    "decoder": "hero.observe.features.decoder:DecoderExpert",
    "voice_labels": "hero.observe.features.labels:VoiceLabels",
    "voice_emotion": "hero.observe.posteriors:VoiceEmotion",
    "face_emotion": "hero.observe.posteriors:FaceEmotion",
    "text_emotion": "hero.observe.posteriors:TextEmotion",
}


@dataclass(frozen=True)
class Context:
    """What an expert is told about the clip and the wishes of the user.

    `licence` "open" forbids weights trained on non-commercial data; `weights_folder` overrides packaged weights (fold
    weights in a benchmark); `settings` are the expert's own lines of the preset.
    """

    clip: Clip
    lang: Literal["en", "zh"] = "en"
    licence: Literal["any", "open"] = "any"
    baseline: Baseline | None = None
    weights_folder: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class Expert(Protocol):
    """The contract; `revision` changes whenever the same clip could give another observation.

    `identity`, known once it has started, says what else decides the observation: the weights and backend in use. It is
    part of a cached observation's key.
    """

    name: str
    modality: Modality
    revision: str
    reads: Reads
    identity: str

    def start(self, context: Context) -> Absence | None:
        """Load what is needed; an absence ends this expert's part in the clip with its reason and cure."""

    def take(self, piece: Frame | Block) -> None:
        """One frame or block, in the order of the clock (never called for "timeline" experts)."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Conclude; `earlier` holds the observations of the experts that finished before, by name."""


class FrameExpert(Expert, Protocol):
    """An expert that reads frames: at most `fps` a second, the longer side at most `max_side` pixels."""

    fps: float
    max_side: int


def create(name: str) -> Expert:
    """A fresh expert by its name in the table.

    Raises:
        ConfigError: no expert has that name.
    """
    if name not in EXPERTS:
        raise ConfigError(f"no expert is called '{name}'; known: {', '.join(EXPERTS)}; correct the preset")
    module, _, attribute = EXPERTS[name].partition(":")
    expert: Expert = getattr(import_module(module), attribute)()
    return expert
