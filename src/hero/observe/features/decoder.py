"""The evidence decoder as the last expert of a preset: features of the others become descriptions, once it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hero.errors import ConfigError, WeightsError
from hero.observe.connect import TABLE, describe, open_connectors, summarise
from hero.types import Absence, Observation

if TYPE_CHECKING:
    from hero.media.clip import Block, Frame
    from hero.observe.connect import ConnectorSet
    from hero.observe.expert import Context, Reads
    from hero.pretrained.device import Device
    from hero.types import Modality

CURE = "name a folder of whole connectors, or set decoder.connectors=none"


class DecoderExpert:
    """Reads the feature tracks of all experts before it; brings decoded evidence, or a note that there is no decoder."""

    name = "decoder"
    modality: Modality = "synergy"
    revision = "1"
    reads: Reads = "timeline"
    identity = ""

    def start(self, context: Context) -> Absence | None:
        """Take the settings `connectors` ("auto", "none" or a folder) and `device`; absent where they are damaged.

        Raises:
            ConfigError: the folder that is named holds no connectors.
        """
        settings = context.settings
        named = settings.get("connectors", "auto")
        if named not in ("auto", "none", None) and not Path(named, TABLE).is_file():
            raise ConfigError(f"decoder.connectors: {named} holds no connectors: {TABLE} is missing; {CURE}")
        try:
            self._opened: ConnectorSet | None = open_connectors(
                named, licence=context.licence,
                device=cast("Device", settings.get("device", "auto")),
            )  # fmt: skip
        except WeightsError as error:
            reason, _, cure = error.line.rpartition("; ")
            return Absence(self.name, reason or cure, cure if reason else CURE)
        self.identity = self._opened.used.sha256 if self._opened else ""
        return None

    def take(self, piece: Frame | Block) -> None:
        """Nothing: this expert looks at what the others found."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Evidence in the modality of each described feature track."""
        told = describe(summarise(earlier, self._opened) if self._opened else {}, self._opened)
        return Observation(self.name, self.modality, evidence=told.evidence, models=told.models, notes=told.notes)
