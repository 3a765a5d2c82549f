"""The widget in a real browser, as a customer has it before them."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from bot.conversation.events import Author, Outcome
from bot.conversation.ids import AgentId
from bot.conversation.ownership import Agent, Move, resolve, return_to_bot, take_over
from bot.settings import Settings, WebSettings
from tests.bot.scripted import ScriptedAssistant
from tests.channels.browser import chromium
from tests.channels.serving import ChatServer

BROKEN_CONNECTION = ("WebSocket connection to", "ERR_CONNECTION_REFUSED", "ERR_INTERNET_DISCONNECTED")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def server(redis_url: str) -> Iterator[ChatServer]:
    with ChatServer(redis_url, assistant=ScriptedAssistant()) as server:
        yield server


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1100, "height": 760}, locale="en-GB")
    context.set_default_timeout(30_000)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield context
    context.close()
    assert [one for one in complaints if not any(known in one for known in BROKEN_CONNECTION)] == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def visit(page: Page, server: ChatServer) -> None:
    page.goto(f"{server.url}/chat")
    page.get_by_role("button", name="Open chat").click()
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")


def field(page: Page) -> Any:
    return page.get_by_role("textbox", name="Write a message")


def send(page: Page, text: str) -> None:
    field(page).fill(text)
    field(page).press("Enter")


def said(page: Page) -> list[str]:
    """What the log shows, from top to bottom."""
    return page.locator("frontdesk-chat .m .text").all_inner_texts()


def expect_said(page: Page, *texts: str) -> None:
    expect(page.locator("frontdesk-chat .m .text")).to_have_text(list(texts))


def embed(page: Page, server: ChatServer, options: str, head: str = "") -> None:
    """Open a page of another site that embeds the widget."""
    script = f'<script src="{server.url}/chat/widget.js" {options}></script>'
    server.shop = (
        f"<!doctype html><html><head><link rel=icon href=data:,>{head}</head><body><h1>Shop</h1>{script}</body></html>"
    )
    page.goto(server.shop_url)


def test_everything_works_by_keyboard(page: Page, server: ChatServer) -> None:
    page.goto(f"{server.url}/chat")
    launcher = page.get_by_role("button", name="Open chat")
    launcher.focus()
    page.keyboard.press("Enter")
    expect(field(page)).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("there")
    page.keyboard.press("Enter")
    expect_said(page, "hello\nthere", "echo hello\nthere")
    expect(field(page)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect_said(page, "hello\nthere", "echo hello\nthere", "Yes", "echo Yes")
    expect(field(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(launcher).to_be_focused()
    assert [turn[:2] for turn in server.assistant.turns] == [("hello\nthere", None), ("Yes", "/affirm")]


def test_a_screen_reader_is_told_what_things_are(page: Page, server: ChatServer) -> None:
    visit(page, server)
    expect(page.get_by_role("dialog", name="Ask Larkfield")).to_be_visible()
    expect(page.get_by_role("log", name="Conversation")).to_be_visible()
    for name in ("Close chat", "Send"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    send(page, "hello")
    expect_said(page, "hello", "echo hello")
    expect(page.get_by_text("Sent", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Yes")).to_be_visible()
    log = re.sub("[\u2068\u2069]", "", page.get_by_role("log").inner_text())
    assert re.search(r"You · \d\d:\d\d\s+hello\s+Sent\s+Larkfield assistant · \d\d:\d\d\s+echo hello\s+Yes", log)


def test_the_conversation_survives_a_reload(page: Page, server: ChatServer) -> None:
    visit(page, server)
    send(page, "one")
    expect_said(page, "one", "echo one")
    send(page, "two")
    expect_said(page, "one", "echo one", "two", "echo two")
    page.reload()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect_said(page, "one", "echo one", "two", "echo two")
    send(page, "three")
    expect_said(page, "one", "echo one", "two", "echo two", "three", "echo three")
    assert server.customer_texts() == ["one", "two", "three"]


def test_messages_wait_for_a_server_that_is_away_and_arrive_once_in_order(page: Page, server: ChatServer) -> None:
    visit(page, server)
    send(page, "one")
    expect_said(page, "one", "echo one")
    server.stop()
    send(page, "two")
    send(page, "three")
    expect(page.locator("frontdesk-chat .sending .text")).to_have_text(["two", "three"])
    expect(page.get_by_text("Connecting…")).to_be_visible()
    server.start()
    expect(page.locator("frontdesk-chat .me .text")).to_have_text(["one", "two", "three"])
    expect(page.get_by_text("echo three")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Connecting…")).to_be_hidden()
    assert server.customer_texts() == ["one", "two", "three"]
    assert [text for text in said(page) if "echo" in text] == ["echo one", "echo two", "echo three"]


def test_an_unsent_message_survives_a_reload(page: Page, context: BrowserContext, server: ChatServer) -> None:
    visit(page, server)
    page.route_web_socket("**/chat/ws", lambda socket: socket.close())
    page.route("**/chat/poll", lambda route: route.abort("connectionrefused"))
    page.reload()
    send(page, "keep this")
    expect(page.get_by_text("Sending…")).to_be_visible()
    other = context.new_page()
    page.close()
    other.goto(f"{server.url}/chat")
    expect(other.get_by_text("echo keep this")).to_be_visible()
    assert server.customer_texts() == ["keep this"]


def test_a_lost_acknowledgement_makes_no_second_message(page: Page, server: ChatServer) -> None:
    lost = []

    def lose_first_ack(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()

        def from_server(frame: str | bytes) -> None:
            kind = json.loads(frame)["type"]
            if lost == [] and kind in ("ack", "mail"):
                lost.append(kind)
                upstream.close()
                socket.close()
            elif upstream not in lost:
                socket.send(frame)

        upstream.on_message(from_server)

    page.route_web_socket("**/chat/ws", lose_first_ack)
    visit(page, server)
    send(page, "only once")
    expect_said(page, "only once", "echo only once")
    assert lost
    assert server.customer_texts() == ["only once"]
    assert len(server.assistant.turns) == 1


def test_without_sockets_it_polls(page: Page, redis_url: str) -> None:
    with ChatServer(redis_url, assistant=ScriptedAssistant(), sockets=False) as server:
        visit(page, server)
        send(page, "hello")
        expect_said(page, "hello", "echo hello")
        page.get_by_role("button", name="Yes").click()
        expect_said(page, "hello", "echo hello", "Yes", "echo Yes")
        server.says("Hi, it's me")
        expect_said(page, "hello", "echo hello", "Yes", "echo Yes", "Hi, it's me")
        server.types()
        expect(page.get_by_text("Anna is typing")).to_be_visible()
        page.reload()
        expect(page.locator("frontdesk-chat .m")).to_have_count(5)
        assert server.customer_texts() == ["hello", "Yes"]


def test_who_speaks_is_told(page: Page, server: ChatServer) -> None:
    visit(page, server)
    dialog = page.get_by_role("dialog")
    send(page, "hello")
    expect_said(page, "hello", "echo hello")
    expect(dialog.locator("header")).to_contain_text("Larkfield assistant")
    server.says("I'm passing you to a colleague.", Author.SYSTEM, "Larkfield assistant")
    server.says("Hello, I'm here.")
    server.says("What happened?")
    expect(dialog.locator("header")).to_contain_text("Anna, from our team")
    expect(dialog.locator(".agent .who").first).to_contain_text("Anna, from our team")
    expect(dialog.locator(".agent .text")).to_have_text(["Hello, I'm here.", "What happened?"])
    assert [one.is_visible() and one.bounding_box()["width"] > 2 for one in dialog.locator(".agent .who").all()] == [
        True,
        False,
    ]


@pytest.mark.parametrize("leave", [return_to_bot, partial(resolve, outcome=Outcome.SOLVED, comment="")])
def test_the_assistant_is_named_again_as_soon_as_the_person_has_left(
    page: Page, server: ChatServer, leave: Callable[..., Move]
) -> None:
    visit(page, server)
    header = page.get_by_role("dialog").locator("header")
    send(page, "hello")
    expect_said(page, "hello", "echo hello")
    anna = Agent(AgentId("anna"), "Anna")
    server.moves(lambda state, now: take_over(state, anna, now))
    server.says("Hello, I'm here.")
    expect(header).to_contain_text("Anna, from our team")
    server.types()
    expect(page.get_by_text("Anna is typing")).to_be_visible()
    server.moves(lambda state, now: leave(state, anna, now=now))
    expect(header).to_contain_text("Larkfield assistant", timeout=3000)
    expect(header).not_to_contain_text("Anna")
    expect(page.get_by_text("Anna is typing")).to_be_hidden(timeout=2000)
    page.reload()
    expect_said(page, "hello", "echo hello", "Hello, I'm here.")
    expect(header).to_contain_text("Larkfield assistant")
    server.says("One more thing.")
    expect(header).to_contain_text("Anna, from our team")


def test_the_dots_stay_until_the_reply_is_there(page: Page, redis_url: str) -> None:
    with ChatServer(redis_url) as server:
        visit(page, server)
        send(page, "hello")
        dots = page.locator("frontdesk-chat .typing")
        expect(dots).to_be_visible()
        expect(dots).to_contain_text("Larkfield assistant is typing")
        server.stop()
        server.assistant = ScriptedAssistant()
        server.start()
        expect_said(page, "hello", "echo hello")
        expect(dots).to_be_hidden()
        server.types()
        expect(dots).to_contain_text("A colleague is typing")
        server.says("Hello, I'm Anna")
        expect(dots).to_be_hidden()


def test_what_is_said_can_not_become_markup(page: Page, server: ChatServer) -> None:
    visit(page, server)
    send(page, "<b>bold</b>")
    expect_said(page, "<b>bold</b>", "echo <b>bold</b>")
    server.says('<img src=x onerror="document.title=1"> (see https://larkfield.example/a?b=1&c=2). javascript:alert(1)')
    link = page.locator("frontdesk-chat .text a")
    expect(link).to_have_text("https://larkfield.example/a?b=1&c=2")
    expect(link).to_have_attribute("href", "https://larkfield.example/a?b=1&c=2")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(link).to_have_attribute("target", "_blank")
    expect(page.locator("frontdesk-chat .text").first).to_have_text("<b>bold</b>")
    expect(page.locator("frontdesk-chat .text :is(b, img)")).to_have_count(0)


def test_long_words_and_long_texts_stay_inside(page: Page, server: ChatServer) -> None:
    visit(page, server)
    send(page, "w" * 2000)
    expect(page.get_by_text("echo www")).to_be_visible()
    send(page, "é" * 100_000)
    expect(page.locator("frontdesk-chat .m")).to_have_count(4)
    width = "(node) => [node.scrollWidth, node.clientWidth]"
    scroll, client = page.get_by_role("log").evaluate(width)
    assert scroll <= client
    assert [len(text) for text in server.customer_texts()] == [2000, 100_000]


def test_the_limit_is_counted_and_kept(page: Page, server: ChatServer) -> None:
    visit(page, server)
    button = page.get_by_role("button", name="Send")
    expect(button).to_be_disabled()
    field(page).fill("😀" * 99_990)
    expect(page.get_by_text("Characters left: 10")).to_be_visible()
    expect(button).to_be_enabled()
    field(page).fill("x" * 100_001)
    expect(page.get_by_text("Characters too many: 1")).to_be_visible()
    expect(button).to_be_disabled()
    field(page).press("Enter")
    field(page).fill("short")
    expect(button).to_be_enabled()
    button.click()
    expect_said(page, "short", "echo short")


def test_going_offline_is_told_and_mended(page: Page, context: BrowserContext, server: ChatServer) -> None:
    visit(page, server)
    context.set_offline(True)
    notice = page.get_by_text("You're offline. We'll send your messages when you're back.")
    expect(notice).to_be_visible()
    context.set_offline(False)
    expect(notice).to_be_hidden()
    send(page, "back")
    expect_said(page, "back", "echo back")


def test_too_many_messages_wait_with_a_notice(page: Page, redis_url: str) -> None:
    with ChatServer(redis_url, Settings(web=WebSettings(chat_rate_per_minute=2)), ScriptedAssistant()) as server:
        visit(page, server)
        for text in ("one", "two", "three"):
            send(page, text)
        expect(page.get_by_text(re.compile(r"Your next message goes out in \d+ s"))).to_be_visible()
        expect(page.locator("frontdesk-chat .me.sending .text")).to_have_text(["three"])
        assert server.customer_texts() == ["one", "two"]


def test_the_newest_message_stays_in_sight_unless_the_customer_reads_above(page: Page, server: ChatServer) -> None:
    visit(page, server)
    for number in range(6):
        send(page, f"message {number}")
        expect(page.get_by_text(f"echo message {number}")).to_be_visible()
    expect(page.get_by_role("button", name="Yes")).to_be_in_viewport()
    field(page).fill("one\ntwo\nthree")
    expect(page.get_by_role("button", name="Yes")).to_be_in_viewport()
    page.get_by_role("log").evaluate("(log) => new Promise((seen) => { log.onscrollend = seen; log.scrollTop = 0; })")
    server.says("Something new")
    jump = page.get_by_role("button", name="New messages")
    expect(jump).to_be_visible()
    expect(page.get_by_text("Something new")).not_to_be_in_viewport()
    jump.click()
    expect(page.get_by_text("Something new")).to_be_in_viewport()
    expect(jump).to_be_hidden()


def test_a_refused_message_can_be_tried_again(page: Page, server: ChatServer) -> None:
    refused = []

    def refuse_first(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()

        def from_page(frame: str | bytes) -> None:
            asked = json.loads(frame)
            if asked["type"] == "send" and not refused:
                refused.append(asked["id"])
                told = {"type": "refused", "id": asked["id"], "error": {"code": "bad_input", "message": "no"}}
                socket.send(json.dumps(told))
            else:
                upstream.send(frame)

        socket.on_message(from_page)

    page.route_web_socket("**/chat/ws", refuse_first)
    visit(page, server)
    send(page, "please")
    expect(page.get_by_text("Not sent.")).to_be_visible()
    send(page, "another")
    expect(page.get_by_text("echo another")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("echo please")).to_be_visible()
    expect(page.get_by_text("Not sent.")).to_have_count(0)
    assert server.customer_texts() == ["another", "please"]


def test_news_behind_a_closed_chat_are_counted_and_told(page: Page, server: ChatServer) -> None:
    visit(page, server)
    send(page, "hello")
    expect_said(page, "hello", "echo hello")
    page.get_by_role("button", name="Close chat").click()
    server.says("One more thing")
    expect(page.locator("frontdesk-chat .badge")).to_have_text("1")
    expect(page.locator("frontdesk-chat [role=status]", has_text="New message from Anna")).to_have_count(1)
    page.reload()
    expect(page.locator("frontdesk-chat .badge")).to_have_text("1")
    page.get_by_role("button", name="Open chat").click()
    expect_said(page, "hello", "echo hello", "One more thing")
    page.keyboard.press("Escape")
    expect(page.locator("frontdesk-chat .badge")).to_be_hidden()


def test_two_tabs_show_the_same_conversation(page: Page, context: BrowserContext, server: ChatServer) -> None:
    visit(page, server)
    send(page, "from the first")
    expect_said(page, "from the first", "echo from the first")
    other = context.new_page()
    other.goto(f"{server.url}/chat")
    expect_said(other, "from the first", "echo from the first")
    send(other, "from the second")
    texts = ("from the first", "echo from the first", "from the second", "echo from the second")
    expect_said(page, *texts)
    expect_said(other, *texts)


def test_another_browser_does_not_see_the_conversation(page: Page, browser: Browser, server: ChatServer) -> None:
    visit(page, server)
    send(page, "my secret")
    expect_said(page, "my secret", "echo my secret")
    stranger = browser.new_page()
    visit(stranger, server)
    expect(stranger.locator("frontdesk-chat .m")).to_have_count(0)
    stranger.close()
    page.evaluate("localStorage.clear()")
    page.reload()
    page.get_by_role("button", name="Open chat").click()
    expect(page.get_by_role("button", name="Where is my order?")).to_be_visible()
    expect(page.locator("frontdesk-chat .m")).to_have_count(0)


def test_any_site_can_embed_it_with_its_own_look(page: Page, server: ChatServer) -> None:
    policy = f'<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; script-src {server.url}; '
    policy += f"connect-src {server.url} {server.url.replace('http', 'ws')}; style-src 'none'\">"
    embed(page, server, 'data-title="Frag uns" data-color="#ffd43b" data-position="left" data-lang="de"', policy)
    launcher = page.get_by_role("button", name="Chat öffnen")
    assert launcher.bounding_box()["x"] < 100
    launcher.click()
    expect(page.get_by_role("dialog", name="Frag uns")).to_be_visible()
    page.get_by_role("textbox", name="Nachricht schreiben").fill("hallo")
    page.get_by_role("button", name="Senden").click()
    expect_said(page, "hallo", "echo hallo")
    expect(page.get_by_text("Gesendet")).to_be_visible()
    style = page.locator("frontdesk-chat header").evaluate(
        "(n) => [getComputedStyle(n).backgroundColor, getComputedStyle(n).color]"
    )
    assert style == ["rgb(255, 212, 59)", "rgb(17, 17, 17)"]
    page.evaluate("Frontdesk.close()")
    expect(launcher).to_be_visible()


def test_right_to_left_languages_turn_it_around(page: Page, server: ChatServer) -> None:
    embed(page, server, 'data-lang="ar" data-open="true"')
    box = page.get_by_role("textbox", name="اكتب رسالة")
    go = page.get_by_role("button", name="إرسال")
    expect(box).to_be_visible()
    assert go.bounding_box()["x"] < box.bounding_box()["x"]
    box.fill("أين طلبي LF-123456؟")
    box.press("Enter")
    expect_said(page, "أين طلبي LF-123456؟", "echo أين طلبي LF-123456؟")
    directions = page.locator("frontdesk-chat .m .text").evaluate_all(
        "(all) => all.map((n) => getComputedStyle(n).direction)"
    )
    assert directions == ["rtl", "ltr"]


def test_an_unknown_language_is_english(page: Page, context: BrowserContext, server: ChatServer) -> None:
    embed(page, server, 'data-lang="english-ish" data-open="true"')
    expect(field(page)).to_be_visible()


def test_it_follows_dark_mode_and_reduced_motion(page: Page, server: ChatServer) -> None:
    visit(page, server)
    look = "(n) => [getComputedStyle(n).backgroundColor, getComputedStyle(n.querySelector('i')).animationName]"
    panel = page.get_by_role("dialog")
    light, moving = panel.evaluate(look)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark, still = panel.evaluate(look)
    assert light == "rgb(255, 255, 255)"
    assert dark != light
    assert (moving, still) == ("beat", "none")


RING = """(node) => {
  const around = node.closest("header, .launch") || node.closest("dialog");
  return [getComputedStyle(node).outlineColor, getComputedStyle(around).backgroundColor];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("colour", ["#0f6b63", "#111111", "#fff2b0"])
def test_what_is_focused_is_seen_in_any_brand_and_any_light(
    page: Page, server: ChatServer, scheme: str, colour: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    embed(page, server, f'data-color="{colour}" data-starters="Where is my order?"')
    page.keyboard.press("Tab")
    rings = [page.get_by_role("button", name="Open chat").evaluate(RING)]
    page.keyboard.press("Enter")
    expect(field(page)).to_be_focused()
    for name in ("Where is my order?", "Close chat"):
        button = page.get_by_role("button", name=name)
        button.focus()
        rings.append(button.evaluate(RING))
    assert [ring for ring in rings if contrast(*ring) < 3] == []


def contrast(one: str, other: str) -> float:
    """Source: WCAG 2.2, contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_on_a_phone_it_is_a_page_of_its_own(browser: Browser, server: ChatServer) -> None:
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.new_page()
    page.goto(f"{server.url}/chat")
    panel = page.get_by_role("dialog")
    expect(panel).to_be_visible()
    assert panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    assert float(field(page).evaluate("(n) => parseFloat(getComputedStyle(n).fontSize)")) >= 16
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 40
    page.get_by_role("button", name="Where is my order?").tap()
    expect_said(page, "Where is my order?", "echo Where is my order?")
    page.get_by_role("button", name="Close chat").tap()
    expect(page.get_by_role("heading", name="Warm plates, long evenings.")).to_be_visible()
    page.get_by_role("button", name="Ask us something").tap()
    expect(panel).to_be_visible()
    phone.close()
