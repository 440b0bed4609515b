"""The verdict and its evidence as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hero.phrases import Phrases, phrases
from hero.reason.verdict import label_name
from hero.report import told
from hero.report.answer import checked

_SPECIAL = re.compile(r"([\\`*_|~#])|(?<=\])(\()")


def plain(text: str) -> str:
    """A text on one line whose characters mean nothing to Markdown or HTML."""
    text = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda match: "\\" + match.group(), text)


def markdown(result: Mapping[str, Any], *, lang: str = "en") -> str:
    """Verdict, reasoning, what of it is supported, weights, evidence, conflicts, what is missing and the models.

    Raises:
        VerdictError: the result does not have the public shape.
        ConfigError: there are no phrases in this language.
    """
    rows, words = checked(result), phrases("report", lang)
    parts = [f"# {plain(rows['clip']['name'])}", *_verdict(rows, words, lang)]
    parts += [f"## {words.say('weights')}", _weights(rows, words)]
    parts += [f"## {words.say('evidence')}", _evidence(rows, words)]
    parts += [f"## {words.say('conflicts')}", _list(_conflicts(rows)) or words.say("no_conflicts")]
    parts += [f"## {words.say('missing')}", _list(_missing(rows, words)) or words.say("missing_none")]
    parts += [f"## {words.say('provenance')}", _list(_provenance(rows, words, lang))]
    parts += ["---", words.say("footer")]
    return "\n\n".join(parts) + "\n"


def _list(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _verdict(rows: Mapping[str, Any], words: Phrases, lang: str) -> list[str]:
    verdict = rows["verdict"]
    if verdict["abstained"]:
        head = [f"## {words.say('abstained')}", words.say("abstained_why", reason=plain(verdict["abstention_reason"]))]
    else:
        name = plain(label_name(verdict["final_emotion"], lang))
        head = [f"## {words.say('displayed')}: **{name}** ({words.say('as_displayed')})"]
        head.append(f"{words.say('confidence')}: {verdict['confidence']:.2f}")
    others = [f"{plain(label_name(k, lang))} {p:.2f}" for k, p in verdict["alternatives"].items()]
    head += (
        [f"{words.say('leanings' if verdict['abstained'] else 'alternatives')}: {', '.join(others)}"] if others else []
    )
    caption, reasoning = told.spoken(rows)
    head += [f"> {plain(caption)}"] if caption else []
    lines = [plain(line) for line in reasoning.splitlines() if line.strip()]
    head += [f"### {words.say('reasoning')}", *lines] if lines else []
    return [*head, *_support(rows, words)]


def _support(rows: Mapping[str, Any], words: Phrases) -> list[str]:
    """How many statements are supported, and those that are not, worded as on the page."""
    support = rows["support"] or {}
    given = {"supported": support.get("supported", 0), "claims": support.get("claims", 0)}
    parts = [words.say("support_line", **given)] if given["claims"] else []
    found = told.problems(rows, words)
    lines = [": ".join(plain(part) for part in (one.field, one.sentence, one.why) if part) for one in found]
    return [*parts, *([f"### {words.say('support_problems')}", _list(lines)] if lines else [])]


def _weights(rows: Mapping[str, Any], words: Phrases) -> str:
    return _list([f"{plain(words.table.get(name, name))}: {share:.2f}" for name, share in rows["weights"].items()])


def _evidence(rows: Mapping[str, Any], words: Phrases) -> str:
    keys = ("col_id", "col_time", "col_modality", "col_text", "col_measures", "col_confidence")
    lines = ["| " + " | ".join(words.say(key) for key in keys) + " |", "|---|---|---|---|---|---|"]
    for ev in rows["evidence"]:
        name = f"{ev['id']} ({words.say('inferred')})" if ev["inferred"] else ev["id"]
        measures = ", ".join(f"{plain(key)} {value:.3g}" for key, value in ev["measures"].items())
        time = f"{ev['span'][0]:.2f}–{ev['span'][1]:.2f} s"
        cells = (name, time, words.say(ev["modality"]), plain(ev["text"]), measures, f"{ev['confidence']:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) if rows["evidence"] else words.say("evidence_none")


def _conflicts(rows: Mapping[str, Any]) -> list[str]:
    return [f"{', '.join(c['between'])} ({c['score']:.2f}): {plain(c['text'])}" for c in rows["conflicts"]]


def _missing(rows: Mapping[str, Any], words: Phrases) -> list[str]:
    cure = words.say("cure")
    given = [absent["reason"] for absent in rows["absent"]]
    sources = [(words.table.get(name, name), why) for name, why in rows["missing"].items() if why not in given]
    return [f"**{plain(name)}**: {plain(why)}" for name, why in sources] + [
        f"**{plain(a['expert'])}**: {plain(a['reason'])}" + (f" ({cure}: {plain(a['cure'])})" if a["cure"] else "")
        for a in rows["absent"]
    ]


def _provenance(rows: Mapping[str, Any], words: Phrases, lang: str) -> list[str]:
    given = rows["provenance"]
    lines = [
        f"{plain(words.table.get(f'prov_{key}', key))}: {plain(value)}"
        for key, value in given.items()
        if not isinstance(value, (dict, list)) and value is not None
    ]
    lines += [f"{name}: {plain(value)}" for name, value in told.course(rows, words)]
    if shares := told.label_shares(rows, lang):
        lines.append(
            f"{words.say('label_shares')}: {', '.join(f'{plain(name)} {share:.3f}' for name, share in shares)}"
        )
    for model in given.get("models") or []:
        mark = "" if model.get("commercial", True) else f", **{words.say('non_commercial')}**"
        lines.append(f"{plain(model['name'])}: {plain(model['licence'])}{mark}, SHA-256 {plain(model['sha256'])}")
    lines += [plain(note) for note in told.notes(rows)]
    return [*lines, f"{words.say('clip_hash')}: {plain(rows['clip']['sha256'])}"]
