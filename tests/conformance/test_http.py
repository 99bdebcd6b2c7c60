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
from tests.web.shop import Counter, Shop, selling, serving

from .hall import PRICE, Place, open_hall

VARIES = {"www-authenticate", "payment-receipt", "payment-response", "payment-required"}


def fields_of(answer: httpx.Response) -> dict[str, str]:
    """Give an answer's fields, but for those that differ between any two answers."""
    return {name: value for name, value in answer.headers.items() if name not in VARIES}


@pytest.mark.rule("rfc9110.head")
async def test_head(place: Place):
    """HEAD has the fields of GET, no content, and the same price."""
    async with open_hall(place, Counter(headers=[(b"content-length", b"5")])) as hall:
        got, head = await hall.ask(), await hall.ask("HEAD")
        assert (head.status_code, head.content) == (402, b"")
        assert set(head.headers) == set(got.headers)
        assert hall.ask_in(head).amount == hall.ask_in(got).amount == PRICE
        paid, paid_head = await hall.pay(), await hall.pay("HEAD")
        assert (paid_head.status_code, paid_head.content) == (200, b"")
        assert fields_of(paid_head) == fields_of(paid)
        assert await hall.earned() == 2 * PRICE


@pytest.mark.rule("rfc9110.allow", on="hub middleware proxy")
async def test_method_not_allowed(place: Place):
    """405 names the allowed methods."""
    async with open_hall(place) as hall:
        answer = await hall.ask("OPTIONS")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH, POST, PUT"
        told = await hall.town.ask("DELETE", "/v1/payments")
        assert told.status_code == 405 and "GET" in told.headers["allow"]


@pytest.mark.rule("asvs.13.4", "rfc9110.unknown-methods", on="hub middleware proxy")
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
async def test_unknown_methods(place: Place, method: str):
    """Methods nobody here knows are refused; TRACE reflects nothing."""
    async with open_hall(place) as hall:
        for answer in (
            await hall.ask(method, headers={"x-secret": "tell"}),
            await hall.ask(method, "/free", headers={"x-secret": "tell"}),
        ):
            assert answer.status_code == 501 and b"tell" not in answer.content
        told = await hall.town.ask(method, "/v1/payments")
        assert told.status_code in (405, 501)
        assert hall.stall.runs == 0


@pytest.mark.rule("mpp.not-for-other-faults", "rfc9110.challenge-fields", on="hub")
async def test_unauthenticated(tmp_path: Path):
    """Every 401 has its WWW-Authenticate."""
    async with open_town(tmp_path) as town:
        for headers in ({}, {"authorization": "Bearer nope"}, {"authorization": "Basic eDp5"}):
            answer = await town.ask("GET", "/v1/payments", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.rule("rfc9110.hop-by-hop", "rfc9110.relied-on", on="proxy")
async def test_hop_by_hop_fields():
    """A proxy ends hop-by-hop fields, yet a client strips nothing relied on."""
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


@pytest.mark.rule("rfc9111.private")
async def test_paid_answers_are_private(place: Place):
    """No shared cache may keep a paid answer, whoever says so."""
    stall = Counter(
        headers=[(b"cache-control", b"Public"), (b"cache-control", b"S-MaxAge=5"),
                 (b"cdn-cache-control", b"max-age=5"), (b"surrogate-control", b"max-age=5")]
    )  # fmt: skip
    async with open_hall(place, stall) as hall:
        answer = await hall.pay()
        assert answer.headers.get_list("cache-control") == ["private"]
        assert not {"cdn-cache-control", "surrogate-control"} & set(answer.headers)


@pytest.mark.rule("rfc9457.problems", on="hub middleware proxy")
async def test_problems(place: Place):
    """Every refusal is problem+json with type, title, status and a stable code."""
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


@pytest.mark.rule("rfc9530.compared")
async def test_content_digest(place: Place):
    """A SHA-256 or SHA-512 Content-Digest that is not the body's is refused."""
    async with open_hall(place) as hall:
        for name, known in (("sha-256", hashlib.sha256), ("sha-512", hashlib.sha512)):
            digest = base64.b64encode(known(b"body").digest()).decode()
            good = {"content-digest": f"md5=:AAAA:, {name}=:{digest}:"}
            assert (await hall.ask("POST", content=b"body", headers=good)).status_code == 402
            for other in (b"other", b""):
                answer = await hall.ask("POST", content=other, headers=good)
                assert (answer.status_code, answer.json()["code"]) == (400, "digest-mismatch")


@pytest.mark.rule("rfc7493.names", on="hub middleware proxy")
@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', '{"a":NaN}', '{"a":"\\ud800"}', '{"a":"\\u0000"}']
)
def test_i_json(text: str):
    """Names that stand twice, lone surrogates and what is no JSON are refused."""
    with pytest.raises(Malformed):
        read_json(text.encode())


@pytest.mark.rule("rfc8785.canonical", on="hub middleware proxy")
def test_canonical_json():
    """Members sorted by UTF-16, no spaces; money is text, never a number."""
    value: dict[str, Any] = {
        "é": 1,
        "b": "\u20ac",
        "a": [True, None],
        "\U0001f600": "x",
        "\ufb33": 0,
    }
    written = canonical_json(value)
    assert written == '{"a":[true,null],"b":"€","é":1,"😀":"x","\ufb33":0}'.encode()
    assert json.loads(written) == value


@pytest.mark.rule("rfc8032.scalar", "rfc8032.keys", "trap.small-order", on="hub")
def test_ed25519_is_strict():
    """S below L, canonical keys; and no key of small order is enrolled."""
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


@pytest.mark.rule(
    "rfc9421.components", "rfc9421.time", "rfc9421.nonce", "trap.body-beside-signature", on="hub"
)
async def test_message_signatures(tmp_path: Path):
    """Covered components, age and nonce of a device's signature are enforced."""
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
