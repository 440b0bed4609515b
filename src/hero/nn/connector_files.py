"""Connectors on disk: `connectors.safetensors`, and `connectors.json` with sizes, hashes and where the training came from.

A folder loads as a whole or not at all: keys, shapes, hashes and finiteness are checked. A decoder on T5 lies beside
them in `t5/`, in the hub's layout.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from hero.errors import ConfigError, OutputError, WeightsError
from hero.nn.connector import Connector, Connectors
from hero.nn.evidence_decoder import EvidenceDecoder

if TYPE_CHECKING:
    from hero.nn.t5_evidence_decoder import T5EvidenceDecoder

    OpenT5 = Callable[[Path, int], T5EvidenceDecoder]

TABLE, TENSORS, T5_FOLDER = "connectors.json", "connectors.safetensors", "t5"
FORMAT = 1
KEYS = ("format", "parts", "decoder", "training", "files")
T5_WEIGHTS = "decoder.model."  # tensors that lie in `t5/`
CURE = "copy the folder again, or train and save the connectors again"


@dataclass(frozen=True)
class Training:
    """Whether weights were trained, and on what; `revision` names the run.

    `encoders` says by modality which checkpoint's features the connectors were trained on; features of another one, even
    of the same width, mean nothing to them.

    Raises:
        ConfigError: trained weights without data, licence or revision.
    """

    trained: bool = False
    data: str = ""
    licence: str = ""
    commercial: bool = False
    revision: str = ""
    encoders: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lacking = [name for name in ("data", "licence", "revision") if not getattr(self, name)]
        if self.trained and lacking:
            raise ConfigError(f"trained connectors must name their {', '.join(lacking)}; fill these in")


@dataclass(frozen=True, eq=False)
class Saved:
    """Connectors as they were saved, in eval mode; `sha256` is the hash of all their weights."""

    connectors: Connectors
    training: Training
    sha256: str


def save_connectors(folder: Path, connectors: Connectors, training: Training) -> None:
    """Write the connectors to `folder`; each file appears whole or not at all, `connectors.json` last.

    Raises:
        OutputError: the folder cannot be written.
    """
    decoder = connectors.decoder
    kind = "none" if decoder is None else "bytes" if isinstance(decoder, EvidenceDecoder) else "t5"
    tensors = {k: v.contiguous() for k, v in connectors.state_dict().items() if not k.startswith(T5_WEIGHTS)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _put(folder / TENSORS, save(tensors))
        if decoder is not None and not isinstance(decoder, EvidenceDecoder):
            decoder.save_backbone(folder / T5_FOLDER)
        table = {
            "format": FORMAT,
            "parts": {name: connectors.part(name).sizes for name in connectors.modalities},
            "decoder": {"kind": kind, **(decoder.sizes if decoder is not None else {})},
            "training": asdict(training),
            "files": {str(path.relative_to(folder).as_posix()): _sha256(path) for path in _weights(folder, kind)},
        }
        _put(folder / TABLE, json.dumps(table, ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise OutputError(
            f"cannot write connectors to {folder} ({error}); name a folder that can be written"
        ) from error


def load_connectors(folder: Path, *, open_t5: OpenT5 | None = None) -> Saved:
    """Read what `save_connectors` wrote; `open_t5` opens a decoder on T5 (folder, feature columns).

    Raises:
        WeightsError: a file is missing, damaged, or not what `connectors.json` says.
    """
    table = _read_table(folder)
    _check_hashes(folder, table["files"])
    with torch.random.fork_rng(devices=[]):  # fresh weights are overwritten: leave the caller's random numbers alone
        try:
            training = _exactly(Training, table["training"], folder)
            connectors = _build(folder, table, open_t5)
        except (ConfigError, TypeError, ValueError) as error:
            raise WeightsError(f"{folder / TABLE} describes no connectors ({error}); {CURE}") from error
    _fill(folder, connectors)
    whole = hashlib.sha256("".join(sorted(table["files"].values())).encode()).hexdigest()
    return Saved(connectors.eval(), training, whole)


def _build(folder: Path, table: Mapping[str, Any], open_t5: OpenT5 | None) -> Connectors:
    """The modules that the table describes.

    Raises:
        ConfigError, TypeError: sizes or names that make none.
    """
    decoder: EvidenceDecoder | T5EvidenceDecoder | None = None
    sizes = dict(table["decoder"])
    kind = sizes.pop("kind", None)
    if kind == "bytes":
        decoder = EvidenceDecoder(**sizes)
    elif kind == "t5":
        if open_t5 is None:
            raise ConfigError("its decoder is a T5, and nothing to open it was given")
        decoder = open_t5(folder / T5_FOLDER, int(sizes["dim_features"]))
    elif kind != "none":
        raise ConfigError(f"no decoder is of kind {kind!r}; known: bytes, t5, none")
    return Connectors({name: Connector(**given) for name, given in table["parts"].items()}, decoder)


def _fill(folder: Path, connectors: Connectors) -> None:
    """Load the tensors; names, shapes and values must be right.

    Raises:
        WeightsError: they are not.
    """
    path = folder / TENSORS
    try:
        found = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} is damaged ({error}); {CURE}") from error
    wanted = {k: v for k, v in connectors.state_dict().items() if not k.startswith(T5_WEIGHTS)}
    for what, names in (("lacks", set(wanted) - set(found)), ("has the unknown", set(found) - set(wanted))):
        if names:
            raise WeightsError(f"{path} {what} tensor '{min(names)}' ({len(names)} in all); {CURE}")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            shapes = f"{tuple(tensor.shape)}, wanted {tuple(wanted[name].shape)}"
            raise WeightsError(f"{path}: tensor '{name}' has shape {shapes}; {CURE}")
        if not bool(tensor.isfinite().all()):
            raise WeightsError(f"{path}: tensor '{name}' holds NaN or infinite values; {CURE}")
    connectors.load_state_dict(found, strict=False)  # strictness was settled above; T5's own weights are in already


def _read_table(folder: Path) -> dict[str, Any]:
    """`connectors.json` with exactly its keys.

    Raises:
        WeightsError: it is missing or is not that.
    """
    path = folder / TABLE
    try:
        table = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{folder} holds no connectors: {TABLE} is missing; name a folder that has it") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); {CURE}") from error
    if not isinstance(table, dict) or set(table) != set(KEYS) or table["format"] != FORMAT:
        came = f"keys {sorted(table)}" if isinstance(table, dict) else type(table).__name__
        raise WeightsError(f"{path} has {came}; allowed are exactly {sorted(KEYS)} with format {FORMAT}; {CURE}")
    for key in KEYS[1:]:
        rows = [table[key], *(table[key].values() if key == "parts" and isinstance(table[key], dict) else ())]
        if not all(isinstance(row, dict) for row in rows):
            raise WeightsError(f"{path}: '{key}' must be a mapping; {CURE}")
    if not isinstance(table["training"].get("trained"), bool):
        raise WeightsError(f"{path}: training.trained must be true or false; {CURE}")
    return table


def _exactly(kind: type[Training], row: Mapping[str, Any], folder: Path) -> Training:
    """A `Training` from its row, every key present and of its type.

    Raises:
        WeightsError: one is not.
    """
    types = {f.name: type(getattr(kind(), f.name)) for f in fields(kind)}
    wrong = [name for name in {*row, *types} if name not in row or not isinstance(row[name], types.get(name, ()))]
    if wrong:
        allowed = ", ".join(f"{name} ({t.__name__})" for name, t in types.items())
        raise WeightsError(f"{folder / TABLE}: training.{min(wrong)} is wrong; allowed are exactly {allowed}; {CURE}")
    return kind(**row)


def _check_hashes(folder: Path, files: Mapping[str, str]) -> None:
    if TENSORS not in files:
        raise WeightsError(f"{folder / TABLE} has no hash of {TENSORS}; {CURE}")
    for name, expected in files.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
            raise WeightsError(f"{folder} lacks {name}; {CURE}")
        if _sha256(path) != expected:
            raise WeightsError(f"{path} is damaged: its sha256 is not the one in {TABLE}; {CURE}")


def _weights(folder: Path, kind: str) -> list[Path]:
    """The files whose hashes are kept: everything that decides an answer."""
    return [folder / TENSORS, *(sorted((folder / T5_FOLDER).glob("*")) if kind == "t5" else ())]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".connectors-", delete=False) as file:
        scratch = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            scratch.chmod(0o644)
            os.replace(scratch, path)
        except OSError:
            scratch.unlink(missing_ok=True)
            raise
