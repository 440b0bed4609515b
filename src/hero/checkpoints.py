"""Pretrained checkpoints of the field, in the Hugging Face layout: what they are, where they lie, whether they are whole.

The catalogue stands in `checkpoints.yaml`. A checkpoint is looked for as `<folder>/<name>/` in the folders of
`hero.models` (HERO_MODELS, the user's cache, HERO_DATA), then in the Hugging Face cache (HF_HUB_CACHE, HF_HOME) at the
pinned commit. Nothing is downloaded here: that is `hero.hub`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hero import checkpoint_folder as inside
from hero import models
from hero.errors import ConfigError, OutputError, WeightsError
from hero.types import ModelUsed

COMMERCIAL = (
    "mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "isc", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "unlicense",
)  # fmt: skip
CLIP_OF_OPENAI = ("base-patch16", "base-patch32", "large-patch14", "large-patch14-336")  # their code and weights: MIT
NAMING = ("model", "recognizer")  # the settings that name a checkpoint
SPELLED = {"mit": "MIT", "apache-2.0": "Apache-2.0"}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint at hand: a folder with `config.json`, weights, and what its kind needs besides.

    `kind` says which class loads it (`clip_vision`, `siglip_vision`, `videomae`, `speech_encoder`, `whisper`, `bert`,
    `audio_classifier`, `audio_llm`, `causal_lm`); `revision` is the hub's commit, empty for a local folder nobody pinned;
    `sha256` is the hash of its weights.
    """

    name: str
    kind: str
    folder: Path
    revision: str
    licence: str
    commercial: bool
    sha256: str

    @property
    def used(self) -> ModelUsed:
        """The entry for a verdict's provenance."""
        return ModelUsed(self.name, self.sha256, self.licence, self.commercial)


@dataclass(frozen=True)
class Known:
    """A row of the catalogue: `use` is what it serves, `preset` the shipped one that names it.

    `revision` None: pinned at the first fetch. `random`: made here instead of fetched.
    """

    name: str
    what: str
    use: str
    preset: str | None
    kind: str
    repo: str
    revision: str | None
    licence: str
    commercial: bool
    size_bytes: int
    dim: int
    random: bool = False


@cache
def catalogue() -> Mapping[str, Known]:
    """All known checkpoints by name."""
    import yaml

    raw: dict[str, dict[str, Any]] = yaml.safe_load(files("hero").joinpath("checkpoints.yaml").read_text("utf-8"))
    return MappingProxyType({name: Known(name, **row) for name, row in raw.items()})


def known(name: str) -> Known:
    """The row of the catalogue called `name`, or whose repository is called so.

    Raises:
        ConfigError: there is none.
    """
    row = _row(name)
    if row is None:
        near = difflib.get_close_matches(name.rpartition("/")[2].lower(), catalogue(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ConfigError(
            f"no checkpoint is called '{name}'; {hint}`hero models` lists all names, and a folder works too"
        )
    return row


def find(name_or_path: str | Path, *, kind: str | None = None) -> Checkpoint | None:
    """A checkpoint by its name in the catalogue (None where it is not at hand), or in a local folder.

    What has a separator, or is a folder and no name of the catalogue, is a path; a hub's `owner/name` that stands in the
    catalogue and is no folder means that row. `kind` is what the caller can load.

    Raises:
        ConfigError: no checkpoint has that name, none is of that kind, or the catalogue says it is of another kind.
        WeightsError: the folder is missing, is another model, or is damaged.
    """
    if kind is not None and kind not in inside.MODEL_TYPES:
        raise ConfigError(f"no checkpoint is of kind '{kind}'; known: {', '.join(inside.MODEL_TYPES)}")
    text = str(name_or_path)
    if is_path(text):
        folder = Path(text).expanduser()
        if not folder.is_dir():
            flaw = f"'{text}' is a file, not a folder" if folder.exists() else f"there is no folder '{text}'"
            raise WeightsError(f"{flaw}; name a checkpoint's folder, or a name that `hero models` lists")
        return _open(folder.absolute(), None, kind)
    row = known(text)
    if kind and not set(inside.MODEL_TYPES[kind]) & set(inside.MODEL_TYPES[row.kind]):
        fit = ", ".join(name for name, other in catalogue().items() if other.kind == kind)
        raise ConfigError(f"'{row.name}' is a checkpoint of kind '{row.kind}', wanted is '{kind}'; choose from: {fit}")
    for base in models.folders():
        if (base / row.name).is_dir():
            return _open((base / row.name).absolute(), row, kind)
    snapshot = _snapshot(row)
    return _open(snapshot, row, kind, revision=snapshot.name) if snapshot else None


def is_path(name_or_path: str | Path) -> bool:
    """Whether `find` reads this as a folder that its user named, not as a name of the catalogue."""
    text = str(name_or_path)
    separated = any(sign in text for sign in ("/", "\\", os.sep)) or text.startswith((".", "~"))
    there = bool(text) and Path(text).expanduser().is_dir()
    return (there and separated) or (_row(text) is None and (there or separated))


def named_in(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Names and folders of checkpoints that an expert's settings ask for, one per language where they differ."""
    values = [settings.get(key) for key in NAMING]
    flat = [one for value in values for one in (value.values() if isinstance(value, Mapping) else (value,))]
    return tuple(dict.fromkeys(str(one) for one in flat if one not in (None, True, False, "", "auto", "none")))


def licence_of(folder: Path) -> str:
    """The licence of a checkpoint's folder: from `config.json`, the front matter of `README.md`, or its origin.

    The origin is the repository that `hero.json` or the config's `_name_or_path` names, where it is known here. "unknown"
    where nothing tells.

    Raises:
        WeightsError: `config.json` or `hero.json` cannot be read.
    """
    config = inside.read_json(folder / inside.CONFIG, _own_cure())
    for stated in (config.get("license"), config.get("licence"), _front_matter(folder).get("license")):
        first = stated[0] if isinstance(stated, list) and stated else stated
        if isinstance(first, str) and first.strip() and first.strip().lower() != "other":
            return SPELLED.get(first.strip().lower(), first.strip())
    manifest = inside.read_manifest(folder, _own_cure())
    for origin in (manifest.repo if manifest else "", str(config.get("_name_or_path") or "").rstrip("/")):
        row = _row(origin)
        if row:
            return row.licence
        if origin.removeprefix("openai/").removeprefix("clip-vit-") in CLIP_OF_OPENAI:
            return "MIT"
    return "unknown"


def commercial(licence: str) -> bool:
    """Whether a licence is known to allow commercial use; an unknown one is not."""
    return licence.strip().lower() in COMMERCIAL


def pack(name: str, folder: Path) -> Path:
    """Copy a checkpoint at hand to `folder/<name>`, for a machine without network (there: HERO_MODELS=folder).

    Raises:
        ConfigError: no checkpoint has that name.
        WeightsError: it is not at hand, or is damaged.
        OutputError: there is no room, or the folder cannot be written.
    """
    found = find(name)
    if found is None:
        raise WeightsError(f"the checkpoint '{name}' is not at hand; run `hero models fetch {name}` first")
    target = folder / found.name
    row = _row(name)
    if target.exists():
        there = _open(target, row, found.kind)
        if there.sha256 != found.sha256:
            raise OutputError(f"{target} is there already with other weights; delete it to pack '{found.name}'")
        return target
    weights = inside.weight_files(found.folder, _own_cure())
    inside.copy_whole(found.folder, target, weights, row.repo if row else "", found.revision)
    return target


def memory() -> Path:
    """Where the hashes of large files are remembered."""
    return models.cache_folder().parent / "hashes.json"


def fetch_cure(row: Known) -> str:
    """What to do about a damaged folder of the catalogue."""
    made = "it is made again when it is used" if row.random else f"run `hero models fetch {row.name}`"
    return f"delete that folder and {made}, or name another one in HERO_MODELS"


def cure_of(folder: Path) -> str:
    """What to do about a damaged folder: fetch it anew where it is the catalogue's, else name another one."""
    fetched = folder.parent.absolute() in [base.absolute() for base in models.folders()]
    row = catalogue().get(folder.name) if fetched else None
    if folder.parent.name == "snapshots":  # the Hugging Face cache
        row = _row(folder.parent.parent.name.removeprefix("models--").replace("--", "/"))
    return fetch_cure(row) if row else _own_cure()


def _own_cure() -> str:
    return "name a folder that holds the whole model in the Hugging Face layout"


def _row(name: str) -> Known | None:
    """The row by its name or its repository."""
    return catalogue().get(name) or next((row for row in catalogue().values() if name and row.repo == name), None)


def _open(folder: Path, row: Known | None, kind: str | None, *, revision: str = "") -> Checkpoint:
    """The folder as a checkpoint, every part of it checked.

    Raises:
        WeightsError: naming the flaw.
    """
    cure = fetch_cure(row) if row else _own_cure()
    if not (folder / inside.CONFIG).is_file():
        raise WeightsError(f"{folder} is no checkpoint: it has no {inside.CONFIG}; {cure}")
    config = inside.read_json(folder / inside.CONFIG, cure)
    chosen = kind or (row.kind if row else inside.kind_of(config))
    if chosen is None or not inside.allowed(config, chosen):
        types = inside.MODEL_TYPES[chosen] if chosen else sorted({t for ts in inside.MODEL_TYPES.values() for t in ts})
        wanted = f"a {chosen} checkpoint" if chosen else "a checkpoint that this program can load"
        raise WeightsError(
            f"{folder} is not {wanted}: its config.json says model_type '{inside.model_type(config)}', "
            f"allowed: {', '.join(types)}; {cure}"
        )
    weights = inside.weight_files(folder, cure)
    manifest = inside.read_manifest(folder, cure)
    if manifest:
        _expect_origin(folder, row, manifest, cure)
        inside.check_hashes(folder, manifest, memory(), cure)
    origin = row or (_row(manifest.repo) if manifest else None)
    licence = origin.licence if origin else licence_of(folder)
    allows = origin.commercial if origin else commercial(licence)
    pinned = manifest.revision if manifest else revision
    return Checkpoint(
        row.name if row else folder.name, chosen, folder, pinned, licence, allows, inside.hash_of(weights, memory())
    )


def _expect_origin(folder: Path, row: Known | None, manifest: inside.Manifest, cure: str) -> None:
    """Raise where a folder of the catalogue came from another repository or commit than the catalogue says.

    A row that is not pinned takes the commit that was fetched first.
    """
    if row is None:
        return
    if manifest.repo != row.repo:
        raise WeightsError(f"{folder} came from '{manifest.repo}', not from '{row.repo}'; {cure}")
    if row.revision and manifest.revision and manifest.revision != row.revision:
        raise WeightsError(
            f"{folder} is commit {manifest.revision[:12]} of {row.repo}; pinned is {row.revision[:12]}; {cure}"
        )


def _snapshot(row: Known) -> Path | None:
    """The row's folder in the Hugging Face cache, None where it is absent or holds only a part (a tokenizer, say)."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    base = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    for repo in (row.repo, row.repo.removeprefix("google-bert/")) if row.repo else ():
        folder = base / f"models--{repo.replace('/', '--')}"
        reference = folder / "refs" / "main"
        revision = row.revision or (reference.read_text("utf-8").strip() if reference.is_file() else "")
        found = folder / "snapshots" / revision
        if revision and (found / inside.CONFIG).is_file() and any((found / name).is_file() for name in inside.WEIGHTS):
            return found
    return None


def _front_matter(folder: Path) -> dict[str, Any]:
    """The YAML between the first two `---` of the model card; empty where there is none that can be read."""
    import yaml

    try:
        card = (folder / "README.md").read_text("utf-8")
        found = yaml.safe_load(card.split("\n---", 1)[0].removeprefix("---")) if card.startswith("---") else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
