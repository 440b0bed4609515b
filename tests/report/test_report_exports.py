"""Each export read back with the tools of its own format."""

from __future__ import annotations

import csv
import json
import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sample

from hero.errors import ConfigError, VerdictError
from hero.phrases import LANGUAGES, phrases
from hero.report.au_table import AU_INTENSITY, AU_PRESENCE, COLUMNS, au_table
from hero.report.eaf import elan
from hero.report.exports import FORMATS, export, to_json
from hero.report.markdown import markdown
from hero.report.subtitles import subtitles
from hero.types import LabelledSpan, Span, Track

# ---------------------------------------------------------------- all formats


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("made", [sample.sample(), sample.sample(hostile=True), sample.sample(abstained=True)],
                         ids=["plain", "hostile", "abstained"])  # fmt: skip
def test_every_format_takes_every_answer(form: str, made: sample.Sample) -> None:
    for lang in LANGUAGES:
        assert export(form, made.result, made.tracks, made.spans, lang=lang).strip()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_takes_a_bare_answer(form: str) -> None:
    made = sample.result(abstained=True)
    verdict = {**made["verdict"], "evidence_summary": []}
    bare = {"clip": {"name": "a.wav", "duration_s": 0.0}, "evidence": [], "verdict": verdict}
    assert export(form, bare, {}, {}) is not None


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="html, json, md, csv, srt, eaf"):
        export("pdf", sample.result(), {}, {})


def test_both_languages_say_the_same_things() -> None:
    english, chinese = (phrases("report", lang).table for lang in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", chinese[key])), key


# ---------------------------------------------------------------- JSON


def test_json_reads_back() -> None:
    read = json.loads(to_json(sample.result(), {}, {}))
    assert read["verdict"]["final_emotion"] == "sad"
    assert [ev["id"] for ev in read["evidence"]] == [ev["id"] for ev in sample.result()["evidence"]]
    assert read["evidence"][0]["cue"] == "people", "fields beyond the checked ones survive"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["verdict"].update(final_emotion="gloomy"), "final_emotion"),
        (lambda r: r["evidence"][0].update(confidence=float("nan")), "confidence"),
        (lambda r: r["evidence"][1].update(id=r["evidence"][0]["id"]), "used twice"),
        (lambda r: r["evidence"][0].update(span=[2.0, 1.0]), "start <= end"),
        (lambda r: r.pop("clip"), "clip"),
    ],
)
def test_broken_answer_is_refused(change: object, message: str) -> None:
    result = sample.result()
    change(result)  # type: ignore[operator]
    with pytest.raises(VerdictError, match=message):
        to_json(result, {}, {})


# ---------------------------------------------------------------- CSV


def _table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_csv_columns_stand_in_openface_order(hero_data: Path) -> None:
    with (hero_data / "openface" / "OpenFace_Test.csv").open() as file:
        theirs = [name.strip() for name in next(csv.reader(file))]
    later = ("face_id", "gaze_angle_x", "gaze_angle_y")  # columns of later OpenFace 2 releases, absent from this table
    assert [c for c in theirs if c in COLUMNS] == [c for c in COLUMNS if c not in later]


def test_csv_values_read_back() -> None:
    rows = _table(au_table(sample.tracks()))
    track = sample.au_track()
    assert len(rows) == len(track.times_s)
    assert [int(row["frame"]) for row in rows] == list(range(1, len(rows) + 1))
    read = np.array([float(row["AU04_r"]) for row in rows])
    values, mask = track.column("AU04_r")
    np.testing.assert_allclose(read[mask], values[mask], atol=1e-4)
    assert np.isnan(read[~mask]).all() and (~mask).any()
    assert all(row["success"] == str(int(m)) for row, m in zip(rows, mask, strict=True))
    assert all(row["AU23_r"] == "NaN" for row in rows), "what was never measured is not 0"
    assert {row["AU12_c"] for row, m in zip(rows, mask, strict=True) if m} == {"0", "1"}
    down = -math.radians(10 * math.sin(track.times_s[10]))
    assert float(rows[10]["pose_Rx"]) == pytest.approx(down, abs=1e-3)


def test_csv_has_seventeen_intensities_and_eighteen_presences() -> None:
    assert len(AU_INTENSITY) == 17 and len(AU_PRESENCE) == 18
    assert "AU28_c" in AU_PRESENCE and "AU28_r" not in AU_INTENSITY


def test_csv_of_two_faces_shares_the_frame_numbers() -> None:
    second = sample.au_track(duration_s=1.0)
    rows = _table(au_table({"face.au": sample.au_track(duration_s=1.0), "face.au_person1": second}))
    assert len({(row["frame"], row["timestamp"]) for row in rows}) == len(second.times_s)
    assert sum(row["face_id"] == "0" for row in rows) == len(second.times_s)
    assert sum(row["face_id"] == "1" for row in rows) == second.valid.sum() < len(second.times_s)


def test_csv_without_faces_is_a_header() -> None:
    assert au_table({}) == ",".join(COLUMNS) + "\n"


def test_csv_turns_our_angles_into_openface_angles() -> None:
    """OpenFace's signs were read off its own table: pitch grows downwards, yaw towards the image's left."""
    times = np.array([0.0, 0.04])
    au = Track("au", np.ones((2, 1)), times, np.ones(2, bool), ("AU01_r",))
    seen = np.array([True, False])
    pose = Track("pose", np.full((2, 3), 90.0), times, seen, ("pitch_deg", "yaw_deg", "roll_deg"))
    gaze = Track("gaze", np.full((2, 2), 18.0), times, seen, ("x_deg", "y_deg"))
    rows = _table(au_table({"face.au": au, "face.pose": pose, "face.gaze": gaze}))
    angles = [float(rows[0][name]) for name in ("pose_Rx", "pose_Ry", "pose_Rz", "gaze_angle_x", "gaze_angle_y")]
    assert angles == pytest.approx([-math.pi / 2, -math.pi / 2, math.pi / 2, math.pi / 10, -math.pi / 10], abs=1e-4)
    assert math.isnan(float(rows[1]["pose_Rx"])) and rows[1]["success"] == "1"


def test_openface_signs_are_those_of_its_table(hero_data: Path) -> None:
    with (hero_data / "openface" / "OpenFace_Test.csv").open() as file:
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    table = np.array(rows, float)

    def point(number: int) -> np.ndarray:
        return np.stack([table[:, header.index(f"{axis}_{number}")] for axis in "XYZ"], axis=1)  # (T, 3)

    nose = point(30) - (point(0) + point(16)) / 2  # forwards; x to the image's right, y down
    assert np.corrcoef(table[:, header.index("pose_Rx")], nose[:, 1])[0, 1] > 0.9
    assert np.corrcoef(table[:, header.index("pose_Ry")], nose[:, 0])[0, 1] < -0.9


# ---------------------------------------------------------------- SRT


def _cues(text: str) -> list[tuple[float, float, str]]:
    """A small SubRip reader, strict about numbers, times and blank lines."""
    result = []
    for number, block in enumerate(text.strip().split("\n\n"), start=1):
        head, times, *lines = block.split("\n")
        assert int(head) == number and len(lines) == 1
        match = re.fullmatch(r"(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})", times)
        assert match, times
        h1, m1, s1, f1, h2, m2, s2, f2 = map(int, match.groups())
        result.append((h1 * 3600 + m1 * 60 + s1 + f1 / 1000, h2 * 3600 + m2 * 60 + s2 + f2 / 1000, lines[0]))
    return result


def test_srt_reads_back() -> None:
    made = sample.sample()
    cues = _cues(subtitles(made.result, made.spans))
    assert (0.4, 2.5, "Kids are talking by the door") in cues
    assert (1.2, 1.9, "[VE-02] Brows drawn together and lowered, held for 0.7 s.") in cues
    assert [c[0] for c in cues] == sorted(c[0] for c in cues)
    assert sum("[ITE-01?]" in text for _, _, text in cues) == 1, "inferred evidence carries a question mark"


def test_srt_words_only() -> None:
    made = sample.sample()
    assert [c[2] for c in _cues(subtitles(made.result, made.spans, evidence=False))] == ["Kids are talking by the door"]


def test_srt_splits_at_pauses_and_joins_chinese_without_blanks() -> None:
    said = ((0, "你"), (0.3, "好"), (2.0, "OK"), (2.3, "吗"), (2.5, "？"))
    words = [LabelledSpan(Span(start, start + 0.3), text) for start, text in said]
    cues = _cues(subtitles(sample.result(), {"words.words": words}, evidence=False))
    assert [c[2] for c in cues] == ["你好", "OK 吗？"]


def test_srt_cannot_be_broken_by_its_texts() -> None:
    result = sample.result()
    result["evidence"][0]["text"] = "a\n\n99\n00:00:00,000 --> 00:00:09,000\n<b>{\\an8}x"
    texts = [c[2] for c in _cues(subtitles(result, {}))]
    assert len(texts) == len(result["evidence"])
    assert not any(letter in "".join(texts) for letter in "<>{}")


# ---------------------------------------------------------------- ELAN


def _tiers(text: str) -> dict[str, list[tuple[int, int, str]]]:
    """An EAF reader that checks ids, order of time slots, references and overlaps as ELAN does."""
    root = ET.fromstring(text)
    assert root.tag == "ANNOTATION_DOCUMENT" and root.get("FORMAT") == "3.0"
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE") or -1) for s in root.iter("TIME_SLOT")}
    assert len(slots) == len(list(root.iter("TIME_SLOT"))) and list(slots.values()) == sorted(slots.values())
    types = {t.get("LINGUISTIC_TYPE_ID") for t in root.iter("LINGUISTIC_TYPE")}
    ids: list[str | None] = []
    tiers: dict[str, list[tuple[int, int, str]]] = {}
    for tier in root.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in types
        notes = []
        for note in tier.iter("ALIGNABLE_ANNOTATION"):
            ids.append(note.get("ANNOTATION_ID"))
            start, end = slots[note.get("TIME_SLOT_REF1")], slots[note.get("TIME_SLOT_REF2")]
            assert start < end
            notes.append((start, end, note.findtext("ANNOTATION_VALUE") or ""))
        assert all(a[1] <= b[0] for a, b in pairwise(notes)), "annotations of a tier overlap"
        name = tier.get("TIER_ID") or ""
        assert name not in tiers, "tier ids are unique"
        tiers[name] = notes
    assert len(set(ids)) == len(ids)
    return tiers


def test_eaf_reads_back() -> None:
    made = sample.sample()
    tiers = _tiers(elan(made.result, made.spans))
    assert [note[2] for note in tiers["words"]] == ["Kids", "are", "talking", "by", "the", "door"]
    assert (1200, 1900, "VE-02: Brows drawn together and lowered, held for 0.7 s.") in tiers["evidence Face"]
    assert tiers["inferred Words"][0][2].startswith("ITE-01") and "evidence Words" not in tiers
    assert tiers["conflicts"][0][:2] == (2500, 3000)
    assert tiers["verdict"][0][0:2] == (0, 4000) and "sad" in tiers["verdict"][0][2]


def test_eaf_spreads_overlapping_evidence() -> None:
    result = sample.result()
    for ev in result["evidence"]:
        ev["modality"] = "face"
    tiers = _tiers(elan(result, {}))
    assert "evidence Face 2" in tiers
    shown = sum(len(notes) for name, notes in tiers.items() if "Face" in name)
    assert shown == len(result["evidence"])


def test_eaf_keeps_hostile_text_as_text() -> None:
    made = sample.sample(hostile=True)
    made.result["evidence"][0]["text"] = "bell \x07 <a> & \ud800"
    tiers = _tiers(elan(made.result, made.spans))
    assert sample.HOSTILE in [note[2] for note in tiers["words"]]
    assert tiers["evidence Scene"][0][2] == "VE-01: bell \ufffd <a> & \ufffd"


def test_eaf_links_its_media(tmp_path: Path) -> None:
    media = tmp_path / "clips" / "a b.mp4"
    media.parent.mkdir()
    media.touch()
    root = ET.fromstring(elan(sample.result(), {}, media=media, beside=tmp_path))
    link = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert link is not None
    assert link.get("RELATIVE_MEDIA_URL") == "./clips/a%20b.mp4" and link.get("MIME_TYPE") == "video/mp4"
    assert link.get("MEDIA_URL") == media.resolve().as_uri()


# ---------------------------------------------------------------- Markdown


def test_md_table_reads_back() -> None:
    text = markdown(sample.result())
    lines = [line for line in text.splitlines() if re.match(r"\| I?[VATS]E-", line)]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert len(rows) == len(sample.result()["evidence"]) and {len(row) for row in rows} == {6}
    assert rows[1][0] == "ITE-01 (inferred)"
    assert "Displayed emotion: **sad**" in text and "non-commercial" in text and "hero models fetch" in text


def test_md_abstention_says_why() -> None:
    text = markdown(sample.result(abstained=True))
    assert "## No verdict" in text and "the evidence is too weak" in text and "Displayed emotion" not in text


def test_md_keeps_hostile_text_as_text() -> None:
    result = sample.result(hostile=True)
    result["evidence"][0]["text"] = "a | b `c` [x](javascript:alert(1)) **d**\n# e"
    text = markdown(result)
    assert "<" not in text.replace("&lt;", "")
    row = next(line for line in text.splitlines() if line.startswith("| VE-01"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert "](javascript" not in row and "\\`c\\`" in row
