"""Many clips through the one path: fetch what is missing, write results, list what failed, go on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hero.clips import distinct, expand, stems
from hero.config import Preset, load_preset
from hero.errors import HeroError, UsageError, WeightsError
from hero.media.clip import Clip
from hero.models import fetch, find
from hero.observe.baseline import summarise, write_baseline
from hero.observe.expert import Context
from hero.observe.stream import observe
from hero.pipeline import Examined, examine, settle
from hero.reason.reasoner import LANGUAGE_MODEL, Reasoner, conclude_all, reasoner_of
from hero.report.write import FORMATS, prepare, write
from hero.show import Outcome, Screen
from hero.types import Baseline

if TYPE_CHECKING:
    from rich.console import Console

Lang = Literal["en", "zh"]

DEFAULT_OUT = Path("hero-report")
VERDICT, FAILED, ABSTAINED = 0, 3, 4
FETCHED = ("face_landmarker",)


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
    reasoner: str | None = None
    labels: str | None = None
    decode: str | None = None
    as_json: bool = False
    media: bool = True
    offline: bool = False

    @property
    def settings(self) -> tuple[str, ...]:
        """All overrides of the preset; the reasoner's name comes first, for the others are settings of it."""
        named = {"reasoner.name": self.reasoner, "reasoner.label_set": self.labels, "reasoner.decode": self.decode}
        return (*(f"{key}={value}" for key, value in named.items() if value), *self.overrides)


def run(job: Job) -> int:
    """Analyse every clip of a job; returns the exit code.

    One clip: 0 verdict, 4 abstained. Several: 3 when any failed (all others are still done), else 0.

    Raises:
        HeroError: of a single clip; of many clips' batch only what concerns all of them.
    """
    formats = wanted_formats(job)
    preset = load_preset(job.preset, job.settings)
    clips = distinct(expand(job.paths))
    if job.transcript and len(clips) > 1:
        raise UsageError(f"--transcript goes with one clip, but {len(clips)} were given; run them one by one")
    if formats:
        prepare(job.out or DEFAULT_OUT)
    screen = Screen(as_json=job.as_json)
    if not job.offline and "face" in preset.experts:
        fetch_models(quiet=True, console=screen.console)
    names = stems(clips)
    judge = reasoner_of(preset, licence=job.licence)  # one for all clips: a model is loaded once
    work = _Work(job, preset, judge, formats, screen)
    if len(clips) == 1:
        (outcome,) = work.conclude({clips[0]: work.examine(clips[0])}, names)
        return ABSTAINED if outcome.abstained else VERDICT
    outcomes: list[Outcome] = []
    try:
        for begin in range(0, len(clips), judge.together):
            group: dict[Path, Examined | Outcome] = {}
            for number, path in enumerate(clips[begin : begin + judge.together], begin + 1):
                screen.heading(number, len(clips), path)
                group[path] = work.attempt(path)
            outcomes += work.conclude(group, names)
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
            Screen(as_json=False).console.print(_fetched(name, path), markup=False, highlight=False, soft_wrap=True)


def _fetched(name: str, path: Path) -> str:
    """What a fetch came to: the weights themselves, or the lesser ones that stand in while their source is unreachable."""
    from hero.models import entries

    entry = entries().get(name)
    if entry and path.name != entry.files[0].file:
        return f"{name}: its source cannot be reached; {path.name} stands in, which measures less ({entry.otherwise})"
    return f"{name}: {path} is at hand"


def fetch_named(names: Sequence[str], preset: str | None) -> None:
    """Fetch weights by name, or all that a preset's experts name; each is hash-checked, and what is there stays.

    Raises:
        UsageError: no weights have that name, or no preset.
        WeightsError: something could not be fetched; what was named before it is at hand.
    """
    from hero import checkpoints, hub, models
    from hero.show import fetching

    screen = Screen(as_json=False)
    wanted = list(names)
    if preset:
        chosen = load_preset(preset)
        experts = chosen.experts
        wanted += FETCHED if "face" in experts else ()
        asked = [name for settings in experts.values() for name in checkpoints.named_in(settings)]
        if chosen.reasoner.name == LANGUAGE_MODEL:
            asked += checkpoints.named_in(chosen.reasoner.settings)
        wanted += [name for name in asked if "/" not in name]  # a folder is where it is
    for name in dict.fromkeys(wanted):
        third_party = name in models.entries()
        folder: Path
        with fetching(name) as progress:
            if third_party:
                folder = fetch(name, progress=progress)
            else:
                folder = hub.fetch(name, progress=progress, build=_build_random).folder
        screen.console.print(_fetched(name, folder), markup=False, highlight=False, soft_wrap=True)


def _build_random(name: str, folder: Path) -> None:
    """Make one of the random checkpoints of the preset `tiny`."""
    from hero.observe.encoders import tiny

    tiny.build(name, folder)


def pack_models(folder: Path, names: Sequence[str]) -> list[Path]:
    """Copy all third-party files at hand, and the named checkpoints, into a folder for machines without network.

    Raises:
        UsageError: no checkpoint has that name, or the folder cannot be written.
        WeightsError: nothing is at hand to pack, or something is damaged.
    """
    from hero import checkpoints, models

    third_party = [entry.name for entry in models.entries().values() if find(entry.name)]
    packed = [] if names and not third_party else list(models.pack(folder))
    return packed + [checkpoints.pack(name, folder) for name in names if name not in models.entries()]


def print_models(*, as_json: bool = False) -> None:
    """All weights, on stdout."""
    from hero.inventory import items
    from hero.show import models_list

    screen = Screen(as_json=as_json)
    if as_json:
        print(json.dumps([item.as_json() for item in items()], indent=1))
    else:
        screen.out.print(models_list(items()))


def print_doctor(preset: str | None, *, as_json: bool, strict: bool) -> int:
    """Print what runs on this machine; returns the exit code: 3 where a preset cannot run (`strict`: not whole).

    Raises:
        UsageError: `strict` without a preset, or no preset has that name.
    """
    from hero import doctor
    from hero.show import doctor_report

    if strict and not preset:
        raise UsageError(
            "--strict asks whether a preset is whole, but none is named; add --preset, such as --preset hero"
        )

    health = doctor.examine(preset)
    if as_json:
        print(json.dumps(health.as_json(), indent=1))
    else:
        Screen(as_json=False).out.print(doctor_report(health))
    return VERDICT if (health.complete if strict and preset else health.runs) else FAILED


@dataclass(frozen=True)
class _Work:
    """What all clips of a job share."""

    job: Job
    preset: Preset
    reasoner: Reasoner
    formats: tuple[str, ...]
    screen: Screen

    def attempt(self, path: Path) -> Examined | Outcome:
        """Examine one clip of a batch; its own trouble becomes an outcome, while trouble of the whole batch is raised."""
        try:
            return self.examine(path)
        except UsageError:
            raise
        except HeroError as error:
            self.screen.failure(path, error.line)
            if self.job.as_json:
                print(json.dumps({"path": str(path), "error": error.line}, ensure_ascii=True))
            return Outcome(path, error=error.line)

    def examine(self, path: Path) -> Examined:
        """Observe and integrate a clip."""
        job = self.job
        with self.screen.progress(path.name) as progress:
            clip = Clip.open(path, transcript=job.transcript)
            context = Context(clip, job.lang, job.licence, job.baseline)
            return examine(clip, self.preset, context, self.reasoner, progress=progress)

    def conclude(self, group: Mapping[Path, Examined | Outcome], names: Mapping[Path, str]) -> list[Outcome]:
        """Conclude the clips of a group together, write what was asked for, show the results."""
        examined = {path: found for path, found in group.items() if isinstance(found, Examined)}
        began = time.perf_counter()
        conclusions = conclude_all(self.reasoner, [found.case for found in examined.values()], lang=self.job.lang)
        seconds = (time.perf_counter() - began) / max(len(examined), 1)
        outcomes = {path: found for path, found in group.items() if isinstance(found, Outcome)}
        for (path, found), conclusion in zip(examined.items(), conclusions, strict=True):
            analysis = settle(found, conclusion, self.reasoner.name, seconds=seconds)
            out = self.job.out or DEFAULT_OUT
            written = write(analysis, out, names[path], self.formats, media=self.job.media) if self.formats else []
            self.screen.result(analysis, written)
            verdict = analysis.verdict
            outcomes[path] = Outcome(path, verdict.final_emotion, verdict.confidence, verdict.abstained)
        return [outcomes[path] for path in group]
