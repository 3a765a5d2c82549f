import io
import json
import logging

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from bot import logs
from bot.settings import LogSettings, Settings, TelegramSettings


@pytest.fixture
def written():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()

    def configure(form="text"):
        settings = Settings(
            log=LogSettings(form=form), telegram=TelegramSettings(token=SecretStr("a-secret-that-nobody-may-see"))
        )
        logs.configure(settings, stream)
        return stream

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_line_has_time_level_logger_and_message(written):
    stream = written()
    logging.getLogger("bot.worker").warning("turn_failed conversation=%s try=%d", "web:k3f9", 2)
    at, level, name, *message = stream.getvalue().split()
    assert at.endswith("Z")
    assert (level, name) == ("WARNING", "bot.worker")
    assert message == ["turn_failed", "conversation=web:k3f9", "try=2"]


def test_json_has_the_fields_of_a_message(written):
    stream = written("json")
    logging.getLogger("bot.worker").info("turn_failed conversation=%s try=%d", "web:k3f9", 2)
    entry = json.loads(stream.getvalue())
    assert entry["conversation"] == "web:k3f9"
    assert entry["try"] == "2"
    assert (entry["level"], entry["logger"]) == ("INFO", "bot.worker")


@pytest.mark.parametrize(
    "secret",
    [
        "a-secret-that-nobody-may-see",
        "redis://:hunter2hunter2@elsewhere/0",
        "https://api.telegram.org/bot123456789:AAE_abcdefghijklmnopqrstuvwxyz0123456/sendMessage",
        "Authorization: Bearer fd_0123456789abcdef",
        "ann.smith@example.com",
        "4111 1111 1111 1111",
        "'my parcel never came and I am very cross with all of you'",
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_and_words_are_masked(written, secret, form):
    stream = written(form)
    logging.getLogger("any").error("it happened: %s", secret)
    try:
        raise ValueError(f"no way: {secret}")
    except ValueError:
        logging.getLogger("any").exception("failed")
    for word in ("nobody-may-see", "hunter2", "AAE_abc", "fd_0123", "ann.smith", "4111", "parcel"):
        assert word not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_what_a_customer_sent_is_not_in_a_validation_error(written):
    class Model(BaseModel):
        number: int

    stream = written()
    words = " ".join(("my", "dear"))
    try:
        Model.model_validate({"number": words})
    except ValidationError:
        logging.getLogger("any").exception("failed")
    assert words not in stream.getvalue()
    assert "ValidationError" in stream.getvalue()


def test_files_of_a_traceback_stay_readable(written):
    stream = written()
    try:
        {}["key"]
    except KeyError:
        logging.getLogger("any").exception("failed")
    assert f'File "{__file__}", line' in stream.getvalue()
    assert "KeyError: 'key'" in stream.getvalue()


def test_ids_stay_readable(written):
    stream = written()
    logging.getLogger("any").info("x message=%s conversation=%s", "m1m84b2pd54pd6n75f", "telegram:4711")
    assert "message=m1m84b2pd54pd6n75f conversation=telegram:4711" in stream.getvalue()


def test_libraries_that_talk_are_quiet(written):
    stream = written()
    logging.getLogger("httpx").info("HTTP Request: POST https://api.telegram.org/…")
    assert stream.getvalue() == ""
