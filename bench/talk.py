"""What the customers of a bench write: questions that the shipped assistant answers, 1,280 in a row all different."""

from bot.conversation.events import utc_now
from bot.conversation.ids import MessageId, new_id
from bot.conversation.messages import Inbound

QUESTIONS = (
    "how long does delivery take",
    "can i return a jumper without the receipt",
    "which cards do you take",
    "when do i get my refund",
    "how do i reset my password",
    "do you deliver to ireland",
    "what are your opening hours",
    "how do i use my gift card",
    "can i change my delivery address",
    "do you wrap presents",
)
OPENINGS = (
    *("", "hi, ", "hello, ", "hi there, ", "good morning, ", "hey, ", "good evening, ", "hi again, "),
    *("hi team, ", "hello there, ", "morning, ", "good afternoon, ", "evening, ", "hey there, ", "hiya, ", "hi you, "),
)
ENDINGS = ("", "?", " please", " please?", ", thanks", ", thank you", " now", " these days")


def text(number: int) -> str:
    """Return the words of a customer's message; the encoder remembers 512 texts, so each is encoded anew."""
    question = QUESTIONS[number % 10]
    return f"{OPENINGS[number // 10 % 16]}{question}{ENDINGS[number // 160 % 8]}"


def message(customer: str, number: int) -> Inbound:
    """Return a customer's message as a gateway makes it."""
    return Inbound(
        channel="rest",
        customer=customer,
        channel_message=f"{number}",
        text=text(number),
        received_at=utc_now(),
        message=MessageId(new_id("m")),
    )
