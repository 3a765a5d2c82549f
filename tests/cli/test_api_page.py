"""The page that documents the API: what it shows can be copied and works."""

import html
import re
import shlex

import httpx


def curl_of(page: str, method: str, path: str) -> list[str]:
    """Return the arguments of the example of an operation."""
    (shown,) = re.findall(rf"<pre>(curl -X {method} \S+{re.escape(path)} .*?)</pre>", page, re.DOTALL)
    return shlex.split(html.unescape(shown).replace("\\\n", " "))


def test_an_example_can_be_copied_and_works(installation):
    page = httpx.get(f"{installation.url}/docs", timeout=30).text
    _, _, method, url, _, token, _, kind, _, body = curl_of(page, "POST", "/api/v1/messages")
    assert url == f"{installation.url}/api/v1/messages"
    headers = dict(line.split(": ", 1) for line in (token.replace("fd_…", installation.token()), kind))
    answer = httpx.request(method, url, headers=headers, content=body.encode(), timeout=30)
    assert answer.status_code == 202, answer.text


def test_every_operation_has_an_example(installation):
    page = httpx.get(f"{installation.url}/docs", timeout=30).text
    operations = httpx.get(f"{installation.url}/openapi.json", timeout=30).json()["paths"]
    for path, methods in operations.items():
        for method in methods:
            assert f"curl -X {method.upper()} {installation.url}{path}" in page
    assert "`" not in page
