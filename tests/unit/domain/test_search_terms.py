"""The words that customers are found by."""

# Names in other scripts are what is tested.
# ruff: noqa: RUF001

import re
import unicodedata

import pytest

from churn.domain.search_terms import WORD_LENGTH, search_words, words_of


@pytest.mark.parametrize("looked_for", ["CUST-0", "001", "anna", "mull", "MÜLL", "anna.m", "example"])
def test_what_people_type_begins_a_word_of_the_customer(looked_for: str) -> None:
    words = search_words("CUST-001", "Anna Müller", "anna.muller@example.com")
    assert all(any(word.startswith(part) for word in words) for part in words_of(looked_for))


@pytest.mark.parametrize(
    ("name", "looked_for"),
    [
        ("Łukasz Żółć", "lukasz zolc"),
        ("Lukasz", "łuk"),
        ("Søren Kjærgård", "soren kjaergard"),
        ("Soren", "SØREN"),
        ("Đorđe Ćosić", "dorde cosic"),
        ("Işıl Yıldız", "isil yildiz"),
        ("İbrahim", "ibrahim"),
        ("Straße", "strasse"),
        ("STRASSE", "straße"),
        ("Þórður Guðmundsson", "thordur gudmundsson"),
        ("Œuvre", "oeuvre"),
        ("Ħaż-Żebbuġ", "zebbug"),
        ("Ŋaŋa", "nana"),
        ("Әлия", "әли"),
        ("Қайрат", "кайрат"),
        ("Ｆｕｌｌ Ｗｉｄｔｈ", "width"),
        ("Ǿystein", "oystein"),
        ("Kɔfi Ɛnam", "kofi enam"),
        ("Sinéad O’Brien", "o'brien"),
        ("Anne\N{NON-BREAKING HYPHEN}Marie", "anne-marie"),
        ("Ʉlf", "ulf"),
        ("Bɵrge", "borge"),
        ("Ƙɑrɩm", "karim"),
        ("Ꜳse", "aase"),
        ("Jeanne d´Arc", "d'arc"),
        ("Jeanne d'Arc", "d´arc"),
        ("Jeanne d`Arc", "d’arc"),
        ("Jeanne d＇Arc", "d\N{PRIME}arc"),
        ("ʿAlī", "ali"),
        ("Anna\N{ZERO WIDTH SPACE}Maria", "annamaria"),
        ("Annamaria", "anna\N{WORD JOINER}maria"),
        ("Anna\N{SOFT HYPHEN}maria", "annamaria"),
        ("\N{RIGHT-TO-LEFT MARK}Anna", "anna"),
    ],
)
def test_letters_that_decomposition_does_not_take_apart_are_plain_ones(name: str, looked_for: str) -> None:
    words = search_words("1", name, None)
    assert all(any(word.startswith(part) for word in words) for part in words_of(looked_for))


@pytest.mark.parametrize(
    "name",
    [
        "王小明",
        "歐陽 娜娜",
        "さとう・はなこ",
        "ガルシア・マリー",
        "김철수",
        "สมชาย ใจดี",
        "𠮷野家",
        "佐々木",
        "王" * 200 + "明",
    ],
)
def test_every_character_of_a_name_without_spaces_finds_it(name: str) -> None:
    words = search_words("1", name, None)
    assert max(map(len, words)) <= WORD_LENGTH
    parts = re.findall(r"\w+", unicodedata.normalize("NFC", name))
    for part in parts:
        for place in range(len(part)):
            for length in (1, 2, len(part)):
                looked_for = words_of(part[place : place + length])
                # A mark of Thai alone is no word.
                assert all(any(word.startswith(one) for word in words) for one in looked_for)
                assert looked_for or unicodedata.category(part[place]) == "Mn"


def test_where_the_script_changes_a_word_begins() -> None:
    assert search_words("1", "李Anna明", None) == {"1", "李anna明", "anna明", "明"}


def test_nothing_but_punctuation_has_no_words() -> None:
    assert words_of("%% _ -- ") == []
    assert search_words("%", None, "") == set()


def test_words_fit_their_column() -> None:
    assert max(map(len, search_words("x" * 64, "ß" * 255, "y@" + "z" * 250))) == WORD_LENGTH
