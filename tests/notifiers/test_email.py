"""Mail is received by a real SMTP server on this machine."""

import email
import email.policy

import pytest

from farthing.core.events import EXPLAINED, Event, Kind
from farthing.core.notices import LANES, LANGUAGES, Told, Wishes, class_of
from farthing.money import Asset
from farthing.notifiers.email import Letter, Server, send
from farthing.notifiers.words import written
from tests.notifiers.mailbox import receiving_mail
from tests.ports import free_port

URL = "https://hub.example/stop/abc"
ASSETS = {"USD": Asset("USD", 6)}


def letter(wishes: Wishes | None = None, to: str = "ann@home.example") -> Letter:
    body = {"asset": "USD", "captured": "1500000"}
    events = [Event(i, "own_1", "payment.captured", "pay_1", 0, body) for i in (1, 2)]
    told = Told(LANES["money"], tuple(events))
    return Letter("not_1", to, written(told, wishes or Wishes({}), ASSETS, URL), URL)


async def test_a_mail_says_what_happened_why_it_came_and_stops_by_one_click():
    with receiving_mail() as (box, server):
        posted = await send(server, letter(), 1_800_000_000)
    assert posted.delivered
    [(to, raw)] = box.got
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert to == ["ann@home.example"]
    assert mail["subject"] == "Money moved"
    assert mail["message-id"] == "<not_1@hub.example>"
    assert mail["list-unsubscribe"] == f"<{URL}>"
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    text = mail.get_content()
    assert "You paid (2 times)." in text
    assert "you are told about “Money moved”" in text
    assert URL in text
    assert "3" not in text.split("--")[0]


async def test_amounts_are_shown_to_who_wants_them_and_never_in_the_title():
    text = letter(Wishes({}, shows_amounts=True)).text
    assert "3.00 USD" in text.body or "3 USD" in text.body
    assert "USD" not in text.title


async def test_a_german_reader_is_told_in_german():
    with receiving_mail() as (box, server):
        await send(server, letter(Wishes({}, language="de")), 1_800_000_000)
    mail = email.message_from_bytes(box.got[0][1], policy=email.policy.default)
    assert mail["subject"] == "Geld wurde bewegt"
    assert "Sie haben bezahlt (2-mal)." in mail.get_content()


@pytest.mark.parametrize(
    "answer, status, gone",
    [("550 no such mailbox", 410, True), ("451 later", 451, False)],
)
async def test_a_mailbox_that_is_not_there_is_gone_and_one_that_is_busy_is_not(
    answer, status, gone
):
    with receiving_mail() as (box, server):
        box.answer = answer
        posted = await send(server, letter(), 1_800_000_000)
    assert (posted.status, posted.fault, posted.gone) == (status, "refused", gone)
    assert box.got == []


async def test_an_address_cannot_add_a_line_to_the_mail():
    with receiving_mail() as (box, server):
        posted = await send(server, letter(to="a@b.example\r\nBcc: c@d.example"), 1_800_000_000)
    assert posted.fault == "malformed-address"
    assert box.got == []


async def test_a_server_that_is_not_there_is_no_error_of_ours():
    server = Server("127.0.0.1", free_port(), "none", seconds=2)
    posted = await send(server, letter(), 1_800_000_000)
    assert (posted.status, posted.fault) == (0, "unreachable")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_that_is_told_has_words_in_every_language(language):
    for kind in EXPLAINED:
        about = class_of(kind)
        if about is not None:
            lane = next(one for one in LANES.values() if kind in one.kinds)
            told = Told(lane, (Event(1, "own_1", kind.value, "", 0, {}),))
            text = written(told, Wishes({}, language=language), ASSETS, URL)
            assert text.body.strip(".")
            assert text.title in text.why or lane.name == "asks"
    assert class_of(Kind.PAYMENT_HELD) is None


@pytest.mark.parametrize(
    "accounts, kind, line",
    [
        ({"acc_a"}, "payment.captured", "You paid."),
        ({"acc_b"}, "payment.captured", "You were paid."),
        ({"acc_a", "acc_b"}, "payment.captured", "You paid."),
        ({"acc_a"}, "payment.refunded", "You got money back."),
        ({"acc_b"}, "payment.refunded", "You gave money back."),
    ],
)
def test_who_pays_is_told_otherwise_than_who_is_paid(accounts, kind, line):
    event = Event(1, "own_1", kind, "pay_1", 0, {"payer": "acc_a", "payee": "acc_b"})
    told = Told(LANES["money"], (event,), accounts=frozenset(accounts))
    assert written(told, Wishes({}), ASSETS, URL).body == line


async def test_a_link_stands_in_the_head_as_it_is_however_long():
    """A mail program reads it there, and decodes nothing."""
    url = f"https://hub.example/notices/stop/per_{'0' * 26}.account.{'x' * 22}"
    text = letter().text
    with receiving_mail() as (box, server):
        await send(server, Letter("n" * 70, "ann@home.example", text, url, "de"), 1_800_000_000)
    head = box.got[0][1].partition(b"\r\n\r\n")[0].decode("ascii")
    assert f"List-Unsubscribe: <{url}>\r\n" in head
    assert f"Message-ID: <{'n' * 70}@hub.example>\r\n" in head
    assert "Content-Language: de" in head
    assert "=?" not in head
