"""The face networks on the LiteRT runtime: which ones are at hand, and their plain input and output.

Two backends share one set of landmark numbers: the Face Landmarker bundle (478 landmarks with irises, 52 blendshapes)
and the older landmark pair (468 landmarks). Input and output conventions are those of MediaPipe's published graphs
(face_detector_graph.cc, face_landmarks_detector_graph.cc, face_blendshapes_graph.cc, Apache-2.0).

Legend: A anchors, L landmarks, B blendshapes, S side of the network's input.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hero import models, third_party
from hero.errors import WeightsError
from hero.observe.face.topology import BLENDSHAPE_POINTS, BLENDSHAPES
from hero.observe.litert import load_interpreter

Backend = Literal["bundle", "landmarks"]

DETECTOR_SIDE = 128


@dataclass(frozen=True)
class Networks:
    """Loaded face networks as functions of arrays.

    `detect` maps (128, 128, 3) in -1..1 to boxes (A, 16) and logits (A,); `landmarks` maps (S, S, 3) in 0..1 to points
    (L, 3) in crop pixels and the presence logit; `blendshapes` maps (146, 2) points to (B,) scores, None without bundle.
    """

    backend: Backend
    side: int
    detect: Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
    landmarks: Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], float]]
    blendshapes: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None
    entry: third_party.Entry


def best_backend() -> Backend | None:
    """The better of the two backends whose weights are at hand, None where neither is.

    Raises:
        WeightsError: a file is there but is not the one expected.
    """
    if models.find("face_landmarker"):
        return "bundle"
    return "landmarks" if models.find("face_landmarks") else None


def load(backend: Backend) -> Networks:
    """Load a backend, one thread per network.

    Raises:
        WeightsError: its weights are not at hand, or the runtime is not installed.
    """
    name = "face_landmarker" if backend == "bundle" else "face_landmarks"
    path = models.find(name)
    if path is None:
        raise WeightsError(f"the face models '{name}' are not at hand; run `hero models fetch`")
    return _bundle(path) if backend == "bundle" else _pair(path)


def _bundle(path: Path) -> Networks:
    with zipfile.ZipFile(path) as archive:
        detector, points, shapes = (
            load_interpreter(archive.read(f"{part}.tflite"), "the face model")
            for part in ("face_detector", "face_landmarks_detector", "face_blendshapes")
        )
    run_points, run_shapes = _runner(points), _runner(shapes)

    def landmarks(image: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        out = run_points(image[None])
        return out["Identity"].reshape(478, 3), float(out["Identity_1"].ravel()[0])

    def blendshapes(subset: NDArray[np.float32]) -> NDArray[np.float32]:
        (scores,) = run_shapes(subset[None]).values()
        return scores.reshape(len(BLENDSHAPES))

    assert len(BLENDSHAPE_POINTS) == 146
    return Networks("bundle", 256, _detector(detector), landmarks, blendshapes, models.entry("face_landmarker"))


def _pair(path: Path) -> Networks:
    detector = load_interpreter((path.parent / "face_detection_short_range.tflite").read_bytes(), "the face detector")
    run_points = _runner(load_interpreter(path.read_bytes(), "the face model"))

    def landmarks(image: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        out = run_points(image[None])
        return out["conv2d_21"].reshape(468, 3), float(out["conv2d_31"].ravel()[0])

    return Networks("landmarks", 192, _detector(detector), landmarks, None, models.entry("face_landmarks"))


def _detector(interpreter: Any) -> Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    run = _runner(interpreter)

    def detect(image: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        out = run(image[None])
        return out["regressors"][0], out["classificators"][0, :, 0]

    return detect


def _runner(interpreter: Any) -> Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """One input tensor in, a copy of every output tensor by name out."""
    source = interpreter.get_input_details()[0]["index"]
    outputs = {d["name"]: d["index"] for d in interpreter.get_output_details()}

    def run(value: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        interpreter.set_tensor(source, np.ascontiguousarray(value, dtype=np.float32))
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in outputs.items()}

    return run
