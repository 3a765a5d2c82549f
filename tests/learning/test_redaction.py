"""Personal data stays in the database."""

import pytest

from bot.learning.redaction import Redactor
from tests.running import ROOT


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(ROOT / "nlu_data" / "entities")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("my order LF-204518 is late", "my order [order_number] is late"),
        ("mail me: kim.lee@example.org", "mail me: [email]"),
        ("ring 07700 900123 please", "ring [phone] please"),
        ("card 4111 1111 1111 1111", "card [credit_card]"),
        ("send it to SW1A 1AA", "send it to [postcode]"),
        ("sort code 20-00-00, account number 12345678", "sort code [bank_account], account number [bank_account]"),
        ("customer 99887766554 here", "customer [number] here"),
        ("@BrindleMobile see https://x.example/t?me=1", "@user see link"),
        ("my mail\nis&#32;a@b.example ", "my mail is [email]"),
        ("paid £1234567 on 2026-11-20 for 3 of 12", "paid £1234567 on 2026-11-20 for 3 of 12"),
        ("where is [order_number]?", "where is [order_number]?"),
    ],
)
def test_what_points_to_a_person_gets_a_placeholder(redactor, text, redacted):
    assert redactor.redact(text) == redacted
    assert redactor.redact(redacted) == redacted
    assert redactor.kinds(redacted) == []


def test_the_customers_own_name_is_taken_out_but_not_a_word_that_looks_like_it(redactor):
    assert (
        redactor.redact("its WILL BAKER, Will here, mrs Baker", "Will Baker") == "its [name], [name] here, mrs [name]"
    )
    assert redactor.redact("i will be the baker", "Will Baker") == "i will be the baker"
    assert redactor.redact("al, call me", "Al") == "al, call me"


def test_kinds_are_named_once(redactor):
    assert redactor.kinds("LF-204518 and LF-204519, a@b.example") == ["email", "order_number"]
