"""The decoder as an expert: silent and noted without trained connectors, evidence with them, absent when damaged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hero.errors import ConfigError
from hero.nn.connector import Connector, Connectors
from hero.nn.connector_files import Training, save_connectors
from hero.nn.evidence_decoder import EvidenceDecoder
from hero.observe.connect import NO_DECODER
from hero.observe.expert import Context, create
from hero.types import Observation, Track


def features() -> Mapping[str, Observation]:
    values = np.ones((3, 4), np.float32)
    track = Track("features", values, np.arange(3.0), np.ones(3, bool), tuple("abcd"), "feature")
    return {"scene_features": Observation("scene_features", "scene", {"features": track})}


def finish(settings: Mapping[str, object]) -> Observation:
    expert = create("decoder")
    assert expert.start(Context(None, settings=settings)) is None  # type: ignore[arg-type]
    return expert.finish(features())


def test_without_connectors_provenance_says_that_text_is_measured() -> None:
    found = finish({"connectors": "none"})
    assert found.evidence == () and found.notes == (NO_DECODER,)


def test_a_trained_decoder_describes_what_the_encoder_saw(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"dim": 16, "layers": 1, "heads": 2}
    connectors = Connectors(
        {"scene": Connector(dim_in=4, queries=2, dim_lm=8, **sizes)}, EvidenceDecoder(dim_features=16, **sizes)
    )
    track = features()["scene_features"].tracks["features"]
    inputs, mask = torch.from_numpy(track.values)[None], torch.from_numpy(track.mask)[None]
    optimizer = torch.optim.Adam(connectors.parameters(), 1e-2)
    for _ in range(150):
        found = connectors.part("scene")(inputs, mask, torch.from_numpy(track.times_s).float()[None, :, None])
        optimizer.zero_grad()
        connectors.decoder.loss(found.tokens, None, "visual", ["Bright room."]).backward()
        optimizer.step()
    save_connectors(tmp_path, connectors.eval(), Training(True, "one sentence", "CC0-1.0", True, "r1"))
    (said,) = finish({"connectors": str(tmp_path)}).evidence
    assert said.text == "Bright room." and said.modality == "scene" and said.cue == "decoded"
    assert said.expert == "scene_features+decoder@r1"


def test_a_named_folder_that_holds_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"connectors\.json is missing; .*decoder\.connectors=none"):
        create("decoder").start(Context(None, settings={"connectors": str(tmp_path)}))  # type: ignore[arg-type]


def test_damaged_connectors_are_an_absence(tmp_path: Path) -> None:
    (tmp_path / "connectors.json").write_text("{", "utf-8")
    absence = create("decoder").start(Context(None, settings={"connectors": str(tmp_path)}))  # type: ignore[arg-type]
    assert absence and "connectors.json" in absence.reason and absence.cure and absence.cure not in absence.reason
