"""What this hub decides where the specifications leave room, as docs/reference/methods.md says."""

import re
from pathlib import Path

import pytest

from farthing.cli.serving import check_exposure
from farthing.core.receipts import receipt_fault
from farthing.errors import BadConfig
from farthing.protocols.mpp import check_realm
from farthing.settings import Config, Server
from tests.web.api.town import open_town

from .hall import PRICE, Counter, Hall, Place, challenge_of, inside, open_hall
from .test_x402 import facilitator_body


async def revoke(hall: Hall) -> None:
    """Let the owner revoke the device."""
    device = hall.town.machines["meter"].id
    await hall.town.made("POST", f"/v1/devices/{device}/revoke", who="buyer.owner")


@pytest.mark.rule("farthing.order-of-checks")
async def test_order_of_checks(place: Place):
    """A device revoked since gets its earlier answer, nothing new."""
    async with open_hall(place) as hall:
        paying, unused = [hall.credential(await hall.ask()) for _ in range(2)]
        assert (await hall.ask(headers=paying)).status_code == 200
        await revoke(hall)
        assert (await hall.ask(headers=paying)).content == b"goods"
        answer = await hall.ask(headers=unused)
        assert (answer.status_code, answer.json()["code"]) == (402, "device-revoked")
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("farthing.already-paid")
async def test_one_credential_one_run(place: Place):
    """After a restart, 409 already-paid with receipt and status URL."""
    async with open_hall(place) as hall:
        paying = hall.credential(await hall.ask())
        await hall.ask(headers=paying)
        hall.become()
        answer = await hall.ask(headers=paying)
        assert (answer.status_code, answer.json()["code"]) == (409, "already-paid")
        assert (
            receipt_fault(answer.json()["receipt"], hall.town.hub.ctx.identity.root_public) is None
        )
        shown = await hall.town.ask("GET", answer.json()["status_url"], who="meter")
        assert shown.json()["state"] == "captured"
        assert "www-authenticate" not in answer.headers
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("farthing.awaiting", "mpp.retry-after")
async def test_awaiting(place: Place):
    """403 with Retry-After and Location; the same credential goes on after."""
    async with open_hall(place) as hall:
        await hall.town.enrol("shy", "purse", await hall.town.mandate(ask_above="10"))
        hall.machine = "shy"
        paying = hall.credential(await hall.ask())
        asked = await hall.ask(headers=paying)
        assert (asked.status_code, asked.json()["code"]) == (403, "awaiting-owner")
        assert int(asked.headers["retry-after"]) > 0
        where = asked.headers["location"]
        assert (await hall.town.ask("GET", where, who="shy")).json()["state"] == "awaiting"
        await hall.town.made("POST", f"{where}/approve", who="buyer.owner")
        assert (await hall.ask(headers=paying)).content == b"goods"
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("farthing.awaiting-202", on="hub")
async def test_the_api_answers_202_while_the_owner_is_asked(tmp_path: Path):
    """POST /v1/payments answers 202 and where to look."""
    async with open_town(tmp_path) as town:
        await town.enrol("shy", "purse", await town.mandate(ask_above="10"))
        answer = await town.ask("POST", "/v1/payments", town.payment(machine="shy"))
        assert (answer.status_code, answer.json()["state"]) == (202, "awaiting")
        assert answer.headers["location"] == f"/v1/payments/{answer.json()['id']}"


@pytest.mark.rule("farthing.capture-at-the-head")
@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_nobody_pays_for_a_failure(place: Place, status: int):
    """A response head of 400 and above releases the money."""
    async with open_hall(place, Counter(status)) as hall:
        assert (await hall.pay()).status_code == status
        assert await hall.earned() == 0
        assert [payment["state"] for payment in await hall.payments()] == ["voided"]


@pytest.mark.rule("farthing.realm")
async def test_the_realm_is_configured(place: Place):
    """The realm is configuration, whatever Host says, and has no |."""
    async with open_hall(place) as hall:
        answer = await hall.ask(headers={"host": "evil.example"})
        assert challenge_of(answer)["realm"] == "shop.example"
        for realm in ("a|b", "", "é"):
            with pytest.raises(BadConfig):
                check_realm(realm)


@pytest.mark.rule("farthing.tls-or-loopback", "owasp-api.8", on="hub")
@pytest.mark.parametrize("host", ["0.0.0.0", "203.0.113.9", "::"])
def test_public_without_tls(host: str):
    """Listening publicly needs TLS or a trusted proxy."""
    with pytest.raises(BadConfig):
        check_exposure(Config(folder="x", server=Server(host=host)))
    check_exposure(Config(folder="x", server=Server(host=host, trusted_proxies=["10.0.0.1"])))
    check_exposure(Config(folder="x", server=Server()))


@pytest.mark.rule("farthing.one-reading")
@pytest.mark.parametrize(
    "path",
    ["/paid/../free", "/paid%2fx", "/item/%2e%2e", "//paid", "/paid;x", "/item/a%00", "/item/%ff"],
)
async def test_what_is_priced_is_what_is_served(place: Place, path: str):
    """Whatever two programs could read in two ways is refused."""
    async with open_hall(place) as hall:
        # An ASGI scope as a server makes it: the client library would tidy the path up.
        sent: list[dict] = []
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": [(b"host", b"a")], "client": ("127.0.0.1", 1),
            "scheme": "http", "http_version": "1.1",
        }  # fmt: skip

        async def receive() -> dict:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict) -> None:
            sent.append(message)

        await hall.wall(scope, receive, send)
        assert sent[0]["status"] in (400, 404)
        assert hall.stall.runs == 0


@pytest.mark.rule("farthing.closed-prefix")
async def test_unpriced_paths_fail_closed(place: Place):
    """An unmatched path under a priced prefix is closed, another one is free."""
    async with open_hall(place) as hall:
        assert (await hall.ask(path="/paid/more")).json()["code"] == "unpriced-path"
        assert (await hall.ask(path="/PAID")).json()["code"] == "unpriced-path"
        assert (await hall.ask(path="/free")).status_code == 200


@pytest.mark.rule("asvs.4.1.3", "farthing.who-paid", "farthing.other-schemes")
async def test_the_handler_learns_who_paid(place: Place):
    """Who paid is told by the paywall alone; other schemes pass through."""
    async with open_hall(place) as hall:
        faked = {"farthing-payer": "dev_me", "farthing_amount": "9 USD", "x-original-url": "/free"}
        assert (await hall.pay(headers=faked)).status_code == 200
        [payment] = await hall.payments()
        seen = hall.stall.seen
        assert seen["farthing-payment-id"] == payment["id"]
        assert seen["farthing-payer"] == hall.town.machines["meter"].id
        assert seen["farthing-amount"] == "0.0015 USD"
        assert not {"farthing_amount", "x-original-url", "authorization"} & set(seen)
        asked = await hall.ask()
        both = {"authorization": "Bearer theirs", **hall.credential(asked, "x402")}
        assert (await hall.ask(headers=both)).status_code == 200
        assert hall.stall.seen["authorization"] == "Bearer theirs"
        assert "payment-signature" not in hall.stall.seen


@pytest.mark.rule("farthing.no-oracle", on="hub")
async def test_an_anonymous_verify_is_no_oracle(place: Place):
    """An anonymous verify checks the form, and holds and tells nothing."""
    async with open_hall(place) as hall:
        before = await hall.payments()
        told = await hall.town.made("POST", "/verify", await facilitator_body(hall))
        assert told["isValid"] is True and "payer" not in told and told["extra"]["checked"]
        assert await hall.payments() == before == []


@pytest.mark.rule("farthing.identity", "farthing.receipts", on="hub")
async def test_the_hubs_identity(tmp_path: Path):
    """The hub's id is of its root key, and its signing keys are certified."""
    async with open_town(tmp_path) as town:
        told = await town.made("GET", "/.well-known/farthing")
        assert re.fullmatch("[a-z2-7]{32}", told["hub"])
        [certificate] = told["certificates"]
        assert certificate["hub"] == told["hub"]
        paid = await town.pay()
        assert receipt_fault(paid["receipt"], told["root_key"]) is None
        paid["receipt"]["statement"]["captured"] = "1"
        assert receipt_fault(paid["receipt"], told["root_key"]) is not None


@pytest.mark.rule("farthing.receipts")
async def test_receipts_are_in_the_signed_format(place: Place):
    """What the payer gets verifies offline with the root key alone."""
    async with open_hall(place) as hall:
        receipt = inside((await hall.pay()).headers["payment-receipt"])["receipt"]
        root = hall.town.hub.ctx.identity.root_public
        assert receipt_fault(receipt, root) is None
        assert receipt["statement"]["captured"] == str(PRICE)


@pytest.mark.rule("farthing.status", on="hub middleware proxy")
async def test_status_oracle(place: Place):
    """A payment is found by its id and by its challenge, by its own device."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        await hall.ask(headers=hall.credential(asked))
        challenge = challenge_of(asked)["id"]
        found = await hall.town.made("GET", f"/v1/payments?challenge={challenge}", who="meter")
        [payment] = found["items"]
        shown = await hall.town.made("GET", f"/v1/payments/{payment['id']}", who="meter")
        assert (shown["state"], shown["captured"]) == ("captured", str(PRICE))
        await hall.town.enrol("other", "purse", hall.town.machines["meter"].mandate)
        stranger = await hall.town.ask("GET", f"/v1/payments/{payment['id']}", who="other")
        assert stranger.status_code == 404


@pytest.mark.rule("farthing.own-sales", on="hub")
async def test_sellers_settle_only_their_own(tmp_path: Path):
    """An order is authorised by the payee's own key and no other's."""
    async with open_town(tmp_path) as town:
        body = town.payment()
        told = await town.ask("POST", "/v1/payments/authorise", body, who="buyer.seller")
        assert (told.status_code, told.json()["code"]) == (403, "not-your-account")
        key = {"method": "GET", "route": "r", "key": "k", "content": "A" * 43}
        again = [
            await town.made(
                "POST",
                "/v1/payments/authorise",
                town.payment() | {"once": key},
                who="seller.seller",
            )
            for _ in range(2)
        ]
        assert again[0]["payment"] == again[1]["payment"]
        assert [one["fresh"] for one in again] == [True, False]


@pytest.mark.rule("discovery.operations", on="hub")
async def test_discovery(tmp_path: Path):
    """/openapi.json is JSON, names every operation, and offers nothing."""
    async with open_town(tmp_path) as town:
        answer = await town.ask("GET", "/openapi.json")
        assert answer.headers["content-type"].startswith("application/json")
        document = answer.json()
        assert document["openapi"].startswith("3.1")
        operations = [o for path in document["paths"].values() for o in path.values()]
        assert len({one["operationId"] for one in operations}) == len(operations)
        assert not any("x-payment-info" in one or "402" in one["responses"] for one in operations)
