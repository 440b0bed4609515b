"""Faces: detection, landmarks, tracking, head pose, gaze and action units, all on a CPU."""

from hero.observe.face.expert import FaceExpert

__all__ = ["FaceExpert"]
