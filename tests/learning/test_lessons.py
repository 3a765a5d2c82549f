import numpy as np

from bot.learning.finetune import batches
from bot.learning.finetune.lessons import intent_lesson, triage_lesson
from bot.nlu.triage_data import Example


def example(text: str, complaint: bool) -> Example:
    return Example(text=text, complaint=complaint, severity="none", sentiment="neutral")


def test_each_head_has_a_task_if_there_is_something_to_tell_apart() -> None:
    examples = [example(f"{name} {number}", name == "bad") for number in range(6) for name in ("bad", "fine")]
    lesson = triage_lesson(examples)
    assert lesson.texts == tuple(one.text for one in examples)
    assert lesson.tasks["complaint"].targets[:, 0].tolist() == [1.0, 0.0] * 6
    assert "sentiment" not in lesson.tasks  # all are neutral
    intents = intent_lesson([("hello", "greet"), ("opening hours", "faq/hours")])
    assert intents.tasks["intent"].labels == ("faq/hours", "greet")
    assert intents.tasks["intent"].targets.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert not intent_lesson([("hello", "greet")]).tasks


def test_of_many_sentences_a_tenth_is_held_back_and_always_the_same() -> None:
    examples = [example(f"sentence {number}", number % 2 == 0) for number in range(2000)]
    kept = triage_lesson(examples)
    assert 1700 < len(kept.texts) < 1900
    assert set(triage_lesson(examples[:1500]).texts) <= set(kept.texts)
    assert len(kept.tasks["complaint"].targets) == len(kept.texts)
    assert len(triage_lesson(examples[:500]).texts) == 500


def test_texts_are_learnt_as_the_encoder_is_given_them() -> None:
    assert intent_lesson([("@acme   hi", "greet"), ("https://a.b/c", "link")]).texts == ("@user hi", "link")


def test_an_epoch_has_every_text_once_in_batches_of_few_shapes() -> None:
    random = np.random.default_rng(1)
    tokens = [np.arange(1, 1 + length) for length in random.integers(1, 300, 100)]
    seen: list[int] = []
    for batch in batches.epoch(tokens, 16, random):
        assert batch.tokens.shape == batch.mask.shape
        assert batch.tokens.shape[0] == 16
        assert batch.tokens.shape[1] in batches.LENGTHS or batch.tokens.shape[1] > batches.LENGTHS[-1]
        for place, row in enumerate(batch.rows):
            length = len(tokens[row])
            assert batch.tokens[place, :length].tolist() == tokens[row].tolist()
            assert batch.mask[place].tolist() == [1.0] * length + [0.0] * (batch.mask.shape[1] - length)
        seen += batch.rows[batch.real > 0].tolist()
    assert sorted(seen) == list(range(100))
    assert batches.count(100, 16) == 7


def test_two_epochs_have_the_texts_in_another_order() -> None:
    random = np.random.default_rng(1)
    tokens = [np.arange(5)] * 64
    first, second = ([batch.rows.tolist() for batch in batches.epoch(tokens, 16, random)] for _ in range(2))
    assert first != second
