"""Run Rasa's graph: every node after those that it needs, one after the other, in a plan that is made once.

Rasa's own runner hands each run to Dask, which plans it anew and passes each node through a queue and a future.
`bot.rasa_imports` puts this one in its place when Rasa is imported.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from rasa.engine.exceptions import GraphRunError
from rasa.engine.graph import ExecutionContext, GraphNode, GraphNodeHook, GraphSchema
from rasa.engine.runner.interface import GraphRunner
from rasa.engine.storage.storage import ModelStorage


class InOrderRunner(GraphRunner):
    """Runs the nodes of a graph in this thread, for training and for serving."""

    def __init__(
        self,
        graph_schema: GraphSchema,
        model_storage: ModelStorage,
        execution_context: ExecutionContext,
        hooks: list[GraphNodeHook] | None = None,
    ) -> None:
        self._schema = graph_schema
        self._nodes = {
            name: GraphNode.from_schema_node(name, node, model_storage, execution_context, hooks)
            for name, node in graph_schema.nodes.items()
        }
        self._plans: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = {}

    @classmethod
    def create(
        cls,
        graph_schema: GraphSchema,
        model_storage: ModelStorage,
        execution_context: ExecutionContext,
        hooks: list[GraphNodeHook] | None = None,
    ) -> InOrderRunner:
        """Make the nodes of a graph."""
        return cls(graph_schema, model_storage, execution_context, hooks)

    def run(self, inputs: dict[str, Any] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """Run what the targets need, and return their outputs by name; without targets, those of the schema.

        Raises:
            GraphRunError: the nodes need each other in a circle, or something that is neither a node nor an input.
        """
        wanted = tuple(targets or self._schema.target_names)
        if wanted not in self._plans:
            self._plans[wanted] = self._plan(wanted)
        outputs = dict(inputs or {})
        for name, needs in self._plans[wanted]:
            if name not in outputs:
                given = ((need, outputs[need]) if need in outputs else need for need in needs)
                outputs[name] = self._nodes[name](*given)[1]
        return {name: outputs[name] for name in wanted}

    def _plan(self, targets: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
        """Return the nodes that the targets need, in an order to run them, each with what it needs itself."""
        needs: dict[str, tuple[str, ...]] = {}
        open_ = list(targets)
        while open_:
            name = open_.pop()
            if name in self._nodes and name not in needs:
                needs[name] = tuple(dict.fromkeys(self._schema.nodes[name].needs.values()))
                open_ += needs[name]
        try:
            order = list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            raise GraphRunError(f"The nodes need each other in a circle: {', '.join(error.args[1])}") from error
        return [(name, needs[name]) for name in order if name in needs]
