"""The language of a message: English chat is never taken for another language, another language is told."""

from typing import Any

import pytest
import yaml

from bot.nlu.language import language_of
from tests.running import ROOT

GOLDEN: dict[str, Any] = yaml.safe_load((ROOT / "nlu_data" / "golden" / "languages.yml").read_text(encoding="utf-8"))
OTHERS = [(code, text) for code, texts in GOLDEN["others"].items() for text in texts]


@pytest.mark.parametrize("text", GOLDEN["english"])
def test_english_chat_is_taken_for_no_other_language(text: str) -> None:
    assert language_of(text) in ("en", None)


@pytest.mark.parametrize(("code", "text"), OTHERS)
def test_another_language_is_told(code: str, text: str) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize("missed", GOLDEN["missed"], ids=lambda missed: missed["text"])
def test_the_known_weaknesses_are_what_is_written_of_them(missed: dict[str, Any]) -> None:
    assert missed["told"] != missed["right"]
    assert language_of(missed["text"]) == missed["told"]


def test_a_plain_english_sentence_is_told() -> None:
    assert language_of("The parcel arrived with a broken handle and nobody answers my emails.") == "en"


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "123", "👍", "https://example.com/wo/ist/meine/bestellung", "ок"])
def test_without_words_there_is_no_language(text: str) -> None:
    assert language_of(text) is None


def test_numbers_links_and_addresses_beside_the_words_change_nothing() -> None:
    plain = "Wo bleibt meine Bestellung bitte"
    assert language_of(plain) == "de"
    assert (
        language_of(f"{plain} LF-204815 https://example.com/where/is/it anna.the.customer@example.com @larkfield")
        == "de"
    )


def test_capitals_change_nothing() -> None:
    assert language_of("WO BLEIBT MEINE BESTELLUNG BITTE") == "de"
    assert language_of("WHERE THE HELL IS MY ORDER") in ("en", None)
