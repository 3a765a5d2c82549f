import pytest

from bot.nlu.text import mask, normalise, prepare


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("I&#39;m  waiting\n\nstill", "I'm waiting still"),
        ("it’s “fine”…", 'it\'s "fine"...'),
        ("zero\u200bwidth\u202e", "zero width"),
        ("", ""),
    ],
)
def test_texts_are_normalised(written: str, read: str) -> None:
    assert normalise(written) == read


def test_handles_links_and_addresses_are_masked() -> None:
    assert mask("@Larkfield see https://x.example/a?b=1 or a.b@c.example") == "@user see link or email"


def test_an_address_is_no_handle_and_a_hashtag_keeps_its_word() -> None:
    assert mask("mail me: me@home.example #fail #1") == "mail me: email fail #1"


def test_long_runs_of_a_letter_are_cut() -> None:
    assert prepare("nooooooooo!!!!!!") == "nooo!!!"


def test_a_very_long_text_is_cut() -> None:
    assert len(prepare("ab " * 100_000)) <= 2_000
