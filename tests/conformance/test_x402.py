"""x402 v2 for a seller and a facilitator: the wire shapes, what is verified, extensions."""

import re
from typing import Any

import pytest

from farthing.clock import system_clock
from tests.web.shop import Counter, Shop, selling

from .hall import PRICE, Hall, Place, before, open_hall, opened, x402_field

SELLER = "seller.seller"


async def facilitator_body(hall: Hall, **changes: Any) -> dict[str, Any]:
    """Write what a stock seller sends to the facilitator."""
    asked = await hall.ask()
    payload = opened(hall.credential(asked, "x402", **changes)["payment-signature"])
    required = opened(asked.headers["payment-required"])["accepts"][0]
    return {"x402Version": 2, "paymentPayload": payload, "paymentRequirements": required}


@pytest.mark.rule("x402.payment-required", "x402.amounts")
async def test_payment_required(place: Place):
    """Version 2, resource, accepts with every required member."""
    async with open_hall(place) as hall:
        answer = await hall.ask()
        told = opened(answer.headers["payment-required"])
        assert (answer.status_code, told["x402Version"]) == (402, 2)
        assert told["resource"]["url"] == "http://shop.example/paid"
        [accepts] = told["accepts"]
        for name in ("scheme", "network", "amount", "asset", "payTo"):
            assert isinstance(accepts[name], str) and accepts[name]
        assert re.fullmatch("[0-9]+", accepts["amount"])
        assert isinstance(accepts["maxTimeoutSeconds"], int)
        assert isinstance(told["error"], str)


@pytest.mark.rule("x402.network")
async def test_network_is_caip_2(place: Place):
    """The network has the shape of CAIP-2."""
    async with open_hall(place) as hall:
        [accepts] = opened((await hall.ask()).headers["payment-required"])["accepts"]
        assert re.fullmatch("[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}", accepts["network"])


@pytest.mark.rule("x402.stable-requirements")
async def test_requirements_do_not_change_with_time(place: Place):
    """The requirements of a route can be compared by sellers."""
    async with open_hall(place) as hall:
        one, two = [(await hall.ask()).headers["payment-required"] for _ in range(2)]
        assert one == two


@pytest.mark.rule("x402.extensions")
@pytest.mark.parametrize(
    "info", [{}, {"required": True}, {"required": 0}, {"required": "false"}, None, []]
)
async def test_extensions_are_echoed(place: Place, info: Any):
    """A client may append to an extension, not delete or overwrite."""
    async with open_hall(place) as hall:
        message = opened(hall.credential(await hall.ask(), "x402")["payment-signature"])
        message["extensions"]["payment-identifier"]["info"] = info
        answer = await hall.ask(headers=x402_field(message))
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-credential")
        message["extensions"] = {"theirs": {"info": {}}}
        assert (await hall.ask(headers=x402_field(message))).status_code == 200


@pytest.mark.rule("x402.requirements-match")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scheme", "upto"),
        ("network", "farthing:" + "a" * 32),
        ("amount", "1"),
        ("amount", "3000"),
        ("asset", "EUR"),
        ("payTo", "acc_" + "0" * 26),
        ("maxTimeoutSeconds", 3600),
        ("extra", {"resource": "GET /other"}),
    ],
)
async def test_parameters_match_the_requirements(place: Place, name: str, value: Any):
    """Every accepted parameter is the original requirement's."""
    async with open_hall(place) as hall:
        message = opened(hall.credential(await hall.ask(), "x402")["payment-signature"])
        message["accepted"][name] = value
        answer = await hall.ask(headers=x402_field(message))
        assert answer.status_code in (400, 402)
        assert (await hall.earned(), hall.stall.runs) == (0, 0)
        told = opened(answer.headers["payment-response"]) if answer.status_code == 402 else {}
        assert not told.get("success")


@pytest.mark.rule("x402.exact-amount")
async def test_signature_is_over_the_exact_amount(place: Place):
    """A signature over another amount or payee does not hold."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        for changes in ({"amount": PRICE - 1}, {"amount": PRICE + 1}, {"resource": ""}):
            answer = await hall.ask(headers=hall.credential(asked, "x402", **changes))
            assert (answer.status_code, answer.json()["code"]) == (402, "verification-failed")
        assert (await hall.earned(), hall.stall.runs) == (0, 0)


@pytest.mark.rule("x402.balance")
async def test_balance_is_verified(place: Place):
    """A payer without the money is refused, and told so."""
    async with open_hall(place) as hall:
        await hall.town.made(
            "POST",
            "/v1/accounts",
            {"asset": "USD", "owner": hall.town.owners["buyer"], "name": "empty"},
            who="local",
        )
        listed = await hall.town.made("GET", "/v1/accounts", who="local")
        hall.town.accounts["empty"] = next(
            one["id"] for one in listed["items"] if one["name"] == "empty"
        )
        await hall.town.enrol("poor", "empty", hall.town.machines["meter"].mandate)
        hall.machine = "poor"
        answer = await hall.pay(language="x402")
        assert (answer.status_code, answer.json()["code"]) == (402, "insufficient-funds")
        assert opened(answer.headers["payment-response"])["errorReason"] == "insufficient_funds"


@pytest.mark.rule("x402.time-window")
async def test_time_window(place: Place):
    """An order has an explicit window, no longer than was asked."""
    async with open_hall(place) as hall:
        asked, now = await hall.ask(), system_clock() // 10**9
        for expires, code in ((now - 5, "order-expired"), (now + 900, "lifetime-too-long")):
            answer = await hall.ask(headers=hall.credential(asked, "x402", expires=expires))
            assert (answer.status_code, answer.json()["code"]) == (402, code)
        assert (await hall.earned(), hall.stall.runs) == (0, 0)


@pytest.mark.rule("farthing.nonce-decides", "x402.nonce")
async def test_nonce_is_unique(place: Place):
    """A nonce pays once; on another route it is refused."""
    async with open_hall(place) as hall:
        asked, nonce = await hall.ask(), hall.nonce()
        paying = hall.credential(asked, "x402", nonce=nonce)
        assert (await hall.ask(headers=paying)).status_code == 200
        assert (await hall.ask(headers=paying)).content == b"goods"
        other = hall.credential(await hall.ask(path="/item/one"), "x402", nonce=nonce)
        answer = await hall.ask(path="/item/one", headers=other)
        assert (answer.status_code, answer.json()["code"]) == (409, "nonce-used")
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("x402.http-malformed")
@pytest.mark.parametrize("value", ["%%%", "bnVsbA==", "e30=", "eyJ4NDAyVmVyc2lvbiI6MX0="])
async def test_malformed_payload(place: Place, value: str):
    """A malformed payload is 400."""
    async with open_hall(place) as hall:
        answer = await hall.ask(headers={"payment-signature": value})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-credential")


@pytest.mark.rule("x402.http-failed")
async def test_failed_verification(place: Place):
    """A failed check is 402 with PAYMENT-RESPONSE."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        answer = await hall.ask(headers=hall.credential(asked, "x402", amount=1))
        told = opened(answer.headers["payment-response"])
        assert (answer.status_code, told["success"]) == (402, False)
        assert told["errorReason"] == "verification_failed" and told["transaction"] == ""
        assert told["network"] == f"farthing:{hall.town.hub.ctx.identity.hub}"
        assert opened(answer.headers["payment-required"])["accepts"]


@pytest.mark.rule("x402.settlement-response")
async def test_settlement_response(place: Place):
    """Success, transaction, network, payer on a paid answer."""
    async with open_hall(place) as hall:
        told = opened((await hall.pay(language="x402")).headers["payment-response"])
        [payment] = await hall.payments()
        assert (told["success"], told["transaction"]) == (True, payment["id"])
        assert told["payer"] == hall.town.accounts["purse"]
        assert told["amount"] == str(PRICE)


@pytest.mark.rule("x402.served-after-settlement", "x402.rolled-back")
async def test_the_resource_comes_after_settlement(place: Place):
    """Content only after settlement; a failed one rolls back."""
    shop, handler = Shop(), Counter(body=b"the goods")
    shop.hub.fail("capture", 9)
    async with before(handler, place.surface) as sold, selling(shop, sold) as client:
        answer = await shop.pay(client, "GET", "/paid", "x402")
    assert answer.status_code == 503 and b"goods" not in answer.content
    assert (shop.spent, shop.states) == (0, ["voided"])


@pytest.mark.rule("x402.supported", on="hub")
async def test_supported(place: Place):
    """Kinds with version, scheme and network; extensions; signers."""
    async with open_hall(place) as hall:
        told = await hall.town.made("GET", "/supported")
        hub = hall.town.hub.ctx.identity.hub
        kind = {"x402Version": 2, "network": f"farthing:{hub}"}
        kinds = [kind | {"scheme": scheme} for scheme in ("exact", "upto", "batch-settlement")]
        assert told == {"kinds": kinds, "extensions": ["payment-identifier"], "signers": {}}


@pytest.mark.rule("x402.verify-and-settle", on="hub")
async def test_verify_and_settle(place: Place):
    """Verify holds, settle captures; the shapes are the specification's."""
    async with open_hall(place) as hall:
        body = await facilitator_body(hall)
        verified = await hall.town.made("POST", "/verify", body, who=SELLER)
        assert (verified["isValid"], verified["payer"]) == (True, hall.town.accounts["purse"])
        assert await hall.earned() == 0
        settled = await hall.town.made("POST", "/settle", body, who=SELLER)
        assert (settled["success"], settled["amount"]) == (True, str(PRICE))
        assert await hall.earned() == PRICE


@pytest.mark.rule("x402.duplicate-settlement", on="hub")
async def test_a_settlement_succeeds_once(place: Place):
    """A second settlement is refused as one."""
    async with open_hall(place) as hall:
        body = await facilitator_body(hall)
        first = await hall.town.made("POST", "/settle", body, who=SELLER)
        again = await hall.town.made("POST", "/settle", body, who=SELLER)
        assert (first["success"], again["success"]) == (True, False)
        assert again["errorReason"] == "duplicate_settlement"
        assert await hall.earned() == PRICE


@pytest.mark.rule("x402.error-codes", on="hub")
async def test_verify_refuses(place: Place):
    """A refusal is isValid false or success false with a reason."""
    async with open_hall(place) as hall:
        body = await facilitator_body(hall, amount=1)
        told = await hall.town.made("POST", "/verify", body, who=SELLER)
        assert told["isValid"] is False and told["invalidReason"]
        told = await hall.town.made("POST", "/settle", body, who=SELLER)
        assert told["success"] is False and told["errorReason"] and told["transaction"] == ""
        assert await hall.earned() == 0


def identified(message: dict[str, Any], identifier: Any) -> dict[str, str]:
    """Put an identifier into a payload."""
    message["extensions"]["payment-identifier"]["info"]["id"] = identifier
    return x402_field(message)


@pytest.mark.rule("x402.payment-identifier")
async def test_payment_identifier(place: Place):
    """Same id and request, one payment and its answer."""
    async with open_hall(place) as hall:
        for _ in range(3):
            paying = opened(hall.credential(await hall.ask(), "x402")["payment-signature"])
            answer = await hall.ask(headers=identified(paying, "order-0123456789"))
            assert (answer.status_code, answer.content) == (200, b"goods")
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("x402.payment-identifier-conflict")
async def test_payment_identifier_of_something_else(place: Place):
    """The same id with another payload is 409."""
    async with open_hall(place) as hall:
        for path, status in (("/item/one", 200), ("/item/two", 409)):
            asked = await hall.ask(path=path)
            paying = opened(hall.credential(asked, "x402")["payment-signature"])
            answer = await hall.ask(path=path, headers=identified(paying, "order-0123456789"))
            assert answer.status_code == status
        assert answer.json()["code"] == "idempotency-key-reused"
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("x402.payment-identifier-form")
@pytest.mark.parametrize("identifier", ["short", "x" * 129, "with space 012345", "é" * 20, 7, None])
async def test_payment_identifier_form(place: Place, identifier: Any):
    """16 to 128 characters of A-Za-z0-9_- or 400."""
    async with open_hall(place) as hall:
        paying = opened(hall.credential(await hall.ask(), "x402")["payment-signature"])
        answer = await hall.ask(headers=identified(paying, identifier))
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-credential")
