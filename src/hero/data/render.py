"""A portrait moved by known action units: ground truth for tests and benchmarks, and the demo clip's actor.

The portrait is NASA's public-domain photograph of Eileen Collins that scikit-image carries (`skimage.data.astronaut`),
cut to the face and enlarged. She smiles with parted lips, so the photograph itself is the end of the AU12 ramp, and the
resting face is made by bringing the lips to the mean face's closed mouth. Other units are displacement fields
(`render_fields`). Pixels follow the landmarks by a radial interpolation of the map from the moved to the photographed
positions; the mouth's inside is painted apart: teeth hang on the upper lip, what lies below them is dark.

Legend: L landmarks (478), H, W picture, G grid nodes, P control points.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hero.data.render_fields import (
    EYES,
    FIELDS,
    LEFT_LID_LOW,
    LEFT_LID_UP,
    LIPS,
    LIPS_INNER_LOW,
    LIPS_INNER_UP,
    LIPS_OUTER,
    RIGHT_LID_LOW,
    RIGHT_LID_UP,
    displacement,
)  # fmt: skip
from hero.errors import UsageError

LANDMARKS = Path(__file__).with_name("portrait_landmarks.json")
SIDE = 480
CUT = (104, 0, 240)
"""Left, top and side in the photograph's pixels of the square that becomes the portrait."""
UNITS: tuple[int, ...] = (*sorted({*FIELDS, 12, 45}),)
GRID_PX = 4
MOUTH_DARK = np.array([38.0, 14.0, 14.0])


@cache
def portrait() -> NDArray[np.float32]:
    """The portrait (SIDE, SIDE, 3) in 0..255.

    Raises:
        UsageError: scikit-image, which carries the photograph, is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise UsageError("the portrait comes with scikit-image; run `pip install scikit-image`") from error
    from scipy.ndimage import zoom

    left, top, side = CUT
    photo: NDArray[np.uint8] = data.astronaut()  # type: ignore[no-untyped-call]
    cut = photo[top : top + side, left : left + side].astype(np.float32)
    return np.clip(zoom(cut, (SIDE / side, SIDE / side, 1), order=3), 0, 255).astype(np.float32)


class FaceRenderer:
    """Renders the portrait with given action unit levels (0..5) and head shift."""

    def __init__(self) -> None:
        self._photo = portrait()
        self._points = np.array(json.loads(LANDMARKS.read_text("utf-8")))  # (L, 2) px
        right, left = self._points[[33, 133]].mean(0), self._points[[362, 263]].mean(0)
        across = left - right
        self.eye_distance_px = float(np.hypot(*across))
        x = across / self.eye_distance_px
        self._axes = np.stack([x, [x[1], -x[0]]])  # rows: image direction of outwards-left and of up
        self._centre = (right + left) / 2
        self._shifts = {number: displacement(number, self._upright(self._points)) for number in FIELDS}
        self._rest = self._rest_shift()
        self._controls = _controls(self._points)
        self._border = _border()

    def landmarks(self, units: Mapping[int, float], shift_px: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float64]:
        """Where the landmarks (L, 2) lie with these levels, in pixels.

        Raises:
            UsageError: a unit cannot be rendered.
        """
        unknown = set(units) - set(UNITS)
        if unknown:
            raise UsageError(f"cannot render units {sorted(unknown)}; allowed: {', '.join(map(str, UNITS))}")
        moved = (1 - units.get(12, 0) / 5) * self._rest
        for number, level in units.items():
            if number in self._shifts:
                moved = moved + level / 5 * self._shifts[number]
        points = self._points + self.eye_distance_px * moved @ self._axes
        points = self._close_eyes(points, units.get(45, 0) / 5)
        return _part_lips(points) + np.array(shift_px)

    def render(self, units: Mapping[int, float], shift_px: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.uint8]:
        """The picture (H, W, 3) with these levels; `shift_px` moves the head to the right and down.

        Raises:
            UsageError: a unit cannot be rendered.
        """
        points = self.landmarks(units, shift_px)
        source = self._source_map(points)
        image = _sample(self._photo, source)
        return np.clip(self._paint_mouth(image, points) + 0.5, 0, 255).astype(np.uint8)

    def _upright(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels -> eye distances, y up, midline at x = 0 (subject's right is negative)."""
        return (points - self._centre) @ self._axes.T / self.eye_distance_px

    def _rest_shift(self) -> NDArray[np.float64]:
        """Shift (L, 2) that turns the photographed smile into a closed, level mouth."""
        from hero.observe.face.pose import mean_face

        face, mean = self._upright(self._points), mean_face()[: len(self._points), :2].copy()
        mean -= mean[[33, 133, 362, 263]].mean(0)
        lips = mean[LIPS] - mean[LIPS].mean(0)
        width = 0.80 * np.ptp(face[LIPS, 0]) / np.ptp(lips[:, 0])
        middle_y = face[2, 1] + mean[LIPS, 1].mean() - mean[2, 1]
        target = np.column_stack([lips[:, 0] * width, lips[:, 1]]) + [face[[1, 2], 0].mean(), middle_y]
        pull = target - face[LIPS]
        distance = np.linalg.norm(face[:, None] - face[LIPS][None], axis=-1)  # (L, lips)
        nearest = np.exp(-0.5 * (distance / 0.16) ** 2)
        shift = nearest @ pull / np.maximum(nearest.sum(1), 1e-9)[:, None] * nearest.max(1)[:, None]
        shift[LIPS] = pull
        closed = face + shift
        for upper, lower in zip(LIPS_INNER_UP, LIPS_INNER_LOW, strict=True):
            middle = (closed[upper, 1] + closed[lower, 1]) / 2
            shift[upper, 1] += middle - closed[upper, 1]
            shift[lower, 1] += middle - closed[lower, 1]
        shift[EYES] = 0
        return shift

    def _close_eyes(self, points: NDArray[np.float64], share: float) -> NDArray[np.float64]:
        if share <= 0:
            return points
        out = points.copy()
        for upper, lower in ((RIGHT_LID_UP, RIGHT_LID_LOW), (LEFT_LID_UP, LEFT_LID_LOW)):
            meet = 0.12 * points[upper] + 0.88 * points[lower]  # the upper lid does nearly all the way
            out[upper] = points[upper] + share * 0.97 * (meet - points[upper])
            out[lower] = points[lower] + share * 0.97 * (meet - points[lower])
        return out

    def _source_map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """For every pixel (H, W, 2) the photographed place (x, y) it shows."""
        from scipy.ndimage import map_coordinates
        from scipy.spatial.distance import cdist

        control = np.concatenate([points[self._controls], self._border])  # (P, 2) where they are now
        offset = np.concatenate([self._points[self._controls], self._border]) - control
        weights = np.linalg.solve(cdist(control, control) - 1e-3 * np.eye(len(control)), offset)
        nodes = np.arange(0, SIDE + GRID_PX, GRID_PX, dtype=float)
        grid = np.stack(np.meshgrid(nodes, nodes), axis=-1)  # (G, G, 2)
        field = (cdist(grid.reshape(-1, 2), control) @ weights).reshape(*grid.shape)
        y, x = np.mgrid[:SIDE, :SIDE]
        shift = [map_coordinates(field[..., k], [y / GRID_PX, x / GRID_PX], order=1) for k in (0, 1)]
        return np.stack([x + shift[0], y + shift[1]], axis=-1)

    def _paint_mouth(self, image: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
        """Paint what lies between the lips: the line where they meet, or teeth and dark."""
        from scipy.ndimage import gaussian_filter

        upper, lower = points[LIPS_INNER_UP], points[LIPS_INNER_LOW]
        xs = np.arange(int(upper[:, 0].min()) + 1, int(upper[:, 0].max()) + 1)
        ys = np.arange(int(upper[:, 1].min()) - 6, int(lower[:, 1].max()) + 7)
        top, bottom = np.interp(xs, *upper.T), np.interp(xs, *lower.T)  # (w,)
        across = np.interp(xs, upper[:, 0], self._points[LIPS_INNER_UP, 0])  # the photographed column of each column
        photo_top = np.interp(across, *self._points[LIPS_INNER_UP].T)
        photo_bottom = np.interp(across, *self._points[LIPS_INNER_LOW].T)
        at = _MouthColumns(ys[:, None] - top, bottom - top, across, photo_top, photo_bottom)
        open_share = np.clip((at.gap - 1.0) / 4.0, 0, 1)[None, :, None]
        inside = open_share * self._open_mouth(at) + (1 - open_share) * self._closed_lips(at)
        seam = 2.5 * (1 - open_share[..., 0])  # squeezed teeth would show beside a closed mouth's line
        mask = ((at.depth > -seam) & (at.depth < at.gap + seam)).astype(np.float32)
        mask = gaussian_filter(mask, 0.7)[..., None]
        out = image.copy()
        box = np.s_[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
        out[box] = mask * inside + (1 - mask) * out[box]
        return out

    def _open_mouth(self, at: _MouthColumns) -> NDArray[np.float64]:
        """Teeth as photographed below the upper lip, dark below them (h, w, 3)."""
        room = (at.photo_bottom - at.photo_top)[None]
        teeth = _sample(self._photo, np.stack(np.broadcast_arrays(at.across, at.photo_top + at.depth), axis=-1))
        light = np.clip((room - at.depth) / 4 + 0.5, 0, 1)[..., None]
        lit = np.clip(0.7 + 0.3 * at.gap / np.maximum(room, 1), 0, 1)[..., None]  # barely parted lips shade the teeth
        return light * teeth * lit + (1 - light) * MOUTH_DARK

    def _closed_lips(self, at: _MouthColumns) -> NDArray[np.float64]:
        """Both lips up to a darker line where they meet (h, w, 3)."""
        middle = at.gap / 2
        source = np.where(at.depth < middle, at.photo_top - 2.5, at.photo_bottom + 2.5)
        lips = _sample(self._photo, np.stack(np.broadcast_arrays(at.across, source), axis=-1))
        line = 1 - 0.55 * np.exp(-0.5 * ((at.depth - middle) / 0.9) ** 2)
        return lips * line[..., None]


@dataclass(frozen=True, eq=False)
class _MouthColumns:
    """Columns of the mouth: px below the upper lip (h, w), lips' gap, photographed column and its lips (w,)."""

    depth: NDArray[np.float64]
    gap: NDArray[np.float64]
    across: NDArray[np.float64]
    photo_top: NDArray[np.float64]
    photo_bottom: NDArray[np.float64]


def _controls(points: NDArray[np.float64]) -> NDArray[np.int_]:
    """Landmarks that steer the picture: all of eyes and lips, and others that are not crowded together."""
    keep = list(dict.fromkeys([*LIPS, *EYES[:-10], *LIPS_OUTER]))
    for index in range(468):
        if index not in keep and np.linalg.norm(points[keep] - points[index], axis=1).min() > 7:
            keep.append(index)
    return np.array(keep)


def _border() -> NDArray[np.float64]:
    """Fixed points around the picture's edge."""
    steps = np.linspace(0, SIDE, 9)
    ring = [(x, y) for x in steps for y in (0.0, float(SIDE))] + [
        (x, y) for y in steps[1:-1] for x in (0.0, float(SIDE))
    ]
    return np.array(ring)


def _part_lips(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the inner lips from crossing: where they would, both meet in the middle."""
    out = points.copy()
    upper, lower = LIPS_INNER_UP[1:-1], LIPS_INNER_LOW[1:-1]
    middle = (out[upper, 1] + out[lower, 1]) / 2
    out[upper, 1], out[lower, 1] = np.minimum(out[upper, 1], middle - 0.2), np.maximum(out[lower, 1], middle + 0.2)
    return out


def _sample(photo: NDArray[np.float32], source: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bilinear colours (..., 3) at places (..., 2) = (x, y) of the photograph."""
    from scipy.ndimage import map_coordinates

    at = [source[..., 1], source[..., 0]]
    return np.stack([map_coordinates(photo[..., k], at, order=1, mode="nearest") for k in range(3)], axis=-1)
