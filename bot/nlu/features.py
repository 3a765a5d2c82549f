"""What the heads see of an encoding."""

import numpy as np

from bot.nlu.encoder import Encoding, Floats
from bot.nlu.lexicon import mood_of_words


def tone(encoding: Encoding) -> Floats:
    """Return `(n, features)`: the upper half of the layers, each row of each layer made length 1.

    Complaint and mood live in the layers below the last, which keeps the topic. Source: measured with heads trained on
    our sentences; complaint tweets, AUC over all and over those addressed to a company: all seven layers 0.818 and
    0.812, the upper three 0.853 and 0.834, the last alone 0.842 and 0.794. TF-IDF of words or characters beside them
    made both worse.
    """
    layers = encoding.layers[:, -max(1, encoding.layers.shape[1] // 2) :]
    lengths = np.linalg.norm(layers, axis=2, keepdims=True)
    unit: Floats = layers / np.maximum(lengths, 1e-12)
    return unit.reshape(len(layers), -1)


def topic(encoding: Encoding) -> Floats:
    """Return `(n, width)`: the sentence vectors, which carry what a text is about.

    Source: measured on BANKING77 with ten examples an intent: sentence vectors 85.4 %, with more layers 85.0 % or less.
    """
    return encoding.sentence


def mood(encoding: Encoding) -> Floats:
    """Return `(n, features)`: `tone`, and behind it what a dictionary says of the mood of the words.

    Source: measured with heads trained on our sentences; airline tweets, macro-F1 70.6 without and 71.4 with the words,
    TweetEval, macro-recall 61.3 and 63.5. For complaints the words added nothing.
    """
    return np.concatenate([tone(encoding), mood_of_words(encoding.texts)], axis=1)
