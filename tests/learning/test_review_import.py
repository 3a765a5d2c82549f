"""An edited review is checked as a whole, and written line by line."""

import difflib

import pytest
import yaml

from bot.learning.training_data import read_training_data
from bot.nlu.triage_data import read_examples

BAGS = """\
new:
- intent: faq/carrier_bags
  title: Carrier bags
  topic: stores
  answer: "Our shops have paper bags for 20p. You can bring your own."
  examples:
  - do i have to bring my own bag
  - how much is a carrier bag
  - whats a bag for life with you
  - do you give out plastic bags
  - paper or plastic bags
  golden: [do you sell totes, "carriers cost?", forgot my shopper what now]
messages:
- text: "bags at the till how much"
  intent: faq/carrier_bags
  from: {message: "m1", said: 2026-11-20, channel: "web", model: "abc", guess: "nlu_fallback", why: [not_understood]}
"""


def added(before, after):
    """Return the lines that are new in each file, and make sure that no line went or moved."""
    found = {}
    for name, text in after.items():
        lines = list(difflib.ndiff(before.get(name, "").splitlines(), text.splitlines()))
        assert not [line for line in lines if line.startswith("- ")], name
        new = [line[2:] for line in lines if line.startswith("+ ")]
        if new:
            found[name] = new
    assert set(before) <= set(after)
    return found


def test_an_example_comes_at_the_end_of_its_intent_and_nothing_else_changes(review, files, nlu_data):
    before = files()
    done = review('messages:\n- text: "how many sleeps until my stuff arrives"\n  intent: faq/delivery_time\n')
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 example;" in done.stdout
    new = added(before, files())
    assert set(new) == {"faq/delivery.yml", "provenance.yml"}
    assert new["faq/delivery.yml"] == ["    - how many sleeps until my stuff arrives"]
    of_intent = [one.text for one in read_training_data(nlu_data).phrases if one.intent == "faq/delivery_time"]
    assert of_intent[-1] == "how many sleeps until my stuff arrives"


def test_a_new_question_is_taught_by_one_file(review, files, nlu_data):
    before = files()
    done = review(BAGS)
    assert (done.returncode, done.stderr) == (0, "")
    assert "note: " in done.stdout
    assert "faq/carrier_bags has 6 examples; 12 make it reliable" in done.stdout
    assert set(added(before, files())) == {"faq/stores.yml", "titles.yml", "golden/intents.yml", "provenance.yml"}
    data = read_training_data(nlu_data)
    assert len([one for one in data.phrases if one.intent == "faq/carrier_bags"]) == 6
    answers = [one.text for one in data.answers if one.name == "utter_faq/carrier_bags"]
    assert answers == ["Our shops have paper bags for 20p. You can bring your own."]
    assert data.titles["faq/carrier_bags"].text == "Carrier bags"
    assert len([one for one in data.golden_phrases if one.intent == "faq/carrier_bags"]) == 3


@pytest.mark.parametrize("topic", ["  topic: bags", ""])
def test_a_new_topic_makes_a_file_and_chitchat_goes_to_its_own(review, files, nlu_data, topic):
    before = files()
    text = BAGS.replace("  topic: stores", topic)
    done = review(text if topic else text.replace("faq/carrier", "chitchat/carrier"))
    assert done.returncode == 0, done.stderr
    assert ("faq/bags.yml" if topic else "chitchat.yml") in added(before, files())
    answers = [one.text for one in read_training_data(nlu_data).answers if one.name.endswith("/carrier_bags")]
    assert answers == ["Our shops have paper bags for 20p. You can bring your own."]


def test_two_new_questions_of_a_new_topic_share_its_file(review, nlu_data):
    two = BAGS.replace("stores", "bags").replace("messages:\n", "") + "\nmessages: []\n"
    second = """\
- intent: faq/bag_repair
  title: Bag repair
  topic: bags
  answer: ["We mend bags for £4.", "Bring your bag to any shop."]
  examples: [can you mend a bag, my strap snapped, fix my rucksack, new zip for a holdall, handle came off my tote]
"""
    first, _, _ = two.partition('- text: "bags at')
    done = review(first.rstrip() + "\n" + second)
    assert done.returncode == 0, done.stderr
    content = yaml.safe_load((nlu_data / "faq" / "bags.yml").read_text())
    assert [item["intent"] for item in content["nlu"]] == ["faq/carrier_bags", "faq/bag_repair"]
    assert list(content["responses"]) == ["utter_faq/carrier_bags", "utter_faq/bag_repair"]
    assert len(content["responses"]["utter_faq/bag_repair"]) == 2


def test_importing_twice_says_so_and_changes_nothing(review, files):
    text = BAGS + (
        '- text: "nine days for a lampshade that is not even lit"\n'
        "  triage: {complaint: true, severity: disapproval, sentiment: negative, category: delivery}\n"
        '- text: "zzz"\n  drop: true\n  from: {message: "m9"}\n'
        '- text: "left for another day"\n  intent:\n'
    )
    assert review(text).returncode == 0
    before = files()
    again = review(text)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == "nothing new: 12 there already, 1 still without a label\n"
    assert files() == before


def test_triage_labels_go_to_a_file_that_training_reads(review, nlu_data):
    text = '- text: "the zip on my new coat gave up: \\"quality\\""\n  triage: '
    done = review(
        f"messages:\n{text}{{complaint: true, severity: disapproval, sentiment: negative, category: [product]}}\n"
    )
    assert done.returncode == 0, done.stderr
    (example,) = [one for one in read_examples(nlu_data / "triage") if "zip on my new coat" in one.text]
    assert example.text == 'the zip on my new coat gave up: "quality"'
    assert (example.complaint, example.severity, example.category) == (True, "disapproval", ("product",))


def test_where_a_label_comes_from_is_kept_for_people(review, nlu_data):
    assert review(BAGS + '- text: "zzz"\n  drop: true\n  from: {message: "m9"}\n').returncode == 0
    text = (nlu_data / "provenance.yml").read_text()
    assert text.startswith("# Where labels come from")
    entries = yaml.safe_load(text)["labels"]
    (learnt,) = [one for one in entries if one.get("message") == "m1"]
    assert learnt["as"] == "faq/carrier_bags"
    assert (learnt["text"], learnt["guess"], learnt["why"]) == (
        "bags at the till how much",
        "nlu_fallback",
        ["not_understood"],
    )
    (dropped,) = [one for one in entries if one["as"] == "dropped"]
    assert "text" not in dropped


WRONG = """\
new:
- intent: faq/Bags
  title: A title that is far too long for a button
  topic: stores
  answer: "Unfortunately, we can't!"
  examples: [my order LF-123456, one, two, three, four]
- intent: faq/gift_wrap
  title: Gift wrap
  topic: orders
  answer: "Something else."
  examples: []
messages:
- text: "call me on 07700 900123"
  intent: faq/delivery_tme
- text: "how long does delivery take"
  intent: faq/delivery_cost
- text: "any news on LF-318842"
  intent: faq/order_status
- text: "a misspelt key"
  intnet: greet
- text: "kettle leaks"
  triage: {complaint: false, severity: blame, sentiment: sad}
- text: "the same words twice here"
  intent: greet
- text: "The same words, twice here!"
  intent: thanks
- text: "is delivery free of charge"
  triage: {complaint: false, severity: blame, sentiment: negative}
- text: "both"
  intent: greet
  drop: true
- text: "wow [this](product) is it"
  intent: greet
- text: "to measure"
  golden: true
mesages: []
"""


def test_all_problems_are_told_at_once_with_their_lines_and_nothing_is_written(review, files):
    before = files()
    done = review(WRONG)
    assert done.returncode == 1
    assert files() == before
    *problems, last = done.stderr.splitlines()
    assert last.endswith(f"{len(problems)} problems in {problems[0].split(':')[0]}; nothing was written")
    lines = ("review: 1\n" + WRONG).splitlines()
    told = [(lines[int(number) - 1].strip(), text) for _, number, text in (line.split(":", 2) for line in problems)]
    for begins, part in [
        ("- intent: faq/Bags", "'faq/Bags' must be"),
        ("title: A title", "36 are the most"),
        ('answer: "Unfortunately', "exclamation mark"),
        ('answer: "Unfortunately', "it says “Unfortunately”"),
        ("examples: [my order", "[order_number]"),
        ('answer: "Something else', "another answer already"),
        ('- text: "call me', "[phone]"),
        ("intent: faq/delivery_tme", "did you mean faq/delivery_time"),
        ('- text: "how long', "is faq/delivery_time already"),
        ('- text: "any news', "[order_number]"),
        ("intnet:", "did you mean intent"),
        ("triage: {complaint: false, severity: blame, sentiment: sad}", "sentiment: Input should be"),
        ('- text: "The same words', "is greet already"),
        ("triage: {complaint: false, severity: blame, sentiment: negative}", "only complaints have a severity"),
        ("drop: true", "dropped or labelled"),
        ('- text: "wow', "mark an entity"),
        ("golden: true", "needs an intent"),
        ("mesages:", "did you mean messages"),
    ]:
        assert [one for one in told if one[0].startswith(begins) and part in one[1]], (begins, part, told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("messages: [", "line 3: "),
        ("messages: []\nmessages: []", "'messages' is here a second time"),
        ("", None),
        ("messages: 5", "a list is needed"),
        ("new: 5", "new: a list is needed"),
        ("messages: &all [*all]", "holds itself"),
        ("messages: " + "[" * 100_000, "line 2: this is nested more than 50 levels deep"),
        ("messages:\n- ? [text]\n  : hello", ": a key must be a word"),
    ],
)
def test_a_broken_file_is_told_in_one_line(review, files, text, told):
    before = files()
    done = review(text)
    if told is None:
        assert (done.returncode, done.stdout) == (0, "nothing new: 0 there already, 0 still without a label\n")
    else:
        assert done.returncode == 1
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert files() == before


def test_a_message_may_be_measured_with_instead_of_learnt(review, nlu_data):
    text = (
        '- text: "when does the lorry with my wardrobe turn up"\n  intent: faq/delivery_large_items\n  golden: true\n'
    )
    assert review(f"messages:\n{text}").returncode == 0
    data = read_training_data(nlu_data)
    assert "when does the lorry with my wardrobe turn up" in [one.text for one in data.golden_phrases]
    assert "when does the lorry with my wardrobe turn up" not in [one.text for one in data.phrases]
    leak = review(
        'messages:\n- text: "When does the lorry with my wardrobe turn up?"\n  intent: faq/delivery_large_items\n'
    )
    assert leak.returncode == 1
    assert "a golden test says nearly the same" in leak.stderr


def test_what_says_nearly_the_same_as_another_intent_is_refused(review):
    text = "could you please tell me when i might expect an order placed this morning"
    done = review(f'messages:\n- text: "{text}"\n  intent: faq/delivery_cost\n')
    assert done.returncode == 1
    assert "nearly the same is faq/delivery_time" in done.stderr


def test_examples_that_are_no_block_are_left_alone_with_a_clear_line(review, nlu_data, files):
    file = nlu_data / "chitchat.yml"
    text = file.read_text().replace("- intent: chitchat/joke\n  examples: |", "- intent: chitchat/joke\n  examples: >-")
    file.write_text(text)
    before = files()
    done = review('messages:\n- text: "make me snort with laughter"\n  intent: chitchat/joke\n')
    assert done.returncode == 1
    assert "examples: |" in done.stderr
    assert files() == before
