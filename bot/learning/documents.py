"""YAML files with the line of everything in them, so that people can be told where something is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from bot.conversation.errors import BadInput
from bot.yaml_loader import LOADER

Step = str | int
Steps = tuple[Step, ...]

DEEPEST = 50
"""Levels of a file; ours have six."""


@dataclass(frozen=True, eq=False)
class Document:
    """A YAML file that was read. Lines count from 1."""

    file: Path
    text: str
    root: yaml.Node
    value: Any

    @classmethod
    def read(cls, file: Path) -> "Document":
        """Read a file.

        Raises:
            BadInput: it can't be read, is not YAML, or names a key twice; the text says where.
        """
        try:
            return cls.of(file, file.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise BadInput(f"{file} is not written in UTF-8") from error
        except OSError as error:
            raise BadInput(f"{file} can't be read: {error.strerror}") from error

    @classmethod
    def of(cls, file: Path, text: str) -> "Document":
        """Read a text as if it stood in a file.

        Raises:
            BadInput: as `read`.
        """
        try:
            _refuse_too_deep(file, yaml.parse(text, Loader=LOADER))
            root = yaml.compose(text, Loader=LOADER)
            if root is None:
                raise BadInput(f"{file} is empty")
            _refuse_twice(file, root)
            return cls(file, text, root, yaml.constructor.SafeConstructor().construct_document(root))
        except RecursionError as error:
            raise BadInput(f"{file}: something in it holds itself") from error
        except yaml.MarkedYAMLError as error:
            line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise BadInput(f"{file}{line}: {error.problem or 'this is not YAML'}") from error
        except yaml.YAMLError as error:
            raise BadInput(f"{file} is not YAML: {' '.join(str(error).split())}") from error

    def node(self, *path: Step) -> yaml.Node:
        """Return the node at a path, or the nearest one above it."""
        return self._nodes[self._nearest(path)]

    def line(self, *path: Step) -> int:
        """Return the line where what is at a path begins, with its key if it has one, or the nearest thing above it."""
        return self._lines[self._nearest(path)]

    @cached_property
    def _nodes(self) -> Mapping[Steps, yaml.Node]:
        return {path: node for path, node, _ in _walk((), self.root, self.root)}

    @cached_property
    def _lines(self) -> Mapping[Steps, int]:
        return {path: int(begin.start_mark.line) + 1 for path, _, begin in _walk((), self.root, self.root)}

    def _nearest(self, path: Steps) -> Steps:
        return next(path[:size] for size in range(len(path), -1, -1) if path[:size] in self._nodes)


def last_line(node: yaml.Node) -> int:
    """Return the last line of a node, counted from 1; blank lines and comments after it are not part of it."""
    if isinstance(node, yaml.ScalarNode) and node.style == "|":
        return int(node.start_mark.line) + 1 + len(str(node.value).rstrip("\n").split("\n"))
    if isinstance(node, yaml.ScalarNode) and node.style == ">":
        return int(node.end_mark.line)
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line) + 1


def _walk(path: Steps, node: yaml.Node, begin: yaml.Node) -> Iterator[tuple[Steps, yaml.Node, yaml.Node]]:
    """Yield the path of everything, its node, and the node where it begins: its key, if it has one."""
    yield path, node, begin
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _walk((*path, str(key.value)), value, key)
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            yield from _walk((*path, place), value, value)


def _refuse_too_deep(file: Path, events: Iterable[yaml.Event]) -> None:
    """Refuse what would be too deep for those who read it afterwards, which call themselves for each level."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = f", line {event.start_mark.line + 1}" if event.start_mark else ""
            raise BadInput(f"{file}{line}: this is nested more than {DEEPEST} levels deep")


def _refuse_twice(file: Path, root: yaml.Node) -> None:
    for _, node, _ in _walk((), root, root):
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise BadInput(f"{file}, line {key.start_mark.line + 1}: a key must be a word")
                if key.value in seen:
                    raise BadInput(f"{file}, line {key.start_mark.line + 1}: {key.value!r} is here a second time")
                seen.add(key.value)
