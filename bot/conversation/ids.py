"""Identifiers as types of their own, and how new ones are made."""

import secrets
import time
from typing import NewType

ConversationId = NewType("ConversationId", str)
"""`channel:customer`, for example `telegram:4711`."""

MessageId = NewType("MessageId", str)
EpisodeId = NewType("EpisodeId", str)
TicketId = NewType("TicketId", str)
AgentId = NewType("AgentId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """Return an id that sorts by time: prefix, 9 characters of milliseconds, 8 random ones.

    Source: Crockford's base 32 alphabet, which leaves out the letters that are misread.
    """
    value = int(time.time() * 1000)
    digits = []
    for _ in range(9):
        value, rest = divmod(value, 32)
        digits.append(_ALPHABET[rest])
    return prefix + "".join(reversed(digits)) + "".join(secrets.choice(_ALPHABET) for _ in range(8))


def conversation_id(channel: str, customer: str) -> ConversationId:
    """Return the key of the conversation that a customer has on a channel."""
    return ConversationId(f"{channel}:{customer}")


def channel_of(conversation: ConversationId) -> str:
    """Return the channel's name."""
    return conversation.split(":", 1)[0]


def customer_of(conversation: ConversationId) -> str:
    """Return the customer's id on the channel."""
    return conversation.split(":", 1)[1]
