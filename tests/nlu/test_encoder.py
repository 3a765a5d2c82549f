import json
import shutil
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from bot.conversation.errors import ConfigError
from bot.nlu.checkpoint import Checkpoint, find_checkpoint
from bot.nlu.encoder import MIN_COSINE, Encoder, Floats, cosine, prepare_encoder
from bot.nlu.passes import PASS_TOKENS, Tokens

WORDS = ["my", "the", "kettle", "parcel", "is", "not", "here", "broken", "late", "again", "money", "please", "wrong"]
TEXTS = ["where is my order", "", "Charged TWICE and nobody answers. " * 30, "👍", "where is my order", "مرحبا"]


def test_a_text_alone_gives_what_it_gives_in_a_batch(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    for place, text in enumerate(TEXTS):
        encoder.forget()
        alone = encoder.encode([text])
        np.testing.assert_array_equal(alone.layers[0], together.layers[place])
        np.testing.assert_array_equal(alone.sentence[0], together.sentence[place])


@pytest.mark.parametrize("words", [1, 2, 4, 5, 9, 16, 31, 70, 126])
def test_texts_that_share_a_pass_do_not_change_a_bit_of_each_other(encoder: Encoder, words: int) -> None:
    random = np.random.default_rng(words)
    texts = [" ".join(random.choice(WORDS, words)) for _ in range(max(3, 120 // words))]
    tried = recorded(encoder)
    together = tried.encode(texts)
    tried.forget()
    for place, text in enumerate(texts):
        alone = tried.encode([text])
        for part in ("sentence", "layers", "branch"):
            np.testing.assert_array_equal(getattr(alone, part)[0], getattr(together, part)[place])
    assert max(texts for _, texts in tried.passes) > 1


def test_texts_share_passes_by_their_length_and_each_is_run_once(encoder: Encoder) -> None:
    tried = recorded(encoder)
    tried.encode(["my parcel", "hello", "hello", "no", "the kettle is broken", "my kettle"])
    assert tried.passes == [(4, 2), (6, 1), (3, 2)]
    tried.encode(["hello", "my kettle"])
    tried.encode(["hello"], triage=False)
    assert len(tried.passes) == 3


def test_only_the_triage_pays_for_the_branch(encoder: Encoder) -> None:
    tried = recorded(encoder)
    topic = tried.encode(["my parcel"], triage=False)
    assert topic.branch is None
    whole = tried.encode(["my parcel"])
    assert whole.branch is not None
    np.testing.assert_array_equal(topic.layers, whole.layers)
    assert tried.branches == [False, True]


def test_both_parts_of_one_text_may_be_computed_at_once(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["my parcel", "hello"]
    tried = recorded(encoder)
    one = tried.encode(texts)
    tried.forget()
    monkeypatch.setattr(Encoder, "both_at_once", True)
    for place, text in enumerate(texts):
        np.testing.assert_array_equal(tried.encode([text]).upper[0], one.upper[place])


def test_a_pass_has_few_tokens_and_every_thread_its_share(encoder: Encoder) -> None:
    many = [" ".join(words) for words in permutations(WORDS[:6], 5)]
    tried = recorded(encoder)
    tried.encode(many)
    assert sum(texts for _, texts in tried.passes) == len(many)
    assert max(tokens * texts for tokens, texts in tried.passes) <= PASS_TOKENS
    tried = recorded(encoder, threads=2)
    tried.encode(many[:6])
    assert tried.passes == [(7, 3), (7, 3)]


def test_only_the_last_results_are_kept(encoder: Encoder) -> None:
    tried = recorded(encoder, remember=2)
    for texts in (["my parcel"], ["hello"], ["my parcel"], ["no"]):
        tried.encode(texts)
    assert len(tried.passes) == 3
    tried.encode(["my parcel", "no"])
    assert len(tried.passes) == 3
    tried.encode(["hello"])
    assert len(tried.passes) == 4


def test_products_in_fp32_have_the_rows_of_one_text(encoder: Encoder, tmp_path: Path) -> None:
    folder = tmp_path / "exact"
    shutil.copytree(encoder.folder, folder)
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"cosine": None}))
    tried = RecordedEncoder(folder)
    tried.encode(["my parcel", "my kettle"])
    assert tried.passes == [(4, 1), (4, 1)]


def test_an_encoding_has_a_row_for_each_text_and_unit_sentences(encoder: Encoder) -> None:
    encoding = encoder.encode(TEXTS)
    assert encoding.layers.shape == (len(TEXTS), 7, 384)
    assert encoding.layers.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(encoding.sentence, axis=1), 1, rtol=1e-5)
    assert len(encoder.encode([])) == 0


def test_like_is_near_like(encoder: Encoder) -> None:
    parcel, package, weather = encoder.encode(["my parcel is late", "the package has not come", "it is sunny"]).sentence
    assert parcel @ package > parcel @ weather + 0.2


def test_int8_stays_close_to_fp32(encoder: Encoder) -> None:
    assert encoder.cosine is not None
    assert encoder.cosine >= MIN_COSINE


def test_another_process_would_load_the_same(encoder: Encoder) -> None:
    again = Encoder(encoder.folder)
    np.testing.assert_array_equal(again.encode(TEXTS[:3]).layers, encoder.encode(TEXTS[:3]).layers)
    assert again.fingerprint() == encoder.fingerprint()


def test_an_architecture_that_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    model = checkpoint(tmp_path, {"model_type": "t5", "hidden_size": 8})
    with pytest.raises(ConfigError, match=r"'t5' can't be exported .*model\.onnx"):
        prepare_encoder(find_checkpoint(str(model)), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    model = checkpoint(tmp_path, small_bert())
    (model / "tokenizer.json").write_bytes((packaged() / "tokenizer.json").read_bytes())
    with pytest.raises(ConfigError, match="lacks the weights"):
        prepare_encoder(find_checkpoint(str(model)), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("encoder-*"))


@pytest.mark.parametrize("first_token", [False, True])
def test_a_small_bert_of_ones_own_is_exported(tmp_path: Path, first_token: bool) -> None:
    model = checkpoint(tmp_path, small_bert(), weights=bert_weights())
    (model / "1_Pooling").mkdir()
    (model / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": first_token}))
    (model / "tokenizer.json").write_bytes((packaged() / "tokenizer.json").read_bytes())
    encoder = Encoder(prepare_encoder(find_checkpoint(str(model)), tmp_path / "cache"))
    found = encoder.encode(["hello", "world", "order", "parcel"])
    assert found.layers.shape == (4, 3, 8)
    of_mean = cosine(found.sentence, found.layers[:, -1])
    assert of_mean < 0.99 if first_token else of_mean > 0.9999
    encoder.forget()
    np.testing.assert_array_equal(encoder.encode(["order"]).sentence[0], found.sentence[2])


def test_a_model_with_its_own_onnx_file_works_whatever_it_is(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    model = checkpoint(tmp_path, {"model_type": "strange"})
    (model / "tokenizer.json").write_bytes((packaged() / "tokenizer.json").read_bytes())
    table = helper.make_tensor("table", TensorProto.FLOAT, [30522, 4], np.ones((30522, 4), np.float32).ravel())
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "own",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "n"])],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["b", "n", 4])],
        [table],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (model / "model.onnx").write_bytes(made.SerializeToString())
    encoder = Encoder(prepare_encoder(find_checkpoint(str(model)), tmp_path / "cache"))
    assert encoder.encode(["hello", "my parcel", "goodbye"]).layers.shape == (3, 1, 4)


def test_a_model_that_needs_more_than_pooling_is_refused(tmp_path: Path) -> None:
    model = checkpoint(tmp_path, small_bert())
    (model / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(ConfigError, match="module Dense"):
        find_checkpoint(str(model))


@pytest.mark.parametrize("name", ["/nowhere/at/all", "nonsense", "./relative/missing"])
def test_a_name_that_is_neither_a_folder_nor_on_the_hub_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="neither a folder"):
        find_checkpoint(name)


def test_the_packaged_weights_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.nlu.checkpoint.DEFAULT_SHA256", "0" * 64)
    with pytest.raises(ConfigError, match="not the expected ones"):
        find_checkpoint()


class RecordedEncoder(Encoder):
    """An encoder that keeps the `(tokens, texts)` of its passes, and whether they were through the branch."""

    def __init__(self, folder: Path, batch_threads: int = 1, remember: int = 512) -> None:
        self.passes: list[tuple[int, ...]] = []
        self.branches: list[bool] = []
        super().__init__(folder, batch_threads=batch_threads, remember=remember)
        run = self._run

        def record(tokens: Tokens, branch: bool) -> list[Floats]:
            self.passes.append(tokens.shape)
            self.branches.append(branch)
            return run(tokens, branch)

        self._run = record
        self.forget()


def recorded(encoder: Encoder, threads: int = 1, remember: int = 512) -> RecordedEncoder:
    return RecordedEncoder(encoder.folder, threads, remember)


def packaged() -> Path:
    return find_checkpoint().folder


def checkpoint(folder: Path, config: dict[str, object], weights: dict[str, np.ndarray] | None = None) -> Path:
    from safetensors.numpy import save_file

    model = folder / "checkpoint"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(config))
    save_file(
        weights or {"embeddings.word_embeddings.weight": np.ones((4, 8), np.float32)}, model / "model.safetensors"
    )
    assert Checkpoint(model).weights
    return model


def small_bert() -> dict[str, object]:
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}
    return {"model_type": "bert", "hidden_act": "gelu", **sizes}


def bert_weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)

    def values(*shape: int) -> np.ndarray:
        return random.normal(0, 0.1, shape).astype(np.float32)

    names = {"attention.self.query": (8, 8), "attention.self.key": (8, 8), "attention.self.value": (8, 8)}
    names |= {"attention.output.dense": (8, 8), "intermediate.dense": (16, 8), "output.dense": (8, 16)}
    weights = {
        "bert.embeddings.word_embeddings.weight": values(30522, 8),
        "bert.embeddings.position_embeddings.weight": values(32, 8),
        "bert.embeddings.LayerNorm.weight": np.ones(8, np.float32),
        "bert.embeddings.LayerNorm.bias": np.zeros(8, np.float32),
    }
    for layer in range(2):
        start = f"bert.encoder.layer.{layer}."
        for name, shape in names.items():
            weights |= {f"{start}{name}.weight": values(*shape), f"{start}{name}.bias": values(shape[0])}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights |= {f"{start}{name}.weight": np.ones(8, np.float32), f"{start}{name}.bias": values(8)}
    return weights
