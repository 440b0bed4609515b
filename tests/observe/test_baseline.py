"""A person's baseline: made of clips without labels, written, read, and used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hero
from hero.errors import InputError, UsageError
from hero.observe.baseline import read_baseline, summarise, write_baseline
from hero.observe.face.cues import CUES
from hero.observe.posteriors import usual_units
from hero.types import Baseline, Observation, Timeline, Track

CLIP = {"name": "made", "duration_s": 2.0}


def _clip(f0_hz: float, smile: float) -> Timeline:
    times_s = np.arange(0, 2, 0.1)
    n = len(times_s)
    prosody = np.stack([np.full(n, f0_hz), np.full(n, -20.0), np.full(n, 12.0), (times_s > 0.5).astype(float)], 1)
    voice = Track("prosody", prosody, times_s, np.ones(n, bool), ("f0_hz", "loudness_db", "hnr_db", "speech"))
    au = Track("au", np.full((n, 2), smile), times_s, np.array([[True, False]] * n), ("AU12_r", "AU23_r"))
    cues = Track("cues", np.full((n, len(CUES)), 0.3), times_s, np.ones(n, bool), CUES)
    seen = Observation("face", "face", {"au": au, "cues": cues})
    heard = Observation("voice", "voice", {"prosody": voice})
    return Timeline(CLIP, {"face": seen, "voice": heard}, ())


def test_mean_and_spread_over_clips() -> None:
    person = summarise([_clip(100, 1.0), _clip(120, 2.0), Timeline(CLIP, {}, ())])
    assert person.count == 2
    assert person.mean["voice.f0_hz"] == pytest.approx(110)
    assert person.spread["voice.f0_hz"] == pytest.approx(10)
    assert person.mean["au.AU12.mean"] == pytest.approx(1.5)
    assert "au.AU23.mean" not in person.mean, "what was not measured has no usual value"


def test_round_trip_and_errors(tmp_path: Path) -> None:
    person = summarise([_clip(100, 1.0)])
    write_baseline(person, tmp_path / "p.json")
    assert read_baseline(tmp_path / "p.json").mean == pytest.approx(person.mean)
    with pytest.raises(UsageError, match="seen or heard"):
        summarise([Timeline(CLIP, {}, ())])
    for text in ("", "[]", '{"count": 1, "mean": 3, "spread": {}}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match="is not a baseline"):
            read_baseline(tmp_path / "bad.json")


def test_only_known_units_are_compared() -> None:
    usual, comparable = usual_units(Baseline({"au.AU12.mean": 1.0, "au.AU12.std": 0.5}, {}, 5))
    assert usual is not None
    assert comparable.sum() == 1
    for too_few in (None, Baseline({"au.AU12.mean": 1.0}, {}, 2)):
        usual, comparable = usual_units(too_few)
        assert usual is None
        assert comparable.all()


def test_a_clip_is_judged_against_the_person(hero_data: Path) -> None:
    clips = [
        hero_data / "ravdess_speech" / "Actor_01" / f"03-01-01-01-0{s}-0{r}-01.flac" for s in (1, 2) for r in (1, 2)
    ]
    person = summarise([hero.analyze(path).timeline for path in clips])
    loud = hero_data / "ravdess_speech" / "Actor_01" / "03-01-05-02-01-01-01.flac"
    alone, known = hero.analyze(loud), hero.analyze(loud, baseline=person)
    assert any("own baseline of 4 clips" in note for note in known.provenance["notes"])
    texts = " ".join(ev.text for ev in known.timeline)
    assert "the speaker's usual level" in texts
    assert "the speaker's usual level" not in " ".join(ev.text for ev in alone.timeline)
