"""The MPP core draft, as a server has to satisfy it: challenges, credentials, errors, receipts."""

import hashlib
import hmac
import re

import pytest

from farthing.clock import parse_time, system_clock
from farthing.codec import canonical_json, from_base64url, to_base64url
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.testing.worlds import HandClock

from .hall import (
    PRICE,
    Counter,
    Place,
    asks_afresh,
    challenge_of,
    inside,
    mpp_field,
    mpp_message,
    open_hall,
)

MPP_TYPE = "https://paymentauth.org/problems/"


@pytest.mark.rule("mpp.no-credential")
async def test_no_credential(place: Place):
    """Without a credential, 402 with a fresh challenge each time."""
    async with open_hall(place) as hall:
        first = await hall.ask()
        assert asks_afresh(first) and asks_afresh(await hall.ask(), first)
        assert first.json()["type"] == MPP_TYPE + "payment-required"


@pytest.mark.rule("mpp.malformed")
@pytest.mark.parametrize("value", ["!!!", "e30", "bnVsbA", "eyJhIjox", "e30=", "W10"])
async def test_malformed_credential(place: Place, value: str):
    """An unreadable credential is 402 malformed-credential, asked anew."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        answer = await hall.ask(headers={"authorization": f"Payment {value}"})
        assert asks_afresh(answer, asked)
        assert answer.json()["type"] == MPP_TYPE + "malformed-credential"
        assert hall.stall.runs == 0


@pytest.mark.rule("mpp.unknown-challenge")
async def test_unknown_challenge(place: Place):
    """An id this server never gave is 402 invalid-challenge."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        message = mpp_message(hall.credential(asked))
        message["challenge"]["id"] = to_base64url(bytes(32))
        answer = await hall.ask(headers=mpp_field(message))
        assert asks_afresh(answer, asked)
        assert answer.json()["type"] == MPP_TYPE + "invalid-challenge"
        assert await hall.payments() == []


@pytest.mark.rule("mpp.expired-challenge")
async def test_expired_challenge(place: Place):
    """An expired challenge is 402 payment-expired, asked anew."""
    clock = HandClock(system_clock())
    async with open_hall(place, clock=clock) as hall:
        asked = await hall.ask()
        late = hall.credential(asked)
        clock.move(301)
        answer = await hall.ask(headers=late)
        assert asks_afresh(answer, asked)
        assert answer.json()["type"] == MPP_TYPE + "payment-expired"
        assert (await hall.earned(), hall.stall.runs) == (0, 0)


@pytest.mark.rule("mpp.bad-proof")
async def test_bad_proof(place: Place):
    """A proof that does not hold is 402 verification-failed."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        message = mpp_message(hall.credential(asked))
        message["payload"]["signature"] = to_base64url(bytes(64))
        answer = await hall.ask(headers=mpp_field(message))
        assert asks_afresh(answer, asked)
        assert answer.json()["type"] == MPP_TYPE + "verification-failed"
        assert (await hall.earned(), hall.stall.runs) == (0, 0)


@pytest.mark.rule("mpp.policy")
async def test_policy_denies(place: Place):
    """Where the payment is sound but policy says no, 403, no challenge."""
    async with open_hall(place) as hall:
        await hall.town.enrol("shy", "purse", await hall.town.mandate(ask_above="10"))
        hall.machine = "shy"
        answer = await hall.pay()
        assert (answer.status_code, answer.json()["code"]) == (403, "awaiting-owner")
        assert "www-authenticate" not in answer.headers
        assert "payment-required" not in answer.headers


@pytest.mark.rule("mpp.402-asks")
async def test_every_402_has_a_challenge(place: Place):
    """No 402 without a challenge, whatever failed, the handler too."""
    async with open_hall(place, Counter(402)) as hall:
        asked = await hall.ask()
        for sent in ("Payment x", "Payment e30", "Payment"):
            assert asks_afresh(await hall.ask(headers={"authorization": sent}))
        assert asks_afresh(await hall.ask(headers=hall.credential(asked, amount=1)))
        assert asks_afresh(await hall.ask(headers=hall.credential(asked, payee="acc_" + "0" * 26)))
        assert (await hall.pay()).status_code == 403  # The handler's own 402 asks for nothing.


@pytest.mark.rule("mpp.402-asks", on="hub")
async def test_the_api_has_no_402(place: Place):
    """The hub's API sells nothing, and refuses payments with 422."""
    async with open_hall(place) as hall:
        order = hall.town.payment(999_999_999)
        for path in ("/v1/payments", "/v1/payments/authorise"):
            answer = await hall.town.ask("POST", path, order, who="seller.seller")
            assert answer.status_code in (200, 422)
            assert "refused" in answer.text or answer.json()["code"] == "mandate-largest"
        expired = hall.town.payment(expires=1_000_000_000)
        answer = await hall.town.ask("POST", "/v1/payments", expired)
        assert (answer.status_code, answer.json()["code"]) == (422, "order-expired")


@pytest.mark.rule("mpp.not-for-other-faults")
async def test_other_faults_are_not_402(place: Place):
    """A missing resource or method is 404 or 405, not 402."""
    async with open_hall(place) as hall:
        assert (await hall.ask(path="/paid/none")).status_code == 404
        assert (await hall.ask("OPTIONS")).status_code == 405


@pytest.mark.rule("mpp.challenge-id", "mpp.request-encoding")
async def test_required_parameters(place: Place):
    """Id, realm, method, intent, JCS request."""
    async with open_hall(place) as hall:
        told = challenge_of(await hall.ask())
        assert told["id"] and told["realm"] == "shop.example"
        assert re.fullmatch("[a-z]+", told["method"])
        assert re.fullmatch("[A-Za-z0-9-]+", told["intent"])
        assert "=" not in told["request"]
        assert from_base64url(told["request"]) == canonical_json(inside(told["request"]))


@pytest.mark.rule("mpp.expires", "mpp.digest", "mpp.opaque")
async def test_optional_parameters(place: Place):
    """Expires always, digest for bodies, flat opaque."""
    async with open_hall(place) as hall:
        told = challenge_of(await hall.ask("POST", content=b"body"))
        assert parse_time(told["expires"]) > system_clock() // 10**9
        digest = to_base64url(hashlib.sha256(b"body").digest())
        assert told["digest"].translate(str.maketrans("+/", "-_")) == f"sha-256=:{digest}=:"
        opaque = inside(told["opaque"])
        assert all(isinstance(value, str) for value in opaque.values())
        assert from_base64url(told["opaque"]) == canonical_json(opaque)
        assert "digest" not in challenge_of(await hall.ask())


@pytest.mark.rule("mpp.binding-hmac")
async def test_binding_is_the_recommended_hmac(place: Place):
    """The id is HMAC-SHA256 over seven slots joined by |."""
    async with open_hall(place) as hall:
        told = challenge_of(await hall.ask("POST", content=b"body"))
        slots = ("realm", "method", "intent", "request", "expires", "digest", "opaque")
        joined = "|".join(told.get(slot, "") for slot in slots)
        [secret, *_] = hall.town.hub.challenge_secrets
        expected = hmac.new(secret, joined.encode(), hashlib.sha256).digest()
        assert told["id"] == to_base64url(expected)


@pytest.mark.rule("mpp.binding")
@pytest.mark.parametrize("slot", ["realm", "request", "expires", "digest", "opaque"])
async def test_binding_is_verified(place: Place, slot: str):
    """A credential whose parameters were changed is refused."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        message = mpp_message(hall.credential(asked))
        cheaper = inside(message["challenge"]["request"]) | {"amount": "1"}
        message["challenge"][slot] = {
            "realm": "other.example",
            "request": to_base64url(canonical_json(cheaper)),
            "expires": "2099-01-01T00:00:00Z",
            "digest": "sha-256=:" + "A" * 43 + "=:",
            "opaque": to_base64url(canonical_json({"nonce": hall.nonce()})),
        }[slot]
        answer = await hall.ask(headers=mpp_field(message))
        assert asks_afresh(answer, asked)
        assert answer.json()["code"] == "invalid-challenge"
        assert (await hall.earned(), hall.stall.runs) == (0, 0)


@pytest.mark.rule("mpp.digest-compared")
async def test_digest_is_compared(place: Place):
    """Another body than the challenge's is refused."""
    async with open_hall(place) as hall:
        paying = hall.credential(await hall.ask("POST", content=b"one thing"))
        for other in (b"another thing", b""):
            answer = await hall.ask("POST", content=other, headers=paying)
            assert answer.status_code == 402
            assert answer.json()["code"] in ("verification-failed", "invalid-challenge")
        assert (await hall.earned(), hall.stall.runs) == (0, 0)
        assert (await hall.ask("POST", content=b"one thing", headers=paying)).status_code == 200


@pytest.mark.rule("mpp.receipt")
async def test_receipt(place: Place):
    """Status success, method, timestamp and reference on 2xx."""
    async with open_hall(place) as hall:
        answer = await hall.pay()
        receipt = inside(answer.headers["payment-receipt"])
        assert (receipt["status"], receipt["method"]) == ("success", "farthing")
        assert parse_time(receipt["timestamp"]) <= system_clock() // 10**9
        [payment] = await hall.payments()
        assert receipt["reference"] == payment["id"]


@pytest.mark.rule("mpp.no-receipt-for-errors")
@pytest.mark.parametrize("status", [303, 400, 402, 404, 500])
async def test_no_receipt_but_on_success(place: Place, status: int):
    """Never on errors, nor beyond 2xx, even if the handler sets one."""
    stall = Counter(status, headers=[(b"payment-receipt", b"e30")])
    async with open_hall(place, stall) as hall:
        answer = await hall.pay()
        assert "payment-receipt" not in answer.headers
        assert await hall.earned() == (PRICE if status < 400 else 0)


class Barter(Mpp):
    """Another method beside ours."""

    def challenge(self, terms, now_ns, problem):
        """Write a challenge of the method `barter`."""
        [(name, value)] = super().challenge(terms, now_ns, problem)
        return [(name, value.replace('method="farthing"', 'method="barter"'))]

    def carries(self, headers):
        """Read nothing."""
        return headers is None


@pytest.mark.rule("mpp.accept-payment")
@pytest.mark.parametrize(
    ("accept", "methods"),
    [
        (None, ["farthing", "barter"]),
        ("barter/charge", ["barter"]),
        ("barter/charge, farthing/*;q=0.5", ["barter", "farthing"]),
        ("*/*", ["farthing", "barter"]),
        ("*/*;q=0.3, farthing/charge;q=0.1", ["barter", "farthing"]),
        ("farthing/charge;q=0, */charge", ["barter"]),
        ("tempo/charge", ["farthing", "barter"]),
        ("not a range", ["farthing", "barter"]),
        ("farthing/charge;q=7", ["farthing", "barter"]),
    ],
)
async def test_accept_payment(place: Place, accept: str | None, methods: list[str]):
    """It filters and orders, or is ignored."""
    secret = [bytes(32)]
    async with open_hall(place, languages=[Mpp(secret), Barter(secret), X402()]) as hall:
        sent = {} if accept is None else {"accept-payment": accept}
        answer = await hall.ask(headers=sent)
        told = answer.headers.get_list("www-authenticate")
        assert [re.search('method="([a-z]+)"', one)[1] for one in told] == methods  # type: ignore[index]
        assert "payment-required" in answer.headers
        refused = await hall.ask(headers=sent | {"authorization": "Payment x"})
        assert len(refused.headers.get_list("www-authenticate")) == len(methods)


@pytest.mark.rule("mpp.problems")
async def test_problem_details(place: Place):
    """Problem+json with type, title, status and detail."""
    async with open_hall(place) as hall:
        for answer in (await hall.ask(), await hall.ask(headers={"authorization": "Payment x"})):
            assert answer.headers["content-type"] == "application/problem+json"
            told = answer.json()
            assert told["status"] == answer.status_code
            assert told["type"].startswith(MPP_TYPE) and told["title"] and told["detail"]


@pytest.mark.rule("mpp.unknown-ignored")
async def test_unknown_members_are_ignored(place: Place):
    """Unknown parameters and fields of the envelope are ignored."""
    async with open_hall(place) as hall:
        message = mpp_message(hall.credential(await hall.ask()))
        message["source"] = "did:key:z6Mk"
        message["later"] = {"version": 2}
        message["challenge"]["flavour"] = "new"
        assert (await hall.ask(headers=mpp_field(message))).status_code == 200
