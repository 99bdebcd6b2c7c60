"""Text messages are received by a real message centre on this machine."""

from dataclasses import replace

import pytest

from farthing.errors import Malformed
from farthing.notifiers.base import Notice, Text
from farthing.notifiers.sms import Centre, TextMessages, text_of
from tests.notifiers.message_centre import centre
from tests.ports import free_port

NUMBER = "+4930901820"
TEXT = Text("Money moved", "A payment was made.", "why", "Stop such notices: https://hub.example/s")
NOTICE = Notice("per_1.money.16", "money", "en", TEXT, "https://hub.example/wallet")


def way_to(port: int, password: str = "secret") -> TextMessages:
    return TextMessages(Centre("127.0.0.1", port, "hub", password, "Hub", seconds=3))


async def test_a_message_says_what_happened_and_how_to_stop_its_like():
    with centre() as kept:
        posted = await way_to(kept.port).tell(NUMBER, "", NOTICE)
    assert posted.delivered
    [(sender, number, text)] = kept.got
    assert (sender, number, kept.bound) == ("Hub", "4930901820", ["hub"])
    assert text == ("Money moved: A payment was made.\nStop such notices: https://hub.example/s")


async def test_an_ask_carries_a_short_link_to_where_it_is_answered_whole_however_long_it_is():
    link = "https://hub.example/a/01m8ev8ddmhdscy4j570nbpj80"
    for body in ("A payment waits for your answer.", "č" * 2000):
        ask = replace(NOTICE, text=TEXT._replace(body=body), short_url=link)
        text = text_of(ask)
        assert text.split("\n")[1:] == [link, "Stop such notices: https://hub.example/s"]
        assert len(text) <= 440


async def test_a_long_message_in_another_script_is_several_parts_and_ends_with_the_whole_link():
    long = replace(NOTICE, text=TEXT._replace(title="Überblick", body="č" * 2000))
    with centre() as kept:
        assert (await way_to(kept.port).tell(NUMBER, "", long)).delivered
    whole = "".join(text for _, _, text in kept.got)
    assert whole == text_of(long)
    assert len(whole) <= 440
    assert whole.endswith("Stop such notices: https://hub.example/s")
    assert len(kept.got) > 1


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
