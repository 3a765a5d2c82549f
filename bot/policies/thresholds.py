"""Where the lines of the escalation policy are; every value can be set in config.yml."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from bot.conversation.errors import ConfigError
from bot.conversation.events import Priority
from bot.conversation.triage import Category, Severity, Urgency

POLICY = "EscalationPolicy"
"""The class of `bot.policies.components` whose settings hold the thresholds, as a model and config.yml name it."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the lines are; set in config.yml. Probabilities run from 0 to 1, sentiment from -1 to 1."""

    complaint: Mapping[Severity, float] = field(
        default_factory=lambda: {
            Severity.DISAPPROVAL: 0.7,
            Severity.ACCUSATION: 0.5,
            Severity.BLAME: 0.5,
        }
    )
    """The complaint probability from which a message is one, by its severity; without one it is a question first."""
    unanswered_complaint: float = 0.5
    """The same for any severity where the bot has no answer: all that it could do is ask for other words."""
    complaint_priority: Mapping[Severity, Priority] = field(
        default_factory=lambda: {
            Severity.NONE: Priority.P3,
            Severity.DISAPPROVAL: Priority.P3,
            Severity.ACCUSATION: Priority.P3,
            Severity.BLAME: Priority.P2,
        }
    )
    urgent: Mapping[Urgency, Priority] = field(
        default_factory=lambda: {
            Urgency.SAFETY: Priority.P1,
            Urgency.FRAUD: Priority.P1,
            Urgency.VULNERABLE: Priority.P1,
            Urgency.LEGAL: Priority.P2,
        }
    )
    """The signals that bring a person at once; any other signal only raises the priority by one."""
    sensitive: Mapping[str, Priority] = field(default_factory=dict)
    """Intents that a person should see to, however well the bot knows the answer."""
    sensitive_confidence: float = 0.6
    skills: Mapping[Category, str] = field(default_factory=dict)
    """The skill that the agent needs, by what a complaint is about."""
    languages: tuple[str, ...] = ("en",)
    """What the assistant speaks; whoever writes in another language gets a person."""
    told_in: tuple[str, ...] = ()
    """The other languages in which it can say so: for each, utter_hand_over has a response for `language_CODE`."""
    negative_turns: int = 3
    negative_mean: float = -0.45
    negative_last: float = -0.5
    """Mood: that many messages in a row with that mean, none of them positive, the last as bad as that and not
    better than the first."""
    fallbacks: int = 2
    """That many messages in a row that were not understood."""
    leaving_confidence: float = 0.8
    """How sure it must be that a customer wants no more questions about a complaint: answers are short, and a wish for
    "a replacement" is easily taken for one for a person."""
    window_s: float = 3600.0
    """Messages longer ago than this don't count."""

    def speaks(self, code: str | None) -> bool:
        """Return whether the assistant speaks a language; one that can't be told is taken for its own."""
        return code is None or code in self.languages


_LISTS = ("languages", "told_in")
_TABLES: dict[str, tuple[type[StrEnum] | type[str], type[Priority] | type[float] | type[str]]] = {
    "complaint": (Severity, float),
    "complaint_priority": (Severity, Priority),
    "urgent": (Urgency, Priority),
    "sensitive": (str, Priority),
    "skills": (Category, str),
}


def thresholds_of(config: Mapping[str, Any]) -> Thresholds:
    """Return the thresholds that a policy's configuration sets; a table replaces the default one as a whole.

    Raises:
        ConfigError: a value is not of its kind, or there is no such setting.
    """
    unknown = set(config) - {"priority", *(each.name for each in fields(Thresholds))}
    if unknown:
        raise ConfigError(f"config.yml, {POLICY}: there is no setting {', '.join(sorted(unknown))}")
    given = {each.name: config.get(each.name) for each in fields(Thresholds)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            if name in _TABLES:
                key_of, value_of = _TABLES[name]
                values[name] = {key_of(key): value_of(item) for key, item in value.items()}
            elif name in _LISTS:
                values[name] = _codes(value)
            else:
                values[name] = type(getattr(Thresholds(), name))(value)
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigError(f"config.yml, {POLICY}, {name}: {error}") from error
    if "complaint_priority" in values:
        values["complaint_priority"] = {**Thresholds().complaint_priority, **values["complaint_priority"]}
    return Thresholds(**values)


def _codes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(code, str) and code.isalpha() for code in value):
        raise ValueError(f"a list of language codes such as [en, de] is wanted, not {value!r}")
    return tuple(code.lower() for code in value)
