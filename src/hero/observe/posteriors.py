"""Experts that turn what was seen, heard and said into calibrated posteriors over the common labels, window by window.

They bring Tracks only: a posterior never becomes evidence text. `--licence open` leaves out heads whose training data
forbids commercial use.

Legend: T windows, 7 common labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hero.labels import LABELS, mapping
from hero.observe.expert import Context, Reads
from hero.observe.windows import RATE_HZ, cut, equal_windows, utterances
from hero.types import Absence, Baseline, LabelledSpan, Modality, ModelUsed, Observation, Span, Track
from hero.weights import read_card

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.observe.heads.face import Usual


FACE_WINDOW_S = 4.0
MIN_FACE_FRAMES = 5
MIN_BASELINE_CLIPS = 3


class _Posterior:
    """What the three experts share: the licence switch, the head, and the track."""

    name: str
    modality: Modality
    weights: str
    dataset: str
    revision = "1"
    reads: Reads = "timeline"
    identity = ""
    head: Any

    def start(self, context: Context) -> Absence | None:
        """Load the head, unless the licence forbids it."""
        self.context = context
        card = read_card(self.weights, context.weights_folder)
        if context.licence == "open" and not card["commercial"]:
            data = f"{card['data']} ({card['licence']})"
            reason = f"the {self.name} head was trained on {data} and --licence open leaves it out"
            return Absence(self.name, reason, "--licence any, for non-commercial use")
        self._load(context)
        self.identity = self.head.used.sha256
        return None

    def take(self, piece: object) -> None:
        """Nothing: these experts look at the timeline."""

    def _load(self, context: Context) -> None:
        raise AssertionError("each posterior expert loads its own head")

    def _observation(self, windows: Sequence[tuple[Span, NDArray[np.float64]]], model: ModelUsed | None) -> Observation:
        """Posteriors (7,) with their windows as one track; classes that the head never saw are masked."""
        spans = tuple(LabelledSpan(span, "") for span, _ in windows)
        values = np.stack([posterior for _, posterior in windows])  # (T, 7)
        times_s = np.array([(span.start_s + span.end_s) / 2 for span, _ in windows])
        order = np.argsort(times_s, kind="stable")
        mask = np.broadcast_to(mapping(self.dataset).seen, values.shape)
        track = Track("posterior", values[order], times_s[order], mask, LABELS, "probability")
        ordered = tuple(spans[i] for i in order)
        used = (model,) if model else ()
        return Observation(self.name, self.modality, {"posterior": track}, spans={"windows": ordered}, models=used)

    def _absent(self, reason: str, cure: str = "") -> Observation:
        return Observation(self.name, self.modality, absent=Absence(self.name, reason, cure))


class VoiceEmotion(_Posterior):
    """How the voice sounds, per utterance (reads the speech spans of the voice expert)."""

    name = "voice_emotion"
    modality: Modality = "voice"
    weights = "voice_emotion"
    dataset = "ravdess"

    def _load(self, context: Context) -> None:
        from hero.observe.heads.voice import VoiceHead

        self.head = VoiceHead.load(context.weights_folder)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """One posterior per utterance, or the reason there is none."""
        voice = earlier.get("voice")
        if voice is None or voice.absent:
            return self._absent(voice.absent.reason if voice and voice.absent else "the voice expert did not run")
        windows = utterances([s.span for s in voice.spans.get("speech", ())], self.context.clip.duration_s)
        found = []
        for span, samples in cut(self.context.clip, windows):
            posterior = self.head.common(samples, RATE_HZ)
            if posterior is not None:
                found.append((span, posterior))
        if not found:
            return self._absent("no speech long enough to judge", "give a clip with at least half a second of speech")
        return self._observation(found, self.head.used)


class FaceEmotion(_Posterior):
    """How the action units look together, in windows of a few seconds (reads the face expert's `au` track)."""

    name = "face_emotion"
    modality: Modality = "face"
    weights = "face_emotion"
    dataset = "ravdess"

    def _load(self, context: Context) -> None:
        from hero.observe.heads.face import FaceHead

        self.head = FaceHead.load(context.weights_folder)
        self.usual, self.comparable = usual_units(context.baseline)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """One posterior per window in which the subject's face was measured."""
        face = earlier.get("face")
        if face is None or face.absent or "au" not in face.tracks:
            return self._absent(face.absent.reason if face and face.absent else "no action units were measured")
        track = face.tracks["au"]
        found = []
        for span in equal_windows(float(track.times_s[0]), float(track.times_s[-1]), FACE_WINDOW_S):
            part = track.within(span)
            values, mask = part.values[:, :17], part.mask[:, :17]  # intensities come first
            if mask.any(axis=1).sum() < MIN_FACE_FRAMES:
                continue
            present = (mask.sum(axis=0) >= MIN_FACE_FRAMES) & self.comparable  # (17,)
            if not present.any():
                continue
            hidden = np.where(mask, values, np.nan)
            mean = np.where(present, _nan(np.nanmean, hidden, present), 0)
            std = np.where(present, _nan(np.nanstd, hidden, present), 0)
            found.append((span, self.head.posterior(mean, std, present, usual=self.usual)))
        if not found:
            return self._absent("the face was seen too briefly to judge", "give a clip with a face in view for longer")
        return self._observation(found, self.head.used)


class TextEmotion(_Posterior):
    """What the words say, per utterance (English; reads the utterances of the words expert)."""

    name = "text_emotion"
    modality: Modality = "words"
    weights = "text_emotion"
    dataset = "goemotions_ekman"

    def _load(self, context: Context) -> None:
        from hero.observe.heads.text import TextHead

        self.head = TextHead.load(context.weights_folder)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        """One posterior per utterance of English text."""
        words = earlier.get("words")
        if words is None or words.absent:
            return self._absent(words.absent.reason if words and words.absent else "the words expert did not run")
        lines = words.spans.get("utterances", ())
        language = language_of(" ".join(line.label for line in lines))
        if language != "en":
            what = "Chinese" if language == "zh" else "this language"
            return self._absent(
                f"no measured text-emotion head for {what} is here", "use English words or a language model"
            )
        found = [(line.span, self.head.posterior(line.label)) for line in lines if self.head.knows(line.label)]
        if not found:
            return self._absent("none of the words is one that the head has learned", "check the transcript")
        return self._observation(found, self.head.used)


def usual_units(baseline: Baseline | None) -> tuple[Usual | None, NDArray[np.bool_]]:
    """The person's usual action units and which of the 17 they cover; without enough clips none, and all units count."""
    from hero.observe.heads.face import UNITS, Usual

    keys = [f"au.AU{unit:02d}.{part}" for part in ("mean", "std") for unit in UNITS]  # (34,)
    known = np.array([baseline is not None and key in baseline.mean for key in keys[: len(UNITS)]])  # (17,)
    if baseline is None or baseline.count < MIN_BASELINE_CLIPS or not known.any():
        return None, np.ones(len(UNITS), bool)
    mean, spread = (np.array([part.get(key, 0.0) for key in keys]) for part in (baseline.mean, baseline.spread))
    return Usual(mean, spread), known


def _nan(function: Any, values: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A nan-aware reduction over time (T, D) -> (D,) that leaves columns without values at 0, without warnings."""
    result = np.zeros(values.shape[1])
    if present.any():
        result[present] = function(values[:, present], axis=0)
    return result


_ENGLISH = """
    the a an is are was were be to of and in on at by for with it this that i you he she we they my your me do did not no
    yes have has had what who how why so but or if all there here now please go can will just like know get don't i'm it's
"""


def language_of(text: str) -> str:
    """`zh` by its characters, `en` by its function words (short Latin texts count as English), else `other`."""
    letters = [ch for ch in text if ch.isalpha()]
    if not letters:
        return "other"
    if sum("\u4e00" <= ch <= "\u9fff" for ch in letters) > 0.3 * len(letters):
        return "zh"
    if sum(ch.isascii() for ch in letters) < 0.9 * len(letters):
        return "other"
    common = _ENGLISH.split()
    words = [word.strip(".,!?;:\"'()").lower() for word in text.split()]
    return "en" if len(words) < 6 or sum(word in common for word in words) >= 0.1 * len(words) else "other"
