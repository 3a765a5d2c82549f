"""Running Rasa's graph without Dask: order, inputs, hooks, what is refused."""

from pathlib import Path
from typing import Any

import pytest

from bot.rasa_runtime import prepare

prepare()

from rasa.engine.exceptions import GraphRunError  # noqa: E402
from rasa.engine.graph import ExecutionContext, GraphComponent, GraphNodeHook, GraphSchema, SchemaNode  # noqa: E402
from rasa.engine.storage.local_model_storage import LocalModelStorage  # noqa: E402

from bot.rasa_runner import InOrderRunner  # noqa: E402

ran: list[str] = []


class Joined(GraphComponent):
    """Notes that it ran and joins its name with what it is given."""

    def __init__(self, name: str, made_of: str) -> None:
        self._name = name
        self._made_of = made_of

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: LocalModelStorage,
        resource: Any,
        execution_context: ExecutionContext,
        made_of: str = "",
    ) -> "Joined":
        return cls(execution_context.node_name, made_of)

    def run(self, **given: str) -> str:
        ran.append(self._name)
        return f"{self._made_of}{self._name}({','.join(f'{name}={value}' for name, value in given.items())})"


class Hook(GraphNodeHook):
    """Notes what it sees before and after a node."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_before_node(self, node_name: str, received_inputs: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"before": (node_name, received_inputs)}

    def on_after_node(self, output: Any, input_hook_data: dict[str, Any], **_: Any) -> None:
        self.seen.append((*input_hook_data["before"], output))


def node(needs: dict[str, str] | None = None, is_target: bool = False, eager: bool = True) -> SchemaNode:
    return SchemaNode(needs or {}, Joined, "create", "run", {}, eager=eager, is_target=is_target)


def runner(folder: Path, hooks: list[GraphNodeHook] | None = None, **nodes: SchemaNode) -> InOrderRunner:
    ran.clear()
    schema = GraphSchema(nodes)
    return InOrderRunner.create(schema, LocalModelStorage(folder), ExecutionContext(schema), hooks)


def test_a_node_runs_after_those_it_needs_and_once(tmp_path: Path) -> None:
    graph = runner(tmp_path, d=node({"x": "b", "y": "c"}, True), b=node({"x": "a"}), c=node({"x": "a"}), a=node())
    assert graph.run() == {"d": "d(x=b(x=a()),y=c(x=a()))"}
    assert ran[0] == "a"
    assert sorted(ran) == ["a", "b", "c", "d"]
    assert ran[-1] == "d"


def test_only_what_the_targets_need_runs_and_each_run_anew(tmp_path: Path) -> None:
    graph = runner(tmp_path, a=node(), b=node({"x": "a"}), c=node({"x": "a"}, True))
    assert graph.run(targets=["b", "a"]) == {"b": "b(x=a())", "a": "a()"}
    assert ran == ["a", "b"]
    assert graph.run() == {"c": "c(x=a())"}
    assert ran == ["a", "b", "a", "c"]


def test_inputs_go_to_the_nodes_that_ask_for_them(tmp_path: Path) -> None:
    graph = runner(tmp_path, a=node({"x": "__message__"}, True))
    assert graph.run({"__message__": "hi"}) == {"a": "a(x=hi)"}
    assert graph.run({"__message__": "bye"}) == {"a": "a(x=bye)"}


def test_an_input_takes_the_place_of_the_node_of_its_name(tmp_path: Path) -> None:
    graph = runner(tmp_path, a=node(), b=node({"x": "a"}, True))
    assert graph.run({"a": "given"}) == {"b": "b(x=given)"}
    assert ran == ["b"]


def test_a_lazy_node_is_made_of_what_its_constructor_asks_for(tmp_path: Path) -> None:
    graph = runner(tmp_path, a=node(), b=node({"made_of": "a", "x": "a"}, True, eager=False))
    assert graph.run() == {"b": "a()b(x=a())"}


def test_hooks_see_each_node_before_and_after(tmp_path: Path) -> None:
    hook = Hook()
    runner(tmp_path, [hook], a=node(), b=node({"x": "a"}, True)).run()
    assert hook.seen == [("a", {}, "a()"), ("b", {"x": "a()"}, "b(x=a())")]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_missing_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(GraphRunError, match="Expected input '__message__'"):
        runner(tmp_path, a=node({"x": "__message__"}, True)).run()


def test_a_circle_is_told(tmp_path: Path) -> None:
    with pytest.raises(GraphRunError, match=r"circle: [ab], [ab], [ab]"):
        runner(tmp_path, a=node({"x": "b"}, True), b=node({"x": "a"})).run()
