"""Complaints, urgent matters and requests: what ends with a person, and what the person gets to know."""

import pytest
import yaml

from bot.policies.facts import NOT_GIVEN
from tests.assistant.chat import Chat, Said
from tests.conftest import ROOT

BROKEN = "my kettle came broken and nobody answers my emails"
ACCUSES = {"complaint": 0.9, "severity": "accusation", "categories": ["product"], "sentiment_value": -0.7}


async def complain(chat: Chat) -> Said:
    return await chat.say(BROKEN, **ACCUSES)


async def test_a_wish_for_a_person_is_granted_at_once(chat: Chat) -> None:
    said = await chat.say("agent", "talk_to_human")
    assert said.handoff
    assert (said.handoff["reason"], said.handoff["priority"]) == ("customer_request", "P3")
    assert said.texts == []
    assert said.actions == ["action_hand_over", "action_listen"]


async def test_a_complaint_is_acknowledged_asked_about_and_handed_over(chat: Chat) -> None:
    said = await complain(chat)
    assert said.texts[0].startswith("I'm sorry, that's not what you paid for.")
    assert "order number" in said.texts[1]
    assert [payload for _, payload in said.buttons] == ["/skip", "/talk_to_human"]
    said = await chat.say("LF-204518", "inform_order", order="LF-204518")
    assert len(said.texts) == 1
    assert "put it right" in said.texts[0]
    said = await chat.say("a new one please", **ACCUSES)
    assert len(said.texts) == 1
    assert said.handoff
    assert said.handoff["reason"] == "complaint"
    assert said.handoff["facts"] == {
        "what_happened": BROKEN,
        "order_number": "LF-204518",
        "remedy": "a new one please",
    }
    assert said.handoff["details"] == ["Complaint 0.90 (from 0.50), severity accusation", "About product"]
    assert said.actions[-2:] == ["action_hand_over", "action_listen"]


async def test_all_three_facts_are_asked_for_if_nothing_was_told(chat: Chat) -> None:
    asked = [
        await chat.say("i want to complain", "make_complaint"),
        await chat.say("a driver swore at my dad"),
        await chat.say("don't have it here"),
    ]
    assert [said.texts[-1].split()[0] for said in asked] == ["Please", "What's", "And"]
    said = await chat.say("an apology")
    assert said.handoff
    assert said.handoff["facts"] == {
        "what_happened": "a driver swore at my dad",
        "order": "don't have it here",
        "remedy": "an apology",
    }


async def test_every_question_may_be_skipped(chat: Chat) -> None:
    await chat.say("complaint", "make_complaint")
    await chat.press("/skip")
    await chat.say("dunno", "skip")
    said = await chat.press("/skip")
    assert said.handoff
    assert said.handoff["facts"] == {}


async def test_no_as_an_answer_to_the_order_number_skips_it(chat: Chat) -> None:
    await complain(chat)
    said = await chat.say("no", "deny")
    assert "put it right" in said.texts[0]


async def test_just_get_me_someone_hands_over_with_what_was_told(chat: Chat) -> None:
    await complain(chat)
    said = await chat.press("/talk_to_human")
    assert said.handoff
    assert said.handoff["reason"] == "complaint"
    assert said.handoff["facts"] == {"what_happened": BROKEN}
    assert len(said.texts) == 1


async def test_the_words_that_cut_the_questions_short_are_no_fact(chat: Chat) -> None:
    await complain(chat)
    said = await chat.say("no, i want a human", "talk_to_human")
    assert said.handoff
    assert said.handoff["facts"] == {"what_happened": BROKEN}


async def test_an_answer_that_only_sounds_like_leaving_is_taken_for_one(chat: Chat) -> None:
    await complain(chat)
    await chat.press("/skip")
    said = await chat.say("a replacement", "talk_to_human", confidence=0.69)
    assert said.handoff
    assert said.handoff["facts"]["remedy"] == "a replacement"


async def test_a_complaint_that_tells_all_is_handed_over_without_a_question(chat: Chat) -> None:
    said = await chat.say(
        "order LF-204518 came in pieces and nobody answers, i want my money back",
        order="LF-204518",
        remedies=["refund"],
        **ACCUSES,
    )
    assert said.handoff
    assert said.handoff["facts"]["remedy"] == "refund"
    assert said.handoff["facts"]["order_number"] == "LF-204518"


async def test_an_order_number_given_earlier_is_not_asked_again(chat: Chat) -> None:
    await chat.say("LF-118822", "inform_order", order="LF-118822")
    said = await complain(chat)
    assert "put it right" in said.texts[1]


async def test_a_photo_during_the_questions_is_kept_and_the_question_asked_again(chat: Chat) -> None:
    await complain(chat)
    said = await chat.press("/attachment")
    assert "kept with our chat" in said.texts[0]
    assert "order number" in said.texts[1]
    assert (await chat.tracker()).get_slot("order_number") is None


async def test_blame_is_handed_over_without_questions(chat: Chat) -> None:
    said = await chat.say(BROKEN, complaint=0.9, severity="blame", categories=["product"])
    assert said.handoff
    assert (said.handoff["reason"], said.handoff["priority"]) == ("complaint", "P2")
    assert len(said.texts) == 1
    assert said.texts[0].startswith("I'm sorry")


@pytest.mark.parametrize("signal", ["safety", "fraud", "vulnerable", "legal"])
async def test_an_urgent_message_is_handed_over_with_one_line(chat: Chat, signal: str) -> None:
    said = await chat.say("the kettle caught fire", "faq/product_recall", urgency=[signal])
    assert said.handoff
    assert said.handoff["reason"] == "urgent"
    assert len(said.texts) == 1


async def test_an_urgent_answer_ends_the_questions_and_keeps_the_facts(chat: Chat) -> None:
    await complain(chat)
    said = await chat.say("my solicitor will write to you", urgency=["legal"])
    assert said.handoff
    assert said.handoff["reason"] == "urgent"
    assert said.handoff["facts"]["what_happened"] == BROKEN
    assert (await chat.tracker()).active_loop_name is None


def test_there_are_words_for_every_language_that_customers_are_told_in() -> None:
    config = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))
    settings = next(policy for policy in config["policies"] if policy["name"].endswith("EscalationPolicy"))
    domain = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    causes = {one["condition"][0]["value"] for one in domain["responses"]["utter_hand_over"]}
    assert {cause for cause in causes if cause.startswith("language")} == {
        "language",
        *(f"language_{code}" for code in settings["told_in"]),
    }
    assert config["language"] in settings["languages"]


async def test_a_falling_mood_is_handed_over(chat: Chat) -> None:
    for value in (-0.5, -0.6):
        assert (await chat.say("hm", "faq/parcel_late", sentiment_value=value)).handoff is None
    said = await chat.say("hm", "faq/parcel_late", sentiment_value=-0.8)
    assert said.handoff
    assert said.handoff["reason"] == "negative_sentiment"


async def test_a_sensitive_question_is_answered_and_handed_over(chat: Chat) -> None:
    said = await chat.say("my mum died, please close her account", "faq/account_bereavement")
    assert "very sorry for your loss" in said.texts[0]
    assert said.handoff
    assert said.handoff["reason"] == "sensitive_topic"


async def test_nothing_of_before_brings_a_second_handoff_after_a_return(chat: Chat) -> None:
    await chat.say("what")
    await chat.say("agent", "talk_to_human")
    await chat.come_back()
    said = await chat.say("colourless green ideas")
    assert said.actions == ["action_clarify", "action_listen"]


async def test_a_takeover_without_handoff_starts_the_count_afresh(chat: Chat) -> None:
    await chat.say("what")
    await chat.come_back()
    assert (await chat.say("colourless green ideas")).offer is None


async def test_a_second_handoff_works_and_has_its_own_facts(chat: Chat) -> None:
    await complain(chat)
    await chat.press("/talk_to_human")
    await chat.come_back()
    await chat.say("the second one is broken too, unbelievable people", **{**ACCUSES, "categories": ["delivery"]})
    await chat.say("LF-999999", "inform_order", order="LF-999999")
    said = await chat.say("just my money", **ACCUSES)
    assert said.handoff
    assert said.handoff["facts"]["what_happened"].startswith("the second one")


async def test_each_handoff_has_its_own_key(chat: Chat) -> None:
    first = (await chat.say("agent", "talk_to_human")).handoff
    second = (await chat.say("agent", "talk_to_human")).handoff
    assert first
    assert second
    assert first["key"] != second["key"]


def test_the_word_for_a_skipped_question_is_the_domains() -> None:
    assert f"value: {NOT_GIVEN}\n" in (ROOT / "domain.yml").read_text(encoding="utf-8")
