"""What the page and Markdown tell alike: statements without support, how the verdict was reached, and nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hero.phrases import LANGUAGES, Phrases, phrases
from hero.reason.verdict import label_name

FIELDS = {"emotion_caption": "caption", "evidence_summary": "summary", "reasoning_process": "reasoning"}


@dataclass(frozen=True)
class Problem:
    """A statement without support: the field it stands in, the statement, and why, all in words."""

    field: str
    sentence: str
    why: str


def problems(result: Mapping[str, Any], words: Phrases) -> list[Problem]:
    """The problems of the support check (`hero.ground.support.Flaw`); what is of another form stands as it is."""
    found = (result.get("support") or {}).get("problems")
    return [_problem(one, words) for one in found] if isinstance(found, list) else []


def _problem(given: Any, words: Phrases) -> Problem:
    if not isinstance(given, dict) or not isinstance(given.get("problem"), str):
        parts = given.values() if isinstance(given, dict) else given if isinstance(given, list) else [given]
        return Problem("", " · ".join(str(part) for part in parts if part), "")
    flaw = {name: str(given.get(name) or "") for name in ("field", "sentence", "problem", "id", "about")}
    key = f"problem_{flaw['problem'].replace(' ', '_')}" + (
        "_id" if flaw["problem"] == "unrelated" and flaw["id"] else ""
    )
    field = words.say(FIELDS[flaw["field"]]) if flaw["field"] in FIELDS else flaw["field"]
    why = words.say(key, id=flaw["id"], about=flaw["about"]) if key in words.table else flaw["problem"]
    return Problem(field, flaw["sentence"], why)


def spoken(result: Mapping[str, Any]) -> tuple[str, str]:
    """(caption, reasoning), each empty where it only repeats: an abstention may give its reason in all of its fields."""
    verdict = result["verdict"]
    caption, reasoning = verdict["emotion_caption"], verdict["reasoning_process"]
    if not verdict["abstained"]:
        return caption, reasoning
    reason = verdict["abstention_reason"]
    bare = {phrases("adjudicator", lang).say("abstained", reason=reason).strip() for lang in LANGUAGES} | {
        reason.strip()
    }
    kept = ("" if caption.strip() in bare else caption, "" if reasoning.strip() in bare else reasoning)
    return (kept[0], "") if caption.strip() == reasoning.strip() else kept


def course(result: Mapping[str, Any], words: Phrases) -> list[tuple[str, str]]:
    """(name, value) of how a language model reached the verdict; empty where none did, or an older version tells nothing."""
    told = _reasoning(result)
    rows = []
    if isinstance(model := told.get("model"), str) and model:
        rows.append((words.say("prov_language_model"), model))
    if isinstance(decode := told.get("decode"), str) and decode:
        rows.append((words.say("prov_decode"), str(words.table.get(f"decode_{decode}", decode))))
    soft = told.get("soft_tokens")
    if isinstance(soft, int) and not isinstance(soft, bool):
        rows.append((words.say("prov_soft_tokens"), str(soft) if soft else words.say("soft_tokens_none")))
    return rows


def label_shares(result: Mapping[str, Any], lang: str) -> list[tuple[str, float]]:
    """(label, probability) as a language model scored them, most likely first."""
    given = _reasoning(result).get("probabilities")
    shares = given.items() if isinstance(given, dict) else ()
    kept = [(str(label), float(p)) for label, p in shares if isinstance(p, int | float) and 0 <= p <= 1]
    return [(label_name(label, lang), p) for label, p in sorted(kept, key=lambda row: -row[1])]


def notes(result: Mapping[str, Any]) -> list[str]:
    """The notes of the provenance and of its parts, each once."""
    told = result["provenance"]
    parts = [told, *(told[name] for name in ("integration", "reasoning") if isinstance(told.get(name), dict))]
    lists = [part.get("notes") for part in parts]
    return list(dict.fromkeys(str(note) for found in lists if isinstance(found, list) for note in found))


def _reasoning(result: Mapping[str, Any]) -> Mapping[str, Any]:
    told = result["provenance"].get("reasoning")
    return told if isinstance(told, dict) else {}
