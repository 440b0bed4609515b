"""py-feat (Cheong et al. 2023, Affective Science): its tables, and its detector where it is installed.

py-feat gives the probability of 20 action units; `schema.SCALES` says how they become the schema. It counts frames from
0 and its own `approx_time` is whole seconds, so a table needs the clip's frame rate. Faces are told apart by `Identity`;
where that is empty, as it is without an identity model, the largest face of each frame is taken.

Legend of shapes: B frames of a batch, H, W rows and columns of a frame, N rows of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hero.errors import InputError, UsageError
from hero.observe.au.openface import MIN_CONFIDENCE
from hero.observe.au.schema import AUTable, Reading, to_schema
from hero.observe.au.sheet import in_time_order, named, read_sheet, row_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.media.clip import Frame

UNIT = re.compile(r"AU\d\d$")
BOX = ("FaceRectWidth", "FaceRectHeight")
BATCH = 16
INSTALL = "pip install 'py-feat>=0.7' (it brings torchvision), or give the table it wrote: table: FILE"
Columns = dict[str, "NDArray[np.float64]"]


def available() -> str | None:
    """The version of py-feat that is installed, None where there is none."""
    if find_spec("feat") is None:
        return None
    try:
        return version("py-feat")
    except PackageNotFoundError:  # a checkout on the path
        return "unknown version"


def read_pyfeat(path: Path, *, fps: float | None, min_confidence: float = MIN_CONFIDENCE) -> Reading:
    """Read a table that py-feat wrote (`Fex.to_csv`); one `AUTable` per identity, the one seen longest and largest first.

    Raises:
        InputError: the file is no such table, or gives no times.
    """
    sheet = read_sheet(path, numbers=_wanted, texts=("Identity",))
    if not any(UNIT.match(name) for name in sheet.header):
        hint = "; it is a table of OpenFace: set source: openface" if "AU01_r" in sheet.header else ""
        raise InputError(
            f"{path}: no column AU01, AU02 .. of py-feat among {named(sheet.header)}{hint or '; is it its table?'}"
        )
    times_s, notes = row_times(sheet, fps=fps, first_frame=0)
    identities = sheet.texts.get("Identity", [""] * sheet.rows)
    tables, remarks = _tables(sheet.numbers, times_s, identities, min_confidence)
    if not any(len(table.times_s) for table in tables):
        raise InputError(f"{path}: no row of the table has a time from 0 on; check the column `frame`")
    return Reading(tables, (*sheet.notes, *notes, *remarks), sheet.sha256)


def detect(frames: Iterable[Frame], *, min_confidence: float = MIN_CONFIDENCE) -> Reading:
    """Run py-feat's detector on frames, a batch at a time; the largest face of each frame is taken.

    Raises:
        UsageError: py-feat cannot be imported, has no `detect`, or fails (its models come from the network).
    """
    detector, torch = _detector()
    found: list[Columns] = []
    times: list[float] = []
    for batch in _batches(frames):
        pictures = np.stack([frame.rgb for frame in batch]).transpose(0, 3, 1, 2)  # (B, 3, H, W)
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).float()
        columns = _numbers(_guarded("detect faces", detector.detect, tensor, data_type="tensor", batch_size=len(batch)))
        index = columns.get("frame", np.zeros(0)).astype(int)
        if not len(index) or index.min() < 0 or index.max() >= len(batch):
            raise UsageError("py-feat gave no frame numbers of the batch; update it: pip install 'py-feat>=0.7'")
        times += [batch[i].time_s for i in index]
        found.append(columns)
    names = set().union(*found) if found else set()
    merged = {name: np.concatenate([c.get(name, np.full(len(c["frame"]), np.nan)) for c in found]) for name in names}
    tables, notes = _tables(merged, np.array(times, np.float64), [""] * len(times), min_confidence)
    return Reading(tables, notes)


def _wanted(name: str) -> bool:
    return bool(UNIT.match(name)) or name in {"frame", "timestamp", "FaceScore", *BOX}


def _tables(
    columns: Columns, times_s: NDArray[np.float64], identities: Sequence[str], min_confidence: float
) -> tuple[tuple[AUTable, ...], tuple[str, ...]]:
    """One table per identity, or one of the largest face of each frame, and remarks."""
    values, mask, remarks = to_schema(columns, "pyfeat", len(times_s))
    score = columns.get("FaceScore", np.full(len(times_s), np.nan))
    found = np.asarray(mask.any(axis=1), bool)
    good = found & ~(score < min_confidence)
    notes = [*remarks]
    if (found & ~good).any():
        notes.append(f"{int((found & ~good).sum())} rows with a FaceScore below {min_confidence:g} are masked")
    area = _area(columns, len(times_s))
    tables = []
    for face, rows in enumerate(_people(identities, area, found, times_s, notes)):
        own, said = in_time_order(times_s, rows)
        notes += [note for note in said if note not in notes]
        tables.append(
            AUTable(times_s[own], values[own], mask[own] & good[own, None], "pyfeat", face, score[own], found[own])
        )
    return tuple(tables), tuple(notes)


def _area(columns: Columns, rows: int) -> NDArray[np.float64]:
    sides = [np.nan_to_num(columns.get(name, np.ones(rows))) for name in BOX]
    return sides[0] * sides[1]


def _people(
    identities: Sequence[str], area: NDArray[np.float64], found: NDArray[np.bool_], times_s: NDArray[np.float64],
    notes: list[str],
) -> list[NDArray[np.int_]]:  # fmt: skip
    """The rows of each person, the one seen longest and largest first."""
    names = np.array([name if name.lower() != "nan" else "" for name in identities])
    known = sorted(set(names.tolist()) - {""})
    if known:
        weight = {name: float((found * area)[names == name].sum()) for name in known}
        ranked = sorted(known, key=lambda name: (-weight[name], name))
        if len(ranked) > 1:
            notes.append(f"{len(ranked)} identities in the table; the main one is {ranked[0]}")
        if (nameless := int((found & (names == "")).sum())) > 0:
            notes.append(f"{nameless} rows with a face but no identity were left out")
        empty = names == ""  # frames without any face belong to the main person's time line
        return [np.flatnonzero((names == name) | (empty & ~found & (name == ranked[0]))) for name in ranked]
    order = np.lexsort((-area, times_s))  # by time, the largest face first
    first = order[np.append(True, np.diff(times_s[order]) != 0)] if len(order) else order
    if len(first) < len(times_s):
        notes.append("several faces in a frame and no identities: the largest face of each frame was taken")
    return [np.sort(first)]


def _detector() -> tuple[Any, Any]:
    try:
        feat, torch = import_module("feat"), import_module("torch")
    except (ImportError, RuntimeError, OSError) as error:  # a torchvision of another build raises RuntimeError
        raise UsageError(f"py-feat cannot be imported ({' '.join(str(error).split())[:200]}); {INSTALL}") from error
    detector = _guarded("load its models", feat.Detector)
    if not hasattr(detector, "detect"):
        raise UsageError("this py-feat is older than 0.7 and takes no frames; update it: pip install 'py-feat>=0.7'")
    return detector, torch


def _guarded(doing: str, call: Any, *args: Any, **settings: Any) -> Any:
    """Call into py-feat; what it raises becomes one line with a cure."""
    try:
        return call(*args, **settings)
    except (RuntimeError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"py-feat could not {doing} ({type(error).__name__}: {' '.join(str(error).split())[:200]}); its models come from the "
            "network at first use; try it by hand, or give the table it wrote: table: FILE"
        ) from error


def _batches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """Lists of at most `BATCH` consecutive frames of one size."""
    left = iter(frames)
    while batch := list(islice(left, BATCH)):
        start = 0
        for index in range(1, len(batch) + 1):
            if index == len(batch) or batch[index].rgb.shape != batch[start].rgb.shape:
                yield batch[start:index]
                start = index


def _numbers(fex: Any) -> Columns:
    """The wanted columns of py-feat's data frame."""
    names = [str(name) for name in fex.columns if _wanted(str(name))]
    return {name: np.asarray(fex[name], dtype=np.float64) for name in names}
