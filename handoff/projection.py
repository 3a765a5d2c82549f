"""What each event does to the derived tables, in memory: a pure fold that knows neither PostgreSQL nor Redis.

The projector writes the result; the desk folds the newest events over what it has read, to show them at once.
"""

from collections.abc import Iterable

from bot.conversation.events import (
    Author,
    CustomerMessageEdited,
    CustomerMessageReceived,
    EpisodeClosed,
    EpisodeStarted,
    Event,
    HandoffOffered,
    HandoffRequested,
    MessageDelivered,
    MessageDropped,
    MessageFailed,
    MessageSent,
    NoteAdded,
    OwnerChanged,
    ReturnedToBot,
    TicketAssigned,
    TicketClaimed,
    TicketResolved,
    TurnTaken,
)
from bot.conversation.ids import ConversationId, MessageId, TicketId, channel_of, customer_of
from bot.conversation.state import BOT, QUEUE
from handoff.message_rows import edit, received_row, sent_row, settle
from handoff.tables import (
    ConversationRow,
    Delivery,
    EpisodeRow,
    MessageRow,
    NoteRow,
    Table,
    TicketRow,
    TicketState,
)

EXCERPT_CHARS = 200


class Projection:
    """The rows of some conversations, and the change that events make to them; new rows gather in `new`.

    The rows must hold every ticket, episode and message that the events speak of, as far as they exist.
    """

    def __init__(
        self,
        conversations: Iterable[ConversationRow] = (),
        episodes: Iterable[EpisodeRow] = (),
        tickets: Iterable[TicketRow] = (),
        messages: Iterable[MessageRow] = (),
    ) -> None:
        self.conversations = {row.id: row for row in conversations}
        self.episodes = {row.id: row for row in episodes}
        self.tickets = {row.id: row for row in tickets}
        self.messages: dict[tuple[ConversationId, MessageId], MessageRow] = {}
        self._by_channel: dict[tuple[ConversationId, str], MessageRow] = {}
        self.new: list[Table] = []
        for message in messages:
            self._remember(message)

    def apply(self, conversation: ConversationId, seq: int, event: Event) -> None:
        """Apply one event; one that was applied before changes nothing."""
        row = self.conversations.get(conversation)
        if row is None:
            row = ConversationRow(
                id=conversation,
                channel=channel_of(conversation),
                customer=customer_of(conversation),
                started_at=event.at,
                last_message_at=event.at,
            )
            self.conversations[conversation] = row
            self.new.append(row)
        if seq <= row.seq:
            return
        row.seq = seq
        episode = self._episode(row, event)
        match event:
            case CustomerMessageReceived():
                self._received(row, episode, event)
            case CustomerMessageEdited():
                self._edited(row, event)
            case MessageSent():
                self._sent(row, episode, event)
            case MessageDelivered() | MessageFailed() | MessageDropped():
                self._settled(row, event)
            case HandoffRequested():
                self._requested(row, episode, event)
            case OwnerChanged():
                self._owner_changed(row, event)
            case TicketClaimed() | TicketAssigned() | TicketResolved() | ReturnedToBot():
                self._ticket_moved(row, event)
            case NoteAdded():
                self._noted(row, event)
            case TurnTaken() | HandoffOffered() | EpisodeStarted() | EpisodeClosed():
                _count(row, episode, event)

    def skip(self, conversation: ConversationId, seq: int) -> None:
        """Pass over an event that this version does not understand."""
        row = self.conversations.get(conversation)
        if row is not None and seq > row.seq:
            row.seq = seq

    def _episode(self, row: ConversationRow, event: Event) -> EpisodeRow | None:
        if event.episode is None:
            return None
        episode = self.episodes.get(event.episode)
        if episode is None:
            episode = EpisodeRow(
                id=event.episode,
                conversation=row.id,
                channel=row.channel,
                started_at=event.at,
                first_seq=row.seq,
                last_seq=row.seq,
            )
            self.episodes[episode.id] = episode
            self.new.append(episode)
            row.episode = episode.id
        episode.last_seq = row.seq
        return episode

    def _remember(self, message: MessageRow) -> None:
        self.messages[message.conversation, message.id] = message
        if message.channel_message:
            self._by_channel[message.conversation, message.channel_message] = message

    def _said(self, row: ConversationRow, message: MessageRow) -> None:
        self._remember(message)
        self.new.append(message)
        row.messages += 1
        row.last_message_at = message.at
        row.last_author = message.author
        row.last_text = message.text[:EXCERPT_CHARS]

    def _received(self, row: ConversationRow, episode: EpisodeRow | None, event: CustomerMessageReceived) -> None:
        self._said(row, received_row(row, event))
        if not event.text and event.attachments:
            row.last_text = ", ".join(f"[{one.kind}]" for one in event.attachments)
        in_words = bool(event.text) and not event.text.startswith("/")
        if in_words or not row.customer_text:
            row.customer_text = row.last_text
        row.customer_name = event.customer_name or row.customer_name
        row.unanswered_since = row.unanswered_since or event.at
        if episode:
            if episode.customer_messages == 0:
                episode.first_customer_at = event.at
                episode.intent = event.triage.intent if event.triage else None
            episode.customer_messages += 1
            episode.last_customer_at = event.at

    def _edited(self, row: ConversationRow, event: CustomerMessageEdited) -> None:
        message = self._by_channel.get((row.id, event.channel_message))
        if message is not None:
            edit(message, event)

    def _sent(self, row: ConversationRow, episode: EpisodeRow | None, event: MessageSent) -> None:
        self._said(row, sent_row(row, event))
        if event.author not in {Author.BOT, Author.AGENT}:
            return
        row.unanswered_since = None
        by_agent = event.author == Author.AGENT
        ticket = self._ticket(row.ticket)
        if by_agent and ticket:
            ticket.first_agent_reply_at = ticket.first_agent_reply_at or event.at
        if episode:
            episode.first_reply_at = episode.first_reply_at or event.at
            if by_agent:
                episode.agent_messages += 1
                episode.first_agent_reply_at = episode.first_agent_reply_at or event.at
            else:
                episode.bot_messages += 1

    def _settled(self, row: ConversationRow, event: MessageDelivered | MessageFailed | MessageDropped) -> None:
        message = self.messages.get((row.id, event.message))
        if message is None or message.delivery in {None, Delivery.DELIVERED}:
            return
        settle(message, event)
        self._remember(message)

    def _requested(self, row: ConversationRow, episode: EpisodeRow | None, event: HandoffRequested) -> None:
        row.handoffs += 1
        row.ticket = event.ticket
        if event.ticket not in self.tickets:
            ticket = TicketRow(
                id=event.ticket,
                conversation=row.id,
                episode=event.episode,
                channel=row.channel,
                seq=row.seq,
                handoff=row.handoffs,
                reason=event.reason,
                priority=event.priority,
                skill=event.skill,
                scores=dict(event.scores),
                facts=dict(event.facts),
                details=list(event.details),
                requested_at=event.at,
            )
            self.tickets[ticket.id] = ticket
            self.new.append(ticket)
        if episode:
            episode.handoffs += 1
            episode.reason = episode.reason or event.reason
            episode.handoff_at = episode.handoff_at or event.at

    def _ticket(self, ticket: TicketId | None) -> TicketRow | None:
        return self.tickets.get(ticket) if ticket else None

    def _ticket_moved(
        self, row: ConversationRow, event: TicketClaimed | TicketAssigned | TicketResolved | ReturnedToBot
    ) -> None:
        ticket = self._ticket(event.ticket)
        if isinstance(event, TicketClaimed | TicketAssigned):
            row.owner_name = event.agent_name
        else:
            row.ticket = None
        if ticket is None:
            return
        match event:
            case TicketClaimed() | TicketAssigned():
                ticket.state = TicketState.ACTIVE
                ticket.assignee, ticket.assignee_name = event.agent, event.agent_name
                ticket.claimed_at = ticket.claimed_at or event.at
            case TicketResolved():
                ticket.state, ticket.closed_at = TicketState.RESOLVED, event.at
                ticket.outcome, ticket.comment = event.outcome, event.comment
            case ReturnedToBot():
                ticket.state, ticket.closed_at = TicketState.RETURNED, event.at

    def _owner_changed(self, row: ConversationRow, event: OwnerChanged) -> None:
        row.owner = event.owner
        row.owner_version = event.owner_version
        ticket = self._ticket(row.ticket)
        if event.owner in {BOT, QUEUE}:
            row.owner_name = ""
        if event.owner == BOT:
            row.ticket = None
            if ticket and ticket.closed_at is None:
                ticket.state, ticket.closed_at = TicketState.RETURNED, event.at
        elif event.owner == QUEUE and ticket and ticket.state == TicketState.ACTIVE:
            ticket.state = TicketState.WAITING
            ticket.assignee, ticket.assignee_name = None, ""

    def _noted(self, row: ConversationRow, event: NoteAdded) -> None:
        self.new.append(
            NoteRow(
                conversation=row.id,
                seq=row.seq,
                ticket=event.ticket,
                at=event.at,
                agent=event.agent,
                agent_name=event.agent_name,
                text=event.text,
            )
        )


def _count(
    row: ConversationRow,
    episode: EpisodeRow | None,
    event: TurnTaken | HandoffOffered | EpisodeStarted | EpisodeClosed,
) -> None:
    match event:
        case EpisodeStarted():
            row.episode = event.episode
        case EpisodeClosed():
            row.episode = None
    if episode is None:
        return
    match event:
        case TurnTaken():
            episode.answered += event.answered
            episode.fallbacks += event.fallback
        case HandoffOffered():
            episode.offers += 1
        case EpisodeClosed():
            episode.closed_at = event.at
            episode.closed_by = event.by
