"""One conversation in the browser: what agents do, and what they and the customer see."""

import json
import re

from playwright.async_api import Page, expect

from bot.conversation import ownership
from bot.conversation.events import MessageSent, NoteAdded, Outcome, TicketResolved
from bot.conversation.ids import ConversationId
from bot.conversation.keys import TYPING
from bot.conversation.outbox import Outbox, Progress
from bot.conversation.ownership import Agent
from bot.conversation.triage import Guess, Sentiment, Severity, Triage, Urgency
from handoff.tables import Role
from tests.conftest import eventually
from tests.console.conftest import Site
from tests.handoff.scenes import bot_says, customer_says, hand_over

UPSET = Triage(
    intent="faq/delivery_late",
    confidence=0.82,
    ranking=(Guess(name="faq/delivery_late", confidence=0.82), Guess(name="faq/order_where", confidence=0.1)),
    complaint=0.91,
    severity=Severity.BLAME,
    sentiment=Sentiment.NEGATIVE,
    sentiment_value=-0.8,
    urgency=(Urgency.LEGAL,),
    language="en",
)


async def served(site: Site, channel: str = "web") -> tuple[Agent, ConversationId, Page]:
    """Return an agent who has just claimed a conversation, and looks at it."""
    conversation = site.conversation(channel)
    await hand_over(site.log, conversation)
    anna = await site.person("Anna Berg")
    await site.desk.claim(conversation, anna)
    page = await site.visit(anna, f"/desk/c/{conversation}")
    await expect(page.get_by_label("Reply to Kim Lee")).to_be_visible()
    return anna, conversation, page


async def write(page: Page, text: str) -> None:
    await page.get_by_label("Reply to Kim Lee").fill(text)
    await page.keyboard.press("Enter")


async def test_a_reply_goes_out_and_shows_what_became_of_it(site: Site) -> None:
    _, conversation, page = await served(site, "telegram")
    outbox = Outbox(site.log)
    await write(page, "Hello, how can I help?")
    said = page.locator(".said.agent", has_text="Hello, how can I help?")
    await expect(said).to_contain_text("Sending…")
    await expect(page.get_by_label("Reply to Kim Lee")).to_have_value("")
    (waiting,) = [one for one in await outbox.waiting() if one.entry.outbound.conversation == conversation]
    await outbox.delivered(waiting.entry, Progress(channel_message="1", repeated=2))
    await expect(said).to_contain_text(re.compile(r"Delivered.*, perhaps 3 times"))
    await write(page, "And where do you live?")
    said = page.locator(".said.agent", has_text="And where do you live?")
    await expect(said).to_contain_text("Sending…")
    (waiting,) = [one for one in await outbox.waiting() if one.entry.outbound.conversation == conversation]
    await outbox.failed(waiting.entry, Progress(call="c1"), "the customer blocked this account")
    trouble = "Not delivered: the customer blocked this account; an earlier try may have arrived"
    await expect(said).to_contain_text(trouble)


async def test_shift_enter_begins_a_line_and_the_text_arrives_as_it_was_written(site: Site) -> None:
    _, conversation, page = await served(site)
    box = page.get_by_label("Reply to Kim Lee")
    await box.fill("<b>one</b>")
    await box.press("Shift+Enter")
    await box.press_sequentially("two")
    await box.press("Enter")
    await expect(page.locator(".said.agent .bubble")).to_have_text("<b>one</b>\ntwo")
    recorded = await site.log.read(conversation)
    assert [one.event.text for one in recorded if isinstance(one.event, MessageSent)] == ["<b>one</b>\ntwo"]


async def test_what_customers_write_is_never_markup(site: Site) -> None:
    _, conversation, page = await served(site)
    await customer_says(
        site.log, conversation, '<img src=x onerror="document.title=1"></script><script>alert(1)</script>'
    )
    await expect(page.locator(".said.customer").last).to_contain_text("<img src=x onerror=")
    assert await page.locator(".transcript img, .transcript script").count() == 0
    assert await page.title() != "1"


async def test_messages_of_the_customer_appear_with_their_triage(site: Site) -> None:
    _, conversation, page = await served(site)
    await customer_says(site.log, conversation, "I will see you in court!", UPSET)
    said = page.locator(".said.customer", has_text="I will see you in court!")
    await expect(said.locator("summary")).to_contain_text("Delivery late 82%")
    for words in ("Complaint: blame", "Legal threat", "Negative"):
        await expect(said.locator("summary")).to_contain_text(words)
    await expect(said.get_by_text("Order where")).to_be_hidden()
    await said.locator("summary").click()
    await expect(said.get_by_text("Order where")).to_be_visible()


async def test_a_draft_is_kept_over_a_reload_and_typing_is_told(site: Site) -> None:
    _, conversation, page = await served(site)
    async with site.log.redis.pubsub() as pubsub:
        await pubsub.subscribe(TYPING)
        await page.get_by_label("Reply to Kim Lee").press_sequentially("Let me look")
        told = await eventually(lambda: pubsub.get_message(ignore_subscribe_messages=True), "typing")
        assert told["data"] == conversation
    await page.reload()
    await expect(page.get_by_label("Reply to Kim Lee")).to_have_value("Let me look")
    await page.get_by_label("Reply to Kim Lee").press("Enter")
    await expect(page.locator(".said.agent")).to_contain_text("Let me look")
    await page.reload()
    await expect(page.locator(".said.agent")).to_contain_text("Let me look")
    await expect(page.get_by_label("Reply to Kim Lee")).to_have_value("")


async def test_a_text_that_is_too_long_is_not_sent(site: Site) -> None:
    _, _, page = await served(site)
    await page.get_by_label("Reply to Kim Lee").fill("x" * (ownership.MAX_REPLY_CHARS + 1))
    await expect(page.get_by_text("-1 characters left")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()


async def test_a_note_is_kept_apart_and_never_sent(site: Site) -> None:
    _, conversation, page = await served(site)
    await page.get_by_role("button", name="Note").click()
    await page.get_by_label("Internal note").fill("The warehouse has two left.")
    await page.get_by_role("button", name="Add note").click()
    note = page.get_by_label("Internal note").filter(has_text="The warehouse has two left.")
    await expect(note).to_contain_text("Anna Berg")
    events = [one.event for one in await site.log.read(conversation)]
    assert any(isinstance(one, NoteAdded) for one in events)
    assert not any(isinstance(one, MessageSent) for one in events)
    await expect(page.get_by_label("Reply to Kim Lee")).to_be_visible()


async def test_resolving_asks_for_an_outcome_and_closes_the_ticket(site: Site) -> None:
    _, conversation, page = await served(site)
    await page.get_by_role("button", name="Resolve").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Resolve").click()
    await expect(page.get_by_text("Choose an outcome first.")).to_be_visible()
    await dialog.get_by_label("Outcome").click()
    await page.get_by_role("option", name="Refunded").click()
    await dialog.get_by_label("Comment").fill("In full.")
    await dialog.get_by_role("button", name="Resolve").click()
    await expect(page.locator("#holder")).to_have_text("With the bot")
    await expect(page.locator(".moment", has_text="Anna Berg resolved it: Refunded")).to_be_visible()
    (resolved,) = [one.event for one in await site.log.read(conversation) if isinstance(one.event, TicketResolved)]
    assert (resolved.outcome, resolved.comment) == (Outcome.REFUNDED, "In full.")


async def test_a_conversation_goes_back_to_the_bot_and_can_be_taken_over_again(site: Site) -> None:
    anna, conversation, page = await served(site)
    await page.get_by_role("button", name="Return to bot").click()
    await page.get_by_role("dialog").get_by_role("button", name="Return to bot").click()
    await expect(page.locator("#holder")).to_have_text("With the bot")
    assert (await site.log.load(conversation)).state.owned_by_bot
    await bot_says(site.log, conversation, "I am back.")
    await expect(page.locator(".said.bot")).to_contain_text("I am back.")
    await page.locator("#take-over").click()
    await expect(page.get_by_label("Reply to Kim Lee")).to_be_visible()
    assert (await site.log.load(conversation)).state.owner == f"agent:{anna.id}"


async def test_evidence_says_why_a_person_was_asked_for(site: Site) -> None:
    conversation = site.conversation()
    await customer_says(site.log, conversation, "My parcel is late, again!", UPSET)
    await customer_says(site.log, conversation, "Wo bleibt mein Paket?", Triage(language="de"))
    await bot_says(site.log, conversation, "It should take two days.")
    await hand_over(site.log, conversation)
    page = await site.visit(await site.person("Anna Berg"), f"/desk/c/{conversation}")
    evidence = page.get_by_label("Evidence", exact=True).locator("visible=true")
    for words in (
        "The customer asked to talk to a person.",
        "Delivery late",
        "Legal threat",
        "wrote in German",
        "It should take two days.",
    ):
        await expect(evidence).to_contain_text(words)
    await expect(evidence).not_to_contain_text("English")  # what the assistant speaks goes without saying


async def test_old_messages_are_shown_on_request(site: Site) -> None:
    conversation = site.conversation()
    for number in range(160):
        await bot_says(site.log, conversation, f"line {number}")
    page = await site.visit(await site.person("Anna Berg"), f"/desk/c/{conversation}")
    await expect(page.get_by_text("line 159", exact=True)).to_be_in_viewport()
    await expect(page.get_by_text("line 3", exact=True)).to_have_count(0)
    await page.get_by_role("button", name="Show earlier messages").click()
    await expect(page.get_by_text("line 3", exact=True)).to_have_count(1)
    texts = await page.locator(".bubble").all_inner_texts()
    assert texts == [f"line {number}" for number in range(160)]


async def test_a_lost_connection_is_said_and_the_page_goes_on_afterwards(site: Site) -> None:
    _, conversation, page = await served(site)
    await page.get_by_label("Reply to Kim Lee").fill("Half a sentence")
    await page.evaluate("socket.io.randomizationFactor(0); socket.io.reconnectionDelay(2500); socket.io.engine.close()")
    await expect(page.get_by_role("alert").filter(has_text="Connection lost")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await expect(page.get_by_label("Reply to Kim Lee")).to_have_value("Half a sentence")
    await customer_says(site.log, conversation, "are you there?")
    await expect(page.get_by_text("are you there?").last).to_be_visible()


async def test_transcripts_are_given_to_those_who_may_read_only(site: Site) -> None:
    anna, conversation, page = await served(site)
    await site.desk.reply(conversation, anna, "Here I am.")
    address = f"/desk/c/{conversation}/transcript"
    request = page.context.request
    text = await (await request.get(f"{address}.txt")).text()
    assert "Anna Berg (agent): Here I am." in text
    said = json.loads(await (await request.get(f"{address}.json")).text())
    assert said["transcript"][-1]["text"] == "Here I am."
    pdf = await request.get(f"{address}.pdf")
    assert (await pdf.body()).startswith(b"%PDF")
    assert re.fullmatch(r'attachment; filename="transcript-[\w.-]+\.pdf"', pdf.headers["content-disposition"])
    assert (await request.get("/desk/c/web:nobody/transcript.txt")).status == 404
    stranger = await site.tab()
    refused = await stranger.context.request.get(f"{address}.txt", max_redirects=0)
    assert refused.headers["location"].startswith("/desk/sign-in?next=")


async def test_every_control_has_a_name_on_wide_and_narrow_screens(site: Site) -> None:
    _, conversation, page = await served(site)
    nameless = """() => [...document.querySelectorAll("button, a[href], input, select, textarea, summary")]
        .filter((one) => one.offsetParent && !(one.textContent.trim() || one.ariaLabel || one.title
            || one.labels?.length || one.querySelector("[aria-label]")))
        .map((one) => one.outerHTML.slice(0, 120))"""
    for width in (1440, 390):
        await page.set_viewport_size({"width": width, "height": 860})
        for path in ("/desk/", f"/desk/c/{conversation}", "/desk/overview", "/desk/account"):
            await page.goto(path)
            await page.locator("main, .plain-card").first.wait_for()
            await expect(page.locator(".skeleton").locator("visible=true")).to_have_count(0)
            assert await page.evaluate(nameless) == [], path
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


async def test_an_agent_hands_on_to_a_colleague_who_sees_it_at_once(site: Site) -> None:
    _, conversation, page = await served(site)
    ben = await site.person("Ben Ode")
    theirs = await site.visit(ben, f"/desk/c/{conversation}")
    await expect(theirs.locator("#closed")).to_contain_text("Anna Berg has this conversation now")
    await expect(theirs.get_by_role("button", name="Hand on to a colleague")).to_have_count(0)
    await page.locator("#transcript").focus()
    await page.keyboard.press("h")
    dialog = page.get_by_role("dialog", name="Hand on to a colleague")
    await dialog.get_by_role("button", name="Hand on").click()
    await expect(page.get_by_text("Choose a colleague first.")).to_be_visible()
    await dialog.get_by_label("Colleague").click()
    await page.get_by_role("option", name="Ben Ode").first.click()
    await dialog.get_by_label("Note for them").fill("Speaks French.")
    await dialog.get_by_role("button", name="Hand on").click()
    await expect(page.locator("#closed")).to_contain_text("Ben Ode has this conversation now")
    await expect(theirs.get_by_label("Reply to Kim Lee")).to_be_visible()
    await expect(theirs.locator(".moment", has_text="Anna Berg gave it to Ben Ode")).to_be_visible()
    await expect(theirs.locator(".note")).to_contain_text("Speaks French.")


async def test_a_supervisor_gives_a_waiting_ticket_to_an_agent(site: Site) -> None:
    conversation = site.conversation()
    await hand_over(site.log, conversation)
    cleo = await site.person("Cleo Marsh")
    page = await site.visit(await site.person("Sam Doyle", Role.SUPERVISOR), f"/desk/c/{conversation}")
    await page.get_by_role("button", name="Hand on to a colleague").click()
    dialog = page.get_by_role("dialog", name="Hand on to a colleague")
    await dialog.get_by_label("Colleague").click()
    await page.get_by_role("option", name="Cleo Marsh").first.click()
    await dialog.get_by_role("button", name="Hand on").click()
    await expect(page.locator("#holder")).to_have_text("With Cleo Marsh")
    assert (await site.desk.conversation(conversation)).tickets[0].assignee == cleo.id


async def test_an_agent_sees_which_words_carried_a_triage(site: Site) -> None:
    conversation = site.conversation()
    await customer_says(site.log, conversation, "my <b>parcel</b> is broken", UPSET)
    page = await site.visit(await site.person("Anna Berg"), f"/desk/c/{conversation}")
    await page.locator(".triage summary").click()
    await page.get_by_role("button", name="Which words?").click()
    await expect(page.locator(".words mark")).to_have_text(["broken", "broken"])
    await expect(page.locator(".words")).to_contain_text("What speaks for a bad mood")
    await expect(page.locator(".words p").first).to_have_text("my <b>parcel</b> is broken")


async def test_words_that_cant_be_looked_up_are_told_and_can_be_asked_for_again(site: Site) -> None:
    conversation = site.conversation()
    await customer_says(site.log, conversation, "this stays unexplained", UPSET)
    page = await site.visit(await site.person("Anna Berg"), f"/desk/c/{conversation}")
    await page.locator(".triage summary").click()
    await page.get_by_role("button", name="Which words?").click()
    await expect(page.get_by_text("The words can't be looked up right now.")).to_be_visible()
    await expect(page.get_by_text("Looking at the words")).to_have_count(0)


async def test_the_columns_of_a_triage_keep_apart(site: Site) -> None:
    conversation = site.conversation()
    await customer_says(site.log, conversation, "my parcel is broken " * 12, UPSET)
    page = await site.visit(await site.person("Anna Berg"), f"/desk/c/{conversation}")
    await page.locator(".triage summary").click()
    overflowing = """() => [...document.querySelectorAll(".triage-more > div")]
        .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"""
    for width in (1440, 1100, 390):
        await page.set_viewport_size({"width": width, "height": 860})
        await expect(page.locator(".triage-more")).to_be_visible()
        assert await page.evaluate(overflowing) == [], width
