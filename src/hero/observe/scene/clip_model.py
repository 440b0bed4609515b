"""CLIP from a local folder in the Hugging Face layout: which of some prompts fits a picture best. Nothing is downloaded.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision". A folder holds
`config.json` (model_type clip), `model.safetensors` and the tokenizer's files. Legend of shapes: H, W rows and columns
of a frame; S side of CLIP's square picture; P prompts; D embedding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hero import checkpoints, models
from hero.checkpoints import Checkpoint
from hero.observe.encoders.picture import CLIP_MEAN, CLIP_SPREAD, fit, published
from hero.pretrained.loading import libraries, load_pretrained, reading
from hero.types import ModelUsed

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN, SPREAD = (np.array(colour, np.float32) for colour in (CLIP_MEAN, CLIP_SPREAD))

EXTRA = ("torch", "transformers")
WEIGHTS = "model.safetensors"
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
CURE = (
    "pip install 'hero-emotion[model]', then hero models fetch clip-vit-large-patch14, or put a CLIP folder (config.json, "
    "model.safetensors, tokenizer files) into HERO_MODELS"
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
    torch, hub = libraries()
    with (folder / WEIGHTS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    licence = checkpoints.licence_of(folder)
    found = Checkpoint(
        f"CLIP ({folder.name})", "clip_vision", folder, "", licence, checkpoints.commercial(licence), digest
    )
    with reading(folder, "CLIP", cure=CURE):
        model = load_pretrained("CLIPModel", found, cure=CURE, use_safetensors=True)
        tokenizer = hub.CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        if len(tokenizer) > (known := model.config.text_config.vocab_size):
            raise ValueError(f"the tokenizer has {len(tokenizer)} tokens, the model {known}")
        words = _embed(torch, model, tokenizer, prompts)
    scale = float(model.logit_scale.detach().exp())
    del model.text_model  # the prompts are embedded; half of the memory is not needed any more

    def shares(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        pixels = torch.from_numpy(normalised(picture)[None])  # (1, 3, S, S)
        with torch.inference_mode():
            seen = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)[0]
        unit = seen.double().numpy()
        return _softmax(scale * (words @ (unit / np.linalg.norm(unit))))

    return PictureWords(int(model.config.vision_config.image_size), shares, found.used)


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


def normalised(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A square picture (S, S, 3) as CLIP takes it: (3, S, S), mean and spread of its training pictures removed."""
    return np.ascontiguousarray(((picture.astype(np.float32) / 255 - MEAN) / SPREAD).transpose(2, 0, 1))


def square(rgb: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """The middle of a frame (H, W, 3), its shorter side resized to `size_px` (bicubic, smoothed when shrinking)."""
    return fit(rgb, published("clip_vision", size_px))
