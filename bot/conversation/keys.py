"""The names of all Redis keys; docs/keys.md has a row for each."""

import zlib

from bot.conversation.ids import ConversationId

LIVE = "fd:live"
"""Pub/sub channel: the id of each conversation in which something happened."""
TYPING = "fd:typing"
"""Pub/sub channel: the id of a conversation in which an agent is typing."""
DESK = "fd:desk"
"""Hash: what the desk tells the workers (agents online, handling time)."""


def partition_of(conversation: ConversationId, partitions: int) -> int:
    """Return the partition (0 to `partitions` - 1) that holds a conversation."""
    return zlib.crc32(conversation.encode()) % partitions


def tag(partition: int) -> str:
    """Return the prefix with the hash tag that keeps a partition's keys on one slot."""
    return f"fd:{{p{partition:02d}}}"


class Keys:
    """The keys of one partition."""

    def __init__(self, partition: int) -> None:
        self._tag = tag(partition)
        self.inbox = f"{self._tag}:inbox"
        self.tries = f"{self._tag}:tries"
        self.events = f"{self._tag}:events"
        self.outbox = f"{self._tag}:outbox"
        self.sending = f"{self._tag}:sending"
        self.dead = f"{self._tag}:dead"
        self.rejected = f"{self._tag}:rejected"
        self.queue = f"{self._tag}:queue"
        self.due = f"{self._tag}:due"

    def lease(self, role: str) -> str:
        """Return the key of the lease that a worker or sender holds on the partition."""
        return f"{self._tag}:lease:{role}"

    def seen(self, channel: str, customer: str, channel_message: str) -> str:
        """Return the key that remembers a platform's message id."""
        return f"{self._tag}:seen:{channel}:{customer}:{channel_message}"

    def conversation(self, conversation: ConversationId) -> str:
        """Return the key of a conversation's snapshot."""
        return f"{self._tag}:conv:{conversation}"

    def log(self, conversation: ConversationId) -> str:
        """Return the key of a conversation's events."""
        return f"{self._tag}:log:{conversation}"

    def mail(self, conversation: ConversationId) -> str:
        """Return the key of a conversation's mailbox."""
        return f"{self._tag}:mail:{conversation}"


def members(role: str) -> str:
    """Return the key of the heartbeats of all processes of a role."""
    return f"fd:members:{role}"
