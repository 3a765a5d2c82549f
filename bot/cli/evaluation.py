"""`frontdesk evaluate` and `frontdesk promote`: how good a candidate is, and the gate that it has to pass."""

import asyncio
from datetime import timedelta
from pathlib import Path

from bot.cli import learning_report, process
from bot.cli.models import check_model, try_to_load
from bot.conversation.errors import BadInput, ConfigError, Conflict, NotFound
from bot.conversation.events import utc_now
from bot.learning.evaluation import Answers, Evaluation, digest_of, evaluation_of, load_evaluation, measure
from bot.learning.golden import read_golden
from bot.learning.promotion import objections, read_rules, validity
from bot.learning.registry import How, Registry
from bot.learning.replay import Past, Replay, Replayed, past_of, triaged
from bot.nlu.skill import Skill, load_skill
from bot.settings import Settings
from bot.triage.sorter import thresholds_in
from bot.whole_files import replace_files

GOLDEN = "golden"
"""The folder of the golden tests, in the folder of the training data."""


def evaluate(
    settings: Settings, name: str | None, against: str | None, replay_days: int, json_file: Path | None
) -> None:
    """Measure a model, print a report and keep it beside the model.

    Raises:
        NotFound: there is no such model.
        ConfigError: a model, the golden tests or the database can't be used.
    """
    registry = Registry(settings.assistant.models)
    live = registry.live()
    model = _candidate(registry, name, otherwise=live)
    other = registry.find(against) if against else live
    if other == model:
        other = None
    golden = read_golden(settings.assistant.data / GOLDEN)
    for path in (model, other):
        if path:
            check_model(path)
    skills = [load_skill(path) for path in (model, other) if path]
    heads = measure(golden, *Answers.of(golden, *skills))
    replayed = None
    if replay_days:
        replay = Replay(replay_days, other.name if other else None, thresholds_in(model), thresholds_in(other or model))
        replayed = asyncio.run(_replay(settings, replay, replay_days, *skills))
    found = Evaluation(
        model=model.name,
        sha256=digest_of(model),
        against=other.name if other else None,
        golden=golden.digest,
        made_at=utc_now(),
        heads=heads,
        replay=replayed,
    )
    _write(evaluation_of(model), found.save())
    learning_report.show(found, kept=evaluation_of(model))
    if json_file:
        _write(json_file, found.save())


def promote(settings: Settings, name: str | None) -> None:
    """Make a model live that passed the rules.

    Raises:
        Conflict: it did not; the text names every reason.
        ConfigError: the rules or the model can't be used.
    """
    registry = Registry(settings.assistant.models)
    model = _candidate(registry, name)
    live = registry.require_live()
    if model == live:
        raise BadInput(f"{model.name} is live already")
    folder = settings.assistant.data / GOLDEN
    rules, golden = read_rules(folder), read_golden(folder)
    evaluation = load_evaluation(evaluation_of(model))
    reasons = validity(evaluation, digest_of(model), live.name, golden.digest)
    if reasons:
        raise _refusal(model, [*reasons, f"run: frontdesk evaluate {model.name.split('.')[0]}"])
    if evaluation and (reasons := objections(evaluation, rules)):
        raise _refusal(model, reasons)
    try_to_load(settings, model)
    registry.make_live(model, How.PROMOTED, utc_now(), instead_of=live.name)
    print(f"{model.name} is live instead of {live.name}; workers take it within seconds")


def _candidate(registry: Registry, name: str | None, otherwise: Path | None = None) -> Path:
    if name:
        return registry.find(name)
    candidate = registry.standing().candidate
    if candidate:
        return registry.find(candidate)
    if otherwise:
        return otherwise
    raise NotFound("there is no candidate; make one: frontdesk train --candidate, or name a model")


def _refusal(model: Path, reasons: list[str]) -> Conflict:
    return Conflict(f"{model.name} is not promoted: " + "; ".join(reasons))


async def _replay(settings: Settings, replay: Replay, days: int, skill: Skill, other: Skill | None = None) -> Replayed:
    from handoff.past import past_episodes

    now = utc_now()
    progress = learning_report.Replaying()
    try:
        async with process.desk_database(settings) as database:
            async for episodes in past_episodes(database, now - timedelta(days=days)):
                pasts = [past for each in episodes if (past := past_of(*each)).messages]
                _add(replay, pasts, skill, other)
                progress.add(len(pasts))
    finally:
        progress.end()
    return replay.result()


def _add(replay: Replay, pasts: list[Past], skill: Skill, other: Skill | None) -> None:
    texts = [heard.text for past in pasts for heard in past.messages if heard.read]
    today = utc_now().date()
    after = triaged(pasts, skill.triage(texts, today) if texts else [])
    if other:
        before = triaged(pasts, other.triage(texts, today) if texts else [])
    else:
        before = ([heard.triage for heard in past.messages] for past in pasts)
    for row in zip(pasts, after, before, strict=True):
        replay.add(*row)


def _write(file: Path, text: str) -> None:
    try:
        replace_files({file: text})
    except OSError as error:
        raise ConfigError(f"{file} can't be written: {error.strerror}") from error
