"""`frontdesk doctor`: compares Redis and PostgreSQL."""

import asyncio

from bot.cli import process
from bot.cli.installation import redis_url
from bot.cli.models import check_model, live_model
from bot.conversation.errors import ConfigError, Conflict
from bot.settings import Settings


def main(settings: Settings) -> None:
    """Print what was found.

    Raises:
        Conflict: something is wrong.
    """
    from handoff.doctor import Finding, examine

    def look_at_the_model() -> Finding:
        try:
            model = live_model(settings)
            check_model(model)
        except ConfigError as error:
            return Finding(str(error), wrong=True)
        return Finding(f"the model {model.name} is live", wrong=False)

    async def look() -> list[Finding]:
        async with (
            process.desk_database(settings) as database,
            process.conversation_log(redis_url(settings), settings) as log,
        ):
            return await examine(log, database)

    findings = [*asyncio.run(look()), look_at_the_model()]
    for finding in findings:
        print(f"{'WRONG' if finding.wrong else 'ok':6}{finding.what}")
    if any(finding.wrong for finding in findings):
        raise Conflict("something needs a look; docs/operations.md says what to do")
