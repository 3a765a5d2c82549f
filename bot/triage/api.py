"""Triage over HTTP: `POST /api/v1/triage`, and why it is what it is."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from bot.channels.text import MAX_CHARS
from bot.conversation.explanation import Explanation
from bot.policies.priority import PrioritisedTriage
from bot.triage.service import TriageService

MAX_TEXTS = 256

_ASKED = "I was charged twice for LF-123456 and nobody answers. I will see you in court!"
_ANSWERED: dict[str, Any] = {
    "intent": "faq/payment_charged_twice",
    "confidence": 0.84,
    "ranking": [{"name": "faq/payment_charged_twice", "confidence": 0.84}],
    "out_of_scope": 0.0,
    "complaint": 0.95,
    "severity": "blame",
    "severity_scores": {"none": 0.04, "disapproval": 0.01, "accusation": 0.24, "blame": 0.71},
    "categories": ["billing", "service"],
    "remedies": [],
    "sentiment": "negative",
    "sentiment_value": -0.95,
    "urgency": ["legal"],
    "entities": [{"kind": "order_number", "value": "LF-123456", "start": 24, "end": 33}],
    "personal_data": [],
    "language": "en",
    "model": "d13c85285d0d9ff9",
    "priority": "P2",
    "reasons": [
        {"code": "urgent", "cause": "legal", "details": ["Urgent: legal"]},
        {
            "code": "complaint",
            "cause": "blame",
            "details": ["Complaint 0.95 (from 0.50), severity blame", "About billing, service"],
        },
    ],
}


class Texts(BaseModel):
    """What is to be triaged."""

    model_config = ConfigDict(extra="forbid", strict=True)

    texts: list[Annotated[str, Field(max_length=MAX_CHARS)]] = Field(
        min_length=1,
        max_length=MAX_TEXTS,
        description=f"1 to {MAX_TEXTS} texts, each of one message; the first 2,000 characters of each are read",
        examples=[[_ASKED]],
    )


class Text(BaseModel):
    """What is to be explained."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(max_length=MAX_CHARS, examples=["the kettle arrived broken and nobody answers"])


class TriageAnswer(BaseModel):
    """The triage of each text, in the order of the texts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ANSWERED]}]})

    items: list[PrioritisedTriage]


def create_router(service: TriageService, authorise: Callable[..., Awaitable[Any]]) -> APIRouter:
    """Return the routes; `authorise` is a dependency that refuses whoever may not, or asks too often."""
    router = APIRouter(prefix="/api/v1/triage", tags=["triage"], dependencies=[Depends(authorise)])

    @router.post("", summary="Triage texts", response_model=TriageAnswer)
    async def post_texts(body: Texts) -> Response:
        """Return complaint, mood, urgency, intent, … of each text, and the priority that follows, with its reasons.

        Nothing of it is kept. 503 while too many texts wait: try again after `Retry-After` seconds.
        """
        found = await service.triage(body.texts)
        answer = TriageAnswer.model_construct(items=found)  # from our own process: not to be checked once more
        return Response(answer.model_dump_json(), media_type="application/json")

    @router.post("/explanation", summary="Explain the triage of a text", response_model=Explanation)
    async def post_explanation(body: Text) -> Explanation:
        """Return how much each word, or each of eight phrases of a longer text, adds to the complaint and to the mood.

        Nothing of it is kept. 503 while too many texts wait: try again after `Retry-After` seconds.
        """
        return await service.explain(body.text)

    return router
