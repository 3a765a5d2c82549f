import numpy as np

from bot.learning.finetune import batches
from bot.learning.finetune.lessons import lesson_of
from bot.nlu.triage_data import Example


def example(text: str, complaint: bool) -> Example:
    return Example(text=text, complaint=complaint, severity="none", sentiment="neutral")


def test_a_task_counts_only_the_texts_whose_labels_are_known() -> None:
    examples = [example(f"{name} {number}", name == "bad") for number in range(6) for name in ("bad", "fine")]
    lesson = lesson_of(examples, [("hello", "greet"), ("opening hours", "faq/hours")])
    assert lesson.texts[-2:] == ("hello", "opening hours")
    complaint, intent = lesson.tasks["complaint"], lesson.tasks["intent"]
    assert complaint.known is not None
    assert complaint.known[:, 0].tolist() == [1.0] * 12 + [0.0] * 2
    assert complaint.targets[:, 0].tolist() == [1.0, 0.0] * 6 + [0.0] * 2
    assert intent.labels == ("faq/hours", "greet")
    assert intent.known is not None
    assert intent.known[:, 0].tolist() == [0.0] * 12 + [1.0] * 2
    assert intent.targets[12:].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert "sentiment" not in lesson.tasks  # all are neutral


def test_texts_are_learnt_as_the_encoder_is_given_them() -> None:
    assert lesson_of([], [("@acme   hi", "greet"), ("https://a.b/c", "link")]).texts == ("@user hi", "link")


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
