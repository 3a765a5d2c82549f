"""What NLU says of one customer message, as values that cross the borders between processes."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Severity(StrEnum):
    """How strong the reproach in a message is.

    Source: after the scale of Jin and Aletras (2021), "Modeling the severity of complaints in social media".
    """

    NONE = "none"
    DISAPPROVAL = "disapproval"
    ACCUSATION = "accusation"
    BLAME = "blame"


class Sentiment(StrEnum):
    """The mood of a message."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Category(StrEnum):
    """What a complaint is about."""

    DELIVERY = "delivery"
    PRODUCT = "product"
    BILLING = "billing"
    REFUND = "refund"
    SERVICE = "service"
    WEBSITE = "website"
    ACCOUNT = "account"
    PRIVACY = "privacy"
    STORE = "store"
    OTHER = "other"


class Remedy(StrEnum):
    """What a customer wants to be done."""

    REFUND = "refund"
    REPLACEMENT = "replacement"
    REPAIR = "repair"
    APOLOGY = "apology"
    INFORMATION = "information"
    COMPENSATION = "compensation"


class Urgency(StrEnum):
    """A signal that a person should see a message now."""

    SAFETY = "safety"
    LEGAL = "legal"
    FRAUD = "fraud"
    VULNERABLE = "vulnerable"
    PRESS = "press"
    LEAVING = "leaving"


class Guess(BaseModel):
    """One intent with its probability (0 to 1)."""

    model_config = ConfigDict(frozen=True)

    name: str
    confidence: float


class Entity(BaseModel):
    """A span of the text: `start` and `end` are character offsets; `value` is normalised."""

    model_config = ConfigDict(frozen=True)

    kind: str
    value: str
    start: int
    end: int


class Triage(BaseModel):
    """What NLU says of one customer message. Probabilities run from 0 to 1, `sentiment_value` from -1 to 1."""

    model_config = ConfigDict(frozen=True)

    intent: str = "nlu_fallback"
    confidence: float = 0.0
    ranking: tuple[Guess, ...] = ()
    out_of_scope: float = 0.0
    complaint: float = 0.0
    severity: Severity = Severity.NONE
    severity_scores: dict[Severity, float] = Field(default_factory=dict)
    categories: tuple[Category, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    sentiment: Sentiment = Sentiment.NEUTRAL
    sentiment_value: float = 0.0
    urgency: tuple[Urgency, ...] = ()
    entities: tuple[Entity, ...] = ()
    personal_data: tuple[str, ...] = ()
    language: str | None = None
    model: str = ""
