"""What customers wrote becomes a file for a designer: from PostgreSQL to YAML, and back into the training data."""

from datetime import timedelta

import pytest
import yaml

from bot.conversation import ownership
from bot.conversation.events import (
    Author,
    CustomerMessageEdited,
    CustomerMessageReceived,
    MessageSent,
    Outcome,
    Priority,
    Reason,
    utc_now,
)
from bot.conversation.ids import AgentId, ConversationId, MessageId, new_id
from bot.conversation.ownership import Agent, Handoff
from bot.conversation.triage import Guess, Triage
from handoff.database import Database
from handoff.heard import heard_by_the_bot
from tests.handoff.scenes import customer_says, project
from tests.running import frontdesk_here

ANNA = Agent(AgentId("a1"), "Anna")
LOST = Triage(
    ranking=(Guess(name="faq/delivery_time", confidence=0.3), Guess(name="faq/store_hours", confidence=0.2)),
    model="abc",
)
KNOWN = Triage(intent="faq/delivery_time", confidence=0.9, ranking=(Guess(name="faq/delivery_time", confidence=0.9),))


@pytest.fixture
async def database(database_url):
    database = Database(database_url)
    yield database
    await database.close()


async def ask(log, conversation, text, triage=LOST, now=None):
    """A customer writes, and the bot answers."""
    message = await customer_says(log, conversation, text, triage, now)
    snapshot = await log.load(ConversationId(conversation))
    reply = MessageSent(
        at=now or utc_now(),
        episode=snapshot.state.episode,
        message=MessageId(new_id("m")),
        author=Author.BOT,
        text="Could you put it in other words?",
        in_reply_to=message,
    )
    await log.append(snapshot, [reply])
    return message


async def serve(log, conversation, outcome, comment):
    """The bot hands over; Anna takes the case and closes it."""
    now = utc_now()
    for decide in (
        lambda state: ownership.hand_over(state, Handoff(Reason.REPEATED_FALLBACK, Priority.P3), now),
        lambda state: ownership.claim(state, ANNA, now),
        lambda state: ownership.resolve(state, ANNA, outcome, comment, now),
    ):
        snapshot = await log.load(ConversationId(conversation))
        move = decide(snapshot.state)
        await log.append(snapshot, move.events, state=move.state)


@pytest.fixture
def export(database_url, nlu_data):
    def run(*arguments):
        variables = {"DATABASE_URL": database_url, "FRONTDESK_ASSISTANT__DATA": str(nlu_data)}
        return frontdesk_here("review", "export", *arguments, **variables)

    return run


async def test_messages_worth_a_label_are_exported_without_personal_data(log, database, export):
    await ask(log, "web:1", "Kim Lee here, do you wrap presents? kim@example.org")
    await ask(log, "web:2", "how long does delivery take", KNOWN)
    await ask(log, "web:4", "wo ist meine Bestellung geblieben", LOST.model_copy(update={"language": "de"}))
    await ask(log, "web:3", "something from long ago", now=utc_now() - timedelta(days=30))
    await serve(log, "web:1", Outcome.INFORMATION_GIVEN, "Told Kim\nthat we wrap; call 07700 900123")
    await project(log, database)
    done = export()
    assert (done.returncode, done.stderr) == (0, "")
    assert "kim" not in done.stdout.lower()
    assert "07700" not in done.stdout
    assert (
        "agent_answered: an agent closed the case as information_given: “Told [name] that we wrap; call [phone]”"
        in done.stdout
    )
    assert "guesses: faq/delivery_time 0.30, faq/store_hours 0.20" in done.stdout
    assert "# triage: {complaint: false, severity: none, sentiment: neutral}" in done.stdout
    (message,) = yaml.safe_load(done.stdout)["messages"]
    assert (message["text"], message["intent"]) == ("[name] here, do you wrap presents? [email]", None)
    assert message["from"]["why"] == ["agent_answered", "not_understood"]
    assert message["from"]["model"] == "abc"


async def test_only_what_customers_typed_to_the_bot_is_heard(log, database):
    told = await ask(log, "web:1", "do you wrap presents")
    edited = await customer_says(log, "web:2", "do you warp presents", LOST)
    snapshot = await log.load(ConversationId("web:2"))
    reply = MessageSent(
        at=utc_now(), message=MessageId("r1"), author=Author.SYSTEM, text="A colleague will help.", in_reply_to=edited
    )
    said = [one.event for one in await log.read(ConversationId("web:2"))]
    platform = next(one.channel_message for one in said if isinstance(one, CustomerMessageReceived))
    change = CustomerMessageEdited(at=utc_now(), channel_message=platform, text="do you wrap presents?")
    await log.append(snapshot, [reply, change])
    await customer_says(log, "web:3", "to an agent: it is number 5", LOST)
    await ask(log, "web:4", "")
    await project(log, database)
    heard = await heard_by_the_bot(database, utc_now() - timedelta(days=1), utc_now() + timedelta(seconds=1))
    assert {one.message: one.text for one in heard} == {told: "do you wrap presents", edited: "do you wrap presents?"}
    assert len(await heard_by_the_bot(database, utc_now() - timedelta(days=1), utc_now(), most=1)) == 1


async def test_a_labelled_or_dropped_message_does_not_come_again(log, database, export, review, nlu_data, tmp_path):
    for number, text in enumerate(
        ["is there a bike rack by the door", "do you fit curtains", "qwertyuiop", "any jam left"]
    ):
        await ask(log, f"web:{number}", text)
    await project(log, database)
    file = tmp_path / "to label.yml"
    assert "4 of 4 messages are in" in export("--out", str(file)).stdout
    assert file.stat().st_mode & 0o777 == 0o600
    again = export("--out", str(file))
    assert (again.returncode, "is there already" in again.stderr) == (78, True)
    messages = yaml.safe_load(file.read_text())["messages"]
    labels = {"is there a bike rack by the door": "faq/store_parking", "do you fit curtains": "faq/store_services"}
    for message in messages:
        message["intent"] = labels.get(message["text"])
        message["drop"] = message["text"] == "qwertyuiop"
    done = review(yaml.safe_dump({"messages": messages}))
    assert done.returncode == 0, done.stderr
    (left,) = yaml.safe_load(export().stdout)["messages"]
    assert left["text"] == "any jam left"


async def test_nothing_to_label_is_a_valid_empty_file(database, export, review):
    done = export()
    assert done.returncode == 0
    assert done.stdout.startswith("# 0 messages worth a label, of 0 that customers wrote")
    assert yaml.safe_load(done.stdout) == {"review": 1, "messages": []}


@pytest.mark.parametrize("arguments", [("--since", "soon"), ("--limit", "0"), ("--out", "/nowhere/x.yml")])
async def test_a_wrong_argument_is_told_in_one_line(database, export, arguments):
    done = export(*arguments)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
