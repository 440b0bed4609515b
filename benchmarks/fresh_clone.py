"""From a fresh clone to the first verdict: `git clone`, `make demo`, installation and model fetch included."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bars import Bar, publish

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Measure and publish; no data folder, no cache of models."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "hero"
        hidden = {"HERO_DATA", "HERO_MODELS", "VIRTUAL_ENV", "PYTHONPATH"}
        env = {k: v for k, v in os.environ.items() if k not in hidden} | {"HERO_CACHE": str(Path(folder) / "cache")}
        began = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        done = subprocess.run(["make", "demo"], cwd=clone, env=env, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        page = clone / "runs" / "demo" / "demo.html"
        if done.returncode or not page.is_file():
            print(done.stdout[-2000:], done.stderr[-2000:])
            return 1
    return publish("fresh_clone", [Bar("fresh clone to first verdict, seconds", seconds, 300, at_least=False)])


if __name__ == "__main__":
    sys.exit(main())
