"""Does the sound belong to the video, from the features of encoders: the cross-modal transformer of spec 1's synergy expert.

Its weights come from `recipes/synergy.py --features`, trained on a folder that `hero observe` wrote with the same encoders;
none ship, for no trained encoder was at hand. Legend of shapes: T steps of 40 ms, D width of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hero.errors import ConfigError, WeightsError
from hero.observe.synergy.axis import standardised
from hero.observe.synergy.learned import SynergyModel
from hero.types import Absence, Observation

if TYPE_CHECKING:
    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.types import Modality, Track

TRAIN = "train them with recipes/synergy.py --features, then set synergy_features.weights to the folder"


class SynergyFeatures:
    """Reads a motion and a voice feature track; brings `features` (T, D) and the probability `belongs` per window."""

    name = "synergy_features"
    modality: Modality = "synergy"
    revision = "1"
    reads: Reads = "timeline"
    identity = ""

    def start(self, context: Context) -> Absence | None:
        """Take the setting `weights`, a folder with `synergy.safetensors` ("none": absent).

        Raises:
            ConfigError: another setting, no such folder, or its weights are damaged or read the embedded experts' measures.
        """
        if wrong := sorted(set(context.settings) - {"weights"}):
            raise ConfigError(f"{self.name} has no setting '{wrong[0]}'; known: weights")
        folder = context.settings.get("weights", "none")
        if folder in ("none", None, False):
            return Absence(self.name, "no synergy weights for encoder features are at hand", TRAIN)
        if not Path(folder, "synergy.safetensors").is_file():
            raise ConfigError(f"{self.name}.weights: {folder} holds no synergy.safetensors; {TRAIN}")
        try:
            self._model = SynergyModel.load(Path(folder))
        except WeightsError as error:
            raise ConfigError(f"{self.name}.weights: {error.line}") from error
        if self._model.sides is None:
            raise ConfigError(f"the synergy weights in {folder} read the embedded experts' measures; {TRAIN}")
        if context.licence == "open" and not self._model.used.commercial:
            licence = self._model.used.licence
            return Absence(self.name, f"the weights' licence is '{licence}' and --licence open leaves them out", TRAIN)
        self.identity = self._model.used.sha256
        return None

    def take(self, piece: Frame | Block) -> None:
        """Nothing: this expert reads the tracks of others."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Both tracks, or which side is missing."""
        assert self._model.sides is not None
        sides: list[Track] = []
        for name, columns in zip(self._model.sides, self._model.dims, strict=True):
            expert, _, track = name.partition(".")
            found = earlier.get(expert)
            if found is None or found.absent or track not in found.tracks:
                reason = found.absent.reason if found and found.absent else f"the preset has no track '{name}'"
                return self._absent(f"nothing from {expert}: {reason}", "bring the expert into the preset")
            if found.tracks[track].values.shape[1] != columns:
                got = found.tracks[track].values.shape[1]
                return self._absent(f"the weights read {columns} columns of {name}, it has {got}", TRAIN)
            sides.append(standardised(found.tracks[track]))
        made = self._model.tracks(*sides)
        if made is None:
            return self._absent(f"the clip is shorter than the model's window of {self._model.window_s:g} s", "")
        return Observation(self.name, self.modality, {t.name: t for t in made}, models=(self._model.used,))

    def _absent(self, reason: str, cure: str) -> Observation:
        return Observation(self.name, self.modality, absent=Absence(self.name, reason, cure))
