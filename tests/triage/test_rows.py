"""What is read of files: CSV of every kind, JSON Lines, and what breaks in them."""

import csv
from functools import partial
from io import BufferedReader, BytesIO

import pytest

from bot.conversation.errors import BadInput
from bot.triage import csv_rows, lines
from bot.triage.csv_rows import CsvRows
from bot.triage.jsonl_rows import JsonlRows
from bot.triage.lines import read_lines
from bot.triage.rows import BadRow, Kind, kind_of


def read_csv(content: str | bytes, column: str = "text", encoding: str | None = None) -> CsvRows:
    raw = content.encode() if isinstance(content, str) else content
    return CsvRows(read_lines(BufferedReader(BytesIO(raw)), encoding), column)


def read_jsonl(content: str, column: str = "text") -> list:
    return list(JsonlRows(read_lines(BufferedReader(BytesIO(content.encode())), None), column))


def texts(rows) -> list[str]:
    return [row.text for row in rows]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_out(separator):
    rows = read_csv(f"id{separator}text\n7{separator}hello\n")
    assert [dict(row.own) for row in rows] == [{"id": "7", "text": "hello"}]


def test_the_separator_is_the_one_that_gives_the_column():
    assert texts(read_csv("text;likes, shares, views\nhello;1\n")) == ["hello"]


def test_a_file_of_one_column_needs_no_separator():
    assert texts(read_csv("text\nhello; you\n")) == ["hello; you"]


def test_in_a_file_of_one_column_commas_are_part_of_the_text():
    rows = read_csv('text\nlate, again, and broken\n"quoted, too"\nplain\n')
    assert [row.text for row in rows] == ["late, again, and broken", "quoted, too", "plain"]


def test_excels_own_mark_is_obeyed():
    assert texts(read_csv("sep=;\ntext;a,b\nhello;1\n")) == ["hello"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_encoding_is_found_out(encoding):
    rows = read_csv("text,naïve\ncafé – £5,ü\n".encode(encoding))
    assert rows.columns == ("text", "naïve")
    assert texts(rows) == ["café – £5"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_reading_leaves_the_file_open(encoding):
    file = BufferedReader(BytesIO("text\nhello\n".encode(encoding)))
    assert len(list(read_lines(file))) == 2
    assert not file.closed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_the_line_ends_of_an_old_mac_are_line_ends(encoding):
    file = BufferedReader(BytesIO('id,text\r1,café\r2,"two\rlines"\r'.encode(encoding)))
    assert texts(CsvRows(read_lines(file), "text")) == ["café", "two\rlines"]
    assert not file.closed


def test_lines_of_several_encodings_are_read_each_by_its_own():
    assert texts(read_csv("text\ncafé\n".encode() + "café\n".encode("cp1252"))) == ["café", "café"]


def test_another_encoding_can_be_named_and_must_be_known():
    assert texts(read_csv("text\nпривет\n".encode("cp1251"), encoding="cp1251")) == ["привет"]
    for unknown in ("rot26", "undefined", "hex"):
        with pytest.raises(BadInput, match=f"{unknown} is not known"):
            read_csv("text\n", encoding=unknown)


def test_quoted_cells_keep_lines_quotes_and_separators():
    (row,) = read_csv('id,text\r\n1,"two\r\nlines, ""quoted"""\r\n')
    assert row.text == 'two\r\nlines, "quoted"'


def test_a_missing_column_is_told_with_those_that_are_there():
    with pytest.raises(BadInput, match="no column 'body'; there are: id, text"):
        read_csv("id,text\n", "body")


def test_a_column_may_differ_by_case_and_blanks_if_only_one_does():
    assert texts(read_csv("id, Text \n1,hello\n")) == ["hello"]
    with pytest.raises(BadInput, match="no column 'text'"):
        read_csv("TEXT,Text\na,b\n")


def test_columns_of_one_name_are_told_apart():
    assert read_csv("text,a,a,a\n").columns == ("text", "a", "a.2", "a.3")


def test_one_of_several_columns_of_one_name_can_be_chosen():
    assert [row.text for row in read_csv("text,text\nhello,my kettle broke\n", "text.2")] == ["my kettle broke"]


def test_rows_that_can_not_be_used_are_told_by_number_and_skipped():
    rows = list(read_csv("id,text\n1,good\n\n2,\n3,a,b\n4\n5,good\n"))
    assert [(row.number, getattr(row, "why", "")) for row in rows] == [
        (1, ""),
        (2, "the text is empty"),
        (3, "it has 3 columns, the header has 2"),
        (4, "the text is empty"),
        (5, ""),
    ]


@pytest.mark.parametrize("rest", ["2,fine\n3,fine\n", '2,fine\n3,"fine"\n'])
def test_a_quotation_mark_that_nobody_closed_costs_only_its_own_row(rest):
    first, *others = read_csv(f'id,text\n1,"open\n{rest}')
    assert isinstance(first, BadRow)
    assert (first.number, "line 2 is not CSV" in first.why) == (1, True)
    assert texts(others) == ["fine", "fine"]


def test_a_row_without_end_costs_only_its_own_row(monkeypatch, request):
    request.addfinalizer(partial(csv.field_size_limit, csv.field_size_limit()))
    monkeypatch.setattr(csv_rows, "MAX_ROW_CHARS", 50)
    first, *others = read_csv('text\n"open\n' + "fine\n" * 30)
    assert "too long" in first.why
    assert texts(others) == ["fine"] * 30


def test_a_line_without_end_is_not_kept(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_CHARS", 100)
    rows = list(read_csv("text\n" + "x" * 1000 + "\n" + "y" * 99 + "\n" + "z" * 500))
    assert [getattr(row, "text", None) for row in rows] == [None, "y" * 99, None]


def test_an_empty_file_is_told():
    with pytest.raises(BadInput, match="the file is empty"):
        read_csv("")


def test_broken_lines_of_json_are_told_by_number_and_skipped():
    broken = '{"text": \n[1]\n{"id": 1}\n{"text": 5}\n{"text": " "}\n'
    rows = read_jsonl('{"text": "good", "id": 7}\n\n' + broken + '{"text": "good"}')
    assert [(row.number, getattr(row, "why", "")) for row in rows] == [
        (1, ""),
        (3, "it is not JSON at column 10"),
        (4, "it is not a JSON object"),
        (5, "'text' is missing"),
        (6, "'text' is a number, not a text"),
        (7, "'text' is empty"),
        (8, ""),
    ]
    assert rows[0].own == {"text": "good", "id": 7}


def test_json_that_is_nested_too_deep_is_a_bad_row():
    rows = read_jsonl('{"text": "good"}\n' + "[" * 100_000 + "\n")
    assert isinstance(rows[1], BadRow)


def test_a_field_that_the_first_object_lacks_is_told_with_those_that_are_there():
    with pytest.raises(BadInput, match="no column 'text'; there are: id, body"):
        read_jsonl('{"id": 1, "body": "x"}\n')


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("a.csv", b"", Kind.CSV),
        ("a.TSV", b"", Kind.CSV),
        ("a.ndjson", b"", Kind.JSONL),
        ("a.mbox", b"", Kind.MBOX),
        ("-", b'\xef\xbb\xbf {"te', Kind.JSONL),
        ("-", b"From ann", Kind.MBOX),
        ("a.txt", b"id;text", Kind.CSV),
    ],
)
def test_the_kind_is_known_by_the_ending_or_by_the_first_bytes(name, start, kind):
    assert kind_of(name, start) is kind


@pytest.mark.parametrize(
    ("name", "start", "told"), [("a.xlsx", b"PK\x03\x04", "as CSV"), ("a.json", b"[{", "JSON Lines")]
)
def test_what_can_not_be_read_is_told_with_what_can(name, start, told):
    with pytest.raises(BadInput, match=told):
        kind_of(name, start)
