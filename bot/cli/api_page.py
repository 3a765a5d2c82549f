"""The page that documents the API: made of its OpenAPI description, without a script or anything from elsewhere."""

import json
import re
from collections import defaultdict
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 6rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; }
summary { cursor: pointer; padding: .6rem .8rem; }
details > div { padding: 0 .8rem .8rem; }
.method { font: 700 .8rem ui-monospace, monospace; display: inline-block; min-width: 3.6rem; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: 6px; padding: .7rem; overflow: auto; }
table { border-collapse: collapse; width: 100%; }
td, th { border-top: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; }
"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} API</title><style>{style}</style></head>
<body><h1>{title} API</h1><p>{about}</p>
<p>Send <code>Authorization: Bearer fd_…</code> with every call. Errors have one shape:</p>
<pre>{{"error": {{"code": "conflict", "message": "Anna has this conversation already"}}}}</pre>
<p>For programs: <a href="{openapi}">{openapi}</a></p>{body}</body></html>
"""
MAX_DEPTH = 6


def api_page(schema: dict[str, Any], address: str, openapi: str) -> str:
    """Return the page for an OpenAPI description; `address` is used in the examples."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups[tag].append(_operation(schema, address, path, method, operation))
    body = "".join(f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{"".join(parts)}' for tag, parts in groups.items())
    info = schema["info"]
    about = _prose(info.get("description", ""))
    return PAGE.format(title=escape(info["title"]), about=about, style=STYLE, body=body, openapi=escape(openapi))


def example_of(schema: dict[str, Any], part: dict[str, Any], depth: int = 0) -> Any:
    """Return an example of what a part of the description stands for."""
    if "$ref" in part:
        name = part["$ref"].rsplit("/", 1)[1]
        return {} if depth > MAX_DEPTH else example_of(schema, schema["components"]["schemas"][name], depth + 1)
    if part.get("examples"):
        return part["examples"][0]
    for key in ("example", "default", "const"):
        if part.get(key) is not None:
            return part[key]
    if part.get("enum"):
        return part["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if part.get(key):
            return example_of(schema, part[key][0], depth + 1)
    match part.get("type"):
        case "object":
            return {name: example_of(schema, inner, depth + 1) for name, inner in part.get("properties", {}).items()}
        case "array":
            return [example_of(schema, part.get("items", {}), depth + 1)]
        case "string":
            return "2026-11-23T09:30:00Z" if part.get("format") == "date-time" else "…"
        case "integer" | "number":
            return 0
        case "boolean":
            return False
    return None


def _operation(schema: dict[str, Any], address: str, path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{_prose(operation.get('description', ''))}</p>"]
    parameters = operation.get("parameters", [])
    if parameters:
        rows = "".join(_parameter(parameter) for parameter in parameters)
        parts.append(f"<table><tr><th>parameter</th><th>in</th><th>what it is</th></tr>{rows}</table>")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    given = example_of(schema, body) if body else None
    parts.append(f"<pre>{escape(_curl(address, path, method, given))}</pre>")
    for status, answer in operation.get("responses", {}).items():
        parts.append(f"<p><code>{escape(status)}</code> {escape(answer.get('description', ''))}</p>")
        content = answer.get("content", {}).get("application/json", {}).get("schema")
        if content and status.startswith("2"):
            parts.append(f"<pre>{escape(_pretty(example_of(schema, content)))}</pre>")
    head = (
        f'<span class="method">{escape(method.upper())}</span> <code>{escape(path)}</code> '
        f"{escape(operation.get('summary', ''))}"
    )
    return f"<details><summary>{head}</summary><div>{''.join(parts)}</div></details>"


def _parameter(parameter: dict[str, Any]) -> str:
    name = escape(parameter["name"]) + ("" if parameter.get("required") else " <small>optional</small>")
    what = _prose(parameter.get("description") or parameter.get("schema", {}).get("description") or "")
    return f"<tr><td><code>{name}</code></td><td>{escape(parameter['in'])}</td><td>{what}</td></tr>"


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _curl(address: str, path: str, method: str, body: Any) -> str:
    lines = [f"curl -X {method.upper()} {address}{path}", "  -H 'Authorization: Bearer fd_…'"]
    if body is not None:
        lines += ["  -H 'Content-Type: application/json'", f"  -d '{json.dumps(body, ensure_ascii=False)}'"]
    return " \\\n".join(lines)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
