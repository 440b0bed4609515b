"""Strict loading of frozen networks from a local folder in the Hugging Face layout: whole, offline, without its code.

A checkpoint loads as a whole or not at all: a tensor that is missing would be random numbers, and nobody would see it.
Nothing is downloaded, and no code that lies in a folder is ever run (Python pickles are read with `weights_only`).
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero import checkpoints
from hero.checkpoint_folder import gigabytes
from hero.errors import WeightsError

if TYPE_CHECKING:
    import torch

    from hero.checkpoints import Checkpoint

INSTALL = "pip install 'hero-emotion[model]'"
SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
# What torch, safetensors, transformers and its tokenizers raise on files that are not what they expect.
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    ImportError,
    pickle.UnpicklingError,
)
# What torch, its allocators on each device, and the system say where memory does not suffice.
SHORTAGE = ("out of memory", "not enough memory", "allocate memory")
CONVERSION = (
    "during automatic conversion of the weights"  # all that transformers tells of an error while it packs weights
)
LISTED = 3
_NUMBER = re.compile(r"\.\d+\.")
LONGEST = 400


def libraries() -> tuple[Any, Any]:
    """The modules torch and transformers.

    Raises:
        WeightsError: one of them is missing, or a torchvision or torchaudio that does not fit torch spoils them.
    """
    try:
        torch, hub = import_module("torch"), import_module("transformers")
        _ = hub.PreTrainedModel  # the library imports its parts only when they are named
    except (ImportError, RuntimeError, AttributeError) as error:
        raise WeightsError(f"torch and transformers cannot be used here ({error}); {INSTALL}") from error
    return torch, hub


@contextmanager
def reading(
    folder: Path, what: str, *, cure: str = "", need: str = "", relief: str = "a smaller model or device=cpu"
) -> Iterator[None]:
    """Whatever the libraries raise on the files of `folder` meanwhile becomes one WeightsError; the terminal stays quiet.

    Where memory ran out, nothing is wrong with the files: the message tells the `need` and the `relief` instead of the cure.

    Raises:
        WeightsError: naming the folder, what it should be, the reason and the cure.
    """
    _, hub = libraries()
    safetensors: type[Exception] = import_module("safetensors").SafetensorError
    strict: type[Exception] = import_module("huggingface_hub.errors").StrictDataclassError
    try:
        with quietly(hub):
            yield
    except (*UNREADABLE, MemoryError, safetensors, strict) as error:
        reason = " ".join(str(error).split())[:LONGEST] or type(error).__name__
        if out_of_memory(error):
            need = need or f"its weights are {gigabytes(_bytes_of(folder))} on disk"
            raise WeightsError(
                f"there is too little memory to open {folder} as {what}: {need} ({reason}); free memory and try again, or "
                f"take {relief}"
            ) from error
        cure = cure or fetch_again(folder)
        if CONVERSION in reason:
            cure = f"if memory ran out meanwhile, take {relief}; otherwise {cure}"
        raise WeightsError(f"{folder} cannot be loaded as {what} ({reason}); {cure}") from error


def out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that memory ran out: passing trouble, no damaged file."""
    torch, _ = libraries()
    chain: BaseException | None = error
    while chain is not None:
        told = str(chain).lower()
        if isinstance(chain, (MemoryError, torch.OutOfMemoryError)) or any(words in told for words in SHORTAGE):
            return True
        chain = chain.__cause__ or chain.__context__
    return False


def fetch_again(folder: Path) -> str:
    """The cure for a folder that is damaged or another model; only what the catalogue names can be fetched."""
    return checkpoints.cure_of(folder)


def load_pretrained(
    class_name: str,
    checkpoint: Checkpoint,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    types: Sequence[str] = (),
    may_lack: Sequence[str] = (),
    cure: str = "",
    **options: Any,
) -> Any:
    """A network of transformers' class `class_name` with every weight from the folder: frozen, in eval mode, on `device`.

    `types` are the `model_type`s of config.json that this class reads (any if empty). `may_lack` are patterns of keys
    (from their start) that may be missing because nothing that is used depends on them. Weights that the class does
    not have (the text half of a CLIP) are ignored. `cure` replaces the usual one. `options` go to `from_pretrained`:
    `config` and `state_dict` for weights that were converted, `attn_implementation`, `key_mapping`.

    Raises:
        WeightsError: the folder is another model, is damaged, or lacks a tensor; or memory does not suffice.
    """
    torch, hub = libraries()
    if types:
        expect_type(checkpoint, types)
    where = None if "state_dict" in options else str(checkpoint.folder)
    packed = options.get("quantization_config")
    memory = {"need": _need(checkpoint, dtype or torch.float32, packed), "relief": _relief(checkpoint, device, packed)}
    with reading(checkpoint.folder, class_name, cure=cure, **memory):
        kind = getattr(hub, class_name)
        # Said here, because a folder's config may name compiled attention code on the hub instead.
        options.setdefault("attn_implementation", "sdpa" if getattr(kind, "_supports_sdpa", False) else "eager")
        model, info = kind.from_pretrained(
            where,
            dtype=dtype or torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below: the library's own words name no tensor
            **options,
        )
        if misfits := sorted((key, tuple(came), tuple(wanted)) for key, came, wanted in info["mismatched_keys"]):
            key, came, wanted = misfits[0]
            more = f", and {len(misfits) - 1} more tensors differ" if len(misfits) > 1 else ""
            raise ValueError(
                f"its config.json does not fit its weights: {key} is {came}, the config says {wanted}{more}"
            )
        missing = sorted(key for key in info["missing_keys"] if not any(re.match(known, key) for known in may_lack))
        if missing:
            more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
            raise ValueError(f"it lacks {len(missing)} tensors: {', '.join(missing[:LISTED])}{more}")
        if more_layers := _layers_left_out(model, info["unexpected_keys"]):
            raise ValueError(f"its weights have more layers than its config.json says, such as {more_layers}")
        return model.eval().requires_grad_(False).to(device or "cpu")


def _need(checkpoint: Checkpoint, dtype: torch.dtype, packed: Any) -> str:
    """How much memory the weights take, in words: what lies on disk, at the width of `dtype`."""
    torch, _ = libraries()
    config = read_json(checkpoint.folder)
    stored = getattr(torch, str(config.get("dtype") or config.get("torch_dtype")), torch.float32)
    wide = getattr(stored, "itemsize", 4)
    size = gigabytes(_bytes_of(checkpoint.folder) * dtype.itemsize // wide)
    name = str(dtype).removeprefix("torch.")
    return f"'{checkpoint.name}' takes about {size} in {name}" + (" before it is quantized" if packed else "")


def _relief(checkpoint: Checkpoint, device: torch.device | None, packed: Any) -> str:
    """What to take where memory does not suffice."""
    ways = ["a smaller model"]
    if checkpoint.kind == "causal_lm" and not getattr(packed, "load_in_4bit", False):
        ways.insert(0, "quantize=4bit")
    if device is not None and device.type != "cpu":
        ways.append("device=cpu")
    return " or ".join(ways) if len(ways) < 3 else f"{', '.join(ways[:-1])}, or {ways[-1]}"


def _bytes_of(folder: Path) -> int:
    """The size of a folder's weights on disk; of one format where there are two."""
    for form in ("*.safetensors", "*.bin"):
        if found := [file.stat().st_size for file in folder.glob(form)]:
            return sum(found)
    return 0


def _layers_left_out(model: Any, unexpected: Iterable[str]) -> str:
    """A key of a numbered layer that the network would have, were it as deep as its weights are; empty where there is none."""
    known = {_NUMBER.sub(".0.", key) for key in model.state_dict()}
    found = (key.removeprefix(f"{model.base_model_prefix}.") for key in sorted(unexpected))
    return next((key for key in found if _NUMBER.search(key) and _NUMBER.sub(".0.", key) in known), "")


def read_json(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """The object in a JSON file of a checkpoint's folder.

    Raises:
        WeightsError: the file is missing, unreadable, or holds no JSON object.
    """
    try:
        found = json.loads((folder / name).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder / name} cannot be read ({error}); {fetch_again(folder)}") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{folder / name} holds no JSON object; {fetch_again(folder)}")
    return found


def expect_type(checkpoint: Checkpoint, types: Sequence[str]) -> str:
    """The `model_type` of config.json, one of `types`.

    Raises:
        WeightsError: it is another model.
    """
    found = str(read_json(checkpoint.folder).get("model_type"))
    if found not in types:
        raise WeightsError(
            f"{checkpoint.folder} holds a model of type '{found}', not {' or '.join(types)} as '{checkpoint.name}' "
            f"of kind '{checkpoint.kind}' should; {fetch_again(checkpoint.folder)}"
        )
    return found


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a folder's weights by its name, for checkpoints whose names transformers does not know.

    safetensors (one file or the parts of an index) come before pickles; a pickle may wrap its tensors in "model",
    "module" or "state_dict".

    Raises:
        WeightsError: there are no weights, or they cannot be read.
    """
    from safetensors.torch import load_file

    torch, _ = libraries()
    found: dict[str, Any] = {}
    with reading(folder, "weights"):
        for file in _weight_files(folder):
            if file.suffix == ".safetensors":
                part = load_file(file)
            else:
                part = _unwrapped(torch.load(file, map_location="cpu", weights_only=True))
            found.update(part)
        if not found or not all(isinstance(value, torch.Tensor) for value in found.values()):
            raise ValueError("its weights are no table of tensors")
    return found


def _weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights: all parts named by an index, or the one file."""
    for whole, index in ((SAFE, SAFE_INDEX), (PICKLED, PICKLED_INDEX)):
        if (folder / whole).is_file():
            return [folder / whole]
        if (folder / index).is_file():
            names = sorted(set(json.loads((folder / index).read_text("utf-8"))["weight_map"].values()))
            return [folder / Path(name).name for name in names]  # an index names files beside it, nothing else
    raise FileNotFoundError(f"there is no {SAFE} and no {PICKLED}")


def _unwrapped(saved: Any) -> dict[str, Any]:
    for name in ("model", "module", "state_dict"):
        if isinstance(saved, dict) and isinstance(saved.get(name), dict):
            return saved[name]
    if not isinstance(saved, dict):
        raise ValueError(f"the weights file holds a {type(saved).__name__}, not a table of tensors")
    return saved


@contextmanager
def quietly(hub: Any) -> Iterator[None]:
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
