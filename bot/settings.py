"""Every setting of Frontdesk, with its default and its help, in one place.

Built once at a composition root and passed down; nobody else reads the environment. Sources, the later wins:
defaults, `frontdesk.toml` in the data folder, the environment (`FRONTDESK_WEB__PORT=8080`), command-line flags.
"""

from datetime import time
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RedisSettings(_Section):
    """The spine."""

    url: SecretStr | None = Field(
        None, description="Redis to use (also REDIS_URL); none starts the embedded one"
    )
    partitions: Annotated[int, Field(ge=1, le=256)] = Field(
        16, description="partitions of the conversation log; fixed once there is data"
    )
    timeout_s: float = Field(5.0, description="how long one Redis call may take")


class DatabaseSettings(_Section):
    """The memory."""

    url: SecretStr | None = Field(
        None, description="PostgreSQL to use (also DATABASE_URL); none starts the embedded one"
    )
    timeout_s: float = Field(10.0, description="how long one PostgreSQL call may take")


class WebSettings(_Section):
    """The web process: chat, API and desk on one port."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    public_url: str | None = Field(
        None, description="address under which customers and platforms reach it, https"
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="sites that may embed the chat; none: any site may"
    )
    max_body_bytes: int = Field(256 * 1024, description="largest request body that is accepted")
    rate_per_minute: int = Field(600, description="API requests a token may make in a minute")
    chat_rate_per_minute: int = Field(60, description="messages one web-chat customer may send in a minute")


class TelegramSettings(_Section):
    """The Telegram channel; off without a token."""

    token: SecretStr | None = Field(None, description="bot token from BotFather")
    base_url: str = Field(
        "https://api.telegram.org/bot", description="Bot API server, up to and including /bot"
    )
    base_file_url: str = Field("https://api.telegram.org/file/bot", description="where files are fetched")
    webhook_secret: SecretStr | None = Field(
        None, description="secret token of the webhook; made up at start if none is given"
    )
    timeout_s: float = Field(20.0, description="how long one Bot API call may take")


class AssistantSettings(_Section):
    """The Rasa assistant."""

    config: Path = Field(Path("config.yml"), description="Rasa configuration")
    domain: Path = Field(Path("domain.yml"), description="Rasa domain")
    data: Path = Field(Path("nlu_data"), description="training data")
    endpoints: Path = Field(Path("endpoints.yml"), description="Rasa endpoints (external action server)")
    models: Path = Field(Path("models"), description="folder of trained models; the newest is served")
    name: str = Field("Larkfield assistant", description="what customers see as the bot's name")
    max_tries: int = Field(3, description="turns that may fail before a message goes to a person")
    turn_timeout_s: float = Field(30.0, description="how long one turn may take, actions included")


class ConversationSettings(_Section):
    """Episodes."""

    idle_s: int = Field(24 * 3600, description="seconds of silence after which an episode is over")


class WorkerSettings(_Section):
    """Workers and senders."""

    count: int = Field(1, ge=1, le=32, description="worker processes that `frontdesk up` starts")
    lease_s: float = Field(5.0, description="how long a partition stays with a process that died")
    send_tries: int = Field(
        8, description="deliveries that may fail before a message goes to the dead letters"
    )
    send_backoff_s: float = Field(
        1.0, description="pause after the first failed delivery; doubles up to 5 minutes"
    )


class HoursSettings(_Section):
    """When agents answer."""

    timezone: str = Field("Europe/London", description="IANA time zone of the opening hours")
    weekly: dict[str, tuple[time, time]] = Field(
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
    closed_on: tuple[str, ...] = Field((), description="dates (YYYY-MM-DD) on which nobody answers")


class DeskSettings(_Section):
    """The agents' desk."""

    session_hours: float = Field(12.0, description="hours until an agent has to sign in again")
    lock_after: int = Field(5, description="failed sign-ins that lock an account")
    lock_minutes: float = Field(15.0, description="minutes for which it stays locked")
    handle_minutes: float = Field(6.0, description="assumed minutes for one ticket until there are figures")


class LogSettings(_Section):
    """Logging."""

    level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(
        env_prefix="FRONTDESK_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

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
