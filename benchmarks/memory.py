"""Peak memory: a 10-minute clip against a 1-minute clip, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from bars import Bar, publish
from clips import looped

CODE = """
import resource, sys
from hero.pipeline import analyze
from hero.report.write import write
from pathlib import Path
import tempfile
analysis = analyze(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    write(analysis, Path(folder), "clip", ("html", "json"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_mib(seconds: int) -> float:
    """Peak resident memory of analysing a clip of that length and writing its report, in MiB."""
    command = [sys.executable, "-c", CODE, str(looped(seconds))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> int:
    """Measure and publish."""
    short, long = peak_mib(60), peak_mib(600)
    bars = [
        Bar("peak of 10 min / peak of 1 min", long / short, 1.2, at_least=False),
        Bar("peak of 10 min, GiB", long / 1024, 1.5, at_least=False),
    ]
    return publish("memory", bars, {"peak_mib_1_min": round(short), "peak_mib_10_min": round(long)})


if __name__ == "__main__":
    sys.exit(main())
