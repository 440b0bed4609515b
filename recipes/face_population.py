"""Make the mean face and the population's neutral face that the face expert falls back to.

Reads frames of the talking faces under HERO_DATA (GRID, RAVDESS, stock clips; never the posed photos that the benchmark
judges by) and writes `mean_face.json` and `population.json` beside the face expert:

    python recipes/face_population.py            # HERO_DATA must be set, both face models at hand
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hero.media.clip import Clip
from hero.observe.face.cues import CUES, measure
from hero.observe.face.detector import detect
from hero.observe.face.landmarks import Face, find_landmarks
from hero.observe.face.networks import Networks, load
from hero.observe.face.neutral import resting
from hero.observe.face.pose import fit_pose, similarity
from hero.observe.face.topology import LEFT_EYE_INNER, LEFT_EYE_OUTER, RIGHT_EYE_INNER, RIGHT_EYE_OUTER, STABLE_POINTS

NEUTRAL_CLIPS = ("grid/*.mpg", "ravdess_video/*.mp4")  # people who speak neutrally
CLIPS = (*NEUTRAL_CLIPS, "faces/WolfgangLanger_Pexels.mp4", "faces/silent_*.mp4", "faces/single_face.mp4")
HERE = Path(__file__).parents[1] / "src" / "hero" / "observe" / "face"
ROUNDS = 5
MAX_TURN_DEG = 18.0


def main() -> None:
    """Write both files."""
    data = Path(os.environ["HERO_DATA"])
    clips = sorted(path for pattern in CLIPS for path in data.glob(pattern))
    speakers = sorted(path for pattern in NEUTRAL_CLIPS for path in data.glob(pattern))
    bundle = load("bundle")
    points = [np.stack([face.points for face in faces(bundle, clip)]) for clip in clips]
    mean = mean_face([p * np.array([1.0, -1.0, -1.0]) for p in points])
    (HERE / "mean_face.json").write_text(json.dumps(np.round(mean, 4).tolist()).replace("], [", "],\n["), "utf-8")
    print(f"mean face of {len(clips)} people")
    population = {backend: neutral(load(backend), speakers) for backend in ("bundle", "landmarks")}
    (HERE / "population.json").write_text(json.dumps(population, indent=1), "utf-8")


def faces(networks: Networks, path: Path, fps: float = 8.0) -> Iterator[Face]:
    """The faces of a clip, each found twice over so that the crop is the tracker's."""
    for frame in Clip.open(path).frames(fps=fps, max_side=640):
        for found in detect(networks, frame.rgb)[:1]:
            face = find_landmarks(networks, frame.rgb, find_landmarks(networks, frame.rgb, found.roi).next_roi)
            if face.presence > 0.9:
                yield face


def mean_face(people: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Generalised Procrustes mean over people, of each one's mean over frames; mirrored and set upright."""
    mean = people[0][0]
    for _ in range(ROUNDS):
        own = [np.mean([similarity(frame, mean, STABLE_POINTS)[2] for frame in person], axis=0) for person in people]
        mean = upright(np.mean(own, axis=0))
    return mean


def upright(face: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn so that the ears lie on x and forehead and chin on y, make it symmetric, put the eye distance to 1."""
    side = face[[454, 356, 263, 362]].mean(0) - face[[234, 127, 33, 133]].mean(0)
    x = side / np.linalg.norm(side)
    tall = face[10] - face[152]
    y = tall - (tall @ x) * x
    y /= np.linalg.norm(y)
    turned = (face - face[168]) @ np.stack([x, y, np.cross(x, y)]).T
    mirror = turned * np.array([-1.0, 1.0, 1.0])
    partner = np.argmin(((turned[:, None] - mirror[None]) ** 2).sum(-1), axis=1)
    even = (turned + mirror[partner]) / 2
    right, left = even[[RIGHT_EYE_OUTER, RIGHT_EYE_INNER]].mean(0), even[[LEFT_EYE_OUTER, LEFT_EYE_INNER]].mean(0)
    return even / np.linalg.norm(left - right)


def neutral(networks: Networks, clips: list[Path]) -> dict[str, dict[str, float]]:
    """Median over people of each cue's resting value, and the spread (standard deviation) between people."""
    people = []
    for path in clips:
        rows = []
        for face in faces(networks, path):
            pose = fit_pose(face.points)
            if max(abs(pose.yaw_deg), abs(pose.pitch_deg)) < MAX_TURN_DEG:
                rows.append(measure(pose, face.blendshapes))
        if len(rows) >= 5:
            people.append(resting(np.array(rows)))
    table = np.array(people)  # (people, cues)
    middle, spread = np.median(table, axis=0), np.std(table, axis=0, ddof=1)  # NaN where the backend lacks the cue
    print(networks.backend, "neutral of", len(people), "people")
    return {
        name: {"mean": round(float(m), 4), "spread": round(float(max(s, 2e-3)), 4)}
        for name, m, s in zip(CUES, middle, spread, strict=True)
        if np.isfinite(m)
    }


if __name__ == "__main__":
    main()
