"""Citations, curves and packing."""

from __future__ import annotations

import numpy as np
import pytest

from hero.report.citations import cited_ids, paragraphs, pieces
from hero.report.curves import BINS, HEIGHT, WIDTH, draw, envelope
from hero.report.packing import pack

KNOWN = {"VE-01", "AE-02", "ITE-01"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Low [VE-01, AE-02].", [("Low ", ()), ("[VE-01, AE-02]", ("VE-01", "AE-02")), (".", ())]),
        ("[ITE-01, inferred] no", [("[ITE-01, inferred]", ("ITE-01",)), (" no", ())]),
        ("低[ITE-01，推断]。", [("低", ()), ("[ITE-01，推断]", ("ITE-01",)), ("。", ())]),
        ("see VE-01 there", [("see ", ()), ("VE-01", ("VE-01",)), (" there", ())]),
        ("[VE-77]", [("[VE-77]", ())]),
        ("[VE-01, VE-77]", [("[VE-01, VE-77]", ())]),
        ("", []),
    ],
)
def test_pieces(text: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(piece.text, piece.cites) for piece in pieces(text, KNOWN)] == expected
    assert "".join(piece.text for piece in pieces(text, KNOWN)) == text


def test_paragraphs_and_ids() -> None:
    assert len(paragraphs("a [VE-01]\n\n b ", KNOWN)) == 2
    assert cited_ids("[VE-01] then [VE-01, ITE-01, inferred]") == ("VE-01", "VE-01", "ITE-01")


def test_envelope_keeps_spikes() -> None:
    times = np.arange(0, 600, 0.01)
    values = np.zeros(times.size, np.float32)
    values[31_415], values[40_000] = 9.0, -4.0
    at, low, high = envelope(times, values, np.ones(times.size, bool), 600.0)
    assert at.size <= BINS and high.max() == 9.0 and low.min() == -4.0
    assert at[high.argmax()] == pytest.approx(times[31_415], abs=600 / BINS)


def test_masked_stretch_is_a_gap_not_a_zero() -> None:
    times = np.arange(0, 10, 0.1)
    mask = (times < 4) | (times >= 6)
    curve = draw(times, np.ones(times.size, np.float32), mask, 10.0, low=0, high=1, filled=False)
    assert curve.path.count("M") == 2
    ((left, width),) = [gap for gap in curve.gaps if 30 < gap[0] < 60]
    assert left == pytest.approx(39, abs=1.5) and width == pytest.approx(21, abs=2)


def test_curve_stays_in_its_box() -> None:
    times = np.linspace(-1, 12, 300)
    curve = draw(
        times, np.linspace(-9, 9, 300).astype(np.float32), np.ones(300, bool), 10.0, low=0, high=1, filled=True
    )
    numbers = [
        tuple(map(int, pair.split())) for pair in curve.path.replace("M", "L").replace("Z", "").split("L") if pair
    ]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in numbers)


def test_nothing_measured_draws_nothing() -> None:
    curve = draw(np.arange(5.0), np.zeros(5, np.float32), np.zeros(5, bool), 5.0, low=0, high=1, filled=True)
    assert curve.path == "" and curve.gaps == ((0.0, 100.0),)


def test_pack_uses_as_few_rows_as_needed() -> None:
    spans = [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (3.5, 5.0), (1.5, 1.6)]
    rows = pack(spans)
    assert rows == [0, 1, 0, 1, 2]
    assert pack([(0.0, 0.1), (0.2, 0.3)], least_s=0.5) == [0, 1]
    assert pack([]) == []
