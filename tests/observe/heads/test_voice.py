"""The voice head: forwards, features that ignore the level, clear answers to bad sound, and real speech."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hero import weights
from hero.errors import InputError, UsageError, WeightsError
from hero.labels import LABELS
from hero.observe.heads import acoustic, contours, networks, spectra, voice
from hero.observe.heads.voice import VoiceHead

if TYPE_CHECKING:
    from pathlib import Path

RATE = 16_000


def voiced(seconds: float = 1.6, *, hz: float = 180.0, glide: float = 0.0) -> np.ndarray:
    """A buzzing vowel in four syllables with silence around it."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(hz * 2.0 ** (glide * time / seconds / 12.0)) / RATE
    buzz = sum(np.sin(order * phase) / order for order in range(1, 15))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time), 0.02, None)
    silence = np.zeros(RATE // 2)
    hiss = 1e-4 * np.random.default_rng(0).standard_normal(len(time) + 2 * len(silence))
    return (0.1 * np.concatenate([silence, buzz * syllables, silence]) + hiss).astype(np.float32)


def seeded(tmp_path: Path, *, nets: int = 2) -> VoiceHead:
    """A head with random weights, written and read like a trained one."""
    rng = np.random.default_rng(1)
    size = list(acoustic.blocks().values())[-1].stop
    tensors = {"mean": rng.normal(size=size), "scale": 1 + rng.random(size), "net_factor": np.ones(1)}
    tensors |= {"linear.weight": rng.normal(size=(size, 8)) / 50, "linear.bias": rng.normal(size=8)}
    for net in range(nets):
        tensors |= {f"net.{net}.in.weight": rng.normal(size=(size, 16)) / 50, f"net.{net}.in.bias": rng.normal(size=16)}
        tensors |= {f"net.{net}.out.weight": rng.normal(size=(16, 8)), f"net.{net}.out.bias": rng.normal(size=8)}
    card = {"name": "t", "licence": "MIT", "commercial": True, "data": "none", "ids_seen": []}
    stored = {name: value.astype(np.float32) for name, value in tensors.items()}
    weights.write(tmp_path / "voice_emotion.safetensors", stored, card)
    return VoiceHead.load(tmp_path)


def test_perceptron_equals_torch() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(30, 12), torch.nn.ReLU(), torch.nn.Linear(12, 5))
    names = {
        "n.in.weight": net[0].weight.T,
        "n.in.bias": net[0].bias,
        "n.out.weight": net[2].weight.T,
        "n.out.bias": net[2].bias,
    }
    x = torch.randn(7, 30)
    ours = networks.perceptron(x.numpy(), {name: value.detach().numpy() for name, value in names.items()}, "n")
    np.testing.assert_allclose(ours, net(x).detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(networks.log_softmax(ours), net(x).log_softmax(1).detach().numpy(), atol=1e-5)


def test_log_probabilities_add_linear_scores_and_mean_log_votes(tmp_path: Path) -> None:
    tensors = seeded(tmp_path).tensors
    vectors = np.random.default_rng(2).normal(size=(3, len(tensors["mean"]))).astype(np.float32)
    vectors[0, :50] = np.nan
    x = np.clip((vectors - tensors["mean"]) / tensors["scale"], -4, 4)
    x[0, :50] = 0.0
    logits = x @ tensors["linear.weight"] + tensors["linear.bias"]
    for net in ("net.0", "net.1"):
        hidden = np.maximum(x @ tensors[f"{net}.in.weight"] + tensors[f"{net}.in.bias"], 0)
        vote = np.exp(hidden @ tensors[f"{net}.out.weight"] + tensors[f"{net}.out.bias"])
        logits = logits + 0.5 * np.log(vote / vote.sum(1, keepdims=True))
    wanted = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(np.exp(voice.log_probabilities(vectors, tensors)), wanted, rtol=1e-3, atol=1e-6)


def test_batch_norm_folded_into_trained_perceptron() -> None:
    torch = pytest.importorskip("torch")
    norm = torch.nn.BatchNorm1d(4).eval()
    norm.running_mean[:], norm.running_var[:] = torch.arange(4.0), 1.0 + torch.arange(4.0)
    layer, x = torch.nn.Linear(6, 4), torch.randn(5, 6)
    gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
    weight = (layer.weight.detach() * gain[:, None]).T.numpy()
    bias = ((layer.bias - norm.running_mean) * gain + norm.bias).detach().numpy()
    np.testing.assert_allclose(networks.linear(x.numpy(), weight, bias), norm(layer(x)).detach().numpy(), atol=1e-5)


def test_pitch_of_a_known_tone() -> None:
    hz, periodicity = contours.pitch(acoustic.utterances(voiced(hz=180.0))[0])
    assert np.nanmedian(hz) == pytest.approx(180.0, rel=0.01)
    assert np.nanmedian(periodicity) > 0.8


def test_rising_pitch_has_a_rising_contour() -> None:
    described = contours.describe(acoustic.utterances(voiced(glide=7.0))[0])
    there = described.f0_semitones[np.isfinite(described.f0_semitones)]
    assert there[-10:].mean() - there[:10].mean() > 4.0


def test_noise_is_mostly_voiceless() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert np.isfinite(contours.pitch(noise)[0]).mean() < 0.1


def test_linear_prediction_solves_the_normal_equations() -> None:
    from scipy.linalg import solve_toeplitz

    signal = np.random.default_rng(3).standard_normal(400)
    lags = np.array([[signal[: 400 - lag] @ signal[lag:] for lag in range(9)]])
    wanted = -solve_toeplitz(lags[0, :-1] * ([1.0001] + [1.0] * 7), lags[0, 1:])
    np.testing.assert_allclose(contours._levinson(lags)[0, 1:], wanted, rtol=1e-4, atol=1e-6)


def test_vector_does_not_depend_on_level_or_surrounding_silence() -> None:
    samples = voiced()
    reference = acoustic.vector(acoustic.utterances(samples)[0])
    for gain in (0.25, 4.0):
        np.testing.assert_allclose(
            acoustic.vector(acoustic.utterances(samples * gain)[0]), reference, atol=0.02, rtol=1e-3
        )
    assert reference.shape == (list(acoustic.blocks().values())[-1].stop,)
    first, last = spectra.speech_bounds(samples)
    assert 0.35 < first / RATE < 0.55
    assert last < len(samples) - RATE // 4


def test_voiceless_sound_has_missing_pitch_measures_not_zeros() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    pieces = acoustic.utterances(noise)
    assert np.isnan(acoustic.vector(pieces[0])).sum() > 50


def test_posterior_is_a_distribution_and_the_same_twice(tmp_path: Path) -> None:
    head, samples = seeded(tmp_path), voiced()
    probs = head.posterior(samples)
    assert probs.shape == (8,)
    assert probs.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(probs, head.posterior(samples.copy()))
    np.testing.assert_allclose(probs, head.posterior(samples * 0.25), atol=0.01)


def test_common_labels_sum_calm_into_neutral(tmp_path: Path) -> None:
    head, samples = seeded(tmp_path), voiced()
    probs, common = head.posterior(samples), head.common(samples)
    named = dict(zip(head.classes, probs, strict=True))
    assert common[LABELS.index("neutral")] == pytest.approx(named["neutral"] + named["calm"])
    assert common[LABELS.index("fear")] == pytest.approx(named["fearful"])
    assert head.seen.tolist() == [True] * len(LABELS)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(RATE, np.float32), np.zeros(0, np.float32), voiced()[RATE // 2 :][:3000]],
    ids=["silent", "empty", "short"],
)
def test_too_little_sound_has_no_posterior(tmp_path: Path, samples: np.ndarray) -> None:
    head = seeded(tmp_path)
    assert head.posterior(samples) is None
    assert head.common(samples) is None


def test_long_speech_is_heard_in_pieces() -> None:
    pieces = acoustic.utterances(voiced(14.0))
    assert [round(len(piece) / RATE) for piece in pieces] == [5, 5, 5]


def test_wrong_sound_says_what_to_do(tmp_path: Path) -> None:
    head = seeded(tmp_path)
    with pytest.raises(UsageError, match="16000 Hz, this has 44100 Hz; resample"):
        head.posterior(voiced(), 44_100)
    with pytest.raises(UsageError, match="mono"):
        head.posterior(np.zeros((2, RATE), np.float32))
    with pytest.raises(InputError, match="NaN"):
        head.posterior(np.full(RATE, np.nan, np.float32))
    with pytest.raises(InputError, match="reaches 1e\\+19"):
        head.posterior(np.full(RATE, 1e19, np.float32))


@pytest.mark.parametrize("kind", ["steady", "click", "square", "noise", "clicks", "step"])
def test_odd_sounds_get_a_distribution_or_nothing(tmp_path: Path, kind: str) -> None:
    place = np.arange(RATE)
    sounds = {"steady": np.ones(RATE), "click": place == 8000, "square": np.sign(np.sin(place * 0.1))}
    sounds |= {
        "noise": np.random.default_rng(0).standard_normal(RATE),
        "clicks": place % 1600 == 0,
        "step": place > 8000,
    }
    probs = seeded(tmp_path).posterior(sounds[kind].astype(np.float32))
    assert probs is None or (np.isfinite(probs).all() and probs.sum() == pytest.approx(1.0))


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "voice_emotion.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="voice_emotion"):
        VoiceHead.load(tmp_path)


def test_packaged_weights_are_marked_non_commercial_and_know_their_actors() -> None:
    card = weights.read_card("voice_emotion")
    assert card["commercial"] is False
    assert "NC" in card["licence"]
    assert len(card["ids_seen"]) == 20
    assert (weights.PACKAGED / "voice_emotion.safetensors").stat().st_size < 2.4e6


def test_packaged_head_hears_real_speech(hero_data: Path) -> None:
    """A smoke test on clips the weights have seen: well above chance, and the same at another level."""
    import soundfile

    head, hits = VoiceHead.load(), 0
    files = sorted((hero_data / "ravdess_speech" / "Actor_03").glob("*.flac"))[::6]
    for path in files:
        samples = soundfile.read(path, dtype="float32")[0]
        probs = head.posterior(samples)
        hits += int(probs.argmax()) == int(path.name.split("-")[2]) - 1
        np.testing.assert_allclose(head.posterior(samples * 0.25), probs, atol=0.02)
    assert hits >= 0.6 * len(files)
