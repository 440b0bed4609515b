"""How the voice sounds to a pretrained encoder with an emotion head, per utterance, on the common labels.

It brings a Track only, as the other posterior experts do: a posterior never becomes evidence text.
Legend of shapes: T utterances, K labels of the checkpoint, 7 common labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, cast

import numpy as np

from hero.errors import ConfigError
from hero.labels import LABELS
from hero.observe.encoders.emotion_head import load_emotion_head, to_common
from hero.observe.features.feed import SETTINGS, choose
from hero.observe.windows import cut, utterances
from hero.pretrained.device import resolve
from hero.types import Absence, LabelledSpan, Observation, Span, Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.labels import LabelMap
    from hero.media.clip import Block, Frame
    from hero.observe.encoders.emotion_head import EmotionHead
    from hero.observe.expert import Context, Reads
    from hero.pretrained.device import Device, Precision
    from hero.types import Modality

KIND = "audio_classifier"
AT_ONCE = 8  # utterances of at most some 5 s

_turn = Lock()


@lru_cache(maxsize=1)
def _load(checkpoint: Checkpoint, device: Device, precision: Precision) -> EmotionHead:
    return load_emotion_head(checkpoint, device=device, precision=precision)


class VoiceLabels:
    """Posteriors of an emotion head on the utterances that the voice expert found."""

    name = "voice_labels"
    modality: Modality = "voice"
    revision = "1"
    reads: Reads = "timeline"
    identity = ""

    def start(self, context: Context) -> Absence | None:
        """Take the settings `model`, `device`, `precision`; absent without sound or without the checkpoint.

        Raises:
            ConfigError: an unknown setting, or one that cannot be had here.
        """
        if wrong := sorted(set(context.settings) - set(SETTINGS)):
            raise ConfigError(f"{self.name} has no setting '{wrong[0]}'; known: {', '.join(SETTINGS)}")
        if context.clip.audio is None:
            return Absence(self.name, "the clip has no sound", "give a clip with an audio stream")
        found = choose(self.name, context, "hubert-large-superb-er", (KIND,))
        if isinstance(found, Absence):
            return found
        self._context, self._checkpoint = context, found
        self._device = cast("Device", context.settings.get("device", "auto"))
        self._precision = cast("Precision", context.settings.get("precision", "auto"))
        self.identity = f"{found.sha256}:{resolve(self._device, self._precision)[1]}"
        return None

    def take(self, piece: Frame | Block) -> None:
        """Nothing: this expert looks at the timeline."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Track `posterior` (T, 7) with labels that the head lacks masked, or why there is none."""
        voice = earlier.get("voice")
        if voice is None or voice.absent:
            return self._absent(voice.absent.reason if voice and voice.absent else "the voice expert did not run")
        speech = [item.span for item in voice.spans.get("speech", ())]
        windows = utterances(speech, self._context.clip.duration_s) if speech else []
        with _turn:
            head = _load(self._checkpoint, self._device, self._precision)
            if not head.labels.seen.any():
                reason = (
                    f"none of the labels of '{self._checkpoint.name}' is a common one: {', '.join(head.labels.sources)}"
                )
                return self._absent(reason, f"name a checkpoint with labels such as {', '.join(LABELS)}")
            found = self._heard(head, windows)
        if not found:
            return self._absent("no speech long enough to judge", "give a clip with at least half a second of speech")
        return self._observation(head, found)

    def _heard(self, head: EmotionHead, windows: list[Span]) -> list[tuple[Span, NDArray[np.float64]]]:
        """Utterances with their common posterior (7,), a few at a time so that long sound is never held whole."""
        found: list[tuple[Span, NDArray[np.float64]]] = []
        waiting: list[tuple[Span, NDArray[np.float32]]] = []

        def hear() -> None:
            rows = head.probabilities([samples for _, samples in waiting])
            for (span, _), row in zip(waiting, rows, strict=True):
                common = None if row is None or not np.isfinite(row).all() else to_common(row, head.labels)
                if common is not None:
                    found.append((span, common))
            waiting.clear()

        for window in cut(self._context.clip, windows):
            waiting.append(window)
            if len(waiting) >= AT_ONCE:
                hear()
        hear()
        return found

    def _observation(self, head: EmotionHead, found: list[tuple[Span, NDArray[np.float64]]]) -> Observation:
        found = sorted(found, key=lambda item: (item[0].start_s + item[0].end_s, item[0].start_s))
        values = np.stack([common for _, common in found])  # (T, 7)
        times_s = np.array([(span.start_s + span.end_s) / 2 for span, _ in found])
        mask = np.broadcast_to(head.labels.seen, values.shape)
        track = Track("posterior", values, times_s, mask, LABELS, "probability")
        spans = tuple(LabelledSpan(span, "") for span, _ in found)
        return Observation(
            self.name, self.modality, {"posterior": track}, spans={"windows": spans}, models=(head.used,),
            notes=_notes(self.name, head.labels),
        )  # fmt: skip

    def _absent(self, reason: str, cure: str = "") -> Observation:
        return Observation(self.name, self.modality, absent=Absence(self.name, reason, cure))


def _notes(expert: str, labels: LabelMap) -> tuple[str, ...]:
    """Which labels of the head are no common ones, and which common ones it lacks."""
    other = [source for source, common in labels.classes.items() if common is None]
    unseen = [label for label, seen in zip(LABELS, labels.seen, strict=True) if not seen]
    notes = [f"{expert}: labels without a common counterpart were left out: {', '.join(other)}"] if other else []
    notes += [f"{expert}: the head knows nothing of {', '.join(unseen)}: masked"] if unseen else []
    return tuple(notes)
