"""What a customer told about a complaint, as the slots of its form hold it. Pure."""

import re
from collections.abc import Mapping
from typing import Any

ORDER_NUMBER = re.compile(r"^LF-\d+$")
NOT_GIVEN = "not given"
"""What a slot holds when the customer skipped the question; the same word is in domain.yml."""

NO_TEXT = "/nlu_fallback"
"""What stands for a message without text or attachment."""

CUT_SHORT = "complaint_cut_short"
"""The cause of a handoff in the middle of the questions."""


def facts(slots: Mapping[str, Any], cause: str | None = None, last_text: str | None = None) -> dict[str, str]:
    """Return what the customer told, by name; `order` is what they said in place of an order number.

    The words that cut the questions short are no answer.
    """
    no_answers = {NOT_GIVEN, NO_TEXT, *([last_text] if cause == CUT_SHORT else [])}
    given = {
        name: str(slots[name])
        for name in ("what_happened", "order_number", "remedy")
        if slots.get(name) and slots[name] not in no_answers
    }
    if "order_number" in given and not ORDER_NUMBER.match(given["order_number"]):
        given["order"] = given.pop("order_number")
    return given
