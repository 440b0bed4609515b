"""The label sets as data: those that ship, those of a user's own file, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero.errors import ConfigError
from hero.label_sets import COMMON, LONGEST_LABEL, label_set, shipped
from hero.labels import LABELS


def test_the_sets_of_the_field_ship() -> None:
    assert {"ekman7", "mer6", "meld", "iemocap4", "open"} <= set(shipped())
    assert label_set(COMMON).labels == LABELS
    assert len(label_set("mer6").labels) == 6
    assert label_set("mer6").common["worried"] is None


def test_a_closed_set_says_which_of_its_labels_means_which_common_one() -> None:
    assert label_set("meld").of_common()["happy"] == "joy"
    assert set(label_set("iemocap4").of_common()) == {"angry", "happy", "sad", "neutral"}


def test_only_the_open_set_is_open() -> None:
    assert [name for name, labels in shipped().items() if labels.open] == ["open"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[calm, happy]", {"calm": None, "happy": "happy"}),
        ("[\"no\", '3']", {"no": None, "3": None}),
        ("{fine: happy, bad: null}", {"fine": "happy", "bad": None}),
    ],
)
def test_a_file_of_the_users_own(tmp_path: Path, text: str, expected: dict[str, str | None]) -> None:
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    found = label_set(str(tmp_path / "mine.yaml"))
    assert found.name == "mine"
    assert dict(found.common) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just words", "list of labels or a mapping"),
        ("[one]", "needs 2 or more"),
        ("{a: happy, b: happy}", "same common label"),
        ("{a: glad, b: null}", "allowed: angry"),
        ("{'': null, b: null}", "no label"),
        ("{1: null, b: null}", "label 1 for a number; quote it"),
        ("{yes: null, b: null}", "label yes for a truth value; quote it"),
        ("[happy, 3, sad]", "label 3 for a number; quote it"),
        ("[yes, no, maybe]", "label yes for a truth value; quote it"),
        ("[happy, 2024-01-01, sad]", "for a date"),
        ("[happy, null]", "label null for nothing"),
        ("[happy, , sad]", "cannot be read"),
        ("[happy, [sad], angry]", "line 1 is no label"),
        ("[happy, sad, happy]", "'happy' stands twice"),
        ("{calm: null, calm: happy}", "'calm' stands twice"),
        ("[happy, sad, Happy]", "'Happy' and 'happy' are one label"),
        ('[happy, " happy"]', "' happy' and 'happy' are one label"),
        ('[" happy", sad]', "without blanks around"),
        ("", "got nothing"),
        ('{"a\\nb": null, b: null}', "no label"),
        (f"{{{'x' * (LONGEST_LABEL + 1)}: null, b: null}}", "no label"),
        ("{a: [", "cannot be read"),
    ],
)
def test_a_file_that_is_no_label_set(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message):
        label_set(str(tmp_path / "mine.yaml"))


def test_a_name_that_is_none_or_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="known: ekman7"):
        label_set("plutchik")
    (tmp_path / "meld.yaml").write_text("[a, b]", "utf-8")
    with pytest.raises(ConfigError, match="ships"):
        label_set(str(tmp_path / "meld.yaml"))
