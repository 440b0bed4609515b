"""Fetching checkpoints from the Hugging Face hub: pinned, checked, resumable, and whole or not there at all.

Files arrive in a hidden folder beside their place, which keeps what came if the run is killed; each one's size and hash
(SHA-256 of large files, git's id of small ones) are compared with what the hub states for the commit, and only then is
the folder renamed. Only files of `hero.checkpoint_folder.BESIDE` and the weights in one format are fetched: no code.
HF_ENDPOINT names a mirror; a token is taken from where the hub's client keeps it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from hero import models, third_party
from hero.checkpoint_folder import BESIDE, CONFIG, Manifest, gigabytes
from hero.checkpoints import Checkpoint, Known, find, known, memory
from hero.errors import ConfigError, WeightsError
from hero.hashes import git_sha1_of, sha256_of

INSTALL = "pip install 'hero-emotion[model]'"
SPARE_BYTES = 1 << 24  # a disk that is full to the last byte helps nobody
WAIT_S, STALL_S = 10.0, 60.0
CHUNK_BYTES = 1 << 20
SHARD = re.compile(r"(model-\d+-of-\d+\.safetensors|pytorch_model-\d+-of-\d+\.bin)")
FORMATS = (
    ("model.safetensors",),
    ("model.safetensors.index.json", ".safetensors"),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", ".bin"),
)
"""The weights of one format: a file, or an index and the ending of its parts; the first that a repository has is taken."""

Build = Callable[[str, Path], None]
"""Writes the seeded random checkpoint of that name into a folder."""


@dataclass(frozen=True)
class HubFile:
    """A file of a commit; one of `sha256` (large files) and `git_sha1` is known."""

    name: str
    size_bytes: int
    sha256: str
    git_sha1: str


def fetch(name: str, *, progress: third_party.Progress | None = None, build: Build | None = None) -> Checkpoint:
    """The checkpoint at hand, or fetched into the user's cache. Safe to call from several processes at once.

    `build` makes the random checkpoints (`tiny-...`), for which no network is needed.

    Raises:
        ConfigError: no checkpoint has that name, or it is a random one and no builder was given.
        WeightsError: nothing could be fetched, or what came is not what the hub says it is.
    """
    row = known(name)
    present = find(row.name)
    if present:
        return present
    folder = models.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if row.random:
            _build(row, folder, build)
        else:
            _download(row, folder, progress)
    except OSError as error:
        raise WeightsError(_storing(row, folder, error)) from error
    found = find(row.name)
    if found is None:
        raise WeightsError(f"'{row.name}' was fetched into {folder} and is gone again; fetch it once more")
    return found


def _build(row: Known, folder: Path, build: Build | None) -> None:
    """Make a random checkpoint beside its place and put it there whole."""
    if build is None:
        raise ConfigError(f"'{row.name}' is made, not fetched; the preset `tiny` makes it when it is first used")
    with _one_at_a_time(row, folder) as scratch:
        if scratch:
            build(row.name, scratch)
            os.replace(scratch, folder / row.name)


def _download(row: Known, folder: Path, progress: third_party.Progress | None) -> None:
    """Bring the row's files from the hub into `folder`/name."""
    with _one_at_a_time(row, folder) as scratch:
        if scratch is None:
            return
        with _answering(row, folder):
            revision, offered = _listing(row)
            wanted = _choose(row, offered)
            _expect_room(row, scratch, wanted)
            _bring(row, revision, wanted, scratch, progress)
        _check(row, wanted, scratch)
        files = {file.name: (file.size_bytes, sha256_of(scratch / file.name, memory=memory())) for file in wanted}
        Manifest(row.repo, revision, files).write(scratch)
        os.replace(scratch, folder / row.name)


@contextmanager
def _one_at_a_time(row: Known, folder: Path) -> Iterator[Path | None]:
    """The hidden folder to work in, kept between runs; None where another process has meanwhile finished."""
    locks = _client().utils
    with locks.WeakFileLock(folder / f".{row.name}.lock"):
        if (folder / row.name).is_dir():
            yield None
            return
        scratch = folder / f".partial-{row.name}-{(row.revision or 'main')[:12]}"
        scratch.mkdir(exist_ok=True)
        yield scratch


def _client() -> Any:
    """The hub's own client.

    Raises:
        WeightsError: it is not installed.
    """
    try:
        client = import_module("huggingface_hub")
        import_module("huggingface_hub.utils")
        import_module("huggingface_hub.errors")
    except ImportError as error:
        raise WeightsError(
            f"checkpoints are fetched with huggingface_hub, which is missing ({error}); {INSTALL}"
        ) from error
    return client


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _listing(row: Known) -> tuple[str, tuple[HubFile, ...]]:
    """The commit, and its files with their sizes and hashes, as the hub states them."""
    api = _client().HfApi(endpoint=_endpoint())
    answer = api.model_info(row.repo, revision=row.revision, files_metadata=True, timeout=WAIT_S)
    offered = []
    for file in answer.siblings or ():
        large = file.lfs or {}
        sha256 = large.get("sha256", "") if isinstance(large, Mapping) else large.sha256
        offered.append(HubFile(file.rfilename, int(file.size or 0), str(sha256 or ""), str(file.blob_id or "")))
    revision = str(answer.sha or "")
    if not revision or (row.revision and revision != row.revision):
        raise WeightsError(
            f"the hub answers with commit '{revision}' of {row.repo}, asked for was {row.revision}; {_offline(row)}"
        )
    return revision, tuple(offered)


def _choose(row: Known, offered: Sequence[HubFile]) -> tuple[HubFile, ...]:
    """The files that make a checkpoint: configuration, tokenizer, and the weights in the best format there is.

    Raises:
        WeightsError: the repository holds no configuration or no weights.
    """
    by_name = {file.name: file for file in offered}
    for first, *ending in FORMATS:
        if first in by_name:
            parts = [n for n in by_name if ending and n.endswith(ending[0]) and SHARD.fullmatch(n)]
            if ending and not parts:
                continue
            names = [*(name for name in BESIDE if name in by_name), first, *sorted(parts)]
            if CONFIG not in by_name:
                break
            return tuple(by_name[name] for name in names)
    raise WeightsError(
        f"{row.repo} holds no {CONFIG} with {' or '.join(first for first, *_ in FORMATS)} at this commit; {_offline(row)}"
    )


def _expect_room(row: Known, scratch: Path, wanted: Sequence[HubFile]) -> None:
    """Raise where the disk has less room than what is still to come."""
    here = sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file())
    needed = max(0, sum(file.size_bytes for file in wanted) - here) + SPARE_BYTES
    free = shutil.disk_usage(scratch).free
    if free < needed:
        raise WeightsError(_no_room(row, scratch.parent, f"{gigabytes(needed)} are needed, {gigabytes(free)} are free"))


def _bring(
    row: Known, revision: str, wanted: Sequence[HubFile], scratch: Path, progress: third_party.Progress | None
) -> None:
    """Download each file, going on where an earlier run was killed; the large ones last."""
    total, done = sum(file.size_bytes for file in wanted), 0

    def tell(came: int) -> None:
        if progress:
            progress(min(done + came, total), total)

    for file in sorted(wanted, key=lambda file: file.size_bytes):
        _bring_one(row, revision, file, scratch, tell)
        done += file.size_bytes
        tell(0)


def _bring_one(row: Known, revision: str, file: HubFile, scratch: Path, tell: Callable[[int], None]) -> None:
    """Download one file; a connection that breaks off is taken up again as long as each try brings something."""
    part, target = scratch / f"{file.name}.part", scratch / file.name
    if target.is_file():
        return
    url = _client().hf_hub_url(row.repo, file.name, revision=revision, endpoint=_endpoint())
    part.touch()
    while (before := part.stat().st_size) < file.size_bytes:
        try:
            _stream(url, part, before, tell)
        except _client().errors.HTTPError as error:
            answered = getattr(error, "response", None) is not None  # the hub said no: asking again does not help
            if answered or part.stat().st_size <= before:
                raise
    os.replace(part, target)


def _stream(url: str, part: Path, start: int, tell: Callable[[int], None]) -> None:
    """Append what comes of `url` from byte `start` on; a server that cannot go on from there begins anew.

    The client's own download is not used: it keeps nothing of a file whose download was killed.
    """
    tools: Any = import_module("huggingface_hub.utils")
    headers = {
        **tools.build_hf_headers(),
        "Accept-Encoding": "identity",
        **({"Range": f"bytes={start}-"} if start else {}),
    }
    request = tools.get_session().stream("GET", url, headers=headers, timeout=STALL_S, follow_redirects=True)
    with request as reply:
        tools.hf_raise_for_status(reply)
        went_on = start and reply.status_code == 206
        with part.open("ab" if went_on else "wb") as opened:
            for chunk in reply.iter_bytes(CHUNK_BYTES):
                opened.write(chunk)
                tell(opened.tell())


def _check(row: Known, wanted: Sequence[HubFile], scratch: Path) -> None:
    """Compare every file with what the hub says of it; a wrong one is deleted.

    Raises:
        WeightsError: a file is not what the hub says.
    """
    for file in wanted:
        path = scratch / file.name
        came = path.stat().st_size
        found = sha256_of(path, memory=memory()) if file.sha256 else git_sha1_of(path)
        if came != file.size_bytes or found != (file.sha256 or file.git_sha1):
            path.unlink()  # the next run fetches it again
            raise WeightsError(
                f"{file.name} of {row.repo} arrived damaged: {came} bytes with hash {found[:12]}.., the hub says "
                f"{file.size_bytes} with {(file.sha256 or file.git_sha1)[:12]}..; run `hero models fetch {row.name}` again, "
                f"without a mirror or proxy that changes files"
            )


@contextmanager
def _answering(row: Known, folder: Path) -> Iterator[None]:
    """What the hub's client raises becomes one error that names the cure.

    Raises:
        WeightsError: no network, no such repository or commit, no permission, no room.
    """
    errors: Any = import_module("huggingface_hub.errors")
    at = f"{row.repo} at {row.revision[:12] if row.revision else 'main'}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise WeightsError(
            f"{row.repo} is gated: accept its terms on the hub and log in (`hf auth login`); {_offline(row)}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise WeightsError(
            f"the hub has no {at}: the commit does not exist there; update hero, or {_offline(row)}"
        ) from error
    except (errors.RepositoryNotFoundError, errors.EntryNotFoundError) as error:
        raise WeightsError(
            f"the hub has no {at} that may be read: it is gone or private ({_short(error)}); {_offline(row)}"
        ) from error
    except (OSError, errors.HTTPError, ValueError) as error:  # the client's network errors are of these kinds
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WeightsError(_no_room(row, folder, "the disk is full; what came so far is kept")) from error
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise WeightsError(_storing(row, folder, error)) from error
        raise WeightsError(
            f"'{row.name}' could not be fetched from {_endpoint() or 'the hub'} ({_short(error)}); connect and run "
            f"`hero models fetch {row.name}` again, it goes on where it stopped; or {_offline(row)}"
        ) from error


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:160] or type(error).__name__


def _offline(row: Known) -> str:
    """How to come by a checkpoint without this machine's network."""
    return (
        f"on a machine that has it run `hero models pack DIR {row.name}` and name that folder in HERO_MODELS, or name a "
        "local folder of the model in the preset"
    )


def _no_room(row: Known, folder: Path, reason: str) -> str:
    return f"no room for '{row.name}' in {folder}: {reason}; free space, or name a folder on another disk in HERO_CACHE"


def _storing(row: Known, folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _no_room(row, folder, "the disk is full; what came so far is kept")
    return f"'{row.name}' cannot be stored in {folder} ({error}); set HERO_CACHE to a folder that can be written"
