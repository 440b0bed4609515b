"""Synergy on encoder features: the tracks that the weights name, on one axis, or the side that is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hero import weights
from hero.errors import ConfigError
from hero.nn.cross_modal import CrossModalTransformer
from hero.observe.expert import Context, create
from hero.observe.synergy.axis import resample, standardised
from hero.types import Observation, Track

SIDES = {"motion": "motion_features.features", "audio": "voice_features.features"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = CrossModalTransformer(motion_dim=6, audio_dim=5, dim=8, layers=2, heads=2)
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    card = {"name": "synergy", "licence": "CC0-1.0", "commercial": True, "data": "none", "ids_seen": [],
            "window_s": 2.0, "heads": 2, "scale": 1.0, "shift": 0.0, **SIDES}  # fmt: skip
    weights.write(tmp_path / "synergy.safetensors", tensors, card)
    return tmp_path


def earlier(seconds: float = 4.0, columns: int = 6) -> dict[str, Observation]:
    """Windows of 0.64 s of picture, 50 steps of sound a second."""
    rng = np.random.default_rng(0)
    found = {}
    for expert, modality, step_s, width in (
        ("motion_features", "motion", 0.64, columns), ("voice_features", "voice", 0.02, 5),
    ):  # fmt: skip
        times_s = np.arange(step_s / 2, seconds, step_s)
        values = rng.normal(3, 2, (times_s.size, width)).astype(np.float32)
        track = Track("features", values, times_s, np.ones(times_s.size, bool), tuple(map(str, range(width))))
        found[expert] = Observation(expert, modality, {"features": track})
    return found


def finish(folder: Path, given: dict[str, Observation]) -> Observation:
    expert = create("synergy_features")
    assert expert.start(Context(None, settings={"weights": str(folder)})) is None  # type: ignore[arg-type]
    return expert.finish(given)


def test_both_sides_meet_on_one_axis(folder: Path) -> None:
    given = earlier()
    found = finish(folder, given)
    features, belongs = found.tracks["features"], found.tracks["belongs"]
    assert features.values.shape[1] == 8 and np.allclose(np.diff(features.times_s), 0.04)
    assert belongs.mask.all() and ((belongs.values > 0) & (belongs.values < 1)).all()
    model = CrossModalTransformer(motion_dim=6, audio_dim=5, dim=8, layers=2, heads=2)
    read = weights.read("synergy", folder)
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in read.tensors.items()})
    window = features.times_s[:50]
    sides = [resample(standardised(obs.tracks["features"]), window) for obs in given.values()]
    inputs = [torch.from_numpy(part)[None] for values, mask in sides for part in (values, mask.all(axis=1))]
    with torch.no_grad():
        _, logit = model.eval()(*inputs)
    assert belongs.values[0, 0] == pytest.approx(float(torch.sigmoid(logit)), abs=1e-4)


def test_why_it_is_absent(folder: Path) -> None:
    short = finish(folder, earlier(1.5))
    assert short.absent and "shorter than the model's window of 2 s" in short.absent.reason
    narrow = finish(folder, earlier(columns=4))
    assert narrow.absent and "6 columns of motion_features.features, it has 4" in narrow.absent.reason
    alone = {"voice_features": earlier()["voice_features"]}
    assert "nothing from motion_features" in finish(folder, alone).absent.reason  # type: ignore[union-attr]


def test_settings(folder: Path, tmp_path: Path) -> None:
    def start(**settings: object) -> object:
        return create("synergy_features").start(Context(None, settings=settings))  # type: ignore[arg-type]

    assert "recipes/synergy.py" in start().cure  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"holds no synergy\.safetensors"):
        start(weights=str(tmp_path / "empty"))
    with pytest.raises(ConfigError, match="embedded experts' measures"):
        start(weights=str(weights.PACKAGED))
    with pytest.raises(ConfigError, match="known: weights"):
        start(weight="x")
