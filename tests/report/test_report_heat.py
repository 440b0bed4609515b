"""The heat map of the page: cells where the weight lies, numbers that add up, small for long clips, said aloud."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import sample

from hero.errors import VerdictError
from hero.report.answer import checked
from hero.report.heat_cells import LEVELS, MAX_CELLS, Cells, draw_cells
from hero.report.page import render_page
from hero.types import Heat


def _drawn(*rows: list[float], step_s: float = 0.5, duration_s: float | None = None) -> dict[str, Cells]:
    share = np.array(rows).T  # (T, K)
    heat = Heat(np.arange(len(share)) * step_s, step_s, ("face", "voice", "words")[: len(rows)], share, "fusion")
    return draw_cells(heat.as_json(), len(share) * step_s if duration_s is None else duration_s)


def _cells(cells: Cells) -> np.ndarray:
    """(T,) the opacity painted on each cell, read back from the paths."""
    painted = np.zeros(cells.count)
    for opacity, path in cells.paths:
        for start, length in re.findall(r"M(\d+) 0h(\d+)v1", path):
            painted[int(start) : int(start) + int(length)] += opacity
    return painted


def _page(made: sample.Sample, lang: str = "en") -> str:
    return render_page(made.result, made.tracks, made.spans, media=None, lang=lang)


def test_opacity_follows_the_share_across_rows() -> None:
    drawn = _drawn([0.1, 0.2, 0.2, 0.0], [0.4, 0.1, 0.0, 0.0])
    assert _cells(drawn["face"]) == pytest.approx([0.25, 0.5, 0.5, 0], abs=1 / LEVELS)
    assert _cells(drawn["voice"]) == pytest.approx([1.0, 0.25, 0, 0], abs=1 / LEVELS)
    assert drawn["face"].shares == ("10", "20", "20", "0")
    assert sum(float(v) for cells in drawn.values() for v in cells.shares) == pytest.approx(100, abs=0.1)


def test_the_faintest_weight_is_still_painted() -> None:
    assert _cells(_drawn([0.999, 0.001])["face"])[1] > 0


def test_modalities_without_weight_have_no_strip() -> None:
    assert list(_drawn([0.5, 0.5], [0.0, 0.0])) == ["face"]
    assert _drawn([0.0, 0.0]) == {}


@pytest.mark.parametrize(
    ("row", "peak"),
    [
        ([1.0] * 20, None),
        ([1.0] * 10 + [1.05] * 10, None),
        ([1.0] * 10 + [2.0] * 6 + [1.0] * 4, (5.0, 8.0)),
        ([2.0] * 9 + [1.0] * 10 + [2.4], (0.0, 4.5)),  # a fringe of one cell in twenty is no peak
        ([1.0, 1.0, 9.0, 1.0], (1.0, 1.5)),
    ],
)
def test_peak_is_where_the_weight_lies(row: list[float], peak: tuple[float, float] | None) -> None:
    found = _drawn(row)["face"].peak_s
    assert found == (pytest.approx(peak) if peak else None)


def test_strip_lies_where_its_steps_lie() -> None:
    full = _drawn([1.0] * 8)["face"]
    assert (full.left, full.width, full.count) == (0, 100, 8)
    longer = _drawn([1.0] * 8, duration_s=3.0)["face"]  # two steps beyond the end of the clip are not drawn
    assert (longer.left, longer.width, longer.count) == (0, 100, 6)


def test_foreign_heat_with_many_steps_is_added_up() -> None:
    rng = np.random.default_rng(0)
    row = rng.uniform(size=1501)
    cells = _drawn((row / row.sum()).tolist())["face"]
    assert cells.count == 501 <= MAX_CELLS and cells.step_s == 1.5
    expected = 100 * np.pad(row, (0, 2)).reshape(-1, 3).sum(1) / row.sum()
    assert [float(v) for v in cells.shares] == pytest.approx(expected, abs=0.003)  # the JSON rounds


def test_page_draws_says_and_names_who_weighed() -> None:
    text = _page(sample.sample())
    strips = re.findall(r'<svg class="cells" role="img" aria-label="([^"]+)"', text)
    assert strips == [
        "Weight of Face over time: even throughout",
        "Weight of Voice over time: most at 1.0–1.5\u00a0s",
        "Weight of Movement over time: most at 3.0–3.5\u00a0s",
    ]
    assert "Where the weight lies" in text and "attention of the trained HERO model" in text
    made = sample.sample()
    made.result["heat"]["source"] = "fusion"
    assert "pooled judgements of the experts" in _page(made)


def test_chinese_page_says_it_in_chinese() -> None:
    text = _page(sample.sample(lang="zh"), "zh")
    assert "声音的权重随时间：1.0–1.5\u00a0s 处最高" in text and "HERO 模型的注意力" in text
    assert "Weight" not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", text, flags=re.S)


@pytest.mark.parametrize("heat", [None, "absent"])
def test_page_without_heat_has_no_such_lane(heat: str | None) -> None:
    made = sample.sample()
    made.result["heat"] = None
    if heat == "absent":
        del made.result["heat"]
    text = _page(made)
    assert 'class="cells"' not in text and "Weight over time" not in text


def test_a_long_clip_costs_little() -> None:
    made = sample.sample()
    without = {**made.result, "heat": None}
    rng = np.random.default_rng(1)
    rows = rng.dirichlet(np.ones(MAX_CELLS * 5)).reshape(5, MAX_CELLS)
    names = ("face", "voice", "words", "motion", "scene")
    made.result["heat"] = Heat(np.arange(MAX_CELLS) * 1.0, 1.0, names, rows.T, "integration").as_json()
    for result in (made.result, without):
        result["clip"] = {**result["clip"], "duration_s": 600.0}
    plain = _page(sample.Sample(without, made.tracks, made.spans))
    assert len(_page(made)) - len(plain) < 80_000


BROKEN: tuple[tuple[dict[str, Any], str], ...] = (
    ({"step_s": 0}, "heat.step_s"),
    ({"source": "a guess"}, "heat.source"),
    ({"share": {"face": [0.5, -0.1]}}, "heat.share.face.1"),
    ({"share": {"smell": [0.5]}}, "heat.share.smell"),
    ({"share": {"face": [0.5], "voice": [0.2, 0.3]}}, "as many steps as each other"),
)


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_heat_of_another_shape_is_refused(change: dict[str, Any], message: str) -> None:
    result = sample.result()
    result["heat"] = {**result["heat"], **change}
    with pytest.raises(VerdictError, match=message):
        checked(result)
