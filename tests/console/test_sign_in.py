"""Signing in, and who is let in."""

import re

from playwright.async_api import Page, expect
from sqlalchemy import delete

from handoff.auth import COOKIE
from handoff.tables import Role, SessionRow
from tests.console.conftest import PASSWORD, Site
from tests.console.serve import LOCK_AFTER


async def sign_in(page: Page, name: str, password: str) -> None:
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_wrong_password_and_an_unknown_name_are_told_the_same(site: Site) -> None:
    anna = await site.person("Anna Berg")
    page = await site.tab()
    said = []
    for name in (await site.name_of(anna.id), "nobody-of-this-name"):
        await page.goto("/desk/")
        await sign_in(page, name, "not the password")
        said.append(await page.get_by_role("alert").inner_text())
    assert said[0] == said[1]
    assert "wrong" in said[0]


async def test_a_guesser_is_locked_out_even_with_the_right_password(site: Site) -> None:
    name = await site.name_of((await site.person("Anna Berg")).id)
    page = await site.tab()
    await page.goto("/desk/sign-in")
    for _ in range(LOCK_AFTER):
        await sign_in(page, name, "not the password")
    await sign_in(page, name, PASSWORD)
    await expect(page.get_by_role("alert")).to_contain_text("lock an account for 15 minutes")
    assert COOKIE not in {cookie["name"] for cookie in await page.context.cookies()}


async def test_signing_in_leads_to_where_one_wanted_to_go_and_works_without_scripts(site: Site) -> None:
    name = await site.name_of((await site.person("Robin Ash", Role.ADMIN)).id)
    page = await site.tab(java_script_enabled=False)
    await page.goto("/desk/overview?period=30d")
    await sign_in(page, name, PASSWORD)
    assert page.url == f"{site.url}/desk/overview?period=30d"
    (cookie,) = [one for one in await page.context.cookies() if one["name"] == COOKIE]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")


async def test_a_one_time_password_must_be_changed_before_anything_else(site: Site) -> None:
    user = await site.accounts.add_user("nia.new", Role.AGENT)
    page = await site.tab()
    await page.goto("/desk/sign-in")
    await sign_in(page, user.name, user.password)
    await expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    await page.goto("/desk/overview")
    await expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    await page.get_by_label("One-time password").fill(user.password)
    await page.get_by_label("New password", exact=True).fill("short")
    await page.get_by_label("New password again").fill("quite another one")
    await page.evaluate("document.querySelectorAll('input').forEach((one) => one.removeAttribute('minlength'))")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_role("alert")).to_contain_text("not the same")
    await page.get_by_label("One-time password").fill(user.password)
    await page.get_by_label("New password", exact=True).fill(PASSWORD)
    await page.get_by_label("New password again").fill(PASSWORD)
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_role("navigation", name="Desk")).to_be_visible()


async def test_an_ended_session_leads_to_the_sign_in_and_back(site: Site) -> None:
    anna = await site.person("Anna Berg")
    page = await site.visit(anna, "/desk/?show=open")
    await expect(page.get_by_role("link", name="All open")).to_be_visible()
    async with site.database.session() as session:
        await session.execute(delete(SessionRow).where(SessionRow.user == anna.id))
    await page.get_by_role("link", name="With the bot").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await sign_in(page, await site.name_of(anna.id), PASSWORD)
    await expect(page.get_by_role("link", name="All open")).to_have_attribute("aria-current", "true")


async def test_signing_out_ends_the_session_and_the_presence(site: Site) -> None:
    anna = await site.person("Anna Berg")
    page = await site.visit(anna)
    await page.get_by_label("Menu of Anna Berg").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.goto("/desk/")
    assert page.url.startswith(f"{site.url}/desk/sign-in")
    assert anna not in await site.desk.online()


async def test_signing_out_everywhere_ends_other_browsers_too(site: Site) -> None:
    anna = await site.person("Anna Berg")
    other = await site.visit(anna)
    page = await site.visit(anna, "/desk/account")
    await page.get_by_role("button", name="Sign out everywhere").click()
    await other.goto("/desk/")
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_forms_of_other_sites_are_refused(site: Site) -> None:
    anna = await site.person("Anna Berg")
    name = await site.name_of(anna.id)
    page = await site.tab()
    await page.goto("/desk/sign-in")
    request = page.context.request
    answer = await request.post("/desk/sign-in", form={"name": name, "password": PASSWORD, "form": "guessed"})
    assert answer.status == 403
    page = await site.visit(anna)
    form = {"csrf": "guessed", "old": PASSWORD, "new": "another password", "again": "another password"}
    answer = await page.context.request.post("/desk/account", form=form)
    assert answer.status == 400
    await page.context.request.post("/desk/sign-out", form={"csrf": "guessed"})
    await page.goto("/desk/")
    await expect(page.get_by_role("navigation", name="Desk")).to_be_visible()


async def test_the_sign_in_never_leads_to_another_site(site: Site) -> None:
    anna = await site.person("Anna Berg")
    page = await site.visit(anna)
    for place in (
        "//evil.example/",
        "https://evil.example/desk/",
        "/\\evil.example",
        "/deskevil",
        "javascript:alert(1)",
    ):
        answer = await page.context.request.get("/desk/sign-in", params={"next": place}, max_redirects=0)
        assert answer.headers["location"] == "/desk/", place


async def test_sockets_need_a_session_and_the_desks_own_pages(site: Site) -> None:
    socket = "/desk/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    stranger = await site.tab()
    assert (await stranger.context.request.get(socket)).status == 401
    page = await site.visit(await site.person("Anna Berg"))
    assert (await page.context.request.get(socket)).status == 200
    foreign = await page.context.request.get(socket, headers={"Origin": "https://evil.example"})
    assert foreign.status == 403


async def test_pages_are_refused_to_the_wrong_role(site: Site) -> None:
    page = await site.visit(await site.person("Anna Berg"), "/desk/team")
    await expect(page.get_by_role("heading", name="Not for your role")).to_be_visible()
    await page.goto("/desk/")
    await expect(page.get_by_role("navigation", name="Desk")).not_to_contain_text("Team")
    answer = await page.goto("/desk/overview/episodes?figure=episodes")
    assert answer is not None
    assert answer.status == 403


async def test_pages_can_neither_be_framed_nor_load_from_elsewhere(site: Site) -> None:
    page = await site.visit(await site.person("Anna Berg"))
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    for path in ("/desk/", "/desk/overview", "/desk/account", "/desk/sign-in"):
        answer = await page.goto(path)
        assert answer is not None
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        await page.wait_for_load_state("networkidle")
    outside = [one for one in seen if not one.startswith((site.url, "data:", site.url.replace("http", "ws")))]
    assert outside == []


async def test_addresses_that_do_not_exist_say_so_and_nothing_else(site: Site) -> None:
    page = await site.visit(await site.person("Anna Berg"))
    for path in ("/desk/nowhere", "/desk/c/web:nobody", "/desk/c/nonsense", "/desk/overview/episodes?figure=none"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status in (403, 404), path
        assert not re.search(r"Traceback|Error:|nicegui", await page.inner_text("body"), re.IGNORECASE)
