"""The families of models whose weights can be exported: where each keeps them, and how to read them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError
from bot.nlu.checkpoint import Checkpoint

Array = NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """Where a family of models keeps its weights; `{}` stands for the number of the layer."""

    prefixes: tuple[str, ...]
    embeddings_norm: str
    query: str
    key: str
    value: str
    attention_out: str
    attention_norm: str
    feed_in: str
    feed_out: str
    norm: str
    first_position: int = 0
    names: dict[str, str] = field(default_factory=dict)
    """How `config.json` calls the sizes where it differs from BERT."""
    distances: str = ""
    """The weights that say what a token's distance adds to the attention to it, `(kinds of distance, heads)`."""

    def layer_of(self, name: str) -> int | None:
        """Return the number of the layer that a weight belongs to, from 0; None for embeddings and what is unused."""
        start = self.query.partition("{}")[0]
        number = name.removeprefix(start).partition(".")[0]
        return int(number) if name.startswith(start) and number.isdigit() else None


_BERT = Layout(
    prefixes=("", "bert.", "model.", "electra."),
    embeddings_norm="embeddings.LayerNorm",
    query="encoder.layer.{}.attention.self.query",
    key="encoder.layer.{}.attention.self.key",
    value="encoder.layer.{}.attention.self.value",
    attention_out="encoder.layer.{}.attention.output.dense",
    attention_norm="encoder.layer.{}.attention.output.LayerNorm",
    feed_in="encoder.layer.{}.intermediate.dense",
    feed_out="encoder.layer.{}.output.dense",
    norm="encoder.layer.{}.output.LayerNorm",
)
_ROBERTA = Layout(
    **{**vars(_BERT), "prefixes": ("", "roberta.", "model."), "first_position": 2},
)
_DISTILBERT = Layout(
    prefixes=("", "distilbert."),
    embeddings_norm="embeddings.LayerNorm",
    query="transformer.layer.{}.attention.q_lin",
    key="transformer.layer.{}.attention.k_lin",
    value="transformer.layer.{}.attention.v_lin",
    attention_out="transformer.layer.{}.attention.out_lin",
    attention_norm="transformer.layer.{}.sa_layer_norm",
    feed_in="transformer.layer.{}.ffn.lin1",
    feed_out="transformer.layer.{}.ffn.lin2",
    norm="transformer.layer.{}.output_layer_norm",
    names={
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "hidden_size": "dim",
        "hidden_act": "activation",
    },
)
_MPNET = Layout(
    **{
        **vars(_ROBERTA),
        "prefixes": ("", "mpnet."),
        "query": "encoder.layer.{}.attention.attn.q",
        "key": "encoder.layer.{}.attention.attn.k",
        "value": "encoder.layer.{}.attention.attn.v",
        "attention_out": "encoder.layer.{}.attention.attn.o",
        "attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "distances": "encoder.relative_attention_bias.weight",
    }
)
LAYOUTS = {
    "bert": _BERT,
    "electra": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": _DISTILBERT,
    "mpnet": _MPNET,
}
_FARTHEST = 128
"""Tokens; those that are farther away count as one kind of distance."""


def can_export(checkpoint: Checkpoint) -> bool:
    """Say whether the checkpoint's weights can be exported."""
    return bool(checkpoint.weights) and checkpoint.config.get("model_type") in LAYOUTS


def refusal(checkpoint: Checkpoint) -> ConfigError:
    """Return the error that says why a checkpoint can be neither exported nor run."""
    kind = checkpoint.config.get("model_type")
    return ConfigError(
        f"encoder: a model of the type {kind!r} can't be exported ({', '.join(sorted(LAYOUTS))} can);"
        f" put its own ONNX file into {checkpoint.folder} as model.onnx"
    )


def read_weights(checkpoint: Checkpoint, layout: Layout) -> dict[str, Array]:
    """Return the checkpoint's weights in fp32, by their names within the family's layout.

    Raises:
        ConfigError: the positions are of a kind that can't be exported.
    """
    from safetensors.numpy import load_file

    if checkpoint.config.get("position_embedding_type", "absolute") != "absolute":
        raise ConfigError("encoder: only absolute position embeddings are supported")
    found: dict[str, Array] = {}
    for file in checkpoint.weights:
        found.update(load_file(file))
    prefix = next((p for p in layout.prefixes if f"{p}embeddings.word_embeddings.weight" in found), "")
    return {
        name.removeprefix(prefix): value.astype(np.float32)
        for name, value in found.items()
        if name.startswith(prefix) and value.dtype.kind not in "iu"
    }


def distances(tokens: int, kinds: int) -> NDArray[np.int64]:
    """Return the kind of distance from each of n tokens to each other, `(tokens, tokens)`; `0 <= kind < kinds`.

    The first half of the kinds is for what comes before. Near tokens have kinds of their own, far ones share them.
    Source: Raffel et al. (2020), "Exploring the limits of transfer learning", for MPNet: Song et al. (2020).
    """
    places = np.arange(tokens)
    ahead = places - places[:, None]
    far, half = np.abs(ahead), kinds // 2
    near = half // 2
    shared = near + np.log(np.maximum(far, 1) / near) / np.log(_FARTHEST / near) * (half - near)
    found = np.where(far < near, far, np.minimum(shared.astype(np.int64), half - 1))
    return np.asarray(np.where(ahead > 0, found + half, found))
