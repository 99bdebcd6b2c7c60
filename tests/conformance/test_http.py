"""What HTTP and its neighbours demand of whatever prices, charges and proxies requests."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing import keys
from farthing.codec import canonical_json, read_json
from farthing.errors import Malformed
from farthing.web.proxy import ReverseProxy
from tests.web.api.town import open_town
from tests.web.shop import Counter, Shop, raw, selling, serving

from .hall import PRICE, Place, open_hall

VARIES = {"www-authenticate", "payment-receipt", "payment-response", "payment-required"}


def fields_of(answer: httpx.Response) -> dict[str, str]:
    """Give an answer's fields, but for those that differ between any two answers."""
    return {name: value for name, value in answer.headers.items() if name not in VARIES}


async def test_head(place: Place):
    """RFC 9110, §9.3.2: HEAD has the fields of GET, no content, and the same price."""
    async with open_hall(place, Counter(headers=[(b"content-length", b"5")])) as hall:
        got, head = await hall.ask(), await hall.ask("HEAD")
        assert (head.status_code, head.content) == (402, b"")
        assert set(head.headers) == set(got.headers)
        assert hall.ask_in(head).amount == hall.ask_in(got).amount == PRICE
        paid, paid_head = await hall.pay(), await hall.pay("HEAD")
        assert (paid_head.status_code, paid_head.content) == (200, b"")
        assert fields_of(paid_head) == fields_of(paid)
        assert await hall.earned() == 2 * PRICE


async def test_method_not_allowed(place: Place):
    """RFC 9110, §15.5.6: 405 names the allowed methods."""
    async with open_hall(place) as hall:
        answer = await hall.ask("OPTIONS")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH, POST, PUT"
        told = await hall.town.ask("DELETE", "/v1/payments")
        assert told.status_code == 405 and "GET" in told.headers["allow"]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
async def test_unknown_methods(place: Place, method: str):
    """RFC 9110, §15.6.2: methods nobody here knows are refused; TRACE reflects nothing."""
    async with open_hall(place) as hall:
        for answer in (
            await hall.ask(method, headers={"x-secret": "tell"}),
            await hall.ask(method, "/free", headers={"x-secret": "tell"}),
        ):
            assert answer.status_code == 501 and b"tell" not in answer.content
        told = await hall.town.ask(method, "/v1/payments")
        assert told.status_code in (405, 501)
        assert hall.stall.runs == 0


async def test_unauthenticated(tmp_path: Path):
    """RFC 9110, §15.5.2: every 401 has its WWW-Authenticate."""
    async with open_town(tmp_path) as town:
        for headers in ({}, {"authorization": "Bearer nope"}, {"authorization": "Basic eDp5"}):
            answer = await town.ask("GET", "/v1/payments", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer ")


HOSTS = [b"", b"Host: a\r\nHost: b\r\n", b"Host: a b\r\n", b"Host: a/b\r\n"]
FRAMINGS = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: +5\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n",
    b"Transfer-Encoding: gzip\r\n",
]


@pytest.mark.parametrize("hosts", HOSTS)
async def test_host(hosts: bytes):
    """RFC 9112, §3.2: a missing, repeated or invalid Host is 400."""
    shop, handler = Shop(), Counter()
    async with serving(shop.paywall.wrap(handler)) as url:
        answer = await raw(url, b"GET /paid HTTP/1.1\r\n" + hosts + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and handler.runs == 0


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_framing(framing: bytes):
    """RFC 9112, §6: lengths that contradict each other are refused and the connection is closed."""
    shop, handler = Shop(), Counter()
    async with serving(shop.paywall.wrap(handler)) as url:
        head = b"POST /free HTTP/1.1\r\nHost: a\r\n" + framing
        answer = await raw(url, head + b"\r\n0\r\n\r\nGET /free HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"HTTP/1.1 200" not in answer
    assert handler.runs == 0


async def test_hop_by_hop_fields():
    """RFC 9110, §7.6.1: a proxy ends hop-by-hop fields, yet a client strips nothing relied on."""
    shop, upstream = Shop(), Counter()
    async with serving(upstream) as behind:
        front = ReverseProxy(behind)
        async with selling(shop, front) as client:
            named = "close, x-mine, authorization, farthing-payer, farthing-payment-id"
            headers = {"connection": named, "x-mine": "1", "te": "trailers", "x-other": "2"}
            assert (await shop.pay(client, "GET", "/paid", headers=headers)).status_code == 200
        await front.aclose()
    assert upstream.seen["x-other"] == "2"
    assert not {"x-mine", "te", "authorization"} & set(upstream.seen)
    assert upstream.seen["farthing-payer"] == shop.device
    assert upstream.seen["farthing-payment-id"] in shop.hub.payments


async def test_paid_answers_are_private(place: Place):
    """RFC 9111, §3.5 and §5.2.2: no shared cache may keep a paid answer, whoever says so."""
    stall = Counter(
        headers=[(b"cache-control", b"Public"), (b"cache-control", b"S-MaxAge=5"),
                 (b"cdn-cache-control", b"max-age=5"), (b"surrogate-control", b"max-age=5")]
    )  # fmt: skip
    async with open_hall(place, stall) as hall:
        answer = await hall.pay()
        assert answer.headers.get_list("cache-control") == ["private"]
        assert not {"cdn-cache-control", "surrogate-control"} & set(answer.headers)


async def test_problems(place: Place):
    """RFC 9457, §3: every refusal is problem+json with type, title, status and a stable code."""
    async with open_hall(place) as hall:
        answers = [
            await hall.ask(path="/paid/none"),
            await hall.ask("OPTIONS"),
            await hall.ask("TRACE"),
            await hall.ask(path="/paid/%2e%2e/free"),
            await hall.town.ask("GET", "/v1/nothing"),
            await hall.town.ask("POST", "/v1/payments", content=b"{"),
            await hall.town.ask("GET", "/v1/payments"),
        ]
        for answer in answers:
            assert answer.headers["content-type"] == "application/problem+json"
            assert {"type", "title", "status", "code"} <= set(answer.json())
            assert answer.json()["status"] == answer.status_code >= 400


async def test_content_digest(place: Place):
    """RFC 9530, §2: a SHA-256 or SHA-512 Content-Digest that is not the body's is refused."""
    async with open_hall(place) as hall:
        for name, known in (("sha-256", hashlib.sha256), ("sha-512", hashlib.sha512)):
            digest = base64.b64encode(known(b"body").digest()).decode()
            good = {"content-digest": f"md5=:AAAA:, {name}=:{digest}:"}
            assert (await hall.ask("POST", content=b"body", headers=good)).status_code == 402
            for other in (b"other", b""):
                answer = await hall.ask("POST", content=other, headers=good)
                assert (answer.status_code, answer.json()["code"]) == (400, "digest-mismatch")


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', '{"a":NaN}', '{"a":"\\ud800"}', '{"a":"\\u0000"}']
)
def test_i_json(text: str):
    """RFC 7493, §2: names that stand twice, lone surrogates and what is no JSON are refused."""
    with pytest.raises(Malformed):
        read_json(text.encode())


def test_canonical_json():
    """RFC 8785, §3.2: members sorted by UTF-16, no spaces; money is text, never a number."""
    value: dict[str, Any] = {"é": 1, "b": "\u20ac", "a": [True, None], "\U0001f600": "x"}
    written = canonical_json(value)
    assert written == '{"a":[true,null],"b":"€","é":1,"😀":"x"}'.encode()
    assert json.loads(written) == value


def test_ed25519_is_strict():
    """RFC 8032, §5.1.7: S below L, canonical keys; and no key of small order is enrolled."""
    signer = keys.Ed25519Signer(bytes(range(32)))
    signature = signer.sign(b"order")
    order = 2**252 + 27742317777372353535851937790883648493
    larger = int.from_bytes(signature[32:], "little") + order
    assert keys.verify(signer.public, signature, b"order")
    assert not keys.verify(signer.public, signature[:32] + larger.to_bytes(32, "little"), b"order")
    for point in (bytes(32), b"\x01" + bytes(31), b"\xff" * 32):
        encoded = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
        with pytest.raises(Malformed):
            keys.check_public_key(f"ed25519:{encoded}")


async def test_message_signatures(tmp_path: Path):
    """RFC 9421, §3.2: covered components, age and nonce of a device's signature are enforced."""
    async with open_town(tmp_path) as town:
        paid, meter = await town.pay(), town.machines["meter"]
        path = f"/v1/payments/{paid['id']}"
        assert (await town.ask("GET", path, who="meter")).status_code == 200

        async def sent(to: str = path, **how: Any) -> int:
            request = town.http.build_request("GET", path)
            town.sign(request, meter, **how)
            moved = town.http.build_request("GET", to, headers=request.headers)
            return (await town.http.send(moved)).status_code

        nonce = town.nonce()
        assert await sent(nonce=nonce) == 200
        assert await sent(nonce=nonce) == 401
        assert await sent(at=town.clock() // 10**9 - 3600) == 401
        assert await sent(to="/v1/payments") == 401
