"""The command line, `frontdesk`, and the composition roots of every process."""


def main() -> None:
    """Run the command line; ends the process."""
    from bot.cli.app import run

    run()
