"""Tables of numbers as other programs write them: comma or semicolon, blanks in the header, holes, cut-off ends.

Legend of shapes: N rows.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hero.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DELIMITERS = ",;\t"
MAX_NAMED = 6


@dataclass(frozen=True, eq=False)
class Sheet:
    """The wanted columns of a table: numbers (N,) with NaN for holes, texts as they stand; `header` names all columns."""

    path: Path
    header: tuple[str, ...]
    numbers: dict[str, NDArray[np.float64]]
    texts: dict[str, list[str]]
    rows: int
    notes: tuple[str, ...]
    sha256: str

    def column(self, name: str) -> NDArray[np.float64]:
        """A column of numbers (N,), all NaN where the table lacks it."""
        return self.numbers.get(name, np.full(self.rows, np.nan))


def read_sheet(path: Path, *, numbers: Callable[[str], bool], texts: Sequence[str] = ()) -> Sheet:
    """Read the columns whose names `numbers` accepts as numbers, those in `texts` as text.

    Cells that are empty or no finite number are NaN. Semicolons with decimal commas, tabs, a byte order mark and UTF-16
    are understood; a last row that is cut off is dropped with a remark.

    Raises:
        InputError: no such file, no text, empty, a header only, or rows that do not fit the header.
    """
    raw = _bytes(path)
    text = _text(path, raw)
    delimiter = _delimiter(next((line for line in io.StringIO(text) if line.strip()), ""))
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        header = tuple(name.strip() for name in next((row for row in reader if _filled(row)), ()))
        keep = [index for index, name in enumerate(header) if numbers(name) or name in texts]
        doubled = sorted({header[index] for index in keep if header.count(header[index]) > 1})
        if doubled:
            raise InputError(f"{path}: column '{doubled[0]}' stands twice in the header; give each column once")
        body, notes = _body(path, reader, len(header), keep)
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV table ({error} in line {reader.line_num}); write it anew") from error
    if not header:
        raise InputError(f"{path}: the table is empty; give a CSV file with a header and a row per frame")
    if not body:
        raise InputError(f"{path}: the table has a header but no row; was the program stopped before its first frame?")
    cells = dict(zip((header[index] for index in keep), zip(*body, strict=True), strict=True))
    columns = {name: np.array([_number(c, delimiter) for c in cells[name]]) for name in cells if numbers(name)}
    words = {name: [cell.strip() for cell in cells[name]] for name in texts if name in cells}
    return Sheet(path, header, columns, words, len(body), notes, hashlib.sha256(raw).hexdigest())


def row_times(sheet: Sheet, *, fps: float | None, first_frame: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Seconds (N,) of every row from `timestamp`, else from `frame` and `fps`; NaN where a row has neither.

    Raises:
        InputError: the table has neither column, or frames but nobody knows their rate.
    """
    stamp, frame = sheet.column("timestamp"), sheet.column("frame")
    stamped, framed = np.isfinite(stamp), np.isfinite(frame)
    moving = len(np.unique(stamp[stamped])) > 1 or len(np.unique(frame[framed])) <= 1
    if stamped.any() and moving:
        return stamp, ()
    if not framed.any():
        raise InputError(
            f"{sheet.path}: neither `timestamp` nor `frame` gives a time (the columns are {named(sheet.header)}); "
            "add one of the two"
        )
    if fps is None or not fps > 0:
        raise InputError(
            f"{sheet.path}: there is no usable `timestamp`, and `frame` alone gives no time; say the frame rate (fps), or "
            "add the column `timestamp` in seconds"
        )
    return (frame - first_frame) / fps, (f"no timestamps: times are frame numbers at {fps:g} frames a second",)


def in_time_order(times_s: NDArray[np.float64], rows: NDArray[np.int_]) -> tuple[NDArray[np.int_], tuple[str, ...]]:
    """The given rows (as indices into times_s (N,)) in order of time, each time once, and what had to be done for it."""
    placed = rows[np.isfinite(times_s[rows]) & (times_s[rows] >= 0)]
    ordered = placed[np.argsort(times_s[placed], kind="stable")]
    notes = []
    if len(placed) < len(rows):
        notes.append(f"{len(rows) - len(placed)} rows without a time, or with one before 0, were left out")
    if np.any(ordered != placed):
        notes.append("the rows were not in order of time and were sorted")
    again = np.diff(times_s[ordered], prepend=-np.inf) <= 0
    if again.any():
        notes.append(f"{int(again.sum())} rows repeat a time of the same face: the first row of each was kept")
    return ordered[~again], tuple(notes)


def named(columns: Sequence[str]) -> str:
    """The first few names, for a message."""
    more = f" and {len(columns) - MAX_NAMED} more" if len(columns) > MAX_NAMED else ""
    return ", ".join(columns[:MAX_NAMED]) + more


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: the table cannot be read ({error.strerror}); check the name and its permissions"
        ) from error


def _text(path: Path, raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw[:4096]:
        raise InputError(f"{path}: not a CSV table but binary data; export it as CSV text")
    return raw.decode("utf-8-sig", errors="replace")


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)


def _filled(row: Sequence[str]) -> bool:
    return any(cell.strip() for cell in row)


def _body(
    path: Path, reader: Iterator[list[str]], width: int, keep: Sequence[int]
) -> tuple[list[list[str]], tuple[str, ...]]:
    """The kept cells of every row; only they stay in memory, for a table with landmarks has over 700 columns.

    A comma at the end of a line is forgiven, and so is a last row that is too short.
    """
    body: list[list[str]] = []
    wrong: tuple[int, int] | None = None
    for number, row in enumerate(filter(_filled, reader), start=1):
        if wrong is not None:
            break
        if len(row) == width or (len(row) == width + 1 and not row[-1].strip()):
            body.append([row[index] for index in keep])
        else:
            wrong = (number, len(row))
    else:
        if wrong is not None and wrong[1] < width and body:
            return body, ("the last row is cut off and was left out",)
    if wrong is not None:
        raise InputError(
            f"{path}: row {wrong[0]} has {wrong[1]} cells, the header has {width}; if numbers carry decimal commas, "
            "separate the cells with semicolons; else write the table anew"
        )
    return body, ()


def _number(cell: str, delimiter: str) -> float:
    try:
        value = float(cell.replace(",", ".") if delimiter == ";" else cell)
    except ValueError:  # empty, `-nan(ind)`, a word: no number
        return float("nan")
    return value if np.isfinite(value) else float("nan")
