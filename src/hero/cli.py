"""The `hero` command. Exit codes: 0 verdict, 2 bad usage, 3 missing or unreadable input, 4 abstained."""

from __future__ import annotations

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hero import __version__
from hero.errors import HeroError

INTERRUPTED = 130

app = typer.Typer(
    name="hero", no_args_is_help=True, add_completion=False, rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Watch a clip of people, keep every cue as evidence on one timeline, and conclude with citations. "
    "Nothing leaves this machine. Exit codes: 0 verdict (of a folder: nothing failed), 2 bad usage, 3 missing or "
    "unreadable input, 4 abstained.",
)  # fmt: skip
models_app = typer.Typer(no_args_is_help=False, help="Third-party and packaged weights: list, fetch, pack.")
app.add_typer(models_app, name="models")


class Lang(StrEnum):
    """Language of evidence and verdict."""

    en = "en"
    zh = "zh"


class Licence(StrEnum):
    """Which weights may take part."""

    any = "any"
    open = "open"


def _named(text: str) -> Path:
    """The path; an empty one (an unset shell variable) would mean the current folder and everything below it."""
    if not text:
        raise typer.BadParameter("an empty path; give a clip or a folder, '.' for the current one")
    return Path(text)


@app.command(
    epilog="Examples: `hero analyze clip.mp4` · `hero analyze clip.mp4 --format html --out report` · "
    "`hero analyze folder/ --format json,csv --out results` · "
    "`hero analyze talk.wav --transcript talk.srt --lang zh --json`"
)
def analyze(
    paths: Annotated[
        list[Path],
        typer.Argument(parser=_named, metavar="CLIP", help="Clips, folders of clips, or folders of frames with a wav."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for the files of --format (default: hero-report).")] = None,
    formats: Annotated[str, typer.Option("--format", help="Comma list of html, json, md, csv, srt, eaf.")] = "",
    transcript: Annotated[
        Path | None, typer.Option(help="What is said: SRT, VTT, JSON with word times, or text.")
    ] = None,
    lang: Annotated[Lang, typer.Option(help="Language of evidence and verdict.")] = Lang.en,
    preset: Annotated[str, typer.Option(help="A shipped preset or a YAML file.")] = "embedded",
    baseline: Annotated[Path | None, typer.Option(help="The person's usual values, from `hero baseline`.")] = None,
    licence: Annotated[
        Licence, typer.Option(help="open leaves out weights trained on non-commercial data.")
    ] = Licence.any,
    settings: Annotated[list[str] | None, typer.Option("--set", help="part.key=value, e.g. face.fps=10.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON, and nothing else.")] = False,
    media: Annotated[bool, typer.Option(help="Put picture and sound into the report page.")] = True,
    offline: Annotated[bool, typer.Option(help="Do not fetch missing face models.")] = False,
) -> None:
    """Give a verdict about each clip, in which every sentence cites its evidence."""
    from hero.batch import Job, run
    from hero.observe.baseline import read_baseline

    job = Job(
        paths=tuple(paths),
        out=out,
        formats=formats,
        transcript=transcript,
        lang=lang.value,
        preset=preset,
        baseline=read_baseline(baseline) if baseline else None,
        licence=licence.value,
        overrides=tuple(settings or ()),
        as_json=as_json,
        media=media,
        offline=offline,
    )
    try:
        code = run(job)
    except KeyboardInterrupt:
        print("hero: interrupted; every file that was written is whole", file=sys.stderr)
        code = INTERRUPTED
    raise typer.Exit(code)


@app.command(
    epilog="Example: `hero baseline anna/*.mp4 --out anna.json`, then `hero analyze new.mp4 --baseline anna.json`"
)
def baseline(
    paths: Annotated[
        list[Path],
        typer.Argument(parser=_named, metavar="CLIP", help="Other clips of one person, or folders of them."),
    ],
    out: Annotated[Path, typer.Option(help="The JSON file to write.")],
    settings: Annotated[list[str] | None, typer.Option("--set", help="part.key=value, e.g. face.fps=10.")] = None,
    offline: Annotated[bool, typer.Option(help="Do not fetch missing face models.")] = False,
) -> None:
    """Take a person's usual face and voice from their other clips, without labels; verdicts against it are better."""
    from hero.batch import Job, run_baseline

    job = Job(paths=tuple(paths), overrides=tuple(settings or ()), offline=offline)
    raise typer.Exit(run_baseline(job, out))


@app.command(epilog="Example: `hero schema > verdict.schema.json`")
def schema() -> None:
    """Print the JSON Schema of a verdict."""
    import json

    from hero.reason.verdict import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List weights: where they are, their licences, and whether commercial use is allowed."""
    if context.invoked_subcommand is None:
        from hero.batch import print_models

        print_models()


@models_app.command(epilog="Example: `hero models fetch`")
def fetch() -> None:
    """Fetch what the embedded preset needs (a few MB, hash-checked), once; nothing is fetched that is already there."""
    from hero.batch import fetch_models

    fetch_models(quiet=False)


@models_app.command(
    epilog="Example: `hero models pack usb/models`, then `HERO_MODELS=usb/models hero analyze clip.mp4`"
)
def pack(folder: Annotated[Path, typer.Argument(help="Where to put the copies.")]) -> None:
    """Copy all fetched weights into a folder for machines without network."""
    from hero.models import pack as pack_models

    for path in pack_models(folder):
        typer.echo(path)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"hero {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Evidence first: what is displayed, where, and how sure."""


def main() -> None:
    """Entry point: an error of this package is one line on stderr and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode gets escapes, never a crash
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except HeroError as error:
        print(f"hero: {error.line}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("hero: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
