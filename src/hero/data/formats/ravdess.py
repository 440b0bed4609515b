"""RAVDESS: acted speech clips and a table of acoustic and face summaries of its audio-video clips.

Legend: N clips, D feature columns.

Files (Livingstone & Russo 2018, CC BY-NC-SA 4.0): `ravdess_speech/metadata.csv` with FLAC files beside it and
`ravdess_av_features/combined_summary.csv`. A clip is named modality-channel-emotion-intensity-statement-repetition-
actor; the table's audio-video clips (`01-..`) are the same takes as the speech files (`03-..`).
Protocol: five folds by actor, 1-4, 5-8, ... 17-20.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from hero.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
FOLDS = 5
ACTORS_PER_FOLD = 4

Group = Literal["aus", "mouth", "acoustics"]

_GUESSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # another tool's, never used
_MOSTLY_EMPTY = ("cpp_mean", "cpp_var")  # 209 of 300 cells are missing
_NOT_FEATURES = ("file", "emotion", "intensity", "actor", "gender")


@dataclass(frozen=True)
class SpeechClip:
    """One spoken clip: its name without folder and suffix, its file, and what was acted by whom."""

    clip_id: str
    path: Path
    emotion: str
    actor: int
    intensity: str


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Summaries of N clips: `values` (N, D) with NaN where a cell is empty, `labels` (N,) indices into `EMOTIONS`.

    `intensities` (N,) is 1 for normal, 2 for strong.
    """

    clip_ids: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    labels: NDArray[np.int64]
    actors: NDArray[np.int64]
    intensities: NDArray[np.int64]

    @property
    def folds(self) -> NDArray[np.int64]:
        """Test fold 0..4 of each clip (N,)."""
        return fold_of(self.actors)

    def select(self, *groups: Group) -> NDArray[np.float64]:
        """Values of the columns in the named groups, (N, D'), in the table's order."""
        return self.values[:, [i for i, c in enumerate(self.columns) if group_of(c) in groups]]

    def column(self, name: str) -> NDArray[np.float64]:
        """One column (N,) by name.

        Raises:
            InputError: the table has no such column.
        """
        if name not in self.columns:
            raise InputError(f"the RAVDESS feature table has no column '{name}'")
        return self.values[:, self.columns.index(name)]


def fold_of(actors: NDArray[np.int64]) -> NDArray[np.int64]:
    """Test fold 0..4 of each actor 1..20."""
    return (np.asarray(actors, dtype=np.int64) - 1) // ACTORS_PER_FOLD


def group_of(column: str) -> Group:
    """Which kind of measurement a column of the feature table is."""
    if column.startswith("AU"):
        return "aus"
    return "mouth" if column.startswith("mouth_") else "acoustics"


def speech_clips(data: Path) -> tuple[SpeechClip, ...]:
    """All speech clips listed under `data`/ravdess_speech.

    Raises:
        InputError: the list is missing or names an emotion that RAVDESS does not have.
    """
    folder = data / "ravdess_speech"
    clips = []
    for row in _rows(folder / "metadata.csv"):
        clip_id = Path(row["file"]).stem
        _emotion_index(row["emotion"], clip_id)
        clips.append(SpeechClip(clip_id, folder / row["file"], row["emotion"], int(row["actor"]), row["intensity"]))
    return tuple(clips)


def feature_table(data: Path) -> FeatureTable:
    """The feature table without the 14 columns of emotion guesses and the two that are mostly empty.

    Raises:
        InputError: the table is missing, empty, or names an emotion that RAVDESS does not have.
    """
    rows = _rows(data / "ravdess_av_features" / "combined_summary.csv")
    left_out = {f"{guess}_{kind}" for guess in _GUESSES for kind in ("mean", "std")}
    left_out |= {*_MOSTLY_EMPTY, *_NOT_FEATURES}
    columns = tuple(c for c in rows[0] if c not in left_out)
    return FeatureTable(
        clip_ids=tuple(row["file"] for row in rows),
        columns=columns,
        values=np.array([[float(row[c]) if row[c].strip() else math.nan for c in columns] for row in rows]),
        labels=np.array([_emotion_index(row["emotion"], row["file"]) for row in rows]),
        actors=np.array([int(row["actor"]) for row in rows]),
        intensities=np.array([int(row["intensity"]) for row in rows]),
    )


def _emotion_index(emotion: str, clip_id: str) -> int:
    if emotion not in EMOTIONS:
        raise InputError(f"RAVDESS clip {clip_id} has emotion '{emotion}'; allowed are {', '.join(EMOTIONS)}")
    return EMOTIONS.index(emotion)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(
            f"no RAVDESS table {path.parent.name}/{path.name} under the data folder; set HERO_DATA or --data"
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise InputError(f"the RAVDESS table {path.parent.name}/{path.name} has no rows; fetch it again")
    return rows
