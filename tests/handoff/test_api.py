"""The desk's operations over HTTP: who may, what is answered, and which errors there are."""

from collections.abc import AsyncIterator, Callable, Coroutine

import httpx
import pytest
from fastapi import FastAPI

from bot.cli.http import add_error_table
from bot.conversation.errors import RateLimited
from bot.conversation.events import Priority
from handoff.api import create_router
from handoff.tables import Role
from tests.handoff.scenes import bot_says, customer_says, hand_over, project

As = Callable[[Role], Coroutine[None, None, httpx.AsyncClient]]


@pytest.fixture
async def app(desk, auth, accounts) -> FastAPI:
    app = FastAPI()
    app.include_router(create_router(desk, auth, accounts))
    add_error_table(app)
    return app


@pytest.fixture
async def as_role(app, accounts) -> AsyncIterator[As]:
    """A client with a token of a role; `None` for one without a token."""
    clients = []

    async def make(role: Role | None) -> httpx.AsyncClient:
        headers = {}
        if role:
            headers["Authorization"] = f"Bearer {(await accounts.create_token(f'{role} token', role)).token}"
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk/api/v1", headers=headers)
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()


async def test_a_ticket_from_claim_to_close(log, database, as_role) -> None:
    api = await as_role(Role.AGENT)
    ticket = await hand_over(log, "telegram:4711", Priority.P2)
    await project(log, database)
    listed = (await api.get("/tickets", params={"state": "waiting", "priority": "P2"})).json()
    assert [one["id"] for one in listed["items"]] == [ticket]
    assert listed["next_cursor"] is None

    claimed = await api.post(f"/tickets/{ticket}/claim")
    assert (claimed.status_code, claimed.json()["assignee_name"]) == (200, "agent token")
    reply = {"text": "Hello Kim.", "message_id": "crm-1"}
    said = await api.post(f"/tickets/{ticket}/reply", json=reply)
    assert (said.status_code, said.json()["delivery"]) == (202, "sending")
    again = await api.post(f"/tickets/{ticket}/reply", json=reply)
    assert again.json()["id"] == said.json()["id"]
    noted = await api.post(f"/tickets/{ticket}/note", json={"text": "Called the depot."})
    assert (noted.status_code, noted.json()["text"]) == (201, "Called the depot.")

    view = (await api.get("/conversations/telegram:4711")).json()
    assert [one["text"] for one in view["transcript"]] == ["Can I talk to someone?", "Hello Kim."]
    closed = await api.post(f"/tickets/{ticket}/resolve", json={"outcome": "solved", "comment": "done"})
    assert (closed.status_code, closed.json()["state"], closed.json()["outcome"]) == (200, "resolved", "solved")
    gone = await api.post(f"/tickets/{ticket}/reply", json={"text": "One more thing"})
    assert gone.status_code == 409
    assert (await api.get(f"/tickets/{ticket}")).json()["comment"] == "done"


async def test_a_ticket_is_handed_on(log, database, as_role, accounts) -> None:
    for name, role in (("anna", Role.AGENT), ("ben", Role.AGENT), ("dora", Role.DESIGNER)):
        await accounts.add_user(name, role)
    ticket = await hand_over(log, "web:kim")
    await project(log, database)
    agent, supervisor = await as_role(Role.AGENT), await as_role(Role.SUPERVISOR)
    assert (await agent.post(f"/tickets/{ticket}/assign", json={"to": "ben"})).status_code == 409
    assert (await supervisor.post(f"/tickets/{ticket}/assign", json={"to": "dora"})).status_code == 403
    assert (await supervisor.post(f"/tickets/{ticket}/assign", json={"to": "nobody"})).status_code == 404
    given = await supervisor.post(f"/tickets/{ticket}/assign", json={"to": "ben", "note": "Please."})
    assert (given.status_code, given.json()["assignee_name"]) == (200, "Ben")
    own = await supervisor.post(f"/tickets/{ticket}/assign", json={"to": "anna", "agent": "ben"})
    assert own.json()["assignee_name"] == "Anna"
    notes = (await agent.get("/conversations/web:kim")).json()["notes"]
    assert [one["text"] for one in notes] == ["Please."]


async def test_the_second_claim_gets_the_winners_name(log, database, as_role) -> None:
    one, two = await as_role(Role.AGENT), await as_role(Role.SUPERVISOR)
    ticket = await hand_over(log, "web:kim")
    await project(log, database)
    await one.post(f"/tickets/{ticket}/claim")
    lost = await two.post(f"/tickets/{ticket}/claim")
    assert lost.status_code == 409
    assert lost.json() == {"error": {"code": "conflict", "message": "agent token has this conversation already"}}


async def test_take_over_and_return(log, database, as_role) -> None:
    api = await as_role(Role.AGENT)
    await customer_says(log, "web:kim", "hello")
    await bot_says(log, "web:kim", "Hi!")
    await project(log, database)
    assert [one["owner"] for one in (await api.get("/conversations?owner=bot")).json()["items"]] == ["bot"]
    taken = await api.post("/conversations/web:kim/take-over")
    assert taken.status_code == 201
    await project(log, database)
    returned = await api.post(f"/tickets/{taken.json()['id']}/return", json={})
    assert (returned.status_code, returned.json()["state"]) == (200, "returned")


async def test_a_supervisors_token_acts_as_an_agent(log, database, as_role, accounts) -> None:
    await accounts.add_user("anna", Role.AGENT)
    await accounts.add_user("dora", Role.DESIGNER)
    ticket = await hand_over(log, "web:kim")
    await project(log, database)
    refused = await (await as_role(Role.AGENT)).post(f"/tickets/{ticket}/claim", json={"agent": "anna"})
    assert refused.status_code == 403
    api = await as_role(Role.SUPERVISOR)
    assert (await api.post(f"/tickets/{ticket}/claim", json={"agent": "dora"})).status_code == 403
    assert (await api.post(f"/tickets/{ticket}/claim", json={"agent": "nobody"})).status_code == 404
    claimed = await api.post(f"/tickets/{ticket}/claim", json={"agent": "anna"})
    assert claimed.json()["assignee_name"] == "Anna"


@pytest.mark.parametrize(
    ("role", "read", "serve"),
    [(None, 401, 401), (Role.DESIGNER, 200, 403), (Role.AGENT, 200, 404), (Role.ADMIN, 200, 404)],
)
async def test_roles(as_role, role, read, serve) -> None:
    api = await as_role(role)
    assert (await api.get("/tickets")).status_code == read
    answer = await api.post("/conversations/web:nobody/take-over")
    assert answer.status_code == serve
    assert set(answer.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize("header", ["Bearer fd_wrong", "Bearer ", "Basic YTpi", "fd_x", "Bearer fd_ü".encode()])
async def test_a_wrong_token_is_not_signed_in(app, header) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
        answer = await client.get("/api/v1/tickets", headers={b"authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_signed_in"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tickets?state=lost", 422),
        ("/tickets?limit=0", 422),
        ("/tickets?cursor=x", 422),
        ("/tickets?search=a%00b", 422),
        ("/tickets/none", 404),
        ("/tickets/a%00b", 422),
        ("/conversations/web:none", 404),
        ("/conversations?since=yesterday", 422),
    ],
)
async def test_what_is_not_accepted_is_told(as_role, path, status) -> None:
    api = await as_role(Role.AGENT)
    answer = await api.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": "x" * 20_001},
        {"text": 5},
        {"text": "a", "message_id": "x" * 201},
        {"text": "a", "extra": 1},
    ],
)
async def test_a_reply_that_is_not_accepted_is_told(log, database, as_role, body) -> None:
    api = await as_role(Role.AGENT)
    ticket = await hand_over(log, "web:kim")
    await project(log, database)
    await api.post(f"/tickets/{ticket}/claim")
    assert (await api.post(f"/tickets/{ticket}/reply", json=body)).status_code == 422
    assert (await api.post(f"/tickets/{ticket}/resolve", json={"outcome": "gone"})).status_code == 422


async def test_a_caller_who_asks_too_often_is_told(desk, auth, accounts) -> None:
    def admit(_: str) -> None:
        raise RateLimited("too many", 3.0)

    app = FastAPI()
    app.include_router(create_router(desk, auth, accounts, admit))
    add_error_table(app)
    token = (await accounts.create_token("busy", Role.AGENT)).token
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
        answer = await client.get("/api/v1/tickets", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 429


async def test_every_operation_is_described_with_its_errors(app) -> None:
    paths = app.openapi()["paths"]
    assert len(paths) == 11
    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["description"], path
            assert {"401", "403", "503"} < set(operation["responses"]), path
            assert operation["security"], path
