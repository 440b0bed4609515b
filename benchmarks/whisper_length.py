"""What Whisper's encoder costs on short sound: only the frames that exist against a window filled up to 30 s.

    python benchmarks/whisper_length.py

A Whisper of the size of whisper-base (80 bands, 512 wide, 6 layers) with random weights hears the same noise both ways,
spectrogram included; own and padded take turns, and the quickest run of each counts. On one thread the bar is on the
thread's own CPU time, which other work on the machine hardly touches; on all cores the time on the wall is told beside it.
Writes `results/whisper_length.json`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np
from bars import Bar, publish

from hero.checkpoints import Checkpoint
from hero.observe.encoders.whisper import HOP, RATE_HZ, WhisperEncoder, load_whisper_encoder

LENGTHS_S = (1.0, 3.0, 10.0)
FULL_S = 30.0
TURNS, OWN_RUNS = 4, 6
BASE = {"d_model": 512, "encoder_layers": 6, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048, "num_mel_bins": 80}


def build(folder: Path) -> WhisperEncoder:
    """A random encoder of the size of whisper-base, behind a decoder as small as can be."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        **BASE, decoder_layers=1, decoder_attention_heads=8, decoder_ffn_dim=64, vocab_size=60, max_target_positions=8,
        pad_token_id=0, eos_token_id=0, bos_token_id=0, decoder_start_token_id=0,
    )  # fmt: skip
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder)
    own = Checkpoint("whisper-base-sized", "whisper", folder, "", "none", True, "0" * 64)
    return load_whisper_encoder(own, device="cpu", precision="fp32")


def run_s(encoder: WhisperEncoder, samples: np.ndarray, clock: Callable[[], float]) -> float:
    """Seconds of spectrogram and encoder."""
    began = clock()
    (found,) = encoder.encode([encoder.prepare(samples)])
    spent = clock() - began
    assert len(found.values) == -(-(len(samples) // HOP) // 2)
    return spent


def measure(encoder: WhisperEncoder, clock: Callable[[], float]) -> dict[str, dict[str, float]]:
    """Cost of each length as it is and padded to 30 s."""
    table = {}
    for length_s in LENGTHS_S:
        samples = np.random.default_rng(0).normal(0, 0.1, round(length_s * RATE_HZ)).astype(np.float32)
        padded = np.pad(samples, (0, round(FULL_S * RATE_HZ) - len(samples)))
        run_s(encoder, samples, clock)
        own, full = [], []
        for _ in range(TURNS):
            own += [run_s(encoder, samples, clock) for _ in range(OWN_RUNS)]
            full.append(run_s(encoder, padded, clock))
        table[f"{length_s:g} s"] = {
            "own_s": round(min(own), 4), "padded_s": round(min(full), 4), "times": round(min(full) / min(own), 2),
        }  # fmt: skip
    return table


def main() -> int:
    """Measure, print and keep."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        encoder = build(Path(folder))
        torch.set_num_threads(1)
        cpu = measure(encoder, thread_time)
        torch.set_num_threads(os.cpu_count() or 1)
        wall = measure(encoder, perf_counter)
    bars = [Bar("3 s of sound: padded cost / own cost", cpu["3 s"]["times"], 8.0, note="CPU time, one thread")]
    details = {"cpu_time_one_thread": cpu, "wall_time_all_cores": wall, "encoder": BASE, "torch": torch.__version__}
    return publish("whisper_length", bars, details)


if __name__ == "__main__":
    sys.exit(main())
