"""Every setting of Frontdesk, with its default and its help, in one place.

Built once at a composition root (`bot.configuration.load`) and passed down; nobody else reads the environment.
"""

import os
from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _starting_with(*schemes: str) -> AfterValidator:
    def check(url: SecretStr | str) -> SecretStr | str:
        text = url.get_secret_value() if isinstance(url, SecretStr) else url
        if not text.startswith(schemes):
            raise ValueError(f"an address must begin with {' or '.join(schemes)}")
        return url

    return AfterValidator(check)


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("this time zone is not known; write it like Europe/London") from None
    return name


def _week(weekly: dict[str, tuple[time, time]]) -> dict[str, tuple[time, time]]:
    for day, (opens, closes) in weekly.items():
        if day not in DAYS:
            raise ValueError(f"days are {', '.join(DAYS)}")
        if opens >= closes:
            raise ValueError(f"{day} closes before it opens")
    return weekly


def _dates(days: tuple[str, ...]) -> tuple[str, ...]:
    for day in days:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise ValueError("write dates like 2026-12-25") from None
    return days


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
RedisUrl = Annotated[SecretStr, _starting_with("redis://", "rediss://", "unix://")]
DatabaseUrl = Annotated[SecretStr, _starting_with("postgresql://", "postgresql+psycopg://", "postgres://")]
HttpUrl = Annotated[str, _starting_with("https://", "http://")]
Seconds = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RedisSettings(_Section):
    """The spine."""

    url: RedisUrl | None = Field(None, description="Redis to use (also REDIS_URL); none starts the embedded one")
    partitions: Annotated[int, Field(ge=1, le=256)] = Field(
        16, description="partitions of the conversation log; fixed once there is data"
    )
    timeout_s: Seconds = Field(5.0, description="how long one Redis call may take")


class DatabaseSettings(_Section):
    """The memory."""

    url: DatabaseUrl | None = Field(
        None, description="PostgreSQL to use (also DATABASE_URL); none starts the embedded one"
    )
    timeout_s: Seconds = Field(10.0, description="how long one PostgreSQL call may take")


class WebSettings(_Section):
    """The web process: chat, API and desk on one port."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    public_url: HttpUrl | None = Field(None, description="address under which customers and platforms reach it, https")
    allowed_origins: tuple[str, ...] = Field((), description="sites that may embed the chat; none: any site may")
    max_body_bytes: int = Field(
        1_300_000,
        ge=1024,
        description="largest request body that is accepted; 100,000 characters as JSON escapes need 1.2 MB",
    )
    rate_per_minute: int = Field(600, ge=1, description="API requests a token may make in a minute")
    chat_rate_per_minute: int = Field(60, ge=1, description="messages one web-chat customer may send in a minute")


class TelegramSettings(_Section):
    """The Telegram channel; off without a token."""

    token: SecretStr | None = Field(None, description="bot token from BotFather")
    base_url: HttpUrl = Field("https://api.telegram.org/bot", description="Bot API server, up to and including /bot")
    base_file_url: HttpUrl = Field("https://api.telegram.org/file/bot", description="where files are fetched")
    webhook_secret: SecretStr | None = Field(
        None, description="secret token of the webhook; made up at start if none is given"
    )
    timeout_s: Seconds = Field(20.0, description="how long one Bot API call may take")


class AssistantSettings(_Section):
    """The Rasa assistant."""

    config: Path = Field(Path("config.yml"), description="Rasa configuration")
    domain: Path = Field(Path("domain.yml"), description="Rasa domain")
    data: Path = Field(Path("nlu_data"), description="training data")
    endpoints: Path = Field(Path("endpoints.yml"), description="Rasa endpoints (external action server)")
    models: Path = Field(Path("models"), description="folder of trained models; live.json there says which is served")
    name: str = Field("Larkfield assistant", description="what customers see as the bot's name")
    max_tries: int = Field(3, ge=1, description="turns that may fail before a message goes to a person")
    turn_timeout_s: Seconds = Field(30.0, description="how long one turn may take, actions included")


class ConversationSettings(_Section):
    """Episodes, and silence in the middle of one."""

    idle_s: int = Field(24 * 3600, ge=60, description="seconds of silence after which an episode is over")
    silence_s: Seconds = Field(
        600.0,
        description="seconds after which a complaint whose questions are left unanswered goes to a person as it is",
    )


class WorkerSettings(_Section):
    """Workers and senders."""

    count: int = Field(
        1,
        ge=1,
        le=32,
        description="worker processes that `frontdesk up` starts; if fewer than cores, each uses two for a message",
    )
    lease_s: Seconds = Field(5.0, description="how long a partition stays with a process that died")
    send_tries: int = Field(8, ge=1, description="deliveries that may fail before a message goes to the dead letters")
    send_backoff_s: Seconds = Field(1.0, description="pause after the first failed delivery; doubles up to 5 minutes")
    send_max_age_s: Seconds = Field(
        24 * 3600.0, description="age at which a message that still fails, or has to wait, goes to the dead letters"
    )

    @property
    def leaves_a_core(self) -> bool:
        """Whether there are fewer workers than cores, so that each may use two for a message."""
        return self.count < (os.cpu_count() or 1)


class HoursSettings(_Section):
    """When agents answer."""

    timezone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "Europe/London", description="IANA time zone of the opening hours"
    )
    weekly: Annotated[dict[str, tuple[time, time]], AfterValidator(_week)] = Field(
        default={
            "mon": (time(8), time(20)),
            "tue": (time(8), time(20)),
            "wed": (time(8), time(20)),
            "thu": (time(8), time(20)),
            "fri": (time(8), time(20)),
            "sat": (time(9), time(17)),
        },
        description="opening and closing time of each day that is open",
    )
    closed_on: Annotated[tuple[str, ...], AfterValidator(_dates)] = Field(
        (), description="dates (YYYY-MM-DD) on which nobody answers"
    )


class DeskSettings(_Section):
    """The agents' desk."""

    session_hours: float = Field(12.0, gt=0, description="hours until an agent has to sign in again")
    lock_after: int = Field(5, ge=1, description="failed sign-ins that lock an account")
    lock_minutes: float = Field(15.0, gt=0, description="minutes for which it stays locked")
    handle_minutes: float = Field(6.0, gt=0, description="assumed minutes for one ticket until there are figures")


class LogSettings(_Section):
    """Logging."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="the least that is logged")
    form: Literal["text", "json"] = Field("text", description="text: one line for people; json: one object a line")


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(env_prefix="FRONTDESK_", env_nested_delimiter="__", frozen=True, extra="forbid")

    data: Path = Field(Path(".frontdesk"), description="folder of everything that an installation keeps")
    redis: RedisSettings = RedisSettings()
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    telegram: TelegramSettings = TelegramSettings()
    assistant: AssistantSettings = AssistantSettings()
    conversation: ConversationSettings = ConversationSettings()
    worker: WorkerSettings = WorkerSettings()
    hours: HoursSettings = HoursSettings()
    desk: DeskSettings = DeskSettings()
    log: LogSettings = LogSettings()
