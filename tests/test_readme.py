import re
import shlex

from tests.running import ROOT, frontdesk_here

PAGES = ("README.md", "docs/operations.md", "docs/learning.md")
SERVED = ("up", "worker", "sender", "web")
LEARNT = ("train", "review", "data", "evaluate", "promote", "rollback")
SHOWN_ELSEWHERE = (*SERVED, *LEARNT, "rasa", "config", "triage")
"""Run by tests/cli: `up` by the installation fixture, `train` by the models fixture, the rest by test_commands.py; and
by tests/triage and tests/learning."""


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    found = []
    for page in PAGES:
        for block in blocks(page):
            for line in block.replace("\\\n", " ").splitlines():
                if command := re.search(r"uv run frontdesk (.*)", line.partition(" #")[0]):
                    found.append(command.group(1).strip())
    return list(dict.fromkeys(found))


def test_the_two_commands_are_there():
    first, second = blocks("README.md")[:2]
    assert first == "pip install uv && uv run frontdesk up\n"
    assert second == "uv run pytest\n"
    assert "uv run pytest\n" in (ROOT / ".ci" / "run").read_text()


def test_every_command_of_the_documents_works(installation):
    assert len(commands()) > 10
    for command in commands():
        arguments = shlex.split(command)
        if arguments[0] in SHOWN_ELSEWHERE:
            continue
        if {"ID", "MESSAGE", "web:k3f9", "admin"} & set(arguments):  # what they name is not there, or others need it
            named = arguments[: 1 if arguments[0] == "transcript" else 2]
            done = frontdesk_here(*named, "--help")
        else:
            done = installation.run(*arguments)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_the_links_of_the_documents_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if not target.startswith("http") and target != "docs/images/desk.png":
                assert (page.parent / target).exists(), f"{page.name}: {target}"
