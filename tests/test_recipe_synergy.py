"""The synergy recipe end to end at its tiny preset: trains, judges, writes, and picks up where it stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hero.media.clip import Clip

torch = pytest.importorskip("torch", reason="training needs PyTorch")

RECIPES = Path(__file__).parents[1] / "recipes"
DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(RECIPES))
    yield __import__("synergy")
    for name in ("synergy", "synergy_fit", "synergy_portrait"):
        sys.modules.pop(name, None)


def features(folder: Path, clips: int = 3) -> Path:
    """Feature tracks as `hero observe` writes them: a slow picture track and a fast sound track of one rhythm."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(clips):
        line = np.convolve(rng.normal(size=400), np.ones(15) / 4, "same")
        slow_s, fast_s = np.arange(100) / 25, np.arange(200) / 50
        shared = [np.interp(at, np.arange(400) / 100, line)[:, None] for at in (slow_s, fast_s)]
        save_file(
            {
                "motion_features.features.values": (shared[0] * rng.normal(size=(1, 6))).astype(np.float32),
                "motion_features.features.times_s": slow_s, "motion_features.features.mask": np.ones(100, bool),
                "voice_features.features.values": (shared[1] * np.linspace(0.5, 2, 5)).astype(np.float32),
                "voice_features.features.times_s": fast_s, "voice_features.features.mask": np.ones(200, bool),
            },
            folder / f"clip{number}.safetensors",
        )  # fmt: skip
    return folder


def run(recipe, monkeypatch: pytest.MonkeyPatch, *args: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["synergy.py", *map(str, args)])
    recipe.main()


def test_trains_on_feature_tracks(recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hero import weights

    folder, out = features(tmp_path / "features"), tmp_path / "out"
    save_file({"motion_features.features.values": np.zeros((3, 6), np.float32)}, folder / "mute.safetensors")
    (tmp_path / "who.csv").write_text("clip0,anna\nclip1,anna\nclip2,ben\n")
    run(recipe, monkeypatch, "--features", folder, "--preset", "tiny", "--out", out, "--speakers", tmp_path / "who.csv")
    report = json.loads((out / "report.json").read_text())
    assert 0 <= report["scores"]["real speakers held out"] <= 1
    read = weights.read("synergy", out)
    assert read.card["ids_seen"] == ["clip0", "clip1", "clip2"]
    assert read.tensors["motion.linear.weight"].shape == (8, 12)
    assert read.tensors["audio.linear.weight"].shape == (8, 10)


def test_trains_on_portraits_and_resumes(recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skimage", reason="the portrait comes with scikit-image")
    soundfile = pytest.importorskip("soundfile")
    speech = np.concatenate([block.samples for block in Clip.open(DEMO).sound(rate_hz=16_000)])
    for name, piece in zip(("anna", "ben"), np.array_split(speech, 2), strict=True):
        soundfile.write(tmp_path / f"{name}.wav", piece, 16_000)
    arguments = ("--speech", tmp_path, "--preset", "tiny", "--out", tmp_path / "out")
    run(recipe, monkeypatch, *arguments)
    first = (tmp_path / "out" / "synergy.safetensors").read_bytes()
    kept = next((tmp_path / "out").glob("pretrained-*.safetensors"))
    monkeypatch.setattr(recipe.synergy_fit, "train", None)  # everything is there already
    run(recipe, monkeypatch, *arguments)
    assert (tmp_path / "out" / "synergy.safetensors").read_bytes() == first
    assert kept.is_file()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--preset", "huge"), "no synergy preset is called 'huge'; known: embedded, tiny"),
        (("--preset", "tiny"), "there is nothing to train on"),
    ],
)
def test_wrong_wishes_end_in_one_line(recipe, tmp_path, monkeypatch, capsys, args, message) -> None:
    with pytest.raises(SystemExit) as ended:
        run(recipe, monkeypatch, *args, "--out", tmp_path)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_unknown_settings_fail(recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hero.errors import ConfigError

    (tmp_path / "odd.yaml").write_text("films: 0\nsounds: 1\ncopies: 1\nfilm_weight: 1.0\nfit: {width: 3}\n")
    monkeypatch.setattr(recipe, "PRESETS", tmp_path)
    with pytest.raises(ConfigError, match="width"):
        recipe.load_preset("odd")


def test_both_sides_of_a_square_are_disturbed_alike(recipe) -> None:
    from hero.data.sync_pairs import Batch

    fit = recipe.load_preset("tiny").fit
    blank = np.ones((8, 50, 4), np.float32)
    known = np.ones((8, 50), bool)
    out = recipe.synergy_fit.disturb(Batch(blank, known, blank, known, np.tile([1, 1, 0, 0], 2).astype(np.float32)), fit,
                                     np.random.default_rng(0))  # fmt: skip
    for first in (0, 4):
        aa, bb, ab, ba = range(first, first + 4)
        np.testing.assert_array_equal(out.motion[aa], out.motion[ab])
        np.testing.assert_array_equal(out.motion[bb], out.motion[ba])
        np.testing.assert_array_equal(out.audio[aa], out.audio[ba])
        np.testing.assert_array_equal(out.audio[bb], out.audio[ab])
        assert not np.array_equal(out.motion[aa], out.motion[bb])


def test_auc_with_weights(recipe) -> None:
    auc = recipe.synergy_fit.auc
    scores, belongs = np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 1, 0, 0])
    assert auc(scores, belongs) == 0.75
    assert auc(scores, belongs, np.array([1.0, 0.0, 1.0, 1.0])) == 1.0
    assert auc(np.zeros(4), belongs) == 0.5


def test_a_control_scores_both_answers_alike(recipe, tmp_path: Path) -> None:
    from hero.data.sync_pairs import from_features

    fit = recipe.load_preset("tiny").fit
    files = sorted(features(tmp_path / "features").glob("*.safetensors"))
    clips = [from_features(path, "motion_features.features", "voice_features.features") for path in files]
    model = recipe.synergy_fit.build(fit, 6, 5, 0).eval()
    for blind in ("picture", "sound"):
        judged = recipe.synergy_fit.judge(model, clips, fit, blind=blind)
        assert judged.auc() == pytest.approx(0.5, abs=1e-3) and len(judged.pairs) > 0
    assert recipe.synergy_fit.judge(model, clips, fit).auc() != 0.5
