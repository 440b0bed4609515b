"""Run benchmarks by name, or all: `python benchmarks/run.py [speed memory ...]`. Exits with 1 when a bar is missed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HELPERS = {"run", "bars", "clips", "table"}


def main() -> int:
    """Each benchmark in a process of its own."""
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in HELPERS)
    names = sys.argv[1:] or known
    if unknown := [name for name in names if name not in known]:
        print(f"no benchmark is called '{unknown[0]}'; known: {', '.join(known)}")
        return 2
    missed = [
        name for name in names if subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=False).returncode
    ]
    print("all bars reached" if not missed else f"missed or failed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
