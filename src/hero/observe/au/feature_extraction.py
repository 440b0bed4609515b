"""Runs OpenFace 2's own program `FeatureExtraction` on a clip and reads the table it writes.

OpenFace is not on PyPI: it is built or unpacked by hand (https://github.com/TadasBaltrusaitis/OpenFace), and its licence
allows research only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from hero.errors import InputError, UsageError
from hero.observe.au.openface import MIN_CONFIDENCE, read_openface
from hero.observe.au.schema import Reading

PROGRAM = "FeatureExtraction"
VARIABLE = "OPENFACE_BIN"
OPTIONS = ("-aus", "-pose", "-gaze")
TAIL_CHARS = 400


def available(named: str | Path | None = None) -> Path | None:
    """The program: the file or folder that is named, else the one in OPENFACE_BIN, else the one on PATH; None if none runs."""
    for place in (named, os.environ.get(VARIABLE)):
        if place:
            path = Path(place).expanduser()
            path = path / PROGRAM if path.is_dir() else path
            return path if path.is_file() and os.access(path, os.X_OK) else None
    found = shutil.which(PROGRAM)
    return Path(found) if found else None


def run(
    clip: Path, program: Path, *, timeout_s: float, min_confidence: float = MIN_CONFIDENCE, fps: float | None = None
) -> Reading:
    """Let the program look at a media file; one `AUTable` per face it found.

    Raises:
        UsageError: the program cannot be started, does not end in time, fails, or writes no table.
        InputError: the table it wrote cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="hero-openface-") as folder:
        out = Path(folder)
        said = _finish(_start(clip, program, out), out, program, timeout_s)
        tables = sorted(out.glob("*.csv"))
        if not tables:
            raise UsageError(f"{program.name} ended without a table for '{clip.name}' ({said}); does it run on this clip by "
                             "hand?")  # fmt: skip
        try:
            return read_openface(tables[0], min_confidence=min_confidence, fps=fps, source="feature_extraction")
        except InputError as error:
            line = error.line.replace(f"{tables[0]}: ", "")
            raise InputError(f"{program.name} wrote a table for '{clip.name}' that cannot be used: {line}") from error


def _start(clip: Path, program: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [str(program.resolve()), "-f", str(clip.resolve()), "-out_dir", str(out), *OPTIONS]
    try:
        with (out / "output.txt").open("wb") as log:  # a file, not a pipe: nothing can block on it
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
    except OSError as error:
        raise UsageError(
            f"{program} cannot be started ({error.strerror}); name OpenFace's {PROGRAM} in {VARIABLE}"
        ) from error


def _finish(process: subprocess.Popen[bytes], out: Path, program: Path, timeout_s: float) -> str:
    """Wait for the end; returns the last words of the program, for a message."""
    try:
        code = process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"{program.name} did not end within {timeout_s:g} s and was stopped; raise timeout_s, or run it by hand and "
            "give its table (source: openface)"
        ) from error
    finally:
        if process.poll() is None:
            _stop(process)
    said = (
        " ".join((out / "output.txt").read_text("utf-8", errors="replace").split())[-TAIL_CHARS:] or "it said nothing"
    )
    if code != 0:
        raise UsageError(f"{program.name} failed with code {code}: {said}; run it by hand on this clip to see why")
    return said


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started: it has a session of its own."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
