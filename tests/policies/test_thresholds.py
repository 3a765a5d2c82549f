"""The escalation policy's settings."""

from dataclasses import fields

import pytest
from ruamel.yaml import YAML

from bot.conversation.errors import ConfigError
from bot.conversation.events import Priority
from bot.conversation.triage import Severity, Urgency
from bot.policies.thresholds import Thresholds, thresholds_of
from tests.conftest import ROOT


def test_nothing_set_means_the_defaults():
    assert thresholds_of({}) == Thresholds()


def test_values_take_the_kind_of_their_setting():
    limits = thresholds_of({"urgent": {"press": "P3"}, "fallbacks": 3, "window_s": 60, "complaint": {"blame": 1}})
    assert limits.urgent == {Urgency.PRESS: Priority.P3}
    assert limits.complaint == {Severity.BLAME: 1.0}
    assert (limits.fallbacks, limits.window_s) == (3, 60.0)


def test_a_priority_that_is_not_set_keeps_its_default():
    limits = thresholds_of({"complaint_priority": {"blame": "P1"}})
    assert limits.complaint_priority[Severity.BLAME] is Priority.P1
    assert limits.complaint_priority[Severity.NONE] is Priority.P3


@pytest.mark.parametrize(
    "wrong",
    [
        {"urgent": {"nuisance": "P1"}},
        {"urgent": {"legal": "P9"}},
        {"complaint": 0.5},
        {"fallbacks": "two"},
        {"languages": "en"},
        {"told_in": [1]},
    ],
)
def test_a_wrong_value_is_told_with_its_setting(wrong):
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"config.yml, EscalationPolicy, {name}: "):
        thresholds_of(wrong)


def test_a_setting_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match=r"there is no setting fallback$"):
        thresholds_of({"priority": 10, "fallback": 2})


def test_the_shipped_configuration_sets_every_threshold():
    config = YAML(typ="safe").load((ROOT / "config.yml").read_text(encoding="utf-8"))
    settings = next(policy for policy in config["policies"] if policy["name"].endswith("EscalationPolicy"))
    assert set(settings) - {"name"} == {field.name for field in fields(Thresholds)}
    del settings["name"]
    assert thresholds_of(settings)
