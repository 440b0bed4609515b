"""Connectors at work: feature tracks become feature tensors, and, once a decoder is trained, descriptive evidence.

What nobody trained is never used to answer: without a trained checkpoint there is no decoded text, evidence comes from
measurements alone, and a note in the provenance says so.

Legend: T steps of a track, I its columns, Q queries, D feature columns, W the language model's width.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np

from hero import models
from hero.errors import WeightsError
from hero.labels import LABELS
from hero.phrases import LANGUAGES, phrases
from hero.types import Evidence, Modality, ModelUsed, Observation, Span, Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.nn.connector import Connectors
    from hero.nn.connector_files import Training
    from hero.nn.evidence_decoder import Decoded
    from hero.nn.t5_evidence_decoder import T5EvidenceDecoder
    from hero.pretrained.device import Device

FOLDER, TABLE = "connectors", "connectors.json"
TRACKS = ("features", "units")
"""Tracks that connectors read: an encoder's features, and the AU expert's 35 columns."""
CUE = "decoded"
TEXT_CHARS, BRIEF_CHARS = 400, 60
NOUNS = ("anger", "happiness", "joy", "sadness", "生气", "开心", "难过", "害怕")  # besides the labels' own names
STRENGTH = 0.5  # a decoder does not say how marked a cue is
NO_DECODER = "evidence text comes from measurements: no trained evidence decoder is at hand"


@dataclass(frozen=True, eq=False)
class ConnectorSet:
    """Connectors at hand, in eval mode, with where they came from."""

    connectors: Connectors
    training: Training
    used: ModelUsed


@dataclass(frozen=True, eq=False)
class FeatureTensor:
    """What one modality's features come to (spec 1's Feature_Tensor, one clip of the batch).

    values (Q, D) float32, projected (Q, W) float32 for the language model, `span` the stretch they were taken from.
    Where the modality is missing, `present` is False, `expert` is empty, and the values are the bare queries; `misfit`
    says so where features came that the connector does not read.
    """

    modality: Modality
    expert: str
    values: NDArray[np.float32]
    projected: NDArray[np.float32]
    present: bool
    span: Span | None = None
    misfit: str = ""


@dataclass(frozen=True)
class Description:
    """Decoded evidence, the weights it rests on, and notes for the provenance."""

    evidence: tuple[Evidence, ...] = ()
    models: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()


_loaded: dict[tuple[Path, int, str], ConnectorSet] = {}
_lock = Lock()


def open_connectors(
    setting: str | Path | None, *, licence: Literal["any", "open"] = "any", device: Device = "auto"
) -> ConnectorSet | None:
    """The connectors that a setting names, loaded once per process.

    Args:
        setting: a folder; "auto" for `connectors/` in the folders of weights; "none" or None for no connectors.
        licence: "open" leaves out connectors trained on data for non-commercial use only.
        device: where they compute.

    Raises:
        WeightsError: the named folder holds no connectors, or those found are damaged.
        ConfigError: the device is not here.
    """
    folder = _folder(setting)
    if folder is None:
        return None
    from hero.pretrained.device import resolve
    from hero.pretrained.loading import libraries

    libraries()
    from hero.nn.connector_files import load_connectors

    table = folder / TABLE
    if not table.is_file():
        raise WeightsError(f"{folder} holds no connectors: {TABLE} is missing; name a folder that has it, or none")
    where = resolve(device, "fp32")[0]
    key = (folder.resolve(), table.stat().st_mtime_ns, str(where))
    with _lock:
        if key not in _loaded:
            saved = load_connectors(folder, open_t5=open_t5)
            training = saved.training
            used = ModelUsed("connectors", saved.sha256, training.licence or "none", training.commercial)
            _loaded[key] = ConnectorSet(saved.connectors.to(where).requires_grad_(False), training, used)
        found = _loaded[key]
    return None if licence == "open" and found.training.trained and not found.used.commercial else found


def summarise(observations: Mapping[str, Observation], opened: ConnectorSet) -> dict[Modality, FeatureTensor]:
    """Feature tensors of every modality there is a connector for.

    The first track of a modality that fits is taken: as wide as the connector reads, and from the encoder it was trained
    on where the training names one.
    """
    import torch

    connectors = opened.connectors
    device = next(connectors.parameters()).device
    tensors: dict[Modality, FeatureTensor] = {}
    for modality in connectors.modalities:
        part = connectors.part(modality)
        expert, track, misfit = matching_track(modality, part.dim_in, observations, opened.training)
        if track is None:
            inputs, mask, times = torch.zeros(1, 0, part.dim_in), torch.zeros(1, 0, part.dim_in, dtype=torch.bool), None
        else:
            inputs, mask = torch.from_numpy(track.values)[None].float(), torch.from_numpy(track.mask)[None]  # (1, T, I)
            times = torch.from_numpy(track.times_s).float()[None, :, None].to(device)  # (1, T, 1)
        with torch.inference_mode():
            found = part(inputs.to(device), mask.to(device), times)
        values, projected = (t[0].float().cpu().numpy() for t in (found.tokens, found.projected))
        present = bool(found.present[0])
        span = _span(track) if track is not None and present else None
        tensors[modality] = FeatureTensor(modality, expert if present else "", values, projected, present, span, misfit)
    return tensors


def describe(tensors: Mapping[Modality, FeatureTensor], opened: ConnectorSet | None) -> Description:
    """Evidence that the trained decoder writes of feature tensors, marked as decoded; none without a trained one.

    A text is left out where it is empty, cut off, longer than evidence may be, or names one of the common emotion
    labels: experts describe, only reasoning concludes. Each omission is noted.
    """
    if opened is None or not opened.training.trained or opened.connectors.decoder is None:
        return Description(notes=(NO_DECODER,))
    heard = [tensor for tensor in tensors.values() if tensor.present]
    notes = [tensor.misfit for tensor in tensors.values() if tensor.misfit]
    if not heard:
        return Description(notes=tuple(notes))
    evidence = []
    for tensor, decoded in zip(heard, _decode(heard, opened.connectors), strict=True):
        text = " ".join("".join(c if c.isprintable() else " " for c in decoded.text).split())
        flaw = _flaw(text, decoded)
        if flaw:
            notes.append(f"{tensor.expert}: the decoded text was left out, it {flaw}")
            continue
        expert = f"{tensor.expert}+decoder@{opened.training.revision}"
        assert tensor.span is not None
        evidence.append(
            Evidence(tensor.modality, expert, CUE, text, _brief(text), tensor.span, decoded.confidence, STRENGTH)
        )
    return Description(tuple(evidence), (opened.used,), tuple(notes))


def open_t5(folder: Path, dim_features: int) -> T5EvidenceDecoder:
    """A decoder on the T5 in a local folder in the hub's layout; its feature projection is fresh.

    Raises:
        WeightsError: transformers is missing, or the folder is no whole T5.
    """
    from hero.pretrained.loading import reading

    cure = "give a folder with a T5's config.json, model.safetensors and tokenizer files"
    with reading(folder, "T5", cure=cure):
        hub = import_module("transformers")
        kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
        if kind != "t5":
            raise WeightsError(f"{folder} holds a model of type '{kind}', allowed is 't5'; {cure}")
        model, report = hub.T5ForConditionalGeneration.from_pretrained(
            str(folder), local_files_only=True, weights_only=True, output_loading_info=True
        )
        tokenizer = hub.AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    if lacking := sorted(report["missing_keys"]):  # they would be random numbers
        raise WeightsError(f"{folder} lacks {len(lacking)} tensors such as '{lacking[0]}'; {cure}")
    from hero.nn.t5_evidence_decoder import T5EvidenceDecoder

    return T5EvidenceDecoder(model=model, tokenizer=tokenizer, dim_features=dim_features)


@cache
def _label_words() -> re.Pattern[str]:
    """The common labels as people say them in every language: whole words, or characters where words have no blanks."""
    said = {*LABELS, *NOUNS, *(phrases("labels", lang).say(label) for lang in LANGUAGES for label in LABELS)}
    whole = "|".join(sorted(word for word in said if word.isascii()))
    inside = "|".join(sorted(word for word in said if not word.isascii()))
    return re.compile(rf"\b(?:{whole})\b|{inside}", re.IGNORECASE)


def _flaw(text: str, decoded: Decoded) -> str:
    """Why a decoded text is no evidence; empty where it is."""
    if not text:
        return "is empty"
    if not decoded.finished:
        return "has no end"
    if len(text) > TEXT_CHARS:
        return f"is longer than {TEXT_CHARS} characters"
    named = _label_words().search(text)
    return f"names an emotion ('{named.group()}')" if named else ""


def _brief(text: str) -> str:
    """The first clause, or as much of it as a few words hold."""
    clause = re.split(r"[.;,](?=\s|$)|[。；，]", text, maxsplit=1)[0].strip() or text
    return clause if len(clause) <= BRIEF_CHARS else clause[: BRIEF_CHARS - 1] + "…"


def _decode(tensors: list[FeatureTensor], connectors: Connectors) -> list[Decoded]:
    """One text for each tensor, decoded together: shorter tensors are filled up with masked tokens."""
    import torch

    from hero.nn.connector import TASK_OF

    assert connectors.decoder is not None
    device = next(connectors.parameters()).device
    longest = max(len(tensor.values) for tensor in tensors)
    features = torch.zeros(len(tensors), longest, tensors[0].values.shape[1], device=device)  # (B, Q, D)
    mask = torch.zeros(len(tensors), longest, dtype=torch.bool, device=device)
    for row, tensor in enumerate(tensors):
        features[row, : len(tensor.values)] = torch.from_numpy(tensor.values).to(device)
        mask[row, : len(tensor.values)] = True
    return connectors.decoder.generate(features, mask, [TASK_OF[tensor.modality] for tensor in tensors])


def matching_track(
    modality: Modality, columns: int, observations: Mapping[str, Observation], training: Training
) -> tuple[str, Track | None, str]:
    """The expert and the feature track of a modality that fit a connector of so many columns and its training.

    Where none does: no expert, None, and why none of those that came does (empty where none came).
    """
    encoder = training.encoders.get(modality, "")
    misfits = []
    for obs in observations.values():
        if obs.modality != modality:
            continue
        for track in (obs.tracks[name] for name in TRACKS if name in obs.tracks):
            names = [model.name for model in obs.models]
            if track.values.shape[1] == columns and (not encoder or encoder in names):
                return obs.expert, track, ""
            misfits.append(
                f"{obs.expert} brought {track.values.shape[1]} columns from {', '.join(names) or 'no model'}"
            )
    wanted = f"{columns} columns" + (f" from {encoder}" if encoder else "")
    return "", None, f"the connector of '{modality}' reads {wanted}, but {'; '.join(misfits)}" if misfits else ""


def _span(track: Track) -> Span:
    """From the first valid step to one step after the last."""
    times_s = track.times_s[track.valid]
    step_s = float(np.median(np.diff(times_s))) if times_s.size > 1 else 0.0
    return Span(max(0.0, float(times_s[0])), max(0.0, float(times_s[-1]) + step_s))


def _folder(setting: str | Path | None) -> Path | None:
    if setting is None or str(setting) == "none":
        return None
    if str(setting) == "auto":
        found = (folder / FOLDER for folder in models.folders())
        return next((folder for folder in found if (folder / TABLE).is_file()), None)
    return Path(setting)
