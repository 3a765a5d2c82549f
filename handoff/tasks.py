"""Background tasks: what their loops must look after."""

import asyncio


def raise_lost_cancellation() -> None:
    """Raise the cancellation of this task if it was swallowed; a loop that talks to Redis calls it in each round.

    redis-py sends under `asyncio.wait_for`, which before Python 3.12 drops a cancellation that comes in the moment in
    which the sending ends; the loop would then go on for ever.
    """
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
