"""Where a shot was taken, in words: CLIP scores one frame of each shot against the list in `places.yaml`.

A place is named only where it takes more of the softmax than all others together. Pictures are kept small and few: one
per shot of a second or more, of the longest shots at most `MAX_SHOTS`. Legend of shapes: S side of CLIP's picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from hero import checkpoints
from hero.errors import WeightsError
from hero.observe.scene import clip_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hero.media.clip import Frame
    from hero.observe.expert import Context
    from hero.observe.scene.clip_model import PictureWords
    from hero.observe.scene.shots import Cut
    from hero.types import Span

SHARE_MIN = 0.5
SHOT_MIN_S = 1.0
MAX_SHOTS = 16  # CLIP ViT-L/14 takes seconds per picture on a laptop
PLAIN_LEVELS = 8.0  # spread of brightness (0-255) below which a picture shows no place
PROMPT = "a photo taken {where}"
UNNAMED = "the place is not put into words"


@dataclass(frozen=True)
class Place:
    """A shot's place: its row in `place_words` and its share of the softmax over all rows."""

    span: Span
    words: Mapping[str, str]
    share: float


@dataclass(frozen=True, eq=False)
class Kept:
    """One picture (S, S, 3) of the shot that began at `shot_s`; `length_s` is infinite until the shot's end is known."""

    shot_s: float
    time_s: float
    picture: NDArray[np.uint8]
    length_s: float = float("inf")


@cache
def place_words() -> tuple[Mapping[str, str], ...]:
    """The places that can be named: `where` for the prompt, a display name per language."""
    import yaml

    return tuple(yaml.safe_load(files("hero.observe.scene").joinpath("places.yaml").read_text("utf-8")))


def open_finder(context: Context) -> tuple[PlaceFinder | None, str]:
    """A finder where CLIP is at hand and the licence wished for allows it; else None and the note that says why."""
    folder, reason = clip_model.look_up(context.settings.get("clip"))
    if folder is None:
        return None, f"{UNNAMED}: {reason}"
    licence = checkpoints.licence_of(folder)
    if context.licence == "open" and not checkpoints.commercial(licence):
        return None, (
            f"{UNNAMED}: the licence of {folder} is '{licence}' and --licence open leaves it out; use OpenAI's CLIP "
            "(MIT), or --licence any"
        )
    try:
        model = clip_model.load(folder, tuple(PROMPT.format(where=row["where"]) for row in place_words()))
    except WeightsError as error:
        return None, f"{UNNAMED}: {error.line}"
    return PlaceFinder(model), ""


class PlaceFinder:
    """Feed frames after their cuts were looked for. State: the last frame, and one picture per shot.

    A shot's picture is renewed each time the shot has grown to twice its length, so that it stems from the second half.
    """

    def __init__(self, model: PictureWords) -> None:
        self.model = model
        self._last: Frame | None = None
        self._kept: list[Kept] = []
        self._shot_s: float | None = None

    def push(self, frame: Frame, cuts: Sequence[Cut]) -> None:
        """Take the next frame; `cuts` are those settled so far, which decides to which shot the frame before belongs."""
        if self._last is not None:
            self._consider(self._last, cuts)
        self._last = frame

    def flush(self, cuts: Sequence[Cut], shots: Sequence[Span]) -> list[Place]:
        """The places of the shots that look like one."""
        if self._last is not None:
            self._consider(self._last, cuts)
            self._last = None
        spans = {shot.start_s: shot for shot in shots}
        if self._kept and len(shots) > 1 and spans[self._kept[-1].shot_s].duration_s < SHOT_MIN_S:
            self._kept.pop()
        named = ((spans[kept.shot_s], self.model.shares(kept.picture)) for kept in self._kept)
        return [
            Place(span, place_words()[int(shares.argmax())], float(shares.max()))
            for span, shares in named
            if shares.max() >= SHARE_MIN
        ]

    @property
    def looked_at(self) -> int:
        """Number of pictures kept."""
        return len(self._kept)

    def _consider(self, frame: Frame, cuts: Sequence[Cut]) -> None:
        """Keep the frame, if its shot has none yet or has grown to twice its length."""
        if self._shot_s is None:
            self._shot_s = frame.time_s
        elif cuts and cuts[-1].time_s != self._shot_s and cuts[-1].time_s <= frame.time_s:
            self._close(cuts[-1].time_s)
        held = self._kept[-1] if self._kept and self._kept[-1].shot_s == self._shot_s else None
        if held and frame.time_s - self._shot_s < 2 * (held.time_s - self._shot_s):
            return
        if float(frame.rgb.std(axis=(0, 1)).max()) < PLAIN_LEVELS:
            return
        if held:
            self._kept.pop()
        picture = clip_model.square(frame.rgb, self.model.size_px)
        self._kept.append(Kept(self._shot_s, frame.time_s, picture))

    def _close(self, cut_s: float) -> None:
        """End the shot at a cut: a short one is not kept, nor more than `MAX_SHOTS`."""
        assert self._shot_s is not None
        if self._kept and self._kept[-1].shot_s == self._shot_s:
            closed = replace(self._kept.pop(), length_s=cut_s - self._shot_s)
            if closed.length_s >= SHOT_MIN_S:
                self._kept.append(closed)
        if len(self._kept) >= MAX_SHOTS:
            self._kept.remove(min(self._kept, key=lambda kept: kept.length_s))
        self._shot_s = cut_s
