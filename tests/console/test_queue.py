"""The queue in the browser."""

import re

from playwright.async_api import Locator, Page, expect

from bot.conversation.events import Priority, Reason
from bot.conversation.ids import ConversationId
from handoff.tables import Role
from tests.console.conftest import Site
from tests.handoff.scenes import bot_says, customer_says, hand_over


def row(page: Page, conversation: ConversationId) -> Locator:
    """Return a conversation's row in the main list."""
    return page.locator("#rows .entry", has=page.locator(f'a[href$="/c/{conversation}"]'))


async def test_tickets_stand_by_priority_and_new_ones_appear_by_themselves(site: Site) -> None:
    slow, fast = site.conversation("telegram"), site.conversation("telegram")
    page = await site.visit(await site.person("Anna Berg"), "/desk/?channel=telegram")
    await hand_over(site.log, slow, Priority.P4)
    await expect(row(page, slow)).to_be_visible()
    await hand_over(site.log, fast, Priority.P1, Reason.URGENT)
    await expect(row(page, fast)).to_contain_text("Urgent")
    await expect(row(page, fast).locator("time")).to_have_text(re.compile(r"^\d+ s$"))
    order = await page.locator("#rows .entry-link").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    places = [order.index(f"/desk/c/{one}") for one in (fast, slow)]
    assert places == sorted(places)
    await expect(page).to_have_title(re.compile(r"^\(\d+\) Queue · Frontdesk$"))


async def test_a_row_shows_whether_the_customer_has_an_answer(site: Site) -> None:
    conversation = site.conversation()
    await hand_over(site.log, conversation)
    page = await site.visit(await site.person("Anna Berg"))
    await expect(row(page, conversation)).to_have_class(re.compile("unanswered"))
    await bot_says(site.log, conversation, "You are next.")
    await expect(row(page, conversation)).not_to_have_class(re.compile("unanswered"))


async def test_a_row_quotes_the_customer_not_the_bot(site: Site) -> None:
    conversation = site.conversation()
    await hand_over(site.log, conversation)
    await customer_says(site.log, conversation, "It was the blue lamp.")
    await bot_says(site.log, conversation, "You are next.")
    page = await site.visit(await site.person("Anna Berg"))
    await expect(row(page, conversation)).to_contain_text("It was the blue lamp.")
    await expect(row(page, conversation)).not_to_contain_text("You are next.")


async def test_filters_narrow_the_list_and_survive_a_reload(site: Site) -> None:
    wanted, other = site.conversation("rest"), site.conversation("rest")
    await hand_over(site.log, wanted, Priority.P2, Reason.COMPLAINT)
    await hand_over(site.log, other, Priority.P3, Reason.BOT_FAILURE)
    page = await site.visit(await site.person("Anna Berg"))
    await page.get_by_label("Channel").select_option("API")
    await page.get_by_label("Reason").select_option("Complaint")
    await expect(row(page, wanted)).to_be_visible()
    await expect(row(page, other)).to_have_count(0)
    await expect(page).to_have_url(re.compile(r"channel=rest&reason=complaint"))
    await page.reload()
    await expect(row(page, wanted)).to_be_visible()
    await expect(row(page, other)).to_have_count(0)
    await page.get_by_label("Search a customer").fill("no such customer")
    await expect(page.get_by_text("Nothing matches")).to_be_visible()


async def test_the_queue_works_by_keys_alone(site: Site) -> None:
    conversation = site.conversation("rest")
    await hand_over(site.log, conversation, Priority.P1, Reason.SENSITIVE_TOPIC)
    page = await site.visit(await site.person("Anna Berg"), "/desk/?reason=sensitive_topic")
    await expect(row(page, conversation)).to_be_visible()
    await page.keyboard.press("/")
    await expect(page.get_by_label("Search a customer")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await expect(row(page, conversation).get_by_role("link")).to_be_focused()
    await customer_says(site.log, conversation, "still here?")
    await expect(row(page, conversation)).to_contain_text("still here?")
    await expect(row(page, conversation).get_by_role("link")).to_be_focused()
    await page.keyboard.press("c")
    await expect(page.get_by_role("button", name="Resolve")).to_be_visible()


async def test_one_of_two_agents_wins_a_claim_and_the_other_sees_who(site: Site) -> None:
    conversation = site.conversation()
    await hand_over(site.log, conversation)
    anna, sam = await site.person("Anna Berg"), await site.person("Sam Doyle")
    pages = [await site.visit(one, f"/desk/c/{conversation}") for one in (anna, sam)]
    claims = [page.get_by_label("Conversation").get_by_role("button", name="Claim").first for page in pages]
    for claim in claims:
        await expect(claim).to_be_visible()
    # Both press in the same moment: the loser's click is on its way before the winner's claim is shown.
    for claim in claims:
        await claim.evaluate("(button) => setTimeout(() => button.click(), 200)")
    owner = (await site.log.load(conversation)).state
    for page in pages:
        await expect(page.locator("#holder")).to_have_text(re.compile("With (Anna Berg|Sam Doyle)"))
    owner = (await site.log.load(conversation)).state
    winner, loser = (pages[0], pages[1]) if owner.owner_name == "Anna Berg" else (pages[1], pages[0])
    await expect(winner.get_by_label("Reply to Kim Lee")).to_be_visible()
    await expect(loser.locator("#closed")).to_contain_text(f"{owner.owner_name} has this conversation now")
    await expect(loser.get_by_label("Reply to Kim Lee")).to_be_hidden()
    assert (await site.desk.conversation(conversation)).tickets[0].assignee_name == owner.owner_name


async def test_my_conversations_and_those_of_the_bot_have_places_of_their_own(site: Site) -> None:
    mine, bots = site.conversation(), site.conversation()
    anna = await site.person("Anna Berg")
    await hand_over(site.log, mine)
    await site.desk.claim(mine, anna)
    await customer_says(site.log, bots, "when do you open?")
    await bot_says(site.log, bots, "At nine.")
    page = await site.visit(anna)
    await expect(page.get_by_label("Your conversations").locator(f'a[href$="/c/{mine}"]')).to_be_visible()
    await page.get_by_role("link", name="With the bot").click()
    await expect(row(page, bots)).to_contain_text("Bot: At nine.")
    await expect(row(page, mine)).to_have_count(0)
    await page.get_by_role("link", name="Mine").click()
    await expect(row(page, mine)).to_contain_text("Anna Berg")


async def test_a_designer_reads_and_changes_nothing(site: Site) -> None:
    conversation = site.conversation()
    await hand_over(site.log, conversation)
    page = await site.visit(await site.person("Dee Park", Role.DESIGNER), f"/desk/c/{conversation}")
    await expect(page.locator("#closed")).to_contain_text("The customer waits for a person.")
    await expect(page.get_by_role("button", name="Claim")).to_have_count(0)
    await page.evaluate("emitEvent('desk', {act: 'claim'})")
    await expect(page.get_by_text("Your role does not allow this.")).to_be_visible()
    assert (await site.log.load(conversation)).state.owner == "queue"
