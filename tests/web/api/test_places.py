"""An order from a network that its device never paid from is seen as it comes, and forgotten."""

import contextlib
import secrets

import httpx
import pytest
import structlog

from farthing import ids
from farthing.clock import system_clock
from farthing.core.orders import SignedOrder, payment_id
from farthing.core.prices import Offer, PriceList
from farthing.core.sessions import top_up_resource
from farthing.money import Amount, Asset
from farthing.protocols.client import asks
from farthing.protocols.mpp import Mpp
from farthing.settings import BooksSettings, RiskSettings
from farthing.web.paywall import Paywall
from farthing.web.remote_hub import RemoteHub
from tests.web.metered_shop import PRICES, MeteredShop
from tests.web.shop import Counter
from tests.web.test_mpp_session import Payer

from .test_batches import batch_of, packed, send
from .town import URL, Town, body_of, changed, config_in, open_town

HOME, NEAR, AWAY = "203.0.113.7", "203.0.113.99", "2001:db8:7:1::5"
MOVED = {"moved": {"weights": {"new_place": 1}, "review": 1}}
SAID = "this device never paid from this place or network before"
USD = Asset("USD", 6)


def watching(folder, mode="on", own_process="never", **server):
    risk = RiskSettings(mode=mode, rules={"new_place": {}}, typologies=MOVED)
    return changed(
        config_in(folder, **server), risk=risk, books=BooksSettings(own_process=own_process)
    )


@contextlib.asynccontextmanager
async def asking_from(town: Town, address: str, **fields: str):
    """Ask from an address for a while; `fields` are headers that a proxy there adds."""
    before = town.http
    wire = httpx.ASGITransport(before._transport.app, client=(address, 4711))
    async with httpx.AsyncClient(transport=wire, base_url=URL, headers=fields) as http:
        town.http = http
        try:
            yield
        finally:
            town.http = before


async def paid(town: Town, address: str, body=None, path="/v1/payments", **more):
    """Send an order from an address, and give its payment's id and state, and which rules spoke."""
    async with asking_from(town, address):
        told = await town.made("POST", path, body or town.payment(10), **more)
    payment = told.get("payment", told)
    ident = payment if isinstance(payment, str) else payment["id"]
    seen = await town.made("GET", f"/v1/payments/{ident}", who="buyer.read")
    rules = [reason["rule"] for reason in seen.get("risk", {}).get("reasons", [])]
    return ident, seen["state"], rules


async def settle_in(town: Town, address: str = HOME, times: int = 5) -> None:
    """Pay as often as makes a habit. Shape: the first opens a budget, the others need not."""
    for _ in range(times):
        assert (await paid(town, address))[1:] == ("captured", [])


@pytest.mark.parametrize("own_process", ["never", "always"])
@pytest.mark.parametrize("mode", ["shadow", "on"])
async def test_an_order_from_another_network_is_flagged_until_its_owner_approves(
    tmp_path, mode, own_process
):
    async with open_town(tmp_path, config=watching(tmp_path, mode, own_process)) as town:
        await settle_in(town)
        assert (await paid(town, NEAR))[1:] == ("captured", [])
        odd, state, rules = await paid(town, AWAY)
        assert (state, rules) == ("captured" if mode == "shadow" else "awaiting", ["new_place"])
        if mode == "on":
            await town.made("POST", f"/v1/payments/{odd}/approve", who="buyer.owner")
        assert (await paid(town, AWAY))[1:] == ("captured", [])  # It is one of its places now.


@pytest.mark.parametrize("signed_once", [True, False])
async def test_batches_are_judged_by_where_they_came_from(tmp_path, signed_once):
    async with open_town(tmp_path, config=watching(tmp_path)) as town:

        async def batch(address):
            if signed_once:
                content = packed(town, batch_of(town, [10] * 6))
                async with asking_from(town, address):
                    told = await send(town, content)
            else:
                body = {"payments": [body_of(town.order(10)) for _ in range(6)]}
                async with asking_from(town, address):
                    told = (await town.made("POST", "/v1/payments/batch", body))["payments"]
            return {item["state"] for item in told}

        assert await batch(HOME) == {"captured"}
        assert await batch(HOME) == {"captured"}
        assert await batch(AWAY) == {"awaiting"}
        assert await batch(NEAR) == {"captured"}


async def test_deposits_and_top_ups_are_judged_by_where_they_came_from(tmp_path):
    async with open_town(tmp_path, config=watching(tmp_path)) as town:
        await settle_in(town)
        async with asking_from(town, HOME):
            session = await town.session(10)
        assert (await paid(town, AWAY, town.opening(10), "/v1/sessions"))[2] == ["new_place"]
        more = town.payment(9, resource=top_up_resource(session["id"]))
        where = f"/v1/sessions/{session['id']}/deposits"
        assert (await paid(town, AWAY, more, where))[1:] == ("awaiting", ["new_place"])


async def test_a_seller_tells_where_a_deposit_came_from(tmp_path):
    async with open_town(tmp_path, config=watching(tmp_path)) as town:
        await settle_in(town)

        async def carried(body, path="/v1/sessions", **more):
            who = "seller.seller"
            return (await paid(town, "198.51.100.1", body | more, path, who=who))[2]

        assert await carried(town.opening(10), place="2001:db8:7::/48") == ["new_place"]
        assert await carried(town.opening(10)) == []
        session = await town.session(10)
        more = town.payment(9, resource=top_up_resource(session["id"]))
        where = f"/v1/sessions/{session['id']}/deposits"
        assert await carried(more, where, place="2001:db8:7::/48") == ["new_place"]


@pytest.mark.parametrize("told", ["203.0.113.0/24", "Oslo"])
async def test_a_place_is_for_the_payee_alone_to_say(tmp_path, told):
    async with open_town(tmp_path) as town:
        session = await town.session(10)
        opening = town.opening(10) | {"place": told}
        more = town.payment(9, resource=top_up_resource(session["id"])) | {"place": told}
        held = (await town.balance("purse"))["held"]
        for path, body in (
            ("/v1/sessions", opening),
            (f"/v1/sessions/{session['id']}/deposits", more),
        ):
            assert (await town.ask("POST", path, body)).status_code == 401
            assert (await town.ask("POST", path, body, who="buyer.seller")).status_code == 403
            answer = await town.ask("POST", path, body, who="seller.seller")
            assert answer.status_code == (400 if told == "Oslo" else 200)
            if told == "Oslo":
                assert answer.json()["code"] == "malformed-place"
        grew = (await town.balance("purse"))["held"] != held
        assert grew == (told != "Oslo")


async def test_a_seller_tells_where_its_buyer_was_and_its_own_server_is_no_place(tmp_path):
    async with open_town(tmp_path, config=watching(tmp_path)) as town:
        await settle_in(town)

        async def carried(**more):
            body = town.payment(10) | {"capture": True} | more
            path = "/v1/payments/authorise"
            return (await paid(town, "198.51.100.1", body, path, who="seller.seller"))[2]

        assert await carried() == []
        assert await carried(place="203.0.113.0/24") == []
        assert await carried(place="198.51.100.0/24") == ["new_place"]
        as_owner = await paid(town, "198.51.100.1", who="buyer.owner")
        assert as_owner[2] == []  # Whoever has a key is not the device.


@pytest.mark.parametrize("told", ["203.0.113.7", "203.0.113.0/25", "127.0.0.0/24", "Oslo"])
async def test_a_place_that_is_none_is_refused_before_anything_is_held(tmp_path, told):
    async with open_town(tmp_path) as town:
        body = town.payment(10) | {"place": told}
        answer = await town.ask("POST", "/v1/payments/authorise", body, who="seller.seller")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-place")
        assert (await town.balance("purse"))["held"] == "0"


async def test_behind_a_trusted_proxy_it_is_where_the_proxy_was_asked_from(tmp_path):
    proxy = "192.0.2.1"
    config = watching(tmp_path, trusted_proxies=[proxy])
    async with open_town(tmp_path, config=config) as town:
        for address in [*[HOME] * 6, AWAY]:
            async with asking_from(town, proxy, **{"x-forwarded-for": f"9.9.9.9, {address}"}):
                state = (await town.pay(10))["state"]
            assert state == ("captured" if address == HOME else "awaiting")


@pytest.mark.parametrize("remote", [False, True])
async def test_a_paywall_tells_where_its_buyer_asked_from(tmp_path, remote):
    async with open_town(tmp_path, config=watching(tmp_path)) as town, hub_for(town, remote) as hub:
        app = shop(town, hub)
        answers = [await bought(town, app, address) for address in [*[HOME] * 6, NEAR, AWAY]]
        assert [answer.status_code for answer in answers] == [200] * 7 + [403]
        assert answers[-1].json()["code"] == "awaiting-owner"
        payment = answers[-1].json()["payment"]
        seen = await town.made("GET", f"/v1/payments/{payment}", who="buyer.read")
        assert [reason["said"] for reason in seen["risk"]["reasons"]] == [SAID]


async def test_a_paywall_tells_where_a_deposit_came_from(tmp_path):
    async with open_town(tmp_path, config=watching(tmp_path)) as town:
        await settle_in(town)
        shop = MeteredShop(town, tmp_path, PRICES, Counter())

        async def say(address, action, order, **more):
            wire = httpx.ASGITransport(shop.paywall, client=(address, 4711))
            async with httpx.AsyncClient(transport=wire) as client:
                payer = Payer(shop, client, "https://shop.example")
                challenge = await payer.challenge()
                order = order or payer.opening(challenge, 5)
                said = {"action": action, **body_of(order), **more}
                answer = await payer.say(challenge, said, "HEAD" if action == "open" else "GET")
            return answer.status_code, ids.name("ses", payment_id(order.order))

        try:
            assert (await say(AWAY, "open", None))[0] == 402
            status, session = await say(HOME, "open", None)
            assert status == 204
            more = town.order(10, resource=top_up_resource(session))
            assert (await say(AWAY, "topUp", more, session=session))[0] == 402
            listed = await town.made("GET", "/v1/payments?state=awaiting", who="buyer.read")
            said = [one["risk"]["reasons"][0]["said"] for one in listed["items"]]
            assert said == [SAID, SAID]
            assert {one["amount"] for one in listed["items"]} == {"5", "10"}
        finally:
            await shop.paywall.drain()
            shop.book.close()


async def test_a_hub_that_starts_anew_knows_no_places_until_it_is_paid(tmp_path):
    config = watching(tmp_path)
    async with open_town(tmp_path, config=config) as town:
        await settle_in(town)
        machine, accounts, keys = town.machines["meter"], town.accounts, town.keys
    async with open_town(tmp_path, config=config) as town:
        town.machines["meter"], town.accounts, town.keys = machine, accounts, keys
        await settle_in(town, AWAY, 4)
        await settle_in(town, HOME, 1)  # Five payments make a habit, whatever was before.
        assert (await paid(town, "198.51.100.1"))[2] == ["new_place"]


async def test_where_an_order_came_from_is_written_nowhere(tmp_path):
    with structlog.testing.capture_logs() as lines:
        async with open_town(tmp_path, config=watching(tmp_path)) as town:
            await settle_in(town)
            odd, _, rules = await paid(town, AWAY)
            assert rules == ["new_place"]
            await town.made("POST", f"/v1/payments/{odd}/approve", who="buyer.owner")
            rows = repr(await town.dump())
            assert odd in rows
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert odd.encode() in files
    told = repr([line for line in lines if line["log_level"] != "debug"])
    for text in ("203.0.113", "2001:db8:7"):
        assert text not in rows
        assert text.encode() not in files
        assert text not in told


@contextlib.asynccontextmanager
async def hub_for(town: Town, remote: bool):
    if not remote:
        yield town.hub.embedded()
        return
    bearer = {"authorization": f"Bearer {town.keys['seller.seller']}"}
    wire = httpx.ASGITransport(town.http._transport.app, client=("198.51.100.1", 4711))
    async with httpx.AsyncClient(transport=wire, base_url=URL, headers=bearer) as client:
        yield RemoteHub(client)


def shop(town: Town, hub) -> Paywall:
    async def page(_scope, _receive, respond):
        await respond({"type": "http.response.start", "status": 200, "headers": []})
        await respond({"type": "http.response.body", "body": b"sunny"})

    offer = Offer(
        name="weather", path="/weather", price=Amount(10, USD), payee=town.accounts["shop"]
    )
    return Paywall(
        page,
        hub=hub,
        hub_id=town.hub.ctx.identity.hub,
        languages=[Mpp([secrets.token_bytes(32)])],
        assets={"USD": USD},
        prices=PriceList(offers=(offer,)),
        realm="shop.test",
        trusted_proxies=["192.0.2.0/24"],
    )


async def bought(town: Town, app: Paywall, address: str) -> httpx.Response:
    """Buy once from an address, through the shop's own proxy, which speaks TLS for it."""
    fields = {"x-forwarded-for": address, "x-forwarded-proto": "https"}
    wire = httpx.ASGITransport(app, client=("192.0.2.1", 4711))
    async with httpx.AsyncClient(
        transport=wire, base_url="http://shop.test", headers=fields
    ) as client:
        [ask] = asks((await client.get("/weather")).headers.multi_items())
        machine, now = town.machines["meter"], system_clock()
        order = ask.order(machine.id, now, lambda: ids.encode(ids.fresh(now // 1_000_000)))
        signed = SignedOrder(order, machine.signer.sign(order.signed_bytes()))
        return await client.get("/weather", headers=dict(ask.credential(signed)))
