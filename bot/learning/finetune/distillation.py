"""Teach the upper layers of an encoder to know what a larger one knows: its vectors, found by a linear map.

Source: Hinton et al. (2015), "Distilling the knowledge in a neural network"; of vectors instead of labels as in Romero
et al. (2015), "FitNets".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from bot.learning.finetune import batches
from bot.learning.finetune.bert import Bert
from bot.learning.finetune.training import Progress
from bot.nlu.linear import Floats

Array = Any

_MAPPED_FROM = 8_000
"""So many texts tell the map to begin with, and how far each feature spreads."""


@dataclass(frozen=True)
class Distillation:
    """How it is done."""

    first: int = 2
    """The first layer that learns; those below stay the encoder's own, so that a message goes through them once."""
    rank: int = 128
    """Of the differences that are kept."""
    epochs: int = 3
    batch: int = 32
    rate: float = 2e-4
    map_rate: float = 6e-5
    warm_up: int = 60
    """Steps in which the rates rise; after that they fall to zero."""
    longest_step: float = 1.0
    seed: int = 20240229


def distil(
    bert: Bert,
    weights: Mapping[str, NDArray[Any]],
    tokens: Sequence[NDArray[np.int64]],
    wanted: Floats,
    recipe: Distillation,
    progress: Progress = lambda *_: None,
) -> dict[str, NDArray[Any]]:
    """Return the weights with the layers from `first` on such that the upper half gives what is wanted.

    Args:
        bert: the architecture.
        weights: the encoder's own.
        tokens: those of n texts.
        wanted: what the teacher says of each, `(n, k)`.
        recipe: how.
        progress: told after each step; the loss is the share of what is wanted that is missed.
    """
    upper = max(1, (bert.depth + 1) // 2)
    layers = {name: jnp.asarray(value) for name, value in bert.only_layers(weights, recipe.first).items()}
    fixed = {name: jnp.asarray(value) for name, value in weights.items() if name not in layers}

    def features(layers: Mapping[str, Array], tokens: Array, mask: Array) -> Array:
        found = bert({**fixed, **layers}, tokens, mask)[0][:, -upper:]
        found /= jnp.maximum(jnp.linalg.norm(found, axis=-1, keepdims=True), 1e-9)
        return found.reshape(len(tokens), -1)

    random = np.random.default_rng(recipe.seed)
    read = jax.jit(features)
    some = list(batches.epoch(tokens[:_MAPPED_FROM], recipe.batch, random))
    before = np.concatenate([np.asarray(read(layers, one.tokens, one.mask))[one.real > 0] for one in some])
    rows = np.concatenate([one.rows[one.real > 0] for one in some])
    mean, spread, middle = before.mean(axis=0), before.std(axis=0) + 1e-6, wanted.mean(axis=0)
    params = {"layers": layers, "map": _linear_map((before - mean) / spread, wanted[rows] - middle), "bias": middle}
    variance = float(np.square(wanted - middle).sum(axis=1).mean())

    def loss(params: Any, wanted: Array, tokens: Array, mask: Array, real: Array) -> Array:
        found = (features(params["layers"], tokens, mask) - mean) / spread @ params["map"] + params["bias"]
        missed = jnp.square(found - wanted).sum(axis=1) / variance
        return (missed * real).sum() / jnp.maximum(real.sum(), 1)

    steps = recipe.epochs * batches.count(len(tokens), recipe.batch)
    optimiser = _optimiser(recipe, steps)
    state, done = optimiser.init(params), 0

    def step(params: Any, state: Any, *given: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(params, *given)
        updates, state = optimiser.update(slope, state, params)
        return optax.apply_updates(params, updates), state, value

    run = jax.jit(step)
    for _ in range(recipe.epochs):
        for each in batches.epoch(tokens, recipe.batch, random):
            params, state, value = run(params, state, wanted[each.rows], each.tokens, each.mask, each.real)
            done += 1
            progress(done, steps, float(value))
    return {**weights, **{name: np.asarray(value) for name, value in params["layers"].items()}}


def _linear_map(features: Floats, wanted: Floats) -> Floats:
    """Return the map `(features, k)` that comes nearest to what is wanted, with a small penalty."""
    products = features.T @ features + 0.1 * len(features) * np.eye(features.shape[1])
    return np.asarray(np.linalg.solve(products, features.T @ wanted), np.float32)


def _optimiser(recipe: Distillation, steps: int) -> Any:
    rising = min(recipe.warm_up, max(1, steps // 2))
    rates = {"layers": recipe.rate, "map": recipe.map_rate, "bias": recipe.map_rate}

    def schedule(highest: float) -> Any:
        return optax.warmup_cosine_decay_schedule(0.0, highest, rising, steps)

    learning = {part: optax.adam(schedule(rate)) for part, rate in rates.items()}
    return optax.chain(
        optax.clip_by_global_norm(recipe.longest_step),
        optax.partition(learning, {part: part for part in rates}),
    )
