"""The shipped encoder, exported once for all runs, and heads trained on a few sentences."""

import pytest

from bot.nlu.encoder import CACHE, Encoder, shared_encoder
from tests.running import ROOT


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """The packaged encoder; its export is kept between runs."""
    return shared_encoder(None, ROOT / CACHE)
