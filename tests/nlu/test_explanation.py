"""Which words carried the scores, with the shipped heads."""

import math
from datetime import date
from pathlib import Path

import pytest

from bot.conversation.explanation import Part
from bot.nlu.explanation import MOST_PARTS, parts_of
from bot.nlu.skill import Skill, load_skill

BROKEN = "the kettle arrived broken and nobody answers"


@pytest.fixture(scope="module")
def skill(trained_model: Path) -> Skill:
    return load_skill(trained_model)


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
def test_the_words_that_carry_a_complaint_are_named(skill, text, carries):
    assert carries in ranked(text, skill.explain(text).parts, "complaint")[-3:]


@pytest.mark.parametrize(
    ("text", "worst", "best"),
    [(BROKEN, "nobody", "arrived"), ("lovely service but rude staff", "rude", "lovely")],
)
def test_the_words_that_carry_the_mood_are_named(skill, text, worst, best):
    words = ranked(text, skill.explain(text).parts, "sentiment")
    assert worst in words[:2]
    assert best in words[-2:]


def test_the_parts_add_up_to_what_the_whole_says(skill):
    def odds(text: str) -> float:
        (triage,) = skill.triage([text], date(2026, 11, 27))
        return math.log(triage.complaint / (1 - triage.complaint))

    parts = skill.explain(BROKEN).parts
    assert [BROKEN[one.start : one.end] for one in parts] == BROKEN.split()
    assert sum(one.complaint for one in parts) == pytest.approx(odds(BROKEN) - odds(""), abs=0.01)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_text_without_words_has_no_parts(skill, text):
    assert skill.explain(text).parts == ()


def test_all_words_are_in_a_part_and_none_in_two():
    text = "  " + " ".join(f"word{number}" for number in range(21)) + "  "
    spans = parts_of(text)
    assert len(spans) == MOST_PARTS
    assert " ".join(text[start:end] for start, end in spans) == text.strip()
