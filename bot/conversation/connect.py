"""How every process connects to Redis."""

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff

from bot.conversation.errors import ConfigError
from bot.conversation.log import Log

PARTITIONS = "fd:partitions"
RETRIES = 8
"""Pauses of 0.05 s that double up to 1 s: about 5 s in all, longer than a restart of the embedded Redis."""
CONNECTIONS = 64
"""Of one process; a command that finds none free waits for one. Blocking reads have their own: `reader`."""


def connect(url: str, timeout_s: float) -> Redis:
    """Return a client that outlives a restart of Redis: each command is tried again for some seconds.

    A command that is tried again after its answer was lost does no harm: `Log.append` knows its own append again.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        protocol=2,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), RETRIES),
        retry_on_error=[exceptions.BusyLoadingError, exceptions.ConnectionError, exceptions.TimeoutError],
        max_connections=CONNECTIONS,
        timeout=timeout_s,
    )
    return Redis.from_pool(pool)


def reader(redis: Redis, block_s: float) -> Redis:
    """Return a client for blocking reads of up to `block_s`, with a connection of its own; close it.

    It tries nothing again: its reader has to know that the connection was lost.
    """
    pool = redis.connection_pool
    options = {name: value for name, value in pool.connection_kwargs.items() if not name.startswith("himport")}
    timeout_s = options.get("socket_timeout")
    options |= {
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "socket_timeout": timeout_s + block_s if timeout_s else None,
    }
    return Redis.from_pool(ConnectionPool(connection_class=pool.connection_class, max_connections=2, **options))


async def open_log(redis: Redis, partitions: int) -> Log:
    """Return the conversation log.

    Raises:
        ConfigError: the log there was made with another number of partitions.
    """
    if not await redis.set(PARTITIONS, partitions, nx=True):
        found = int(await redis.get(PARTITIONS) or partitions)
        if found != partitions:
            raise ConfigError(
                f"redis.partitions is {partitions}, but the conversations there are kept in {found}; set it back"
            )
    return Log(redis, partitions)
