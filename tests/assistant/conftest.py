"""The shipped assistant, and conversations with it."""

from pathlib import Path

import pytest

from bot.rasa_processor import Processor
from bot.rasa_runtime import load_processor, prepare
from tests.assistant.chat import Chat
from tests.conftest import ROOT

prepare()

from rasa.core.tracker_store import InMemoryTrackerStore  # noqa: E402
from rasa.shared.core.domain import Domain  # noqa: E402


@pytest.fixture(scope="session")
def processor(trained_model: Path) -> Processor:
    """The shipped assistant, with conversations in memory."""
    return load_processor(trained_model, InMemoryTrackerStore(Domain.empty()), ROOT / "endpoints.yml")


@pytest.fixture
def chat(processor: Processor) -> Chat:
    """A new customer's conversation."""
    return Chat(processor)
