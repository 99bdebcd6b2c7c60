"""A program of one's own gets a signed message; Apprise goes only where the operator lets it."""

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from farthing.clock import system_clock
from farthing.codec import to_base64url
from farthing.errors import Malformed
from farthing.notifiers.apprise import Services
from farthing.notifiers.outside import Networks, Outside
from farthing.notifiers.signed import written_secret
from farthing.notifiers.webhook import PersonsWebhook
from tests.notifiers.test_sms import NOTICE
from tests.receiver import receiving

KEY = bytes(range(32))
NOW_NS = 1_900_000_000 * 10**9


async def test_a_message_to_a_program_verifies_with_the_published_library():
    outside = Outside(Networks(["127.0.0.0/8"]))
    with receiving() as receiver:
        way = PersonsWebhook(outside.post, Networks(), system_clock, outside.close)
        posted = await way.tell(f"{receiver.url}/told", to_base64url(KEY), NOTICE)
        await way.close()
    assert posted.delivered
    [got] = receiver.got
    told = Webhook(written_secret(KEY)).verify(got.body, got.headers)
    assert told["type"] == "notice.money"
    assert told["data"]["body"] == "A payment was made."
    assert got.id == "msg_per_1_money_16"
    with pytest.raises(WebhookVerificationError):
        Webhook(written_secret(bytes(32))).verify(got.body, got.headers)


@pytest.mark.parametrize("url", ["https://127.0.0.1/a", "http://shop.example/a", "ftp://a.example"])
def test_a_program_in_the_hubs_own_network_is_told_nothing(url):
    outside = Outside(Networks())
    way = PersonsWebhook(outside.post, Networks(), lambda: NOW_NS, outside.close)
    with pytest.raises(Malformed):
        way.check(url, "")


async def test_apprise_tells_by_a_service_that_the_operator_allows():
    with receiving() as receiver:
        place = receiver.url.replace("http://", "json://")
        way = Services(["json"], Networks(["127.0.0.0/8"]))
        way.check(place, "")
        assert (await way.tell(place, "", NOTICE)).delivered
        receiver.answers = lambda _got: 500
        assert (await way.tell(place, "", NOTICE)).fault == "refused"
    told = receiver.got[0].told
    assert told["title"] == "Money moved"
    assert "A payment was made." in told["message"]
    assert "https://hub.example/s" in told["message"]


@pytest.mark.parametrize(
    "place, code",
    [
        ("json://10.0.0.1/", "url-refused"),
        ("JSON://10.0.0.1/", "url-refused"),
        ("syslog://", "url-refused"),
        ("https://hub.example", "url-refused"),
        ("tgram://", "malformed-address"),
        ("tgram://x\n", "malformed-address"),
    ],
)
def test_apprise_goes_nowhere_else(place, code):
    with pytest.raises(Malformed) as refused:
        Services(["tgram"], Networks(["10.0.0.0/8"])).check(place, "")
    assert refused.value.code == code


@pytest.mark.parametrize(
    "place",
    ["ntfys://10.0.0.1/a", "ntfys://localhost/a", "ntfys://[::1]:8402/a", "json://hub.example/a",
     "ntfys://u:p@10.0.0.1/a", "ntfys://a/b?mode=private", "jsons://169.254.169.254/latest"],
)  # fmt: skip
def test_apprise_leads_to_no_host_that_a_person_names(place):
    with pytest.raises(Malformed) as refused:
        Services(["ntfys", "json", "jsons"], Networks(["192.0.2.0/24"])).check(place, "")
    assert refused.value.code == "url-refused"


def test_apprise_leads_to_its_services_and_to_the_operators_own_networks():
    way = Services(["ntfys", "tgram"], Networks(["10.0.0.0/8"]))
    for place in (
        "ntfys://a-topic",
        "ntfys://10.0.0.1/a",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
    ):
        way.check(place, "")
