from datetime import date
from pathlib import Path

import pytest

from bot.conversation.errors import ConfigError
from bot.nlu.entities import EntityFinder
from tests.running import ROOT

TODAY = date(2026, 3, 18)  # a Wednesday


@pytest.fixture(scope="module")
def finder() -> EntityFinder:
    return EntityFinder(ROOT / "nlu_data" / "entities")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("what about LF-123456?", "order_number", "LF-123456"),
        ("its lf 118822", "order_number", "LF-118822"),
        ("order no. 118822 is late", "order_number", "LF-118822"),
        ("118822", "order_number", "LF-118822"),
        ("paid £1,200 for it", "amount", "GBP 1200.00"),
        ("12.50 pounds", "amount", "GBP 12.50"),
        ("€20 more", "amount", "EUR 20.00"),
        ("12,50 euros", "amount", "EUR 12.50"),
        ("$5", "amount", "USD 5.00"),
        ("it was 99p", "amount", "GBP 0.99"),
        ("twenty five quid gone", "amount", "GBP 25.00"),
        ("a fiver short", "amount", "GBP 5.00"),
        ("gave her two tenners", "amount", "GBP 20.00"),
        ("fifty pence short", "amount", "GBP 0.50"),
        ("1.200,50 EUR", "amount", "EUR 1200.50"),
        ("£1.200 for that?", "amount", "GBP 1200.00"),
        ("on 3rd of april", "date", "2026-04-03"),
        ("i ordered it on 3 july", "date", "2025-07-03"),
        ("paid for delivery on 3 april", "date", "2026-04-03"),
        ("i ordered it, can you bring it on 3 july", "date", "2026-07-03"),
        ("is 3 july free", "date", "2026-07-03"),
        ("on 03/04/2026", "date", "2026-04-03"),
        ("yesterday", "date", "2026-03-17"),
        ("came last monday", "date", "2026-03-16"),
        ("bought on tuesday", "date", "2026-03-17"),
        ("can you deliver on tuesday", "date", "2026-03-24"),
        ("can you look, i ordered it on tuesday", "date", "2026-03-17"),
        ("tuesday would be best", "date", "2026-03-24"),
        ("monday just gone", "date", "2026-03-16"),
        ("two weeks ago", "date", "2026-03-04"),
        ("a fortnight ago", "date", "2026-03-04"),
        ("due on 3/4", "date", "2026-04-03"),
        ("3/4", "date", "2026-04-03"),
        ("on 03/25/2026", "date", "2026-03-25"),
        ("booked for 20th", "date", "2026-03-20"),
        ("came yday", "date", "2026-03-17"),
        ("on boxing day", "date", "2025-12-26"),
        ("write to Jo.Bloggs@mail.example please", "email", "jo.bloggs@mail.example"),
        ("ring 01632 960 001", "phone", "+441632960001"),
        ("my Air Fryers", "product", "air fryer"),
        ("a desk chair", "product", "chair"),
        ("the leeds shop", "store", "Leeds"),
        ("the nottinham shop", "store", "Nottingham"),
        ("your mancehster shop", "store", "Manchester"),
    ],
)
def test_entities_are_found_and_normalised(finder: EntityFinder, text: str, kind: str, value: str) -> None:
    assert [(entity.kind, entity.value) for entity in finder.find(text, TODAY)] == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I paid in 118822 pieces of my heart and more words than these few",
        "open 24/7",
        "50 percent off",
        "may I ask",
        "in march",
        "help desk",
        "I live in Leeds near the shop",
        "100%",
        "9/10 from me",
        "3/4 length",
        "every monday it fails",
        "the shop on york road",
        "on 31/02/2026",
    ],
)
def test_what_only_looks_like_an_entity_is_left_alone(finder: EntityFinder, text: str) -> None:
    assert finder.find(text, TODAY) == ()


def test_offsets_point_into_the_text_as_written(finder: EntityFinder) -> None:
    text = "It’s LF-123456 – I’ve paid £12.50"
    found = finder.find(text, TODAY)
    assert [text[entity.start : entity.end] for entity in found] == ["LF-123456", "£12.50"]


def test_designers_can_add_a_kind(tmp_path: Path) -> None:
    (tmp_path / "colour.yml").write_text("entity: colour\nvalues: {red: [scarlet, 'dark? crimson']}\nnot: [red tape]\n")
    found = EntityFinder(tmp_path).find("dark crimson, reds and red tape", TODAY)
    assert [(entity.kind, entity.start, entity.end) for entity in found] == [("colour", 0, 12), ("colour", 14, 18)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("entity: x\nformats: [{pattern: '(', value: y}]", "no regular expression"),
        ("entity: x\nformats: [{pattern: a}]", r"formats\.0\.value"),
        ("entity: x\nvalues: {a: ['.. b']}", "begin and end"),
        ("- just a list", "does not hold"),
        ("entity: [", "can't be read"),
    ],
)
def test_a_wrong_pattern_file_is_told(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "wrong.yml").write_text(content)
    with pytest.raises(ConfigError, match=told):
        EntityFinder(tmp_path)


def test_a_folder_without_patterns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no entity patterns"):
        EntityFinder(tmp_path)
