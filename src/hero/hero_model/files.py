"""A HERO checkpoint on disk: adapters and integration layer, the language model by reference.

    config.json                HeroConfig: the base's name and fingerprint, sizes, training record
    integration.safetensors    connectors, query generator, panorama, projector (absent in a model of text only)
    adapter/                   LoRA in peft's own layout (absent without LoRA)
    hero-model.json            the SHA-256 of each of these

It loads as a whole or not at all: hashes, names, shapes and finiteness are checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import save

from hero import checkpoints
from hero.errors import ConfigError, OutputError, WeightsError
from hero.hero_model.config import Fingerprint, HeroConfig, Lora, as_json
from hero.nn.connector_files import training_of
from hero.nn.evidence_decoder import EvidenceDecoder
from hero.nn.integration import IntegrationLayer
from hero.nn.tensor_folder import (
    check_hashes,
    put_together,
    read_table,
    read_tensors,
    sha256_of_all,
    sha256_of_bytes,
)
from hero.pretrained.device import resolve
from hero.types import ModelUsed

if TYPE_CHECKING:
    from hero.nn.connector_files import Training
    from hero.pretrained.device import Device

TABLE, CONFIG, INTEGRATION = "hero-model.json", "config.json", "integration.safetensors"
ADAPTER_CONFIG, ADAPTER = "adapter/adapter_config.json", "adapter/adapter_model.safetensors"
FORMAT = 1
NAME = "hero-model"
LISTED = 3
CURE = "copy the folder again, or train and save the model again"


@dataclass(frozen=True, eq=False)
class Folder:
    """A checked HERO folder: its configuration, and the hash of each file; `used` is the entry for the provenance."""

    folder: Path
    config: HeroConfig
    files: Mapping[str, str]

    @property
    def used(self) -> ModelUsed:
        """Adapters and integration layer, under the hash of all files that decide an answer."""
        deciding = [digest for name, digest in self.files.items() if name != ADAPTER_CONFIG]
        training = self.config.trained
        return ModelUsed(NAME, sha256_of_all(deciding), training.licence or "none", training.commercial)


@dataclass(frozen=True, eq=False)
class OpenedIntegration:
    """The integration half of a HERO model, in eval mode, without its language model."""

    integration: IntegrationLayer
    config: HeroConfig
    training: Training
    used: ModelUsed
    folder: Path


def open_integration(folder: str | Path, *, device: Device = "auto") -> OpenedIntegration:
    """The integration layer of a checkpoint; neither the language model nor the adapters are read.

    Raises:
        WeightsError: the folder holds no HERO model, is damaged, or was trained without an integration layer.
        ConfigError: the device is not here.
    """
    where = resolve(device, "fp32")[0]
    found = read_folder(Path(folder), only=(CONFIG, INTEGRATION))
    integration = read_integration(found)
    if integration is None:
        raise WeightsError(f"{found.folder} is a HERO model of text only; name one with an integration layer")
    ready = integration.to(where).requires_grad_(False)
    return OpenedIntegration(ready, found.config, found.config.trained, found.used, found.folder)


def write_folder(
    folder: Path, config: HeroConfig, integration: IntegrationLayer | None, adapter: Mapping[str, bytes]
) -> None:
    """Put a checkpoint into `folder`: all files are written before the first one takes its place, the table last.

    `adapter` are the contents of `adapter/`, empty without LoRA. A HERO model that lies there is replaced.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    files = dict(adapter)
    if integration is not None:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in integration.state_dict().items()}
        files[INTEGRATION] = save(tensors)
    files[CONFIG] = config.to_json_string().encode()
    table = {"format": FORMAT, "files": {name: sha256_of_bytes(data) for name, data in files.items()}}
    files[TABLE] = json.dumps(table, indent=1).encode()
    try:
        _expect_place(folder)
        folder.mkdir(parents=True, exist_ok=True)
        put_together(folder, files)
        for name in {INTEGRATION, ADAPTER, ADAPTER_CONFIG} - set(files):  # left by another model that lay here
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write the HERO model to {folder} ({error}); name a folder that can be written"
        ) from error


def _expect_place(folder: Path) -> None:
    """Raise where a folder holds other things than a HERO model: its `config.json` would be lost, the rest mixed up.

    The folder of a run of transformers' `Trainer` is a place too, as long as nothing in it has a name of ours. An empty
    `adapter/` is what a save leaves that failed.

    Raises:
        OutputError: it does.
        OSError: it cannot be read.
    """
    there = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    adapter = folder / Path(ADAPTER).parent
    if "adapter" in there and adapter.is_dir() and not any(adapter.iterdir()):
        there.remove("adapter")
    own = {CONFIG, INTEGRATION, "adapter"} & set(there)
    of_a_run = any(name == "training_args.bin" or re.fullmatch(r"checkpoint-\d+", name) for name in there)
    if there and TABLE not in there and not _says_hero(folder / CONFIG) and (own or not of_a_run):
        more = f" and {len(there) - LISTED} more" if len(there) > LISTED else ""
        raise OutputError(
            f"{folder} holds other files ({', '.join(sorted(there)[:LISTED])}{more}) and no HERO model; name a new or empty "
            "folder, or one that holds a HERO model, which is replaced"
        )


def _says_hero(path: Path) -> bool:
    """Whether a file is the configuration of a HERO model."""
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("model_type") == HeroConfig.model_type


def read_folder(folder: Path, *, only: tuple[str, ...] = ()) -> Folder:
    """Check a folder and read its configuration; `only` these files are hashed, all where none is named.

    Raises:
        WeightsError: it holds no HERO model, a file is missing or damaged, or its parts do not fit each other.
    """
    table = read_table(folder / TABLE, keys=("format", "files"), version=FORMAT, what="HERO model", cure=CURE)
    files = {str(name): str(digest) for name, digest in table["files"].items()}
    check_hashes(folder, files, table=TABLE, needed=(CONFIG,), cure=CURE, only=only)
    config = _read_config(folder)
    for part, name in ((config.integration, INTEGRATION), (config.lora, ADAPTER)):
        if (part is not None) != (name in files):
            told = "lacks" if part is not None else "has"
            raise WeightsError(f"{folder} {told} {name}, which its {CONFIG} does{'' if part else ' not'} name; {CURE}")
    return Folder(folder, config, files)


def _read_config(folder: Path) -> HeroConfig:
    """The `config.json` of a HERO model, every record in it whole.

    Raises:
        WeightsError: it is not that.
    """
    path = folder / CONFIG
    try:
        raw = json.loads(path.read_text("utf-8"))
        if not isinstance(raw, dict) or raw.get("model_type") != HeroConfig.model_type:
            came = raw.get("model_type") if isinstance(raw, dict) else type(raw).__name__
            raise WeightsError(f"{path} says model_type '{came}', not '{HeroConfig.model_type}'; {CURE}")
        config = HeroConfig.from_dict(raw)
        for name in ("fingerprint", "integration", "lora", "training"):
            if not isinstance(getattr(config, name), dict | None):
                raise ConfigError(f"'{name}' is a {type(getattr(config, name)).__name__}, not a mapping")
        training_of(config.training or {}, path, cure=CURE)
        wanted = config.wanted
        if config.lora is not None:
            config.lora = as_json(Lora(**config.lora))
    except (OSError, ValueError, TypeError, ConfigError, StrictDataclassError) as error:
        raise WeightsError(f"{path} describes no HERO model ({error}); {CURE}") from error
    width = (config.integration or {}).get("dim_lm", wanted.hidden_size)
    if width != wanted.hidden_size:
        raise WeightsError(
            f"{path}: the integration layer writes {width} columns, its language model '{config.base}' reads "
            f"{wanted.hidden_size}; {CURE}"
        )
    return config


def read_integration(found: Folder) -> IntegrationLayer | None:
    """The integration layer of a checked folder, in eval mode on the CPU; None in a model of text only.

    Raises:
        WeightsError: sizes that make none, or tensors that do not fit them.
    """
    if found.config.integration is None:
        return None
    with torch.random.fork_rng(devices=[]):  # fresh weights are overwritten: leave the caller's random numbers alone
        try:
            layer = build_integration(found.config.integration)
        except (ConfigError, TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:
            told = f"describes no integration layer ({error!r})"
            raise WeightsError(f"{found.folder / CONFIG} {told}; {CURE}") from error
    layer.load_state_dict(read_tensors(found.folder / INTEGRATION, layer.state_dict(), cure=CURE))
    return layer.eval()


def build_integration(sizes: Mapping[str, Any]) -> IntegrationLayer:
    """An integration layer with fresh weights from the sizes that `integration_sizes` gives.

    Raises:
        ConfigError, TypeError, ValueError, AttributeError, KeyError, RuntimeError: sizes or names that make none.
    """
    given = dict(sizes)
    order, decoder = given.pop("modalities"), given.pop("decoder")
    if sorted(order) != sorted(given["parts"]):
        raise ConfigError(f"modalities {order} are not those of its parts: {sorted(given['parts'])}")
    given["parts"] = {name: given["parts"][name] for name in order}
    return IntegrationLayer(**given, decoder=None if decoder is None else EvidenceDecoder(**decoder))


def integration_sizes(layer: IntegrationLayer) -> dict[str, Any]:
    """The arguments that make the layer again, as JSON holds them.

    `modalities` keeps the order of the parts, which JSON may sort; `decoder` has the sizes of the decoder of bytes.

    Raises:
        ConfigError: its evidence decoder is a T5, which belongs to a folder of connectors.
    """
    decoder = layer.connectors.decoder
    if decoder is not None and not isinstance(decoder, EvidenceDecoder):
        raise ConfigError("a HERO model carries no T5 decoder; give the decoder of bytes, or none")
    parts = {
        name: layer.connectors.part(name).sizes for name in layer.modalities
    }  # defaults spelled out: they may change
    sizes = {**layer.sizes, "parts": parts, "modalities": [*parts], "decoder": decoder.sizes if decoder else None}
    plain: dict[str, Any] = json.loads(json.dumps(sizes))
    return plain


def base_of(found: Folder) -> str:
    """The name of the language model that a checkpoint needs, where the catalogue has it.

    Raises:
        WeightsError: it was trained on a folder that only its owner knows.
    """
    name = found.config.base
    if name not in checkpoints.catalogue():
        wanted: Fingerprint = found.config.wanted
        raise WeightsError(
            f"{found.folder} needs the language model '{name}' ({wanted.model_type}, {wanted.hidden_size} columns), which "
            "is none of the catalogue; give base=FOLDER, the folder that holds it"
        )
    return name
