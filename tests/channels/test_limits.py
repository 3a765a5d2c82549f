"""So many calls in a minute, for each caller."""

import pytest

from bot.channels import limits
from bot.channels.limits import Rate
from bot.conversation.errors import RateLimited


def test_a_caller_has_so_many_calls_in_any_minute() -> None:
    now = 100.0
    rate = Rate(2, clock=lambda: now)
    rate.take("ann")
    now += 10
    rate.take("ann")
    rate.take("ben")
    now += 10
    with pytest.raises(RateLimited, match="at most 2 a minute") as refused:
        rate.take("ann")
    assert refused.value.after_s == 40
    now += 40
    rate.take("ann")
    with pytest.raises(RateLimited):
        rate.take("ann")


def test_a_limit_of_nothing_refuses_everything() -> None:
    with pytest.raises(RateLimited):
        Rate(0).take("ann")


def test_callers_of_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SWEEP_AT", 10)
    now = 0.0
    rate = Rate(5, clock=lambda: now)
    for number in range(10):
        rate.take(str(number))
    now = 61
    rate.take("ann")
    assert list(rate._calls) == ["ann"]
