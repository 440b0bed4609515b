"""What an encoder is, and the one table from a checkpoint's kind to the class that loads it.

An encoder is a frozen network. `prepare` turns what a clip gives (a frame, a window of frames, a stretch of sound, words)
into a piece, in the thread that decodes; `encode` maps pieces of any number of clips to features in one forward pass.

Legend of shapes: H, W rows and columns of a frame; S side of a picture; N samples at 16 kHz; n steps of one piece; D columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from hero.errors import ConfigError
from hero.types import ModelUsed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision

ENCODERS: dict[str, str] = {
    "clip_vision": "hero.observe.encoders.image:load_clip",
    "siglip_vision": "hero.observe.encoders.image:load_siglip",
    "videomae": "hero.observe.encoders.video:load_videomae",
    "speech_encoder": "hero.observe.encoders.sound:load_speech_encoder",
    "whisper": "hero.observe.encoders.whisper:load_whisper_encoder",
    "bert": "hero.observe.encoders.text:load_bert",
}


@dataclass(frozen=True, eq=False)
class Features:
    """What an encoder says of one piece: values (n, D) float32 and where each step lies.

    `at` (n,) is the middle of each step: seconds from the start of a piece of sound, 0 for a picture and a window, the
    number of the word for words.
    """

    values: NDArray[np.float32]
    at: NDArray[np.float64]


class Encoder(Protocol):
    """A frozen network: float32 features whatever it computes in; the same piece gives the same features in any batch.

    `piece_frames` is how many frames a piece of pictures has (1 or 16; 0 for sound and words). `batch` is how many
    pieces it likes at a time on its device. `encode` may be called from one thread at a time.
    """

    dim: int
    used: ModelUsed
    batch: int
    piece_frames: int

    def prepare(self, raw: Any) -> Any:
        """A piece out of a frame (H, W, 3) uint8, a list of them, samples (N,), or a list of words; thread-safe."""

    def encode(self, pieces: Sequence[Any]) -> list[Features]:
        """Features of each piece, in order."""


_loaded: dict[tuple[str, str, str, str], Encoder] = {}
_lock = Lock()


def open_encoder(checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto") -> Encoder:
    """The encoder of a checkpoint, loaded once per process, device and precision.

    Raises:
        ConfigError: no class loads this kind of checkpoint, or the device is not here.
        WeightsError: the folder cannot be loaded as its kind.
    """
    if checkpoint.kind not in ENCODERS:
        raise ConfigError(
            f"'{checkpoint.name}' is a checkpoint of kind '{checkpoint.kind}', which is no encoder; "
            f"encoders are: {', '.join(ENCODERS)}"
        )
    key = (str(checkpoint.folder), checkpoint.sha256, device, precision)
    with _lock:
        if key not in _loaded:
            module, _, function = ENCODERS[checkpoint.kind].partition(":")
            _loaded[key] = getattr(import_module(module), function)(checkpoint, device=device, precision=precision)
        return _loaded[key]
