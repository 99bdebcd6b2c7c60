"""Text messages are received by a real message centre on this machine."""

from dataclasses import replace

import pytest
from smpplib import consts, gsm

from farthing.errors import Malformed
from farthing.notifiers.base import Notice, Text
from farthing.notifiers.sms import PARTS_MAX, Centre, TextMessages, text_of
from tests.notifiers.message_centre import centre
from tests.ports import free_port

NUMBER = "+4930901820"
WHY = 'This came because you are told about "Money moved".'
STOP = "Stop such notices: https://hub.example/s"
TEXT = Text("Money moved", "A payment was made.", WHY.replace(' "', " “").replace('".', "”."), STOP)
NOTICE = Notice("per_1.money.16", "money", "en", TEXT, "https://hub.example/wallet")


def way_to(port: int, password: str = "secret") -> TextMessages:
    return TextMessages(Centre("127.0.0.1", port, "hub", password, "Hub", seconds=3))


async def test_a_message_says_what_happened_and_how_to_stop_its_like():
    with centre() as kept:
        posted = await way_to(kept.port).tell(NUMBER, "", NOTICE)
    assert posted.delivered
    [(sender, number, text)] = kept.got
    assert (sender, number, kept.bound) == ("Hub", "4930901820", ["hub"])
    assert (
        text == f"Money moved: A payment was made.\n{WHY}\nStop such notices: https://hub.example/s"
    )


async def test_an_ask_carries_a_short_link_to_where_it_is_answered_whole_however_long_it_is():
    link = "https://hub.example/a/01m8ev8ddmhdscy4j570nbpj80"
    for body in ("A payment waits for your answer.", "č" * 2000):
        ask = replace(NOTICE, text=TEXT._replace(body=body), short_url=link)
        text = text_of(ask)
        assert text.split("\n")[1] == link
        assert text.endswith(f"\n{STOP}")
        assert (WHY in text) == (len(body) < 100)
        assert len(gsm.make_parts(text)[0]) <= PARTS_MAX


async def test_a_long_message_in_another_script_is_several_parts_and_ends_with_the_whole_link():
    long = replace(NOTICE, text=TEXT._replace(title="Überblick", body="č" * 2000))
    with centre() as kept:
        assert (await way_to(kept.port).tell(NUMBER, "", long)).delivered
    whole = "".join(text for _, _, text in kept.got)
    assert whole == text_of(long)
    assert whole.endswith(STOP)
    assert len(kept.got) == PARTS_MAX


@pytest.mark.parametrize("body", ["€" * 400, "[" * 500, "a" * 2000, "č" * 400])
async def test_a_message_is_three_parts_at_most_whatever_its_signs_take(body: str):
    with centre() as kept:
        assert (await way_to(kept.port).tell(NUMBER, "", _saying(body))).delivered
    whole = "".join(text for _, _, text in kept.got)
    assert whole == text_of(_saying(body))
    assert len(kept.got) == PARTS_MAX
    assert whole.endswith(STOP)


def test_what_is_cut_is_cut_as_late_as_it_fits():
    whole = text_of(_saying("a" * 2000))
    longer = whole.replace("a...", "aa...")
    assert len(gsm.make_parts(whole)[0]) == PARTS_MAX < len(gsm.make_parts(longer)[0])


def test_an_arrow_and_quotes_do_not_halve_what_fits_and_nothing_is_torn_between_parts():
    whole = text_of(_saying("20 USD → “shop” 🙂"))
    assert '20 USD -> "shop"' in whole
    parts, coding, _ = gsm.make_parts(whole)
    assert coding == consts.SMPP_ENCODING_DEFAULT
    assert "🙂" not in whole
    assert len(parts) == 1 + (len(whole) > 160)


def _saying(body: str) -> Notice:
    return replace(NOTICE, text=TEXT._replace(body=body))


@pytest.mark.parametrize(
    "status, told, gone",
    [(0x0B, 410, True), (0x58, 429, False), (0x14, 429, False), (0x45, 400, False)],
)
async def test_what_a_centre_refuses_is_told_and_a_number_that_is_none_is_gone(status, told, gone):
    with centre() as kept:
        kept.status = status
        posted = await way_to(kept.port).tell(NUMBER, "", NOTICE)
    assert (posted.status, posted.fault, posted.gone) == (told, "refused", gone)
    assert kept.got == []


async def test_a_wrong_password_and_a_centre_that_is_away_are_no_errors_of_ours():
    with centre() as kept:
        assert (await way_to(kept.port, "wrong").tell(NUMBER, "", NOTICE)).fault == "refused"
    assert (await way_to(free_port()).tell(NUMBER, "", NOTICE)).fault == "unreachable"


@pytest.mark.parametrize(
    "number", ["030901820", "+0301234567", "+49 30 1", "+4930901820\0", "+١٢٣٤٥٦٧٨"]
)
def test_what_is_no_number_is_refused(number):
    way_to(1).check(NUMBER, "")
    with pytest.raises(Malformed) as refused:
        way_to(1).check(number, "")
    assert refused.value.code == "malformed-address"
