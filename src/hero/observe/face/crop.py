"""Cut square, rotated pieces out of a frame, and map points in them back to the frame.

Legend: H, W frame; S side of the crop; N points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Roi:
    """A square region of a frame: centre and side in pixels, clockwise rotation in radians."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) of the square before rotation."""
        half = self.side / 2
        return self.x - half, self.y - half, self.x + half, self.y + half

    def to_frame(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points (N, 2) or (N, 3) in units of the side (0..1) -> pixels of the frame; depth scales along."""
        out = np.array(points, dtype=np.float32)
        x, y = (out[:, 0] - 0.5) * self.side, (out[:, 1] - 0.5) * self.side
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        out[:, 0], out[:, 1] = self.x + x * cos - y * sin, self.y + x * sin + y * cos
        out[:, 2:] *= self.side
        return out


@lru_cache(maxsize=8)
def _grid(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Crop coordinates in -0.5..0.5 at pixel centres, (1, S) and (S, 1)."""
    steps = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    return steps[None, :], steps[:, None]


def halve(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average 2 x 2 pixels: (H, W, 3) -> (H // 2, W // 2, 3)."""
    height, width = rgb.shape[0] // 2 * 2, rgb.shape[1] // 2 * 2
    even = rgb[:height, :width].astype(np.uint16)
    total = even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]
    return (total >> 2).astype(np.uint8)


def crop(rgb: NDArray[np.uint8], roi: Roi, size: int) -> NDArray[np.float32]:
    """Bilinear crop of a square region, outside filled with black: (H, W, 3) -> (S, S, 3) float32 in 0..255.

    Regions much larger than the crop are averaged down first, so that fine texture does not alias.
    """
    rgb, roi = _cut_out(rgb, roi, size)
    height, width = rgb.shape[:2]
    u, v = _grid(size)
    cos, sin = np.float32(np.cos(roi.angle) * roi.side), np.float32(np.sin(roi.angle) * roi.side)
    x = u * cos - v * sin + np.float32(roi.x - 0.5)  # (S, S) pixel index of the sample
    y = u * sin + v * cos + np.float32(roi.y - 0.5)
    x0, y0 = np.floor(x), np.floor(y)
    outside = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    fx, fy = x - x0, y - y0
    xi, yi = x0.astype(np.int32), y0.astype(np.int32)
    columns = np.clip(xi, 0, width - 1)
    # Two neighbouring pixels in one 64-bit word make the gathers several times cheaper than gathering channels.
    padded = np.zeros((height, width + 1, 4), np.uint8)
    padded[:, :width, :3], padded[:, width, :3] = rgb, rgb[:, -1]
    words = padded.view(np.uint32).reshape(-1).astype(np.uint64)
    pairs = words[:-1] | (words[1:] << np.uint64(32))  # little end first: the pixel, then its right neighbour
    index = np.clip(yi, 0, height - 1) * (width + 1) + columns
    upper = pairs.take(index).view(np.uint8).reshape(size, size, 8)  # R G B 0 of the pixel, then of its neighbour
    index += (np.clip(yi + 1, 0, height - 1) - np.clip(yi, 0, height - 1)) * (width + 1)
    lower = pairs.take(index).view(np.uint8).reshape(size, size, 8)
    out = np.empty((size, size, 3), np.float32)
    for channel in range(3):  # whole planes: inner loops over three channels would cost more than the arithmetic
        out[..., channel] = _blend(upper, lower, channel, fx, fy)
    if outside.any():
        out[outside] = 0
    return out


def _blend(
    upper: NDArray[np.uint8], lower: NDArray[np.uint8], channel: int, fx: NDArray[np.float32], fy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Bilinear mean (S, S) of one channel from two rows of pixel pairs (S, S, 8)."""
    top, bottom = upper[..., channel].astype(np.float32), lower[..., channel].astype(np.float32)
    top += (upper[..., channel + 4] - top) * fx
    bottom += (lower[..., channel + 4] - bottom) * fx
    bottom -= top
    bottom *= fy
    top += bottom
    return top


def _cut_out(rgb: NDArray[np.uint8], roi: Roi, size: int) -> tuple[NDArray[np.uint8], Roi]:
    """The part of the frame that the region touches, halved until it is at most twice the crop."""
    reach = roi.side * (abs(np.cos(roi.angle)) + abs(np.sin(roi.angle))) / 2 + 2
    x0, y0 = max(0, int(roi.x - reach)), max(0, int(roi.y - reach))
    x1, y1 = min(rgb.shape[1], int(roi.x + reach) + 1), min(rgb.shape[0], int(roi.y + reach) + 1)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return np.zeros((2, 2, 3), np.uint8), Roi(-10, -10, 1)
    piece, x, y, side = rgb[y0:y1, x0:x1], roi.x - x0, roi.y - y0, roi.side
    while side > 2 * size and min(piece.shape[:2]) >= 4:
        piece, x, y, side = halve(piece), x / 2, y / 2, side / 2
    return piece, Roi(x, y, side, roi.angle)
