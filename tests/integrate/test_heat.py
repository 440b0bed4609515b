"""Heat: nothing is lost between a stretch and its steps, and a moment's weights are the fusion's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from builders import CLIP, posterior

from hero.errors import UsageError
from hero.integrate.fusion import Fusion
from hero.integrate.heat import (
    MAX_STEPS,
    Stretches,
    attention_heat,
    fusion_heat,
    local_weight,
    spread,
    step_edges,
)
from hero.labels import LABELS
from hero.types import Absence, Heat, LabelledSpan, Observation, Span, Timeline, Track

EXPERTS = {"face": "face_emotion", "voice": "voice_emotion", "words": "text_emotion"}
Said = Sequence[tuple[float, float, np.ndarray]]


@pytest.fixture(scope="module")
def fusion() -> Fusion:
    return Fusion.load()


def _expert(name: str, said: Said, seen: np.ndarray | None = None) -> Observation:
    values = np.stack([p for _, _, p in said])  # (T, 7)
    mask = np.ones(values.shape, bool) if seen is None else np.broadcast_to(seen, values.shape)
    times = np.array([(start + end) / 2 for start, end, _ in said])
    spans = tuple(LabelledSpan(Span(start, end), "") for start, end, _ in said)
    track = Track("posterior", values, times, mask, LABELS, "probability")
    return Observation(name, "face", {"posterior": track}, spans={"windows": spans})


def _timeline(said: Mapping[str, Said], *, duration_s: float = 4.0) -> Timeline:
    experts = {EXPERTS[m]: _expert(EXPERTS[m], found) for m, found in said.items()}
    return Timeline({**CLIP, "duration_s": duration_s}, experts, ())


HAPPY, ANGRY = posterior(happy=0.8), posterior(angry=0.7, disgust=0.1)


# ---------------------------------------------------------------- steps and spreading


@pytest.mark.parametrize(
    ("duration_s", "steps"), [(0.03, 1), (1.0, 10), (3.3, 33), (20.0, 40), (100.3, 101), (7200.0, 600)]
)
def test_steps_fill_the_clip(duration_s: float, steps: int) -> None:
    edges = step_edges(duration_s)
    assert len(edges) == steps + 1 <= MAX_STEPS + 1
    assert edges[0] == 0 and edges[-1] == duration_s
    assert np.allclose(np.diff(edges), duration_s / steps)


def test_spread_keeps_every_amount_where_it_belongs() -> None:
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    made = Stretches(np.array([0.5, 2.0, 0.5]), np.array([1.5, 3.0, 3.0]), np.array([2.0, 1.0, 5.0]))
    assert spread(made, edges) == pytest.approx([1 + 1, 1 + 2, 1 + 2])


def test_spread_equals_the_plain_table_of_overlaps() -> None:
    rng = np.random.default_rng(3)
    starts = rng.uniform(0, 55, 400)
    ends = np.minimum(starts + rng.exponential(2, 400) + 1e-4, 60)
    amounts = rng.exponential(1, 400)
    edges = np.linspace(0, 60, 61)
    inside = np.minimum(ends[:, None], edges[None, 1:]) - np.maximum(starts[:, None], edges[None, :-1])
    plain = (amounts[:, None] * np.maximum(inside, 0) / (ends - starts)[:, None]).sum(0)
    assert spread(Stretches(starts, ends, amounts), edges) == pytest.approx(plain, rel=1e-9)


# ---------------------------------------------------------------- fusion


def test_a_moments_weights_are_those_of_the_fusion(fusion: Fusion) -> None:
    line = _timeline({"face": [(0, 2, HAPPY), (2, 4, ANGRY)], "voice": [(1, 4, ANGRY)]})
    heat = fusion_heat(line, fusion, experts=EXPERTS)
    assert heat is not None and heat.source == "fusion" and heat.modalities == ("face", "voice")
    assert heat.share.sum() == pytest.approx(1.0) and heat.step_s == pytest.approx(0.1)
    at = heat.share / heat.share.sum(axis=1, keepdims=True)
    clash = fusion.weigh({"face": HAPPY, "voice": ANGRY}).weights["voice"]
    agree = fusion.weigh({"face": ANGRY, "voice": ANGRY}).weights["voice"]
    assert clash != pytest.approx(agree, abs=0.01)
    assert at[:10, 1] == pytest.approx(np.zeros(10))
    assert at[10:20, 1] == pytest.approx(np.full(10, clash), rel=1e-5)
    assert at[20:, 1] == pytest.approx(np.full(20, agree), rel=1e-5)
    assert heat.share.sum(axis=1) == pytest.approx(np.full(40, 1 / 40)), "every covered moment counts the same"


def test_moments_without_any_window_have_no_weight(fusion: Fusion) -> None:
    heat = fusion_heat(_timeline({"voice": [(1.0, 1.5, ANGRY), (3.0, 3.25, HAPPY)]}), fusion, experts=EXPERTS)
    assert heat is not None and heat.modalities == ("voice",)
    share = heat.share[:, 0]
    assert share[:10].sum() == 0 and share[15:30].sum() == pytest.approx(0, abs=1e-12)
    assert share[10:15].sum() == pytest.approx(2 / 3)
    assert share[30:33] == pytest.approx(np.array([0.1, 0.1, 0.05]) / 0.75)


def test_windows_that_overlap_are_pooled(fusion: Fusion) -> None:
    both = np.sqrt(HAPPY * ANGRY)
    line = _timeline({"face": [(0, 3, HAPPY), (1, 4, ANGRY)], "voice": [(0, 4, ANGRY)]})
    heat = fusion_heat(line, fusion, experts=EXPERTS)
    assert heat is not None
    expected = fusion.weigh({"face": both, "voice": ANGRY}).weights["face"]
    assert heat.share[15, 0] / heat.share[15].sum() == pytest.approx(expected, rel=1e-5)


def test_labels_that_an_expert_never_saw_change_nothing(fusion: Fusion) -> None:
    seen = np.array([label != "surprise" for label in LABELS])
    shares = []
    for stuffing in (0.0, 0.9):
        said = np.where(seen, ANGRY, stuffing)
        experts = {
            "face_emotion": _expert("face_emotion", [(0, 4, HAPPY)]),
            "voice_emotion": _expert("voice_emotion", [(0, 4, said)], seen),
        }
        heat = fusion_heat(Timeline(CLIP, experts, ()), fusion, experts=EXPERTS)
        assert heat is not None
        shares.append(heat.share)
    assert np.array_equal(*shares)
    expected = fusion.weigh({"face": HAPPY, "voice": ANGRY}, {"voice": seen}).weights["voice"]
    assert shares[0][:, 1].sum() == pytest.approx(expected, rel=1e-5)


def test_a_window_past_the_end_counts_up_to_the_end(fusion: Fusion) -> None:
    heat = fusion_heat(_timeline({"voice": [(3.0, 9.0, ANGRY)]}), fusion, experts=EXPERTS)
    assert heat is not None and heat.share.shape == (40, 1)
    assert heat.share[30:].sum() == pytest.approx(1.0)


def test_a_window_up_to_the_last_frame_reaches_the_end_of_the_clip(fusion: Fusion) -> None:
    line = _timeline({"face": [(0.0, 3.9, HAPPY)], "voice": [(1.0, 3.5, ANGRY)]})
    heat = fusion_heat(line, fusion, experts=EXPERTS)
    assert heat is not None
    assert heat.share[-4:, 0] == pytest.approx(np.full(4, 1 / 40)) and not heat.share[35:, 1].any()


def test_without_posteriors_there_is_no_heat(fusion: Fusion) -> None:
    absent = Observation("voice_emotion", "voice", absent=Absence("voice_emotion", "no speech"))
    masked = _expert("face_emotion", [(0, 4, HAPPY)], np.zeros(7, bool))
    assert fusion_heat(Timeline(CLIP, {"voice_emotion": absent}, ()), fusion, experts=EXPERTS) is None
    assert fusion_heat(Timeline(CLIP, {"face_emotion": masked}, ()), fusion, experts=EXPERTS) is None


def test_an_hour_is_weighed_once_per_set_of_windows(fusion: Fusion, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    weigh = Fusion.weigh
    monkeypatch.setattr(Fusion, "weigh", lambda *a, **k: calls.append(1) or weigh(*a, **k))
    face = [(4.0 * i, 4.0 * i + 4, HAPPY) for i in range(100)]
    line = _timeline({"face": face, "voice": [(0, 1000, ANGRY), (1200, 3600, ANGRY)]}, duration_s=3600.0)
    heat = fusion_heat(line, fusion, experts=EXPERTS)
    assert heat is not None and heat.share.shape == (MAX_STEPS, 2) and heat.share.sum() == pytest.approx(1.0)
    assert len(calls) == 100 + 1 + 1  # each window of the face, the first of the voice alone, the second alone


# ---------------------------------------------------------------- attention


def test_attention_lands_at_the_times_of_its_steps() -> None:
    attention = np.array([0.1, 0.0, 0.3, 0.2, 0.4])
    times = {"voice": np.array([0.5, 1.5, 2.5]), "face": np.array([1.0, 3.0])}
    heat = attention_heat(attention, times, {"voice": 3, "face": 2}, duration_s=4.0)
    assert heat is not None and heat.source == "integration" and heat.modalities == ("face", "voice")
    assert heat.share.shape == (40, 2) and heat.share.sum() == pytest.approx(1.0)
    face, voice = heat.share.T
    assert face.sum() == pytest.approx(0.6) and voice.sum() == pytest.approx(0.4)
    assert face[:20] == pytest.approx(np.full(20, 0.01)) and face[20:] == pytest.approx(np.full(20, 0.02))
    half = voice[:15].sum()  # of 0.5 s: the steps with attention lie 2 s apart, so the first reaches to 1.5 s
    assert half == pytest.approx(0.1) and voice[15:35].sum() == pytest.approx(0.3)


@pytest.mark.parametrize("seed", range(5))
def test_attention_is_conserved_per_modality(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = {"scene": 1, "motion": 7, "voice": 900, "words": 12}
    attention = rng.dirichlet(np.full(sum(lengths.values()), 0.05))
    times = {m: np.sort(rng.uniform(0, 31.0, n)) for m, n in lengths.items()}  # some lie past the end
    heat = attention_heat(attention, times, lengths, duration_s=30.0)
    assert heat is not None and heat.share.min() >= 0
    parts = dict(zip(lengths, np.split(attention, np.cumsum(list(lengths.values()))[:-1]), strict=True))
    for index, modality in enumerate(heat.modalities):
        assert heat.share[:, index].sum() == pytest.approx(parts[modality].sum(), rel=1e-9)


def test_padded_steps_say_nothing_about_the_spacing() -> None:
    times = np.array([0.0, 1.0, 2.0, 3.0])
    plain = attention_heat([0.4, 0.3, 0.2, 0.1], {"voice": times}, {"voice": 4}, duration_s=4.0)
    padded = attention_heat(
        [0.4, 0.3, 0.2, 0.1, 0, 0, 0], {"voice": np.append(times, [0, 0, 0])}, {"voice": 7}, duration_s=4.0
    )
    assert plain is not None and padded is not None and np.array_equal(plain.share, padded.share)


def test_modalities_without_attention_have_no_row_and_nothing_attended_gives_none() -> None:
    times = {"voice": [0.5], "face": [0.5]}
    lengths = {"voice": 1, "face": 1}
    heat = attention_heat([1.0, 0.0], times, lengths, duration_s=4.0)
    assert heat is not None and heat.modalities == ("voice",)
    assert attention_heat([0.0, 0.0], times, lengths, duration_s=4.0) is None
    assert attention_heat([1.0, 0.0], times, lengths, duration_s=0.0) is None


@pytest.mark.parametrize(
    ("attention", "times", "message"),
    [
        ([0.5, 0.5, 0.0], {"voice": [0.1, 0.2]}, r"shape \(3,\) does not fit its tracks \(voice 2 steps and 2 times\)"),
        ([0.5, 0.5], {"voice": [0.1]}, "voice 2 steps and 1 times"),
        ([0.5, 0.5], {}, "voice 2 steps and 0 times"),
        ([1.5, -0.5], {"voice": [0.1, 0.2]}, "from -0.5 to 1.5"),
        ([float("nan"), 0.5], {"voice": [0.1, 0.2]}, "finite"),
        ([0.5, 0.5], {"voice": [0.1, float("inf")]}, "finite times"),
    ],
)
def test_attention_that_does_not_fit_is_refused(attention: list[float], times: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        attention_heat(attention, times, {"voice": 2}, duration_s=4.0)


# ---------------------------------------------------------------- the weight within a span


def _heat(*rows: Sequence[float]) -> Heat:
    share = np.array(rows, dtype=float)
    return Heat(np.arange(len(share)) * 0.5, 0.5, ("face", "voice"), share / share.sum(), "integration")


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(0.0, 2.0), 1.0),
        (Span(0.5, 1.0), 2.4),
        (Span(0.25, 0.75), (0.8 + 2.4) / 2),
        (Span(0.6, 0.6), 2.4),
        (Span(1.5, 9.0), 0.0),
        (Span(2.0, 2.0), 0.0),
        (Span(7.0, 8.0), 0.0),
    ],
)
def test_local_weight_is_relative_to_the_clips_average(span: Span, expected: float) -> None:
    heat = _heat((1, 1), (3, 1), (1, 1), (0, 1))
    assert local_weight(heat, "face", span) == pytest.approx(expected, abs=1e-5)
    assert local_weight(heat, "voice", span) == pytest.approx(1.0)


def test_local_weight_of_an_unknown_modality_is_average() -> None:
    assert local_weight(_heat((1, 0.5), (3, 0.5)), "words", Span(0, 1)) == 1.0


# ---------------------------------------------------------------- a real clip


def test_a_real_clip_has_heat_where_it_was_judged(hero_data: Path, fusion: Fusion) -> None:
    from hero.config import load_preset
    from hero.integrate.weigh import POSTERIORS
    from hero.media.clip import Clip
    from hero.observe.expert import Context
    from hero.observe.stream import observe

    clip = Clip.open(next((hero_data / "ravdess_video").glob("*.mp4")))
    line = observe(clip, load_preset("embedded"), Context(clip))
    heat = fusion_heat(line, fusion, experts=POSTERIORS)
    assert heat is not None and heat.modalities == ("face", "voice")
    assert heat.share.sum() == pytest.approx(1.0) and 30 <= len(heat.times_s) <= 40
    speech = [s.span for s in line.spans("voice_emotion", "windows")]
    assert min(local_weight(heat, "voice", span) for span in speech) > 1.0
