from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Category, Remedy, Sentiment, Severity
from bot.nlu.encoder import Encoder
from bot.nlu.heads import TriageHeads, fit_heads, tasks_of, train_heads
from bot.nlu.intents import OUT_OF_SCOPE, IntentHead, Taught, train_intents
from bot.nlu.triage_data import Example, read_examples

COMPLAINTS = (
    "it broke at once",
    "the lamp arrived smashed",
    "your sofa fell apart",
    "still no kettle",
    "rug is torn",
    "no",
)
CHATTER = ("lovely day out", "off to the park", "we won the match", "made soup", "my cat is asleep", "yes")
INTENTS = {
    "faq/hours": ("when do you open", "what time do you close", "opening hours", "are you open late"),
    "faq/refund": ("where is my refund", "money back please", "when will I be refunded", "refund not here"),
    OUT_OF_SCOPE: ("who won the election", "capital of France", "write me a poem", "is there life on mars"),
}


@pytest.fixture(scope="module")
def heads(encoder: Encoder) -> TriageHeads:
    bad = {
        "complaint": True,
        "severity": "accusation",
        "sentiment": "negative",
        "category": "product",
        "remedy": "refund",
    }
    good = {"complaint": False, "severity": "none", "sentiment": "positive", "urgency": []}
    examples = [Example.model_validate({"text": text, **bad}) for text in COMPLAINTS]
    examples += [Example.model_validate({"text": text, **good}) for text in CHATTER]
    return train_heads(encoder.encode([example.text for example in examples]), examples)


@pytest.fixture(scope="module")
def intents(encoder: Encoder) -> IntentHead:
    examples = [(text, name) for name, texts in INTENTS.items() for text in texts]
    return train_intents(encoder.encode([text for text, _ in examples]), Taught(examples))


def test_heads_learn_what_they_were_shown(encoder: Encoder, heads: TriageHeads) -> None:
    bad, good = heads.judge(encoder.encode([COMPLAINTS[1], CHATTER[1]]))
    assert bad.complaint > 0.5 > good.complaint
    assert (bad.severity, good.severity) == (Severity.ACCUSATION, Severity.NONE)
    assert (bad.sentiment, good.sentiment) == (Sentiment.NEGATIVE, Sentiment.POSITIVE)
    assert bad.sentiment_value < 0 < good.sentiment_value
    assert good.categories == ()
    assert bad.remedies in ((), (Remedy.REFUND,))


def test_heads_are_the_same_after_save_and_load_and_alone(tmp_path: Path, encoder: Encoder, heads: TriageHeads) -> None:
    heads.save(tmp_path)
    again = TriageHeads.load(tmp_path)
    together = heads.judge(encoder.encode(COMPLAINTS))
    assert together == again.judge(encoder.encode(COMPLAINTS))
    assert together == [again.judge(encoder.encode([text]))[0] for text in COMPLAINTS]


def test_where_the_encoder_was_tuned_with_most_sentences_they_are_trusted_less_for_the_mood(encoder: Encoder) -> None:
    examples = [
        Example(text=text, complaint=text in COMPLAINTS, severity=severity, sentiment=sentiment)
        for text, severity, sentiment in (
            *((text, Severity.BLAME, Sentiment.NEGATIVE) for text in COMPLAINTS),
            *((text, Severity.NONE, Sentiment.POSITIVE) for text in CHATTER),
        )
    ]

    def held_back(tuned_with: int) -> dict[str, np.ndarray]:
        encoding = encoder.encode([example.text for example in examples])
        encoding = replace(encoding, fresh=np.arange(len(examples)) >= tuned_with)
        return {name: found.held_back for name, found in fit_heads(encoding, tasks_of(examples)).items()}

    none, few, most = held_back(0), held_back(3), held_back(10)
    for name in ("complaint", "sentiment", "severity"):
        assert np.array_equal(none[name], few[name])
        assert np.array_equal(none[name], most[name]) == (name != "sentiment")


def test_a_head_with_nothing_to_tell_apart_is_left_out(encoder: Encoder) -> None:
    example = Example.model_validate({"text": "x", "complaint": True, "severity": "none", "sentiment": "neutral"})
    heads = train_heads(encoder.encode(["x", "y"]), [example, example])
    assert heads.linears == {}
    assert heads.judge(encoder.encode(["z"]))[0].sentiment is Sentiment.NEUTRAL


def test_intents_are_ranked_and_probable(encoder: Encoder, intents: IntentHead) -> None:
    (guess,) = intents.guess(encoder.encode(["when does the shop open"]))
    assert guess.name == "faq/hours"
    assert guess.confidence == guess.ranking[0][1]
    assert sum(score for _, score in guess.ranking) == pytest.approx(1, abs=1e-5)
    assert [score for _, score in guess.ranking] == sorted((score for _, score in guess.ranking), reverse=True)


def test_a_phrase_that_was_taught_is_found_again(encoder: Encoder, intents: IntentHead) -> None:
    names, texts = zip(*((name, text) for name, texts in INTENTS.items() for text in texts), strict=True)
    without = replace(intents, nearest=replace(intents.nearest, weight=0.0))
    encoding = encoder.encode(texts)
    guesses = intents.guess(encoding)
    assert tuple(guess.name for guess in guesses) == names
    assert all(
        guess.confidence > dict(other.ranking)[guess.name]
        for guess, other in zip(guesses, without.guess(encoding), strict=True)
    )


def test_the_same_words_may_be_taught_for_two_intents(encoder: Encoder) -> None:
    texts = ["when do you open", "open late", "closing time", "refund please"]
    examples = [(text, name) for name in ("faq/hours", "faq/refund") for text in texts]
    head = train_intents(encoder.encode(texts * 2), Taught(examples))
    (guess,) = head.guess(encoder.encode(["open late"]))
    assert guess.confidence == pytest.approx(0.5, abs=0.05)


def test_what_is_known_of_an_intent_besides_its_examples() -> None:
    examples = [("opening hours", "faq/hours"), ("my kettle broke", "make_complaint"), ("a poem", OUT_OF_SCOPE)]
    examples += [("a joke", "chitchat/joke")]
    answers = {
        "faq/hours": ["We open at nine. On Sunday we open at ten! On Sunday we open at ten!"],
        "chitchat/joke": ["Our kettle is steaming.", "Our lamp is light."],
        "faq/old": ["We are closed."],
    }
    taught = Taught.of(examples, answers)
    assert taught.hints == [
        ("joke", "chitchat/joke"),
        ("We open at nine.", "faq/hours"),
        ("On Sunday we open at ten!", "faq/hours"),
        ("make complaint", "make_complaint"),
    ]
    assert taught.texts[4:] == [text for text, _ in taught.hints]
    assert taught.names[2:5] == [OUT_OF_SCOPE, "chitchat/joke", "chitchat/joke"]


def test_an_answer_teaches_what_is_asked_but_is_no_example(encoder: Encoder) -> None:
    examples = [(text, name) for name, texts in INTENTS.items() for text in texts]
    answers = {"faq/hours": ["Our café serves breakfast and cake."], "faq/refund": ["It takes five days."]}
    plain, hinted = Taught(examples), Taught.of(examples, answers)
    asked = encoder.encode(["does your café have cake"])
    one, other = (
        dict(train_intents(encoder.encode(each.texts), each).guess(asked)[0].ranking)["faq/hours"]
        for each in (plain, hinted)
    )
    assert one < other
    about = train_intents(encoder.encode(hinted.texts), hinted).about
    assert (about["examples"], about["fewest"]) == (12, 4)


def test_what_is_out_of_scope_scores_higher_than_what_is_not(encoder: Encoder, intents: IntentHead) -> None:
    known, unknown = intents.guess(encoder.encode(["what time do you open", "who is the president"]))
    assert 0 <= known.out_of_scope < unknown.out_of_scope <= 1


def test_intents_are_the_same_after_save_and_load_and_alone(
    tmp_path: Path, encoder: Encoder, intents: IntentHead
) -> None:
    intents.save(tmp_path)
    again = IntentHead.load(tmp_path)
    texts = [text for texts in INTENTS.values() for text in texts]
    together = intents.guess(encoder.encode(texts))
    assert together == again.guess(encoder.encode(texts))
    assert together == [again.guess(encoder.encode([text]))[0] for text in texts]


def test_training_twice_gives_the_same(encoder: Encoder, intents: IntentHead) -> None:
    examples = [(text, name) for name, texts in INTENTS.items() for text in texts]
    again = train_intents(encoder.encode([text for text, _ in examples]), Taught(examples))
    np.testing.assert_array_equal(again.linear.weights, intents.linear.weights)


def test_one_intent_is_not_enough(encoder: Encoder) -> None:
    with pytest.raises(ConfigError, match="two intents"):
        train_intents(encoder.encode(["a", "b"]), Taught([("a", "greet"), ("b", "greet")]))


@pytest.mark.parametrize("file", ["intents.npz", "nearest.npz"])
@pytest.mark.parametrize("content", [b"nothing", b"PK\x03\x04 cut off", None])
def test_a_damaged_model_is_refused(tmp_path: Path, intents: IntentHead, file: str, content: bytes | None) -> None:
    intents.save(tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(ConfigError, match="train again"):
        IntentHead.load(tmp_path)


def test_heads_of_another_version_are_refused(tmp_path: Path, intents: IntentHead, heads: TriageHeads) -> None:
    for head in (intents, heads):
        replace(head, about={**head.about, "format": head.about["format"] - 1}).save(tmp_path)
        with pytest.raises(ConfigError, match="another version of Frontdesk; train again"):
            head.load(tmp_path)


def test_labelled_sentences_take_the_defaults_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "one.yml").write_text(
        "topic: t\ndefaults: {complaint: true, severity: disapproval, sentiment: negative}\n"
        "messages:\n- {text: a, category: product}\n- {text: b, severity: blame, category: [billing, refund]}\n"
    )
    first, second = read_examples(tmp_path)
    assert first.category == (Category.PRODUCT,)
    assert (second.severity, second.category) == (Severity.BLAME, (Category.BILLING, Category.REFUND))


@pytest.mark.parametrize("message", ["{text: a, severity: awful}", "{text: a, colour: red}", "a"])
def test_a_wrong_label_is_told_with_its_place(tmp_path: Path, message: str) -> None:
    (tmp_path / "one.yml").write_text(
        f"defaults: {{complaint: true, severity: none, sentiment: neutral}}\nmessages:\n- {{text: fine}}\n- {message}\n"
    )
    with pytest.raises(ConfigError, match=r"one\.yml, message 2"):
        read_examples(tmp_path)
