"""The synergy model at use: one time axis, the NumPy forward pass against PyTorch, sliding windows, the licence switch."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hero import weights
from hero.errors import InputError, WeightsError
from hero.observe.synergy import SynergyExpert
from hero.observe.synergy.axis import (
    AUDIO_COLUMNS,
    MOTION_COLUMNS,
    lips_and_sound,
    normalise_lips,
    normalise_sound,
    resample,
)
from hero.observe.synergy.learned import STEP_S, SynergyModel, forward
from hero.observe.voice import COLUMNS as PROSODY
from hero.types import Observation, Track


def track(values: np.ndarray, rate_hz: float, mask: np.ndarray | None = None) -> Track:
    values = np.asarray(values, float)
    values = values[:, None] if values.ndim == 1 else values
    known = np.ones(len(values), bool) if mask is None else mask
    columns = tuple(str(n) for n in range(values.shape[1]))
    return Track("t", values, np.arange(len(values)) / rate_hz, known, columns)


def test_a_slow_track_is_joined_by_straight_lines() -> None:
    values, mask = resample(track(np.arange(10.0), 5.0), np.arange(40) * 0.04)
    assert mask.all()
    np.testing.assert_allclose(values[:, 0], np.arange(40) * 0.2, atol=1e-5)


def test_a_fast_track_is_averaged() -> None:
    times_s = (np.arange(20) + 0.5) * 0.04
    values, mask = resample(track(np.tile([0.0, 4.0], 50), 100.0), times_s)
    assert mask.all()
    np.testing.assert_allclose(values[:, 0], 2.0)


def test_nothing_is_made_up_across_holes_or_beyond_the_ends() -> None:
    known = np.ones(50, bool)
    known[10:25] = False  # 0.6 s at 25 rows a second
    line = np.where(known, np.arange(50.0), 1e6)
    values, mask = resample(track(line, 25.0, known), np.arange(-5, 60) * 0.04)
    assert not mask[:5].any() and not mask[55:].any()
    assert not mask[5 + 10 : 5 + 25].any() and mask[5:14].all() and mask[5 + 26 : 55].all()
    assert values.max() < 50 and (values[~mask] == 0).all()


def test_masked_rows_do_not_enter_an_average() -> None:
    known = np.tile([True, False], 100)
    values, mask = resample(track(np.where(known, 1.0, 99.0), 100.0, known), (np.arange(40) + 0.5) * 0.04)
    assert mask.all()
    np.testing.assert_allclose(values[:, 0], 1.0)


def test_single_values_may_be_missing_in_one_column_only() -> None:
    values = np.ones((50, 2))
    known = np.ones((50, 2), bool)
    known[20:40, 1] = False
    mask = resample(Track("t", values, np.arange(50) / 25, known, ("a", "b")), np.arange(50) * 0.04)[1]
    assert mask[:, 0].all() and not mask[22:38, 1].any()


def test_an_empty_track_is_masked_everywhere() -> None:
    values, mask = resample(track(np.zeros((0, 3)), 25.0), np.arange(5) * 0.04)
    assert values.shape == (5, 3) and not mask.any()


def prosody(envelope: np.ndarray, gain_db: float = 0.0) -> Track:
    """The voice expert's table, 100 rows a second; speech where the envelope stands out."""
    talk = envelope > 0.05
    zeros = np.zeros(envelope.size)
    named = {"loudness_db": -60 + 35 * envelope + gain_db, "tilt_db": -20 * envelope, "hnr_db": 15 * envelope,
             "speech": talk.astype(float)}  # fmt: skip
    values = np.stack([named.get(name, zeros) for name in PROSODY], axis=1)
    mask = np.stack([talk if name == "hnr_db" else np.ones(talk.size, bool) for name in PROSODY], axis=1)
    return Track("prosody", values, (np.arange(envelope.size) + 0.5) / 100, mask, PROSODY)


def syllables(seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t, at, envelope = np.arange(round(seconds * 100)) / 100, 0.3, np.zeros(round(seconds * 100))
    while at < seconds - 0.3:
        envelope = np.maximum(envelope, rng.uniform(0.5, 1) * np.exp(-0.5 * ((t - at) / 0.07) ** 2))
        at += rng.uniform(0.2, 0.45)
    return envelope


def seen_and_heard(envelope: np.ndarray, shift_s: float = 0.0) -> dict[str, Observation]:
    """Observations of a face that opens with the envelope, and of a voice that comes `shift_s` later."""
    times_s = np.arange(int(envelope.size / 100 * 25)) / 25
    opened = np.interp(times_s, np.arange(envelope.size) / 100, envelope)
    known = np.ones(times_s.size, bool)
    mouth = Track("mouth", np.stack([0.3 * opened, 0.8 - 0.05 * opened, 1 + 0.2 * opened], 1), times_s, known,
                  ("opening", "width", "jaw"))  # fmt: skip
    cues = Track("cues", -0.9 - 0.3 * opened, times_s, known, ("lip_lower",))
    late = np.interp(np.arange(envelope.size) / 100 - shift_s, np.arange(envelope.size) / 100, envelope)
    return {
        "face": Observation("face", "face", {"mouth": mouth, "cues": cues}),
        "voice": Observation("voice", "voice", {"prosody": prosody(late)}),
    }


def test_normalised_sides_do_not_depend_on_recording_level_or_face_size() -> None:
    envelope = syllables()
    np.testing.assert_allclose(normalise_sound(prosody(envelope)).values,
                               normalise_sound(prosody(envelope, gain_db=12)).values, atol=1e-4)  # fmt: skip
    lips = lips_and_sound(seen_and_heard(envelope))[0]
    wide = Track("motion", 2 * lips.values + 1, lips.times_s, lips.mask, lips.columns)
    np.testing.assert_allclose(normalise_lips(lips).values[:, 0], normalise_lips(wide).values[:, 0], atol=1e-3)
    still = Track("motion", np.ones((50, 4)) + 1e-4, np.arange(50) / 25, np.ones(50, bool), MOTION_COLUMNS)
    assert np.abs(normalise_lips(still).values).max() < 0.01  # a still mouth is not blown up to movement


def test_sides_name_what_is_missing() -> None:
    with pytest.raises(InputError, match="face expert brought no cues; give a clip with a speaking face"):
        found = seen_and_heard(syllables())
        del found["face"].tracks["cues"]
        lips_and_sound(found)


def test_numpy_equals_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="the model's other implementation needs PyTorch")
    from hero.nn.cross_modal import CrossModalTransformer

    torch.manual_seed(0)
    net = CrossModalTransformer(motion_dim=4, audio_dim=3, dim=16, heads=4, kernel=5, reach=6).eval()
    for weight in net.parameters():
        weight.data += 0.2 * torch.randn_like(weight)
    rng = np.random.default_rng(0)
    motion, audio = (rng.normal(size=(5, 30, n)).astype(np.float32) for n in (4, 3))
    seen, heard = (rng.uniform(size=(5, 30)) > 0.2 for _ in range(2))
    seen[3] = False
    heard[4] = False
    expected = net(*(torch.from_numpy(x) for x in (motion, seen, audio, heard)))
    tensors = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    got = forward(tensors, motion, seen, audio, heard, heads=4)
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-4)


def test_tracks_of_the_shipped_model() -> None:
    model = SynergyModel.load()
    motion, sound = lips_and_sound(seen_and_heard(syllables()))
    found = model.tracks(normalise_lips(motion), normalise_sound(sound))
    assert found is not None
    features, belongs = found
    assert features.values.shape == (features.times_s.size, 32)
    np.testing.assert_allclose(np.diff(features.times_s), STEP_S, atol=1e-9)
    assert features.valid.all() and np.abs(features.values).max() > 0.1
    assert belongs.columns == ("probability",) and belongs.valid.all()
    assert belongs.values.min() >= 0 and belongs.values.max() <= 1
    assert belongs.times_s[-1] == pytest.approx(features.times_s[-1] + STEP_S / 2)


def test_a_shifted_sound_is_less_likely_to_belong() -> None:
    model, means = SynergyModel.load(), {}
    for shift_s in (0.0, 0.5):
        motion, sound = lips_and_sound(seen_and_heard(syllables(6.0), shift_s))
        found = model.tracks(normalise_lips(motion), normalise_sound(sound))
        assert found is not None
        means[shift_s] = float(found[1].values.mean())
    assert means[0.0] > means[0.5] + 0.1


def test_hidden_lips_and_silence_are_not_judged() -> None:
    model = SynergyModel.load()
    motion, sound = lips_and_sound(seen_and_heard(syllables()))
    hidden = Track("motion", motion.values, motion.times_s, motion.times_s < 0.5, motion.columns)
    for seen, heard in ((hidden, sound), (motion, prosody(np.zeros(400)))):
        found = model.tracks(normalise_lips(seen), normalise_sound(heard))
        assert found is not None and not found[1].valid.any()


def test_a_clip_shorter_than_the_window_has_no_learned_tracks() -> None:
    motion, sound = lips_and_sound(seen_and_heard(syllables(1.5)))
    assert SynergyModel.load().tracks(normalise_lips(motion), normalise_sound(sound)) is None


def test_lips_seen_rarely_are_not_judged() -> None:
    motion, sound = lips_and_sound(seen_and_heard(syllables()))
    rare = Track("motion", motion.values[::5], motion.times_s[::5], motion.mask[::5], motion.columns)
    assert SynergyModel.load().tracks(normalise_lips(rare), normalise_sound(sound)) is None


def test_weights_for_other_columns_are_refused(tmp_path: Path) -> None:
    card = {"name": "synergy", "licence": "none", "commercial": True, "data": "none", "ids_seen": []}
    weights.write(tmp_path / "synergy.safetensors", {"x": np.zeros(1, np.float32)},
                  {**card, "motion": list(MOTION_COLUMNS), "audio": [*AUDIO_COLUMNS, "more"]})  # fmt: skip
    with pytest.raises(WeightsError, match="train them again"):
        SynergyModel.load(tmp_path)


@pytest.mark.parametrize(("licence", "used"), [("any", True), ("open", False)])
def test_the_expert_brings_the_tracks_unless_the_licence_forbids_it(licence: str, used: bool) -> None:
    expert = SynergyExpert()
    assert expert.start(SimpleNamespace(lang="en", licence=licence, weights_folder=None)) is None
    found = expert.finish(seen_and_heard(syllables()))
    assert {"features", "belongs"} <= set(found.tracks) if used else {"features", "belongs"}.isdisjoint(found.tracks)
    assert [model.name for model in found.models] == (["synergy"] if used else [])
    assert bool(expert.identity) is used
    assert "sync" in found.tracks
