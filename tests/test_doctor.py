"""What runs here and what is missing: broken installs, missing weights, exit codes, and the lists of weights. No network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from empty_places import look_nowhere
from test_checkpoints import put
from typer.testing import CliRunner

from hero import checkpoints, doctor, models
from hero.cli import app
from hero.config import preset_names
from hero.doctor import Part, State
from hero.errors import HeroError

HERO = str(Path(sys.executable).with_name("hero"))
TORCH = """
__version__ = "9.9"
class cuda:
    is_available = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    get_device_name = staticmethod(lambda k: "A card")
    is_bf16_supported = staticmethod(lambda: True)
    get_device_properties = staticmethod(lambda k: type("P", (), {"total_memory": 24 * 2**30}))
class backends:
    class mps:
        is_available = staticmethod(lambda: False)
"""
TRANSFORMERS = "__version__ = '8.8'\nclass PreTrainedModel: pass\n"
WHOLE = {name: Part(name, True, "1") for name in ("torch", "transformers", "ai-edge-litert", "faster-whisper",
                                                  "faster-whisper model", "py-feat", "OpenFace")}  # fmt: skip


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Empty places to look in, and libraries that are stand-ins: nothing of this computer leaks in."""
    look_nowhere(tmp_path, monkeypatch)
    monkeypatch.delenv("OPENFACE_BIN", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.syspath_prepend(tmp_path / "site")  # where torch is not installed it is found here
    monkeypatch.setenv("COLUMNS", "300")
    library(tmp_path, "torch", TORCH)
    library(tmp_path, "transformers", TRANSFORMERS)
    return {"own": tmp_path / "own", "cache": tmp_path / "cache" / "models"}


def library(tmp_path: Path, name: str, code: str) -> None:
    """A package that stands before the installed one."""
    folder = tmp_path / "site" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text(code)


def hero(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HERO, *map(str, words)], capture_output=True, text=True, check=False, timeout=120)


def test_torch_that_works_tells_of_its_gpu() -> None:
    part, about = doctor._try("torch", doctor.TORCH)
    assert part == Part("torch", True, "9.9")
    assert doctor._device(about) == Part("GPU", True, "A card, 24 GiB, bf16")


@pytest.mark.parametrize(("code", "said"), [
    ("raise ImportError('libcudart.so.12: cannot open')", "ImportError: libcudart.so.12: cannot open"),
    ("raise RuntimeError('operator torchvision::nms does not exist')", "RuntimeError: operator torchvision::nms"),
    ("import os; os.kill(os.getpid(), 9)", "it ended with signal 9"), ("import sys; sys.exit(0)", "it cannot be tried"),
    ("__version__ = None", "AttributeError"),
])  # fmt: skip
def test_torch_that_is_broken_is_reported(tmp_path: Path, code: str, said: str) -> None:
    library(tmp_path, "torch", code)
    part, about = doctor._try("torch", doctor.TORCH)
    assert not part.here
    assert said in part.detail
    assert "reinstall" in part.cure
    assert doctor._device(about).cure == "install torch first"


def test_torch_that_hangs_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library(tmp_path, "torch", "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.3)
    assert "no end" in doctor._try("torch", doctor.TORCH)[0].detail


def test_an_encoder_needs_its_libraries_and_all_its_checkpoints(places: dict[str, Path]) -> None:
    settings = {"model": {"en": "hubert-large-ll60k", "zh": "chinese-hubert-large"}}
    state = doctor.judge("voice_features", settings, WHOLE)
    assert (state.how, state.cure) == ("absent", "hero models fetch hubert-large-ll60k chinese-hubert-large")
    assert "2.5 GB" in state.reason
    put(places["cache"] / "hubert-large-ll60k", {"model_type": "hubert"})
    state = doctor.judge("voice_features", settings, WHOLE)
    assert (state.how, state.cure) == ("partly", "hero models fetch chinese-hubert-large")
    put(places["own"] / "chinese-hubert-large", {"model_type": "hubert"})
    assert doctor.judge("voice_features", settings, WHOLE) == State("voice_features", "runs")
    broken = {**WHOLE, "torch": Part("torch", False, "not installed", "pip install torch")}
    assert doctor.judge("voice_features", settings, broken) == State(
        "voice_features", "absent", "torch: not installed", "pip install torch"
    )


def test_a_damaged_checkpoint_is_told_with_its_cure(places: dict[str, Path]) -> None:
    put(places["cache"] / "bert-base-uncased", weights=b"short")
    state = doctor.judge("words_features", {"model": "bert-base-uncased"}, WHOLE)
    assert state.how == "absent"
    assert "its header cannot be read" in state.reason
    assert "hero models fetch bert-base-uncased" in state.cure


def test_random_checkpoints_are_made_when_they_are_needed() -> None:
    assert doctor.judge("scene_features", {"model": "tiny-clip"}, WHOLE).how == "runs"


@pytest.mark.parametrize(("expert", "settings", "how", "said"), [
    ("voice", {}, "runs", ""), ("motion", {"fps": 10}, "runs", ""), ("text_emotion", {}, "runs", ""),
    ("face", {}, "absent", "landmark models are not on this computer"), ("face_emotion", {}, "absent", "landmark models"),
    ("synergy", {}, "partly", "without the face"), ("sounds", {}, "absent", "YAMNet"),
    ("words", {"recognizer": "auto"}, "runs", ""), ("words", {"recognizer": "none"}, "partly", "with a transcript only"),
    ("words", {"recognizer": "whisper-small"}, "partly", "not at hand: whisper-small"),
    ("words", {"recognizer": "whisper-smal"}, "partly", "no checkpoint is called 'whisper-smal'"),
    ("scene", {"clip": "auto"}, "partly", "no CLIP folder"), ("au", {"source": "mediapipe"}, "absent", "landmark"),
    ("au", {"source": "openface"}, "absent", "needs a table"), ("au", {"source": "openface", "table": "t.csv"}, "runs", ""),
    ("au", {"source": "feature_extraction"}, "runs", ""), ("scene_features", {"model": "nonsense"}, "absent", "no checkpoint"),
    ("scene_features", {"model": "./none"}, "absent", "there is no folder"), ("smell", {}, "absent", "no expert has that name"),
    ("synergy_features", {"weights": "none"}, "absent", "no synergy weights"),
])  # fmt: skip
def test_every_expert_is_judged(expert: str, settings: dict[str, str], how: str, said: str) -> None:
    state = doctor.judge(expert, settings, WHOLE)
    assert state.how == how, state
    assert said in state.reason
    assert bool(state.cure) == (how != "runs")


def test_words_without_a_recogniser_still_read_transcripts() -> None:
    parts = {**WHOLE, "faster-whisper": Part("faster-whisper", False, "not installed", "pip install it")}
    state = doctor.judge("words", {"recognizer": "auto"}, parts)
    assert (state.how, state.cure) == ("partly", "pip install it")
    assert "with a transcript only; faster-whisper: not installed" in state.reason


def test_the_report_of_all_presets() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert set(report["presets"]) == set(preset_names())
    assert {part["name"]: part["here"] for part in report["parts"]}["torch"] is True
    machine = report["machine"]
    assert machine["cores"] >= 1
    assert machine["cache_free_bytes"] > 0
    assert machine["memory_bytes"] is None or machine["memory_bytes"] > 2**28


def asked(*words: str | Path) -> tuple[int, str]:
    """The exit code and the output of the command, run in this process."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(done.exception, HeroError):
        return done.exception.exit_code, done.exception.line
    return done.exit_code, done.output


def test_for_people_and_the_exit_codes(tmp_path: Path) -> None:
    library(tmp_path, "torch", "raise RuntimeError('this build fits no driver here')")
    code, shown = asked("doctor", "--preset", "hero")
    assert code == 0, shown
    for part in ("this build fits no driver here", "preset hero:", "scene_features", "cores", "free for"):
        assert part in shown
    assert asked("doctor", "--preset", "hero", "--strict")[0] == 3
    alone = tmp_path / "alone.yaml"
    alone.write_text("name: alone\nexperts: {scene_features: {model: clip-vit-base-patch32}}\n")
    assert asked("doctor", "--preset", alone)[0] == 3
    alone.write_text("name: alone\nexperts: {motion: {}}\n")
    assert asked("doctor", "--preset", alone, "--strict")[0] == 0
    assert asked("doctor", "--preset", "magic")[0] == 2
    code, told = asked("doctor", "--strict")
    assert code == 2 and "add --preset" in told


def test_models_lists_checkpoints(places: dict[str, Path]) -> None:
    put(places["cache"] / "bert-base-uncased")
    put(places["own"] / "wavlm-large", {"model_type": "bert"})
    shown = CliRunner().invoke(app, ["models"]).stdout
    rows = {line.split()[0]: line for line in shown.splitlines() if line.split()}
    assert all(name in rows for name in checkpoints.catalogue())
    assert rows["bert-base-uncased"].rstrip().endswith("here")
    assert rows["whisper-large-v3"].split()[1:] == ["3.09", "GB", "Apache-2.0", "yes", "hero", "to", "fetch"]
    assert "CC-BY-NC-4.0" in rows["videomae-v2-base"]
    assert "is not a speech_encoder checkpoint" in rows["wavlm-large"]
    listed = {row["name"]: row for row in json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)}
    assert {*models.entries(), *checkpoints.catalogue(), "voice_emotion"} <= set(listed)
    assert listed["bert-base-uncased"]["where"] == str(places["cache"] / "bert-base-uncased")
    assert listed["videomae-v2-base"]["commercial"] is False


def test_fetch_and_pack_by_name(places: dict[str, Path], tmp_path: Path) -> None:
    put(places["cache"] / "bert-base-uncased")
    code, shown = asked("models", "fetch", "bert-base-uncased")
    assert code == 0, shown
    assert asked("models", "fetch", "bert-bas-uncased")[0] == 2
    code, shown = asked("models", "pack", tmp_path / "usb", "bert-base-uncased")
    assert (code, shown.split()) == (0, [str(tmp_path / "usb" / "bert-base-uncased")])
    assert asked("models", "pack", tmp_path / "usb", "wavlm-large")[0] == 3
    alone = tmp_path / "alone.yaml"
    alone.write_text(
        "name: alone\nexperts: {words_features: {model: {en: bert-base-uncased, zh: ./own}}, motion: {}}\n"
    )
    code, shown = asked("models", "fetch", "--preset", alone)
    assert code == 0, shown


def test_a_fetch_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("PYTHONPATH", os.devnull)
    done = hero("models", "fetch", "bert-base-uncased")
    assert done.returncode == 3
    assert [line for line in done.stderr.splitlines() if line.startswith("hero: ")] == done.stderr.splitlines()
    assert "hero models pack" in done.stderr
