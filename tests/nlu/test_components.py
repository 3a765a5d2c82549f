"""The components within Rasa: trained on three sentences, saved, loaded, compared."""

import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Triage
from bot.nlu.components import EntityPatterns, IntentClassifier, TriageClassifier
from bot.nlu.encoder import CACHE, CARRIED, Encoder, Encoding, shared_encoder
from bot.nlu.heads import TriageHeads, train_heads
from bot.nlu.skill import load_skill
from bot.nlu.triage_data import Example
from bot.rasa_runtime import prepare
from tests.learning.small_bert import write_small_bert
from tests.running import ROOT

prepare()

from rasa.engine.graph import ExecutionContext, GraphSchema  # noqa: E402
from rasa.engine.storage.local_model_storage import LocalModelStorage  # noqa: E402
from rasa.engine.storage.resource import Resource  # noqa: E402
from rasa.shared.nlu.training_data.message import Message  # noqa: E402
from rasa.shared.nlu.training_data.training_data import TrainingData  # noqa: E402

THREE = """
- {text: "the kettle exploded and nobody cares", complaint: true, severity: blame, sentiment: negative}
- {text: "what time do you open"}
- {text: "lovely service, thank you", sentiment: positive}
"""
SENTENCES = "defaults: {complaint: false, severity: none, sentiment: neutral}\nmessages:" + 6 * THREE
EXAMPLES = [
    ("what time do you open", "faq", "faq/store_hours"),
    ("where is my refund", "faq", "faq/refund_when"),
    ("hello there", "greet", None),
]
TEXTS = ["what time do you open", "the kettle exploded and nobody cares", "hello LF-123456"]

Pipeline = Callable[[list[str]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> LocalModelStorage:
    return LocalModelStorage(tmp_path_factory.mktemp("storage"))


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    sentences = tmp_path_factory.mktemp("sentences")
    (sentences / "three.yml").write_text(SENTENCES)
    shared: dict[str, Any] = {"cache": str(ROOT / CACHE)}
    patterns = str(ROOT / "nlu_data" / "entities")
    return [
        {"patterns": patterns},
        {**IntentClassifier.get_default_config(), **shared, "threshold": 0.0, "margin": 0.0, "out_of_scope": 1.0},
        {**TriageClassifier.get_default_config(), **shared, "sentences": str(sentences), "patterns": patterns},
    ]


@pytest.fixture(scope="module")
def trained(encoder: Encoder, storage: LocalModelStorage, configs: list[dict[str, Any]]) -> Pipeline:
    messages = [
        Message({"text": text, "intent": intent, "intent_response_key": key}) for text, intent, key in EXAMPLES * 3
    ]
    components = [
        kind.create(config, storage, Resource(kind.__name__), context())
        for kind, config in zip(KINDS, configs, strict=True)
    ]
    for component in components:
        component.train(TrainingData(messages))
    return pipeline(components)


@pytest.fixture(scope="module")
def loaded(trained: Pipeline, storage: LocalModelStorage, configs: list[dict[str, Any]]) -> Pipeline:
    return pipeline(
        [
            kind.load(config, storage, Resource(kind.__name__), context())
            for kind, config in zip(KINDS, configs, strict=True)
        ]
    )


def test_three_sentences_are_learnt(loaded: Pipeline) -> None:
    hours, kettle, hello = loaded(TEXTS)
    assert hours["intent"]["name"] == "faq"
    assert hours["response_selector"]["faq"]["response"]["utter_action"] == "utter_faq/store_hours"
    assert hours["response_selector"]["all_retrieval_intents"] == ["faq"]
    assert hello["intent"]["name"] == "greet"
    assert kettle["triage"]["complaint"] > hours["triage"]["complaint"]
    assert kettle["triage"]["urgency"] == ["safety"]
    assert [entity["value"] for entity in hello["entities"]] == ["LF-123456"]


def test_a_loaded_model_says_what_the_trained_one_said(trained: Pipeline, loaded: Pipeline) -> None:
    assert trained(TEXTS) == loaded(TEXTS)


def test_a_message_alone_is_understood_as_in_a_batch(loaded: Pipeline) -> None:
    assert loaded(TEXTS) == [loaded([text])[0] for text in TEXTS]


def test_the_result_is_a_triage(loaded: Pipeline) -> None:
    for result in loaded([*TEXTS, ""]):
        triage = Triage.model_validate(result["triage"])
        answer = result["response_selector"].get(result["intent"]["name"])
        assert triage.intent == (answer["response"]["intent_response_key"] if answer else result["intent"]["name"])
        assert len(triage.ranking) == 3


def test_what_is_not_sure_falls_back_and_keeps_its_ranking(
    loaded: Pipeline, storage: LocalModelStorage, configs: list[dict[str, Any]]
) -> None:
    strict = {**configs[1], "threshold": 1.0}
    component = IntentClassifier.load(strict, storage, Resource("IntentClassifier"), context())
    (result,) = pipeline([component])(["where is it"])
    assert result["intent"]["name"] == "nlu_fallback"
    assert len(result["intent_ranking"]) == 3
    assert "faq" not in result["response_selector"]


def test_a_model_of_another_encoder_is_refused(
    trained: Pipeline, storage: LocalModelStorage, configs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "fingerprint", lambda self: "another")
    with pytest.raises(ConfigError, match="another encoder"):
        IntentClassifier.load(configs[1], storage, Resource("IntentClassifier"), context())


def test_a_model_carries_an_encoder_that_is_not_the_packaged_one(configs: list[dict[str, Any]], tmp_path: Path) -> None:
    own = {"encoder": str(write_small_bert(tmp_path / "bert")), "cache": str(tmp_path / "cache")}
    configs = [configs[0], {**configs[1], **own}, {**configs[2], **own}]
    (tmp_path / "storage").mkdir()
    storage = LocalModelStorage(tmp_path / "storage")
    trained = []
    for kind, config in zip(KINDS, configs, strict=True):
        trained.append(kind.create(config, storage, Resource(kind.__name__), context()))
        trained[-1].train(TrainingData([Message({"text": text, "intent": intent}) for text, intent, _ in EXAMPLES * 3]))
    before = pipeline(trained)(TEXTS)
    nodes = {
        kind.__name__: {
            "uses": f"{kind.__module__}.{kind.__name__}",
            "resource": {"name": kind.__name__},
            "config": config,
        }
        for kind, config in zip(KINDS, configs, strict=True)
    }
    (tmp_path / "metadata.json").write_text(json.dumps({"predict_schema": {"nodes": nodes}}))
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "storage", "components")
        archive.add(tmp_path / "metadata.json", "metadata.json")

    shutil.rmtree(tmp_path / "bert")
    shutil.rmtree(tmp_path / "cache")
    shared_encoder.cache_clear()
    loaded = [
        kind.load(config, storage, Resource(kind.__name__), context())
        for kind, config in zip(KINDS, configs, strict=True)
    ]
    shutil.rmtree(tmp_path / "storage")
    assert pipeline(loaded)(TEXTS) == before
    triages = load_skill(tmp_path / "model.tar.gz").triage(TEXTS, date(2026, 1, 1))
    assert [triage.complaint for triage in triages] == [result["triage"]["complaint"] for result in before]


def test_a_model_does_not_carry_the_packaged_encoder(trained: Pipeline, storage: LocalModelStorage) -> None:
    with pytest.raises(ValueError, match="does not exist"), storage.read_from(Resource(CARRIED)):
        pass


@pytest.mark.parametrize(("setting", "told"), [({"treshold": 0.5}, "no setting treshold"), ({"margin": 3}, "margin")])
def test_a_wrong_setting_is_told(storage: LocalModelStorage, setting: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        IntentClassifier.create(setting, storage, Resource("x"), context())


def test_the_fingerprint_changes_with_the_sentences(tmp_path: Path) -> None:
    config = {"sentences": str(tmp_path), "patterns": str(tmp_path / "none")}
    (tmp_path / "a.yml").write_text(SENTENCES)
    before = TriageClassifier.fingerprint_addon(config)
    (tmp_path / "a.yml").write_text(SENTENCES.replace("lovely", "nice"))
    assert TriageClassifier.fingerprint_addon(config) != before


def test_sentences_that_did_not_change_are_not_learnt_again(
    encoder: Encoder, tmp_path: Path, storage: LocalModelStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = []

    def counted(encoding: Encoding, examples: Sequence[Example]) -> TriageHeads:
        learnt.append(len(examples))
        return train_heads(encoding, examples)

    def train() -> list[Any]:
        component = TriageClassifier.create(config, storage, Resource("again"), context())
        component.train(TrainingData([]))
        return [message.get("triage") for message in component.process([Message({"text": text}) for text in TEXTS])]

    monkeypatch.setattr("bot.nlu.components.train_heads", counted)
    cache, sentences = tmp_path / "cache", tmp_path / "sentences"
    cache.mkdir()
    (cache / encoder.folder.name).symlink_to(encoder.folder.absolute())
    sentences.mkdir()
    (sentences / "three.yml").write_text(SENTENCES)
    config = {
        **TriageClassifier.get_default_config(),
        "cache": str(cache),
        "sentences": str(sentences),
        "patterns": str(ROOT / "nlu_data" / "entities"),
    }
    first = train()
    assert train() == first
    assert learnt == [18]
    (kept,) = cache.glob("heads-*")
    next(kept.glob("*.npz")).write_bytes(b"cut short")
    assert train() == first
    assert learnt == [18, 18]
    (sentences / "three.yml").write_text(SENTENCES.replace("what time do you open", "that was no use at all"))
    assert train() != first
    assert learnt == [18, 18, 18]


KINDS = (EntityPatterns, IntentClassifier, TriageClassifier)


def context() -> ExecutionContext:
    return ExecutionContext(GraphSchema({}))


def pipeline(components: list[Any]) -> Pipeline:
    def run(texts: list[str]) -> list[dict[str, Any]]:
        messages = [Message({"text": text}) for text in texts]
        for component in components:
            messages = component.process(messages)
        return [message.as_dict(only_output_properties=True) for message in messages]

    return run
