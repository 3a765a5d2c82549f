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
        ("card 5555-5555-5555-4444", ("credit_card",)),
        ("GB82 WEST 1234 5698 7654 33", ()),
        ("nhs number 943 476 5918", ()),
        ("my NI number is AB 12 34 56 C", ("ni_number",)),
        ("NI number BG 12 34 56 C", ()),
        ("deliver it to SW1A 1AA", ("postcode",)),
        ("steuer-id 86095742719", ("de_tax_id",)),
        ("steuer-id 86095742718", ()),
        ("NIF 12345678Z", ("es_nif",)),
        ("NIF 12345678A", ()),
        ("NIE X1234567L", ("es_nie",)),
        ("NIE X1234567A", ()),
        ("codice fiscale RSSMRA85T10A562S", ("it_fiscal_code",)),
        ("codice fiscale RSSMRA85T10A562T", ()),
        ("pesel 44051401359", ("pl_pesel",)),
        ("pesel 44051401358", ()),
        ("mon NIR 1 85 05 78 006 084 91", ("fr_nir",)),
        ("mon NIR 185057800608491", ("fr_nir",)),
        ("mon NIR 1 85 05 78 006 084 92", ()),
        ("mijn bsn is 111222333", ("nl_bsn",)),
        ("mijn bsn is 111222334", ()),
        ("order 111222333", ()),
        ("our VAT number is DE 136695976", ("vat_number",)),
        ("our VAT number is DE136695977", ()),
        ("TVA FR 40 303 265 045", ("vat_number",)),
        ("TVA FR41303265045", ()),
        ("VAT GB 980 7806 84", ("vat_number",)),
        ("VAT GB980780685", ()),
        ("partita iva IT00743110157", ("vat_number",)),
        ("partita iva IT00743110158", ()),
        ("btw BE0428.759.497", ("vat_number",)),
        ("btw BE0428759498", ()),
        ("vat PL 8567346215", ("vat_number",)),
        ("vat PL8567346216", ()),
        ("item DE136695976", ()),
        ("private, for the arrival of item DE136695976", ()),
        ("adobe sent it on 12/03/2026", ()),
        ("my address is 192.168.1.17", ("ip_address",)),
        ("it comes from 2001:db8::17", ("ip_address",)),
        ("999.168.1.17", ()),
        ("version 10.2.3.4 of the app", ()),
        ("between 10:30 and 11:45:20", ()),
        ("dob 12/03/1984", ("date_of_birth",)),
        ("I was born on 3rd May 1984", ("date_of_birth",)),
        ("date of birth: 1984-05-03", ("date_of_birth",)),
        ("delivered on 3 May 2026", ()),
        ("order 204518 from 12/03/2026, item 4006381333931", ()),
        ("LF-204518 paid £45.99 on 20/11/2026", ()),
        ("no digits", ()),
    ],
)
def test_personal_data_is_found_by_format_and_checksum(text: str, kinds: tuple[str, ...]) -> None:
    assert PersonalDataFinder().kinds(text) == kinds


def test_addresses_among_the_entities_are_personal_data() -> None:
    assert PersonalDataFinder().kinds("x", ("email", "date")) == ("email",)
