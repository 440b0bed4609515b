"""Many clips through the one path: expand folders, fetch what is missing, write results, list what failed, go on."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hero.config import Preset, load_preset
from hero.errors import HeroError, InputError, UsageError, WeightsError
from hero.media.clip import Clip
from hero.media.folder import PICTURES, SETTINGS, SOUNDS
from hero.models import fetch, find
from hero.observe.baseline import summarise, write_baseline
from hero.observe.expert import Context
from hero.observe.stream import observe
from hero.pipeline import Analysis, analyze
from hero.report.write import FORMATS, file_stem, prepare, write
from hero.show import Outcome, Screen
from hero.types import Baseline

if TYPE_CHECKING:
    from rich.console import Console

Lang = Literal["en", "zh"]

DEFAULT_OUT = Path("hero-report")
VERDICT, FAILED, ABSTAINED = 0, 3, 4
FETCHED = ("face_landmarker",)
VIDEO = frozenset({".mp4", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".avi", ".m4v"})
EXTENSIONS = VIDEO | SOUNDS
_LISTED = ", ".join(sorted(EXTENSIONS))


@dataclass(frozen=True)
class Job:
    """What the command line asked for."""

    paths: tuple[Path, ...]
    out: Path | None = None
    formats: str = ""
    transcript: Path | None = None
    lang: Lang = "en"
    preset: str = "embedded"
    baseline: Baseline | None = None
    licence: Literal["any", "open"] = "any"
    overrides: tuple[str, ...] = ()
    as_json: bool = False
    media: bool = True
    offline: bool = False


def run(job: Job) -> int:
    """Analyse every clip of a job; returns the exit code.

    One clip: 0 verdict, 4 abstained. Several: 3 when any failed (all others are still done), else 0.

    Raises:
        HeroError: of a single clip; of many clips' batch only what concerns all of them.
    """
    formats = wanted_formats(job)
    preset = load_preset(job.preset, job.overrides)
    clips = distinct(expand(job.paths))
    if job.transcript and len(clips) > 1:
        raise UsageError(f"--transcript goes with one clip, but {len(clips)} were given; run them one by one")
    if formats:
        prepare(job.out or DEFAULT_OUT)
    screen = Screen(as_json=job.as_json)
    if not job.offline and "face" in preset.experts:
        fetch_models(quiet=True, console=screen.console)
    stems = _stems(clips)
    if len(clips) == 1:
        outcome = _one(clips[0], job, preset, formats, screen, stem=stems[clips[0]])
        return ABSTAINED if outcome.abstained else VERDICT
    outcomes: list[Outcome] = []
    try:
        for number, path in enumerate(clips, 1):
            screen.heading(number, len(clips), path)
            outcomes.append(_attempt(path, job, preset, formats, screen, stem=stems[path]))
    finally:
        if outcomes:
            screen.summary(outcomes)  # also of a batch that was interrupted or found its folder full
    return FAILED if any(outcome.error for outcome in outcomes) else VERDICT


def run_baseline(job: Job, out: Path) -> int:
    """Take a person's baseline over the job's clips and write it; clips that fail are named and left out.

    Raises:
        HeroError: no clip could be read, or the file cannot be written.
    """
    preset = load_preset(job.preset, job.overrides)
    prepare(out.parent)
    screen = Screen(as_json=False)
    if not job.offline:
        fetch_models(quiet=True, console=screen.console)
    timelines, failed = [], 0
    for path in distinct(expand(job.paths)):
        try:
            with screen.progress(path.name) as progress:
                clip = Clip.open(path)
                timelines.append(observe(clip, preset, Context(clip), progress))
        except UsageError:
            raise
        except HeroError as error:
            failed += 1
            screen.failure(path, error.line)
    person = summarise(timelines)
    write_baseline(person, out)
    screen.console.print(f"wrote {out}: {person.count} clips, {len(person.mean)} values", markup=False, highlight=False)
    return FAILED if failed else VERDICT


def wanted_formats(job: Job) -> tuple[str, ...]:
    """The formats of a job, checked; `html,json` when only a folder was named.

    Raises:
        UsageError: a format that does not exist.
    """
    asked = tuple(dict.fromkeys(part.strip().lower() for part in job.formats.split(",") if part.strip()))
    if unknown := [part for part in asked if part not in FORMATS]:
        raise UsageError(f"no format is called '{unknown[0]}'; choose from: {', '.join(FORMATS)}")
    return asked or (("html", "json") if job.out else ())


def distinct(paths: Iterable[Path]) -> list[Path]:
    """The paths in their order, each file once however it was spelled (a link keeps its own name)."""
    first: dict[Path, Path] = {}
    for path in paths:
        first.setdefault(path.parent.resolve() / path.name, path)
    return list(first.values())


def expand(paths: tuple[Path, ...]) -> Iterator[Path]:
    """Files as they are, a folder of frames as one clip, any other folder as the clips in it, at any depth.

    Links to folders are not followed, and hidden files are not looked at, so that no clip comes twice or by accident.

    Raises:
        InputError: a path does not exist or cannot be looked into, or a folder holds no clips.
    """
    for path in paths:
        try:
            if not path.is_dir():
                path.stat()
                yield path
                continue
            inside = [path] if is_frame_folder(path) else list(_inside(path))
        except FileNotFoundError as error:
            raise InputError(f"'{path}' does not exist; give a clip ({_LISTED}) or a folder") from error
        except OSError as error:
            raise InputError(
                f"'{path}' cannot be looked at ({error.strerror}); give a clip ({_LISTED}) or a folder that may be read"
            ) from error
        if not inside:
            raise InputError(f"folder '{path}' holds no clips; allowed are {_LISTED}, or frames with a wav")
        yield from inside


def _inside(folder: Path) -> Iterator[Path]:
    """The clips of a folder and of the folders in it, sorted by path."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from [path] if is_frame_folder(path) else _inside(path)
        elif path.is_file() and path.suffix.lower() in EXTENSIONS:
            yield path


def is_frame_folder(folder: Path) -> bool:
    """A folder is one clip when it holds pictures and no videos (or says so in its frames.yaml).

    Several sounds beside fewer pictures are a folder of recordings with a cover.
    """
    if (folder / SETTINGS).is_file():
        return True
    suffixes = Counter(path.suffix.lower() for path in folder.iterdir() if path.is_file())
    pictures, sounds = (sum(suffixes[s] for s in kind) for kind in (PICTURES, SOUNDS))
    return pictures > 0 and not suffixes.keys() & VIDEO and (sounds <= 1 or pictures > sounds)


def fetch_models(*, quiet: bool, console: Console | None = None) -> None:
    """Fetch what is missing, with a progress bar; quietly go on without when there is no network.

    Raises:
        WeightsError: not quiet, and nothing could be fetched.
    """
    from hero.show import fetching

    own = os.environ.get("HERO_MODELS")
    if own and not Path(own).is_dir():
        Screen(as_json=True).warn(f"HERO_MODELS names '{own}', which is no folder; name one made by: hero models pack")
    for name in FETCHED:
        lesser = "face_landmarks"
        try:
            if quiet and (find(name) or find(lesser)):
                continue
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
    """Third-party and packaged weights, on stdout."""
    from hero.show import models_list

    Screen(as_json=False).out.print(models_list())


def _attempt(path: Path, job: Job, preset: Preset, formats: tuple[str, ...], screen: Screen, *, stem: str) -> Outcome:
    """One clip of a batch; its own trouble becomes an outcome, while trouble of the whole batch is raised."""
    try:
        return _one(path, job, preset, formats, screen, stem=stem)
    except UsageError:
        raise
    except HeroError as error:
        screen.failure(path, error.line)
        if job.as_json:
            print(json.dumps({"path": str(path), "error": error.line}, ensure_ascii=True))
        return Outcome(path, error=error.line)


def _one(path: Path, job: Job, preset: Preset, formats: tuple[str, ...], screen: Screen, *, stem: str) -> Outcome:
    with screen.progress(path.name) as progress:
        clip = Clip.open(path, transcript=job.transcript)
        analysis = analyze(
            clip,
            preset=preset,
            lang=job.lang,
            licence=job.licence,
            baseline=job.baseline,
            progress=progress,
        )
        written = _write(analysis, job, formats, stem)
    screen.result(analysis, written)
    verdict = analysis.verdict
    return Outcome(path, verdict.final_emotion, verdict.confidence, verdict.abstained)


def _write(analysis: Analysis, job: Job, formats: tuple[str, ...], stem: str) -> list[Path]:
    return write(analysis, job.out or DEFAULT_OUT, stem, formats, media=job.media) if formats else []


def _stems(clips: list[Path]) -> dict[Path, str]:
    """Names for the result files: the clip's stem, with its parents and suffix where two clips would share it."""
    shared = Counter(file_stem(path.stem).lower() for path in clips)
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in clips:
        alone = shared[file_stem(path.stem).lower()] == 1
        name = file_stem(path.stem if alone else "-".join([*path.parts[-2:-1], path.name]))
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        names[path] = name
    return names
