"""How many words the recogniser that ships in a wheel gets wrong on real speech: decides whether `words` may use it.

    HERO_DATA=<folder> python benchmarks/speech_recognition.py

pocketsphinx (en-US model in its wheel) over LibriVox, the SpeechBrain sentences, the two-speaker conversation and the
inaugural sentence of J. F. Kennedy: word error rate = (substitutions + deletions + insertions) / words of the
reference, lower case, without punctuation. The bar is 0.35. Writes `results/speech_recognition.json`.
Needs: pip install pocketsphinx==5.1.1 jiwer soundfile soxr.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import time
from pathlib import Path

import numpy as np

BAR_WER = 0.35
RATE_HZ = 16000
# public domain, 20 January 1961
JFK = "and so my fellow americans ask not what your country can do for you ask what you can do for your country"
RESULT = Path(__file__).parent / "results" / "speech_recognition.json"


def normalise(text: str) -> str:
    """Lower case words with their apostrophes, nothing else."""
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def librivox(folder: Path) -> list[tuple[Path, float, float, str]]:
    """(file, start_s, end_s, reference) of the LibriVox clips; end 0 means the whole file."""
    rows = re.findall(r"<s> (.*?) </s> \((\S+)\)", (folder / "librivox" / "transcription").read_text("utf-8"))
    return [(folder / "librivox" / f"{name}.wav", 0.0, 0.0, text) for text, name in rows]


def speechbrain(folder: Path) -> list[tuple[Path, float, float, str]]:
    """The sentences whose transcripts stand in the annotation tables."""
    notes = folder / "speechbrain" / "annotation"
    with (notes / "ASR_train.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["ID"]: row["transcript"] for row in csv.DictReader(file)}
    dev = json.loads((notes / "ASR_dev.json").read_text("utf-8"))
    rows |= {key: row["wrd"] for key, row in dev.items()}
    return [(folder / "speechbrain" / "ASR" / f"{key}.wav", 0.0, 0.0, text) for key, text in sorted(rows.items())]


def conversation(folder: Path) -> list[tuple[Path, float, float, str]]:
    """Each timed turn of the telephone conversation on its own."""
    wav = folder / "two_speakers" / "sample.wav"
    rows = [line.split(maxsplit=5) for line in (folder / "two_speakers" / "sample.stm").read_text("utf-8").splitlines()]
    return [(wav, float(r[3]), float(r[4]), r[5]) for r in rows if len(r) == 6]


def load(path: Path, start_s: float, end_s: float) -> np.ndarray:
    """Mono samples (N,) at 16 kHz of one stretch of a file."""
    import soundfile
    import soxr

    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if end_s:
        mono = mono[int(start_s * rate_hz) : int(end_s * rate_hz)]
    return mono if rate_hz == RATE_HZ else soxr.resample(mono, rate_hz, RATE_HZ)


def recognise(samples: np.ndarray) -> str:
    """What pocketsphinx hears; a second of silence after the speech lets it finish the last word."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE_HZ, loglevel="FATAL")
    padded = np.concatenate([samples, np.zeros(RATE_HZ // 2, np.float32)])
    decoder.start_utt()
    decoder.process_raw((np.clip(padded, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    return normalise(re.sub(r"\(\d+\)", "", decoder.hyp().hypstr)) if decoder.hyp() else ""


def measure(folder: Path) -> dict[str, object]:
    """Word error rate per source and over all words, and the real-time factor."""
    import jiwer

    sources = {"librivox": librivox(folder), "speechbrain": speechbrain(folder), "two_speakers": conversation(folder)}
    sources["jfk"] = [(folder / "jfk.flac", 0.0, 0.0, JFK)]
    report: dict[str, object] = {}
    references, heard, sound_s, took_s = [], [], 0.0, 0.0
    for source, rows in sources.items():
        said, got = [], []
        for path, start_s, end_s, text in rows:
            samples = load(path, start_s, end_s)
            began = time.process_time()
            got.append(recognise(samples))
            took_s += time.process_time() - began
            sound_s += len(samples) / RATE_HZ
            said.append(normalise(text))
            print(f"{source:13s} said: {said[-1]}\n{'':13s} heard: {got[-1]}", file=sys.stderr)
        words = sum(len(text.split()) for text in said)
        report[source] = {"clips": len(said), "words": words, "wer": round(jiwer.wer(said, got), 3)}
        references += said
        heard += got
    overall = jiwer.wer(references, heard)
    return {
        "recogniser": "pocketsphinx 5.1.1 en-us", "bar_wer": BAR_WER, "by_source": report, "wer": round(overall, 3),
        "real_time_factor": round(took_s / sound_s, 3), "usable": overall < BAR_WER,
    }  # fmt: skip


def main() -> None:
    """Measure, print, write the result file."""
    data = os.environ.get("HERO_DATA")
    if not data:
        sys.exit("HERO_DATA is not set; point it at the folder with speech/librivox")
    result = measure(Path(data) / "speech")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
