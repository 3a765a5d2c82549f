"""The forward pass of a BERT-family encoder in JAX, to be differentiated.

The same arithmetic as the graph of `bot.nlu.export` in fp32, but for a batch of padded texts, and with dropout.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from bot.conversation.errors import ConfigError
from bot.nlu.checkpoint import Checkpoint
from bot.nlu.families import LAYOUTS, Layout, can_export, distances, refusal

Array = Any
Weights = Mapping[str, Array]
"""By their names within the layout of the family, as `bot.nlu.families.read_weights` gives them."""

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "gelu": lambda value: jax.nn.gelu(value, approximate=False),
    "gelu_new": jax.nn.gelu,
    "gelu_pytorch_tanh": jax.nn.gelu,
}
_UNSEEN = -1e9
"""Added to the attention to a token that pads."""


@dataclass(frozen=True)
class Dropout:
    """Which share of values is left out at random, and the randomness."""

    key: Array
    rate: float

    def at(self, place: int, value: Array) -> Array:
        """Leave out some of a value; each `place` of the network has its own randomness."""
        kept = jax.random.bernoulli(jax.random.fold_in(self.key, place), 1 - self.rate, value.shape)
        return jnp.where(kept, value / (1 - self.rate), 0.0)


class Bert:
    """The architecture of a checkpoint; weights are given to each call."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Read the sizes.

        Raises:
            ConfigError: the checkpoint is of a kind that can't be exported, and so not tuned.
        """
        if not can_export(checkpoint):
            raise refusal(checkpoint)
        config = checkpoint.config
        self.layout: Layout = LAYOUTS[str(config["model_type"])]

        def size(name: str) -> Any:
            return config[self.layout.names.get(name, name)]

        self.depth, self.width = int(size("num_hidden_layers")), int(size("hidden_size"))
        self._heads = int(size("num_attention_heads"))
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self._first_token = checkpoint.pools_first_token
        if size("hidden_act") not in _ACTIVATIONS:
            raise ConfigError(f"encoder: the activation {size('hidden_act')!r} is not supported")
        self._activate = _ACTIVATIONS[size("hidden_act")]

    def only_layers(self, weights: Weights, first: int = 0) -> dict[str, Array]:
        """Return those of the weights that belong to a layer, from the `first` on."""
        numbers = {name: self.layout.layer_of(name) for name in weights}
        return {name: weights[name] for name, number in numbers.items() if number is not None and number >= first}

    def layers_above(self, name: str) -> int:
        """Return how many layers come after the one that a weight belongs to."""
        layer = self.layout.layer_of(name)
        return self.depth if layer is None else self.depth - 1 - layer

    def __call__(
        self, weights: Weights, tokens: Array, mask: Array, dropout: Dropout | None = None
    ) -> tuple[Array, Array]:
        """Return the mean of the token vectors of each layer and the sentence vectors, not normalised.

        They are `(n, 1 + layers, width)`, the embeddings first, and `(n, width)`. `tokens` is `(n, length) int`, `mask`
        of the same shape is 1 where there is a token and 0 where it pads.
        """
        hidden = self._embed(weights, tokens)
        if dropout:
            hidden = dropout.at(0, hidden)
        share = (mask / jnp.maximum(mask.sum(axis=1, keepdims=True), 1))[:, None, :]
        to_scores = (1 - mask)[:, None, None, :] * _UNSEEN
        if self.layout.distances:
            by_kind = weights[self.layout.distances]
            to_scores = to_scores + by_kind[distances(tokens.shape[1], len(by_kind))].transpose(2, 0, 1)
        pooled = [share @ hidden]
        for number in range(self.depth):
            hidden = self._block(weights, hidden, to_scores, number, dropout)
            pooled.append(share @ hidden)
        layers = jnp.concatenate(pooled, axis=1)
        return layers, hidden[:, 0] if self._first_token else layers[:, -1]

    def _embed(self, weights: Weights, tokens: Array) -> Array:
        first = self.layout.first_position
        places = weights["embeddings.position_embeddings.weight"][first : first + tokens.shape[1]]
        kinds = weights.get("embeddings.token_type_embeddings.weight")
        if kinds is not None:
            places = places + kinds[0]
        words = weights["embeddings.word_embeddings.weight"][tokens]
        return self._norm(weights, self.layout.embeddings_norm, words + places)

    def _block(self, weights: Weights, hidden: Array, to_scores: Array, number: int, dropout: Dropout | None) -> Array:
        layout = self.layout
        n, length, _ = hidden.shape

        def dense(name: str, value: Array) -> Array:
            name = name.format(number)
            return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

        def drop(place: int, value: Array) -> Array:
            return dropout.at(1 + number * 3 + place, value) if dropout else value

        def heads(name: str) -> Array:
            return dense(name, hidden).reshape(n, length, self._heads, -1)

        query, key, value = heads(layout.query), heads(layout.key), heads(layout.value)
        scores = jnp.einsum("nqhw,nkhw->nhqk", query, key) / jnp.sqrt(query.shape[-1])
        attention = drop(0, jax.nn.softmax(scores + to_scores, axis=-1))
        seen = jnp.einsum("nhqk,nkhw->nqhw", attention, value).reshape(n, length, -1)
        added = hidden + drop(1, dense(layout.attention_out, seen))
        hidden = self._norm(weights, layout.attention_norm.format(number), added)
        inner = self._activate(dense(layout.feed_in, hidden))
        added = hidden + drop(2, dense(layout.feed_out, inner))
        return self._norm(weights, layout.norm.format(number), added)

    def _norm(self, weights: Weights, name: str, value: Array) -> Array:
        mean = value.mean(axis=-1, keepdims=True)
        variance = jnp.square(value - mean).mean(axis=-1, keepdims=True)
        scaled = (value - mean) * jax.lax.rsqrt(variance + self._epsilon)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]
