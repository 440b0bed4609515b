"""Features of the voice: a speech encoder on the raw sound, in pieces that overlap so that no seam shows.

Spec 1: HuBERT large, mean of its last three transformer layers, gives (T, 1024) at 50 steps a second.
Legend of shapes: T steps, D columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from hero.observe.encoders.sound_pieces import RATE_HZ, SoundCutter, SoundPiece, joined
from hero.observe.features.feed import Feed, open_feed
from hero.types import Absence, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.types import Modality


class VoiceFeatures:
    """Vectors along the sound from HuBERT, WavLM, wav2vec2, a Whisper encoder or another speech encoder."""

    name = "voice_features"
    modality: Modality = "voice"
    revision = "1"
    reads: Reads = "sound"
    identity = ""

    def start(self, context: Context) -> Absence | None:
        """Take the settings `model`, `device`, `precision`; absent without the checkpoint."""
        feed = open_feed(self.name, context, "hubert-large-ll60k", (), kinds=("speech_encoder", "whisper"))
        if isinstance(feed, Absence):
            return feed
        self._feed: Feed = feed
        self.identity = feed.identity
        self._begin_s: float | None = None
        self._cutter = SoundCutter()
        self._pieces: list[SoundPiece] = []
        return None

    def take(self, piece: Frame | Block) -> None:
        """Keep the block; send the pieces that it completes."""
        block = cast("Block", piece)
        if self._begin_s is None:
            self._begin_s = block.start_s
        self._send(self._cutter.push(block.samples))

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Track `features` (T, D) at the middles of the encoder's steps."""
        self._send(self._cutter.flush())
        found = [features for _, features in self._feed.features()]
        if not sum(len(features.at) for features in found):
            absence = Absence(self.name, "the sound is too short for a single step", "give 25 ms of sound or more")
            return Observation(self.name, self.modality, absent=absence)
        whole = joined(self._pieces, found)
        return self._feed.observation(self.name, self.modality, whole.at + (self._begin_s or 0.0), whole.values)

    def _send(self, cut: Iterator[tuple[SoundPiece, NDArray[np.float32]]]) -> None:
        for piece, samples in cut:
            self._pieces.append(piece)
            self._feed.push(samples, piece.first / RATE_HZ)
