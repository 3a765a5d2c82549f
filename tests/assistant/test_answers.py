"""Questions, small talk and what else needs no person."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from actions.clarify import GUESSES
from bot.rasa_processor import Processor
from tests.assistant.chat import Chat
from tests.conftest import ROOT


def intents() -> list[str]:
    files = [*sorted((ROOT / "nlu_data" / "faq").glob("*.yml")), ROOT / "nlu_data" / "chitchat.yml"]
    return [example["intent"] for file in files for example in read(file).get("nlu", [])]


def read(file: Path) -> dict[str, Any]:
    data: dict[str, Any] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return data


def titles() -> dict[str, str]:
    found: dict[str, str] = read(ROOT / "nlu_data" / "titles.yml")["responses"]["utter_titles"][0]["custom"]
    return found


async def test_a_question_is_answered(chat: Chat) -> None:
    said = await chat.say("how long does delivery take", "faq/delivery_time")
    assert len(said.texts) == 1
    assert "3 to 5 working days" in said.texts[0]
    assert said.commands == []


async def test_small_talk_is_answered(chat: Chat) -> None:
    said = await chat.say("are you real", "chitchat/are_you_a_bot")
    assert len(said.texts) == 1


@pytest.mark.parametrize("intent", intents())
async def test_every_question_has_an_answer(chat: Chat, intent: str) -> None:
    said = await chat.press(f"/{intent}")
    assert said.texts


def test_every_question_has_a_title_that_fits_a_button() -> None:
    assert set(titles()) == set(intents())
    assert [title for title in titles().values() if not 3 <= len(title) <= 36] == []


def test_no_two_questions_have_the_same_title() -> None:
    assert len(set(titles().values())) == len(titles())


async def test_the_assistant_says_what_it_is_once(chat: Chat) -> None:
    first, second = await chat.say("hi", "greet"), await chat.say("hello?", "greet")
    assert "computer program" in first.texts[0]
    assert "computer program" not in second.texts[0]


async def test_there_is_no_introduction_after_a_person_was_there(chat: Chat) -> None:
    await chat.say("how long does delivery take", "faq/delivery_time")
    await chat.come_back()
    said = await chat.say("hi", "greet")
    assert "computer program" not in said.texts[0]


@pytest.mark.parametrize("intent", ["thanks", "goodbye", "affirm", "deny", "skip", "inform_order"])
async def test_the_small_words_of_a_conversation_get_one_reply(chat: Chat, intent: str) -> None:
    said = await chat.say("…", intent)
    assert len(said.texts) == 1
    assert said.commands == []


async def test_an_order_number_is_remembered(chat: Chat) -> None:
    await chat.say("LF-204518", "inform_order", order="LF-204518")
    assert (await chat.tracker()).get_slot("order_number") == "LF-204518"


async def test_an_unknown_question_is_clarified_with_the_two_best_guesses(chat: Chat) -> None:
    said = await chat.say("colourless green ideas")
    assert len(said.texts) == 1
    assert said.buttons == [
        ("How long delivery takes", "/faq/delivery_time"),
        ("Gift wrap", "/faq/gift_wrap"),
        ("Ask for a person", "/talk_to_human"),
    ]
    assert GUESSES == 2
    assert said.commands == []


async def test_a_pressed_guess_is_answered(chat: Chat) -> None:
    await chat.say("colourless green ideas")
    said = await chat.press("/faq/gift_wrap")
    assert "gift wrap" in said.texts[0].lower()


async def test_what_is_none_of_our_business_is_clarified_too(chat: Chat) -> None:
    assert (await chat.say("who won the cup", "out_of_scope")).actions == ["action_clarify", "action_listen"]


async def test_a_second_unknown_question_in_a_row_offers_a_person(chat: Chat) -> None:
    await chat.say("colourless green ideas")
    said = await chat.say("sleep furiously")
    assert said.offer == "repeated_fallback"
    assert [payload for _, payload in said.buttons] == ["/affirm", "/deny"]
    assert said.handoff is None


async def test_the_offer_accepted_hands_over(chat: Chat) -> None:
    await chat.say("colourless green ideas")
    await chat.say("sleep furiously")
    said = await chat.press("/affirm")
    assert said.handoff
    assert said.handoff["reason"] == "repeated_fallback"


async def test_the_offer_declined_stays_and_counts_afresh(chat: Chat) -> None:
    await chat.say("colourless green ideas")
    await chat.say("sleep furiously")
    said = await chat.press("/deny")
    assert said.commands == []
    assert "I'm still here" in said.texts[0]
    assert (await chat.say("sleep again")).offer is None


async def test_an_attachment_is_kept_and_a_person_offered(chat: Chat) -> None:
    said = await chat.press("/attachment")
    assert "kept with our chat" in said.texts[0]
    assert said.offer == "customer_request"
    assert (await chat.press("/affirm")).handoff


async def test_a_button_of_an_earlier_model_is_clarified(chat: Chat) -> None:
    said = await chat.press("/faq/no_longer_there")
    assert said.actions == ["action_clarify", "action_listen"]


async def test_the_word_restart_restarts_nothing(chat: Chat, processor: Processor) -> None:
    await chat.say("hi", "greet")
    said = await chat.say("restart")
    assert said.actions == ["action_clarify", "action_listen"]
    assert (await chat.tracker()).get_slot("greeted") is True


def test_rasa_never_starts_a_session_by_itself(processor: Processor) -> None:
    assert not processor.domain.session_config.are_sessions_enabled()
