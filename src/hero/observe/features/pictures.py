"""Features of pictures and of movement: an image encoder once a second, a video encoder on windows of frames.

Spec 1: CLIP ViT-L/14 at 1 frame/s gives (N, 1024), VideoMAE v2 base on windows of 16 consecutive frames gives (M, 768).
Legend of shapes: N frames looked at, M windows, D columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from hero.observe.features.feed import Feed, open_feed
from hero.types import Absence, LabelledSpan, Observation, Span

if TYPE_CHECKING:
    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.types import Modality

READING = ("fps", "max_side")
WINDOW = 16


class SceneFeatures:
    """One vector per looked-at frame from CLIP, SigLIP or another image encoder."""

    name = "scene_features"
    modality: Modality = "scene"
    revision = "1"
    reads: Reads = "frames"
    identity = ""
    fps = 1.0
    max_side = 640

    def start(self, context: Context) -> Absence | None:
        """Take the settings `model`, `fps`, `max_side`, `device`, `precision`; absent without the checkpoint."""
        self.fps = float(context.settings.get("fps", self.fps))
        self.max_side = int(context.settings.get("max_side", self.max_side))
        feed = open_feed(self.name, context, "clip-vit-large-patch14", READING, kinds=("clip_vision", "siglip_vision"))
        if isinstance(feed, Absence):
            return feed
        self._feed: Feed = feed
        self.identity = feed.identity
        return None

    def take(self, piece: Frame | Block) -> None:
        """Send the frame to the encoder."""
        frame = cast("Frame", piece)
        self._feed.push(frame.rgb, frame.time_s)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Track `features` (N, D) at the times of the frames."""
        found = self._feed.features()
        if not found:
            return _nothing_seen(self.name, self.modality)
        times_s = np.array([at_s for at_s, _ in found])
        values = np.concatenate([features.values for _, features in found])  # (N, D)
        return self._feed.observation(self.name, self.modality, times_s, values)


class MotionFeatures:
    """One vector per window of 16 consecutive frames from VideoMAE.

    Windows follow each other without a gap; the last one ends with the last frame, overlapping the one before. A clip of
    fewer frames repeats its last frame. At most `fps` frames a second are taken: all of them, up to 30.
    """

    name = "motion_features"
    modality: Modality = "motion"
    revision = "1"
    reads: Reads = "frames"
    identity = ""
    fps = 30.0
    max_side = 640  # less would leave 16:9 pictures with fewer rows than the 224 that are looked at

    def start(self, context: Context) -> Absence | None:
        """Take the settings `model`, `fps`, `max_side`, `device`, `precision`; absent without the checkpoint."""
        self.fps = float(context.settings.get("fps", self.fps))
        self.max_side = int(context.settings.get("max_side", self.max_side))
        feed = open_feed(self.name, context, "videomae-v2-base", READING, kinds=("videomae",))
        if isinstance(feed, Absence):
            return feed
        self._feed: Feed = feed
        self.identity = feed.identity
        self._recent: deque[Frame] = deque(maxlen=WINDOW)
        self._new = 0  # frames that no window holds yet
        self._spans: list[LabelledSpan] = []
        return None

    def take(self, piece: Frame | Block) -> None:
        """Keep the frame; send a window when 16 new ones are there."""
        self._recent.append(cast("Frame", piece))
        self._new += 1
        if self._new == WINDOW:
            self._send(list(self._recent))

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Track `features` (M, D) at the middles of the windows, and the windows as spans."""
        if self._new:
            frames = list(self._recent)
            self._send(frames + [frames[-1]] * (WINDOW - len(frames)))
        found = self._feed.features()
        if not found:
            return _nothing_seen(self.name, self.modality)
        times_s = np.array([at_s for at_s, _ in found])
        values = np.concatenate([features.values for _, features in found])  # (M, D)
        spans = {"windows": tuple(self._spans)}
        return self._feed.observation(self.name, self.modality, times_s, values, spans=spans)

    def _send(self, frames: list[Frame]) -> None:
        first_s, last_s = frames[0].time_s, frames[-1].time_s
        end_s = last_s + (last_s - first_s) / (WINDOW - 1)
        self._spans.append(LabelledSpan(Span(first_s, end_s), "window"))
        self._feed.push([frame.rgb for frame in frames], (first_s + last_s) / 2)
        self._new = 0


def _nothing_seen(name: str, modality: Modality) -> Observation:
    absence = Absence(name, "no frame was read", "give a clip with a readable picture")
    return Observation(name, modality, absent=absence)
