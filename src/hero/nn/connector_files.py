"""Connectors on disk: `connectors.safetensors`, and `connectors.json` with sizes, hashes and where the training came from.

A folder loads as a whole or not at all: keys, shapes, hashes and finiteness are checked. A decoder on T5 lies beside
them in `t5/`, in the hub's layout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save

from hero.errors import ConfigError, OutputError, WeightsError
from hero.nn.connector import Connector, Connectors
from hero.nn.evidence_decoder import EvidenceDecoder
from hero.nn.tensor_folder import (
    check_hashes,
    put_together,
    read_table,
    read_tensors,
    sha256_of_all,
    sha256_of_bytes,
    sha256_of_file,
)

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
    content = save(tensors)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if decoder is not None and not isinstance(decoder, EvidenceDecoder):
            decoder.save_backbone(folder / T5_FOLDER)
        beside = sorted((folder / T5_FOLDER).glob("*")) if kind == "t5" else []
        table = {
            "format": FORMAT,
            "parts": {name: connectors.part(name).sizes for name in connectors.modalities},
            "decoder": {"kind": kind, **(decoder.sizes if decoder is not None else {})},
            "training": asdict(training),
            "files": {
                TENSORS: sha256_of_bytes(content),
                **{path.relative_to(folder).as_posix(): sha256_of_file(path) for path in beside},
            },
        }
        put_together(folder, {TENSORS: content, TABLE: json.dumps(table, ensure_ascii=False, indent=1).encode()})
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
    check_hashes(folder, table["files"], table=TABLE, needed=(TENSORS,), cure=CURE)
    with torch.random.fork_rng(devices=[]):  # fresh weights are overwritten: leave the caller's random numbers alone
        try:
            training = training_of(table["training"], folder / TABLE, cure=CURE)
            connectors = _build(folder, table, open_t5)
        except (ConfigError, TypeError, ValueError) as error:
            raise WeightsError(f"{folder / TABLE} describes no connectors ({error}); {CURE}") from error
    _fill(folder, connectors)
    return Saved(connectors.eval(), training, sha256_of_all(table["files"].values()))


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
    wanted = {k: v for k, v in connectors.state_dict().items() if not k.startswith(T5_WEIGHTS)}
    found = read_tensors(folder / TENSORS, wanted, cure=CURE)
    connectors.load_state_dict(found, strict=False)  # strictness was settled above; T5's own weights are in already


def _read_table(folder: Path) -> dict[str, Any]:
    """`connectors.json` with exactly its keys.

    Raises:
        WeightsError: it is missing or is not that.
    """
    path = folder / TABLE
    table = read_table(path, keys=KEYS, version=FORMAT, what="connectors", cure=CURE)
    if not all(isinstance(row, dict) for row in table["parts"].values()):
        raise WeightsError(f"{path}: 'parts' must be a mapping of mappings; {CURE}")
    return table


def training_of(row: Mapping[str, Any], path: Path, *, cure: str) -> Training:
    """A `Training` from its row in the file `path`, every key present and of its type.

    Raises:
        WeightsError: one is not.
        ConfigError: trained weights without data, licence or revision.
    """
    if not isinstance(row.get("trained"), bool):
        raise WeightsError(f"{path}: training.trained must be true or false; {cure}")
    types = {f.name: type(getattr(Training(), f.name)) for f in fields(Training)}
    wrong = [name for name in {*row, *types} if name not in row or not isinstance(row[name], types.get(name, ()))]
    if wrong:
        allowed = ", ".join(f"{name} ({t.__name__})" for name, t in types.items())
        raise WeightsError(f"{path}: training.{min(wrong)} is wrong; allowed are exactly {allowed}; {cure}")
    return Training(**row)
