"""One customer's way through everything: answered, clarified, complaint, handed over, served by a person, counted.

In a real browser on both sides (web chat and desk), on a real installation.
"""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.conftest import eventually
from tests.console.conftest import CHROMIUM, FLAGS
from tests.running import Installation

PASSWORD = "seven green kettles"


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("NO CHROMIUM: the journey was NOT tested in a browser; install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


async def open_tab(browser: Browser, url: str) -> Page:
    context = await browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    return await context.new_page()


class Customer:
    """Somebody who chats on the demo page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self) -> None:
        await self.page.goto("/chat")
        await self.page.get_by_role("button", name="Ask us something").click()

    async def say(self, text: str) -> None:
        field = self.page.get_by_role("textbox", name="Write a message")
        await field.fill(text)
        await field.press("Enter")

    async def hears(self, text: str) -> None:
        await expect(self.page.get_by_role("log")).to_contain_text(text)


async def sign_in(page: Page, name: str, one_time: str) -> None:
    await page.goto("/desk/")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(one_time)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("One-time password").fill(one_time)
    await page.get_by_label("New password", exact=True).fill(PASSWORD)
    await page.get_by_label("New password again").fill(PASSWORD)
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_text("Waiting", exact=False).first).to_be_visible()


def figures(installation: Installation, *arguments: str) -> dict[str, dict]:
    done = installation.run("metrics", "--format", "json", "--by", "channel", *arguments)
    assert done.returncode == 0, done.stderr
    return {row["id"]: row for row in json.loads(done.stdout) if row["group"] == "web"}


async def test_from_the_first_question_to_the_figures(installation: Installation, browser: Browser) -> None:
    expect.set_options(timeout=20_000)
    before = figures(installation)
    customer = Customer(await open_tab(browser, installation.url))
    await customer.open()
    await customer.say("how long does delivery take?")
    await customer.hears("3 to 5 working days")

    await customer.say("who won the football last night")
    await customer.hears("Could you put it in other words?")

    await customer.say("the kettle i bought leaks and nobody has answered my emails for two weeks, not good enough")
    await customer.hears("sorry")
    await customer.hears("What's your order number?")
    await customer.say("LF-204518")
    await customer.hears("what would put it right")
    await customer.say("a new one please")
    await customer.hears("I'm passing")

    agent = await open_tab(browser, installation.url)
    await sign_in(agent, "jo", installation.add_user("jo"))
    await agent.get_by_role("button", name="Claim").first.click()
    await expect(agent.get_by_text("LF-204518").first).to_be_visible()
    await expect(agent.get_by_text("Why a person")).to_be_visible()
    conversation = agent.url.rsplit("/", 1)[1]
    reply = agent.get_by_label("Reply to", exact=False)
    await reply.fill("I'm Jo. A new kettle leaves our warehouse today.")
    await reply.press("Enter")
    await customer.hears("A new kettle leaves our warehouse today.")
    await customer.hears("Jo")

    await customer.page.reload()
    await customer.hears("A new kettle leaves our warehouse today.")
    await customer.say("thank you jo")
    await expect(agent.get_by_text("thank you jo").first).to_be_visible()

    await agent.get_by_role("button", name="Resolve").first.click()
    dialog = agent.get_by_role("dialog")
    await dialog.get_by_label("Outcome").click()
    await agent.get_by_role("option", name="Replaced").click()
    await dialog.get_by_role("button", name="Resolve").click()
    await expect(agent.locator(".moment", has_text="Jo resolved it: Replaced")).to_be_visible()

    transcript = installation.run("transcript", conversation).stdout
    said = [
        "how long does delivery take?",
        "Standard delivery takes 3 to 5 working days",
        "who won the football last night",
        "the kettle i bought leaks",
        "LF-204518",
        "a new one please",
        "handed over to a person: complaint",
        "A new kettle leaves our warehouse today.",
        "thank you jo",
        "the ticket was resolved",
    ]
    places = [transcript.find(line) for line in said]
    assert -1 not in places, transcript
    assert places == sorted(places), transcript

    def rise_of_all() -> dict[str, int]:
        after = figures(installation, "--episodes")
        return {name: after[name]["count"] - before.get(name, {"count": 0})["count"] for name in after}

    await eventually(lambda: rise_of_all()["resolution"] == 1, "the figures are up to date")
    rise = rise_of_all()
    assert rise["episodes"] == rise["episodes_engaged"] == rise["outcome_human_served"] == 1
    assert rise["escalation_requested"] == rise["escalation_served"] == rise["first_response_human"] == 1
    assert rise["containment_raw"] == rise["outcome_abandoned"] == 0
