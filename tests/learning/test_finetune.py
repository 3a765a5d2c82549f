"""Tuning a small encoder; needs the extra `finetune`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.conversation.errors import ConfigError
from bot.learning import finetune
from bot.learning.finetune.lessons import Lesson, intent_lesson, triage_lesson
from bot.nlu.checkpoint import Checkpoint, find_checkpoint
from bot.nlu.encoder import Encoder, cosine, load_tokenizer, prepare_encoder
from bot.nlu.export import export
from bot.nlu.families import distances, read_weights
from bot.nlu.text import HANDLE, LINK
from bot.nlu.triage_data import Example
from tests.learning.small_bert import write_small_bert

if lacking := finetune.lacking():
    pytest.skip(f"the encoder is not tuned here: {lacking}", allow_module_level=True)

import jax

from bot.learning.finetune.bert import Bert
from bot.learning.finetune.distillation import Distillation, distil
from bot.learning.finetune.teacher import read_by, wanted
from bot.learning.finetune.training import Recipe, tune
from bot.learning.finetune.tuning import tune_encoder
from bot.learning.finetune.variations import varied

TEXTS = ["where is my order", "", "Charged TWICE and nobody answers. " * 4, "👍", "مرحبا, thank you so much"]
NOTHING = Lesson((), {})
MOODS = ("negative", "neutral", "positive")
QUICK = Recipe(epochs=30, batch=4, rate=3e-3, head_rate=3e-3, kept=0.0)


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let each tuning take the steps that another one has compiled already."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return find_checkpoint(str(write_small_bert(tmp_path_factory.mktemp("small") / "bert")))


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    cross = ["the kettle broke", "my parcel never came", "charged twice again", "nobody answers", "it leaks", "late"]
    calm = ["what time do you open", "thank you so much", "hello there", "do you sell tea", "lovely", "see you soon"]
    return intent_lesson([(text, "cross") for text in cross] + [(text, "calm") for text in calm])


def test_the_forward_pass_gives_what_the_exported_graph_gives(tmp_path: Path) -> None:
    checkpoint = find_checkpoint()
    jax_layers, jax_sentence = forward(checkpoint)
    layers, sentence = exported(checkpoint, tmp_path)
    assert cosine(jax_layers, layers) > 0.9999
    assert cosine(jax_sentence, sentence) > 0.9999
    np.testing.assert_allclose(jax_layers, layers, atol=1e-4)


def test_so_it_does_where_distances_count(tmp_path: Path) -> None:
    one, other = (find_checkpoint(str(write_small_bert(tmp_path / kind, kind))) for kind in ("mpnet", "bert"))
    (tmp_path / "of_one").mkdir()
    jax_layers, _ = forward(one)
    layers, _ = exported(one, tmp_path / "of_one")
    np.testing.assert_allclose(jax_layers, layers, atol=1e-4)
    assert np.abs(forward(other)[0] - layers).max() > 0.1


def test_near_tokens_have_distances_of_their_own_and_far_ones_share_them() -> None:
    found = distances(300, 32)
    assert found[100, 100:108].tolist() == [0, 17, 18, 19, 20, 21, 22, 23]
    assert found[100, 92:100].tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    assert found[0, 8] == found[0, 11] == 24
    assert (found[0, 12], found[0, 127], found[0, 299], found[299, 0]) == (25, 31, 31, 15)


def test_a_tuned_encoder_knows_its_sentences_and_is_served_like_any_other(
    small: Checkpoint, lesson: Lesson, tmp_path: Path
) -> None:
    losses: list[float] = []
    told: list[tuple[int, int]] = []

    def progress(done: int, steps: int, loss: float) -> None:
        told.append((done, steps))
        losses.append(loss)

    folder = tune_encoder(small, NOTHING, lesson, tmp_path / "encoders", QUICK, progress)
    assert told == [(step, 90) for step in range(1, 91)]
    assert np.mean(losses[:3]) > 0.5
    assert np.mean(losses[-3:]) < 0.05

    tuned = find_checkpoint(str(folder))
    assert tuned.digest != small.digest
    before, after = (read_weights(one, Bert(one).layout) for one in (small, tuned))
    assert before.keys() == after.keys()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("encoder.")}

    layers, sentence = exported(tuned, tmp_path)
    jax_layers, jax_sentence = forward(tuned)
    assert cosine(jax_layers, layers) > 0.9999
    assert cosine(jax_sentence, sentence) > 0.9999
    served = Encoder(prepare_encoder(tuned, tmp_path / "cache")).encode(lesson.texts).sentence
    cross, calm = served[:6].mean(axis=0), served[6:].mean(axis=0)
    assert all(row @ cross > row @ calm for row in served[:6])
    assert all(row @ calm > row @ cross for row in served[6:])


def test_the_triage_tunes_a_branch_and_leaves_the_rest_as_it_was(
    small: Checkpoint, lesson: Lesson, tmp_path: Path
) -> None:
    folder = tune_encoder(small, complaints(lesson), NOTHING, tmp_path / "encoders", QUICK, lambda *_: None)
    tuned = find_checkpoint(str(folder))
    plain, branched = (
        Encoder(prepare_encoder(each, tmp_path / "cache")).encode([*lesson.texts, "other"]) for each in (small, tuned)
    )
    np.testing.assert_array_equal(plain.layers, branched.layers)
    np.testing.assert_array_equal(plain.sentence, branched.sentence)
    half = plain.upper.shape[1]
    np.testing.assert_array_equal(branched.upper[:, half:], plain.upper)
    assert branched.fresh.tolist() == [False] * 12 + [True]
    assert plain.fresh.all()
    last = branched.upper[:, half - 1]
    cross, calm = last[:6].mean(axis=0), last[6:12].mean(axis=0)
    assert all(np.linalg.norm(row - cross) < np.linalg.norm(row - calm) for row in last[:6])

    # Tuned once more, for intents, the encoder changes and the branch stays.
    again = find_checkpoint(str(tune_encoder(tuned, NOTHING, lesson, tmp_path / "encoders", QUICK, lambda *_: None)))
    both = Encoder(prepare_encoder(again, tmp_path / "cache")).encode([*lesson.texts, "other"])
    assert cosine(both.upper[:, :half], branched.upper[:, :half]) > 0.99
    assert cosine(both.sentence, branched.sentence) < 0.99
    assert both.fresh.tolist() == branched.fresh.tolist()


def test_two_lessons_are_one_progress(small: Checkpoint, lesson: Lesson, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    recipe = replace(QUICK, epochs=1)
    tune_encoder(small, complaints(lesson), lesson, tmp_path, recipe, lambda done, steps, _: told.append((done, steps)))
    assert told == [(step, 6) for step in range(1, 7)]


def test_the_same_sentences_are_not_tuned_twice_and_others_are(
    small: Checkpoint, lesson: Lesson, tmp_path: Path
) -> None:
    steps: list[int] = []
    recipe = replace(QUICK, epochs=1)

    def tuned(recipe: Recipe, lesson: Lesson = lesson) -> Path:
        steps.clear()
        return tune_encoder(small, NOTHING, lesson, tmp_path, recipe, lambda done, *_: steps.append(done))

    first = tuned(recipe)
    assert steps
    assert tuned(recipe) == first
    assert not steps
    assert tuned(replace(recipe, seed=1)) != first
    assert tuned(recipe, Lesson((*lesson.texts[:-1], "other"), lesson.tasks)) != first
    assert not list(tmp_path.glob(".*"))


def test_the_same_seed_gives_the_same_weights(small: Checkpoint, lesson: Lesson, tmp_path: Path) -> None:
    recipe = replace(QUICK, epochs=2)
    made = [
        (
            tune_encoder(small, NOTHING, lesson, tmp_path / name, recipe, lambda *_: None) / "model.safetensors"
        ).read_bytes()
        for name in ("one", "two")
    ]
    assert made[0] == made[1]


def test_labels_that_are_not_known_teach_nothing(small: Checkpoint, lesson: Lesson) -> None:
    bert = Bert(small)
    weights = read_weights(small, bert.layout)
    task = replace(lesson.tasks["intent"], known=np.zeros_like(lesson.tasks["intent"].targets))
    tokens = [np.arange(1, 6)] * len(lesson.texts)
    tuned = tune(bert, weights, tokens, {"intent": task}, replace(QUICK, epochs=1, weight_decay=0.0))
    assert all(np.array_equal(tuned[name], weights[name]) for name in weights)


def test_what_cannot_be_tuned_is_told(small: Checkpoint, lesson: Lesson, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no labels to tell apart"):
        tune_encoder(small, NOTHING, intent_lesson([("hello", "greet")]), tmp_path, QUICK, lambda *_: None)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(ConfigError, match="'t5' can't be exported"):
        tune_encoder(Checkpoint(strange), NOTHING, lesson, tmp_path, QUICK, lambda *_: None)


def test_upper_layers_learn_what_another_encoder_says(small: Checkpoint, lesson: Lesson, tmp_path: Path) -> None:
    teacher = find_checkpoint(str(write_small_bert(tmp_path / "mpnet", "mpnet")))
    examples = [
        Example(text=text, complaint=place < 6, severity=("none", "blame")[place < 3], sentiment=MOODS[place % 3])
        for place, text in enumerate(lesson.texts)
    ]
    texts = varied(lesson.texts, 60, np.random.default_rng(1))
    vectors = read_by(Encoder(prepare_encoder(teacher, tmp_path / "cache")), texts)
    said = wanted(vectors, examples)
    assert np.square(said).sum(axis=1).mean() == pytest.approx(2, rel=1e-3), "axes and heads count the same"

    bert = Bert(small)
    weights, tokenize = read_weights(small, bert.layout), load_tokenizer(small.folder / "tokenizer.json", 32)
    losses: list[float] = []
    recipe = Distillation(first=1, epochs=40, batch=8, rate=3e-3, map_rate=1e-3)
    found = distil(bert, weights, [tokenize(t) for t in texts], said, recipe, lambda *told: losses.append(told[2]))
    changed = {bert.layout.layer_of(name) for name in weights if not np.array_equal(found[name], weights[name])}
    assert changed == {1}
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) / 2


def test_other_texts_are_made_of_the_parts_of_given_ones(lesson: Lesson) -> None:
    texts = varied(lesson.texts, 500, np.random.default_rng(1))
    assert texts[:12] == list(lesson.texts)
    assert len(texts) == 500
    assert len(set(texts)) > 250
    assert {word for text in texts for word in text.split()} - {HANDLE, LINK} <= {
        word for text in lesson.texts for word in text.split()
    }
    assert all(texts)


def complaints(lesson: Lesson) -> Lesson:
    """Return the texts of a lesson with triage labels, the first six as complaints."""
    return triage_lesson(
        [
            Example(text=text, complaint=place < 6, severity="none", sentiment="neutral")
            for place, text in enumerate(lesson.texts)
        ]
    )


def forward(checkpoint: Checkpoint) -> tuple[np.ndarray, np.ndarray]:
    """Return what JAX says of all texts in one padded batch."""
    bert = Bert(checkpoint)
    tokenize = load_tokenizer(checkpoint.folder / "tokenizer.json", checkpoint.max_tokens)
    rows = [tokenize(text) for text in TEXTS]
    tokens, mask = np.zeros((len(rows), 64), np.int32), np.zeros((len(rows), 64), np.float32)
    for place, row in enumerate(rows):
        tokens[place, : len(row)], mask[place, : len(row)] = row, 1
    layers, sentence = bert(read_weights(checkpoint, bert.layout), tokens, mask)
    return np.asarray(layers), np.asarray(sentence / np.linalg.norm(sentence, axis=1, keepdims=True))


def exported(checkpoint: Checkpoint, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return what the exported graph says of each text in fp32."""
    exact = folder / "exact"
    exact.mkdir()
    prepared = prepare_encoder(checkpoint, folder / "prepared")
    for name in ("tokenizer.json", "meta.json"):
        (exact / name).write_bytes((prepared / name).read_bytes())
    export(checkpoint, exact)
    encoding = Encoder(exact).encode(TEXTS)
    return encoding.layers, encoding.sentence
