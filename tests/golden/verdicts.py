"""Write the golden verdicts again after a deliberate change: `python tests/golden/verdicts.py`, then read the diff."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "reason")]

from test_adjudicator import masked_smile

from hero.config import ReasonerConfig
from hero.reason.adjudicator import Adjudicator

for lang in ("en", "zh"):
    verdict = Adjudicator(ReasonerConfig()).conclude(masked_smile(), lang=lang).verdict
    (HERE / f"verdict_{lang}.json").write_text(verdict.model_dump_json(indent=2) + "\n", "utf-8")
