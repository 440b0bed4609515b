"""The timeline as an ELAN annotation file (EAF 3.0, https://www.mpi.nl/tools/elan/EAFv3.0.xsd)."""

from __future__ import annotations

import mimetypes
import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hero.phrases import Phrases, phrases
from hero.reason.verdict import label_name
from hero.report.answer import checked, printable
from hero.report.lanes import conflict_span
from hero.report.packing import pack
from hero.types import MODALITIES, LabelledSpan

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_MIME = {
    ".mp4": "video/mp4",
    ".mpg": "video/mpeg",
    ".mov": "video/quicktime",
    ".wav": "audio/x-wav",
    ".mkv": "video/x-matroska",
}
TYPE = "observation"

Note = tuple[float, float, str]


def elan(
    result: Mapping[str, Any], spans: Mapping[str, Sequence[LabelledSpan]], *, media: Path | None = None,
    lang: str = "en", beside: Path | None = None, date: datetime | None = None,
) -> str:  # fmt: skip
    """Tiers for the verdict, the words, the evidence of each modality and the conflicts, as EAF 3.0.

    Annotations of an ELAN tier may not overlap, so overlapping ones spread over tiers named `... 2`, `... 3`. `media`
    is linked by its address and, from the folder `beside`, by its relative one; without it only the name is kept.
    `date` is the date written into the file, now when None.

    Raises:
        VerdictError: the result does not have the public shape.
        ConfigError: there are no phrases in this language.
    """
    rows, words = checked(result), phrases("report", lang)
    ET.register_namespace("xsi", _XSI)
    root = ET.Element("ANNOTATION_DOCUMENT", {
        "AUTHOR": "HERO", "DATE": (date or datetime.now(UTC)).isoformat(timespec="seconds"), "FORMAT": "3.0",
        "VERSION": "3.0", f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA,
    })  # fmt: skip
    _header(root, rows["clip"]["name"], media, beside)
    tiers = _spread(_tiers(rows, spans, words, lang))
    _body(root, tiers)
    ET.SubElement(
        root, "LINGUISTIC_TYPE", {"LINGUISTIC_TYPE_ID": TYPE, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    )
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _header(root: ET.Element, name: str, media: Path | None, beside: Path | None) -> None:
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    suffix = Path(name).suffix.lower()
    mime = _MIME.get(suffix) or mimetypes.guess_type(f"clip{suffix}")[0] or "application/octet-stream"
    relative = quote(name)
    address = relative
    if media is not None:
        address = media.resolve().as_uri()
        relative = os.path.relpath(media.resolve(), (beside or media.parent).resolve()).replace(os.sep, "/")
        relative = quote(os.fsencode(relative))  # a file name may hold bytes that are no text
    relative = relative if relative.startswith(".") else f"./{relative}"
    link = {"MEDIA_URL": address, "MIME_TYPE": mime, "RELATIVE_MEDIA_URL": relative}
    ET.SubElement(header, "MEDIA_DESCRIPTOR", link)


def _tiers(
    rows: Mapping[str, Any], spans: Mapping[str, Sequence[LabelledSpan]], words: Phrases, lang: str
) -> list[tuple[str, list[Note]]]:
    """(tier, notes) in reading order, empty tiers left out; notes of a tier may still overlap."""
    tiers: list[tuple[str, list[Note]]] = [(words.say("eaf_verdict"), [_verdict(rows, words, lang)])]
    said = spans.get("words.words", ())
    tiers.append((words.say("eaf_words"), [(w.span.start_s, w.span.end_s, w.label) for w in said]))
    for inferred in (False, True):
        for modality in MODALITIES:
            found = [ev for ev in rows["evidence"] if ev["modality"] == modality and ev["inferred"] == inferred]
            name = words.say("eaf_inferred" if inferred else "eaf_evidence", modality=words.say(modality))
            tiers.append((name, [(*ev["span"], f"{ev['id']}: {ev['text']}") for ev in found]))
    placed = [(c, conflict_span(c, rows["evidence"])) for c in rows["conflicts"]]
    clashes = [(*span, f"{' / '.join(c['between'])}: {c['text']}") for c, span in placed if span is not None]
    tiers.append((words.say("eaf_conflicts"), clashes))
    return [tier for tier in tiers if tier[1]]


def _verdict(rows: Mapping[str, Any], words: Phrases, lang: str) -> Note:
    verdict = rows["verdict"]
    if verdict["abstained"]:
        text = words.say("abstained_why", reason=verdict["abstention_reason"])
    else:
        name = label_name(verdict["final_emotion"], lang)
        text = f"{name} ({words.say('as_displayed')}, {verdict['confidence']:.2f}): {verdict['emotion_caption']}"
    return 0.0, max(float(rows["clip"]["duration_s"]), 0.001), text


def _spread(tiers: list[tuple[str, list[Note]]]) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Tiers in whole milliseconds without overlaps; a note lasts at least 1 ms."""
    result = []
    for name, notes in tiers:
        whole = [(round(a * 1000), max(round(b * 1000), round(a * 1000) + 1), text) for a, b, text in notes]
        levels = pack([(a, b) for a, b, _ in whole])
        for level in range(max(levels) + 1):
            kept = sorted(note for note, at in zip(whole, levels, strict=True) if at == level)
            result.append((name if level == 0 else f"{name} {level + 1}", kept))
    return result


def _body(root: ET.Element, tiers: list[tuple[str, list[tuple[int, int, str]]]]) -> None:
    """Time slots sorted by time, one for each distinct moment, then the tiers that refer to them."""
    moments = sorted({moment for _, notes in tiers for note in notes for moment in note[:2]})
    slots = {moment: f"ts{number}" for number, moment in enumerate(moments, start=1)}
    order = ET.SubElement(root, "TIME_ORDER")
    for moment, slot in slots.items():
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(moment)})
    number = 0
    for name, notes in tiers:
        tier = ET.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": TYPE, "TIER_ID": name})
        for start, end, text in notes:
            number += 1
            holder = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", {
                "ANNOTATION_ID": f"a{number}", "TIME_SLOT_REF1": slots[start], "TIME_SLOT_REF2": slots[end],
            })  # fmt: skip
            ET.SubElement(holder, "ANNOTATION_VALUE").text = printable(text)
