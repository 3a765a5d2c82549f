"""Write the weights of a BERT-family checkpoint as ONNX graphs, without torch or TensorFlow.

`trunk.onnx` reads texts of n tokens (`input_ids`, `(n, texts) int64`) as far as the encoder and its branch are the
same, which without a branch are the embeddings alone. It gives their token vectors, `hidden` `(n, texts, width)
float32`, and `lower`, the mean of each layer's so far (`(texts, 1 + layers, width) float32`, the embeddings first).
`layers.onnx` makes of `hidden` the means of all further layers, `layers`, and `sentence` (`(texts, width) float32`).
`branch.onnx`, where the checkpoint has one, gives `branch`, the means of the upper half of the branch's layers.

No bit of a text's result depends on the others of its pass. Tokens are the first axis: then a mean is summed in their
order, which ONNX Runtime changes for several texts if the texts are the first.

Weights are int8 with a scale for each output channel. What they are multiplied with is int8 with a scale for each
input channel that is known beforehand (`bot.nlu.calibration`); a part of it is moved into the weights, so that both
lose little. Behind the activation few values are large, and in other channels for each token: there the scale is each
token's own. Source: Xiao et al. (2023), "SmoothQuant". Measured on 300 tweets against fp32: mean cosine of the last
layer 0.9986, with a scale for each token everywhere 0.9972, with one for the whole text 0.9925; 1.92 instead of
2.28 ms for 22 tokens.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError
from bot.nlu.branch import read_branch
from bot.nlu.checkpoint import Checkpoint
from bot.nlu.families import LAYOUTS, Layout, can_export, distances, read_weights, refusal

FORMAT = 4
"""Goes up when the graph changes, so that older cached files are not used."""

TRUNK, LAYERS, BRANCH = "trunk.onnx", "layers.onnx", "branch.onnx"

WATCHED = "input of "
"""What the names of outputs begin with that are the inputs of a matrix, `(tokens, in)`."""

Array = NDArray[Any]
Inputs = Mapping[str, Mapping[str, Array]]
"""For each graph and each matrix in it, how large its inputs are, channel by channel `(in,)`."""

_SMOOTHED = 0.75
"""How much of the difference between channels is moved into the weights. Source: best of 0.3, 0.5, 0.7, 0.75 and 0.8,
on 300 tweets."""
_LEAST = 1e-3
"""The least that an input channel is taken for, beside the largest of all."""
_LEAST_ACTIVATION = 0.171
"""All activations are above the negative of this."""

_ACTIVATIONS = {"gelu": {}, "gelu_new": {"approximate": "tanh"}, "gelu_pytorch_tanh": {"approximate": "tanh"}}


def export(checkpoint: Checkpoint, folder: Path, inputs: Inputs | None = None) -> None:
    """Write the checkpoint as ONNX files into a folder; in int8 if the `inputs` of its matrices are told, else in fp32.

    Raises:
        ConfigError: the checkpoint is of a kind that can't be exported, or its branch is another encoder's.
    """
    for name, content in graphs(checkpoint, inputs).items():
        (folder / name).write_bytes(content)


def graphs(checkpoint: Checkpoint, inputs: Inputs | None = None, watched: bool = False) -> dict[str, bytes]:
    """Return the ONNX files by their names; if `watched`, they also give what each matrix is multiplied with.

    Raises:
        ConfigError: as for `export`.
    """
    if not can_export(checkpoint):
        raise refusal(checkpoint)
    layout = LAYOUTS[str(checkpoint.config["model_type"])]
    weights = read_weights(checkpoint, layout)
    other = read_branch(checkpoint.branch, weights) if checkpoint.branch else {}
    first = min((layout.layer_of(name) or 0 for name in other), default=0)

    def graph(name: str, weights: Mapping[str, Array]) -> _Graph:
        return _Graph(checkpoint, layout, weights, first, None if inputs is None else inputs[name], watched)

    try:
        found = {TRUNK: graph(TRUNK, weights).trunk(), LAYERS: graph(LAYERS, weights).layers()}
        if checkpoint.branch:
            found[BRANCH] = graph(BRANCH, {**weights, **other}).branch()
    except KeyError as error:
        raise ConfigError(f"encoder: {checkpoint.folder} lacks the weights {error}") from error
    return found


class _Graph:
    """Collects the nodes and constants of one graph.

    `first` is the number of the first layer in which the branch differs; `inputs` are those of this graph.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        layout: Layout,
        weights: Mapping[str, Array],
        first: int,
        inputs: Mapping[str, Array] | None,
        watched: bool,
    ) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self._layout, self._inputs, self._watched = layout, inputs, watched
        self._int8 = inputs is not None
        self._config = checkpoint.config
        self._first_token, self._max_tokens = checkpoint.pools_first_token, checkpoint.max_tokens
        self._weights = weights
        self._depth, self._width = int(self._size("num_hidden_layers")), int(self._size("hidden_size"))
        self._upper = max(1, (self._depth + 1) // 2)
        self._first = min(first, self._depth - self._upper)
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._seen: dict[str, list[Any]] = {}

    def trunk(self) -> bytes:
        """Return the model of what the encoder and the branch have in common."""
        hidden = self._blocks(self._embed(), range(self._first))
        self._stack([self._mean(each) for each in hidden], out="lower")
        self._op("Reshape", hidden[-1], "given", out="hidden")
        outputs = {"hidden": ["n", "texts", self._width], "lower": ["texts", len(hidden), self._width]}
        return self._serialised(("input_ids", "INT64", ["n", "texts"]), outputs)

    def layers(self) -> bytes:
        """Return the model that gives the means of all further layers, and the sentence."""
        hidden = self._blocks("hidden", range(self._first, self._depth))[1:]
        pooled = [self._mean(each) for each in hidden]
        self._stack(pooled, out="layers")
        if self._first_token:
            last = self._op("Reshape", hidden[-1], "given")
            self._op("Gather", last, self._const("zero", np.array(0)), axis=0, out="sentence")
        else:
            self._op("Squeeze", pooled[-1], self._axis(0), out="sentence")
        return self._upon_trunk({"sentence": ["texts", self._width], "layers": ["texts", len(hidden), self._width]})

    def branch(self) -> bytes:
        """Return the model that gives the means of the upper half of the layers."""
        hidden = self._blocks("hidden", range(self._first, self._depth))
        self._stack([self._mean(each) for each in hidden[-self._upper :]], out="branch")
        return self._upon_trunk({"branch": ["texts", self._upper, self._width]})

    def _upon_trunk(self, outputs: dict[str, list[Any]]) -> bytes:
        return self._serialised(("hidden", "FLOAT", ["n", "texts", self._width]), outputs)

    def _serialised(self, given: tuple[str, str, list[Any]], outputs: dict[str, list[Any]]) -> bytes:
        from onnx import TensorProto

        make = self._helper
        name, kind, shape = given
        given_back = outputs | self._seen
        graph = make.make_graph(
            self._nodes,
            "encoder",
            [make.make_tensor_value_info(name, getattr(TensorProto, kind), shape)],
            [make.make_tensor_value_info(each, TensorProto.FLOAT, shape) for each, shape in given_back.items()],
            list(self._constants.values()),
        )
        opsets = [make.make_opsetid("", 20), make.make_opsetid("com.microsoft", 1)]
        return bytes(make.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())

    def _blocks(self, vectors: str, numbers: range) -> list[str]:
        """Return token vectors before and after each layer, `(n * texts, width)`; `vectors` is `(n, texts, width)`."""
        width = self._width
        self._op("Shape", vectors, out="given")
        hidden = [self._op("Reshape", vectors, self._const("tokens", np.array([-1, width])))]
        if self._int8:
            count = self._op("Shape", hidden[0], start=0, end=1)
            self._op("Expand", self._const("middle_1", np.array([128], np.uint8)), count, out="middles")
        heads = int(self._size("num_attention_heads"))
        split = self._const("split", np.array([3, heads, width // heads]))
        self._op("Concat", self._op("Shape", vectors, end=2), split, axis=0, out="split_heads")
        if self._layout.distances and numbers:
            by_kind = self._weights[self._layout.distances]
            added = by_kind[distances(self._max_tokens, len(by_kind))].transpose(2, 0, 1)
            count = self._op("Shape", vectors, end=1)
            ends = self._op("Concat", count, count, axis=0)
            starts, axes = self._const("starts", np.array([0, 0])), self._const("last_two", np.array([1, 2]))
            self._op("Slice", self._const("by_distance", added), starts, ends, axes, out="to_scores")
        for number in numbers:
            hidden.append(self._block(hidden[-1], number, width, heads))
        return hidden

    def _embed(self) -> str:
        """Return the vectors of the tokens, `(n, texts, width)`."""
        words = self._weights["embeddings.word_embeddings.weight"]
        if self._int8:
            scale = _scale(words, axis=1)
            rows = self._op("Gather", self._const("words", _to_int8(words, scale)), "input_ids")
            scales = self._op("Gather", self._const("words_scale", scale), "input_ids")
            hidden = self._op("Mul", self._op("Cast", rows, to=1), scales)
        else:
            hidden = self._op("Gather", self._const("words", words), "input_ids")
        first = self._layout.first_position
        places = self._weights["embeddings.position_embeddings.weight"][first : first + self._max_tokens]
        kinds = self._weights.get("embeddings.token_type_embeddings.weight")
        if kinds is not None:
            places = places + kinds[0]
        count = self._op("Shape", "input_ids", end=1)
        position = self._op("Slice", self._const("places", places[:, None]), self._axis(0), count)
        return self._norm(self._op("Add", hidden, position), self._layout.embeddings_norm)

    def _block(self, hidden: str, number: int, width: int, heads: int) -> str:
        layout = self._layout
        names = [name.format(number) for name in (layout.query, layout.key, layout.value)]
        weights = np.concatenate([self._weights[f"{name}.weight"] for name in names])
        biases = np.concatenate([self._weights[f"{name}.bias"] for name in names])
        root = np.float32(np.sqrt(width / heads))
        weights[:width] /= root
        biases[:width] /= root
        mixed = self._dense(hidden, weights, biases, f"{number}.attention")
        mixed = self._op("Transpose", self._op("Reshape", mixed, "split_heads"), perm=[1, 2, 3, 0, 4])
        query, key, value = self._split(mixed, axis=1, count=3)  # each (texts, 1, heads, n, width of a head)
        scores = self._op("MatMul", query, self._op("Transpose", key, perm=[0, 1, 2, 4, 3]))
        if self._layout.distances:
            scores = self._op("Add", scores, "to_scores")
        seen = self._op("MatMul", self._op("Softmax", scores, axis=-1), value)
        seen = self._op("Transpose", seen, perm=[3, 0, 1, 2, 4])
        seen = self._op("Reshape", seen, "tokens")
        added = self._op("Add", hidden, self._named_dense(seen, layout.attention_out.format(number)))
        hidden = self._norm(added, layout.attention_norm.format(number))
        inner = self._activate(self._named_dense(hidden, layout.feed_in.format(number)))
        added = self._op("Add", hidden, self._named_dense(inner, layout.feed_out.format(number), activated=True))
        return self._norm(added, layout.norm.format(number))

    def _named_dense(self, value: str, name: str, activated: bool = False) -> str:
        return self._dense(value, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], name, activated)

    def _dense(self, value: str, weight: Array, bias: Array, name: str, activated: bool = False) -> str:
        """Multiply `(tokens, in)` by `weight` `(out, in)` and add `bias`; `activated` values are hardly negative."""
        columns = np.ascontiguousarray(weight.T)
        if self._watched:
            watched = self._op("Identity", value, out=f"{WATCHED}{name}")
            self._seen[watched] = ["tokens", len(columns)]
        added = self._const(f"{name}.b", bias)
        if self._inputs is None:
            return self._op("Add", self._op("MatMul", value, self._const(f"{name}.w", columns)), added)
        if activated:
            return self._op("Add", self._scaled_by_token(value, columns, name), added)
        step = _steps(self._inputs[name], columns)
        smoothed = self._op("Mul", value, self._const(f"{name}.steps", 1 / step))
        quantised = self._op("QuantizeLinear", smoothed, self._one(), self._middle())
        return self._product(quantised, columns * step[:, None], name, added)

    def _scaled_by_token(self, value: str, columns: Array, name: str) -> str:
        last = self._axis(-1)
        largest = self._op("ReduceMax", value, last, keepdims=0)
        least = self._const("least", np.array(_LEAST_ACTIVATION, np.float32))
        step = self._op("Mul", self._op("Max", largest, least), self._const("one_127th", np.array(1 / 127, np.float32)))
        product = self._product(self._op("QuantizeLinear", value, step, "middles", axis=0), columns, name)
        return self._op("Mul", product, self._op("Unsqueeze", step, last))

    def _product(self, quantised: str, columns: Array, name: str, added: str = "") -> str:
        """Multiply `(tokens, in) uint8`, 128 for zero, by `(in, out)` in int8, and add a bias."""
        scale = _scale(columns, axis=0)
        weights, scales = self._const(f"{name}.w", _to_int8(columns, scale)), self._const(f"{name}.s", scale[0])
        rest = ["", added] if added else []
        factors = (quantised, weights, self._one(), scales, self._middle(), *rest)
        return self._op("MatMulIntegerToFloat", *factors, domain="com.microsoft")

    def _one(self) -> str:
        return self._const("one", np.array(1, np.float32))

    def _middle(self) -> str:
        return self._const("middle", np.array(128, np.uint8))

    def _activate(self, value: str) -> str:
        kind = str(self._size("hidden_act"))
        if kind == "relu":
            return self._op("Relu", value)
        if kind not in _ACTIVATIONS:
            raise ConfigError(f"encoder: the activation {kind!r} is not supported")
        return self._op("Gelu", value, **_ACTIVATIONS[kind])

    def _norm(self, value: str, name: str, out: str = "") -> str:
        weight = self._const(f"{name}.w", self._weights[f"{name}.weight"])
        bias = self._const(f"{name}.b", self._weights[f"{name}.bias"])
        epsilon = float(self._config.get("layer_norm_eps", 1e-12))
        return self._op("LayerNormalization", value, weight, bias, out=out, axis=-1, epsilon=epsilon)

    def _mean(self, value: str) -> str:
        """Return the mean of each text's token vectors, `(1, texts, width)`."""
        return self._op("ReduceMean", self._op("Reshape", value, "given"), self._axis(0), keepdims=1)

    def _stack(self, means: Sequence[str], out: str) -> None:
        self._op("Transpose", self._op("Concat", *means, axis=0), perm=[1, 0, 2], out=out)

    def _axis(self, axis: int) -> str:
        return self._const(f"axis_{axis}", np.array([axis]))

    def _const(self, name: str, value: Array) -> str:
        if name not in self._constants:
            self._constants[name] = self._numpy.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
        return name

    def _op(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        out = out or f"v{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def _split(self, value: str, axis: int, count: int) -> list[str]:
        names = [f"v{len(self._nodes)}.{i}" for i in range(count)]
        self._nodes.append(self._helper.make_node("Split", [value], names, axis=axis, num_outputs=count))
        return names

    def _size(self, name: str) -> Any:
        name = self._layout.names.get(name, name)
        if name not in self._config:
            raise ConfigError(f"encoder: config.json does not say {name}")
        return self._config[name]


def _steps(inputs: Array, columns: Array) -> Array:
    """Return what one step of int8 stands for in each input channel of a matrix `(in, out)`, `(in,)`."""
    inputs = np.maximum(inputs, _LEAST * inputs.max())
    weights = np.maximum(np.abs(columns).max(axis=1), 1e-12)
    smooth = inputs**_SMOOTHED / weights ** (1 - _SMOOTHED)
    return np.asarray(smooth * (inputs / smooth).max() / 127, np.float32)


def _scale(values: Array, axis: int) -> Array:
    """Return what one step of int8 stands for along an axis that is summed up; never zero."""
    largest: Array = np.abs(values).max(axis=axis, keepdims=True)
    return np.maximum(largest / 127, 1e-12).astype(np.float32)


def _to_int8(values: Array, scale: Array) -> Array:
    return np.clip(np.round(values / scale), -127, 127).astype(np.int8)
