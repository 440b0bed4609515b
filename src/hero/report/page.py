"""One self-contained HTML page per clip: the verdict, the player, the timeline, the evidence, the provenance.

Everything is inside the file (style, script, preview of the clip); its content security policy forbids connections.
All text of the clip and of the models passes through jinja2's autoescape, and no data is written into the script.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero.phrases import Phrases, phrases
from hero.reason.verdict import label_name
from hero.report import told
from hero.report.answer import checked, printable
from hero.report.citations import cited_ids, paragraphs
from hero.report.lanes import build_lanes, clock, heat_lanes
from hero.report.preview import Preview, make_preview
from hero.types import MODALITIES, LabelledSpan, Track

if TYPE_CHECKING:
    from jinja2 import Template


def render_page(
    result: Mapping[str, Any],
    tracks: Mapping[str, Track],
    spans: Mapping[str, Sequence[LabelledSpan]],
    *,
    media: Path | None,
    lang: str,
    with_media: bool = True,
    beside: Path | None = None,
) -> str:
    """The report of one clip as HTML.

    `result` is the JSON of `hero analyze --json`, `tracks` are by `expert.track`, `spans` by `expert.kind`. `media` is
    the clip (file or folder of frames), None when it is not at hand. `with_media` False leaves out picture and sound.
    `beside` is the folder the page will be saved in; a clip too long to embed is linked relative to it, when given.

    Raises:
        VerdictError: the result does not have the public shape.
        ConfigError: there are no phrases in this language.
    """
    words = phrases("report", lang)
    result = checked(result)
    duration_s = _duration_s(result, tracks)
    preview = make_preview(media, duration_s=duration_s, beside=beside) if with_media else Preview("none", "left_out")
    measured, found = build_lanes(result, tracks, _clean_spans(spans), duration_s=duration_s, words=words)
    heat = heat_lanes(result, duration_s=duration_s, words=words)
    css, script = _asset("page.css"), _asset("page.js")
    return _template().render(
        r=result, t=words.table, say=words.say, lang=lang, css=css, script=script, csp=_policy(css, script, preview),
        duration_s=duration_s, preview=preview, media_note=_media_note(preview, result, words), clock=clock,
        measured=measured, found=found, heat=heat, ticks=_ticks(duration_s),
        evidence={ev["id"]: ev for ev in result["evidence"]},
        outcomes=_outcomes(result, lang), weights=_weights(result), paragraphs=paragraphs, number=_number,
        cited=set(cited_ids(result["verdict"]["emotion_caption"] + result["verdict"]["reasoning_process"])),
        facts=_facts(result, words), provenance=_provenance(result, words), problems=told.problems(result, words),
        spoken=told.spoken(result), shares=told.label_shares(result, lang), notes=told.notes(result),
    )  # fmt: skip


@cache
def _asset(name: str) -> str:
    return files("hero.report").joinpath(name).read_text("utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    return environment.from_string(_asset("page.html.j2"))


def _policy(css: str, script: str, preview: Preview) -> str:
    """Content security policy: this style, this script, embedded media, nothing else."""
    media = "data: blob:" + (" 'self' file:" if preview.reason == "linked" else "")
    return (
        f"default-src 'none'; img-src data:; media-src {media}; style-src '{_hash(css)}'; "
        f"style-src-attr 'unsafe-inline'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _clean_spans(spans: Mapping[str, Sequence[LabelledSpan]]) -> dict[str, list[LabelledSpan]]:
    return {
        key: [LabelledSpan(s.span, printable(s.label), s.confidence) for s in labelled]
        for key, labelled in spans.items()
    }


def _duration_s(result: Mapping[str, Any], tracks: Mapping[str, Track]) -> float:
    """The clip's length; where it is unknown, as far as evidence and tracks reach; never zero."""
    ends = [float(ev["span"][1]) for ev in result["evidence"]]
    ends += [float(track.times_s[-1]) for track in tracks.values() if track.times_s.size]
    return max(float(result["clip"]["duration_s"]) or max([0.0, *ends]), 0.01)


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _ticks(duration_s: float) -> list[tuple[float, str]]:
    """(percent, label) of the ruler's marks, about eight of them."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    step = next((s for s in steps if duration_s / s <= 9), duration_s / 8)
    marks = [i * step for i in range(int(duration_s / step + 1e-6) + 1)]
    return [(round(100 * m / duration_s, 3), _mark(m, step)) for m in marks]


def _mark(seconds: float, step: float) -> str:
    if seconds >= 60 or step >= 15:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    return f"{seconds:.1f}".removesuffix(".0")


def _outcomes(result: Mapping[str, Any], lang: str) -> list[tuple[str, float, bool]]:
    """(name, probability, is the verdict) of the verdict and its alternatives, most likely first."""
    verdict = result["verdict"]
    shares = dict(verdict["alternatives"])
    if verdict["final_emotion"]:
        shares[verdict["final_emotion"]] = verdict["confidence"]
    ordered = sorted(shares.items(), key=lambda item: (item[0] != verdict["final_emotion"], -item[1]))
    return [(label_name(k, lang), p, k == verdict["final_emotion"]) for k, p in ordered]


def _weights(result: Mapping[str, Any]) -> list[tuple[str, float]]:
    given = result["weights"]
    order = [m for m in MODALITIES if m in given] + [m for m in given if m not in MODALITIES]
    return sorted(((m, float(given[m])) for m in order), key=lambda item: -item[1])


def _facts(result: Mapping[str, Any], words: Phrases) -> list[str]:
    """Length, picture and sound in a few words."""
    clip = result["clip"]
    video, audio = clip.get("video"), clip.get("audio")
    facts = [clock(clip["duration_s"])]
    if video:
        fps = f"{video.get('fps') or 0:.2f}".rstrip("0").rstrip(".")
        facts.append(words.say("clip_video", width=video.get("width", "?"), height=video.get("height", "?"), fps=fps))
    else:
        facts.append(words.say("clip_no_video"))
    rate = f"{(audio.get('rate_hz') or 0) / 1000:.3g}" if audio else ""
    return [*facts, words.say("clip_sound", rate_khz=rate) if audio else words.say("clip_no_sound")]


def _media_note(preview: Preview, result: Mapping[str, Any], words: Phrases) -> str:
    name = result["clip"]["name"]
    return words.say(f"media_{preview.reason}", width=preview.width, height=preview.height, name=name)


def _provenance(result: Mapping[str, Any], words: Phrases) -> list[tuple[str, str]]:
    """(name, value) rows for everything in the provenance but models and notes, which the page sets apart."""
    rows = []
    for key, value in result["provenance"].items():
        if key not in ("models", "notes") and not isinstance(value, (dict, list)) and value is not None:
            label = words.table.get(f"prov_{key}", key.replace("_", " "))
            rows.append((str(label), f"{value:.1f} s" if key == "seconds" else str(value)))
    rows += told.course(result, words)
    if result["clip"].get("sha256"):
        rows.append((words.say("clip_hash"), result["clip"]["sha256"]))
    return rows
