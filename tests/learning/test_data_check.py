"""Mistakes in the training data are found: planted ones in a copy, and none in what is shipped."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from bot.cli.data_check import show
from bot.learning.cross_validation import cross_validate
from bot.learning.data_check import examine
from bot.learning.domain import read_domain
from bot.learning.findings import Finding, Kind, Level
from bot.learning.problems import Place
from bot.learning.training_data import read_training_data
from bot.nlu.encoder import CACHE, shared_encoder
from tests.running import ROOT, frontdesk_here


def check(folder, domain=ROOT / "domain.yml"):
    data = read_training_data(folder)
    return examine(data, read_domain(domain, list(data.documents.values())))


def insert(file, after, text):
    """Add lines after the first line that begins with something."""
    lines = file.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line.strip().startswith(after))
    lines[place + 1 : place + 1] = text.splitlines()
    file.write_text("\n".join(lines) + "\n")


def test_the_shipped_data_has_no_finding_that_its_files_show():
    assert check(ROOT / "nlu_data") == []


@pytest.mark.parametrize(
    ("name", "after", "text", "level", "kind", "part"),
    [
        (
            "faq/delivery.yml",
            "- how much is delivery",
            "    - how long does DELIVERY take?",
            Level.ERROR,
            Kind.CONTRADICTION,
            "faq/delivery_time, faq/delivery_cost",
        ),
        (
            "faq/delivery.yml",
            "- how long does delivery take",
            "    - How long does delivery take",
            Level.WARNING,
            Kind.SAME,
            "there 2 times",
        ),
        (
            "faq/delivery.yml",
            "- how much is delivery",
            "    - could you please tell me when i might expect an order placed this evening",
            Level.WARNING,
            Kind.NEAR,
            "faq/delivery_time and faq/delivery_cost",
        ),
        (
            "golden/intents.yml",
            "- intent: faq/order_status",
            "  texts: [how long does delivery take]\n- intent: faq/order_change",
            Level.ERROR,
            Kind.LEAKAGE,
            "says nearly the same as an example",
        ),
        (
            "faq/delivery.yml",
            "nlu:",
            "- intent: faq/one\n  examples: |\n    - an example of a question without answer",
            Level.ERROR,
            Kind.SMALL,
            "faq/one has 1 examples",
        ),
        (
            "faq/delivery.yml",
            "nlu:",
            "- intent: faq/one\n  examples: |\n    - an example of a question without answer",
            Level.ERROR,
            Kind.ANSWER,
            "faq/one has no answer",
        ),
        (
            "faq/delivery.yml",
            "nlu:",
            "- intent: faq/one\n  examples: |\n    - an example of a question without answer",
            Level.WARNING,
            Kind.UNMEASURED,
            "faq/one has 0 golden messages",
        ),
        (
            "faq/delivery.yml",
            "responses:",
            '  utter_faq/never:\n  - text: "Nobody asks."',
            Level.WARNING,
            Kind.UNUSED,
            "utter_faq/never is never said",
        ),
        (
            "faq/delivery.yml",
            "responses:",
            '  utter_faq/never:\n  - text: "Unfortunately not!"',
            Level.WARNING,
            Kind.VOICE,
            "exclamation mark",
        ),
        (
            "triage/praise.yml",
            "messages:",
            '- {text: "so nice of you to lose it", complaint: false, severity: blame, sentiment: negative}',
            Level.ERROR,
            Kind.CONTRADICTION,
            "only complaints have a severity",
        ),
        (
            "triage/complaints_delivery.yml",
            "messages:",
            '- {text: "Waited in all day! Nothing, not even a card", severity: blame, category: delivery}',
            Level.ERROR,
            Kind.CONTRADICTION,
            "a triage sentence is there with different labels",
        ),
        (
            "triage/complaints_delivery.yml",
            "messages:",
            '- {text: "waited in all day. nothing. not even one card", severity: blame, category: delivery}',
            Level.WARNING,
            Kind.NEAR,
            "two triage sentences",
        ),
        (
            "triage/complaints_delivery.yml",
            "messages:",
            '- {text: "Kettle leaks!", category: product}',
            Level.ERROR,
            Kind.LEAKAGE,
            "says nearly the same as a triage sentence",
        ),
    ],
)
def test_a_planted_mistake_is_found_at_its_line(nlu_data, name, after, text, level, kind, part):
    insert(nlu_data / name, after, text)
    found = [one for one in check(nlu_data) if (one.level, one.kind) == (level, kind) and part in one.text]
    assert found
    planted = text.split("\n")[0].strip("- {")
    lines = (nlu_data / name).read_text().splitlines()
    if kind in (Kind.CONTRADICTION, Kind.SAME, Kind.NEAR):
        assert any(planted in lines[one.line - 1] for one in found[0].places if one.file == nlu_data / name)


def test_a_response_that_nothing_names_is_unused(tmp_path):
    domain = tmp_path / "domain.yml"
    shutil.copytree(ROOT / "actions", tmp_path / "actions")
    domain.write_text((ROOT / "domain.yml").read_text() + '\n  utter_left_over:\n  - text: "Hm."\n')
    (finding,) = check(ROOT / "nlu_data", domain)
    assert (finding.kind, finding.text) == (Kind.UNUSED, "utter_left_over is never said: nothing names it")
    assert "utter_left_over" in domain.read_text().splitlines()[finding.places[0].line - 1]


def test_planted_wrong_labels_are_doubted_by_cross_validation():
    data = read_training_data(ROOT / "nlu_data")
    wanted = {"faq/delivery_time", "faq/store_parking", "faq/password_reset", "chitchat/joke", "faq/jobs"}
    phrases = [phrase for phrase in data.phrases if phrase.intent in wanted]
    place = next(number for number, phrase in enumerate(phrases) if phrase.text == "where can i park near the shop")
    phrases[place] = dataclasses.replace(phrases[place], intent="chitchat/joke")
    sentences = [one for one in data.triage if one.place.file.stem in ("complaints_delivery", "praise")]
    praise = [number for number, one in enumerate(sentences) if one.place.file.stem == "praise"]
    planted = [number for number in praise if not sentences[number].example.complaint][30:36]
    for number in planted:
        wrong = sentences[number].example.model_copy(update={"complaint": True})
        sentences[number] = dataclasses.replace(sentences[number], example=wrong)
    steps: list[str] = []
    found = cross_validate(phrases, sentences, shared_encoder(None, CACHE), steps.append)
    doubts = [one for one in found if one.kind is Kind.MISLABEL]
    assert next(one for one in doubts if one.head == "intent").examples == ("where can i park near the shop",)
    doubted = {one.places[0] for one in doubts if one.head == "complaint"}
    assert len(doubted & {sentences[number].place for number in planted}) >= len(planted) / 2
    assert len(doubted) < len(sentences) / 10
    assert all(one.level is Level.WARNING for one in found)
    assert any("examples" in step for step in steps)


def test_intents_that_cannot_be_told_apart_overlap():
    data = read_training_data(ROOT / "nlu_data")
    times = [phrase for phrase in data.phrases if phrase.intent == "faq/delivery_time"]
    split = [dataclasses.replace(one, intent=f"faq/half_{place % 2}") for place, one in enumerate(times)]
    others = [phrase for phrase in data.phrases if phrase.intent in ("chitchat/joke", "faq/jobs")]
    found = cross_validate([*split, *others], (), shared_encoder(None, CACHE), lambda step: None)
    (overlap,) = [one for one in found if one.kind is Kind.OVERLAP]
    assert overlap.text.startswith("faq/half_0 and faq/half_1 overlap")
    assert len(overlap.places) >= len(overlap.examples) > 0


@pytest.fixture
def small_data(nlu_data):
    """Some of the training data, so that cross-validation is quick."""
    for file in (nlu_data / "faq").glob("*.yml"):
        if file.name not in ("stores.yml", "jobs.yml"):
            file.unlink()
    shutil.rmtree(nlu_data / "golden")
    return nlu_data


def test_warnings_end_well_and_errors_do_not(small_data):
    def run(*arguments):
        return frontdesk_here("data", "check", *arguments, FRONTDESK_ASSISTANT__DATA=str(small_data))

    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert "0 errors" in told[-1]
    assert "warning: likely_mislabel" in told
    shown = [line for line in told if line.startswith("    ") and "triage" in line]
    assert shown
    assert len(shown) == len(set(shown))
    shutil.rmtree(small_data / "triage")  # quicker, and as wrong
    insert(small_data / "faq" / "stores.yml", "nlu:", "- intent: faq/one\n  examples: |\n    - nobody answers this")
    done = run("--json")
    assert done.returncode == 1
    assert done.stderr.strip() == "frontdesk: the training data has errors"
    told = json.loads(done.stdout)
    assert told["errors"] == len([one for one in told["findings"] if one["level"] == "error"]) == 2
    (answer,) = [one for one in told["findings"] if one["kind"] == "answer" and one["level"] == "error"]
    assert answer["places"] == [{"file": str(small_data / "faq" / "stores.yml"), "line": answer["places"][0]["line"]}]


def test_what_several_heads_say_of_a_sentence_is_told_once(capsys):
    place, other = Place(Path("triage/praise.yml"), 3), Place(Path("triage/praise.yml"), 9)
    doubts = [("complaint", place), ("severity", place), ("severity", other)]
    found = [Finding(Level.WARNING, Kind.MISLABEL, f"{head}: rather a", (at,), ("Hm",), head) for head, at in doubts]
    show([*found, Finding(Level.ERROR, Kind.SAME, "twice", (place, other), ("Hm", "hm " * 99))])
    assert capsys.readouterr().out.splitlines() == [
        "warning: likely_mislabel",
        "  complaint: rather a; severity: rather a",
        "    triage/praise.yml:3  Hm",
        "  severity: rather a",
        "    triage/praise.yml:9  Hm",
        "",
        "error: same_words",
        "  twice",
        "    triage/praise.yml:3  Hm",
        f"    triage/praise.yml:9  {'hm ' * 24}hm…",
        "",
    ]


def test_the_encoder_of_the_configuration_is_used(small_data, tmp_path):
    config, gone = tmp_path / "config.yml", tmp_path / "gone"
    text = (ROOT / "config.yml").read_text()
    for name in ("IntentClassifier", "TriageClassifier"):
        text = text.replace(f"components.{name}\n", f"components.{name}\n  encoder: {gone}\n")
    config.write_text(text)
    paths = {"FRONTDESK_ASSISTANT__DATA": str(small_data), "FRONTDESK_ASSISTANT__CONFIG": str(config)}
    done = frontdesk_here("data", "check", **paths)
    assert done.returncode == 78
    assert str(gone) in done.stderr


def test_data_that_cannot_be_read_is_told_in_one_line(nlu_data):
    (nlu_data / "titles.yml").write_text("responses: [")
    done = frontdesk_here("data", "check", FRONTDESK_ASSISTANT__DATA=str(nlu_data))
    assert (done.returncode, done.stdout) == (78, "")
    assert len(done.stderr.splitlines()) == 1
    assert "titles.yml, line" in done.stderr
