"""HERO: displayed emotion in video, weighed from evidence on one timeline, with every sentence citing what it rests on.

    >>> import hero
    >>> analysis = hero.analyze("clip.mp4")        # doctest: +SKIP
    >>> print(analysis.verdict.final_emotion)      # doctest: +SKIP

Names are imported when they are first used, so that `import hero` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hero.media.clip import Clip as Clip
    from hero.pipeline import Analysis as Analysis
    from hero.pipeline import analyze as analyze
    from hero.reason.verdict import Verdict as Verdict

__version__ = "0.1.0"

_LAZY = {
    "Analysis": "hero.pipeline", "analyze": "hero.pipeline", "Clip": "hero.media.clip",
    "Verdict": "hero.reason.verdict", "Timeline": "hero.types", "Evidence": "hero.types", "Track": "hero.types",
    "Span": "hero.types", "Baseline": "hero.types", "HeroError": "hero.errors",
}  # fmt: skip

__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'hero' has no attribute '{name}'")
