"""Frames as an encoder wants them: resized, cut to the middle, normalised; own code, so that torchvision is not needed.

The recipe is read from the checkpoint's processor file; without one the constants hold that its kind was published with.
Resizing is separable: each pass is a few small matrix products over a band of pixels, rounded to whole levels as the
processors do that the checkpoints were trained with (Pillow's resampling: kernels as wide as the shrinking asks for).
Legend of shapes: H, W rows and columns of a frame; h, w of the resized frame; S side of a picture; B pictures or windows;
k pixels of a band.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hero.errors import InputError, WeightsError
from hero.pretrained.loading import fetch_again, read_json

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

Kernel = Literal["cubic", "linear"]
Colour = tuple[float, float, float]

CLIP_MEAN: Colour = (0.48145466, 0.4578275, 0.40821073)
CLIP_SPREAD: Colour = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_SPREAD: Colour = (0.229, 0.224, 0.225)
HALF: Colour = (0.5, 0.5, 0.5)

CUBIC = -0.5
KERNELS: dict[int, Kernel] = {2: "linear", 3: "cubic"}
"""Pillow's numbers of the filters, which processor files use."""

BAND = 16
"""Output rows or columns per matrix product: small bands skip the zeros, large ones save calls."""


@dataclass(frozen=True)
class Recipe:
    """How a frame becomes a picture (S, S, 3) and then numbers: (level / 255 - mean) / spread per colour.

    The shorter side is resized to `short_px` and the middle S x S is cut out; where `short_px` is None the frame is
    squashed to S x S, whatever its shape was.
    """

    mean: Colour
    spread: Colour
    side_px: int
    short_px: int | None
    kernel: Kernel


def published(kind: str, side_px: int) -> Recipe:
    """The recipe that a kind of checkpoint was published with, at its side in pixels.

    CLIP: Radford et al. 2021. SigLIP: Zhai et al. 2023. VideoMAE: Tong et al. 2022 and Wang et al. 2023 (ImageNet's
    constants; the processor class of transformers has others as its default, its checkpoints carry these).
    """
    recipes = {
        "clip_vision": Recipe(CLIP_MEAN, CLIP_SPREAD, side_px, side_px, "cubic"),
        "siglip_vision": Recipe(HALF, HALF, side_px, None, "cubic"),
        "videomae": Recipe(IMAGENET_MEAN, IMAGENET_SPREAD, side_px, side_px, "linear"),
    }
    return recipes[kind]


def side_of(folder: Path, image_size: Any) -> int:
    """The side of the pictures that a network takes, from its config's one number or two.

    Raises:
        WeightsError: they are not square.
    """
    sides = {int(side) for side in (image_size if isinstance(image_size, list | tuple) else [image_size])}
    if len(sides) != 1:
        raise WeightsError(f"{folder} is a network for pictures of {image_size} pixels, not square ones; fetch another")
    return sides.pop()


def recipe_of(folder: Path, kind: str, side_px: int) -> Recipe:
    """The recipe in a checkpoint's processor file; a value it does not state, and a missing file, mean `published`.

    Raises:
        WeightsError: the file asks for what this code does not do, or for pictures of another side than the network's.
    """
    stated = _processor(folder)
    base = published(kind, side_px)
    if stated is None:
        return base
    try:
        recipe = _stated(stated, base)
    except (LookupError, TypeError, ValueError) as error:
        raise WeightsError(
            f"the picture processor of {folder} cannot be used ({error}); {fetch_again(folder)}"
        ) from error
    if recipe.side_px != side_px:
        raise WeightsError(
            f"the picture processor of {folder} makes pictures of {recipe.side_px} pixels, its network takes "
            f"{side_px}; {fetch_again(folder)}"
        )
    return recipe


def _processor(folder: Path) -> dict[str, Any] | None:
    """The lines of preprocessor_config.json, or those for pictures in processor_config.json."""
    if (folder / "preprocessor_config.json").is_file():
        return read_json(folder, "preprocessor_config.json")
    if (folder / "processor_config.json").is_file():
        found = read_json(folder, "processor_config.json").get("image_processor")
        return found if isinstance(found, dict) else None
    return None


def _stated(lines: dict[str, Any], base: Recipe) -> Recipe:
    """A recipe out of a processor's lines, in the layouts of transformers since 2021 (a size may be a bare number)."""
    for step in ("do_resize", "do_rescale"):
        if lines.get(step, True) is not True:
            raise ValueError(f"{step} is {lines[step]!r}; only true is read")
    if not np.isclose(float(lines.get("rescale_factor", 1 / 255)), 1 / 255):
        raise ValueError(f"rescale_factor is {lines['rescale_factor']}, not 1/255")
    code = int(lines.get("resample", {kernel: code for code, kernel in KERNELS.items()}[base.kernel]))
    if code not in KERNELS:
        raise ValueError(f"resample is {code}; known are {', '.join(f'{n} ({name})' for n, name in KERNELS.items())}")
    short, squashed = _size(lines.get("size"), base)
    side = short if squashed is None else squashed
    if squashed is None and lines.get("do_center_crop", True):
        crop = lines.get("crop_size", base.side_px)
        side = _square(crop) if isinstance(crop, dict) else int(crop)
        if side > (short or 0):
            raise ValueError(f"it cuts {side} pixels out of a shorter side of {short}")
    elif squashed is None:
        raise ValueError("do_center_crop is false, so pictures are not square")
    mean, spread = base.mean, base.spread
    if lines.get("do_normalize", True):
        mean, spread = _colour(lines.get("image_mean", mean)), _colour(lines.get("image_std", spread))
    else:
        mean, spread = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return Recipe(mean, spread, int(side or 0), short if squashed is None else None, KERNELS[code])


def _size(size: Any, base: Recipe) -> tuple[int | None, int | None]:
    """The shorter side to resize to, or the side to squash to."""
    if size is None:
        return (base.short_px, None) if base.short_px else (None, base.side_px)
    if isinstance(size, dict):
        if size.get("shortest_edge"):
            return int(size["shortest_edge"]), None
        return None, _square(size)
    return (int(size), None) if base.short_px else (None, int(size))


def _square(size: dict[str, Any]) -> int:
    height, width = int(size["height"]), int(size["width"])
    if height != width:
        raise ValueError(f"pictures of {height} x {width} pixels are not square")
    return height


def _colour(values: Any) -> Colour:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def fit(rgb: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.uint8]:
    """A frame (H, W, 3) as the picture (S, S, 3) of a recipe; not normalised yet, a byte per value is small to keep.

    Raises:
        InputError: it is no frame (H, W, 3) of bytes.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise InputError(
            f"a frame is (H, W, 3) uint8 with a pixel at least; came {rgb.shape} {rgb.dtype}; give RGB bytes"
        )
    height, width = rgb.shape[:2]
    side = recipe.side_px
    down = across = side
    if recipe.short_px is not None:
        short = min(height, width)
        down, across = (int(recipe.short_px * length / short) for length in (height, width))
    if (down, across) == (height, width):  # already so large
        top, left = (height - side) // 2, (width - side) // 2
        return rgb[top : top + side, left : left + side].copy()
    columns, rows = _bands(width, across, side, recipe.kernel), _bands(height, down, side, recipe.kernel)
    first, last = rows[0].first, rows[-1].last
    left, right = columns[0].first, columns[-1].last
    planes = np.ascontiguousarray(rgb[first:last, left:right].transpose(2, 0, 1)).astype(np.float32)  # (3, k, k)
    narrow = np.empty((3, last - first, side), np.float32)
    for band in columns:
        taken = planes[:, :, band.first - left : band.last - left]
        np.matmul(taken, band.weights.T, out=narrow[:, :, band.start : band.stop])
    _to_levels(narrow)
    made = np.empty((3, side, side), np.float32)
    for band in rows:
        np.matmul(band.weights, narrow[:, band.first - first : band.last - first], out=made[:, band.start : band.stop])
    return np.ascontiguousarray(_to_levels(made).astype(np.uint8).transpose(1, 2, 0))  # (S, S, 3)


def _to_levels(values: NDArray[np.float32]) -> NDArray[np.float32]:
    values += 0.5  # halves go up, as in Pillow
    np.floor(values, out=values)
    return np.clip(values, 0, 255, out=values)


@dataclass(frozen=True, eq=False)
class _Band:
    """Output samples `start` to `stop` are `weights` (stop - start, k) times the pixels `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int
    weights: NDArray[np.float32]


@lru_cache(maxsize=32)
def _bands(length_px: int, resized_px: int, side_px: int, kernel: Kernel) -> tuple[_Band, ...]:
    """The middle `side_px` of `resized_px` samples, as bands of weights that leave the zeros out."""
    weights = _weights(length_px, resized_px, side_px, kernel)
    bands = []
    for start in range(0, side_px, BAND):
        part = weights[start : start + BAND]
        used = np.flatnonzero(part.any(axis=0))
        first, last = int(used[0]), int(used[-1]) + 1
        bands.append(_Band(start, start + len(part), first, last, np.ascontiguousarray(part[:, first:last])))
    return tuple(bands)


def _weights(length_px: int, resized_px: int, side_px: int, kernel: Kernel) -> NDArray[np.float32]:
    """Weights (S, length) of a triangle, or of Keys' cubic kernel (Keys 1981), as wide as the shrinking asks for."""
    step = length_px / resized_px
    wide = max(step, 1.0)
    at = (np.arange(side_px) + (resized_px - side_px) // 2 + 0.5) * step
    x = np.abs((np.arange(length_px) + 0.5)[None] - at[:, None]) / wide  # (S, length)
    if kernel == "linear":
        weights = np.maximum(0.0, 1 - x)
    else:
        near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
        far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
        weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def pixels(pictures: torch.Tensor, recipe: Recipe, dtype: torch.dtype) -> torch.Tensor:
    """Pictures (..., S, S, 3) uint8 as the network takes them: (..., 3, S, S) in `dtype`, on the device they lie on."""
    import torch

    mean, spread = (torch.tensor(colour, device=pictures.device) for colour in (recipe.mean, recipe.spread))
    return ((pictures.float() / 255 - mean) / spread).movedim(-1, -3).contiguous().to(dtype)
