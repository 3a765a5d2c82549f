"""What a Telegram update means: a pure function of the update and of who the bot is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from telegram import CallbackQuery, Message, Update, User
from telegram.constants import ChatType

from bot.conversation.events import Attachment

START = "group"
"""What the link to the private chat carries; Telegram then sends "/start group"."""
_GROUPS = (ChatType.GROUP, ChatType.SUPERGROUP)


@dataclass(frozen=True)
class Said:
    """Something for the gateway, in its words."""

    customer: str
    channel_message: str
    text: str = ""
    button: str | None = None
    attachments: tuple[Attachment, ...] = ()
    sent_at: datetime | None = None
    customer_name: str = ""
    edits: str | None = None
    callback: str | None = None
    """Id of the callback query that wants an answer."""


@dataclass(frozen=True)
class AddressedInGroup:
    """Somebody in a group spoke to the bot."""

    chat: int
    message: int
    user: int


@dataclass(frozen=True)
class Pressed:
    """A button was pressed where nothing comes of it, but the customer's client waits for an answer."""

    callback: str


def meaning(update: Update, bot: User) -> Said | AddressedInGroup | Pressed | None:
    """Return what an update means; None if it is nothing for us."""
    if update.callback_query:
        return _press(update.callback_query)
    message = update.message or update.edited_message
    if message is None or message.from_user is None or message.from_user.is_bot:
        return None
    if message.chat.type in _GROUPS:
        if update.message and not message.is_automatic_forward and _addresses(message, bot):
            return AddressedInGroup(message.chat.id, message.message_id, message.from_user.id)
        return None
    if message.chat.type != ChatType.PRIVATE:
        return None
    return _message(message) if update.message else _edit(update.update_id, message)


def _id(message: Message) -> str:
    return f"{message.chat.id}-{message.message_id}"


def _text(message: Message) -> str:
    text = message.text or message.caption or ""
    return "/start" if text == f"/start {START}" else text


def _message(message: Message) -> Said:
    attachments = tuple(_attachments(message))
    if not attachments and not _text(message):
        # A kind of message that is newer than this program, a poll, a game, …: agents should know that it came.
        attachments = (Attachment(kind="other"),)
    return Said(
        customer=str(message.chat.id),
        channel_message=_id(message),
        text=_text(message),
        attachments=attachments,
        sent_at=message.date,
        customer_name=_name(message.from_user),
    )


def _edit(update_id: int, message: Message) -> Said | None:
    if message.location:
        # A live location says every few seconds where it is now; the first place was taken as a message.
        return None
    return Said(
        customer=str(message.chat.id),
        channel_message=f"edit-{update_id}",
        text=_text(message),
        sent_at=message.edit_date,
        customer_name=_name(message.from_user),
        edits=_id(message),
    )


def _press(query: CallbackQuery) -> Said | Pressed:
    message = query.message
    if not query.data or (message and message.chat.type != ChatType.PRIVATE):
        return Pressed(query.id)
    title = ""
    if isinstance(message, Message) and message.reply_markup:
        buttons = [button for row in message.reply_markup.inline_keyboard for button in row]
        title = next((button.text for button in buttons if button.callback_data == query.data), "")
    return Said(
        # A person's id is that of the private chat with the person; the message may be too old to be shown.
        customer=str(query.from_user.id),
        channel_message=f"callback-{query.id}",
        text=title,
        button=query.data,
        customer_name=_name(query.from_user),
        callback=query.id,
    )


def _name(user: User | None) -> str:
    return user.full_name if user else ""


def _addresses(message: Message, bot: User) -> bool:
    reply = message.reply_to_message
    if reply and reply.from_user and reply.from_user.id == bot.id:
        return True
    at_bot = f"@{bot.username}".casefold()
    entities = message.parse_entities() if message.text else {}
    entities |= message.parse_caption_entities() if message.caption else {}
    for entity, text in entities.items():
        if entity.type == "mention" and text.casefold() == at_bot:
            return True
        if entity.type == "bot_command" and text.casefold().endswith(at_bot):
            return True
        if entity.type == "text_mention" and entity.user and entity.user.id == bot.id:
            return True
    return False


def _attachments(message: Message) -> Iterator[Attachment]:
    if message.photo:
        photo = max(message.photo, key=lambda size: size.width * size.height)
        yield Attachment(kind="photo", ref=photo.file_id, size_bytes=photo.file_size)
    # An animation comes with itself as a document too.
    if message.animation:
        file = message.animation
        yield _file("video", file.file_id, file.file_name, file.mime_type, file.file_size)
    elif message.document:
        document = message.document
        yield _file("document", document.file_id, document.file_name, document.mime_type, document.file_size)
    if message.voice:
        yield _file("voice", message.voice.file_id, None, message.voice.mime_type, message.voice.file_size)
    if message.audio:
        audio = message.audio
        yield _file("audio", audio.file_id, audio.file_name or audio.title, audio.mime_type, audio.file_size)
    if message.video:
        video = message.video
        yield _file("video", video.file_id, video.file_name, video.mime_type, video.file_size)
    if message.video_note:
        yield _file("video", message.video_note.file_id, None, None, message.video_note.file_size)
    if message.sticker:
        yield _file("sticker", message.sticker.file_id, message.sticker.emoji, None, message.sticker.file_size)
    if message.location:
        place = message.location
        title = message.venue.title if message.venue else ""
        yield Attachment(kind="location", name=title, latitude=place.latitude, longitude=place.longitude)
    if message.contact:
        contact = message.contact
        names = (contact.first_name, contact.last_name, contact.phone_number)
        yield Attachment(kind="contact", name=" ".join(name for name in names if name))


def _file(kind: str, ref: str, name: str | None, mime: str | None, size_bytes: int | None) -> Attachment:
    return Attachment.model_validate(
        {"kind": kind, "ref": ref, "name": name or "", "mime": mime or "", "size_bytes": size_bytes}
    )
