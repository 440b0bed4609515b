"""The voice expert's measures against Praat's and against hand-marked speech times.

    HERO_DATA=<folder> python benchmarks/voice_measures.py [--clips 60] [--actors 17,18,19,20]

F0 frame by frame against Praat's autocorrelation tracker (same range, 10 ms): agreement on voicing, gross errors (more
than 20 % apart where both are voiced), median distance in cents otherwise. Jitter, shimmer and harmonics-to-noise as
means per clip: rank correlation and the two means. Speech spans against the marked times (10 ms frames). Real-time
factors on one core. Clips: a fixed sample of RAVDESS speech (actors that no threshold here was chosen on), GRID and the
sentence of J. F. Kennedy. Writes `results/voice_measures.json`.

Needs, for this benchmark only: pip install praat-parselmouth (GPL-3; not a dependency of hero), av, soxr, soundfile.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from hero.observe.voice import speech
from hero.observe.voice.stream import Prosody, ProsodyStream

RATE_HZ = 16000
RESULT = Path(__file__).parent / "results" / "voice_measures.json"
RANGE_HZ = (50.0, 600.0)


def load(path: Path) -> np.ndarray:
    """Mono samples (N,) at 16 kHz of any media file."""
    import av
    import soxr

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate_hz = stream.rate
        planes = [frame.to_ndarray() for frame in _float_frames(container, stream)]
    mono = np.concatenate(planes, axis=1).mean(axis=0).astype(np.float32)
    return mono if rate_hz == RATE_HZ else soxr.resample(mono, rate_hz, RATE_HZ)


def _float_frames(container: Any, stream: Any) -> Any:
    from av import AudioResampler

    resampler = AudioResampler(format="fltp")
    for frame in container.decode(stream):
        yield from resampler.resample(frame)


def prosody_of(samples: np.ndarray) -> Prosody:
    """Our measures, from blocks of one second."""
    stream = ProsodyStream()
    for at in range(0, len(samples), RATE_HZ):
        stream.push(samples[at : at + RATE_HZ])
    return stream.flush()


def talk_of(samples: np.ndarray) -> np.ndarray:
    """Speech per 10 ms frame (F,) by the voice expert's detector and rule."""
    detector = speech.make_detector()
    if detector is None:
        sys.exit(f"no speech detector is installed; {speech.CURE}")
    stream = speech.SpeechStream(detector)
    stream.push(samples)
    marks = np.zeros(-(-len(samples) // 160), bool)
    for span, _ in speech.spans_of(stream.flush(), len(samples) / RATE_HZ):
        marks[round(span.start_s * 100) : round(span.end_s * 100)] = True
    return marks


def praat_pitch(samples: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Praat's F0 (F,) at the given times, 0 where unvoiced."""
    import parselmouth

    sound = parselmouth.Sound(samples.astype(np.float64), RATE_HZ)
    pitch = sound.to_pitch_ac(time_step=0.01, pitch_floor=RANGE_HZ[0], pitch_ceiling=RANGE_HZ[1])
    nearest = np.clip(np.round((times_s - pitch.xs()[0]) / 0.01).astype(int), 0, pitch.n_frames - 1)
    return np.asarray(pitch.selected_array["frequency"])[nearest]


def praat_quality(samples: np.ndarray) -> tuple[float, float, float]:
    """Praat's local jitter and shimmer in percent and mean harmonics-to-noise ratio in dB."""
    import parselmouth
    from parselmouth.praat import call

    sound = parselmouth.Sound(samples.astype(np.float64), RATE_HZ)
    pulses = call(sound, "To PointProcess (periodic, cc)", 75, RANGE_HZ[1])
    jitter = call(pulses, "Get jitter (local)", 0, 0, 0.0001, 0.02, 1.3)
    shimmer = call([sound, pulses], "Get shimmer (local)", 0, 0, 0.0001, 0.02, 1.3, 1.6)
    harmonics = call(sound.to_harmonicity_cc(minimum_pitch=75), "Get mean", 0, 0)
    return 100 * jitter, 100 * shimmer, harmonics


def compare_pitch(clips: list[np.ndarray]) -> dict[str, float]:
    """Frame-by-frame comparison over all clips, within speech."""
    ours, theirs = [], []
    for samples in clips:
        prosody = prosody_of(samples)
        talk = talk_of(samples)[: len(prosody.times_s)]
        ours.append(prosody.f0_hz[talk])
        theirs.append(praat_pitch(samples, prosody.times_s)[talk])
    hz, praat = np.concatenate(ours), np.concatenate(theirs)
    both = (hz > 0) & (praat > 0)
    gross = np.abs(hz[both] / praat[both] - 1) > 0.2
    cents = 1200 * np.abs(np.log2(hz[both] / praat[both]))[~gross]
    return {
        "clips": len(clips), "frames_in_speech": len(hz),
        "voicing_agreement": round(float(np.mean((hz > 0) == (praat > 0))), 4),
        "gross_pitch_error": round(float(gross.mean()), 4), "median_cents": round(float(np.median(cents)), 2),
        "p95_cents": round(float(np.percentile(cents, 95)), 1),
    }  # fmt: skip


def compare_quality(clips: list[np.ndarray]) -> dict[str, dict[str, float]]:
    """Clip means of jitter, shimmer and harmonics-to-noise, ours against Praat's."""
    from scipy.stats import spearmanr

    rows = []
    for samples in clips:
        prosody = prosody_of(samples)
        mine = [float(np.nanmean(getattr(prosody, name))) for name in ("jitter_pct", "shimmer_pct", "hnr_db")]
        rows.append(mine + list(praat_quality(samples)))
    table = np.asarray(rows)
    table = table[np.isfinite(table).all(axis=1)]
    return {
        name: {
            "rank_correlation": round(float(spearmanr(table[:, k], table[:, k + 3])[0]), 3),
            "mean": round(float(table[:, k].mean()), 2), "mean_praat": round(float(table[:, k + 3].mean()), 2),
        }
        for k, name in enumerate(("jitter_pct", "shimmer_pct", "hnr_db"))
    }  # fmt: skip


def marked_speech(folder: Path) -> dict[str, float]:
    """Frame scores of the speech spans against the marked times; each sound file is heard as one stream."""
    right, said, found = 0, 0, 0
    agree, frames = 0, 0
    for part, wav in (("VAD_train", "train.wav"), ("VAD_dev", "valid.wav")):
        rows = json.loads((folder / "annotation" / f"{part}.json").read_text("utf-8")).values()
        samples = load(folder / "VAD" / wav)
        talk = talk_of(samples)
        for row in rows:
            first, after = row["wav"]["start"] // 160, min(row["wav"]["stop"] // 160, len(talk))
            truth = np.zeros(after - first, bool)
            times = [float(t) for t in row["speech"].split()]
            for start_s, end_s in zip(times[::2], times[1::2], strict=True):
                truth[round(start_s * 100) : round(end_s * 100)] = True
            heard = talk[first:after]
            right, said, found = right + int((truth & heard).sum()), said + int(truth.sum()), found + int(heard.sum())
            agree, frames = agree + int((truth == heard).sum()), frames + len(truth)
    return {
        "frames": frames, "precision": round(right / found, 4), "recall": round(right / said, 4),
        "f1": round(2 * right / (found + said), 4), "accuracy": round(agree / frames, 4),
    }  # fmt: skip


def false_speech(folder: Path) -> float:
    """Share of frames of pure noise that are taken for speech."""
    talks = [talk_of(load(path)) for path in sorted((folder / "noise").glob("*.wav"))]
    return round(float(np.concatenate(talks).mean()), 4)


def speed(clips: list[np.ndarray]) -> dict[str, float]:
    """Processor seconds per second of sound, all clips as one, and what loading the detector costs once."""
    whole = np.concatenate(clips)
    began = time.process_time()
    detector = speech.make_detector()
    loaded_s = time.process_time() - began
    assert detector is not None
    stream = speech.SpeechStream(detector)
    factors = {}
    for name, work in (("speech", lambda: stream.push(whole)), ("prosody", lambda: prosody_of(whole))):
        began = time.process_time()
        work()
        factors[name] = round((time.process_time() - began) / len(whole) * RATE_HZ, 4)
    return {**factors, "loading_the_detector_s": round(loaded_s, 3)}


def sample_of_ravdess(folder: Path, actors: list[int], count: int) -> list[Path]:
    """Every n-th clip of the given actors."""
    paths = [path for actor in actors for path in sorted((folder / f"Actor_{actor:02d}").glob("*.flac"))]
    return paths[:: max(1, len(paths) // count)][:count]


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--actors", default="17,18,19,20")
    parser.add_argument("--out", type=Path, default=RESULT)
    chosen = parser.parse_args()
    if not os.environ.get("HERO_DATA"):
        sys.exit("HERO_DATA is not set; point it at the folder with ravdess_speech, grid and speech")
    data = Path(os.environ["HERO_DATA"])
    actors = [int(a) for a in chosen.actors.split(",")]
    sets = {
        "ravdess": [load(p) for p in sample_of_ravdess(data / "ravdess_speech", actors, chosen.clips)],
        "grid": [load(p) for p in sorted((data / "grid").glob("*.mpg"))],
        "jfk": [load(data / "speech" / "jfk.flac")],
    }
    everything = [samples for clips in sets.values() for samples in clips]
    result = {
        "actors": actors,
        "pitch": {name: compare_pitch(clips) for name, clips in sets.items()},
        "quality": {name: compare_quality(clips) for name, clips in sets.items() if len(clips) > 5},
        "speech": marked_speech(data / "speech" / "speechbrain"),
        "noise_taken_for_speech": false_speech(data / "speech" / "speechbrain"),
        "real_time_factor": speed(everything),
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
