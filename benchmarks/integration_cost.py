"""What the integration layer costs beside the language model that reads it, for one clip of 10 s.

    python benchmarks/integration_cost.py [--repeats 5]

The integration layer has spec 1's sizes (`hero.nn.connector.SPEC_SIZES` and a synergy track) and goes to 896 columns. The
language model has the shape of Qwen2-0.5B with random weights; it reads 32 soft tokens and 700 of text and fills its
cache. Both run in float32 without gradients, one clip at a time, in turns. The bar is on the medians of CPU seconds on one
thread, which hardly depend on what else the machine does. Beside them in the result file stand floating-point operations
(counted by PyTorch) and seconds on the clock with all threads, which do depend on it: the load is given with them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from bars import Bar, publish
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen2Config, Qwen2ForCausalLM

from hero.nn.connector import SPEC_SIZES
from hero.nn.integration import Feed, IntegrationLayer
from hero.types import Modality

WIDTH, SOFT, TEXT = 896, 32, 700
SECONDS = 10.0
STEPS: dict[Modality, int] = {"scene": 10, "motion": 20, "face": 200, "voice": 500, "words": 40, "synergy": 200}
SYNERGY = {"dim_in": 32, "queries": 8}

Acts = dict[str, Callable[[], object]]


def language_model() -> Qwen2ForCausalLM:
    """The shape of Qwen2-0.5B, random weights."""
    config = Qwen2Config(
        hidden_size=WIDTH, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
        vocab_size=151936, tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen2ForCausalLM(config).eval()


def feeds(layer: IntegrationLayer) -> dict[Modality, Feed]:
    """One clip in which everything was measured."""
    made = {}
    for name, steps in STEPS.items():
        values = torch.randn(1, steps, layer.connectors.part(name).dim_in)
        made[name] = Feed(values, torch.ones(1, steps, dtype=torch.bool), torch.linspace(0, SECONDS, steps)[None])
    return made


def seconds(act: Callable[[], object], clock: Callable[[], float]) -> float:
    """How long one call takes."""
    start = clock()
    act()
    return clock() - start


def in_turns(acts: Acts, repeats: int, clock: Callable[[], float], threads: int) -> dict[str, list[float]]:
    """Seconds of each call of each act, one after the other."""
    torch.set_num_threads(threads)
    measured: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(repeats):
        for name, act in acts.items():
            measured[name].append(round(seconds(act, clock), 4))
    return measured


def ratio(measured: dict[str, list[float]]) -> float:
    """Integration over prefill, by their medians."""
    return median(measured["integration"]) / median(measured["prefill"])


def told(measured: dict[str, list[float]]) -> str:
    """The medians in words."""
    return f"{median(measured['integration']) * 1000:.0f} ms of {median(measured['prefill']) * 1000:.0f} ms"


def operations(act: Callable[[], object]) -> int:
    """Floating-point operations of one call."""
    counter = FlopCounterMode(display=False)
    with counter:
        act()
    return int(counter.get_total_flops())


@torch.inference_mode()
def main() -> int:
    """Measure, print and keep."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--repeats", type=int, default=5)
    repeats = options.parse_args().repeats
    torch.manual_seed(0)
    layer = IntegrationLayer(parts={**SPEC_SIZES, "synergy": SYNERGY}, dim_lm=WIDTH).eval()
    model, clip, prompt = language_model(), feeds(layer), torch.randn(1, SOFT + TEXT, WIDTH) * 0.02
    mask = torch.ones(1, SOFT + TEXT, dtype=torch.long)
    acts: Acts = {
        "integration": lambda: layer(clip),
        "prefill": lambda: model(inputs_embeds=prompt, attention_mask=mask, use_cache=True, logits_to_keep=1),
    }
    counted = {name: operations(act) for name, act in acts.items()}  # and the first call, which is slower, is over
    threads, before = torch.get_num_threads(), os.getloadavg()
    alone = in_turns(acts, repeats, time.process_time, 1)
    whole = in_turns(acts, repeats, time.perf_counter, threads)
    details = {
        "CPU seconds, one thread": alone, f"clock seconds, {threads} threads": whole,
        "load before": [round(load, 1) for load in before],
        "operations": counted, "operations, ratio": round(counted["integration"] / counted["prefill"], 4),
        "steps": STEPS, "soft tokens": SOFT, "text tokens": TEXT,
        "parameters": {
            "integration": sum(p.numel() for p in layer.parameters()),
            "language model": sum(p.numel() for p in model.parameters()),
        },
    }  # fmt: skip
    name = "integration / prefill of a 0.5B language model"
    kinds = {"CPU time of one thread": alone, f"clock time, {threads} threads": whole}
    bars = [
        Bar(f"{name}, {kind}", ratio(found), 0.10, at_least=False, note=told(found)) for kind, found in kinds.items()
    ]
    return publish("integration_cost", bars, details)


if __name__ == "__main__":
    sys.exit(main())
