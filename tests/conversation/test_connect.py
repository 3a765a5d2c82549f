"""A process keeps to its number of connections, however much it wants at once."""

import asyncio

from bot.conversation.connect import CONNECTIONS, connect, reader


async def test_a_crowd_waits_for_connections(redis_url: str) -> None:
    redis = connect(redis_url, 5.0)
    try:
        assert await asyncio.gather(*(redis.incr("count") for _ in range(1500)))
        number = redis.connection_pool.connection_kwargs["db"]
        mine = [one for one in await redis.client_list() if int(one["db"]) == number]
        assert len(mine) <= CONNECTIONS + 1, "and one of the fixture"
        assert await redis.get("count") == "1500"
    finally:
        await redis.aclose()


async def test_a_blocking_read_outlasts_the_timeout_of_other_commands(redis_url: str) -> None:
    redis = connect(redis_url, 0.2)
    try:
        async with reader(redis, 0.5) as reading:
            assert not await reading.xread({"stream": "0"}, block=500)
    finally:
        await redis.aclose()
