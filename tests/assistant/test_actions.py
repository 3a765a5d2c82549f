"""Custom actions by themselves."""

from typing import Any

import pytest

from actions.clarify import best_guesses
from actions.complaint import ORDER_WINDOW_S, order_number, remedy, what_happened
from actions.idempotency import key
from bot.policies.facts import NOT_GIVEN, facts
from bot.rasa_runtime import prepare

prepare()

from rasa_sdk import Tracker  # noqa: E402


def tracker(sender: str = "web:1", message: str | None = "m1", **said: Any) -> Tracker:
    metadata = {"message_id": message} if message else {}
    events = [
        {"event": "user", "metadata": {"message_id": "m0"}},
        {"event": "user", "metadata": metadata, **said},
        {"event": "action", "name": "action_listen"},
    ]
    return Tracker(sender, {}, {}, events, False, None, {}, None)


def user(at: float, order: str | None = None) -> dict[str, Any]:
    entities = [{"entity": "order_number", "value": order}] if order else []
    return {"event": "user", "timestamp": at, "parse_data": {"entities": entities}}


def test_a_key_is_the_same_when_the_turn_runs_again() -> None:
    assert key(tracker(), "action_refund") == key(tracker(), "action_refund")


@pytest.mark.parametrize(
    "other",
    [
        key(tracker(), "action_refund", part="mail"),
        key(tracker(), "action_book"),
        key(tracker(message="m2"), "action_refund"),
        key(tracker(sender="web:2"), "action_refund"),
    ],
    ids=["part", "action", "message", "customer"],
)
def test_a_key_differs_by_what_it_is_for(other: str) -> None:
    assert other != key(tracker(), "action_refund")


def test_without_frontdesks_message_id_rasas_own_serves() -> None:
    one = key(tracker(message=None, message_id="r1"), "action_refund")
    assert one == key(tracker(message=None, message_id="r1"), "action_refund")
    assert one != key(tracker(message=None, message_id="r2"), "action_refund")


def test_facts_leave_out_what_was_skipped() -> None:
    assert facts({"what_happened": "it broke", "order_number": NOT_GIVEN, "remedy": None}) == {
        "what_happened": "it broke"
    }


def test_words_in_place_of_an_order_number_are_kept_as_words() -> None:
    assert facts({"order_number": "the blue lamp of last week"}) == {"order": "the blue lamp of last week"}
    assert facts({"order_number": "LF-204518"}) == {"order_number": "LF-204518"}


@pytest.mark.parametrize(
    ("text", "triage", "tells"),
    [
        ("waited in all day and nobody came", {"severity": "disapproval", "categories": ["delivery"]}, True),
        ("where is it", {"severity": "disapproval", "categories": ["delivery"]}, False),
        ("i am really not happy with you", {"severity": "disapproval"}, False),
        ("the parcel that was due today never came", {"categories": ["delivery"]}, True),
        ("i would like to make a complaint please", {"categories": ["service"], "intent": "make_complaint"}, False),
    ],
    ids=["tells", "too short", "about nothing", "without a reproach", "a wish"],
)
def test_a_message_tells_what_happened_or_not(text: str, triage: dict[str, Any], tells: bool) -> None:
    assert what_happened({"text": text, "triage": triage}) == (text if tells else None)


def test_a_remedy_is_noted_if_an_agent_can_give_it() -> None:
    assert remedy({"triage": {"remedies": ["refund", "apology"]}}) == "refund, apology"
    assert remedy({"triage": {"remedies": ["information"]}}) is None
    assert remedy({}) is None


def test_the_last_order_number_within_the_window_counts() -> None:
    assert order_number([user(0, "LF-1"), user(10, "LF-2"), user(20)]) == "LF-2"
    assert order_number([user(0, "LF-1"), user(ORDER_WINDOW_S + 1)]) is None
    assert order_number([]) is None


def test_guesses_are_those_with_a_title_best_first() -> None:
    ranking = [{"name": name} for name in ("greet", "faq/a", "faq/b", "faq/c")]
    titles = {"faq/a": "A", "faq/b": "B", "faq/c": "C"}
    assert best_guesses({"triage": {"ranking": ranking}}, titles) == [("faq/a", "A"), ("faq/b", "B")]
    assert best_guesses({"intent_ranking": ranking}, titles) == [("faq/a", "A"), ("faq/b", "B")]
    assert best_guesses({}, titles) == []
