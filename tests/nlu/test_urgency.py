from pathlib import Path

import pytest

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Urgency
from bot.nlu.personal_data import PersonalDataFinder
from bot.nlu.urgency import UrgencyPhrases
from tests.running import ROOT


@pytest.fixture(scope="module")
def phrases() -> UrgencyPhrases:
    return UrgencyPhrases(ROOT / "nlu_data" / "entities")


@pytest.mark.parametrize(
    ("text", "signals"),
    [
        ("the plug caught fire", (Urgency.SAFETY,)),
        ("my solicitor says so, and i'm going to the press", (Urgency.LEGAL, Urgency.PRESS)),
        ("i didn’t authorise this payment", (Urgency.FRAUD,)),
        ("i didnt make this payment", (Urgency.FRAUD,)),
        ("Im disabled and housebound", (Urgency.VULNERABLE,)),
        ("you have lost me as a customer", (Urgency.LEAVING,)),
        ("is there a smoking area", ()),
        ("where is my order", ()),
        ("", ()),
    ],
)
def test_signals_are_found_by_phrases(phrases: UrgencyPhrases, text: str, signals: tuple[Urgency, ...]) -> None:
    assert phrases.find(text) == signals


def test_without_a_file_there_are_no_signals(tmp_path: Path) -> None:
    assert UrgencyPhrases(tmp_path).find("fire fire") == ()


def test_an_unknown_signal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "urgency.yml").write_text("urgency: {boredom: {phrases: [yawn]}}")
    with pytest.raises(ConfigError, match="boredom"):
        UrgencyPhrases(tmp_path)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("card 4111 1111 1111 1111", ("credit_card",)),
        ("card 4111 1111 1111 1112", ()),
        ("GB82 WEST 1234 5698 7654 32", ("iban",)),
        ("nhs number 943 476 5919", ("nhs_number",)),
        ("943 476 5919", ()),
        ("sort code 12-34-56 account number 12345678", ("bank_account",)),
        ("LF-204518 paid £45.99 on 20/11/2026", ()),
        ("no digits", ()),
    ],
)
def test_personal_data_is_found_by_format_and_checksum(text: str, kinds: tuple[str, ...]) -> None:
    assert PersonalDataFinder().kinds(text) == kinds


def test_addresses_among_the_entities_are_personal_data() -> None:
    assert PersonalDataFinder().kinds("x", ("email", "date")) == ("email",)
