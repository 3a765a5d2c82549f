"""`frontdesk models` and `rollback`: which model answers customers."""

from rich.table import Table

from bot.cli.models import try_to_load
from bot.cli.tables import print_table
from bot.learning.registry import Registry
from bot.settings import Settings


def show(settings: Settings) -> None:
    """Print the trained models, the newest first."""
    registry = Registry(settings.assistant.models)
    standing, found = registry.standing(), registry.models()
    if not found:
        print(f"there is no model in {registry.folder}; make one: frontdesk train")
        return
    since = {served.model: served for served in standing.served}
    table = Table("model", "state", "live since (UTC)", "by", "size", box=None, pad_edge=False)
    for path in found:
        served = since.get(path.name)
        state = "was live" if served else "candidate" if path.name == standing.candidate else ""
        if standing.live and path.name == standing.live.model:
            state = "live"
        when, how = (f"{served.at:%Y-%m-%d %H:%M}", served.how) if served else ("", "")
        table.add_row(path.name, state, when, how, f"{path.stat().st_size / 1e6:.1f} MB")
    print_table(table)


def roll_back(settings: Settings) -> None:
    """Let the model answer again that was live before.

    Raises:
        NotFound: there is none to go back to.
        ConfigError: it can't be loaded.
    """
    last, before = Registry(settings.assistant.models).roll_back(lambda model: try_to_load(settings, model))
    print(f"{before.name} is live again instead of {last.name}")
