"""What is read of mails: the words of who sent them."""

from email.message import EmailMessage
from io import BytesIO

import pytest

from bot.conversation.errors import BadInput
from bot.triage import mbox_rows
from bot.triage.html_text import html_text
from bot.triage.mbox_rows import MboxRows
from bot.triage.replies import own_words
from bot.triage.rows import BadRow, Row


def mbox(*mails: bytes) -> list[Row | BadRow]:
    content = b"".join(
        b"From ann@example.com Thu Nov 26 10:00:00 2026\n" + mail.rstrip(b"\n") + b"\n\n" for mail in mails
    )
    return list(MboxRows(BytesIO(content)))


def mail(text: str = "The kettle is broken.", html: str | None = None, **headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in ({"subject": "Kettle", "from": "Ann <ann@example.com>"} | headers).items():
        made[name.replace("_", "-")] = value
    if text:
        made.set_content(text)
    if html and text:
        made.add_alternative(html, subtype="html")
    elif html:
        made.set_content(html, subtype="html")
    return made


def test_a_mail_is_its_subject_and_its_text():
    given = mail(message_id="<1@example.com>", date="Thu, 26 Nov 2026 10:00:00 +0100")
    (row,) = mbox(bytes(given))
    assert row.text == "Kettle\n\nThe kettle is broken."
    assert row.own == {
        "message_id": "<1@example.com>",
        "date": "2026-11-26T10:00:00+01:00",
        "from": "Ann <ann@example.com>",
        "subject": "Kettle",
        "text": row.text,
    }


def test_headers_and_bodies_are_decoded():
    raw = (
        b"Subject: =?utf-8?B?S8O8Y2hl?= =?iso-8859-1?Q?_caf=E9?=\nContent-Type: text/plain; charset=iso-8859-1\n"
        b"Content-Transfer-Encoding: quoted-printable\n\nTr=E8s f=E2ch=E9e=\n.\n"
    )
    (row,) = mbox(raw)
    assert row.text == "Küche café\n\nTrès fâchée."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Küche kaputt für 5 €".encode(), "Küche kaputt für 5 €"),
        ("Küche kaputt".encode("cp1252"), "Küche kaputt"),
        ("Für 5 € ".encode() + b"=?iso-8859-1?Q?caf=E9?=", "Für 5 € café"),
    ],
)
def test_a_header_that_was_sent_without_encoding_is_read(written, read):
    (row,) = mbox(b"Subject: " + written + b"\nFrom: J\xc3\xb6rg <j@example.com>\n\nHelp.\n")
    assert (row.own["subject"], row.own["from"]) == (read, "Jörg <j@example.com>")


def test_the_plain_part_wins_against_html_and_attachments_are_left():
    given = mail("Plain.", "<p>Marked up.</p>")
    given.add_attachment("Not this.", filename="notes.txt")
    (row,) = mbox(bytes(given))
    assert row.text == "Kettle\n\nPlain."


def test_html_alone_is_read_as_text():
    html = "<style>p {}</style><p>It&nbsp;is <b>broken</b>.<br>Twice.</p><blockquote>Dear Ann</blockquote>"
    (row,) = mbox(bytes(mail("", html)))
    assert row.text == "Kettle\n\nIt is broken.\nTwice."


def test_what_a_mail_program_wraps_as_quoted_is_left():
    html = '<div>Yes.</div><div class="gmail_quote"><div>On Monday</div><div>Old</div></div><div>Bye</div>'
    assert html_text(html) == "Yes.\nBye"


def test_mails_are_told_apart_at_from_after_a_blank_line_only():
    rows = mbox(b"Subject: One\n\nFirst line.\nFrom here on.\n\n>From the start.\n>>From twice.\n", bytes(mail()))
    assert [row.text for row in rows] == [
        "One\n\nFirst line.\nFrom here on.\n\nFrom the start.",
        "Kettle\n\nThe kettle is broken.",
    ]


def test_the_subject_of_a_reply_is_not_what_its_sender_said():
    (row,) = mbox(bytes(mail("Still broken!", subject="Re: Your order has been delivered")))
    assert row.text == "Still broken!"


def test_a_file_without_a_mail_is_told_and_an_empty_mailbox_is_none():
    with pytest.raises(BadInput, match="there is no mail in it"):
        list(MboxRows(BytesIO(b"id,text\n1,The kettle is broken.\n")))
    assert list(MboxRows(BytesIO(b"\n"))) == []


def test_a_mail_without_text_is_its_subject_and_one_without_both_is_a_bad_row():
    first, second = mbox(b"Subject: Call me\n\n", b"Subject: \n\n")
    assert (first.text, second) == ("Call me", BadRow(2, "the mail has no text"))


def test_an_unknown_charset_and_broken_base64_do_not_stop_anything():
    rows = mbox(
        b"Subject: =?x-none?B?SGk=?=\nContent-Type: text/plain; charset=x-none\n\ncaf\xc3\xa9\n",
        b"Subject: A\nContent-Transfer-Encoding: base64\n\n!!!\n",
        bytes(mail()),
    )
    assert [row.number for row in rows] == [1, 2, 3]
    assert rows[0].text == "Hi\n\ncafé"
    assert rows[2].text == "Kettle\n\nThe kettle is broken."


def test_what_is_attached_to_a_huge_mail_is_not_kept(monkeypatch):
    monkeypatch.setattr(mbox_rows, "MAX_MAIL_BYTES", 5_000)
    given = mail()
    given.add_attachment(b"\0" * 100_000, maintype="image", subtype="png", filename="photo.png")
    first, second = mbox(bytes(given), bytes(mail("Second.")))
    assert first.text == "Kettle\n\nThe kettle is broken."
    assert second.text == "Kettle\n\nSecond."


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("No!\n\nOn Thu, 26 Nov 2026 at 10:00, Ann <a@example.com> wrote:\n> Is it fine?\n", "No!"),
        ("No!\n\nOn Thu, 26 Nov 2026, Ann\n<a@example.com> wrote:\n\n> Fine?\n\nReally not.", "No!\n\n\nReally not."),
        ("No!\n\nOn Mon, Ann Example wrote:\n\n> Fine?\n", "No!"),
        ("On the box you wrote:\nthis way up. It was not.", "On the box you wrote:\nthis way up. It was not."),
        ("Nein!\n\nAm 26.11.2026 um 10:00 schrieb Ann Beispiel:\nIst es gut?\n", "Nein!"),
        ("No.\n\n-----Original Message-----\nFrom: Ann\nFine?", "No."),
        ("No.\n-- \nAnn\nSales", "No."),
        ("> Is it fine?\nNo.", "No."),
        (
            "On Monday the 3rd I wrote to you, and then:\nnothing.",
            "On Monday the 3rd I wrote to you, and then:\nnothing.",
        ),
        ("> only quoted", "> only quoted"),
    ],
)
def test_quotations_and_signatures_are_not_the_senders_words(text, own):
    assert own_words(text) == own
