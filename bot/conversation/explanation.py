"""Which words carried the scores of a message, as values that cross the borders between processes."""

from collections.abc import Awaitable, Callable

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """Some words of a text: `start` and `end` are character offsets."""

    model_config = ConfigDict(frozen=True)

    start: int
    end: int
    complaint: float = Field(description="how much they speak for a complaint, in log-odds; below 0 against it")
    sentiment: float = Field(description="how much better they make the mood, in log-odds; below 0 worse")


class Explanation(BaseModel):
    """The parts of a text from left to right; together they hold all of its words."""

    model_config = ConfigDict(frozen=True)

    parts: tuple[Part, ...] = ()


Explain = Callable[[str], Awaitable[Explanation]]
"""Explains a text. Raises Unavailable where nothing can explain it now."""
