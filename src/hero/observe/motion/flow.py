"""Dense optical flow between two small grey pictures, and what of it the camera did.

Pyramidal Lucas-Kanade (Lucas & Kanade 1981; Bouguet 2001) on every pixel, then a robust fit of the camera's shift,
zoom and roll to the picture's border. Legend of shapes: H, W rows and columns of the small picture; N pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH_PX = 96
LEVELS = 3
ITERATIONS = (1, 2, 3)  # per pyramid level, from the finest
WINDOW_PX = 7
DAMPING = 2.0  # grey levels squared per pixel squared: below it a gradient is noise
TEXTURE_FLOOR = 12.0  # smaller eigenvalue of the structure tensor from which a pixel's motion can be told
FAINT_FLOOR = 3.0  # the same for a zone of pixels that are judged together
MATCH_FLOOR = 0.6  # correlation of the warped picture below which two pictures do not show one scene

BORDER = 0.22
ZONES_NEEDED = 3
ZONE_PIXELS = 8
STILL_PX = 0.35
LEFT_ZONES = frozenset({1, 2, 5, 6})


@dataclass(frozen=True)
class Flow:
    """Displacement from one picture to the next in pixels: dx, dy (H, W).

    `reliable` (H, W) where a pixel's motion can be told, `traceable` (H, W) where many pixels together can tell it;
    `match` is how well the moved picture fits the next one.
    """

    dx: NDArray[np.floating]
    dy: NDArray[np.floating]
    reliable: NDArray[np.bool_]
    traceable: NDArray[np.bool_]
    match: float


@dataclass(frozen=True)
class Camera:
    """Global motion: shift in pixels at the picture's centre, zoom (0.01 = 1 % larger) and roll in radians."""

    shift_x: float = 0.0
    shift_y: float = 0.0
    zoom: float = 0.0
    roll: float = 0.0

    def at(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Displacement that the camera causes at pixels x, y (counted from the centre)."""
        return self.shift_x + self.zoom * x - self.roll * y, self.shift_y + self.zoom * y + self.roll * x


def small_grey(rgb: NDArray[np.uint8], width: int = WIDTH_PX) -> NDArray[np.floating]:
    """Grey picture (H, W) float32, at most `width` on its longer side, from rgb (h, w, 3) by area averaging."""
    height_px, width_px = rgb.shape[:2]
    scale = min(1.0, width / max(height_px, width_px))
    rows, columns = max(1, round(height_px * scale)), max(1, round(width_px * scale))
    grey = rgb.reshape(-1, 3).astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    small = _area_matrix(height_px, rows) @ grey.reshape(height_px, width_px) @ _area_matrix(width_px, columns).T
    return small.astype(np.float32, copy=False)


@lru_cache(maxsize=32)
def _area_matrix(source: int, target: int) -> NDArray[np.floating]:
    """(target, source): each row averages the source cells it covers."""
    edges = np.linspace(0, source, target + 1)
    low, high = edges[:-1, None], edges[1:, None]
    cell = np.arange(source)[None, :]
    cover = np.clip(np.minimum(high, cell + 1) - np.maximum(low, cell), 0, None)
    matrix: NDArray[np.floating] = (cover / cover.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def optical_flow(before: NDArray[np.floating], after: NDArray[np.floating]) -> Flow:
    """Where each pixel of `before` (H, W) went in `after` (H, W); both are grey pictures 0-255 of one size."""
    from scipy.ndimage import map_coordinates

    after = after + (before.mean() - after.mean())  # a change of exposure is not motion
    first, second = _pyramid(before), _pyramid(after)
    jump_x, jump_y = _whole_shift(before, after)
    coarse = 2.0 ** (1 - len(first))
    dx = np.full_like(first[-1], jump_x * coarse)
    dy = np.full_like(first[-1], jump_y * coarse)
    texture = dx
    for level in range(len(first) - 1, -1, -1):
        here = first[level]
        if dx.shape != here.shape:
            dx, dy = 2 * _enlarge(dx, here.shape), 2 * _enlarge(dy, here.shape)
        dx, dy, texture = _refine(here, second[level], dx, dy, ITERATIONS[level])
    y, x = _grid(before.shape)
    inside = (x + dx >= 0) & (x + dx <= before.shape[1] - 1) & (y + dy >= 0) & (y + dy <= before.shape[0] - 1)
    warped = map_coordinates(after, [y + dy, x + dx], order=1, mode="nearest")
    reliable, traceable = inside & (texture > TEXTURE_FLOOR), inside & (texture > FAINT_FLOOR)
    return Flow(dx, dy, reliable, traceable, _correlation(before, warped))


def fit_camera(flow: Flow) -> Camera | None:
    """What the camera did, from the picture's border; None where the border has too little texture to tell.

    Zones of the border vote. A person may fill some of them, so a border that keeps still in several places means a
    still camera, and a motion needs the left and the right. The bottom is left out: there people touch the frame.
    """
    zones = np.where(flow.traceable, _border_zones(flow.dx.shape), 0)
    counts = np.bincount(zones.ravel(), minlength=9)
    usable = [zone for zone in range(1, 9) if counts[zone] >= ZONE_PIXELS]
    if len(usable) < ZONES_NEEDED:
        return None
    camera = _robust_fit(flow, zones > 0)
    follow, still = [], []
    length, rest = np.hypot(flow.dx, flow.dy), residual_px(flow, camera)
    for zone in usable:
        here = zones == zone
        moved = float(np.median(length[here]))
        if moved < STILL_PX:
            still.append(zone)
        if float(np.median(rest[here])) < STILL_PX + 0.2 * moved:
            follow.append(zone)
    if len(still) >= 2 and 2 * len(still) >= len(follow):
        return Camera()
    if len(follow) < ZONES_NEEDED or not LEFT_ZONES.intersection(follow) or LEFT_ZONES.issuperset(follow):
        return None
    return camera


def _robust_fit(flow: Flow, usable: NDArray[np.bool_]) -> Camera:
    """Least squares of shift, zoom and roll with Tukey's weights, iterated (Beaton & Tukey 1974)."""
    y, x = _centred(flow.dx.shape)
    x, y, dx, dy = x[usable], y[usable], flow.dx[usable], flow.dy[usable]  # (N,) each
    one, nil = np.ones_like(x), np.zeros_like(x)
    design = np.concatenate([np.stack([one, nil, x, -y], 1), np.stack([nil, one, y, x], 1)])  # (2N, 4)
    target = np.concatenate([dx, dy])  # (2N,)
    found = np.array([np.median(dx), np.median(dy), 0.0, 0.0])
    for _ in range(6):
        miss = target - design @ found
        error = np.hypot(miss[: x.size], miss[x.size :])
        width = 4.7 * max(float(np.median(error)) * 1.2, 0.08)
        weight = np.tile(np.clip(1 - (error / width) ** 2, 0, None) ** 2, 2)
        lhs = design.T @ (design * weight[:, None]) + 1e-3 * np.eye(4)
        found = np.linalg.solve(lhs, design.T @ (weight * target))
    return Camera(*(float(value) for value in found))


def residual_px(flow: Flow, camera: Camera | None) -> NDArray[np.floating]:
    """Lengths in pixels (H, W) of what the camera does not explain; of all motion where the camera is unknown."""
    if camera is None:
        moved: NDArray[np.floating] = np.hypot(flow.dx, flow.dy)
        return moved
    y, x = _centred(flow.dx.shape)
    cx, cy = camera.at(x, y)
    length: NDArray[np.floating] = np.hypot(flow.dx - cx, flow.dy - cy)
    return length


def _refine(
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    dx: NDArray[np.floating],
    dy: NDArray[np.floating],
    iterations: int,
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """One pyramid level: better dx, dy and the smaller eigenvalue of the structure tensor (H, W)."""
    from scipy.ndimage import map_coordinates

    gy, gx = np.gradient(before) if min(before.shape) > 1 else (np.zeros_like(before), np.zeros_like(before))
    xx, xy, yy = _mean(gx * gx), _mean(gx * gy), _mean(gy * gy)
    determinant = (xx + DAMPING) * (yy + DAMPING) - xy * xy
    smaller = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy * xy)
    weight = smaller + 0.5
    total = _mean(weight)
    y, x = _grid(before.shape)
    for _ in range(iterations):
        change = map_coordinates(after, [y + dy, x + dx], order=1, mode="nearest") - before
        bx, by = _mean(gx * change), _mean(gy * change)
        dx = dx - np.clip(((yy + DAMPING) * bx - xy * by) / determinant, -1.5, 1.5)
        dy = dy - np.clip(((xx + DAMPING) * by - xy * bx) / determinant, -1.5, 1.5)
    # Textured pixels lend their motion to plain neighbours, so that the next level starts near.
    return _mean(dx * weight) / total, _mean(dy * weight) / total, smaller


def _whole_shift(before: NDArray[np.floating], after: NDArray[np.floating]) -> tuple[float, float]:
    """Whole-picture shift (x, y) in pixels by phase correlation, 0, 0 unless it clearly explains the change.

    Lucas-Kanade alone loses a camera that moves further than its coarsest window (Kuglin & Hines 1975 for the method).
    """
    rows, columns = before.shape
    taper = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1]).astype(np.float32)
    first = np.fft.rfft2((before - before.mean()) * taper)
    second = np.fft.rfft2((after - after.mean()) * taper)
    cross = second * np.conj(first)
    surface = np.fft.irfft2(cross / (np.abs(cross) + 1e-3 * np.abs(cross).max() + 1e-9), s=before.shape)
    y, x = (int(v) for v in np.unravel_index(int(np.argmax(surface)), surface.shape))
    y, x = (y - rows if y > rows // 2 else y), (x - columns if x > columns // 2 else x)
    if (x == 0 and y == 0) or abs(x) > columns // 3 or abs(y) > rows // 3:
        return 0.0, 0.0
    old = (slice(max(0, -y), rows - max(0, y)), slice(max(0, -x), columns - max(0, x)))
    new = (slice(max(0, y), rows - max(0, -y)), slice(max(0, x), columns - max(0, -x)))
    moved = float(np.abs(after[new] - before[old]).mean())
    stayed = float(np.abs(after[old] - before[old]).mean())
    return (float(x), float(y)) if moved < 0.7 * stayed else (0.0, 0.0)


def _mean(values: NDArray[np.floating]) -> NDArray[np.floating]:
    from scipy.ndimage import uniform_filter

    mean: NDArray[np.floating] = uniform_filter(values, WINDOW_PX, mode="nearest")
    return mean


def _pyramid(grey: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    levels = [grey]
    while len(levels) < LEVELS and min(levels[-1].shape) >= 2 * WINDOW_PX:
        last = levels[-1]
        rows, columns = last.shape[0] // 2, last.shape[1] // 2
        levels.append(_area_matrix(last.shape[0], rows) @ last @ _area_matrix(last.shape[1], columns).T)
    return levels


def _enlarge(values: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.floating]:
    rows = np.minimum(np.arange(shape[0]) // 2, values.shape[0] - 1)
    columns = np.minimum(np.arange(shape[1]) // 2, values.shape[1] - 1)
    return values[rows][:, columns]


@lru_cache(maxsize=16)
def _grid(shape: tuple[int, ...]) -> NDArray[np.floating]:
    """(2, H, W): row and column of each pixel."""
    return np.indices(shape).astype(np.float32)


@lru_cache(maxsize=8)
def _centred(shape: tuple[int, ...]) -> NDArray[np.floating]:
    """(2, H, W): row and column counted from the picture's centre."""
    centre = (np.array(shape, np.float32) - 1) / 2
    return (_grid(shape) - centre[:, None, None]).astype(np.float32)


@lru_cache(maxsize=8)
def _border_zones(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """(H, W): 1-4 along the top, 5-6 down the left, 7-8 down the right, 0 elsewhere (inside and bottom)."""
    rows, columns = shape
    y, x = _grid(shape)
    zones = np.zeros(shape, np.int64)
    upper = y < rows * 0.75
    half = (y >= rows * 0.45).astype(np.int64)
    zones = np.where((x < columns * BORDER) & upper, 5 + half, zones)
    zones = np.where((x >= columns * (1 - BORDER)) & upper, 7 + half, zones)
    return np.where(y < rows * BORDER, 1 + np.minimum((x * 4 // max(columns, 1)).astype(np.int64), 3), zones)


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Pearson correlation of two pictures; 1 where both are plain (nothing contradicts)."""
    a, b = a - a.mean(), b - b.mean()
    size_a, size_b = float(np.sqrt((a * a).mean())), float(np.sqrt((b * b).mean()))
    if size_a < 2.0 and size_b < 2.0:
        return 1.0
    return float((a * b).mean() / max(size_a * size_b, 1e-6))
