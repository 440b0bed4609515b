"""What sentences speak of: topics claimed and denied, in English and Chinese."""

from __future__ import annotations

import pytest

from hero.ground.mentions import spoken


def topics(text: str, *, denied: bool = False) -> set[str]:
    """Topics that a text claims, or denies."""
    return {mention.topic for mention in spoken(text).mentions if mention.denied == denied}


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("raised brows; lowered lip corners", {"brows up", "mouth corners down"}),
        ("The tone goes flat and the pace drops.", {"pitch flat", "slow"}),
        ("She frowns, and the eyebrows shoot up as the speaker begins.", {"brows down", "brows up"}),
        ("低沉的声音，眉毛扬起", {"pitch low", "brows up"}),
        ("嘴角下拉，语速变慢", {"mouth corners down", "slow"}),
        ("He is thoughtful.", set()),
    ],
)
def test_a_direction_goes_to_the_nearest_subject_that_knows_it(text: str, claimed: set[str]) -> None:
    assert topics(text) == claimed


@pytest.mark.parametrize(
    "text", ["The brows are not raised.", "No raised brows.", "眉毛没有抬起", "brows without being raised"]
)
def test_a_negation_denies_the_next_mention(text: str) -> None:
    assert topics(text, denied=True) == {"brows up"}
    assert topics(text) == set()


def test_a_negation_reaches_neither_over_a_comma_nor_into_an_opinion() -> None:
    assert topics("He says no, and smiles.") == {"smile"}
    assert topics("I do not take the smile as joy.") == {"smile"}
    assert topics("我不把这个微笑看作快乐") == {"smile"}


def test_words_inside_words_are_not_terms() -> None:
    assert topics("The similar faster-growing software is upright.") == {"fast"}
    assert topics("unsmiling, downtown, pitchfork raised") == set()


def test_quotes_and_comparisons_claim_nothing() -> None:
    said = spoken('He says "She smiles and frowns", as if the brows were raised.')
    assert said.mentions == ()
    assert said.quotes == ("She smiles and frowns",)


def test_a_head_of_a_list_is_no_statement() -> None:
    assert spoken("In the voice: something.").heads == {"voice"}
    assert spoken("The voice is odd.").subjects == {"voice"}


def test_a_mention_that_only_dates_is_said_aside() -> None:
    (pause, brows) = sorted(spoken("After the pause, the brows rise.").mentions, key=lambda m: m.place)
    assert (pause.topic, pause.aside) == ("pause", True)
    assert (brows.topic, brows.aside) == ("brows up", False)


def test_labels_are_known_by_the_names_of_every_shipped_set() -> None:
    assert spoken("joy, then ANGER; 悲伤").labels == {"happy", "angry", "sad"}
