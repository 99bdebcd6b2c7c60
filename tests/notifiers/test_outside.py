"""What owners name is asked, and nothing of the hub's own network is."""

import threading
from ipaddress import ip_address

import httpcore
import pytest

from farthing.errors import Malformed
from farthing.notifiers.outside import ANSWER_BYTES_MAX, Networks, Outside, check_url
from tests.receiver import receiving

LOCAL = Networks(["127.0.0.0/8"])
INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.7", "172.16.3.4", "192.168.1.1",
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1",
    "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
    "192.0.0.192", "fec0::1", "3fff::1",
]  # fmt: skip


NOWHERE = ["HTTPS://SHOP.EXAMPLE/", f"https://{'a' * 64}.example/", "https://a..example/"]
"""What looks like a URL of the web, and cannot be asked."""


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_the_inside_is_never_asked(address: str):
    assert not Networks().may_ask(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111"])
def test_a_public_address_is(address: str):
    assert Networks().may_ask(ip_address(address))


def test_the_operator_may_allow_a_network_and_no_more_than_that():
    allowed = Networks(["10.1.0.0/16"])
    assert allowed.may_ask(ip_address("10.1.2.3"))
    assert not allowed.may_ask(ip_address("10.2.2.3"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/", "shop.example", "https://", "https://a b/", "https://x:99999/",
        "https://user:word@shop.example/", "http://shop.example/", "https://127.0.0.1/",
        "https://[::1]/", "https://169.254.169.254/latest", "https://shop.example/#part",
        "https://shöp.example/", "https://shop.example\\@evil/", "http://10.0.0.1/",
        *NOWHERE,
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_asked_is_refused_before_it_is_kept(url: str):
    with pytest.raises(Malformed):
        check_url(url, Networks())


def test_plain_http_is_for_networks_of_the_operators_own():
    check_url("https://shop.example:8443/paid?a=1", Networks())
    check_url("http://127.0.0.1:9/paid", LOCAL)
    with pytest.raises(Malformed):
        check_url("http://8.8.8.8/paid", LOCAL)


async def test_a_message_is_posted_once_and_what_was_answered_is_told():
    with receiving() as receiver:
        receiver.answers = lambda got: 204 if got.path == "/yes" else 503
        outside = Outside(LOCAL)
        yes = await outside.post(f"{receiver.url}/yes", [("x-a", "1")], b"hello")
        no = await outside.post(f"{receiver.url}/no", [], b"hello")
        await outside.close()
    assert (yes.status, yes.fault, yes.delivered) == (204, "", True)
    assert (no.status, no.fault, no.delivered) == (503, "refused", False)
    assert receiver.got[0].body == b"hello"
    assert receiver.got[0].headers["x-a"] == "1"
    assert receiver.got[0].headers["host"] == receiver.url.removeprefix("http://")


async def test_what_cannot_be_asked_is_unreachable_and_no_error_of_ours():
    outside = Outside(Networks())
    for url in NOWHERE:
        posted = await outside.post(url, [], b"{}")
        assert (posted.status, posted.fault) == (0, "unreachable"), url
    await outside.close()


async def test_nothing_is_sent_to_an_address_that_is_not_allowed():
    with receiving() as receiver:
        outside = Outside(Networks())
        posted = await outside.post(f"{receiver.url}/", [], b"")
        await outside.close()
        assert receiver.got == []
    assert posted.fault == "address-refused"


async def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to():
    answers = iter([["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "127.0.0.1"]])
    asked = []

    async def names(host: str, port: int):
        asked.append((host, port))
        return next(answers)

    reached = []

    class Watching(httpcore.AnyIOBackend):
        async def connect_tcp(self, host, *_rest, **_more):
            reached.append(host)
            raise httpcore.ConnectError("nobody there")

    outside = Outside(Networks(), names=names)
    for pool in outside._pools.values():
        pool._network_backend._inner = Watching()
    posted = [await outside.post("https://shop.example/paid", [], b"") for _ in range(3)]
    await outside.close()
    assert asked == [("shop.example", 443)] * 3
    assert reached == ["93.184.216.34"]
    assert [one.fault for one in posted] == ["unreachable", "address-refused", "address-refused"]


async def test_a_redirect_is_a_refusal_and_is_not_followed():
    with receiving() as receiver:
        receiver.answers = lambda _got: (302, {"location": f"{receiver.url}/inside"}, b"")
        outside = Outside(LOCAL)
        posted = await outside.post(f"{receiver.url}/first", [], b"")
        await outside.close()
    assert (posted.status, posted.fault) == (302, "refused")
    assert [one.path for one in receiver.got] == ["/first"]


async def test_no_more_of_a_long_answer_is_read_than_some():
    with receiving() as receiver:
        size = 200 * ANSWER_BYTES_MAX
        receiver.answers = lambda _got: (200, {"content-length": str(size)}, b"x" * size)
        outside = Outside(LOCAL)
        posted = await outside.post(f"{receiver.url}/", [], b"")
        await outside.close()
    assert posted.delivered


async def test_an_endpoint_that_does_not_answer_in_time_is_left():
    let_go = threading.Event()

    def never(_got):
        let_go.wait(60)
        return 200

    with receiving() as receiver:
        receiver.answers = never
        outside = Outside(LOCAL, seconds=0.1)
        try:
            posted = await outside.post(f"{receiver.url}/", [], b"")
        finally:
            let_go.set()
        await outside.close()
    assert (posted.status, posted.fault) == (0, "timeout")
    assert posted.took_ms >= 100


async def test_an_endpoint_that_is_not_there_is_no_error_of_ours():
    with receiving() as receiver:
        url = receiver.url
    outside = Outside(LOCAL)
    posted = await outside.post(f"{url}/", [], b"")
    await outside.close()
    assert (posted.status, posted.fault) == (0, "unreachable")


async def test_how_long_to_wait_is_heard_and_bounded():
    with receiving() as receiver:
        receiver.answers = lambda got: (429, {"retry-after": got.path[1:]}, b"")
        outside = Outside(LOCAL)
        waits = [
            (await outside.post(f"{receiver.url}/{text}", [], b"")).wait_seconds
            for text in ("30", "99999", "soon")
        ]
        await outside.close()
    assert waits == [30, 3600, 0]
