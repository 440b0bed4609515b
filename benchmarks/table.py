"""Write the README's results table out of `benchmarks/results/*.json`, between its two marks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- results: begin (make table) -->", "<!-- results: end -->"


def table() -> str:
    """The Markdown table: every bar of every result file, in the files' order."""
    lines = ["| benchmark | what | measured | bar | |", "|---|---|---|---|---|"]
    for path in sorted(RESULTS.glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        for bar in record.get("bars", ()):
            sign = "≥" if bar["at_least"] else "≤"
            mark = "reached" if bar["reached"] else "**missed**"
            what = bar["name"] + (f" ({bar['note']})" if bar["note"] else "")
            lines.append(
                f"| {record['benchmark']} | {what} | {bar['measured']:.3g} | {sign} {bar['bar']:.3g} | {mark} |"
            )
    return "\n".join(lines)


def with_table(readme: str) -> str:
    """The README with a fresh table between the marks."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Rewrite the README; with --check only say whether it is up to date."""
    path = ROOT / "README.md"
    old = path.read_text("utf-8")
    new = with_table(old)
    if "--check" in sys.argv:
        print("up to date" if new == old else "README's results table is stale: run make table")
        return int(new != old)
    path.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
