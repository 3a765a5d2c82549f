"""News of a conversation reaches whoever waits for it, and only them."""

import asyncio

from redis.asyncio import Redis

from bot.channels.live import Live
from bot.channels.mailbox import Mailbox
from bot.conversation.ids import ConversationId
from bot.conversation.keys import LIVE, TYPING
from bot.conversation.log import Log
from bot.gateway import Gateway
from tests.conftest import eventually

ANN, BEN = ConversationId("web:ann"), ConversationId("web:ben")


async def listened(redis: Redis) -> bool:
    return dict(await redis.pubsub_numsub(LIVE))[LIVE] > 0


async def test_news_wake_only_those_who_watch_the_conversation(mailbox: Mailbox, redis: Redis) -> None:
    await eventually(lambda: listened(redis))
    with mailbox.live.watch(ANN) as ann, mailbox.live.watch(BEN) as ben:
        await ann.wait(0.1)
        await ben.wait(0.1)
        await redis.publish(LIVE, ANN)
        async with asyncio.timeout(5):
            assert await ann.wait(60) is False
        waiting = asyncio.create_task(ben.wait(0.2))
        await redis.publish(TYPING, ANN)
        async with asyncio.timeout(5):
            assert await ann.wait(60) is True
        assert await waiting is False


async def test_a_broken_subscription_is_made_again_and_wakes_everyone(mailbox: Mailbox, redis: Redis) -> None:
    await eventually(lambda: listened(redis))
    with mailbox.live.watch(ANN) as watch:
        await watch.wait(0.1)
        await redis.client_kill_filter(_type="pubsub")
        async with asyncio.timeout(10):
            await watch.wait(60)
            await eventually(lambda: listened(redis))
            await redis.publish(LIVE, ANN)
            await watch.wait(60)


async def test_whoever_waits_is_let_go_when_the_process_stops(log: Log) -> None:
    stop = asyncio.Event()
    live = Live(log.redis)
    task = asyncio.create_task(live.run(stop))
    waiting = asyncio.create_task(Mailbox(log, live).wait(ANN, "", 60))
    accepted = await Gateway(log).accept("rest", "ann", "1", "hello")
    replies = asyncio.create_task(Mailbox(log, live).replies(accepted, "", 60))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(5):
        assert await waiting == ([], False)
        assert await replies is None
        await task
