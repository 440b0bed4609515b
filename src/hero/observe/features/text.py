"""Features of the words: a text encoder on what was said, token by token on the clip's clock.

Spec 1: BERT base gives (n, 768). Legend of shapes: n tokens, D columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.features.feed import Feed, open_feed
from hero.types import Absence, Observation

if TYPE_CHECKING:
    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.types import Modality


class WordsFeatures:
    """One vector per token of what was said, at the middle of its word."""

    name = "words_features"
    modality: Modality = "words"
    revision = "1"
    reads: Reads = "timeline"
    identity = ""

    def start(self, context: Context) -> Absence | None:
        """Take the settings `model`, `device`, `precision`; absent without the checkpoint."""
        feed = open_feed(self.name, context, "bert-base-uncased", (), kinds=("bert",))
        if isinstance(feed, Absence):
            return feed
        self._feed: Feed = feed
        self.identity = feed.identity
        return None

    def take(self, piece: Frame | Block) -> None:
        """Nothing: this expert reads the words that the words expert found."""

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Track `features` (n, D), or why nothing was said."""
        words = earlier.get("words")
        said = words.spans.get("words", ()) if words and not words.absent else ()
        if not said:
            reason = words.absent.reason if words and words.absent else "the words expert found no words"
            return Observation(self.name, self.modality, absent=Absence(self.name, reason))
        self._feed.push([word.label for word in said], 0.0)
        ((_, features),) = self._feed.features()
        middles = np.array([(word.span.start_s + word.span.end_s) / 2 for word in said])
        times_s = middles[features.at.astype(int)]
        order = np.argsort(times_s, kind="stable")
        return self._feed.observation(self.name, self.modality, times_s[order], features.values[order])
