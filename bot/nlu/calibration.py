"""How large the values are that an encoder's matrices are multiplied with: measured in fp32, before it goes to int8.

Measured on words of chance from its own vocabulary, which any language has, and on a few sentences. Source: 300 tweets,
mean cosine of the last layer to fp32: 64 texts of chance 0.9983, with eight sentences 0.9986, eight sentences alone
0.9974, 300 of our own sentences 0.9987.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from bot.nlu.checkpoint import Checkpoint
from bot.nlu.export import TRUNK, WATCHED, Array, graphs
from bot.nlu.families import LAYOUTS, read_weights
from bot.nlu.passes import Tokens
from bot.nlu.sessions import open_session

TEXTS, LONGEST = 64, 16
"""Texts of chance, and tokens in each."""
_SEED = 20240229


def largest_inputs(checkpoint: Checkpoint, texts: Sequence[Tokens]) -> dict[str, dict[str, Array]]:
    """Return the largest inputs of the matrices of each graph, `(in,)`, over texts and words of chance.

    `texts` holds the tokens of each, `(n,)`.

    Raises:
        ConfigError: the checkpoint can't be exported.
    """
    watched = {name: open_session(content, 1) for name, content in graphs(checkpoint, watched=True).items()}
    found: dict[str, dict[str, Array]] = {name: {} for name in watched}

    def look(graph: str, names: Iterable[str], values: Iterable[Array]) -> None:
        for name, value in zip(names, values, strict=True):
            matrix = name.removeprefix(WATCHED)
            if matrix != name:
                seen = np.abs(value).max(axis=0)
                found[graph][matrix] = np.maximum(found[graph].get(matrix, seen), seen)

    outputs = {name: [each.name for each in session.get_outputs()] for name, session in watched.items()}
    for tokens in [*texts, *_of_chance(checkpoint, texts[0])]:
        values = watched[TRUNK].run(outputs[TRUNK], {"input_ids": tokens[:, None]})
        look(TRUNK, outputs[TRUNK], values)
        hidden = values[outputs[TRUNK].index("hidden")]
        for name in watched.keys() - {TRUNK}:
            look(name, outputs[name], watched[name].run(outputs[name], {"hidden": hidden}))
    return found


def _of_chance(checkpoint: Checkpoint, like: Tokens) -> list[Tokens]:
    """Return texts of chance, which begin and end as one does; a vocabulary's first tokens are no words."""
    layout = LAYOUTS[str(checkpoint.config["model_type"])]
    vocabulary = len(read_weights(checkpoint, layout)["embeddings.word_embeddings.weight"])
    length = max(1, min(LONGEST, checkpoint.max_tokens - 2))
    words = np.random.default_rng(_SEED).integers(vocabulary // 10, vocabulary, (TEXTS, length))
    return [np.concatenate([like[:1], each, like[-1:]]) for each in words]
