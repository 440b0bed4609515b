"""A portrait that says a recorded sound: picture and sound of one moment, for learning what belongs together.

How the mouth follows the sound is drawn anew for every clip: the lips lead by 0 to 80 ms (Chandrasekaran et al. 2009),
open by an amount of their own, smooth out short sounds, round for dark ones and move for reasons that cannot be heard.
The units move `hero.data.render`'s portrait, which is filmed (`film`) and looked at by the face expert like any clip, or,
for volume, only its landmarks are measured and disturbed as much as the face expert disturbs them (`measured`).

Legend of shapes: N samples, T frames, K rows of sound (10 ms), M mel bands, L landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from hero.observe.heads import spectra
from hero.types import Track

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hero.data.render import FaceRenderer

FPS = 25
RATE_HZ = spectra.RATE_HZ
ROW_S = spectra.HOP / spectra.RATE_HZ
RANGE_DB = 32.0  # from the loudest speech down to a mouth that hardly opens
COLUMNS = ("opening", "width", "jaw", "lip_lower")
GAIN = (1.74, 0.75, 1.39, 1.36)
NOISE = (0.017, 0.006, 0.008, 0.010)
"""How the face expert measures the rendered landmarks, column by column: its slope against them and the spread of what it
adds, in eye distances; medians over 18 filmed clips."""
NOISE_MEMORY = 0.73  # correlation of that disturbance from one frame to the next
SHIFTS_PX = 6.0


@dataclass(frozen=True)
class Coupling:
    """How one speaker's mouth follows the sound; drawn for every clip by `draw`."""

    lead_s: float
    lips: float
    jaw: float
    smooth_s: float
    curve: float
    rounding: float
    anticipate_s: float
    wander: float
    closures_s: float
    rest: float


def draw(rng: np.random.Generator) -> Coupling:
    """A coupling at random, within what people do."""
    return Coupling(
        lead_s=rng.uniform(0.0, 0.08), lips=rng.uniform(0.6, 2.6), jaw=rng.uniform(0.2, 1.8),
        smooth_s=rng.uniform(0.02, 0.09), curve=rng.uniform(0.6, 1.8), rounding=rng.uniform(0.0, 2.5),
        anticipate_s=rng.uniform(0.0, 0.25), wander=rng.uniform(0.2, 1.0), closures_s=rng.uniform(0.0, 2.5),
        rest=rng.choice([0.0, 0.0, 0.3]),
    )  # fmt: skip


def move(samples: NDArray[np.float32], coupling: Coupling, rng: np.random.Generator) -> dict[int, NDArray[np.float64]]:
    """Levels (T,) of the units that a sound (N,) at 16 kHz moves, 25 frames a second, blinks and other units among them."""
    level, dark = _heard(samples)
    lips, jaw, tone = (_smooth(x, coupling.smooth_s) for x in (level, _smooth(level, 0.04), dark))
    count = int(len(samples) / RATE_HZ * FPS)
    at = (np.arange(count) / FPS + coupling.lead_s) / ROW_S  # rows of the sound that the lips already show
    rows = np.arange(len(level))
    lips, jaw, tone, near = (
        np.interp(at, rows, x) for x in (lips**coupling.curve, jaw, tone, _before(level, coupling.anticipate_s))
    )

    def free(slowness_s: float) -> NDArray[np.float64]:
        return _wander(count, slowness_s, rng)

    shut = np.ones(count)  # lips meet for m, b and p, however loud it is
    for moment in rng.uniform(0, count, rng.poisson(coupling.closures_s * count / FPS)):
        shut *= 1 - np.exp(-0.5 * ((np.arange(count) - moment) / rng.uniform(0.8, 1.6)) ** 2)
    lips, jaw = lips * shut * np.exp(coupling.wander * free(0.06)), jaw * np.exp(coupling.wander * free(0.1))
    units = {
        25: coupling.lips * np.maximum(lips + 0.15 * near + coupling.rest + 0.2 * coupling.wander * free(0.2), 0),
        26: coupling.jaw * np.maximum(jaw + 0.1 * near + 0.2 * coupling.wander * free(0.2), 0),
        20: -coupling.rounding * tone * lips + 0.6 * coupling.wander * free(0.3),
        12: np.clip(rng.uniform(0, 1.5) * (0.4 + free(0.8)), 0, 3),
        15: np.clip(rng.uniform(0, 1.0) * free(0.8), 0, 2),
        17: np.clip(0.8 * coupling.wander * free(0.2), 0, 2) * (lips < 0.2),
        1: np.clip(rng.uniform(0, 2) * free(0.5), 0, 3),
    }
    units[45] = np.zeros(count)
    for blink in rng.uniform(0, count, rng.poisson(count / FPS / 3)):
        units[45][int(blink) : int(blink) + 4] = 5
    return {number: np.clip(values, -3, 5) for number, values in units.items()}


def film(
    path: Path, samples: NDArray[np.float32], units: dict[int, NDArray[np.float64]], renderer: FaceRenderer,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Write a clip (H.264 and AAC) of the portrait that moves by these levels (T,), with the sound (N,) at 16 kHz.

    Raises:
        UsageError: a unit cannot be rendered.
    """
    import av

    count = len(units[25])
    across, down = (SHIFTS_PX * _wander(count, 0.8, rng) for _ in range(2))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part.mp4")
    with av.open(str(scratch), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": str(rng.integers(20, 30)), "preset": "fast"})
        video.width = video.height = 480
        video.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        for number in range(count):
            levels = {unit: float(values[number]) for unit, values in units.items()}
            rgb = renderer.render(levels, (float(across[number]), float(down[number])))
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        block = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32)[None], format="fltp", layout="mono"
        )
        block.sample_rate, block.pts, block.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    scratch.replace(path)


def measured(units: dict[int, NDArray[np.float64]], renderer: FaceRenderer, rng: np.random.Generator) -> Track:
    """Track `motion` (T, 4) of the rendered landmarks in eye distances, disturbed like a measurement.

    Raises:
        UsageError: a unit cannot be rendered.
    """
    count = len(units[25])
    scale = renderer.eye_distance_px
    rest = renderer.landmarks({})
    right, left = rest[[33, 133]].mean(0), rest[[362, 263]].mean(0)
    outwards = (left - right) / np.hypot(*(left - right))
    values = np.empty((count, len(COLUMNS)))
    for number in range(count):
        points = renderer.landmarks({unit: float(levels[number]) for unit, levels in units.items()})
        x, y = points @ outwards / scale, points @ np.array([outwards[1], -outwards[0]]) / scale  # (L,)
        values[number] = max(0.0, y[13] - y[14]), x[291] - x[61], y[2] - y[152], y[17] - y[2]
    rough = rng.normal(size=values.shape)
    for number in range(1, count):
        rough[number] = NOISE_MEMORY * rough[number - 1] + np.sqrt(1 - NOISE_MEMORY**2) * rough[number]
    values = np.array(GAIN) * values + rng.uniform(0.5, 2.0) * np.array(NOISE) * rough
    times_s = np.arange(count) / FPS
    return Track("motion", values, times_s, np.ones(count, bool), COLUMNS, "eye distances")


def _heard(samples: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How loud the sound is, 0..1, and how dark, -1..1, per row (K,)."""
    mel = spectra.log_mel(spectra.power_spectrum(samples), 24)  # (K, M) dB
    power = 10 ** (mel / 10)
    loud = 10 * np.log10(power[:, :18].sum(1) + 1e-9)  # hiss above 4 kHz hardly opens a mouth
    level = np.clip((loud - np.percentile(loud, 97) + RANGE_DB) / RANGE_DB, 0, 1)
    centre = (power * np.arange(mel.shape[1])).sum(1) / power.sum(1)
    talk = level > 0.4
    usual = float(np.median(centre[talk])) if talk.any() else 0.0
    return level, np.where(talk, np.clip((usual - centre) / 5, -1, 1), 0.0)


def _smooth(values: NDArray[np.float64], width_s: float) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, width_s / ROW_S))


def _before(level: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """1 from `seconds` before something sounds until it ends (K,): mouths open before they speak."""
    reach = int(seconds / ROW_S)
    talk = (level > 0.4).astype(float)
    ahead = [np.append(talk[k:], np.zeros(k)) for k in range(reach + 1)]
    return _smooth(np.max(ahead, axis=0), 0.04)


def _wander(count: int, slowness_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise (T,) of spread 1."""
    from scipy.ndimage import gaussian_filter1d

    width = max(slowness_s * FPS, 1e-3)
    padding = int(4 * width)
    noise = gaussian_filter1d(rng.normal(size=count + 2 * padding), width)
    return np.asarray(noise[padding : padding + count] * np.sqrt(2 * width * np.sqrt(np.pi)))
