"""Speech encoders with a trained emotion head: probabilities of their own labels, and of the common ones.

Any checkpoint that transformers reads as an audio classifier on the waveform fits: HuBERT, WavLM, wav2vec 2.0 or
data2vec-audio, such as `superb/hubert-large-superb-er` (Yang et al. 2021, SUPERB: neutral, happy, angry, sad of IEMOCAP).
emotion2vec (Ma et al. 2024) is published in FunASR's format and has no class in transformers: the checkpoints named here
stand in for it.

Legend of shapes: B pieces of a batch; N samples at 16 kHz; K labels of the checkpoint; 7 common labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hero.errors import WeightsError
from hero.labels import LABELS, LabelMap

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision

CLASSES = {
    "hubert": "HubertForSequenceClassification",
    "wavlm": "WavLMForSequenceClassification",
    "wav2vec2": "Wav2Vec2ForSequenceClassification",
    "data2vec-audio": "Data2VecAudioForSequenceClassification",
}
SPELLINGS: dict[str, tuple[str, ...]] = {
    "angry": ("ang", "angry", "anger", "生气", "愤怒"),
    "disgust": ("dis", "disgust", "disgusted", "厌恶"),
    "fear": ("fea", "fear", "fearful", "afraid", "scared", "恐惧", "害怕"),
    "happy": ("hap", "happy", "happiness", "joy", "joyful", "excited", "excitement", "开心", "高兴", "快乐"),
    "sad": ("sad", "sadness", "难过", "悲伤", "伤心"),
    "surprise": ("sur", "surprise", "surprised", "ps", "吃惊", "惊讶"),
    "neutral": ("neu", "neutral", "calm", "中立", "中性", "平静"),
}
COMMON = {spelling: label for label, spellings in SPELLINGS.items() for spelling in spellings}


def label_map_of(name: str, id2label: Mapping[Any, str]) -> LabelMap:
    """How a checkpoint's labels map to the common ones, in the order of its columns.

    Spellings are compared without case and punctuation, and each side of a slash counts ("生气/angry"). A label without
    a counterpart ("frustrated", "LABEL_3") maps to None.

    Raises:
        WeightsError: the labels are not numbered 0, 1, 2 ..., or two columns have one name.
    """
    numbered = {int(key): str(label) for key, label in id2label.items()}
    labels = [numbered[k] for k in range(len(numbered)) if k in numbered]
    if len(set(labels)) < len(id2label):
        raise WeightsError(
            f"config.json of '{name}' has id2label {dict(id2label)}; allowed: names numbered 0, 1, 2 ..., each once; "
            "correct that file"
        )
    classes = {label: _common(label) for label in labels}
    seen = np.array([common in classes.values() for common in LABELS])
    return LabelMap(name, MappingProxyType(classes), seen)


def _common(label: str) -> str | None:
    sides = (re.sub(r"[\W_]+", "", side).lower() for side in label.split("/"))
    return next((COMMON[side] for side in sides if side in COMMON), None)


def to_common(probabilities: NDArray[np.float64], labels: LabelMap) -> NDArray[np.float64] | None:
    """Common probabilities (7,) of the checkpoint's (K,), 0 where it has no label; None where all lies on others."""
    common = probabilities @ labels.matrix()
    total = float(common.sum())
    return common / total if total > 0 else None


class EmotionHead:
    """A frozen speech encoder with its classifier; `labels` maps its columns to the common labels."""

    def __init__(self, model: Any, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        from hero.observe.encoders.sound import Waveforms

        self.used = checkpoint.used
        self.labels = label_map_of(checkpoint.name, model.config.id2label)
        self._waveforms = Waveforms(checkpoint, model.config)
        self._model, self._device, self._dtype = model, device, dtype

    def probabilities(self, sounds: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float64] | None]:
        """Probabilities (K,) for samples (N,) each; None for a sound shorter than one step of the encoder (25 ms)."""
        import torch

        from hero.observe.encoders.sound import quiet_masks

        pieces = [self._waveforms.prepare(sound) for sound in sounds]
        found: list[NDArray[np.float64] | None] = [None] * len(pieces)
        for group in self._waveforms.batches(pieces):
            inputs = self._waveforms.padded([pieces[k] for k in group], self._device, self._dtype)
            with torch.inference_mode(), quiet_masks():
                shares = self._model(**inputs).logits.double().softmax(-1).cpu().numpy()  # (B, K)
            for k, row in zip(group, shares, strict=True):
                found[k] = row
        return found


def load_emotion_head(checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto") -> EmotionHead:
    """The emotion head of a checkpoint folder.

    Raises:
        WeightsError: the folder is no whole audio classifier on the waveform.
        ConfigError: the device or precision is not here.
    """
    from hero.observe.encoders.sound import UNUSED
    from hero.pretrained.device import resolve
    from hero.pretrained.loading import expect_type, load_pretrained

    where, dtype = resolve(device, precision)
    kind = expect_type(checkpoint, tuple(CLASSES))
    model = load_pretrained(CLASSES[kind], checkpoint, dtype=dtype, device=where, may_lack=UNUSED)
    return EmotionHead(model, checkpoint, where, dtype)
