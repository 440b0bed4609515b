"""Store the landmarks of the public-domain portrait that the face renderer moves (`hero.data.render`).

python recipes/portrait_landmarks.py         # face models at hand, scikit-image installed
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hero.data.render import LANDMARKS, portrait
from hero.observe.face.detector import detect
from hero.observe.face.landmarks import find_landmarks
from hero.observe.face.networks import load


def main() -> None:
    """Write the landmarks (478, 2) in pixels of the portrait, averaged over slightly different crops."""
    networks, rgb = load("bundle"), portrait().astype(np.uint8)
    roi = find_landmarks(networks, rgb, detect(networks, rgb)[0].roi).next_roi
    found = []
    for shift in (-6, -3, 0, 3, 6):
        moved = type(roi)(roi.x + shift, roi.y - shift, roi.side + 2 * shift, roi.angle)
        found.append(find_landmarks(networks, rgb, moved).points[:, :2])
    points = np.round(np.mean(found, axis=0), 1)
    Path(LANDMARKS).write_text(json.dumps(points.tolist()).replace("], [", "],\n["), "utf-8")
    print(f"{len(points)} landmarks, spread {np.std(found, axis=0).mean():.2f} px -> {LANDMARKS}")


if __name__ == "__main__":
    main()
