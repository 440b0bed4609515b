"""Light and sharpness of a frame, and the stretches where they are remarkable. Shares and levels are 0 to 1.

Legend of shapes: T frames, H, W rows and columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hero.observe.spans import hysteresis, runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.types import Span, Track

COLUMNS = ("luma_mean", "contrast", "middle", "backlight", "sharpness")

BLACK_LUMA, BLACK_CONTRAST = 0.06, 0.03
DARK_ON, DARK_OFF = 0.20, 0.24
BRIGHT_ON, BRIGHT_OFF = 0.88, 0.84
BACKLIT_ON, BACKLIT_OFF, BACKLIT_MIDDLE = 0.35, 0.28, 0.35
BLURRED_ON, BLURRED_OFF = 0.555, 0.57
EDGE_FLOOR, EDGE_PIXELS = 0.06, 20
FLICKER_STEP = 0.05
FLICKER_TURNS = 4
MIN_S = {"black": 0.25, "dark": 1.0, "bright": 1.0, "backlit": 1.0, "blurred": 1.0, "flicker": 1.0}


def measure(grey: NDArray[np.floating]) -> tuple[float, ...]:
    """One row of `COLUMNS` for a grey picture (H, W) of 0-255; NaN for what cannot be told.

    `backlight` is how much brighter the upper border is than the `middle`. `sharpness` looks at the steepest edges:
    the larger of two neighbouring steps over both together, 0.5 for a smooth ramp and 1 for a clean edge.
    """
    grey = grey / 255
    height, width = grey.shape
    middle = backlight = sharpness = float("nan")
    if height >= 8 and width >= 8:
        middle = float(grey[height // 3 : 5 * height // 6, width // 3 : -(width // 3)].mean())
        side = max(1, width // 6)
        upper = grey[: 2 * height // 3]
        border = np.concatenate(
            [upper[:, :side].ravel(), upper[:, -side:].ravel(), grey[: max(1, height // 8)].ravel()]
        )
        backlight = float(border.mean()) - middle
        sharpness = _sharpness(grey)
    return float(grey.mean()), float(grey.std()), middle, backlight, sharpness


def _sharpness(grey: NDArray[np.floating]) -> float:
    one = np.concatenate([np.diff(grey, axis=1)[:, :-1].ravel(), np.diff(grey, axis=0)[:-1].ravel()])
    next_one = np.concatenate([np.diff(grey, axis=1)[:, 1:].ravel(), np.diff(grey, axis=0)[1:].ravel()])
    two = np.abs(one + next_one)
    edge = two >= max(float(np.quantile(two, 0.98)), EDGE_FLOOR)
    if np.count_nonzero(edge) < EDGE_PIXELS:
        return float("nan")
    larger = np.maximum(np.abs(one), np.abs(next_one))[edge]
    return float(np.median(np.minimum(larger / two[edge], 1.0)))


def remarkable(light: Track) -> list[tuple[str, Span]]:
    """(kind, span) of black, dark, bright, backlit, blurred and flickering stretches in the track `light`."""
    luma, known = light.column("luma_mean")
    contrast, _ = light.column("contrast")
    backlight, back_known = light.column("backlight")
    middle, _ = light.column("middle")
    sharpness, sharp_known = light.column("sharpness")
    black = known & (luma < BLACK_LUMA) & (contrast < BLACK_CONTRAST)
    seen = known & ~black
    states = {
        "black": black,
        "dark": hysteresis(-luma, on=-DARK_ON, off=-DARK_OFF, mask=seen),
        "bright": hysteresis(luma, on=BRIGHT_ON, off=BRIGHT_OFF, mask=seen),
        "backlit": hysteresis(
            backlight, on=BACKLIT_ON, off=BACKLIT_OFF, mask=seen & back_known & (middle < BACKLIT_MIDDLE)
        ),
        "blurred": hysteresis(-sharpness, on=-BLURRED_ON, off=-BLURRED_OFF, mask=seen & sharp_known),
        "flicker": flickering(luma, light.times_s, seen),
    }
    found = []
    for kind, state in states.items():
        # A clip shorter than the limit may still be dark throughout.
        limit = min(MIN_S[kind], 0.8 * float(np.ptp(light.times_s))) if kind != "flicker" else MIN_S[kind]
        spans = runs(state, light.times_s, min_s=limit, gap_s=0.5)
        found += [(kind, span) for span in spans if span.duration_s > 0]  # one frame alone has no length
    return found


def flickering(luma: NDArray[np.floating], times_s: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(T,) True inside stretches where the light goes up and down at least `FLICKER_TURNS` times in a row."""
    state = np.zeros(luma.size, bool)
    steps = np.where(mask[1:] & mask[:-1], np.diff(luma), 0.0)
    turns = np.sign(steps) * (np.abs(steps) >= FLICKER_STEP)  # (T-1,) each -1, 0 or 1
    first = 0
    for i in range(1, turns.size + 1):
        if i < turns.size and turns[i] != 0 and turns[i] == -turns[i - 1]:
            continue
        if i - first >= FLICKER_TURNS and turns[first] != 0:
            state[first : i + 1] = True
        first = i
    return state
