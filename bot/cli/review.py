"""`frontdesk review export` and `frontdesk review import`."""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli import process
from bot.cli.rasa_config import read_thresholds
from bot.conversation.errors import BadInput, ConfigError
from bot.conversation.events import utc_now
from bot.learning import provenance
from bot.learning.edits import edited
from bot.learning.plan import Plan
from bot.learning.redaction import Redactor
from bot.learning.review_check import check
from bot.learning.review_file import read_review, render_review
from bot.learning.selection import Said, choose, reasons
from bot.learning.training_data import TrainingData, read_training_data
from bot.settings import Settings
from bot.whole_files import replace_files

if TYPE_CHECKING:
    from handoff.heard import Heard

ENTITIES = "entities"


def export(settings: Settings, since: str, limit: int, out: Path | None) -> None:
    """Write the messages that are worth a label.

    Raises:
        BadInput: `since` is no time, or `limit` no number of messages.
        ConfigError: the file can't be written, or the configuration or the training data can't be read.
    """
    from handoff.figures import parse_since

    now = utc_now()
    begin = parse_since(since, now)
    data = read_training_data(settings.assistant.data)
    said = asyncio.run(_heard(settings, begin, now))
    done = provenance.messages_of(data.documents.get(data.folder / provenance.FILE))
    redactor = Redactor(settings.assistant.data / ENTITIES)
    limits = read_thresholds(settings.assistant.config)
    fit = (one for one in said if one.message not in done and limits.speaks(one.triage.language))
    candidates = [_redacted(one, redactor) for one in fit if reasons(_said(one))]
    known = [phrase.text for phrase in (*data.phrases, *data.golden_phrases)]
    chosen = choose(candidates, known, limit)
    titles = {intent: data.titles[intent].text if intent in data.titles else "" for intent in data.intents}
    text = render_review(chosen, len(said), (begin, now), titles)
    if out is None:
        print(text, end="")
        return
    try:
        with open(out, "x", encoding="utf-8", opener=_privately) as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{out} is there already; it may hold labels, so choose another name") from None
    except OSError as error:
        raise ConfigError(f"{out} can't be written: {error.strerror}") from error
    print(f"{len(chosen)} of {len(said)} messages are in {out}; label them, then: frontdesk review import {out}")


def _privately(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)


async def _heard(settings: Settings, since: datetime, until: datetime) -> "list[Heard]":
    from handoff.heard import heard_by_the_bot

    async with process.desk_database(settings) as database:
        return await heard_by_the_bot(database, since, until)


def _said(heard: "Heard") -> Said:
    return Said(heard.message, heard.at, heard.channel, heard.text, heard.triage, heard.outcome, heard.comment)


def _redacted(heard: "Heard", redactor: Redactor) -> Said:
    text, comment = (redactor.redact(one, heard.customer_name) for one in (heard.text, heard.comment))
    return replace(_said(heard), text=text, comment=comment)


def import_(settings: Settings, file: Path) -> None:
    """Write the labels of an edited file into the training data.

    Raises:
        BadInput: something is wrong with it; every problem is printed, and nothing was written.
        ConfigError: the training data can't be read or written.
    """
    data = read_training_data(settings.assistant.data)
    plan, problems = check(read_review(file), data, Redactor(settings.assistant.data / ENTITIES))
    if problems:
        for problem in problems:
            print(problem, file=sys.stderr)
        many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise BadInput(f"{many} in {file}; nothing was written")
    if plan.changes:
        texts = edited(plan, data, utc_now().date())
        try:
            for each in texts:
                each.parent.mkdir(parents=True, exist_ok=True)
            replace_files(texts)
        except OSError as error:
            raise ConfigError(f"{data.folder} can't be written: {error.strerror}") from error
    for advice in plan.advice:
        print(f"note: {advice}")
    print(_told(plan, data))


def _told(plan: Plan, data: TrainingData) -> str:
    counts = (
        (len(plan.questions), "new question"),
        (len(plan.phrases), "example"),
        (len(plan.golden), "golden message"),
        (len(plan.triage), "triage sentence"),
        (len(plan.dropped), "dropped message"),
    )
    written = ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for count, what in counts if count)
    rest = f"{plan.known} there already, {plan.open} still without a label"
    if not written:
        return f"nothing new: {rest}"
    return f"written into {data.folder}: {written}; {rest}. Next: frontdesk train --candidate"
