"""Which words carried the scores: with the shipped heads' kind, trained on the shipped sentences."""

import math

import pytest

from bot.conversation.explanation import Part
from bot.nlu.encoder import Encoder
from bot.nlu.explanation import MOST_PARTS, explain, parts_of
from bot.nlu.heads import TriageHeads, train_heads
from bot.nlu.text import prepare
from bot.nlu.triage_data import Example, read_examples
from tests.running import ROOT

BROKEN = "the kettle arrived broken and nobody answers"


@pytest.fixture(scope="module")
def heads(encoder: Encoder) -> TriageHeads:
    """Complaint and mood only, from a part of the shipped sentences."""
    examples: list[Example] = read_examples(ROOT / "nlu_data" / "triage")[::2]
    return train_heads(encoder.encode([prepare(one.text) for one in examples]), examples)


def ranked(text: str, parts: tuple[Part, ...], weight: str) -> list[str]:
    return [text[one.start : one.end] for one in sorted(parts, key=lambda one: getattr(one, weight))]


@pytest.mark.parametrize(
    ("text", "carries"),
    [
        (BROKEN, "broken"),
        (BROKEN, "nobody"),
        ("my order never came at all", "never"),
        ("good shop but the driver swore", "swore"),
    ],
)
def test_the_words_that_carry_a_complaint_are_named(encoder, heads, text, carries):
    assert carries in ranked(text, explain(text, encoder, heads).parts, "complaint")[-3:]


@pytest.mark.parametrize(
    ("text", "worst", "best"),
    [(BROKEN, "nobody", "answers"), ("lovely service but rude staff", "rude", "lovely")],
)
def test_the_words_that_carry_the_mood_are_named(encoder, heads, text, worst, best):
    words = ranked(text, explain(text, encoder, heads).parts, "sentiment")
    assert worst in words[:2]
    assert best in words[-2:]


def test_the_parts_add_up_to_what_the_whole_says(encoder, heads):
    def odds(text: str) -> float:
        (judged,) = heads.judge(encoder.encode([text]))
        return math.log(judged.complaint / (1 - judged.complaint))

    parts = explain(BROKEN, encoder, heads).parts
    assert [BROKEN[one.start : one.end] for one in parts] == BROKEN.split()
    assert sum(one.complaint for one in parts) == pytest.approx(odds(BROKEN) - odds(""), abs=0.01)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_text_without_words_has_no_parts(encoder, heads, text):
    assert explain(text, encoder, heads).parts == ()


def test_all_words_are_in_a_part_and_none_in_two():
    text = "  " + " ".join(f"word{number}" for number in range(21)) + "  "
    spans = parts_of(text)
    assert len(spans) == MOST_PARTS
    assert " ".join(text[start:end] for start, end in spans) == text.strip()
