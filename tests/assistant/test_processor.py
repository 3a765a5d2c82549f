"""Our processor checks a message against the domain as Rasa's does, without an empty domain for each message."""

import warnings
from typing import Any

import pytest

from bot.rasa_processor import Processor

from rasa.core.processor import MessageProcessor  # isort: skip  (after Rasa was made importable)
from rasa.shared.core.domain import Domain  # isort: skip


def parsed(intent: str | None, *entities: str) -> dict[str, Any]:
    return {"intent": {"name": intent}, "entities": [{"entity": name} for name in entities]}


def warned(check: Any, *arguments: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        check(*arguments)
    return [str(each.message) for each in told]


@pytest.mark.parametrize(
    ("result", "count"),
    [
        (parsed("faq"), 0),
        (parsed("nlu_fallback", "order_number"), 0),
        (parsed(None), 0),
        (parsed("unheard_of"), 1),
        (parsed("faq", "order_number", "unheard_of"), 1),
        (parsed("unheard_of", "unheard_of"), 2),
        ({"intent": {"name": "faq"}, "entities": None}, 0),
    ],
)
def test_what_the_domain_does_not_know_is_told_as_by_rasa(
    processor: Processor, result: dict[str, Any], count: int
) -> None:
    ours = warned(processor._check_for_unseen_features, result)
    assert ours == warned(MessageProcessor._check_for_unseen_features, processor, result)
    assert len(ours) == count


def test_what_the_domain_knows_needs_no_other_domain(processor: Processor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Domain, "empty", None)
    processor._check_for_unseen_features(parsed("faq", "order_number"))
    with pytest.raises(TypeError):
        processor._check_for_unseen_features(parsed("unheard_of"))
