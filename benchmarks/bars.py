"""Bars: what was measured against what was asked for, printed and kept in `benchmarks/results/<name>.json`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
RUNS = Path(__file__).parents[1] / "runs" / "bench"


@dataclass(frozen=True)
class Bar:
    """One number and the bar it must reach; `at_least` False means it must stay at or below it."""

    name: str
    measured: float
    bar: float
    at_least: bool = True
    note: str = ""

    @property
    def reached(self) -> bool:
        """Does the measured value hold the bar?"""
        return self.measured >= self.bar if self.at_least else self.measured <= self.bar


def publish(name: str, bars: Sequence[Bar], details: Mapping[str, Any] | None = None) -> int:
    """Print measured against bar, write the result file, and return the number of bars that were missed."""
    width = max(len(bar.name) for bar in bars)
    print(f"== {name}")
    for bar in bars:
        sign, word = (">=" if bar.at_least else "<="), ("ok" if bar.reached else "MISSED")
        print(f"  {bar.name:<{width}}  {bar.measured:8.4g}  {sign} {bar.bar:<8.4g} {word}  {bar.note}")
    record = {
        "benchmark": name,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}",
        "bars": [{**bar.__dict__, "reached": bar.reached} for bar in bars],
        "details": dict(details or {}),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return sum(not bar.reached for bar in bars)


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
