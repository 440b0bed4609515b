"""Writes the golden files of the reports anew: `python tests/golden/regenerate.py`. Look at the difference first.

Each entry of `GOLDEN` makes one file's text; the tests compare it with what lies here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
DATE = datetime(2025, 1, 1, tzinfo=UTC)


def report(form: str, lang: str = "en") -> str:
    """The made answer of tests/report/sample.py in one format."""
    sys.path.insert(0, str(HERE.parent / "report"))
    import sample

    from hero.report.au_table import au_table
    from hero.report.eaf import elan
    from hero.report.exports import export

    made = sample.sample(lang=lang)
    if form == "csv":
        faces = (("face.au", 1.0), ("face.au_person1", 0.4))
        return au_table({name: sample.au_track(duration_s=duration_s, fps=5.0) for name, duration_s in faces})
    if form == "eaf":
        return elan(made.result, made.spans, lang=lang, date=DATE)
    return export(form, made.result, made.tracks, made.spans, lang=lang)


GOLDEN: dict[str, Callable[[], str]] = {
    "report.zh.md": partial(report, "md", "zh"),
    **{f"report.{form}": partial(report, form) for form in ("md", "srt", "eaf", "csv", "json")},
}


def main() -> None:
    """Write every file."""
    for name, make in GOLDEN.items():
        (HERE / name).write_text(make(), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
