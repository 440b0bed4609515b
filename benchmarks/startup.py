"""Start-up: `hero --help` in under half a second, and an import that pulls in nothing heavy."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bars import Bar, publish

HEAVY = ("torch", "transformers", "av", "cv2", "ai_edge_litert", "onnxruntime")
HERO = Path(sys.executable).with_name("hero")


def main() -> int:
    """Measure and publish."""
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([HERO, "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    code = f"import sys, hero; print(sum(m in sys.modules for m in {HEAVY!r}))"
    heavy = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    bars = [
        Bar("hero --help, median seconds", statistics.median(times), 0.5, at_least=False),
        Bar("heavy modules after import hero", heavy, 0, at_least=False),
    ]
    return publish("startup", bars)


if __name__ == "__main__":
    sys.exit(main())
