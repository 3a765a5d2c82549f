"""When a person takes over: the decision by itself."""

from dataclasses import replace

import pytest

from bot.conversation.events import Priority, Reason
from bot.conversation.triage import Category, Remedy, Severity, Triage, Urgency
from bot.policies.escalation import Step, Turn, decide
from bot.policies.thresholds import Thresholds

LIMITS = Thresholds(sensitive={"faq/account_bereavement": Priority.P2}, skills={Category.REFUND: "payments"})


def turn(intent: str = "faq/delivery_time", **triage: object) -> Turn:
    return Turn(intent=intent, triage=Triage(intent=intent, confidence=0.9, **triage))


def complaint(severity: Severity = Severity.ACCUSATION, probability: float = 0.9, **triage: object) -> Turn:
    return turn("nlu_fallback", complaint=probability, severity=severity, **triage)


def of_probability(one: Turn, probability: float) -> Turn:
    return replace(one, triage=one.triage.model_copy(update={"complaint": probability}))


def test_an_empty_history_needs_nobody():
    assert decide([], LIMITS) is None


def test_a_calm_question_needs_nobody():
    assert decide([turn()], LIMITS) is None


def test_asking_for_a_person_hands_over():
    decision = decide([turn("talk_to_human")], LIMITS)
    assert decision.step is Step.HAND_OVER
    assert decision.reason is Reason.CUSTOMER_REQUEST
    assert decision.priority is Priority.P3
    assert decision.details == ("The customer asked for a person",)


@pytest.mark.parametrize(
    ("signal", "priority"),
    [(Urgency.SAFETY, "P1"), (Urgency.FRAUD, "P1"), (Urgency.VULNERABLE, "P1"), (Urgency.LEGAL, "P2")],
)
def test_urgent_signals_hand_over_at_once(signal, priority):
    decision = decide([turn(urgency=(signal,))], LIMITS)
    assert (decision.step, decision.reason, decision.priority) == (Step.HAND_OVER, Reason.URGENT, priority)
    assert decision.cause == signal
    assert decision.details == (f"Urgent: {signal}",)


def test_the_worst_of_several_signals_sets_priority_and_cause():
    decision = decide([turn(urgency=(Urgency.LEGAL, Urgency.SAFETY))], LIMITS)
    assert (decision.priority, decision.cause) == (Priority.P1, Urgency.SAFETY)


@pytest.mark.parametrize("signal", [Urgency.PRESS, Urgency.LEAVING])
def test_other_signals_only_raise_the_priority(signal):
    assert decide([turn(urgency=(signal,))], LIMITS) is None
    decision = decide([turn("talk_to_human", urgency=(signal,))], LIMITS)
    assert decision.priority is Priority.P2
    assert decision.details[-1] == f"Priority raised: {signal}"


def test_the_highest_priority_can_not_be_raised():
    decision = decide([turn(urgency=(Urgency.SAFETY, Urgency.PRESS))], LIMITS)
    assert decision.priority is Priority.P1


def test_the_priority_is_the_most_urgent_of_all_rules_that_apply():
    blaming = turn("talk_to_human", complaint=0.9, severity=Severity.BLAME)
    decision = decide([blaming], LIMITS)
    assert (decision.reason, decision.priority) == (Reason.CUSTOMER_REQUEST, Priority.P2)


def test_urgency_wins_against_the_wish_for_a_person():
    assert decide([turn("talk_to_human", urgency=(Urgency.FRAUD,))], LIMITS).reason is Reason.URGENT


@pytest.mark.parametrize("severity", [Severity.DISAPPROVAL, Severity.ACCUSATION])
def test_a_complaint_is_acknowledged_first(severity):
    decision = decide([complaint(severity)], LIMITS)
    assert (decision.step, decision.reason, decision.cause) == (Step.ACKNOWLEDGE, Reason.COMPLAINT, severity)


def test_blame_hands_over_at_once_and_sooner():
    decision = decide([complaint(Severity.BLAME)], LIMITS)
    assert (decision.step, decision.reason) == (Step.HAND_OVER, Reason.COMPLAINT)
    assert decision.priority is Priority.P2


@pytest.mark.parametrize(
    ("severity", "below", "at"), [(Severity.DISAPPROVAL, 0.69, 0.7), (Severity.ACCUSATION, 0.49, 0.5)]
)
def test_the_complaint_threshold_depends_on_the_severity(severity, below, at):
    answered = turn("faq/parcel_late", severity=severity)
    assert decide([of_probability(answered, below)], LIMITS) is None
    assert decide([of_probability(answered, at)], LIMITS) is not None


@pytest.mark.parametrize("severity", [Severity.NONE, Severity.DISAPPROVAL])
@pytest.mark.parametrize("intent", ["nlu_fallback", "out_of_scope"])
def test_where_there_is_no_answer_it_depends_on_nothing_else(severity, intent):
    not_understood = turn(intent, severity=severity)
    assert decide([of_probability(not_understood, 0.49)], LIMITS) is None
    decision = decide([of_probability(not_understood, 0.5)], LIMITS)
    assert (decision.step, decision.reason, decision.cause) == (Step.ACKNOWLEDGE, Reason.COMPLAINT, severity)
    assert decision.details == (f"Complaint 0.50 (from 0.50), severity {severity}",)


def test_a_complaint_without_reproach_is_a_question_first():
    assert decide([turn("faq/parcel_late", complaint=1.0, severity=Severity.NONE)], LIMITS) is None


def test_a_stricter_line_where_there_is_no_answer_leaves_those_of_the_severities():
    strict = replace(LIMITS, unanswered_complaint=0.95)
    assert decide([complaint(Severity.DISAPPROVAL, 0.7)], strict) is not None
    assert decide([complaint(Severity.NONE, 0.94)], strict) is None


def test_the_wish_to_complain_counts_without_any_reproach():
    decision = decide([turn("make_complaint")], LIMITS)
    assert (decision.step, decision.cause) == (Step.ACKNOWLEDGE, "none")


def test_a_complaint_brings_its_evidence_topic_and_skill():
    decision = decide(
        [
            complaint(
                categories=(Category.REFUND, Category.SERVICE),
                remedies=(Remedy.REFUND,),
                severity_scores={Severity.ACCUSATION: 0.61},
                sentiment_value=-0.7,
            )
        ],
        LIMITS,
    )
    assert (decision.topic, decision.skill) == (Category.REFUND, "payments")
    assert decision.details == (
        "Complaint 0.90 (from 0.50), severity accusation",
        "About refund, service",
        "Wants refund",
    )
    assert decision.scores == {"confidence": 0.9, "complaint": 0.9, "sentiment": -0.7, "severity": 0.61}


def test_answers_about_a_complaint_are_not_a_new_one():
    answers = [replace(complaint(sentiment_value=-0.9), about_complaint=True) for _ in range(4)]
    assert decide([complaint(), *answers], LIMITS) is None


@pytest.mark.parametrize("intent", ["talk_to_human", "goodbye"])
def test_cutting_the_questions_short_hands_the_complaint_over(intent):
    begun = decide([complaint()], LIMITS)
    decision = decide([turn(), complaint(), replace(turn(intent), about_complaint=True)], LIMITS)
    assert (decision.step, decision.reason) == (Step.HAND_OVER, Reason.COMPLAINT)
    assert decision.scores == begun.scores, "the evidence is the complaint, not the words that cut it short"
    assert set(begun.details) < set(decision.details)


def test_an_answer_that_only_sounds_like_leaving_is_an_answer():
    unsure = Turn("talk_to_human", Triage(intent="talk_to_human", confidence=0.69), about_complaint=True)
    assert decide([complaint(), unsure], LIMITS) is None


@pytest.mark.parametrize("bad", [{"urgency": (Urgency.LEGAL,)}, {"severity": Severity.BLAME, "complaint": 0.9}])
def test_urgency_and_blame_end_the_questions(bad):
    decision = decide([complaint(), replace(turn(**bad), about_complaint=True)], LIMITS)
    assert decision.step is Step.HAND_OVER


def test_a_falling_mood_hands_over():
    decision = decide([turn(sentiment_value=value) for value in (-0.2, -0.6, -0.8)], LIMITS)
    assert (decision.step, decision.reason) == (Step.HAND_OVER, Reason.NEGATIVE_SENTIMENT)
    assert decision.details == ("Mood over the last 3 messages: -0.20, -0.60, -0.80",)


@pytest.mark.parametrize(
    "values",
    [
        (-0.9, -0.9),
        (-0.9, -0.8, -0.6),
        (-0.9, 0.1, -0.9),
        (-0.3, -0.4, -0.5),
        (-0.9, -0.9, -0.4),
    ],
    ids=["too few", "getting better", "one was friendly", "mild", "last one mild"],
)
def test_other_moods_do_not(values):
    assert decide([turn(sentiment_value=value) for value in values], LIMITS) is None


def test_one_misunderstanding_needs_nobody():
    assert decide([turn(), turn("nlu_fallback")], LIMITS) is None


@pytest.mark.parametrize("second", ["nlu_fallback", "out_of_scope"])
def test_the_second_misunderstanding_in_a_row_offers_a_person(second):
    decision = decide([turn("nlu_fallback"), turn(second)], LIMITS)
    assert (decision.step, decision.reason) == (Step.OFFER, Reason.REPEATED_FALLBACK)
    assert decision.details == ("2 messages in a row were not understood",)


def test_an_answer_in_between_starts_the_count_again():
    assert decide([turn("nlu_fallback"), turn(), turn("nlu_fallback")], LIMITS) is None


def test_a_yes_to_the_offer_hands_over_for_the_reason_of_the_offer():
    asked = [turn("nlu_fallback"), replace(turn("nlu_fallback"), offer=Reason.REPEATED_FALLBACK)]
    decision = decide([*asked, turn("affirm")], LIMITS)
    assert (decision.step, decision.reason) == (Step.HAND_OVER, Reason.REPEATED_FALLBACK)
    assert decision.details == (
        "2 messages in a row were not understood",
        "The customer accepted the offer of a person",
    )


@pytest.mark.parametrize("intent", ["deny", "faq/delivery_time"])
def test_anything_else_after_the_offer_stays_with_the_bot(intent):
    offered = replace(turn("nlu_fallback"), offer=Reason.REPEATED_FALLBACK)
    assert decide([turn("nlu_fallback"), offered, turn(intent)], LIMITS) is None


def test_a_yes_to_nothing_in_particular_needs_nobody():
    assert decide([turn("affirm")], LIMITS) is None
    offered = replace(turn("nlu_fallback"), offer=Reason.REPEATED_FALLBACK)
    assert decide([offered, turn(), turn("affirm")], LIMITS) is None


def test_a_sensitive_topic_goes_to_a_person():
    decision = decide([turn("faq/account_bereavement")], LIMITS)
    assert (decision.step, decision.reason) == (Step.HAND_OVER, Reason.SENSITIVE_TOPIC)
    assert decision.priority is Priority.P2


def test_a_sensitive_topic_that_is_only_guessed_does_not():
    unsure = Turn("faq/account_bereavement", Triage(intent="faq/account_bereavement", confidence=0.4))
    assert decide([unsure], LIMITS) is None


def test_messages_of_long_ago_do_not_count():
    old = replace(turn("nlu_fallback"), at_s=0.0)
    new = replace(turn("nlu_fallback"), at_s=LIMITS.window_s + 1)
    assert decide([old, new], LIMITS) is None
    assert decide([replace(old, at_s=2.0), new], LIMITS) is not None


def test_a_complaint_about_a_sensitive_topic_is_a_complaint():
    limits = Thresholds(sensitive={"faq/data_breach": Priority.P2})
    triage = Triage(intent="faq/data_breach", confidence=0.9, complaint=0.9, severity=Severity.DISAPPROVAL)
    decision = decide([Turn("faq/data_breach", triage)], limits)
    assert decision is not None
    assert (decision.reason, decision.priority) == (Reason.COMPLAINT, Priority.P2)
    assert decision.details[-1] == "Sensitive: faq/data_breach", "the rule that made it P2 is told"


def test_the_certainty_that_nothing_is_reproached_is_no_severity():
    decision = decide([turn("talk_to_human", severity_scores={Severity.NONE: 1.0})], LIMITS)
    assert decision is not None
    assert "severity" not in decision.scores


@pytest.mark.parametrize("language", ["en", None])
def test_what_is_spoken_or_cant_be_told_needs_nobody(language):
    assert decide([turn(language=language)], LIMITS) is None


def test_a_language_that_is_not_spoken_goes_to_a_person():
    decision = decide([turn(language="de")], LIMITS)
    assert (decision.step, decision.reason, decision.priority) == (Step.HAND_OVER, Reason.LANGUAGE, Priority.P3)
    assert decision.cause == "language"
    assert decision.details == ("The customer writes in German, which the assistant doesn't speak",)


def test_a_customer_is_told_in_their_own_language_if_there_are_words_for_it():
    limits = Thresholds(told_in=("de",))
    causes = [decide([turn(language=code)], limits).cause for code in ("de", "sv")]
    assert causes == ["language_de", "language"]


def test_an_assistant_that_speaks_two_languages_answers_both():
    limits = Thresholds(languages=("en", "de"))
    assert decide([turn(language="de")], limits) is None
    assert decide([turn(language="fr")], limits).reason is Reason.LANGUAGE


def test_an_answer_about_a_complaint_may_hold_foreign_names():
    asked = replace(turn("inform_order", language="fr"), about_complaint=True)
    assert decide([asked], LIMITS) is None


def test_danger_comes_before_the_language():
    decision = decide([turn(language="de", urgency=(Urgency.SAFETY,))], LIMITS)
    assert (decision.reason, decision.priority) == (Reason.URGENT, Priority.P1)


def test_blame_in_another_language_keeps_its_priority():
    decision = decide([complaint(Severity.BLAME, language="de")], LIMITS)
    assert (decision.reason, decision.priority) == (Reason.LANGUAGE, Priority.P2)
