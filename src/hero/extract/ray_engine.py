"""The same work on Ray Data: processes that keep their encoders warm, on this machine or on a cluster.

Machines of a cluster must see the clips, the output folder and the cache under the same paths. Each process writes the
same files as the local engine; only rows of the table travel.
"""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from hero.errors import UsageError
from hero.extract.local_engine import default_workers, run_local
from hero.extract.source import Member, Source
from hero.extract.table import Row
from hero.extract.work import Extraction
from hero.observe import tensor_file
from hero.observe.litert import quiet

INSTALL = "pip install 'hero-emotion[scale]'"
CLIPS_PER_THREAD = 4
"""Clips of one task for each thread of a process: enough that threads seldom wait for the task's last clip."""

MOST_TASKS = 20_000
ATTEMPTS = 2
KNOCK_S = 5.0
QUIET = {
    "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}  # fmt: skip


def run_ray(
    sources: Sequence[Source], work: Extraction, workers: int | None, done: Callable[[Row], None], *,
    address: str | None = None,
) -> None:  # fmt: skip
    """Extract all sources with `workers` processes; `done` is called in this thread with each row as it comes.

    Raises:
        UsageError: ray is not installed, no cluster answers at the address, or what concerns all clips.
    """
    if not sources:
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        ray, data = import_module("ray"), import_module("ray.data")
    except ImportError as error:
        raise UsageError(f"--engine ray needs ray, which cannot be imported ({error}); {INSTALL}") from error
    own = not ray.is_initialized()
    if own:
        _join(ray, address)
    tries = work.out / f".attempts-{secrets.token_hex(6)}"
    try:
        _stream(ray, data, sources, work, workers, done, tries)
    finally:
        shutil.rmtree(tries, ignore_errors=True)
        if own:
            ray.shutdown()


def _join(ray: Any, address: str | None) -> None:
    """Join the cluster at the address, or start one on this machine."""
    here = {} if address else {"num_cpus": default_workers()}
    try:
        if address:
            _knock(address)
        with quiet():  # it would greet, and say which log level it was given
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **here)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise UsageError(
            f"no Ray cluster answers at '{address or 'this machine'}' ({error}); start one with `ray start --head`, or leave "
            "--ray-address away to run on this machine"
        ) from error


def _knock(address: str) -> None:
    """Raise an OSError at once where nobody listens: Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()


def _stream(
    ray: Any, data: Any, sources: Sequence[Source], work: Extraction, workers: int | None,
    done: Callable[[Row], None], tries: Path,
) -> None:  # fmt: skip
    cores, gpus = (float(ray.cluster_resources().get(kind, 0)) for kind in ("CPU", "GPU"))
    actors = min(workers or max(1, int(gpus) or int(cores) // 2), len(sources))
    threads = max(1, int(cores) // actors)
    per_task = max(1 if threads == 1 else threads * CLIPS_PER_THREAD, -(-len(sources) // MOST_TASKS))
    tasks = max(min(actors, len(sources)), -(-len(sources) // per_task))
    options = data.DataContext.get_current()
    options.enable_progress_bars = False
    options.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    items = [{"source": pickle.dumps(_everywhere(one))} for one in sources]
    rows = data.from_items(items, override_num_blocks=tasks).map_batches(
        Observer, fn_constructor_args=(work, threads, tries), batch_size=None, zero_copy_batch=True,
        compute=data.ActorPoolStrategy(size=actors),
        num_cpus=_share(cores, actors), num_gpus=_share(gpus, actors) if gpus else None,
    )  # fmt: skip
    for answer in rows.iter_rows():
        if answer["stop"]:
            raise pickle.loads(answer["stop"])
        done(Row.from_json(answer["row"]))


def _everywhere(source: Source) -> Source:
    """The source with absolute paths: a process of Ray may have another working folder."""

    def absolute(part: Any) -> Any:
        return replace(part, shard=part.shard.absolute()) if isinstance(part, Member) else part and part.absolute()

    return replace(source, at=absolute(source.at), transcript=absolute(source.transcript))


def _share(amount: float, actors: int) -> float:
    """What one process may hold: Ray wants whole numbers above one."""
    share = amount / actors
    return float(int(share)) if share >= 1 else share


class Observer:
    """One process: encoders are loaded with the first clip and stay for all that follow."""

    def __init__(self, work: Extraction, threads: int, tries: Path) -> None:
        self._work, self._threads, self._tries = work, threads, Attempts(tries)
        os.environ["OMP_NUM_THREADS"] = str(threads)  # PyTorch reads it when it is imported
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Rows of a task's clips as JSON; trouble of all clips as the error in `stop`."""
        sources: list[Source] = [pickle.loads(bytes(one)) for one in batch["source"]]
        rows: list[Row] = []
        stop = b""
        try:
            fresh = [one for one in sources if not self._tries.spent(one)]
            rows += [Row.failed(one, _DIED) for one in sources if one not in fresh]
            run_local(fresh, self._work, self._threads, rows.append)
            self._tries.forget(fresh)
        except UsageError as error:
            stop = pickle.dumps(error)
        answers = [row.to_json() for row in rows] or [""]
        return {"row": answers, "stop": [stop] * len(answers)}


_DIED = (
    "the process died twice while it observed this clip or those beside it, for want of memory or in a decoder; "
    "re-encode the clip, or run with fewer --workers"
)


class Attempts:
    """How often a clip was begun in this run: Ray begins it again when its process dies, and a clip may be the cause."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def spent(self, source: Source) -> bool:
        """Count an attempt; True when the clip has had enough of them.

        Raises:
            OutputError: the folder cannot be written.
        """
        path = self._folder / f"{source.stem}.begun"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(b".")
            return path.stat().st_size > ATTEMPTS
        except OSError as error:
            raise tensor_file.cannot_write(self._folder, error, 1, "--out") from error

    def forget(self, sources: Sequence[Source]) -> None:
        """These clips have ended."""
        for one in sources:
            (self._folder / f"{one.stem}.begun").unlink(missing_ok=True)
