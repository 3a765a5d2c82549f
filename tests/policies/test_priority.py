"""How soon a single message should be seen: the same rules as a handoff, with every reason."""

import pytest

from bot.conversation.events import Priority, Reason
from bot.conversation.triage import Category, Severity, Triage, Urgency
from bot.policies.escalation import Turn, decide
from bot.policies.priority import PrioritisedTriage, prioritise
from bot.policies.thresholds import Thresholds

LIMITS = Thresholds(sensitive={"faq/account_hacked": Priority.P2})


def triage(intent: str = "faq/delivery_time", **values: object) -> Triage:
    return Triage(intent=intent, confidence=0.9, **values)


def codes(found: PrioritisedTriage) -> list[tuple[str, str]]:
    return [(why.code, why.cause) for why in found.reasons]


def test_a_calm_question_is_the_last_and_has_no_reason():
    found = prioritise(triage(), LIMITS)
    assert (found.priority, found.reasons) == (Priority.P4, ())


def test_every_field_of_the_triage_is_kept():
    given = triage(complaint=0.9, severity=Severity.BLAME, categories=(Category.DELIVERY,), language="en", model="m1")
    found = prioritise(given, LIMITS)
    assert {name: getattr(found, name) for name in Triage.model_fields} == dict(given)
    assert PrioritisedTriage.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    "given",
    [
        triage(),
        triage("talk_to_human"),
        triage("talk_to_human", complaint=0.9, severity=Severity.BLAME),
        triage("faq/account_hacked", urgency=(Urgency.LEGAL, Urgency.PRESS)),
        triage("nlu_fallback", complaint=0.9, severity=Severity.DISAPPROVAL, urgency=(Urgency.LEAVING,)),
        triage(urgency=(Urgency.SAFETY,)),
    ],
)
def test_the_priority_is_that_of_the_handoff(given):
    found, decision = prioritise(given, LIMITS), decide([Turn(given.intent, given)], LIMITS)
    assert found.priority is (decision.priority if decision else Priority.P4)
    assert [why.code for why in found.reasons[:1]] == ([decision.reason] if decision else [])


def test_who_asks_for_a_person_and_blames_does_not_wait_longer_than_who_only_blames():
    blaming = {"complaint": 0.9, "severity": Severity.BLAME}
    found = prioritise(triage("talk_to_human", **blaming), LIMITS)
    assert found.priority is prioritise(triage("nlu_fallback", **blaming), LIMITS).priority is Priority.P2
    assert codes(found) == [("customer_request", "customer_request"), ("complaint", "blame")]


@pytest.mark.parametrize("severity", [Severity.NONE, Severity.DISAPPROVAL])
def test_a_complaint_counts_sooner_where_no_bot_answers_it(severity):
    given = triage("faq/parcel_late", complaint=0.5, severity=severity)
    found = prioritise(given, LIMITS)
    assert (found.priority, codes(found)) == (Priority.P3, [("complaint", severity)])
    assert decide([Turn(given.intent, given)], LIMITS) is None
    assert prioritise(triage("faq/parcel_late", complaint=0.49, severity=severity), LIMITS).priority is Priority.P4


def test_each_reason_tells_its_own_evidence_once():
    given = triage(complaint=0.97, severity=Severity.BLAME, categories=(Category.STORE,), urgency=(Urgency.SAFETY,))
    found = prioritise(given, LIMITS)
    assert [(why.code, why.details) for why in found.reasons] == [
        (Reason.URGENT, ("Urgent: safety",)),
        (Reason.COMPLAINT, ("Complaint 0.97 (from 0.50), severity blame", "About store")),
    ]


def test_a_signal_that_calls_nobody_raises_the_priority_and_is_a_reason():
    found = prioritise(triage(urgency=(Urgency.LEAVING,)), LIMITS)
    assert (found.priority, codes(found)) == (Priority.P3, [("urgent", "leaving")])
    assert found.reasons[0].details == ("Priority raised: leaving",)


def test_the_thresholds_of_the_configuration_hold():
    given = triage(complaint=0.6, severity=Severity.ACCUSATION)
    assert prioritise(given, LIMITS).priority is Priority.P3
    strict = Thresholds(complaint={Severity.ACCUSATION: 0.7}, unanswered_complaint=0.7)
    assert prioritise(given, strict).priority is Priority.P4
