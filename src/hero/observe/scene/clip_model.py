"""CLIP from a local folder in the Hugging Face layout: which of some prompts fits a picture best. Nothing is downloaded.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision". A folder holds
`config.json` (model_type clip), `model.safetensors` and the tokenizer's files. Legend of shapes: H, W rows and columns
of a frame; S side of CLIP's square picture; P prompts; D embedding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hero import models
from hero.errors import WeightsError
from hero.types import ModelUsed

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The published constants of CLIP's pictures: mean and spread of red, green, blue in 0 to 1.
MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)
SPREAD = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)
CUBIC = -0.5

EXTRA = ("torch", "transformers")
WEIGHTS = "model.safetensors"
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
OPENAI = tuple(f"clip-vit-{size}" for size in ("base-patch16", "base-patch32", "large-patch14", "large-patch14-336"))
COMMERCIAL = ("mit", "apache-2.0", "bsd-3-clause")
CURE = (
    "pip install 'hero-emotion[model]' and put a CLIP folder (config.json, model.safetensors, tokenizer files; for "
    "example clip-vit-large-patch14) into HERO_MODELS"
)


@dataclass(frozen=True, eq=False)
class PictureWords:
    """`shares` maps one picture (S, S, 3) uint8 to softmax shares (P,) over the prompts it was loaded with."""

    size_px: int
    shares: Callable[[NDArray[np.uint8]], NDArray[np.float64]]
    used: ModelUsed


def look_up(setting: str | bool | None = None) -> tuple[Path | None, str]:
    """The CLIP folder at hand, or None and the reason. `setting` is "auto", "none" (or YAML's `off`) or a folder's path.

    "auto" looks for `clip-vit-large-patch14` and then any `clip*` in each of the folders that `hero.models` searches.
    """
    if setting in ("none", False):
        return None, "the setting clip=none switches CLIP off"
    if setting not in (None, True, "", "auto"):
        folders = [Path(str(setting)).expanduser()]
    else:
        folders = [
            folder
            for base in models.folders()
            for folder in (base / "clip-vit-large-patch14", *sorted(base.glob("[cC][lL][iI][pP]*")))
            if folder.is_dir()
        ]
    reasons = [(folder, _flaw(folder)) for folder in folders]
    folder = next((folder for folder, flaw in reasons if not flaw), None)
    if folder is None:
        flaw = f"{reasons[0][0]} is no CLIP folder: {reasons[0][1]}" if reasons else "no CLIP folder is at hand"
        return None, f"{flaw}; {CURE}"
    absent = [name for name in EXTRA if not util.find_spec(name)]
    if absent:
        return None, f"{' and '.join(absent)} cannot be imported; {CURE}"
    return folder, ""


def _flaw(folder: Path) -> str:
    """What a folder lacks to be a CLIP checkpoint; empty where it has all."""
    if not folder.is_dir():
        return "there is no such folder"
    try:
        config = _config(folder)
    except (OSError, ValueError) as error:  # unreadable, not text, not JSON
        return f"its config.json cannot be read ({error})"
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "clip":
        return f"its config.json says model_type {kind!r}, not 'clip'"
    if not (folder / WEIGHTS).is_file():
        return f"it has no {WEIGHTS}"
    if not any(all((folder / name).is_file() for name in names) for names in TOKENIZERS):
        return "it has no tokenizer.json, and not both vocab.json and merges.txt"
    return ""


def _config(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text("utf-8"))


def licence_of(folder: Path) -> str:
    """The licence that the config states, "MIT" where it names one of OpenAI's checkpoints, else "unknown"."""
    config = _config(folder)
    stated = config.get("license") or config.get("licence")
    if isinstance(stated, str) and stated.strip():
        return "MIT" if stated.strip().lower() == "mit" else stated.strip()
    origin = str(config.get("_name_or_path") or "").rstrip("/").removeprefix("openai/")
    return "MIT" if origin in OPENAI else "unknown"


def commercial(licence: str) -> bool:
    """Whether a licence is known to allow commercial use; an unknown one is not."""
    return licence.lower() in COMMERCIAL


def load(folder: Path, prompts: tuple[str, ...]) -> PictureWords:
    """CLIP from `folder` with the prompts' embeddings; read once per process as long as the weights file is unchanged.

    Raises:
        WeightsError: the folder's files cannot be read as a whole CLIP.
    """
    return _load(folder, prompts, (folder / WEIGHTS).stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _load(folder: Path, prompts: tuple[str, ...], mtime_ns: int) -> PictureWords:
    """`mtime_ns` is part of the cache's key, so that a changed file is read again."""
    del mtime_ns
    from safetensors import SafetensorError

    try:
        torch, hub = import_module("torch"), import_module("transformers")
        strict: type[Exception] = import_module("huggingface_hub.errors").StrictDataclassError
        _ = hub.CLIPModel  # imported only when named
    except (ImportError, RuntimeError, AttributeError) as error:  # such as a torchvision that does not fit torch
        raise WeightsError(f"torch and transformers cannot be used together ({error}); {CURE}") from error
    try:
        with _quietly(hub):
            model, info = hub.CLIPModel.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
            tokenizer = hub.CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
            if info["missing_keys"]:  # they would be random numbers
                raise ValueError(f"{WEIGHTS} lacks {len(info['missing_keys'])} tensors")
            if len(tokenizer) > (known := model.config.text_config.vocab_size):
                raise ValueError(f"the tokenizer has {len(tokenizer)} tokens, the model {known}")
            words = _embed(torch, model.eval(), tokenizer, prompts)
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        RuntimeError,
        AttributeError,
        SafetensorError,
        strict,
    ) as error:
        raise WeightsError(f"{folder} cannot be loaded as CLIP ({error}); {CURE}") from error
    with (folder / WEIGHTS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    licence = licence_of(folder)
    used = ModelUsed(f"CLIP ({folder.name})", digest, licence, commercial(licence))
    scale = float(model.logit_scale.detach().exp())
    del model.text_model  # the prompts are embedded; half of the memory is not needed any more

    def shares(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        pixels = torch.from_numpy(normalised(picture)[None])  # (1, 3, S, S)
        with torch.inference_mode():
            seen = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)[0]
        unit = seen.double().numpy()
        return _softmax(scale * (words @ (unit / np.linalg.norm(unit))))

    return PictureWords(int(model.config.vision_config.image_size), shares, used)


def _embed(torch: Any, model: Any, tokenizer: Any, prompts: tuple[str, ...]) -> NDArray[np.float64]:
    """Unit embeddings (P, D) of the prompts."""
    longest = model.config.text_config.max_position_embeddings
    batch = tokenizer(list(prompts), padding=True, truncation=True, max_length=longest, return_tensors="pt")
    with torch.inference_mode():
        pooled = model.text_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).pooler_output
        words: NDArray[np.float64] = model.text_projection(pooled).double().numpy()
    return words / np.linalg.norm(words, axis=1, keepdims=True)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@contextmanager
def _quietly(hub: Any) -> Iterator[None]:
    """No progress bars and advice of transformers on the terminal meanwhile."""
    log = hub.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def normalised(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A square picture (S, S, 3) as CLIP takes it: (3, S, S), mean and spread of its training pictures removed."""
    return np.ascontiguousarray(((picture.astype(np.float32) / 255 - MEAN) / SPREAD).transpose(2, 0, 1))


def square(rgb: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """The middle of a frame (H, W, 3), its shorter side resized to `size_px` (bicubic, smoothed when shrinking)."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    rows, columns = (_cubic(side, int(size_px * side / short), size_px) for side in (height, width))  # (S, H), (S, W)
    # Rounded after each pass, as the processor does that CLIP's checkpoints were published with.
    narrow = np.clip(np.rint(np.einsum("xw,hwc->hxc", columns, rgb.astype(np.float32), optimize=True)), 0, 255)
    return np.clip(np.rint(np.einsum("yh,hxc->yxc", rows, narrow, optimize=True)), 0, 255).astype(np.uint8)  # (S, S, 3)


@lru_cache(maxsize=8)
def _cubic(side_px: int, resized_px: int, size_px: int) -> NDArray[np.float32]:
    """Weights (S, side) of Keys' cubic kernel for the middle `size_px` of `resized_px` samples (Keys 1981)."""
    step = side_px / resized_px
    wide = max(step, 1.0)
    at = (np.arange(size_px) + (resized_px - size_px) // 2 + 0.5) * step
    x = np.abs((np.arange(side_px) + 0.5)[None] - at[:, None]) / wide  # (S, side)
    near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
    far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
    weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
