"""Every command, its arguments and its help; what a command does is imported when it runs.

What goes wrong is told in one line on standard error; the exit code says whose turn it is (see EXITS).
"""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bot.cli import figures, labelling
from bot.cli.options import AccountRole, DataOption, InputKind, ReadyOption
from bot.conversation.errors import ConfigError, FrontdeskError, Unavailable

EXITS: tuple[tuple[type[FrontdeskError], int], ...] = ((ConfigError, 78), (Unavailable, 69), (FrontdeskError, 1))
"""Exit codes. Source: EX_CONFIG and EX_UNAVAILABLE of sysexits.h."""

app = typer.Typer(
    name="frontdesk",
    help="Customer-service assistant and agents' desk that runs on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
user = typer.Typer(help="People who sign in to the desk.", no_args_is_help=True)
token = typer.Typer(help="Tokens for the API.", no_args_is_help=True)
outbox = typer.Typer(help="Messages on their way to customers, and those that could not be delivered.")
app.add_typer(user, name="user")
app.add_typer(token, name="token")
app.add_typer(outbox, name="outbox", no_args_is_help=True)
app.add_typer(labelling.review, name="review", no_args_is_help=True)
app.add_typer(labelling.training_data, name="data", no_args_is_help=True)


@app.command()
def up(
    data: DataOption = None,
    port: Annotated[int | None, typer.Option(help="port of chat, desk and API; 0 takes a free one")] = None,
) -> None:
    """Start everything on this machine, and keep it running until Ctrl-C."""
    from bot.cli.up import up as run_up
    from bot.configuration import load

    run_up(load({"data": data, "web.port": port}))


@app.command()
def worker(data: DataOption = None, ready_fd: ReadyOption = None) -> None:
    """Run one worker: it takes customers' messages and decides what is answered."""
    from bot.cli.worker import main
    from bot.configuration import load

    main(load({"data": data}).settings, ready_fd)


@app.command()
def sender(data: DataOption = None, ready_fd: ReadyOption = None) -> None:
    """Run one sender: it delivers replies to the channels."""
    from bot.cli.sender import main
    from bot.configuration import load

    main(load({"data": data}).settings, ready_fd)


@app.command()
def web(
    data: DataOption = None,
    port: Annotated[int | None, typer.Option(help="port of chat, desk and API; 0 takes a free one")] = None,
    listen_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    ready_fd: ReadyOption = None,
) -> None:
    """Run the web process: chat, desk and API on one port."""
    from bot.cli.web import main
    from bot.configuration import load

    main(load({"data": data, "web.port": port}).settings, listen_fd, ready_fd)


@app.command()
def train(
    data: DataOption = None,
    candidate: Annotated[
        bool, typer.Option("--candidate", help="keep the live model; evaluate and promote the new one")
    ] = False,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="tune the encoder first; needs `uv sync --extra finetune`")
    ] = False,
    ready_fd: ReadyOption = None,
) -> None:
    """Train the assistant from config.yml, domain.yml and nlu_data, and make it live; prints the model's file."""
    from bot.cli.training import main
    from bot.configuration import load

    main(load({"data": data}).settings, ready_fd, candidate, fine_tune)


@app.command()
def evaluate(
    model: Annotated[
        str | None, typer.Argument(help="name or file; default: the candidate, else the live model")
    ] = None,
    against: Annotated[str | None, typer.Option(metavar="MODEL", help="default: the live model")] = None,
    replay_days: Annotated[
        int, typer.Option(min=0, max=3650, help="replay the conversations of so many days; needs PostgreSQL")
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="write the report there, too")
    ] = None,
    data: DataOption = None,
) -> None:
    """Measure a model on the golden tests and on past conversations, beside the live one."""
    from bot.cli.evaluation import evaluate as measure
    from bot.configuration import load

    measure(load({"data": data}).settings, model, against, replay_days, json_file)


@app.command()
def promote(
    model: Annotated[str | None, typer.Argument(help="name or file; default: the candidate")] = None,
    data: DataOption = None,
) -> None:
    """Let a model answer customers, if its evaluation keeps the rules of nlu_data/golden/promotion.yml."""
    from bot.cli.evaluation import promote as make_live
    from bot.configuration import load

    make_live(load({"data": data}).settings, model)


@app.command()
def rollback(data: DataOption = None) -> None:
    """Let the model answer again that was live before."""
    from bot.cli.learning import roll_back
    from bot.configuration import load

    roll_back(load({"data": data}).settings)


@app.command()
def models(data: DataOption = None) -> None:
    """List the trained models: which is live, which were, and which is the candidate."""
    from bot.cli.learning import show
    from bot.configuration import load

    show(load({"data": data}).settings)


@app.command()
def triage(
    file: Annotated[str, typer.Argument(help="CSV, JSON Lines or mbox; - reads standard input")],
    column: Annotated[str, typer.Option(help="column of CSV, or field of JSON Lines, that holds the text")] = "text",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv|FILE.jsonl", help="default: standard output, as JSON Lines")
    ] = None,
    kind: Annotated[
        InputKind | None, typer.Option("--format", help="of FILE; default: by its ending, or how it begins")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="of FILE; default: UTF-8 or UTF-16, and cp1252 for what is neither")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="default: 2, or 1 on one core")] = None,
    data: DataOption = None,
) -> None:
    """Triage a file of messages: priority, reasons, complaint, … of each; after a stop, run it again to go on."""
    from bot.cli.triage import main
    from bot.configuration import load

    main(load({"data": data}).settings, file, column, out, kind, encoding, processes)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def rasa(context: typer.Context) -> None:
    """Run a command of Rasa's own (test, data validate, shell, visualize, …) with all its arguments."""
    from bot.rasa_runtime import main

    raise typer.Exit(main(context.args))


@app.command()
def config(
    data: DataOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="print the settings' page of the documents")] = False,
) -> None:
    """Print every setting, its value (secrets masked), where it came from, and what it is for."""
    from bot.cli.config import as_markdown, show
    from bot.configuration import load

    if markdown:
        print(as_markdown(), end="")
    else:
        show(load({"data": data}))


@app.command()
def doctor(data: DataOption = None) -> None:
    """Compare the conversation log in Redis with PostgreSQL and say what differs."""
    from bot.cli.doctor import main
    from bot.configuration import load

    main(load({"data": data}).settings)


@user.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="name to sign in with")],
    role: Annotated[AccountRole, typer.Option(help="what the user may do")],
    display_name: Annotated[str, typer.Option(help="name that customers see; none: made from the name")] = "",
    data: DataOption = None,
) -> None:
    """Add a user and print the one-time password."""
    from bot.cli.accounts import add_user
    from bot.configuration import load

    add_user(load({"data": data}).settings, name, role, display_name)


@user.command("list")
def user_list(data: DataOption = None) -> None:
    """List all users."""
    from bot.cli.accounts import list_users
    from bot.configuration import load

    list_users(load({"data": data}).settings)


@user.command("reset")
def user_reset(
    name: Annotated[str, typer.Argument(help="name that the user signs in with")], data: DataOption = None
) -> None:
    """Give a user a new one-time password and sign the user out everywhere."""
    from bot.cli.accounts import reset_password
    from bot.configuration import load

    reset_password(load({"data": data}).settings, name)


@user.command("disable")
def user_disable(
    name: Annotated[str, typer.Argument(help="name that the user signs in with")], data: DataOption = None
) -> None:
    """Sign a user out everywhere and refuse new sign-ins."""
    from bot.cli.accounts import set_active
    from bot.configuration import load

    set_active(load({"data": data}).settings, name, active=False)


@user.command("enable")
def user_enable(
    name: Annotated[str, typer.Argument(help="name that the user signs in with")], data: DataOption = None
) -> None:
    """Let a disabled user sign in again."""
    from bot.cli.accounts import set_active
    from bot.configuration import load

    set_active(load({"data": data}).settings, name, active=True)


@token.command("create")
def token_create(
    role: Annotated[AccountRole, typer.Option(help="what the token may do")],
    name: Annotated[str, typer.Option(help="what it is for; customers see it when it replies")] = "API",
    data: DataOption = None,
) -> None:
    """Make an API token; its last line is the token alone."""
    from bot.cli.accounts import create_token
    from bot.configuration import load

    create_token(load({"data": data}).settings, name, role)


@token.command("list")
def token_list(data: DataOption = None) -> None:
    """List all tokens, without what they are."""
    from bot.cli.accounts import list_tokens
    from bot.configuration import load

    list_tokens(load({"data": data}).settings)


@token.command("revoke")
def token_revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="its id, from `frontdesk token list`")],
    data: DataOption = None,
) -> None:
    """End a token."""
    from bot.cli.accounts import revoke_token
    from bot.configuration import load

    revoke_token(load({"data": data}).settings, token_id)


@outbox.command("list")
def outbox_list(
    text: Annotated[bool, typer.Option("--text", help="show what the messages say")] = False, data: DataOption = None
) -> None:
    """List what waits to be delivered and what could not be."""
    from bot.cli.outbox import show
    from bot.configuration import load

    show(load({"data": data}).settings, text)


@outbox.command("retry")
def outbox_retry(
    messages: Annotated[list[str], typer.Argument(metavar="MESSAGE…", help="ids, or `all`")], data: DataOption = None
) -> None:
    """Try again to deliver messages that could not be delivered."""
    from bot.cli.outbox import retry
    from bot.configuration import load

    retry(load({"data": data}).settings, messages)


@outbox.command("drop")
def outbox_drop(
    messages: Annotated[list[str], typer.Argument(metavar="MESSAGE…", help="ids, or `all`")], data: DataOption = None
) -> None:
    """Give up messages that could not be delivered."""
    from bot.cli.outbox import drop
    from bot.configuration import load

    drop(load({"data": data}).settings, messages)


app.command()(figures.transcript)
app.command()(figures.metrics)


def run() -> NoReturn:
    """Run a command and end the process with its exit code."""
    try:
        code = app(standalone_mode=False)
    except FrontdeskError as error:
        code = _fail(str(error), next(code for kind, code in EXITS if isinstance(error, kind)))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        if hasattr(error, "format_message"):
            # Typer checks values with pydantic, and passes on pydantic's own words for it.
            told = error.format_message().replace("Value error, ", "")
            code = _fail(told, getattr(error, "exit_code", 2))
        else:
            code = _unexpected(error)
    sys.exit(code if isinstance(code, int) else 0)


def _unexpected(error: Exception) -> int:
    import logging
    import traceback

    logger = logging.getLogger("frontdesk")
    if logger.hasHandlers():
        logger.critical("process_failed error=%s", type(error).__name__, exc_info=error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    return _fail(f"unexpected {type(error).__name__} in {place}; please report it, with the log if there is one", 70)


def _fail(text: str, code: int) -> int:
    line = " ".join(text.split())
    print(f"frontdesk: {line}", file=sys.stderr, flush=True)
    return code
