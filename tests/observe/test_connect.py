"""Connectors at work: feature tracks become tensors, and only a trained decoder's descriptive texts become evidence."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hero.errors import ConfigError, WeightsError
from hero.nn.connector import SPEC_SIZES, Connector, Connectors
from hero.nn.connector_files import Training, save_connectors
from hero.nn.evidence_decoder import Decoded, EvidenceDecoder
from hero.observe.connect import (
    NO_DECODER,
    ConnectorSet,
    describe,
    open_connectors,
    summarise,
)
from hero.types import ModelUsed, Observation, Span, Track

TINY = {"dim": 16, "dim_lm": 12, "layers": 1, "heads": 2}
TRAINED = Training(True, "made sentences", "CC-BY-NC-4.0", False, "r7")
USED = ModelUsed("made", "0" * 64, "CC0-1.0")


def _track(name: str, values: np.ndarray, rate_hz: float = 10.0, unit: str = "feature") -> Track:
    steps, columns = values.shape
    mask = np.isfinite(values)
    return Track(name, values, np.arange(steps) / rate_hz + 1.0, mask, tuple(f"f{i}" for i in range(columns)), unit)


def _observation(expert: str, modality: str, track: Track) -> Observation:
    return Observation(expert, modality, {track.name: track}, models=(USED,))


def _random(steps: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(steps, columns)).astype(np.float32)


def _tiny(seed: int = 0) -> Connectors:
    torch.manual_seed(seed)
    parts = {
        "voice": Connector(dim_in=6, queries=4, **TINY),
        "face": Connector(dim_in=35, queries=2, projection="action_units", **TINY),
    }
    return Connectors(parts, EvidenceDecoder(dim_features=16, dim=16, layers=1, heads=2)).eval()


def _set(connectors: Connectors, training: Training = TRAINED) -> ConnectorSet:
    return ConnectorSet(connectors, training, ModelUsed("connectors", "1" * 64, training.licence, training.commercial))


def _heard(**more: object) -> dict[str, Observation]:
    voice = _observation("voice_features", "voice", _track("features", _random(20, 6)))
    units = np.abs(_random(9, 35))
    units[3:5] = np.nan
    return {"voice_features": voice, "au": _observation("au", "face", _track("units", units, 5.0, "FACS")), **more}


def test_spec_shapes_from_observations() -> None:
    torch.manual_seed(0)
    opened = _set(Connectors({m: Connector(**sizes, layers=1) for m, sizes in SPEC_SIZES.items()}).eval(), Training())
    tracks = {
        "scene": _track("features", _random(3, 1024), 1.0),
        "motion": _track("features", _random(5, 768)),
        "face": _track("units", np.abs(_random(30, 35))),
        "voice": _track("features", _random(149, 1024), 50.0),
        "words": _track("features", _random(11, 768)),
    }
    tensors = summarise({f"{m}_features": _observation(f"{m}_features", m, t) for m, t in tracks.items()}, opened)
    assert {m: t.values.shape for m, t in tensors.items()} == {
        "scene": (32, 768), "motion": (32, 768), "face": (8, 768), "voice": (32, 768), "words": (8, 768),
    }  # fmt: skip
    assert {t.projected.shape[1] for t in tensors.values()} == {4096}
    assert all(t.present and t.values.dtype == np.float32 for t in tensors.values())


def test_tensors_say_whence_they_come() -> None:
    tensors = summarise(_heard(), _set(_tiny()))
    assert tensors["voice"].expert == "voice_features"
    assert tensors["voice"].span == Span(1.0, 3.0)
    assert tensors["face"].expert == "au"
    assert tensors["face"].span.end_s == pytest.approx(2.8)


def test_masked_steps_and_their_times_do_not_count() -> None:
    connectors = _tiny()
    values = _random(20, 6)
    values[12:] = np.nan
    whole = summarise({"v": _observation("v", "voice", _track("features", values))}, _set(connectors))["voice"]
    cut = summarise({"v": _observation("v", "voice", _track("features", values[:12]))}, _set(connectors))["voice"]
    assert np.allclose(whole.values, cut.values, atol=1e-5)
    assert whole.span == cut.span


def test_a_missing_modality_is_marked_and_never_described() -> None:
    connectors = _tiny()
    nothing = _observation("v", "voice", _track("features", np.full((4, 6), np.nan, np.float32)))
    for observations in ({}, {"v": nothing}):
        tensors = summarise(observations, _set(connectors))
        assert not tensors["voice"].present
        assert (tensors["voice"].expert, tensors["voice"].span, tensors["voice"].misfit) == ("", None, "")
        assert np.isfinite(tensors["voice"].values).all()
        assert describe(tensors, _set(connectors)).evidence == ()


def test_features_of_another_encoder_are_not_read() -> None:
    bound = replace(TRAINED, encoders={"voice": "hubert-large-ll60k"})
    tensors = summarise(_heard(), _set(_tiny(), bound))
    assert not tensors["voice"].present
    wanted = "the connector of 'voice' reads 6 columns from hubert-large-ll60k, but voice_features brought 6 columns from made"
    assert tensors["voice"].misfit == wanted
    assert wanted in describe(tensors, _set(_tiny(), bound)).notes
    assert summarise(_heard(), _set(_tiny(), replace(bound, encoders={"voice": "made"})))["voice"].present
    wide = {"v": _observation("v", "voice", _track("features", _random(3, 7)))}
    assert "brought 7 columns" in summarise(wide, _set(_tiny()))["voice"].misfit


def test_nothing_untrained_speaks() -> None:
    connectors = _tiny()
    tensors = summarise(_heard(), _set(connectors))
    for opened in (None, _set(connectors, Training()), _set(Connectors({"voice": connectors.part("voice")}))):
        found = describe(tensors, opened)
        assert (found.evidence, found.models, found.notes) == ((), (), (NO_DECODER,))


class _Says:
    """A decoder that says what it is told to, in the order of the tensors."""

    def __init__(self, *said: Decoded) -> None:
        self.said, self.dim_features, self.asked = list(said), 16, []

    def generate(self, features: torch.Tensor, mask: torch.Tensor, tasks: list[str]) -> list[Decoded]:
        self.asked = [tuple(features.shape), mask.sum(dim=1).tolist(), tasks]
        return self.said


def _described(*said: Decoded) -> tuple[object, _Says]:
    connectors, decoder = _tiny(), _Says(*said)
    tensors = summarise(_heard(), _set(connectors))
    standing = SimpleNamespace(decoder=decoder, parameters=connectors.parameters)
    return describe(tensors, ConnectorSet(standing, TRAINED, _set(connectors).used)), decoder  # type: ignore[arg-type]


def test_decoded_evidence_is_marked() -> None:
    found, decoder = _described(
        Decoded("Slow speech,\n low  pitch.", 0.83, True), Decoded("眉毛下压，持续0.7秒。", 0.6, True)
    )
    assert decoder.asked == [(2, 4, 16), [4, 2], ["audio", "au"]]
    voice, face = found.evidence
    assert (voice.expert, voice.cue, voice.modality) == ("voice_features+decoder@r7", "decoded", "voice")
    assert (voice.text, voice.brief, voice.confidence) == ("Slow speech, low pitch.", "Slow speech", 0.83)
    assert (face.text, face.brief, face.expert) == ("眉毛下压，持续0.7秒。", "眉毛下压", "au+decoder@r7")
    assert not voice.inferred
    assert voice.span == Span(1.0, 3.0)
    assert [model.name for model in found.models] == ["connectors"]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("decoded", "reason"),
    [
        (Decoded(" \x00 ", 0.9, True), "is empty"),
        (Decoded("The pitch is lo", 0.9, False), "has no end"),
        (Decoded("a" * 401, 0.9, True), "is longer than 400"),
        (Decoded("He sounds Angry.", 0.9, True), "names an emotion ('Angry')"),
        (Decoded("A voice full of sadness", 0.9, True), "names an emotion ('sadness')"),
        (Decoded("听起来很悲伤。", 0.9, True), "names an emotion ('悲伤')"),
    ],
)
def test_texts_that_are_no_evidence_are_left_out_with_a_note(decoded: Decoded, reason: str) -> None:
    found, _ = _described(decoded, Decoded("Brows lowered.", 0.5, True))
    assert [ev.modality for ev in found.evidence] == ["face"]
    assert len(found.notes) == 1
    assert reason in found.notes[0]
    assert found.notes[0].startswith("voice_features: the decoded text was left out")


@pytest.mark.parametrize("text", ["He unfearfully saddles a horse.", "a" * 400, "面无表情"])
def test_other_texts_pass(text: str) -> None:
    found, _ = _described(Decoded(text, 0.9, True), Decoded("Brows lowered.", 0.5, True))
    assert found.evidence[0].text == text
    assert len(found.evidence[0].brief) <= 60


def test_a_trained_decoder_speaks_from_features() -> None:
    """The whole way: tracks to tensors to a learned sentence."""
    connectors = _tiny()
    opened = _set(connectors)
    tensors = summarise(_heard(), opened)
    optimizer = torch.optim.AdamW(connectors.decoder.parameters(), lr=1e-2)
    features = torch.from_numpy(np.stack([tensors["voice"].values]))
    for _ in range(300):
        loss = connectors.decoder.loss(features, None, "audio", ["quiet voice"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.02:
            break
    found = describe({"voice": tensors["voice"]}, opened)
    assert [ev.text for ev in found.evidence] == ["quiet voice"]
    assert found.evidence[0].confidence > 0.8


def test_where_connectors_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_MODELS", str(tmp_path))
    monkeypatch.setenv("HERO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HERO_DATA", raising=False)
    assert open_connectors("auto", device="cpu") is None
    assert open_connectors("none") is None
    assert open_connectors(None) is None
    save_connectors(tmp_path / "connectors", _tiny(), TRAINED)
    found = open_connectors("auto", device="cpu")
    assert found is open_connectors(tmp_path / "connectors", device="cpu")
    assert (found.used.licence, found.used.commercial) == ("CC-BY-NC-4.0", False)
    assert open_connectors("auto", licence="open", device="cpu") is None
    assert not any(p.requires_grad for p in found.connectors.parameters())
    expected = summarise(_heard(), _set(_tiny()))["voice"]
    assert np.array_equal(summarise(_heard(), found)["voice"].projected, expected.projected)
    with pytest.raises(WeightsError, match=r"holds no connectors: connectors.json is missing"):
        open_connectors(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="device"):
        open_connectors("auto", device="abacus")  # type: ignore[arg-type]


def test_a_brief_is_the_first_clause_with_its_numbers_whole() -> None:
    found, _ = _described(Decoded("Held for 0.7 s. Then loose.", 0.9, True), Decoded("很" * 80, 0.5, True))
    assert [ev.brief for ev in found.evidence] == ["Held for 0.7 s", "很" * 59 + "…"]


def test_importing_the_module_is_light() -> None:
    code = "import sys, hero.observe.connect; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
