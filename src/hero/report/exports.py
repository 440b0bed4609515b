"""One analysis in other tools' formats: JSON, HTML, Markdown, OpenFace-like CSV, subtitles, ELAN.

Every maker takes the same three things: the public JSON of an analysis, its tracks by `expert.track` and its spans by
`expert.kind`. `export` is the one door for callers that get the format from a user. A language of None means the
verdict's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hero.errors import ConfigError
from hero.report.answer import checked
from hero.report.au_table import au_table
from hero.report.eaf import elan
from hero.report.markdown import markdown
from hero.report.page import render_page
from hero.report.subtitles import subtitles
from hero.types import LabelledSpan, Track

FORMATS = ("html", "json", "md", "csv", "srt", "eaf")

Tracks = Mapping[str, Track]
Spans = Mapping[str, Sequence[LabelledSpan]]


def export(
    form: str, result: Mapping[str, Any], tracks: Tracks, spans: Spans, *, media: Path | None = None,
    lang: str | None = None, with_media: bool = True, beside: Path | None = None,
) -> str:  # fmt: skip
    """The analysis in one of `FORMATS`, as text to be written in UTF-8.

    `media` is the clip and `beside` the folder the file will lie in: HTML and ELAN link the clip through them.
    `with_media` False keeps picture and sound out of HTML.

    Raises:
        ConfigError: there is no such format, or no phrases in this language.
        VerdictError: the result does not have the public shape.
    """
    if form not in FORMATS:
        known = ", ".join(FORMATS)
        raise ConfigError(f"no report format is called '{form}'; known: {known}; use --format with one of them")
    if form == "html":
        lang = lang or str(checked(result)["verdict"]["lang"])
        return render_page(result, tracks, spans, media=media, lang=lang, with_media=with_media, beside=beside)
    if form == "eaf":
        return to_eaf(result, tracks, spans, media=media, lang=lang, beside=beside)
    if form == "md":
        return to_md(result, tracks, spans, lang=lang)
    return {"json": to_json, "csv": to_csv, "srt": to_srt}[form](result, tracks, spans)


def to_json(result: Mapping[str, Any], tracks: Tracks, spans: Spans) -> str:
    """The public JSON, checked against its shape, indented, without NaN; tracks and spans are not part of it.

    Raises:
        VerdictError: the result does not have the public shape.
    """
    return json.dumps(checked(result), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def to_csv(result: Mapping[str, Any], tracks: Tracks, spans: Spans) -> str:
    """The face tracks as an OpenFace table (see `hero.report.au_table`)."""
    return au_table(tracks)


def to_srt(result: Mapping[str, Any], tracks: Tracks, spans: Spans) -> str:
    """Words and evidence as SubRip subtitles.

    Raises:
        VerdictError: the result does not have the public shape.
    """
    return subtitles(result, spans)


def to_md(result: Mapping[str, Any], tracks: Tracks, spans: Spans, *, lang: str | None = None) -> str:
    """Verdict and evidence as Markdown.

    Raises:
        VerdictError: the result does not have the public shape.
        ConfigError: there are no phrases in this language.
    """
    return markdown(result, lang=lang or str(checked(result)["verdict"]["lang"]))


def to_eaf(
    result: Mapping[str, Any], tracks: Tracks, spans: Spans, *, media: Path | None = None, lang: str | None = None,
    beside: Path | None = None,
) -> str:  # fmt: skip
    """Verdict, words, evidence and conflicts as ELAN tiers.

    Raises:
        VerdictError: the result does not have the public shape.
        ConfigError: there are no phrases in this language.
    """
    return elan(result, spans, media=media, lang=lang or str(checked(result)["verdict"]["lang"]), beside=beside)
