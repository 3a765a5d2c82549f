import pytest

from bot.cli.process import conversation_log
from bot.conversation import connect
from bot.conversation.errors import ConfigError
from bot.embedded.redis import RedisServer
from bot.settings import Settings


async def test_a_redis_that_refuses_the_password_is_told(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "RETRIES", 0)
    with pytest.raises(ConfigError, match="refuses the user or the password"):
        async with conversation_log(redis_server.url.replace("unix://", "unix://:wrong@"), Settings()):
            pass
