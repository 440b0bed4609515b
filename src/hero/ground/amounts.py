"""Numbers with units and times in a sentence, and whether the evidence it cites measures them.

A printed number stands for everything that rounds to it; after "about" or 约 it may be off by a quarter. Times of a sentence
must lie within a span that it cites; a length in seconds must be one that was measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hero.ground.mentions import QUOTE
from hero.types import Evidence, Span

ROUGHLY = 0.25
NEAR_LETTERS = 40  # in which words about a number are looked for
EDGE_S = 0.05  # spans are printed to 0.1 s

_NUMBER = r"\d+(?:\.\d+)?"
_WORDS = {
    word: float(value)
    for value, names in enumerate(
        ("one single 一", "two 两 二", "three 三", "four 四", "five 五", "six 六", "seven 七", "eight 八", "nine 九", "ten 十"), 1
    )
    for word in names.split()
} | {"eleven": 11.0, "twelve": 12.0, "十一": 11.0, "十二": 12.0}  # fmt: skip
_SAID = "|".join(sorted(_WORDS, key=len, reverse=True))
_VALUE = rf"(?P<value>{_NUMBER}|(?<![A-Za-z])(?:{_SAID})(?![A-Za-z]))"
_UNITS = {
    "syllables/s": (rf"每秒(?:只有|约|仅)?\s*{_VALUE}\s*个音节", rf"{_VALUE}\s*syllables?(?:/s| per second| a second)"),
    "semitones": (rf"{_VALUE}(?: and a half)?[\s-]*semitones?", rf"{_VALUE}\s*个?(?P<more>多)?半?个?半音"),
    "dB": (rf"{_VALUE}\s*(?:dB|decibels?|分贝)",),
    "Hz": (rf"{_VALUE}\s*(?:Hz|hertz|赫兹?)",),
    "%": (rf"{_VALUE}\s*(?:%|percent)",),
    "degrees": (rf"{_VALUE}\s*degrees?", rf"{_VALUE}\s*度"),
    "widths/s": (rf"{_VALUE}\s*frame widths", rf"每秒\s*{_VALUE}\s*个画面宽度"),
    "people": (rf"{_VALUE}\s+(?:faces?|people|persons?)(?![A-Za-z])", rf"{_VALUE}\s*(?:个人|张人?脸)"),
    "shots": (rf"{_VALUE}\s+shots?(?![A-Za-z])", rf"{_VALUE}\s*个镜头"),
    "r": (rf"(?<![A-Za-z])r\s+{_VALUE}", rf"相关\s*{_VALUE}"),
    "s": (rf"{_VALUE}[\s-]*(?:s|sec|seconds?)(?![A-Za-z/])", rf"{_VALUE}(?P<more>多)?\s*秒"),
}  # fmt: skip
_COUNTED = frozenset({"people", "shots"})
_SUFFIXES = {"_semitones": "semitones", "_db": "dB", "_hz": "Hz", "syl_s": "syllables/s", "_pct": "%", "_deg": "degrees",
             "widths_s": "widths/s", "correlation": "r", "people": "people", "shots": "shots"}  # fmt: skip
_UNIT_LEVEL = re.compile(rf"(AU\d\d)\s+(?P<value>{_NUMBER})")
_SECONDS = r"\s*(?:s|sec|seconds?|秒)(?![A-Za-z/])"
_RANGE = rf"{_NUMBER}\s*(?:s|秒)?\s*(?:-|–|to|到|至)\s*{_NUMBER}"
_LIST = rf"(?P<list>{_RANGE}(?:[,，、]\s*{_RANGE})*)"
_BETWEEN = rf"between\s+(?P<low>{_NUMBER})\s+and\s+(?P<high>{_NUMBER})"
_RANGES = re.compile(rf"(?:{_BETWEEN}|{_LIST}){_SECONDS}", re.IGNORECASE)
_POINT_BEFORE = re.compile(
    r"(?:\b(?:at|from|until|till|around|near|by)|在|从)\s*(?:about\s*|around\s*|约\s*)?$", re.IGNORECASE
)
_POINT_AFTER = re.compile(r"^\s*(?:处|起|时|左右处|into\b|mark\b|in\b)")
_ROUGH_BEFORE = re.compile(
    r"(?:about|rough(?:ly)?|nearly|almost|around|near|over|more than|less than|approximately|some|within|~"
    r"|大约|约|近|超过|将近)(?:\s+(?:of|by))?\s*$",
    re.IGNORECASE,
)
_ROUGH_AFTER = re.compile(r"^\s*(?:or so|左右|多)")
_EITHER_AFTER = re.compile(r"^\s*(?:左右|or so)")


@dataclass(frozen=True)
class Times:
    """A stretch of the clip that a text names: a moment has `start_s == end_s`."""

    start_s: float
    end_s: float
    slack_s: float
    said: str

    def inside(self, spans: Iterable[Span]) -> bool:
        """Whether it lies within one of the spans."""
        edge = self.slack_s + EDGE_S
        return any(span.start_s - edge <= self.start_s and self.end_s <= span.end_s + edge for span in spans)


@dataclass(frozen=True)
class Amount:
    """A number with its unit, as it stands in a text; `slack` is how far off a true value may lie.

    `moment` is there where a number of seconds may as well be a time of the clock ("around 4 s").
    """

    value: float
    unit: str
    slack: float
    said: str
    moment: Times | None = None

    def fits(self, others: Iterable[float]) -> bool:
        """Whether one of these values may be meant."""
        return any(abs(abs(other) - self.value) <= self.slack + 1e-9 for other in others)


@lru_cache(maxsize=4096)
def amounts(text: str) -> tuple[Amount, ...]:
    """Numbers with units, lengths of time among them; not the times of the clip's clock."""
    return tuple(amount for amount, _ in _numbers(text) if amount is not None)


@lru_cache(maxsize=4096)
def times(text: str) -> tuple[Times, ...]:
    """Stretches and moments of the clip's clock."""
    ranges = [found for match in _RANGES.finditer(_unquoted(text)) for found in _ranges(match)]
    return (*ranges, *(moment for _, moment in _numbers(text) if moment is not None))


def unmeasured(text: str, evidence: Sequence[Evidence], *, shares: bool = True) -> str | None:
    """The first number or time of a text that none of the cited evidence measures; `shares` False leaves percentages out."""
    spans = [ev.span for ev in evidence]
    for moment in times(text):
        if not moment.inside(spans):
            return moment.said
    for amount in amounts(text):
        known = [value for ev in evidence for value in _measured(ev, amount.unit)]
        if (amount.unit == "%" and not shares) or (amount.unit in _COUNTED and not known):
            continue
        if not amount.fits(known) and not (amount.moment and amount.moment.inside(spans)):
            return amount.said
    return None


def _measured(ev: Evidence, unit: str) -> Iterator[float]:
    """Everything that a piece of evidence says in a unit: its measures, its span's length, the numbers of its text."""
    if unit == "s":
        yield ev.span.duration_s
        yield from (value for key, value in ev.measures.items() if key.endswith("_s") and not key.endswith("syl_s"))
    for key, value in ev.measures.items():
        if next((name for suffix, name in _SUFFIXES.items() if key.endswith(suffix)), key) == unit:
            yield float(value)
        if unit == "%" and key.endswith("share"):
            yield 100 * float(value)
    yield from (amount.value for amount in amounts(f"{ev.text} {ev.brief}") if amount.unit == unit)


def _numbers(text: str) -> Iterator[tuple[Amount | None, Times | None]]:
    rest = _RANGES.sub(lambda match: " " * len(match[0]), _unquoted(text))
    for match in _UNIT_LEVEL.finditer(rest):
        yield Amount(float(match["value"]), match[1], _rounding(match["value"]), match[0]), None
    for unit, pattern in _patterns():
        for match in pattern.finditer(rest):
            before = rest[max(0, match.start() - NEAR_LETTERS) : match.start()]
            after = rest[match.end() : match.end() + NEAR_LETTERS]
            value = _WORDS.get(match["value"].lower()) or float(match["value"])
            rough = _ROUGH_BEFORE.search(before) or _ROUGH_AFTER.match(after) or match.groupdict().get("more")
            slack = max(_rounding(match["value"]), ROUGHLY * value if rough else 0.0)
            moment = (
                Times(value, value, max(0.5, _rounding(match["value"])) if rough else slack, match[0])
                if unit == "s"
                else None
            )
            if moment and (_POINT_BEFORE.search(before) or _POINT_AFTER.match(after)):
                yield None, moment
            else:
                either = moment if _EITHER_AFTER.match(after) else None
                yield Amount(value, unit, slack, match[0], either), None
        rest = pattern.sub(lambda match: " " * len(match[0]), rest)


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((unit, re.compile(one, re.IGNORECASE)) for unit, forms in _UNITS.items() for one in forms)


def _ranges(match: re.Match[str]) -> Iterator[Times]:
    pairs = (
        [(match["low"], match["high"])] if match["low"] else re.findall(rf"({_NUMBER})\D+?({_NUMBER})", match["list"])
    )
    for low, high in pairs:
        yield Times(float(low), float(high), max(_rounding(low), _rounding(high)), f"{low}-{high} s")


def _rounding(number: str) -> float:
    """Half a unit of the last printed digit."""
    decimals = len(number.partition(".")[2])
    return 0.5 * 10.0**-decimals


def _unquoted(text: str) -> str:
    return QUOTE.sub(lambda match: " " * len(match[0]), text)
