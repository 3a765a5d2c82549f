"""The overview in the browser: its numbers are those of Figures."""

import re
from datetime import timedelta

from playwright.async_api import expect

from bot.conversation.events import Outcome, Reason, utc_now
from bot.conversation.triage import Triage
from handoff.console.figures_view import TILES, value_of
from handoff.console.words import REASONS
from handoff.figures import Figures, Period
from handoff.metrics import OUTCOMES, By
from handoff.tables import Role
from tests.conftest import eventually
from tests.console.conftest import Site
from tests.console.serve import settings
from tests.handoff.scenes import bot_says, customer_says, hand_over


async def lived(site: Site) -> None:
    """Let some episodes happen, and reach PostgreSQL."""
    anna = await site.person("Anna Berg")
    answered, complained = site.conversation(), site.conversation("telegram")
    await customer_says(site.log, answered, "when do you open?", Triage(intent="faq/store_hours"))
    await bot_says(site.log, answered, "At nine.")
    await hand_over(site.log, complained, reason=Reason.COMPLAINT)
    await site.desk.claim(complained, anna)
    await site.desk.reply(complained, anna, "Let me see.")
    await site.desk.resolve(complained, anna, Outcome.SOLVED)

    async def projected() -> bool:
        found = [one for one in (await site.desk.conversations()).items if one.id in (answered, complained)]
        ends = {one.id: (await site.log.load(one.id)).seq for one in found}
        return len(found) == 2 and all([(await site.desk.conversation(one)).seq == end for one, end in ends.items()])

    await eventually(projected, "the projection")


async def test_the_numbers_are_those_of_the_figures_and_each_opens_its_episodes(site: Site) -> None:
    await lived(site)
    page = await site.visit(await site.person("Sam Doyle", Role.SUPERVISOR), "/desk/overview?period=24h")
    figures = Figures(site.database, settings().hours, settings().conversation.idle_s)

    async def report(by: By | None = None) -> dict[tuple[str, str], str]:
        now = utc_now()
        found = await figures.report(Period(now - timedelta(hours=24), now), now, by)
        return {(one.group, one.definition.id): value_of(one) for one in found}

    await expect(page.locator(".tile")).to_have_count(len(TILES))
    total = await report()
    for id_ in (*TILES, *(one.id for one in OUTCOMES.values())):
        await expect(page.locator(f'[data-figure="{id_}"]')).to_have_text(total["all", id_])
    ended, still_open = (
        int(total["all", "episodes"]) - int(total["all", "episodes_open"]),
        total["all", "episodes_open"],
    )
    await expect(page.locator(".ring svg text")).to_have_text(f"{ended} ended")
    await expect(page.get_by_role("table", name="Outcomes").get_by_role("row").last).to_have_text(
        f"Still open{still_open}"
    )
    complaints = (await report(By.REASON))["complaint", "escalation_requested"]
    bar = page.get_by_role("link").filter(has_text=re.compile(rf"^{REASONS[Reason.COMPLAINT]}"))
    await expect(bar).to_contain_text(complaints)
    await bar.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Handoffs requested, Complaint, last 24 hours")
    await expect(page.locator("#rows .entry")).to_have_count(int(complaints))
    await page.locator("#rows .entry-link").first.click()
    await expect(page.get_by_label("Transcript", exact=True)).to_be_visible()


async def test_definitions_are_shown_on_focus(site: Site) -> None:
    await lived(site)
    page = await site.visit(await site.person("Sam Doyle", Role.SUPERVISOR), "/desk/overview?period=24h")
    tile = page.locator(".tile", has_text="Containment (raw)")
    await expect(tile.get_by_role("tooltip")).to_be_hidden()
    await tile.locator("[aria-describedby]").focus()
    await expect(tile.get_by_role("tooltip")).to_contain_text("without a handoff request ÷ engaged episodes")


async def test_agents_see_figures_without_the_lists_behind_them(site: Site) -> None:
    await lived(site)
    page = await site.visit(await site.person("Anna Berg"), "/desk/overview?period=24h")
    await expect(page.locator(".tile")).to_have_count(len(TILES))
    await expect(page.locator('a[href*="/overview/episodes"]')).to_have_count(0)
