"""Checks the public JSON of an analysis before any report is made from it: one shape, unique ids, real times."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hero.directions import without_marks
from hero.errors import VerdictError
from hero.reason.verdict import Verdict
from hero.types import Modality

# Control characters, lone surrogates (from file names) and non-characters: HTML and XML can hold none of them.
_UNPRINTABLE = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\\ud800-\\udfff\\ufffe\\uffff]")

Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Open(BaseModel):
    """Known fields are checked, further ones pass: the answer may grow without breaking older reports."""

    model_config = ConfigDict(extra="allow")


class ClipPart(_Open):
    """What is known about the file."""

    name: str
    sha256: str = ""
    duration_s: float = Field(ge=0, allow_inf_nan=False)
    video: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None


class EvidencePart(_Open):
    """One row of evidence."""

    id: str = Field(pattern=r"^I?[VATS]E-\d{2,}$")
    modality: Modality
    expert: str
    span: tuple[float, float]
    confidence: float = Field(ge=0, le=1)
    inferred: bool
    text: str
    brief: str = ""
    person: int = 0
    measures: dict[str, float] = Field(default_factory=dict)


class AbsentPart(_Open):
    """An expert without observations."""

    expert: str
    reason: str
    cure: str = ""


class ConflictPart(_Open):
    """Evidence that points different ways."""

    between: tuple[str, ...]
    score: float
    text: str
    span: tuple[float, float] | None = None


class HeatPart(_Open):
    """Where the weight lies: one row of shares per modality, one share a step of time."""

    source: Literal["integration", "fusion"]
    step_s: float = Field(gt=0, allow_inf_nan=False)
    start_s: float = Field(ge=0, allow_inf_nan=False)
    share: dict[Modality, tuple[Share, ...]]

    @model_validator(mode="after")
    def _even(self) -> HeatPart:
        """Every modality has as many steps as the others."""
        counts = {name: len(row) for name, row in self.share.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"the rows of the heat need as many steps as each other, got {counts}")
        return self


class SupportPart(_Open):
    """How many claims rest on the evidence they cite."""

    claims: int = 0
    supported: int = 0
    rate: float | None = None


class Answer(_Open):
    """The JSON of `hero analyze --json`."""

    clip: ClipPart
    evidence: tuple[EvidencePart, ...]
    absent: tuple[AbsentPart, ...] = ()
    conflicts: tuple[ConflictPart, ...] = ()
    missing: dict[str, str] = Field(default_factory=dict)
    weights: dict[str, float] = Field(default_factory=dict)
    heat: HeatPart | None = None
    verdict: Verdict
    support: SupportPart | None = None
    provenance: dict[str, Any] = Field(default_factory=dict)


def checked(result: Mapping[str, Any]) -> dict[str, Any]:
    """The answer as plain JSON values with defaults filled in and unprintable characters replaced.

    Raises:
        VerdictError: the answer lacks a field, has a wrong value, or two pieces of evidence share an id.
    """
    try:
        answer = Answer.model_validate(printable(dict(result)))
        rows: dict[str, Any] = json.loads(answer.model_dump_json())
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise VerdictError(
            f"this answer cannot be reported: field '{where}' {first['msg'].lower()}, "
            f"got {str(first['input'])[:80]!r}; the fields are those of `hero analyze --json`; analyse the clip again"
        ) from fault
    _check_ids(rows)
    return rows


def printable(value: Any) -> Any:
    """A text (or the texts inside lists and dicts) with U+FFFD for what no document can hold, without direction marks."""
    if isinstance(value, str):
        return without_marks(_UNPRINTABLE.sub("\ufffd", value))
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return [printable(item) for item in value] if isinstance(value, (list, tuple)) else value


def _check_ids(rows: dict[str, Any]) -> None:
    ids = [ev["id"] for ev in rows["evidence"]]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise VerdictError(f"this answer cannot be reported: evidence id {twice[0]} is used twice; ids are unique")
    backwards = [ev["id"] for ev in rows["evidence"] if not 0 <= ev["span"][0] <= ev["span"][1]]
    if backwards:
        raise VerdictError(f"this answer cannot be reported: {backwards[0]} has a span that is not 0 <= start <= end")
