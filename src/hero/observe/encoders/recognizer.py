"""What a speech recogniser is, whichever library it comes from.

Shapes: N samples at 16 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hero.types import LabelledSpan, ModelUsed


@dataclass(frozen=True)
class Recognizer:
    """`hear` maps samples (N,) of one window to words timed from its start, and the language it took them for.

    `estimated` says that times of single words are estimates inside longer stretches.
    """

    name: str
    hear: Callable[[NDArray[np.float32]], tuple[list[LabelledSpan], str | None]]
    used: ModelUsed
    estimated: bool = False
