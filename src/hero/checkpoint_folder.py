"""A folder in the Hugging Face layout: is it a whole checkpoint of the kind that was asked for, and whose is it?

`config.json` says which model it is, the weights lie in `model.safetensors` or `pytorch_model.bin` (or in the parts that
an index of these names), and `hero.json`, written by `hero models fetch` and `hero models pack`, says which repository and
commit it came from and what each file hashes to. Nothing in a folder is ever run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hero.errors import OutputError, WeightsError
from hero.hashes import sha256_of

CONFIG, MANIFEST = "config.json", "hero.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
BESIDE = (
    CONFIG, "generation_config.json", "preprocessor_config.json", "processor_config.json", "tokenizer.json",
    "tokenizer_config.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "merges.txt", "normalizer.json",
    "added_tokens.json", "special_tokens_map.json", "chat_template.json", "chat_template.jinja", "README.md", "LICENSE",
)  # fmt: skip
"""What belongs to a checkpoint beside its weights: no code, and no copy of the weights in another format."""

SPEECH = ("hubert", "wavlm", "wav2vec2", "wav2vec2-conformer", "data2vec-audio", "unispeech", "unispeech-sat", "sew")
MODEL_TYPES: Mapping[str, tuple[str, ...]] = {
    "clip_vision": ("clip", "clip_vision_model"),
    "siglip_vision": ("siglip", "siglip_vision_model", "siglip2", "siglip2_vision_model"),
    "videomae": ("videomae", "VideoMAEv2*"),
    "speech_encoder": SPEECH,
    "whisper": ("whisper",),
    "bert": ("bert",),
    "audio_classifier": SPEECH,
    "audio_llm": ("qwen2_audio",),
    "causal_lm": ("qwen2", "qwen3", "llama"),
}
"""The `model_type`s that each kind reads; `*` stands for any letters."""


@dataclass(frozen=True)
class Manifest:
    """`hero.json`: where a folder came from, and the size and SHA-256 of each of its files."""

    repo: str
    revision: str
    files: Mapping[str, tuple[int, str]]

    def write(self, folder: Path) -> None:
        """Put it into the folder."""
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=1), "utf-8")


def read_json(path: Path, cure: str) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        WeightsError: it cannot be read, or is no object.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, not JSON
        raise WeightsError(f"{path} cannot be read ({error}); {cure}") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{path} holds a {type(found).__name__}, not a JSON object; {cure}")
    return found


def model_type(config: Mapping[str, Any]) -> str:
    """The model that a config names; OpenGVLab's VideoMAE v2 may name it only as its class, beside `model_config`."""
    stated = config.get("model_type")
    if isinstance(stated, str) and stated:
        return stated
    classes = config.get("architectures")
    first = str(classes[0]) if isinstance(classes, list) and classes else ""
    return first if "model_config" in config else ""


def kind_of(config: Mapping[str, Any]) -> str | None:
    """The kind that a config's model is of, None where no kind reads it."""
    classes = config.get("architectures")
    if isinstance(classes, list) and any("ForSequenceClassification" in str(name) for name in classes):
        return "audio_classifier" if allowed(config, "audio_classifier") else None
    return next((kind for kind in MODEL_TYPES if allowed(config, kind)), None)


def allowed(config: Mapping[str, Any], kind: str) -> bool:
    """Whether this kind reads the config's model."""
    return any(fnmatchcase(model_type(config), pattern) for pattern in MODEL_TYPES[kind])


def weight_files(folder: Path, cure: str) -> tuple[Path, ...]:
    """The files that hold the weights, safetensors before pickles; each is as long as its own header says.

    Raises:
        WeightsError: there are none, a part is missing, or a file is cut off.
    """
    first = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if first is None:
        raise WeightsError(f"{folder} has no weights: none of {', '.join(WEIGHTS)}; {cure}")
    files = [first]
    if first.name.endswith(".index.json"):
        parts = read_json(first, cure).get("weight_map")
        if not isinstance(parts, dict) or not parts:
            raise WeightsError(f"{first} names no parts of the weights; {cure}")
        files = [folder / Path(str(name)).name for name in sorted(set(parts.values()))]  # beside it, nowhere else
    for file in files:
        if not file.is_file():
            raise WeightsError(f"{folder} lacks {file.name}, a part of its weights; {cure}")
        _not_cut_off(file, cure)
    return tuple(files)


def _not_cut_off(file: Path, cure: str) -> None:
    """Raise where a weights file is shorter or longer than what it says of itself."""
    size = file.stat().st_size
    if file.suffix == ".safetensors":
        wanted = _safetensors_bytes(file, size)
        if wanted is None:
            raise WeightsError(f"{file} is damaged: its header cannot be read; {cure}")
        if wanted != size:
            raise WeightsError(f"{file} is damaged: it has {size} bytes, its header says {wanted}; {cure}")
        return
    with file.open("rb") as opened:
        zipped = opened.read(2) == b"PK"
    if not size or (zipped and not zipfile.is_zipfile(file)):  # the table of a zip stands at its end
        raise WeightsError(f"{file} is damaged: it is cut off after {size} bytes; {cure}")


def _safetensors_bytes(file: Path, size: int) -> int | None:
    """The length that a safetensors header gives its file; None where there is no readable header."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if size < 8 or length > size - 8:
            return None
        try:
            header = json.loads(opened.read(length))
            ends = [row["data_offsets"][1] for name, row in header.items() if name != "__metadata__"]
            return 8 + length + max(ends, default=0)
        except (ValueError, TypeError, LookupError, AttributeError):
            return None


def read_manifest(folder: Path, cure: str) -> Manifest | None:
    """The folder's `hero.json`, None where it has none.

    Raises:
        WeightsError: it cannot be read.
    """
    if not (folder / MANIFEST).is_file():
        return None
    raw = read_json(folder / MANIFEST, cure)
    try:
        files = {str(name): (int(row[0]), str(row[1])) for name, row in raw["files"].items()}
        return Manifest(str(raw["repo"]), str(raw["revision"]), files)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{folder / MANIFEST} is not as hero writes it ({error!r}); {cure}") from error


def check_hashes(folder: Path, manifest: Manifest, memory: Path, cure: str) -> None:
    """Compare every file with what `hero.json` says of it.

    Raises:
        WeightsError: a file is missing or is not the one that was fetched.
    """
    for name, (size, sha256) in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise WeightsError(f"{folder} lacks {name}, which was fetched with it; {cure}")
        came = file.stat().st_size
        found = sha256_of(file, memory=memory) if came == size else ""
        if found != sha256:
            told = f"sha256 {found[:12]}.., fetched {sha256[:12]}.." if found else f"{came} bytes, fetched {size}"
            raise WeightsError(f"{file} has changed since it was fetched: {told}; {cure}")


def hash_of(files: tuple[Path, ...], memory: Path) -> str:
    """SHA-256 of the weights; of several parts that of the list of their hashes."""
    found = [sha256_of(file, memory=memory) for file in files]
    return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()


def copy_whole(folder: Path, target: Path, weights: tuple[Path, ...], repo: str, revision: str) -> None:
    """Copy a checkpoint's own files to `target`, with a `hero.json`; a reader sees the whole folder or none.

    Raises:
        OutputError: there is no room, or the place cannot be written.
    """
    index = [folder / name for name in WEIGHTS if name.endswith(".json")]
    files = [file for file in (*(folder / name for name in BESIDE), *index, *weights) if file.is_file()]
    needed = sum(file.stat().st_size for file in files)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        if free < needed:
            raise OutputError(
                f"'{target.name}' needs {gigabytes(needed)} in {target.parent}, {gigabytes(free)} are free; name a folder "
                "with more room"
            )
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pack-") as scratch:
            inside = Path(scratch) / "whole"
            inside.mkdir()
            for file in files:
                shutil.copyfile(file, inside / file.name)  # the hub's cache holds links: their content is copied
            sizes = {file.name: (file.stat().st_size, sha256_of(file)) for file in inside.iterdir()}
            Manifest(repo, revision, sizes).write(inside)
            os.replace(inside, target)
    except OSError as error:
        raise OutputError(
            f"cannot copy '{target.name}' to {target.parent} ({error}); name a folder that can be written"
        ) from error


def gigabytes(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 10_000_000 else f"{count / 1e6:.2f} MB"
