"""What was found in one clip, in one file: `<stem>.safetensors`, and how to read it back.

Arrays are called `<expert>.<track>.values` (T, D), `.times_s` (T,) and `.mask`, (T, D) or (T,) where it is the same in
all columns. The header, under `hero` in the file's metadata, says everything else. Legend of shapes: T steps, D columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hero import __version__
from hero.errors import InputError
from hero.observe import tensor_file
from hero.observe.record import pack, pack_evidence, unpack, unpack_evidence
from hero.types import Timeline

FORMAT = 1
"""Changes whenever the meaning of a file does: files of other formats are made again."""

SUFFIX = ".safetensors"


def write_timeline(path: Path, timeline: Timeline, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write a timeline in one step; `about` goes into the header beside it. Returns the header.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: dict[str, Any] = {}
    records = []
    for name, obs in timeline.observations.items():
        own, record = pack(obs, f"{name}.")
        arrays |= own
        records.append(record)
    header = {
        **(about or {}),
        "format": FORMAT,
        "hero": __version__,
        "clip": dict(timeline.clip),
        "experts": records,
        "evidence": [pack_evidence(ev) for ev in timeline.evidence],
    }
    tensor_file.save(path, arrays, header, option="--out")
    return header


def read_timeline(path: str | Path) -> Timeline:
    """The timeline of one clip, as `hero observe` wrote it: observations with tracks, spans and evidence.

    Raises:
        InputError: the file is missing, damaged, or none of `hero observe`.
    """
    path = Path(path)
    arrays, header = tensor_file.load(path)
    try:
        observations = {row["expert"]: unpack(arrays, row, f"{row['expert']}.") for row in header["experts"]}
        return Timeline(header["clip"], observations, tuple(unpack_evidence(row) for row in header["evidence"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: was not written by `hero observe` ({error}); name one of its files") from error


def read_header(path: str | Path) -> dict[str, Any]:
    """Everything but the arrays: `clip`, `experts` (tracks with columns and unit, evidence, spans, models, absence),
    numbered `evidence`, and what the run said of itself.

    Raises:
        InputError: the file is missing, cut short, or none of `hero observe`.
    """
    return tensor_file.load_header(Path(path))


def shapes(path: Path) -> dict[str, list[int]]:
    """Shape [T, D] of each track's values, by `<expert>.<track>`, without reading the arrays.

    Raises:
        InputError: the file is missing, cut short, or none of `hero observe`.
    """
    ending = ".values"
    found = tensor_file.load_shapes(path)
    return {name.removesuffix(ending): shape for name, shape in sorted(found.items()) if name.endswith(ending)}
