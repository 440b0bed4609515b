"""The action unit expert: every source through the expert protocol, its absences, its evidence."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from au_tables import PYFEAT_UNITS, MadeClip, openface_rows, pyfeat_rows, write

from hero import models
from hero.errors import ConfigError, UsageError
from hero.media.clip import Clip
from hero.observe.au import feature_extraction, pyfeat
from hero.observe.au.expert import AUExpert
from hero.observe.au.schema import AU_C, AU_R, COLUMNS
from hero.observe.expert import Context
from hero.observe.face import FaceExpert
from hero.report.au_table import au_table
from hero.types import Absence, Evidence, LabelledSpan, Observation, Span, Track


def look(clip: MadeClip, earlier: dict[str, Observation] | None = None, **given: Any) -> Observation:
    """What the expert says of a clip; `lang` and `licence` go to the context, the rest are settings."""
    context = {key: given.pop(key) for key in ("lang", "licence") if key in given}
    expert = AUExpert()
    absence = expert.start(Context(clip, settings=given, **context))  # type: ignore[arg-type]
    return Observation("au", "face", absent=absence) if absence else expert.finish(earlier or {})


@pytest.fixture
def clip(tmp_path: Path) -> MadeClip:
    return MadeClip(tmp_path / "film.01.mp4")


def face(**more: Any) -> Observation:
    values = np.zeros((4, 35))
    values[:, COLUMNS.index("AU12_r")] = 2
    au = Track("au", values, np.arange(4) / 20, values > 0, COLUMNS, "FACS level 0..5, then 0/1")
    pose = Track("pose", np.zeros((4, 1)), np.arange(4) / 20, np.ones(4), ("yaw_deg",))
    return Observation("face", "face", {"au": au, "au_person1": au, "pose": pose}, **more)


def test_mediapipe_takes_what_the_face_expert_measured(clip: MadeClip) -> None:
    seen = look(clip, {"face": face()})
    assert set(seen.tracks) == {"units", "units_person1"} and seen.tracks["units"].columns == COLUMNS
    np.testing.assert_array_equal(seen.tracks["units"].values, face().tracks["au"].values)
    assert not seen.evidence and seen.absent is None


def test_mediapipe_without_a_face_is_absent_with_the_faces_reason(clip: MadeClip) -> None:
    seen = look(clip, {"face": Observation("face", "face", absent=Absence("face", "no face was found", "show one"))})
    assert seen.absent == Absence("au", "no face was found", "show one")
    alone = look(clip).absent
    assert alone is not None and "put face before au" in alone.cure


def test_openface_table_by_the_clips_name(clip: MadeClip, tmp_path: Path) -> None:
    path = write(tmp_path / "film.01.csv", openface_rows(50))
    seen = look(clip, source="openface", table=str(tmp_path))
    units = seen.tracks["units"]
    assert units.values.shape == (50, 35) and units.mask.all() and units.times_s[-1] == pytest.approx(1.96)
    assert {"quality", "pose"} <= set(seen.tracks) and "gaze" not in seen.tracks
    assert seen.tracks["pose"].column("yaw_deg")[0][0] == pytest.approx(11.459, abs=1e-3)
    (smile,) = seen.evidence
    assert smile.cue == "smile_with_cheeks" and smile.modality == "face" and smile.expert == "au@1"
    assert (smile.span.start_s, smile.span.end_s) == pytest.approx((0.4, 1.6))
    assert "AU12 2.5" in smile.text and smile.measures["AU06"] == pytest.approx(1.5) and 0 < smile.confidence < 1
    assert seen.models[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and not seen.models[0].commercial


def test_the_tables_hash_is_the_experts_identity(clip: MadeClip, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", openface_rows(50))
    identities = set()
    for rows in (openface_rows(50), openface_rows(50, AU04_r=1)):
        expert = AUExpert()
        settings = {"source": "openface", "table": str(write(path, rows))}
        assert expert.start(Context(clip, settings=settings)) is None  # type: ignore[arg-type]
        assert hashlib.sha256(path.read_bytes()).hexdigest() in expert.identity
        identities.add(expert.identity)
    assert len(identities) == 2


def test_chinese_evidence_and_other_faces(clip: MadeClip, tmp_path: Path) -> None:
    second = [row | {"face_id": 1, "pose_Tz": 900} for row in openface_rows(50, smile=(0, 0))]
    for row in second[20:30]:
        row |= {"AU23_r": 2.0, "AU23_c": 1}
    path = write(tmp_path / "a.csv", [*openface_rows(50), *second])
    seen = look(clip, source="openface", table=str(path), lang="zh")
    assert {"units", "units_person1", "pose_person1"} <= set(seen.tracks)
    main, other = sorted(seen.evidence, key=lambda ev: ev.person)
    assert "嘴角明显上扬" in main.text
    assert (other.cue, other.person) == ("AU23", 1) and other.text.startswith("第2张脸：嘴唇明显收紧")


def test_speech_explains_parted_lips(clip: MadeClip, tmp_path: Path) -> None:
    rows = openface_rows(50, smile=(0, 0))
    for row in rows[10:30]:
        row |= {"AU25_r": 2.0, "AU25_c": 1}
    path = str(write(tmp_path / "a.csv", rows))
    assert [ev.cue for ev in look(clip, source="openface", table=path).evidence] == ["AU25"]
    voice = Observation("voice", "voice", spans={"speech": (LabelledSpan(Span(0.0, 2.0), "speech"),)})
    assert not look(clip, {"voice": voice}, source="openface", table=path).evidence


def test_a_presence_without_intensity_is_not_told(clip: MadeClip, tmp_path: Path) -> None:
    rows = [row | {"AU05_c": 1, "AU05_r": 0.3} for row in openface_rows(50, smile=(0, 0))]
    assert not look(clip, source="openface", table=str(write(tmp_path / "a.csv", rows))).evidence


def test_what_the_face_expert_has_told_is_not_told_twice(clip: MadeClip, tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.csv", openface_rows(50)))
    told = Evidence("face", "face@1", "smile_with_cheeks", "A smile.", "smile", Span(0.5, 1.5), 0.9)
    assert not look(clip, {"face": face(evidence=(told,))}, source="openface", table=path).evidence
    earlier = Evidence("face", "face@1", "smile_with_cheeks", "A smile.", "smile", Span(0.0, 0.5), 0.9)
    assert len(look(clip, {"face": face(evidence=(earlier,))}, source="openface", table=path).evidence) == 1


def test_probabilities_are_told_without_a_degree(clip: MadeClip, tmp_path: Path) -> None:
    rows = pyfeat_rows(20)
    for row in rows[:10]:
        row["AU04"] = 0.1
    seen = look(clip, source="pyfeat", table=str(write(tmp_path / "a.csv", rows)))
    (brows,) = seen.evidence
    assert brows.text == "Lowered brows (AU04, mean probability 0.90) for 0.8 s."
    assert (
        brows.cue == "AU04"
        and brows.measures["AU04_probability"] == pytest.approx(0.9)
        and "AU04" not in brows.measures
    )
    assert seen.tracks["units"].unit.startswith("5 x probability")
    zh = look(clip, source="pyfeat", table=str(tmp_path / "a.csv"), lang="zh")
    assert zh.evidence[0].text == "皱眉（AU04，平均概率 0.90），持续 0.8 秒。"


def test_a_table_longer_than_the_clip_is_cut_with_a_note(clip: MadeClip, tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.csv", openface_rows(100, smile=(40, 90))))
    seen = look(clip, source="openface", table=path)
    assert seen.tracks["units"].times_s[-1] < 2.0 and len(seen.tracks["units"].times_s) == 50
    assert any("the table runs to 3.96 s, the clip ends at 2.00 s: 50 rows were cut" in n for n in seen.notes)
    assert seen.evidence[0].span.end_s <= 2.0
    exact = look(clip, source="openface", table=str(write(tmp_path / "b.csv", openface_rows(51))))
    assert not any("were cut" in n for n in exact.notes), "one row at the very end is rounding"


def test_a_table_of_another_name_is_noted(clip: MadeClip, tmp_path: Path) -> None:
    note = "the table ok.csv was taken for the clip film.01.mp4"
    assert note in look(clip, source="openface", table=str(write(tmp_path / "ok.csv", openface_rows(50)))).notes
    own = look(clip, source="openface", table=str(write(tmp_path / "film.01.csv", openface_rows(50))))
    assert not any("was taken for" in said for said in own.notes)


def test_times_are_on_the_clips_clock(tmp_path: Path) -> None:
    late = MadeClip(tmp_path / "a.mp4", 3.0, picture_s=0.5)
    seen = look(late, source="openface", table=str(write(tmp_path / "a.csv", openface_rows(50))))
    assert seen.tracks["units"].times_s[0] == pytest.approx(0.5) and seen.evidence[0].span.start_s == pytest.approx(0.9)
    deaf = MadeClip(tmp_path / "a.wav", video=False)
    assert len(look(deaf, source="openface", table=str(tmp_path / "a.csv")).tracks["units"].times_s) == 50


@pytest.mark.parametrize(
    ("given", "reason", "cure"),
    [
        ({"source": "openface", "table": "."}, r"there is no table film.01.csv for this clip", "FOLDER with"),
        ({"source": "openface", "table": "bad.csv"}, "no action unit column", "run FeatureExtraction with -aus"),
        ({"source": "openface", "table": "nan.csv"}, "9 rows show a face, but no action unit", "as OpenFace 2 wrote it"),
        ({"source": "openface", "table": "wild.csv"}, "315 action unit cells lie outside their scale", "as OpenFace 2"),
        ({"source": "pyfeat", "table": "none_felt.csv"}, "9 rows show a face, but no action unit", "as py-feat"),
        ({"source": "openface", "table": "late.csv"}, "no row of the table lies within the clip", "table of this clip"),
        ({"source": "openface", "table": "unsure.csv"}, "confidence of 0.8 or more", "lower min_confidence"),
        ({"source": "feature_extraction"}, "is not on PATH", "install OpenFace 2 and set OPENFACE_BIN"),
        ({"source": "pyfeat"}, "py-feat is not installed", "pip install 'py-feat"),
        ({"source": "openface", "table": "late.csv", "licence": "open"}, "allows no commercial use", "source: mediapipe"),
    ],
)  # fmt: skip
def test_absences_name_their_cure(
    clip: MadeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], reason: str, cure: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(feature_extraction, "available", lambda named=None: None)
    monkeypatch.setattr(pyfeat, "available", lambda: None)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    write(tmp_path / "late.csv", [row | {"timestamp": 50 + i / 25} for i, row in enumerate(openface_rows(9))])
    units = (*AU_R, *AU_C)
    write(tmp_path / "nan.csv", openface_rows(9, **dict.fromkeys(units, "nan")))
    write(tmp_path / "wild.csv", openface_rows(9, **dict.fromkeys(units, 70)))
    write(tmp_path / "none_felt.csv", pyfeat_rows(9, **{f"AU{n:02d}": "" for n in PYFEAT_UNITS}))
    write(tmp_path / "unsure.csv", openface_rows(9, confidence=0.3))
    seen = look(clip, **given)
    assert seen.absent is not None and not seen.tracks
    assert reason in seen.absent.reason and cure in seen.absent.cure
    assert seen.absent.cure not in seen.absent.reason


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "openpose"}, "allowed: mediapipe, openface, feature_extraction, pyfeat"),
        ({"min_confidence": 2}, "allowed: a number from 0 to 1"),
        ({"min_confidence": "high"}, "au.min_confidence is 'high'"),
        ({"fps": 0}, "must be above 0"),
        ({"tables": "a.csv"}, "no setting 'tables'; known: fps"),
        ({"source": "openface"}, "no table is named; set au.table to a FILE, or to a FOLDER with <clip name>.csv"),
        ({"source": "openface", "table": "none.csv"}, "au.table is 'none.csv', which is no file and no folder; set"),
        ({"source": "pyfeat", "table": "/no/where"}, "au.table is '/no/where', which is no file and no folder; set"),
        ({"source": "feature_extraction", "program": "/no/where"}, "where no FeatureExtraction lies that can be run"),
        ({"table": "a.csv"}, "goes with source: openface or pyfeat, not mediapipe"),
    ],
)
def test_wrong_settings_are_refused(clip: MadeClip, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        look(clip, **given)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in program is a shell script")
def test_the_program_serves_the_expert(clip: MadeClip, tmp_path: Path) -> None:
    clip.path.write_bytes(b"x")
    table = write(tmp_path / "made.csv", openface_rows(50))
    program = tmp_path / "FeatureExtraction"
    program.write_text(f"#!/bin/sh\ncp '{table}' \"$4/film.csv\"\n")
    program.chmod(0o755)
    seen = look(clip, source="feature_extraction", program=str(tmp_path))
    assert seen.evidence[0].cue == "smile_with_cheeks"
    assert seen.models[0].sha256 == hashlib.sha256(program.read_bytes()).hexdigest()
    program.write_text("#!/bin/sh\necho broken; exit 1\n")
    with pytest.raises(UsageError, match="failed with code 1: broken; run it by hand"):  # an error: not kept in a cache
        look(clip, source="feature_extraction", program=str(program))


def test_the_real_table_serves_the_expert(hero_data: Path) -> None:
    path = hero_data / "openface" / "OpenFace_Test.csv"
    seen = look(MadeClip(path.with_suffix(".mp4"), 0.1), source="openface", table=str(path.parent))
    assert seen.tracks["units"].values.shape == (100, 35)
    assert all(0 <= ev.span.start_s < ev.span.end_s <= 0.1 for ev in seen.evidence)


@pytest.mark.skipif(
    not (models.find("face_landmarker") or models.find("face_landmarks")), reason="no face models at hand"
)
def test_what_the_face_expert_writes_as_openface_reads_back(hero_data: Path, tmp_path: Path) -> None:
    film = Clip.open(hero_data / "faces" / "single_face.mp4")
    watcher = FaceExpert()
    assert watcher.start(Context(film, settings={"fps": 5})) is None
    for frame in film.frames(fps=5, max_side=320):
        watcher.take(frame)
    seen = watcher.finish({})
    table = tmp_path / "single_face.csv"
    table.write_text(au_table({f"face.{name}": track for name, track in seen.tracks.items()}))
    expert = AUExpert()
    assert expert.start(Context(film, settings={"source": "openface", "table": str(tmp_path)})) is None
    units, au = expert.finish({}).tracks["units"], seen.tracks["au"]
    np.testing.assert_array_equal(units.mask, au.mask)
    np.testing.assert_allclose(units.values, au.values, atol=1e-4)
    np.testing.assert_allclose(units.times_s, au.times_s, atol=1e-3)
