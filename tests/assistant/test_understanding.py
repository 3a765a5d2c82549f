"""The whole assistant, with its own NLU: what customers write, and where it leads."""

import pytest

from tests.assistant.chat import Chat


async def test_a_question_is_understood_and_answered(chat: Chat) -> None:
    said = await chat.write("how long does delivery take?")
    assert "3 to 5 working days" in said.texts[0]
    assert said.commands == []


async def test_nonsense_is_clarified_with_two_guesses_then_a_person_is_offered(chat: Chat) -> None:
    said = await chat.write("what about flying carpets from atlantis")
    assert said.actions == ["action_clarify", "action_listen"]
    assert [payload.startswith(("/faq/", "/chitchat/")) for _, payload in said.buttons] == [True, True, False]
    said = await chat.write("how tall is mount everest")
    assert said.offer == "repeated_fallback"
    said = await chat.write("yes please")
    assert said.handoff
    assert said.handoff["reason"] == "repeated_fallback"


async def test_a_complaint_is_acknowledged_by_topic_and_asked_about(chat: Chat) -> None:
    said = await chat.write("my parcel is two weeks late and nobody answers my emails, this is a joke")
    assert "sorry" in said.texts[0]
    assert "delivery" in said.texts[0]
    assert "order number" in said.texts[1]
    said = await chat.write("LF-204518")
    said = await chat.write("i want my money back")
    assert said.handoff
    assert said.handoff["reason"] == "complaint"
    assert said.handoff["facts"]["order_number"] == "LF-204518"
    assert said.handoff["facts"]["remedy"] == "i want my money back"


@pytest.mark.parametrize(
    "text",
    [
        "my parcel never came and I'm cross",
        "This is unacceptable!",
        "I want to file a complaint about your driver",
        "nobody picks up the phone",
        "not happy with the quality at all",
    ],
)
async def test_plain_anger_is_acknowledged_and_not_asked_for_other_words(chat: Chat, text: str) -> None:
    said = await chat.write(text)
    assert "sorry" in said.texts[0].lower()
    assert [payload for _, payload in said.buttons] == ["/skip", "/talk_to_human"]
    assert "action_clarify" not in said.actions


async def test_what_was_told_with_the_complaint_is_not_asked_again(chat: Chat) -> None:
    told = "my parcel never came and im cross"
    said = await chat.write(told)
    assert "order number" in said.texts[1]
    await chat.write("LF-204518")
    said = await chat.write("just send it again")
    assert said.handoff
    assert said.handoff["facts"] == {
        "what_happened": told,
        "order_number": "LF-204518",
        "remedy": "just send it again",
    }


async def test_danger_is_handed_over_at_once(chat: Chat) -> None:
    said = await chat.write("my kettle caught fire and burnt my hand")
    assert said.handoff
    assert (said.handoff["reason"], said.handoff["priority"]) == ("urgent", "P1")
    assert said.handoff["details"][0] == "Urgent: safety"


async def test_a_wish_for_a_person_is_understood(chat: Chat) -> None:
    said = await chat.write("can i speak to a human")
    assert said.handoff
    assert said.handoff["reason"] == "customer_request"


async def test_a_language_that_is_not_spoken_is_said_so_and_handed_over(chat: Chat) -> None:
    said = await chat.write("Der Wasserkocher ist kaputt angekommen")
    assert said.handoff
    assert said.handoff["reason"] == "language"
    assert "auf Deutsch" in said.texts[0]
    assert "I only speak English" in said.texts[0]


async def test_it_is_said_in_english_where_there_are_no_other_words(chat: Chat) -> None:
    said = await chat.write("Var är min beställning? Jag har väntat i två veckor")
    assert said.handoff
    assert said.handoff["details"][0] == "The customer writes in Swedish, which the assistant doesn't speak"
    assert said.texts[0].startswith("I only speak English")


async def test_a_foreign_word_in_english_is_no_other_language(chat: Chat) -> None:
    said = await chat.write("merci! how long does delivery take?")
    assert said.handoff is None
