"""Imports point one way. Source: design.md, Layout."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent


def imports(folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                yield path.relative_to(ROOT).as_posix(), name


def breaches(folder: str, *forbidden: str, allowed: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{path} imports {name}"
        for path, name in imports(folder)
        if any(name == part or name.startswith(part + ".") for part in forbidden)
        and not any(name == part or name.startswith(part + ".") for part in allowed)
        and not path.startswith("bot/cli")
    ]


def test_the_spine_imports_neither_rasa_nor_what_stands_on_it() -> None:
    assert (
        breaches("bot/conversation", "rasa", "rasa_sdk", "handoff", "actions", "bot", allowed=("bot.conversation",))
        == []
    )


def test_the_bot_never_imports_the_desk() -> None:
    assert breaches("bot", "handoff") == []


def test_the_desk_imports_the_spine_and_never_rasa() -> None:
    allowed = ("bot.conversation", "bot.settings")
    assert breaches("handoff", "rasa", "rasa_sdk", "bot", "actions", allowed=allowed) == []


def test_actions_import_neither_channels_nor_the_desk() -> None:
    assert breaches("actions", "handoff", "bot.channels", "bot.gateway", "bot.worker", "bot.sender") == []


def test_skills_are_pure_and_only_their_components_import_rasa() -> None:
    found = [one for one in breaches("bot/nlu", "rasa") if not one.startswith("bot/nlu/components")]
    assert found == []
    assert [one for one in breaches("bot/policies", "rasa") if not one.startswith("bot/policies/components")] == []


def test_nobody_but_the_composition_roots_reads_the_environment() -> None:
    allowed = {"bot/configuration.py", "bot/rasa_runtime.py", "bot/rasa_imports.py"}
    readers = set()
    for folder in ("bot", "handoff", "actions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            text = path.read_text(encoding="utf-8")
            if ("os.environ" in text or "getenv" in text) and not name.startswith(("bot/cli", "bot/embedded")):
                readers.add(name)
    assert readers - allowed == set()
