"""Audio events: the model's own test files, block sizes, thresholds, and quiet where there is nothing to hear."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hero import models
from hero.errors import WeightsError
from hero.observe import sounds
from hero.observe.sounds import COVER, KINDS, STEP_S, EventStream, SoundsExpert, kind_columns, load_scorer, log_mel
from hero.types import Observation

RATE_HZ = 16000
COLUMNS = tuple(np.asarray([k]) for k in range(len(KINDS)))


@pytest.fixture
def yamnet(hero_data: Path) -> Path:
    path = models.find("yamnet")
    if path is None:
        pytest.skip("YAMNet is not at hand")
    return path


def load(path: Path) -> np.ndarray:
    import soundfile

    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    return samples.mean(axis=1)


def observe(samples: np.ndarray, *, block: int = RATE_HZ, lang: str = "en", start_s: float = 0.0) -> Observation:
    expert = SoundsExpert()
    context = SimpleNamespace(clip=SimpleNamespace(audio=object()), lang=lang, settings={})
    assert expert.start(context) is None
    for at in range(0, len(samples), block):
        expert.take(SimpleNamespace(start_s=start_s + at / RATE_HZ, samples=samples[at : at + block], rate_hz=RATE_HZ))
    return expert.finish({})


def loudness_scorer(patch: np.ndarray) -> np.ndarray:
    """Stands for the model: the first kind scores by the level in the middle of the patch."""
    scores = np.zeros(len(KINDS), np.float32)
    scores[0] = float(patch[36:60].mean() > -3)
    return scores


def test_spectra_are_those_of_the_models_own_test(hero_data: Path) -> None:
    folder = hero_data / "models"
    wanted = np.fromfile(folder / "yamnet_test_spectra.bin", np.float32).reshape(96, 64)
    sound = np.fromfile(folder / "yamnet_test_audio.bin", np.int16).astype(np.float32)
    ours = log_mel(sound / np.abs(sound).max())  # its maker scaled the sound to its peak
    assert ours.shape == wanted.shape
    assert np.abs(ours - wanted).mean() < 0.03
    assert np.corrcoef(ours.ravel(), wanted.ravel())[0, 1] > 0.999


def test_the_models_own_sound_is_speech(yamnet: Path, hero_data: Path) -> None:
    sound = np.fromfile(hero_data / "models" / "yamnet_test_audio.bin", np.int16).astype(np.float32)
    scores = load_scorer(yamnet)(log_mel(sound / np.abs(sound).max()))
    assert scores.shape == (521,) and scores.argmax() == 0 and scores[0] > 0.8


@pytest.mark.parametrize("block", [100, 3840, 16000])
def test_blocks_do_not_matter(yamnet: Path, hero_data: Path, block: int) -> None:
    sound = load(hero_data / "ravdess_speech" / "Actor_01" / "03-01-06-02-01-01-01.flac")
    parts, whole = observe(sound, block=block), observe(sound, block=len(sound))
    assert np.array_equal(parts.tracks["events"].values, whole.tracks["events"].values)


@pytest.mark.parametrize("samples", [1, 1600, 15_600, 15_601, 40_000])
def test_cells_cover_the_whole_sound(samples: int) -> None:
    stream = EventStream(loudness_scorer, COLUMNS)
    stream.push(np.ones(samples, np.float32))
    scores, seconds = stream.flush()
    assert seconds == samples / RATE_HZ
    assert len(scores) == max(1, int(np.ceil(seconds / STEP_S - 1e-9)))


def test_an_event_lies_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds.models, "find", lambda name: Path("yamnet.tflite"))
    monkeypatch.setattr(sounds, "load_scorer", lambda path: loudness_scorer)
    monkeypatch.setattr(sounds, "kind_columns", lambda path: COLUMNS)
    clip = np.zeros(8 * RATE_HZ, np.float32)
    clip[3 * RATE_HZ : 5 * RATE_HZ] = 0.3 * np.random.default_rng(0).standard_normal(2 * RATE_HZ)
    observation = observe(clip, start_s=1.0)
    (ev,) = observation.evidence
    assert ev.cue == next(iter(KINDS)) and ev.modality == "voice" and "threshold" in ev.text
    assert ev.span.start_s == pytest.approx(4.0, abs=COVER * STEP_S)
    assert ev.span.end_s == pytest.approx(6.0, abs=COVER * STEP_S)
    assert observation.models[0].name == "yamnet"


def test_plain_reading_holds_no_such_sounds(yamnet: Path, hero_data: Path) -> None:
    for path in sorted((hero_data / "speech" / "librivox").glob("*.wav")):
        assert observe(load(path)).evidence == ()


def test_gasps_and_breaths_of_acted_fear_are_heard(yamnet: Path, hero_data: Path) -> None:
    clips = sorted((hero_data / "ravdess_speech").glob("Actor_*/03-01-06-02-01-01-*.flac"))
    heard = {ev.cue for path in clips for ev in observe(load(path)).evidence}
    assert {"gasp", "breathing"} <= heard


def test_music_is_heard(yamnet: Path) -> None:
    time_s = np.arange(int(0.5 * RATE_HZ)) / RATE_HZ
    fade = np.exp(-3 * time_s)
    notes = [sum(np.sin(2 * np.pi * hz * k * time_s) / k for hz in chord for k in (1, 2, 3)) * fade
             for chord in ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294)) * 2]  # fmt: skip
    observation = observe((0.05 * np.concatenate(notes)).astype(np.float32), lang="zh")
    assert "music" in {ev.cue for ev in observation.evidence}
    assert any("音乐" in ev.text for ev in observation.evidence)


def test_absent_without_sound_or_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(clip=SimpleNamespace(audio=None), lang="en", settings={})
    absence = SoundsExpert().start(context)
    assert absence is not None and "no sound" in absence.reason
    monkeypatch.setattr(sounds.models, "find", lambda name: None)
    absence = SoundsExpert().start(SimpleNamespace(clip=SimpleNamespace(audio=object()), lang="en", settings={}))
    assert absence is not None and "HERO_MODELS" in absence.cure


def test_a_foreign_class_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "yamnet_class_map.csv").write_text("index,mid,display_name\n0,/m/x,Speech\n", "utf-8")
    with pytest.raises(WeightsError, match="lacks Laughter"):
        kind_columns(tmp_path / "yamnet.tflite")


def test_a_broken_model_file_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "yamnet.tflite"
    broken.write_bytes(b"TFL3 not a model")
    with pytest.raises(WeightsError, match="cannot be run"):
        load_scorer(broken)
