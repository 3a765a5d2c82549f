"""Random histories of conversations, written through the real moves and the real log."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.conversation import ownership
from bot.conversation.errors import Conflict
from bot.conversation.events import (
    Author,
    CustomerMessageEdited,
    CustomerMessageReceived,
    EpisodeClosed,
    EpisodeStarted,
    Event,
    HandoffOffered,
    MessageDelivered,
    MessageDropped,
    MessageFailed,
    MessageSent,
    Outcome,
    Priority,
    Reason,
    TurnTaken,
)
from bot.conversation.ids import AgentId, ConversationId, EpisodeId, MessageId, channel_of, new_id
from bot.conversation.log import Log
from bot.conversation.ownership import Agent, Move
from bot.conversation.state import Handoff, State
from bot.conversation.triage import Sentiment, Triage

AGENTS = [Agent(AgentId("a1"), "Anna"), Agent(AgentId("a2"), "Ben")]
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class Histories:
    """Makes up what happens in some conversations, one step at a time."""

    def __init__(self, log: Log, seed: int, conversations: list[str]) -> None:
        self._log = log
        self._random = random.Random(seed)
        self._conversations = [ConversationId(one) for one in conversations]
        self._said: dict[ConversationId, list[tuple[MessageId, str]]] = {one: [] for one in self._conversations}
        self._now = START

    async def step(self) -> None:
        """Let one thing happen in one conversation."""
        self._now += timedelta(seconds=self._random.randint(1, 600))
        conversation = self._random.choice(self._conversations)
        snapshot = await self._log.load(conversation)
        choices: list[Callable[[ConversationId, State], Move]] = [
            *[self._customer] * 5,
            *[self._company] * 4,
            *[self._settle] * 3,
            *[self._edit, self._turn, self._offer, self._idle],
            *[self._hand_over, self._claim, self._claim, self._take_over, self._note, self._resolve, self._return],
        ]
        try:
            move = self._random.choice(choices)(conversation, snapshot.state)
        except Conflict:
            return
        if move.events:
            await self._log.append(snapshot, move.events, state=None if move.state == snapshot.state else move.state)

    def _customer(self, conversation: ConversationId, state: State) -> Move:
        events: list[Event] = []
        if state.episode is None:
            state = state.model_copy(update={"episode": EpisodeId(new_id("e"))})
            events.append(EpisodeStarted(at=self._now, episode=state.episode, channel=channel_of(conversation)))
        message, platform = MessageId(new_id("m")), new_id("p")
        self._said[conversation].append((message, platform))
        value = self._random.uniform(-1, 1)
        events.append(
            CustomerMessageReceived(
                at=self._now,
                episode=state.episode,
                message=message,
                channel_message=platform,
                text=self._random.choice(["hello", "where is it?", "", "\0", "😀 café", "x" * 500]),
                customer_name=self._random.choice(["", "Kim"]),
                triage=self._random.choice(
                    [None, Triage(intent="faq/delivery", sentiment=Sentiment.NEGATIVE, sentiment_value=value)]
                ),
            )
        )
        return Move(state, tuple(events))

    def _company(self, conversation: ConversationId, state: State) -> Move:
        message = MessageId(new_id("m"))
        self._said[conversation].append((message, ""))
        holder = next((one for one in AGENTS if state.owner == f"agent:{one.id}"), None)
        if holder:
            return ownership.reply(state, holder, "We look into it.", self._now, message)
        author = self._random.choice([Author.BOT, Author.SYSTEM])
        sent = MessageSent(at=self._now, episode=state.episode, message=message, author=author, text="An answer.")
        return Move(state, (sent,))

    def _settle(self, conversation: ConversationId, state: State) -> Move:
        if not self._said[conversation]:
            return Move(state, ())
        message, _ = self._random.choice(self._said[conversation])
        event = self._random.choice(
            [
                MessageDelivered(at=self._now, message=message, channel_message="7", repeated=2),
                MessageFailed(at=self._now, message=message, error="blocked"),
                MessageDropped(at=self._now, message=message, why="taken_over"),
            ]
        )
        return Move(state, (event,))

    def _edit(self, conversation: ConversationId, state: State) -> Move:
        platforms = [platform for _, platform in self._said[conversation] if platform]
        if not platforms:
            return Move(state, ())
        platform = self._random.choice(platforms)
        return Move(state, (CustomerMessageEdited(at=self._now, channel_message=platform, text="changed"),))

    def _turn(self, conversation: ConversationId, state: State) -> Move:
        turn = TurnTaken(
            at=self._now,
            episode=state.episode,
            in_reply_to=MessageId("m0"),
            answered=self._random.random() < 0.5,
            fallback=self._random.random() < 0.5,
        )
        return Move(state, (turn,))

    def _offer(self, conversation: ConversationId, state: State) -> Move:
        offered = HandoffOffered(at=self._now, episode=state.episode, reason=Reason.REPEATED_FALLBACK)
        return Move(state, (offered,))

    def _idle(self, conversation: ConversationId, state: State) -> Move:
        if not state.owned_by_bot or state.episode is None:
            return Move(state, ())
        closed = EpisodeClosed(at=self._now, episode=state.episode, by="idle")
        return Move(state.model_copy(update={"episode": None}), (closed,))

    def _hand_over(self, conversation: ConversationId, state: State) -> Move:
        reason, priority = self._random.choice(list(Reason)), self._random.choice(list(Priority))
        handoff = Handoff(reason, priority, scores={"complaint": 0.9}, facts={"order_number": "LF-1"})
        return ownership.hand_over(state, handoff, self._now)

    def _claim(self, conversation: ConversationId, state: State) -> Move:
        return ownership.claim(state, self._random.choice(AGENTS), self._now)

    def _take_over(self, conversation: ConversationId, state: State) -> Move:
        return ownership.take_over(state, self._random.choice(AGENTS), self._now)

    def _note(self, conversation: ConversationId, state: State) -> Move:
        return ownership.note(state, self._random.choice(AGENTS), "Take care.", self._now)

    def _resolve(self, conversation: ConversationId, state: State) -> Move:
        outcome = self._random.choice(list(Outcome))
        return ownership.resolve(state, self._random.choice(AGENTS), outcome, "", self._now)

    def _return(self, conversation: ConversationId, state: State) -> Move:
        return ownership.return_to_bot(state, self._random.choice(AGENTS), self._now)
