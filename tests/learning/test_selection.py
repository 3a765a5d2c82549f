"""Which messages are worth a label."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.conversation.events import Outcome
from bot.conversation.triage import Guess, Sentiment, Severity, Triage, Urgency
from bot.learning.selection import Said, Why, choose, reasons

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SURE = (Guess(name="faq/delivery_time", confidence=0.9), Guess(name="faq/parcel_late", confidence=0.05))


def said(text="how long", number=0, outcome=None, **triage):
    known = {"intent": "faq/delivery_time", "confidence": 0.9, "ranking": SURE} | triage
    return Said(f"m{number}", NOON + timedelta(minutes=number), "web", text, Triage(**known), outcome)


def kinds(one):
    return {why for why, _ in reasons(one)}


def test_a_message_that_was_understood_is_not_worth_a_label():
    assert reasons(said()) == []
    assert choose([said()], [], 10) == []


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (said(intent="nlu_fallback"), Why.NOT_UNDERSTOOD),
        (said(intent="out_of_scope"), Why.NOT_UNDERSTOOD),
        (said(ranking=(Guess(name="a", confidence=0.5), Guess(name="b", confidence=0.4))), Why.CLOSE),
        (said(complaint=0.5), Why.CLOSE),
        (said(outcome=Outcome.INFORMATION_GIVEN), Why.WRAP_UP),
        (said(intent="make_complaint", complaint=0.1), Why.DISAGREEMENT),
        (said(intent="thanks", complaint=0.8, sentiment_value=-0.5), Why.DISAGREEMENT),
        (said(complaint=0.9, sentiment_value=0.6), Why.DISAGREEMENT),
        (said(complaint=0.1, sentiment_value=-0.8), Why.DISAGREEMENT),
        (said(complaint=0.9, severity_scores={Severity.NONE: 0.8, Severity.BLAME: 0.2}), Why.DISAGREEMENT),
        (said(complaint=0.1, severity_scores={Severity.NONE: 0.2, Severity.BLAME: 0.8}), Why.DISAGREEMENT),
        (said(urgency=(Urgency.FRAUD,), sentiment=Sentiment.POSITIVE), Why.DISAGREEMENT),
    ],
)
def test_each_reason_is_found(one, why):
    assert kinds(one) == {why}


@pytest.mark.parametrize("outcome", [Outcome.SPAM, Outcome.DUPLICATE, Outcome.NO_ANSWER])
def test_a_wrap_up_that_tells_nothing_is_no_reason(outcome):
    assert reasons(said(outcome=outcome)) == []


def test_asking_for_a_person_is_no_gap_in_the_answers():
    assert reasons(said(outcome=Outcome.SOLVED, intent="talk_to_human")) == []


def test_one_of_each_group_that_says_nearly_the_same_is_chosen_and_stands_for_all():
    texts = [
        "do you gift wrap presents",
        "Do you gift-wrap presents?",
        "do you gift wrap presents pls",
        "sell me a boat",
    ]
    chosen = choose([said(text, number, intent="nlu_fallback") for number, text in enumerate(texts)], [], 10)
    assert [(one.said.text, one.alike) for one in chosen] == [(texts[0], 3), (texts[3], 1)]


def test_what_is_taught_already_is_left_out():
    candidates = [said("do you gift wrap presents", 1, intent="nlu_fallback"), said("a boat", 2, intent="nlu_fallback")]
    assert [one.said.text for one in choose(candidates, ["Do you gift wrap presents?"], 10)] == ["a boat"]


def test_the_most_telling_come_first_and_the_limit_holds():
    close = said("close call", 1, complaint=0.5)
    lost = said("not understood", 2, intent="nlu_fallback")
    served = said("served by an agent", 3, outcome=Outcome.SOLVED, intent="nlu_fallback")
    assert [one.said for one in choose([close, lost, served], [], 2)] == [served, lost]


def test_the_choice_does_not_depend_on_the_order_of_what_is_given():
    candidates = [
        said(f"question number {number} about x{number % 7}", number, intent="nlu_fallback") for number in range(30)
    ]
    assert choose(candidates, [], 20) == choose(candidates[::-1], [], 20)
