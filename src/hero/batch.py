"""Many clips through the one path: expand folders, fetch what is missing, write results, list what failed, go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hero.config import Preset, load_preset
from hero.errors import HeroError, InputError, OutputError, UsageError, WeightsError
from hero.media.clip import Clip
from hero.media.folder import PICTURES, SETTINGS
from hero.models import fetch, find
from hero.pipeline import Analysis, analyze
from hero.report.write import FORMATS, write
from hero.show import Screen

if TYPE_CHECKING:
    from rich.console import Console

Lang = Literal["en", "zh"]

DEFAULT_OUT = Path("hero-report")
VERDICT, FAILED, ABSTAINED = 0, 3, 4
FETCHED = ("face_landmarker",)
VIDEO = frozenset({".mp4", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".avi", ".m4v"})
EXTENSIONS = VIDEO | {".wav", ".flac", ".mp3", ".m4a", ".ogg"}


@dataclass(frozen=True)
class Job:
    """What the command line asked for."""

    paths: tuple[Path, ...]
    out: Path | None = None
    formats: str = ""
    transcript: Path | None = None
    lang: Lang = "en"
    preset: str = "embedded"
    licence: Literal["any", "open"] = "any"
    overrides: tuple[str, ...] = ()
    as_json: bool = False
    media: bool = True
    offline: bool = False


@dataclass(frozen=True)
class Outcome:
    """How one clip ended: its analysis's headline, or the error."""

    path: Path
    emotion: str | None = None
    confidence: float = 0.0
    abstained: bool = False
    error: str | None = None


def run(job: Job) -> int:
    """Analyse every clip of a job; returns the exit code.

    One clip: 0 verdict, 4 abstained. Several: 3 when any failed (all others are still done), else 0.

    Raises:
        HeroError: of a single clip; of many clips' batch only what concerns all of them.
    """
    formats = wanted_formats(job)
    preset = load_preset(job.preset, job.overrides)
    clips = list(expand(job.paths))
    if job.transcript and len(clips) > 1:
        raise UsageError(f"--transcript goes with one clip, but {len(clips)} were given; run them one by one")
    screen = Screen(as_json=job.as_json)
    if not job.offline and "face" in preset.experts:
        fetch_models(quiet=True, console=screen.console)
    if len(clips) == 1:
        outcome = _one(clips[0], job, preset, formats, screen, stem=_stems(clips)[clips[0]])
        return ABSTAINED if outcome.abstained else VERDICT
    outcomes = []
    stems = _stems(clips)
    for number, path in enumerate(clips, 1):
        screen.heading(number, len(clips), path)
        try:
            outcomes.append(_one(path, job, preset, formats, screen, stem=stems[path]))
        except OutputError:
            raise
        except HeroError as error:
            outcomes.append(Outcome(path, error=error.line))
            screen.failure(path, error.line)
    screen.summary(outcomes)
    return FAILED if any(outcome.error for outcome in outcomes) else VERDICT


def wanted_formats(job: Job) -> tuple[str, ...]:
    """The formats of a job, checked; `html,json` when only a folder was named.

    Raises:
        UsageError: a format that does not exist.
    """
    asked = tuple(part.strip() for part in job.formats.split(",") if part.strip())
    if unknown := [part for part in asked if part not in FORMATS]:
        raise UsageError(f"no format is called '{unknown[0]}'; choose from: {', '.join(FORMATS)}")
    return asked or (("html", "json") if job.out else ())


def expand(paths: tuple[Path, ...]) -> Iterator[Path]:
    """Files as they are, a folder of frames as one clip, any other folder as the clips in it, at any depth.

    Raises:
        InputError: a path does not exist, or a folder holds no clips.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"'{path}' does not exist; give a clip ({', '.join(sorted(EXTENSIONS))}) or a folder")
        if not path.is_dir() or is_frame_folder(path):
            yield path
            continue
        inside = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in EXTENSIONS)
        if not inside:
            raise InputError(
                f"folder '{path}' holds no clips; allowed are {', '.join(sorted(EXTENSIONS))}, or frames with a wav"
            )
        yield from inside


def is_frame_folder(folder: Path) -> bool:
    """A folder is one clip when it holds pictures and no videos (or says so in its frames.yaml)."""
    if (folder / SETTINGS).is_file():
        return True
    suffixes = {path.suffix.lower() for path in folder.iterdir() if path.is_file()}
    return bool(suffixes & PICTURES) and not suffixes & VIDEO


def fetch_models(*, quiet: bool, console: Console | None = None) -> None:
    """Fetch what is missing, with a progress bar; quietly go on without when there is no network.

    Raises:
        WeightsError: not quiet, and nothing could be fetched.
    """
    from hero.show import fetching

    for name in FETCHED:
        lesser = "face_landmarks"
        if quiet and (find(name) or find(lesser)):
            continue
        try:
            with fetching(name, console) as progress:
                path = fetch(name, progress=progress)
        except WeightsError as error:
            if not quiet:
                raise
            Screen(as_json=True).warn(error.line)
            continue
        if not quiet:
            Screen(as_json=False).console.print(f"{name}: {path.name} is at hand", highlight=False)


def print_models() -> None:
    """The table of third-party and packaged weights."""
    from hero.show import models_table

    Screen(as_json=False).out.print(models_table())


def _one(path: Path, job: Job, preset: Preset, formats: tuple[str, ...], screen: Screen, *, stem: str) -> Outcome:
    with screen.progress(path.name) as progress:
        clip = Clip.open(path, transcript=job.transcript)
        analysis = analyze(clip, preset=preset, lang=job.lang, licence=job.licence, progress=progress)
        written = _write(analysis, job, formats, stem)
    screen.result(analysis, written)
    verdict = analysis.verdict
    return Outcome(path, verdict.final_emotion, verdict.confidence, verdict.abstained)


def _write(analysis: Analysis, job: Job, formats: tuple[str, ...], stem: str) -> list[Path]:
    return write(analysis, job.out or DEFAULT_OUT, stem, formats, media=job.media) if formats else []


def _stems(clips: list[Path]) -> dict[Path, str]:
    """Names for the result files: the clip's stem, with its parents and suffix where two clips would share it."""
    shared = Counter(path.stem.lower() for path in clips)
    names: dict[Path, str] = {}
    for path in clips:
        name = path.stem if shared[path.stem.lower()] == 1 else "-".join([*path.parts[-2:-1], path.name])
        while name in names.values():
            name += "_"
        names[path] = name
    return names
