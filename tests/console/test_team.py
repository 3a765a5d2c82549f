"""The team page in the browser."""

from playwright.async_api import expect

from handoff.tables import Role
from tests.console.conftest import Site


async def test_an_administrator_adds_a_person_whose_password_is_shown_once(site: Site) -> None:
    page = await site.visit(await site.person("Robin Ash", Role.ADMIN), "/desk/team")
    await page.get_by_role("button", name="Add a person").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Sign-in name").fill("Grace.Hall")
    await dialog.get_by_label("Name that customers see").fill("Grace")
    await dialog.get_by_role("button", name="Add").click()
    password = await page.locator(".secret code").inner_text()
    signed_in = await site.auth.sign_in("grace.hall", password)
    assert (signed_in.caller.display_name, signed_in.caller.role) == ("Grace", Role.AGENT)
    assert signed_in.caller.must_change
    await page.get_by_role("button", name="I have noted it").click()
    await expect(page.get_by_text(password)).to_have_count(0)
    await page.get_by_role("button", name="Add a person").click()
    await expect(dialog.get_by_label("Sign-in name")).to_have_value("")
    await dialog.get_by_label("Sign-in name").fill("grace.hall")
    await dialog.get_by_role("button", name="Add").click()
    await expect(page.get_by_text("There is a user grace.hall already.")).to_be_visible()


async def test_roles_locks_and_passwords_are_changed(site: Site) -> None:
    anna = await site.person("Anna Berg")
    name = await site.name_of(anna.id)
    page = await site.visit(await site.person("Robin Ash", Role.ADMIN), "/desk/team")
    row = page.locator(f'tr[data-user="{name}"]')
    await row.get_by_label("Role of Anna Berg").select_option("Supervisor")
    await expect(page.get_by_text("The role was changed.")).to_be_visible()
    assert (await site.accounts.find(name)).role is Role.SUPERVISOR
    await row.get_by_role("button", name="Lock").click()
    await expect(row).to_contain_text("Locked")
    await row.get_by_role("button", name="Unlock").click()
    await expect(row).to_contain_text("Active")
    await row.get_by_role("button", name="Reset password").click()
    await page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    password = await page.locator(".secret code").inner_text()
    assert (await site.auth.sign_in(name, password)).caller.must_change


async def test_a_token_is_shown_once_and_can_be_revoked(site: Site) -> None:
    page = await site.visit(await site.person("Robin Ash", Role.ADMIN), "/desk/team")
    await page.get_by_role("button", name="New token").click()
    await page.get_by_role("dialog").get_by_label("Name, shown to customers").fill("Shop backend")
    await page.get_by_role("dialog").get_by_role("button", name="Create").click()
    token = await page.locator(".secret code").inner_text()
    assert (await site.auth.bearer(token)).display_name == "Shop backend"
    await page.get_by_role("button", name="I have noted it").click()
    await page.locator("tr", has_text=token[:7]).get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    await expect(page.locator("tr", has_text=token[:7])).to_contain_text("Revoked")


async def test_on_a_phone_nothing_scrolls_sideways(site: Site) -> None:
    await site.person("Bartholomew Featherstonehaugh-Cholmondeley", Role.SUPERVISOR)
    robin = await site.person("Robin Ash", Role.ADMIN)
    await site.accounts.create_token("Order system", Role.AGENT, robin.id)
    page = await site.visit(robin, "/desk/team")
    await page.set_viewport_size({"width": 390, "height": 844})
    await expect(page.locator(".card tbody")).to_have_count(2)
    for card in await page.locator(".card").all():
        assert await card.evaluate("card => card.scrollWidth <= card.clientWidth")
    await expect(page.get_by_role("row").filter(has_text="Robin Ash (you)")).to_contain_text("Administrator")
