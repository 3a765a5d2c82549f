"""`frontdesk train`."""

from bot import logs
from bot.cli.models import check_files
from bot.cli.process import Reporter
from bot.settings import Settings


def main(settings: Settings, ready_fd: int | None = None) -> None:
    """Train the assistant and print the model's file.

    Raises:
        ConfigError: a file is wrong; the text is what Rasa said of it.
    """
    check_files(settings)
    logs.configure(settings)
    reporter = Reporter(ready_fd)
    reporter.status("training the assistant, once")
    from bot.rasa_runtime import train

    assistant = settings.assistant
    model = train(assistant.models, assistant.config, assistant.domain, assistant.data)
    model.touch()  # the newest model is served, and this is the one that was asked for
    print(model)
