"""How much the body and the camera move, and what the head does with its pose.

Legend of shapes: T frames, H, W rows and columns of the small grey picture. Speeds are in frame widths per second. Only
the last small picture is kept, and a few numbers per frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from hero.observe.motion.flow import MATCH_FLOOR, fit_camera, optical_flow, residual_px, small_grey
from hero.observe.motion.head import head_gestures
from hero.observe.motion.tell import describe
from hero.phrases import phrases
from hero.types import Absence, Observation, Track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hero.media.clip import Block, Frame
    from hero.observe.expert import Context, Reads
    from hero.types import Modality

COLUMNS = ("camera_speed", "body_speed", "camera_x", "camera_y", "camera_zoom")
FASTEST_SHARE = 0.1  # body speed is the mean over this share of the textured picture: a hand fills about so much
LONGEST_STEP_S = 0.5


class MotionExpert:
    """Camera motion from the picture's border, body motion as what remains, nods and shakes from the face's pose."""

    name = "motion"
    modality: Modality = "motion"
    revision = "1"
    reads: Reads = "frames"
    identity = ""

    def __init__(self) -> None:
        self.fps = 10.0
        self.max_side = 160
        self.lang = "en"
        self._last: tuple[float, NDArray[np.floating]] | None = None
        self._rows: list[tuple[float, ...]] = []  # time_s and COLUMNS, NaN where not measured

    def start(self, context: Context) -> Absence | None:
        """Take the settings `fps` and `max_side`; never absent by itself."""
        self.fps = float(context.settings.get("fps", self.fps))
        self.max_side = int(context.settings.get("max_side", self.max_side))
        self.lang = context.lang
        return None

    def take(self, piece: Frame | Block) -> None:
        """Compare a frame with the one before; each row is stamped with the later frame's time."""
        frame = cast("Frame", piece)
        grey = small_grey(frame.rgb)
        before, self._last = self._last, (frame.time_s, grey)
        if before is None:
            return
        step_s = frame.time_s - before[0]
        if step_s <= 0:
            return
        usable = before[1].shape == grey.shape and step_s <= LONGEST_STEP_S and min(grey.shape) >= 8
        row = _speeds(before[1], grey, step_s) if usable else (np.nan,) * len(COLUMNS)
        self._rows.append((frame.time_s, *row))

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """Track `body` and evidence; head gestures where the face expert brought a pose."""
        if not self._rows:
            absence = Absence(self.name, "fewer than two frames were read", "give a clip with a moving picture")
            return Observation(self.name, self.modality, absent=absence)
        table = np.array(self._rows, np.float64)  # (T, 1 + D)
        track = Track(
            "body", table[:, 1:].astype(np.float32), table[:, 0], np.isfinite(table[:, 1:]), COLUMNS, "frame widths/s"
        )
        pose = earlier["face"].tracks.get("pose") if "face" in earlier else None
        notes = [] if pose is not None else ["nods and head shakes were not looked for: no head pose"]
        if not track.mask[:, 0].any():
            notes.append("camera motion could not be told: the border of the picture is plain")
        gestures = head_gestures(pose) if pose is not None else []
        evidence = describe(track, gestures, phrases("motion", self.lang), f"{self.name}@{self.revision}")
        return Observation(self.name, self.modality, {"body": track}, evidence, notes=tuple(notes))


def _speeds(before: NDArray[np.floating], after: NDArray[np.floating], step_s: float) -> tuple[float, ...]:
    """One row of `COLUMNS` for two small pictures (H, W); NaN for what cannot be told."""
    flow = optical_flow(before, after)
    if flow.match < MATCH_FLOOR:  # another shot: nothing moved from one picture to the other
        return (np.nan,) * len(COLUMNS)
    scale = 1 / (before.shape[1] * step_s)
    camera = fit_camera(flow)
    shift = (np.nan,) * 3
    speed = np.nan
    if camera:
        shift = (camera.shift_x * scale, camera.shift_y * scale, camera.zoom / step_s)
        # A zoom moves the picture's points by a quarter width on average as far as they are from the centre.
        speed = float(np.hypot(np.hypot(shift[0], shift[1]), abs(shift[2]) / 4))
    body = np.nan
    if flow.reliable.any():
        rest = np.sort(residual_px(flow, camera)[flow.reliable])
        body = float(rest[-max(1, round(FASTEST_SHARE * rest.size)) :].mean()) * scale
    return (speed, body, *shift)
