"""What the terminal shows: progress on stderr, the verdict or JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from hero.directions import without_marks
from hero.errors import OutputError

if TYPE_CHECKING:
    from hero.doctor import Health
    from hero.doctor_rules import How
    from hero.inventory import Item
    from hero.pipeline import Analysis
    from hero.types import Absence

SHOWN_EVIDENCE = 8
STYLES = {"runs": "green", "partly": "yellow", "absent": "red"}


def plain(text: object) -> str:
    """A name as one harmless line: no control characters (a terminal obeys them), no bytes that are no text."""
    line = " ".join(without_marks(str(text)).split())
    return "".join("\ufffd" if unicodedata.category(letter) in {"Cc", "Cs"} else letter for letter in line)


@dataclass(frozen=True)
class Outcome:
    """How one clip ended: its analysis's headline, or the error."""

    path: Path
    emotion: str | None = None
    confidence: float = 0.0
    abstained: bool = False
    error: str | None = None


class Screen:
    """The two streams: `console` (stderr) for people, `out` (stdout) for results."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=True)
        self.out = Console()

    @contextmanager
    def progress(self, name: str) -> Iterator[Callable[[str, float, float], None]]:
        """A bar over the clip's seconds; silent where stderr is no terminal."""
        columns = (
            TextColumn("{task.fields[stage]}"),
            BarColumn(),
            TextColumn("{task.completed:.1f}/{task.total:.1f} s"),
        )
        off = not self.console.is_terminal  # a bar that nobody sees would still print an empty line
        with Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True, disable=off) as bar:
            task = bar.add_task(name, total=1.0, stage=f"opening {escape(plain(name))}")

            def tell(stage: str, done_s: float, total_s: float) -> None:
                bar.update(task, completed=done_s, total=max(total_s, 1e-3), stage=stage)

            yield tell

    def heading(self, number: int, total: int, path: Path) -> None:
        """Which clip of a batch comes now."""
        self._say(f"[{number}/{total}] {path}", "dim")

    def failure(self, path: Path, line: str) -> None:
        """A clip of a batch that failed."""
        named = line if str(path) in line else f"{path}: {line}"
        self._say(f"failed: {named}", "red")

    def warn(self, line: str) -> None:
        """Something is less than it could be."""
        self._say(f"hero: {line}", "yellow")

    def result(self, analysis: Analysis, written: Sequence[Path]) -> None:
        """The verdict for people, or the whole result as one line of JSON."""
        try:
            if self.as_json:
                print(json_line(analysis.as_json(), sys.stdout.encoding if sys.stdout else "ascii"), flush=True)
            else:
                self.out.print(verdict_panel(analysis))
        except BrokenPipeError:  # the reader has seen enough: the command line ends quietly
            raise
        except OSError as error:
            raise OutputError(
                f"cannot print the result ({error.strerror}); free space or name a folder with --out"
            ) from error
        for path in written:
            self._say(f"wrote {path}", "dim")

    def _say(self, line: str, style: str) -> None:
        """One line on stderr, never broken: it may be searched or copied."""
        self.console.print(Text(plain(line), style=style), highlight=False, soft_wrap=True)

    def summary(self, outcomes: Sequence[Outcome]) -> None:
        """The table at the end of a batch: on stdout, or on stderr beside JSON lines."""
        base = common_folder([o.path for o in outcomes])
        table = Table(title=_counts(outcomes), caption=f"in {escape(plain(base))}" if base and base.name else None)
        for name in ("clip", "displayed", "confidence", "note"):
            table.add_column(name, overflow="fold")
        for o in outcomes:
            said = "-" if o.error else "abstained" if o.abstained else str(o.emotion)
            note = (o.error or "").removeprefix(f"{o.path}: ").split("; ")[0]  # the whole line was printed as it failed
            sure = "" if o.error or o.abstained else f"{o.confidence:.2f}"
            table.add_row(escape(plain(o.path.relative_to(base) if base else o.path)), said, sure, escape(plain(note)))
        (self.console if self.as_json else self.out).print(table)


def common_folder(paths: Sequence[Path]) -> Path | None:
    """The deepest folder that all paths lie in, as they were written; None where they share none."""
    if len({path.anchor for path in paths}) != 1:
        return None
    return Path(os.path.commonpath([path.parent for path in paths]))


def json_line(result: Any, encoding: str) -> str:
    """One line of JSON that a stream of this encoding can carry: escaped where it holds what the stream cannot."""
    line = json.dumps(result, ensure_ascii=False, allow_nan=False)
    try:
        line.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return json.dumps(result, allow_nan=False)
    return line


def verdict_panel(analysis: Analysis) -> Group:
    """Verdict, evidence and absences, as the README shows them."""
    verdict, case = analysis.verdict, analysis.case
    title = "abstained" if verdict.abstained else f"displayed: {verdict.final_emotion} ({verdict.confidence:.0%})"
    said = dict.fromkeys((verdict.emotion_caption, verdict.reasoning_process))  # an abstention may say the same twice
    paragraphs = "\n\n".join(said).split("\n")
    body = Text("\n".join(map(plain, paragraphs)))
    parts: list[Panel | Table | Text] = [
        Panel(body, title=f"{escape(plain(analysis.clip.name))} · {title}", title_align="left")
    ]
    table = Table("id", "time", "evidence", box=None, pad_edge=False)
    for ev in sorted((*case.evidence[:SHOWN_EVIDENCE], *case.inferred), key=lambda e: e.span):
        table.add_row(ev.id, f"{ev.span.start_s:.1f}-{ev.span.end_s:.1f} s", escape(plain(ev.text)))
    if table.row_count:
        parts.append(table)
    parts += [Text(line, style="dim") for line in absent_lines(case.timeline.absent)]
    restricted = [model["name"] for model in analysis.provenance["models"] if not model["commercial"]]
    if restricted:
        line = f"not known to be free for commercial use: {', '.join(restricted)} (--licence open leaves them out)"
        parts.append(Text(line, style="dim"))
    support = analysis.support
    seconds = analysis.provenance["seconds"]
    told = analysis.provenance
    parts += [Text(plain(note), style="dim") for part in ("integration", "reasoning") for note in told[part]["notes"]]
    held = f"{support.supported} of {support.claims} claims are supported by the evidence they cite"
    kinds = Counter(flaw.problem for flaw in support.flaws)
    why = f" ({', '.join(f'{count} {kind}' for kind, count in kinds.items())})" if kinds else ""
    held = held if support.claims else "nothing is claimed"
    parts.append(Text(f"{held}{why} · {seconds:.1f} s", style="dim" if not kinds else "yellow"))
    return Group(*parts)


def absent_lines(absent: Sequence[Absence]) -> list[str]:
    """One line per reason, with the experts that share it."""
    reasons: dict[str, list[Absence]] = {}
    for absence in absent:
        reasons.setdefault(absence.reason, []).append(absence)
    lines = []
    for reason, group in reasons.items():
        cure = next((a.cure for a in group if a.cure), "")
        lines.append(f"absent: {', '.join(a.expert for a in group)} ({reason}){'; ' + cure if cure else ''}")
    return lines


def models_list(items: Iterable[Item]) -> Group:
    """Weights: what they are, size, licence, whether commercial use is allowed, and where or how to get them.

    Checkpoints come as a table, under what they serve; `hero models --json` says more of each.
    """
    lines: list[Text | Table] = []
    table = Table("name", "download", "licence", "commercial", "preset", box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    table.add_column("where", overflow="fold")
    serves = ""
    for item in items:
        if item.use:
            if item.use != serves:
                table.add_row(Text(item.use, style="bold"))
                serves = item.use
            cells = (
                item.name,
                _size(item),
                item.licence,
                "yes" if item.commercial else "no",
                item.preset,
                _where(item),
            )
            table.add_row(*(escape(plain(cell)) for cell in cells))
            continue
        use = "commercial use allowed" if item.commercial else "non-commercial use only"
        facts = f"\n  {_size(item)} · {item.licence} · {use} · {item.where or f'not at hand: {item.obtain}'}"
        lines.append(Text.assemble((item.name, "bold"), f"  {item.what}", facts))
    title = Text("\ncheckpoints: hero models fetch NAME, or those of a preset with --preset hero", style="bold")
    return Group(*lines, title, table)


def _where(item: Item) -> str:
    """The folder of a checkpoint ("here": in the user's cache), how to get it, or what is wrong with it."""
    from hero.models import cache_folder

    if item.where:
        return "here" if Path(item.where).parent == cache_folder() else item.where
    if not item.obtain.startswith("run hero models fetch"):
        return item.obtain
    return "to make" if item.group == "made here" else "to fetch"


def _size(item: Item) -> str:
    if item.size_bytes >= 1e9:
        return f"{item.size_bytes / 1e9:.2f} GB"
    return f"{item.size_bytes / 1e6:.0f} MB" if item.size_bytes >= 1e8 else f"{item.size_bytes / 1e6:.2f} MB"


def doctor_report(health: Health) -> Group:
    """The machine, its libraries, and how each expert of each preset fares, with the cures."""
    machine = health.machine
    memory = f"{machine['memory_bytes'] / 2**30:.1f} GiB memory" if machine["memory_bytes"] else "memory unknown"
    free = f"{machine['cache_free_bytes'] / 1e9:.1f} GB free for {plain(machine['cache_folder'])}"
    facts = f"Python {machine['python']} · {machine['system']} · {machine['cores']} cores · {memory} · {free}"
    parts = Table("here", "part", "", box=None, pad_edge=False, show_header=False)
    for part in health.parts:
        told = f"{part.detail}{'; ' + part.cure if part.cure else ''}"
        parts.add_row(_marked("runs" if part.here else "absent"), part.name, escape(plain(told)))
    shown: list[Text | Table] = [Text(facts), parts]
    for name, states in health.presets.items():
        runs = sum(state.how != "absent" for state in states)
        shown.append(Text(f"\npreset {plain(name)}: {runs} of {len(states)} experts run", style="bold"))
        table = Table("how", "expert", "", box=None, pad_edge=False, show_header=False)
        for state in states:
            told = f"{state.reason}{'; ' + state.cure if state.cure else ''}"
            table.add_row(_marked(state.how), state.expert, escape(plain(told)))
        for place, state in enumerate(health.reasoners[name]):
            told = f"{state.reason}{'; ' + state.cure if state.cure else ''}"
            who = f"{'concludes' if place == 0 else 'or'}: {state.expert}"
            table.add_row(_marked(state.how), who, escape(plain(told)))
        shown.append(table)
    return Group(*shown)


def _marked(how: How) -> Text:
    """The state as a coloured word."""
    return Text({"runs": "yes", "partly": "partly", "absent": "no"}[how], style=STYLES[how])


@contextmanager
def fetching(name: str, console: Console | None = None) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar for a download."""
    columns = (TextColumn("fetching {task.description}"), BarColumn(), DownloadColumn())
    console = console or Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _counts(outcomes: Sequence[Outcome]) -> str:
    failed = sum(o.error is not None for o in outcomes)
    abstained = sum(o.abstained for o in outcomes)
    return (
        f"{len(outcomes)} clips: {len(outcomes) - failed - abstained} verdicts, {abstained} abstained, {failed} failed"
    )
