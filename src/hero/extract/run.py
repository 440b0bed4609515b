"""A whole run: gather the clips, leave out what is finished, let an engine do the rest, write the tables."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hero import __version__
from hero.config import Preset, load_preset
from hero.errors import UsageError
from hero.extract.gather import gather
from hero.extract.local_engine import default_workers, run_local
from hero.extract.place import RECORD, guard, settle
from hero.extract.progress import Board
from hero.extract.shards import write_shards
from hero.extract.source import Source
from hero.extract.table import Journal, Row, write_tables
from hero.extract.work import Extraction, finished, key_of
from hero.observe import tensor_file
from hero.observe.cache import ObservationCache
from hero.report.write import prepare

DONE, FAILED = 0, 3


@dataclass(frozen=True)
class Job:
    """What the command line asked for; `cache` None keeps no observations."""

    paths: tuple[Path, ...]
    out: Path
    preset: str = "hero"
    overrides: tuple[str, ...] = ()
    lang: Literal["en", "zh"] = "en"
    licence: Literal["any", "open"] = "any"
    transcripts: Path | None = None
    cache: Path | None = None
    workers: int | None = None
    engine: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    to: Literal["files", "webdataset"] = "files"
    offline: bool = False


def run(job: Job) -> int:
    """Observe every clip of a job; returns 0, or 3 when any clip failed.

    Finished files are left as they are, so that a run that was killed goes on where it was.

    Raises:
        HeroError: what concerns all clips.
    """
    if job.ray_address is not None and job.engine != "ray":
        raise UsageError(
            f"--ray-address '{job.ray_address}' is used only by --engine ray; the engine is {job.engine}; add "
            "--engine ray, or leave the address away"
        )
    preset = load_preset(job.preset, job.overrides)
    sources = gather(job.paths, job.transcripts)
    prepare(job.out)
    sources = settle(sources, job.out)
    guard(job.paths, sources, job.out, shards=job.to == "webdataset")
    if not job.offline and "face" in preset.experts:
        from hero.batch import fetch_models

        fetch_models(quiet=True)
    work = Extraction(preset, job.out.absolute(), key_of(preset, job.lang, job.licence), job.lang, job.licence,
                      job.cache.absolute() if job.cache else None)  # fmt: skip
    _sweep(work)
    journal = Journal(work.out)
    models: dict[str, Mapping[str, Any]] = {}
    rows = {row.stem: _slim(journal.remembered(row), models) for one in sources if (row := finished(one, work))}
    waiting = [one for one in sources if one.stem not in rows]
    with Board(total=len(sources), kept=len(rows)) as board:

        def done(row: Row) -> None:
            journal.note(row)
            rows[row.stem] = _slim(journal.remembered(row), models)
            board.ended(row)

        try:
            _engine(job, waiting, work, done)
        finally:  # also of a run that was interrupted or found its folder full
            late = [row for one in waiting if one.stem not in rows and (row := finished(one, work))]
            rows |= {row.stem: _slim(row, models) for row in late}  # their files came while the run ended
            write_tables(work.out, sources, rows)
            _record(job, preset, rows, models)
    whole = [one.stem for one in sources if one.stem in rows and rows[one.stem].status == "done"]
    if job.to == "webdataset":
        write_shards(work.out, whole)
    board.summary(list(rows.values()), work.out)
    return DONE if len(whole) == len(sources) else FAILED


def _engine(job: Job, waiting: Sequence[Source], work: Extraction, done: Any) -> None:
    if job.workers is not None and job.workers < 1:
        raise UsageError(f"--workers is {job.workers}; allowed: 1 or more")
    if job.engine == "ray":
        from hero.extract.ray_engine import run_ray

        run_ray(waiting, work, job.workers, done, address=job.ray_address)
    else:
        run_local(waiting, work, job.workers or default_workers(), done)


def _sweep(work: Extraction) -> None:
    tensor_file.sweep(work.out)
    if work.cache:
        ObservationCache(work.cache).sweep()


def _slim(row: Row, models: dict[str, Mapping[str, Any]]) -> Row:
    """The row with what many rows share held once: a hundred thousand of them are kept until the end."""
    models.update({str(model["name"]): model for model in row.models})
    share = sys.intern
    return replace(row, models=(), tracks=share(row.tracks), reason=share(row.reason), cure=share(row.cure))


def _record(job: Job, preset: Preset, rows: Mapping[str, Row], models: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `run.json`: how the files came about. Paths of this machine are left out."""
    restricted = sorted(name for name, model in models.items() if not model["commercial"])
    told = f"not known to be free for commercial use: {', '.join(restricted)} (--licence open leaves them out)"
    notes = [told] if restricted else []
    record = {
        "hero": __version__, "preset": preset.as_dict(), "lang": job.lang, "licence": job.licence, "engine": job.engine,
        "clips": dict(Counter(row.status for row in rows.values())),
        "models": [models[name] for name in sorted(models)], "notes": notes,
    }  # fmt: skip
    text = json.dumps(record, indent=1, ensure_ascii=False, default=str) + "\n"
    tensor_file.put(job.out / RECORD, text.encode("utf-8", "backslashreplace"), option="--out")
