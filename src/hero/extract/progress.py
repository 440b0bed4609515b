"""What the terminal shows of a run: a bar with clips a minute, the first failures, and the count at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from hero.extract.table import FAILED, TABLE, Row
from hero.show import plain

SHOWN_FAILURES = 10


class Board:
    """A bar on stderr, silent where that is no terminal; failures and the summary are always said."""

    def __init__(self, *, total: int, kept: int) -> None:
        self._console = Console(stderr=True)
        self._began_s = time.monotonic()
        self._new = self._failed = 0
        columns = (
            TextColumn("observing"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} clips"),
            TextColumn("{task.fields[failed]} failed"), TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
        )  # fmt: skip
        off = not self._console.is_terminal
        self._bar = Progress(*columns, console=self._console, transient=True, disable=off)
        self._task = self._bar.add_task("clips", total=total, completed=kept, failed=0, rate="")

    def __enter__(self) -> Board:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def ended(self, row: Row) -> None:
        """One more clip has ended."""
        self._new += 1
        if row.status == "failed":
            self._failed += 1
            if self._failed <= SHOWN_FAILURES:
                why = row.reason if row.clip in row.reason else f"{row.clip}: {row.reason}"
                self._say(f"failed: {why}{'; ' + row.cure if row.cure else ''}", "red")
            if self._failed == SHOWN_FAILURES:
                self._say(f"further failures stand in {FAILED}", "red")
        a_minute = 60 * self._new / max(1e-3, time.monotonic() - self._began_s)
        self._bar.update(self._task, advance=1, failed=self._failed, rate=f"{a_minute:.1f} clips/min")

    def summary(self, rows: Sequence[Row], out: Path) -> None:
        """How many clips ended how, and which experts were absent in how many of them."""
        kept, failed = sum(row.kept for row in rows), sum(row.status == "failed" for row in rows)
        before = f" ({kept} of them before this run)" if kept else ""
        self._say(f"{len(rows)} clips: {len(rows) - failed} done{before}, {failed} failed; see {out / TABLE}", "")
        for expert, said in _absences(rows).items():
            (line, often), count = said.most_common(1)[0], said.total()
            why = line if often == count else f"mostly: {line}"
            self._say(f"absent in {count} of {len(rows)}: {expert}: {why}", "dim")

    def _say(self, line: str, style: str) -> None:
        self._console.print(Text(plain(line), style=style), highlight=False, soft_wrap=True)


def _absences(rows: Sequence[Row]) -> dict[str, Counter[str]]:
    """Per expert how often it was absent for which reason, those absent most often first."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        if row.status != "done":
            continue
        cures = dict(part.partition(": ")[::2] for part in row.cure.split(" | "))
        for part in filter(None, row.reason.split(" | ")):
            expert, _, reason = part.partition(": ")
            cure = cures.get(expert, "")
            found.setdefault(expert, Counter())[f"{reason}; {cure}" if cure else reason] += 1
    return dict(sorted(found.items(), key=lambda item: -item[1].total()))
