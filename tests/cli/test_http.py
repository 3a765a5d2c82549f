import httpx
import pytest
from fastapi import FastAPI, Request
from redis.exceptions import ConnectionError as RedisConnectionError

from bot.cli.http import ERRORS, BodyLimit, SecurityHeaders, add_error_table
from bot.conversation import errors


@pytest.fixture
def app():
    app = FastAPI()
    add_error_table(app)

    @app.get("/raise/{name}")
    async def fail(name: str):
        if name == "RateLimited":
            raise errors.RateLimited("slowly", 12.4)
        if name == "Redis":
            raise RedisConnectionError("secret host")
        raise getattr(errors, name, RuntimeError)("the text")

    @app.post("/size")
    async def size(request: Request):
        return len(await request.body())

    @app.get("/number")
    async def number(n: int):
        return n

    return app


@pytest.fixture
async def client(app):
    inner = SecurityHeaders(BodyLimit(app, 1000), https=True)
    transport = httpx.ASGITransport(inner, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status", "code", "message"),
    [
        ("NotSignedIn", 401, "not_signed_in", "the text"),
        ("Forbidden", 403, "forbidden", "the text"),
        ("NotFound", 404, "not_found", "the text"),
        ("Conflict", 409, "conflict", "the text"),
        ("BadInput", 422, "bad_input", "the text"),
        ("RateLimited", 429, "rate_limited", "slowly"),
        ("Unavailable", 503, "unavailable", "the text"),
        ("ConfigError", 500, "misconfigured", "something went wrong here; it is logged"),
        ("FrontdeskError", 500, "internal", "something went wrong here; it is logged"),
        ("Redis", 503, "unavailable", "a service that is needed does not answer; try again"),
        ("Other", 500, "internal", "something went wrong here; it is logged"),
    ],
)
async def test_every_error_has_its_status_and_the_one_shape(client, name, status, code, message):
    answer = await client.get(f"/raise/{name}")
    assert answer.status_code == status
    assert answer.json() == {"error": {"code": code, "message": message}}


def test_the_table_has_every_error_of_the_tree():
    listed = {kind for kind, _, _ in ERRORS}
    tree = {kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__}
    assert tree == listed


async def test_who_must_wait_is_told_how_long(client):
    assert (await client.get("/raise/RateLimited")).headers["Retry-After"] == "12"
    assert (await client.get("/raise/Unavailable")).headers["Retry-After"] == "2"


async def test_errors_of_the_framework_have_the_same_shape(client):
    missing = await client.get("/nowhere")
    assert (missing.status_code, missing.json()) == (404, {"error": {"code": "not_found", "message": "Not Found"}})
    wrong = await client.get("/number?n=x")
    assert wrong.status_code == 422
    assert wrong.json()["error"]["code"] == "bad_input"
    assert wrong.json()["error"]["message"].startswith("n: ")
    assert (await client.delete("/number")).json()["error"]["code"] == "method_not_allowed"


async def _in_pieces(total: int):
    for _ in range(total // 100):
        yield b"x" * 100


async def test_a_body_at_the_limit_is_taken(client):
    assert (await client.post("/size", content=b"x" * 1000)).json() == 1000
    assert (await client.post("/size", content=_in_pieces(1000))).json() == 1000


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_beyond_the_limit_is_refused(client, announced):
    answer = await client.post("/size", content=b"x" * 1100 if announced else _in_pieces(1100))
    assert answer.status_code == 413
    assert answer.json() == {"error": {"code": "too_large", "message": "at most 1000 bytes are accepted"}}


async def test_browsers_are_told_what_not_to_do(client):
    headers = (await client.get("/nowhere")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["strict-transport-security"]
