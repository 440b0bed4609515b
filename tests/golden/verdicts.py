"""Write the golden verdicts again after a deliberate change: `python tests/golden/verdicts.py`, then read the diff."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "reason")]

from test_adjudicator import masked_smile  # noqa: E402

from hero.config import ReasonerConfig  # noqa: E402
from hero.reason.adjudicator import Adjudicator  # noqa: E402

for lang in ("en", "zh"):
    verdict = Adjudicator(ReasonerConfig()).conclude(masked_smile(), lang=lang)
    (HERE / f"verdict_{lang}.json").write_text(verdict.model_dump_json(indent=2) + "\n", "utf-8")
