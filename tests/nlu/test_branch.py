"""A second set of layers for the triage."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.conversation.errors import ConfigError
from bot.nlu.branch import SHIPPED, numbers_of, read_branch, read_tuned_with, text_number, write_branch
from bot.nlu.checkpoint import find_checkpoint
from bot.nlu.encoder import Encoder, cosine, prepare_encoder, shared_encoder
from bot.nlu.fitting import FEWEST_FRESH
from bot.nlu.text import prepare
from bot.nlu.triage_data import read_examples

WEIGHTS = {"square": np.eye(6, dtype=np.float32), "bias": np.zeros(6, np.float32), "same": np.ones(6, np.float32)}
TUNED = {**WEIGHTS, "square": 2 * np.eye(6, dtype=np.float32), "bias": np.arange(6, dtype=np.float32)}


@pytest.mark.parametrize("rank", [None, 6])
def test_a_file_gives_back_what_was_tuned(tmp_path: Path, rank: int | None) -> None:
    file = tmp_path / "branch.safetensors"
    write_branch(file, TUNED, WEIGHTS, numbers_of(["one", "two", "one"]), rank)
    found = read_branch(file, WEIGHTS)
    assert found.keys() == {"square", "bias"}  # what is the same is not kept
    for name, value in found.items():
        np.testing.assert_allclose(value, TUNED[name], atol=1e-3)
    assert set(read_tuned_with(file).tolist()) == {text_number("one"), text_number("two")}


def test_a_low_rank_keeps_most_of_what_was_added(tmp_path: Path) -> None:
    file = tmp_path / "branch.safetensors"
    strong = np.diag([9.0, 5.0, 0.1, 0.1, 0.1, 0.1]).astype(np.float32)
    write_branch(file, {"square": WEIGHTS["square"] + strong}, WEIGHTS, numbers_of(()), rank=2)
    added = read_branch(file, WEIGHTS)["square"] - WEIGHTS["square"]
    np.testing.assert_allclose(added, np.diag([9.0, 5.0, 0, 0, 0, 0]), atol=1e-2)


def test_a_branch_of_another_encoder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "branch.safetensors"
    write_branch(file, TUNED, WEIGHTS, numbers_of(()))
    with pytest.raises(ConfigError, match="belongs to another encoder"):
        read_branch(file, {"square": np.eye(4, dtype=np.float32)})
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match="can't be read"):
        read_branch(file, WEIGHTS)


def test_the_shipped_branch_adds_layers_and_changes_nothing_else(tmp_path: Path) -> None:
    texts = ["where is my parcel", "you lot have lost my parcel twice and nobody cares", "lovely day"]
    branched = shared_encoder().encode(texts)
    alone = Encoder(prepare_encoder(replace(find_checkpoint(), branch=None), tmp_path)).encode(texts)
    assert branched.fresh.all()
    np.testing.assert_array_equal(branched.sentence, alone.sentence)
    np.testing.assert_array_equal(branched.layers, alone.layers)
    np.testing.assert_array_equal(alone.upper, alone.layers[:, -3:])
    np.testing.assert_array_equal(branched.upper[:, 3:], alone.upper)
    assert 0.3 < cosine(branched.upper[:, :3], alone.upper) < 0.99


def test_enough_sentences_were_held_back_to_calibrate_on() -> None:
    texts = [prepare(one.text) for one in read_examples(Path("nlu_data/triage"))]
    known = set(read_tuned_with(SHIPPED).tolist())
    fresh = sum(text_number(text) not in known for text in texts)
    assert FEWEST_FRESH < fresh < len(texts) / 3
