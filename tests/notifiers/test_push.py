"""What is pushed is read by the browser it is for, and by nobody else."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from farthing.codec import from_base64url, to_base64url
from farthing.errors import Malformed
from farthing.notifiers.base import Action, Notice, Posted, Text
from farthing.notifiers.outside import Networks
from farthing.notifiers.push import (
    PLAIN_BYTES_MAX,
    WebPush,
    encrypted,
    payload,
    public_of,
    read_keys,
    signing_key,
)
from tests.notifiers.subscriber import Subscriber

URL = "https://push.example/wpush/v2/abc"
NOW_S = 1_800_000_000
NOTICE = Notice(
    "per_1.asks.16", "security", "en", Text("Your answer is wanted", "1 USD", "why", "stop"),
    "https://hub.example/wallet", urgent=True, seconds=90, subject="pay_1", ticket="t",
    actions=[Action("approve", "Approve"), Action("deny", "Deny")],
)  # fmt: skip


def test_the_example_of_the_standard_comes_out_byte_by_byte():
    """RFC 8291, appendix A."""
    plain = b"When I grow up, I want to be a watermelon"
    point = from_base64url(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    )
    private = from_base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    own = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
    auth, salt = from_base64url("BTBZMqHH6r4Tts7J_aSIgg"), from_base64url("DGv6ra1nlYgDCS1FRnbzlw")
    assert to_base64url(encrypted(plain, point, auth, own, salt)) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAm"
        "S6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_"
        "Qulcy4a-fN"
    )


class Service:
    """A push service that keeps what came."""

    def __init__(self, status: int = 201) -> None:
        self.got, self.status = [], status

    async def __call__(self, url, headers, body) -> Posted:
        self.got.append((url, dict(headers), body))
        return Posted(self.status, "" if self.status < 300 else "refused", 3)


def way_to(service: Service) -> WebPush:
    return WebPush(
        service, Networks(), lambda: b"secret", "mailto:a@hub.example", lambda: NOW_S * 10**9
    )


async def test_a_browser_reads_what_is_pushed_to_it():
    service, browser = Service(), Subscriber()
    posted = await way_to(service).tell(URL, browser.keys, NOTICE)
    assert posted.delivered
    [(url, headers, body)] = service.got
    assert url == URL
    assert (headers["TTL"], headers["Urgency"]) == ("90", "high")
    assert len(from_base64url(headers["Topic"])) <= 24
    assert b"USD" not in body
    told = browser.read(body)
    assert told["tag"] == told["id"] == "per_1.asks.16"
    assert (told["title"], told["body"]) == ("Your answer is wanted", "1 USD")
    assert [one["action"] for one in told["actions"]] == ["approve", "deny"]
    assert told["ticket"] == "t"


async def test_a_push_service_can_check_who_sends_it():
    service, browser = Service(), Subscriber()
    way = way_to(service)
    await way.tell(URL, browser.keys, NOTICE)
    scheme, _, rest = service.got[0][1]["Authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    signed, _, raw = parts["t"].rpartition(".")
    point = from_base64url(parts["k"])
    assert (scheme, parts["k"]) == ("vapid", way.public_key)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    raw = from_base64url(raw)
    both = [int.from_bytes(half, "big") for half in (raw[:32], raw[32:])]
    key.verify(encode_dss_signature(*both), signed.encode(), ec.ECDSA(hashes.SHA256()))
    claims = json.loads(from_base64url(signed.split(".")[1]))
    assert claims["aud"] == "https://push.example"
    assert claims["sub"] == "mailto:a@hub.example"
    assert 0 < claims["exp"] - NOW_S <= 86_400


def test_the_hubs_key_is_the_same_every_time_and_another_hubs_is_not():
    assert (
        public_of(signing_key(b"a")) == public_of(signing_key(b"a")) != public_of(signing_key(b"b"))
    )


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_not_subscribed_any_more_is_gone(status):
    assert (await way_to(Service(status)).tell(URL, Subscriber().keys, NOTICE)).gone
    assert not (await way_to(Service(429)).tell(URL, Subscriber().keys, NOTICE)).gone


def test_a_long_text_is_cut_so_that_a_push_service_takes_it():
    long = replace(NOTICE, text=Text("t", "ä" * 5000, "why", "stop"))
    written = payload(long)
    assert len(written) <= PLAIN_BYTES_MAX
    assert json.loads(written)["body"].endswith("ä…")


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/a", "https://10.0.0.1/a", "http://push.example/a", "https://[::1]/a"]
)
def test_a_url_that_leads_into_the_hubs_own_network_is_refused(url):
    with pytest.raises(Malformed):
        way_to(Service()).check(url, Subscriber().keys)


@pytest.mark.parametrize(
    "spoil",
    [
        {"p256dh": to_base64url(bytes(65))},
        {"p256dh": to_base64url(b"\x04" + bytes(64))},
        {"auth": to_base64url(bytes(15))},
        {"auth": "§"},
        {"p256dh": 5},
    ],
)
def test_keys_that_are_none_are_refused(spoil):
    read_keys(Subscriber().keys)
    with pytest.raises(Malformed) as refused:
        read_keys(json.dumps(json.loads(Subscriber().keys) | spoil))
    assert refused.value.code == "malformed-push-keys"
