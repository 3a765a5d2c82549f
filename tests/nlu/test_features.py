"""What the heads see."""

import numpy as np

from bot.nlu.encoder import shared_encoder
from bot.nlu.features import mood, tone
from bot.nlu.lexicon import WIDTH, mood_of_words

GOOD, BAD, DENIED, PLAIN = "great, thank you!", "this is awful", "this is not awful", "order 4411"


def test_words_have_a_mood_and_negation_turns_it() -> None:
    good, bad, denied, plain = mood_of_words([GOOD, BAD, DENIED, PLAIN])[:, 2]
    assert good > denied > 0 > bad
    assert plain == 0


def test_a_text_without_words_has_no_mood() -> None:
    assert not mood_of_words(["", "…"]).any()
    assert mood_of_words([]).shape == (0, WIDTH)


def test_the_mood_of_words_comes_behind_the_tone() -> None:
    encoding = shared_encoder().encode([GOOD, BAD])
    assert np.array_equal(mood(encoding)[:, :-WIDTH], tone(encoding))
    assert np.array_equal(mood(encoding)[:, -WIDTH:], mood_of_words(encoding.texts))
