"""Every endpoint once, as it is meant to be used; none is left out."""

import asyncio
import json
import re
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from farthing.codec import to_base64url
from farthing.core.devices import rotation_bytes
from farthing.core.receipts import receipt_fault
from farthing.core.sessions import top_up_resource
from farthing.keys import new_signer
from farthing.services.telling import Teller
from farthing.settings import RiskSettings
from farthing.web.api.openapi import describe
from farthing.web.app import all_endpoints
from tests.notifiers.pigeon import Pigeon

from .test_facilitator import x402_body
from .town import FUNDS, LOCAL, Town, body_of, cancel_of, changed, config_in, enrolment, open_town


class Told:
    """Asks, and remembers which endpoints have answered as described."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.heard: set[str] = set()

    async def __call__(self, method: str, path: str, body: Any = None, who: str = LOCAL) -> Any:
        """Ask, and give the JSON of the described success."""
        answer = await self.town.ask(method, path, body, who=who)
        endpoint = self.find(method, path)
        assert answer.status_code == endpoint.status, (path, answer.text)
        self.heard.add(endpoint.name)
        if "json" not in answer.headers["content-type"]:
            return answer.text
        if endpoint.answer is not None:
            as_described(answer.json(), endpoint.answer)
        return answer.json()

    def find(self, method: str, path: str) -> Any:
        """Find the endpoint by its described path; the plainest that fits."""
        bare = path.partition("?")[0]
        fits = [
            endpoint
            for endpoint in all_endpoints()
            if endpoint.method == method
            and re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", endpoint.path), bare)
        ]
        return min(fits, key=lambda endpoint: endpoint.path.count("{"))


def as_described(told: Any, kind: Any) -> None:
    """Hold an answer against its description: every type right, and no member left out of it."""
    read = msgspec.convert(told, kind, strict=True)
    assert msgspec.to_builtins(read).keys() >= told.keys(), (told, kind)
    for item in told.get("items", []):
        (of,) = typing.get_args(kind)
        as_described(item, of)


def test_every_endpoint_but_a_stream_and_the_description_itself_describes_its_answer():
    silent = {endpoint.name for endpoint in all_endpoints() if endpoint.answer is None}
    assert silent == {"events", "export_payments", "llms", "openapi", "metrics"}


@pytest.mark.rule("asvs.4.1.1", on="hub")
async def test_every_endpoint_answers_as_it_is_described(tmp_path: Path):
    bold = {"bold": {"weights": {"spike": 1}, "review": 1}}
    spike = {"spike": {"payments_min": 1, "times_usual": 100}}
    risk = RiskSettings(mode="shadow", rules=spike, typologies=bold)
    async with open_town(tmp_path, config=changed(config_in(tmp_path), risk=risk)) as town:
        ask = Told(town)
        await the_hub(ask)
        await owners_and_accounts(ask)
        await people(ask)
        await notices(ask)
        await mandates_and_offers(ask)
        await webhooks(ask)
        await movements(ask)
        await devices(ask)
        await payments(ask)
        await cancelling(ask)
        await batches(ask)
        await sessions(ask)
        await facilitator(ask)
        await cases(ask)
        silent = {endpoint.name for endpoint in all_endpoints()} - ask.heard - {"events", "metrics"}
        assert silent == set()


async def the_hub(ask: Told) -> None:
    told = await ask("GET", "/.well-known/farthing", who="nobody")
    assert told["hub"] == ask.town.hub.ctx.identity.hub
    assert {"code": "USD", "scale": 6} in told["assets"]
    assert await ask("GET", "/healthz", who="nobody") == {"status": "ok"}
    assert await ask("GET", "/readyz", who="nobody") == {"status": "ready"}
    assert (await ask("GET", "/v1/hub"))["engine"] == "sqlite"
    assert (await ask("GET", "/openapi.json", who="nobody"))["openapi"] == "3.1.0"


async def owners_and_accounts(ask: Told) -> None:
    owner = await ask("POST", "/v1/owners", {"name": "Zoë", "time_zone": "Asia/Tokyo"})
    assert (owner["name"], owner["time_zone"]) == ("Zoë", "Asia/Tokyo")
    assert owner in (await ask("GET", "/v1/owners"))["items"]
    key = await ask("POST", "/v1/keys", {"scopes": ["owner", "read"], "owner": owner["id"]})
    ask.town.keys["zoe"] = key.pop("secret")
    listed = await ask("GET", "/v1/keys", who="zoe")
    assert listed["items"] == [key]
    account = await ask("POST", "/v1/accounts", {"asset": "EUR", "name": "a"}, who="zoe")
    path = f"/v1/accounts/{account['id']}"
    await ask("POST", "/v1/credits", {"account": account["id"], "units": "7", "asset": "EUR"})
    shown = await ask("GET", path, who="zoe")
    assert (shown["balance"]["available"], shown["money"]) == ("7", "test")
    assert (await ask("GET", "/v1/accounts", who="zoe"))["items"] == [shown]
    assert (await ask("POST", f"{path}/freeze", who="zoe"))["state"] == "frozen"
    assert (await ask("POST", f"{path}/unfreeze", who="zoe"))["state"] == "open"
    answer = await ask.town.ask("POST", f"{path}/close", who="zoe")
    assert answer.json()["code"] == "account-not-empty"
    empty = await ask("POST", "/v1/accounts", {"asset": "EUR"}, who="zoe")
    assert (await ask("POST", f"/v1/accounts/{empty['id']}/close", who="zoe"))["state"] == "closed"
    assert (await ask("POST", f"/v1/keys/{key['id']}/revoke", who="zoe"))["revoked_at"]


async def people(ask: Told) -> None:
    wanted = {"name": "Ada", "roles": ["owner"], "owner": ask.town.owners["buyer"]}
    made = await ask("POST", "/v1/people", wanted)
    again = await ask("POST", f"/v1/people/{made['id']}/links")
    assert "/join#" in made["link"]
    assert again["link"] not in ("", made["link"])
    [listed] = (await ask("GET", "/v1/people"))["items"]
    assert (listed["id"], listed["removed_at"]) == (made["id"], None)
    assert (await ask("POST", f"/v1/people/{made['id']}/remove"))["removed_at"]


async def notices(ask: Told) -> None:
    """Somebody says what to be told, and is told that somebody did."""
    pigeon = Pigeon()
    ask.town.hub.desk.notices.ways = {"email": pigeon}
    owner = ask.town.owners["buyer"]
    body = {"name": "Bea", "roles": ["owner"], "owner": owner}
    path = f"/v1/people/{(await ask('POST', '/v1/people', body))['id']}"
    first = await ask("GET", f"{path}/notices", who="buyer.read")
    assert first["classes"]["security"]["ways"] == ["push", "email", "sms"]
    assert (first["addresses"], first["ways"]) == ([], ["email"])
    at = {"way": "email", "place": "bea@home.example", "label": "home"}
    made = await ask("POST", f"{path}/addresses", at, who="buyer.owner")
    assert (made["state"], made["place"]) == ("unproven", "bea@home.example")
    await ask.town.hub.desk.notices.quiet()
    again = await ask("POST", f"/v1/addresses/{made['id']}/code", who="buyer.owner")
    assert again == made
    await ask.town.hub.desk.notices.quiet()
    code = {"code": pigeon.code}
    proven = await ask("POST", f"/v1/addresses/{made['id']}/prove", code, who="buyer.owner")
    assert proven["state"] == "on"
    wanted = {"classes": {"money": {"ways": ["email"], "digest_seconds": 3600}}, "language": "de"}
    said = await ask("PUT", f"{path}/notices", wanted, who="buyer.owner")
    assert said["classes"]["money"] == wanted["classes"]["money"]
    assert said["classes"]["security"] == first["classes"]["security"]
    assert await ask("GET", f"{path}/notices", who="buyer.read") == said
    teller = Teller(ask.town.hub.ctx, ask.town.hub.desk.notices, 0.02)
    teller.start()
    for _ in range(500):
        listed = await ask("GET", "/v1/notices", who="buyer.read")
        if listed["items"]:
            break
        await asyncio.sleep(0.01)
    await teller.stop()
    [told] = listed["items"]
    assert (told["about"], told["way"], told["fault"]) == ("security", "email", None)
    assert pigeon.told[-1].text.body == "Ihre Benachrichtigungen wurden geändert."
    gone = await ask("POST", f"/v1/addresses/{made['id']}/remove", who="buyer.owner")
    assert (gone["state"], gone["place"]) == ("removed", None)


async def mandates_and_offers(ask: Told) -> None:
    terms = {
        "asset": "USD",
        "name": "n",
        "largest": "10",
        "budgets": [{"name": "b", "per": "15m", "limit": "9", "payees": [], "categories": ["c"]}],
        "hours": ["22:00-06:00"],
        "time_zone": "Europe/Berlin",
        "expires": "2099-01-01T00:00:00Z",
        "ask_above": "5",
        "ask_seconds": 60,
        "on_timeout": "allow",
        "payees": [],
        "categories": ["c"],
    }
    made = await ask("POST", "/v1/mandates", terms, who="buyer.owner")
    assert {name: made[name] for name in terms} == terms
    path = f"/v1/mandates/{made['id']}"
    assert await ask("GET", path, who="buyer.read") == made
    again = await ask("PUT", path, terms | {"largest": None}, who="buyer.owner")
    assert (again["largest"], again["revision"]) == (None, made["revision"] + 1)
    assert again in (await ask("GET", "/v1/mandates", who="buyer.read"))["items"]
    # Nobody wants anything of it, so there is nothing to let be.
    assert await ask("POST", f"{path}/decline", who="buyer.owner") == again
    assert (await ask("POST", f"{path}/revoke", who="buyer.owner"))["revoked_at"]
    offer = {"payee": ask.town.accounts["shop"], "path": "/a", "asset": "USD", "amount": "5"}
    made = await ask("POST", "/v1/offers", offer, who="seller.seller")
    path = f"/v1/offers/{made['id']}"
    changed = await ask("PUT", path, offer | {"amount": "6"}, who="seller.seller")
    assert changed == made | {"amount": "6"}
    assert (await ask("GET", "/v1/offers", who="seller.read"))["items"] == [changed]
    assert (await ask("GET", "/v1/fees", who="seller.read"))["items"] == []
    assert (await ask("POST", f"{path}/withdraw", who="seller.seller"))["withdrawn_at"]


async def webhooks(ask: Told) -> None:
    body = {"url": "https://shop.example/paid", "kinds": ["payment.*"], "label": "till"}
    made = await ask("POST", "/v1/webhooks", body, who="seller.seller")
    assert made.pop("secret").startswith("whsec_")
    path = f"/v1/webhooks/{made['id']}"
    assert (await ask("GET", "/v1/webhooks", who="seller.read"))["items"] == [made]
    assert await ask("GET", path, who="seller.read") == made
    new = await ask("POST", f"{path}/rotate", {"overlap_seconds": 0}, who="seller.seller")
    assert new["secret"].startswith("whsec_")
    assert (await ask("POST", f"{path}/test", who="seller.seller"))["state"] == "on"
    told = await ask("POST", f"{path}/replay", {"after": "0"}, who="seller.seller")
    assert int(told["until"]) > 0
    assert (await ask("GET", f"{path}/deliveries", who="seller.read"))["items"] == []
    assert (await ask("POST", f"{path}/disable", who="seller.seller"))["why"] == "owner"
    assert (await ask("POST", f"{path}/enable", who="seller.seller"))["state"] == "on"
    assert (await ask("POST", f"{path}/remove", who="seller.seller"))["url"] == ""


async def movements(ask: Told) -> None:
    body = {"account": ask.town.accounts["purse"], "units": "70", "asset": "USD"}
    for noun in ("topups", "payouts"):
        made = await ask("POST", f"/v1/{noun}", body | {"place": "ok"}, who="buyer.owner")
        assert (made["state"], made["money"]) == ("intended", "test")
        shown = await ask("GET", f"/v1/{noun}/{made['id']}", who="buyer.read")
        assert shown["id"] == made["id"]
        listed = await ask("GET", f"/v1/{noun}", who="buyer.read")
        assert [one["id"] for one in listed["items"]] == [made["id"]]


async def devices(ask: Told) -> None:
    meter, signer = ask.town.machines["meter"], new_signer("p256")
    body = {"account": meter.account, "mandate": meter.mandate, "name": "robot"}
    invited = await ask("POST", "/v1/devices/invitations", body, who="buyer.owner")
    told = await ask("POST", "/v1/devices/enrol", enrolment(invited["code"], signer), who="nobody")
    path = f"/v1/devices/{told['device']}"
    next_key = new_signer("p256")
    message = rotation_bytes(told["device"], next_key.public)
    rotation = {
        "public_key": next_key.public,
        "signature_old": to_base64url(signer.sign(message)),
        "signature_new": to_base64url(next_key.sign(message)),
    }
    rotated = await ask("POST", f"{path}/rotate", rotation, who="nobody")
    assert [key["public_key"] for key in rotated["keys"]] == [next_key.public, signer.public]
    assert await ask("GET", path, who="buyer.read") == rotated
    mandate = await ask.town.mandate()
    moved = await ask("PUT", f"{path}/mandate", {"mandate": mandate}, who="buyer.owner")
    assert moved["mandate"] == mandate
    assert moved in (await ask("GET", "/v1/devices", who="buyer.read"))["items"]
    assert (await ask("POST", f"{path}/revoke", who="buyer.owner"))["revoked_at"]


async def payments(ask: Told) -> None:
    town = ask.town
    paid = await ask("POST", "/v1/payments", town.payment(2000, challenge="c1"), who="nobody")
    assert receipt_fault(paid["receipt"], town.hub.ctx.identity.root_public) is None
    assert await ask("GET", f"/v1/payments/{paid['id']}", who="meter") == paid
    found = await ask("GET", "/v1/payments?challenge=c1", who="seller.read")
    assert [item["id"] for item in found["items"]] == [paid["id"]]
    body = town.payment(1000) | {"hold_seconds": 60}
    held = await ask("POST", "/v1/payments/authorise", body, who="seller.seller")
    path = f"/v1/payments/{held['payment']}"
    part = await ask("POST", f"{path}/capture", {"units": "400"}, who="seller.seller")
    assert (part["state"], part["units"]) == ("captured", 400)
    marked = await ask("POST", f"{path}/delivery", {"reason": "cut"}, who="seller.seller")
    assert marked["delivery"] == "incomplete: cut"
    refund = await ask("POST", f"{path}/refunds", {"units": "100"}, who="seller.seller")
    assert (refund["state"], refund["refunded"]) == ("done", "100")
    assert (await ask("GET", f"{path}/refunds", who="buyer.read"))["items"] == [refund]
    other = await town.hold()
    voided = await ask("POST", f"/v1/payments/{other['payment']}/void", who="seller.seller")
    assert voided["state"] == "voided"
    await asks(ask)
    text = await ask("GET", "/v1/payments/export", who="buyer.read")
    assert text.count("\r\n") == 1 + 5
    assert await town.available("purse") == FUNDS - 2000 - 400 + 100 - 50


@pytest.mark.rule("farthing.names-stay-out", on="hub")
async def test_what_people_write_stays_out_of_the_signed_history(tmp_path: Path):
    async with open_town(tmp_path) as town:
        budgets = [{"name": "Jane's pocket money", "per": "day", "limit": "10"}]
        await town.enrol("jane", "purse", await town.mandate(budgets=budgets))
        answer = await town.ask("POST", "/v1/payments", town.payment(11, machine="jane"))
        assert answer.json()["code"] == "mandate-budget"
        assert "Jane's" in answer.json()["detail"]
        held = (await town.hold())["payment"]
        body = {"reason": "Jane rang: out of tea"}
        await town.made("POST", f"/v1/payments/{held}/void", body, who="seller.seller")
        shown = await town.made("GET", f"/v1/payments/{held}", who="seller.read")
        assert shown["reason"] == body["reason"]
        leaves = str((await town.dump())["leaves"])
        assert "mandate-budget" in leaves
        for name in ("Jane", "pocket", "of tea", "meter", "shop", "buyer"):
            assert name not in leaves


async def asks(ask: Told) -> None:
    town = ask.town
    await town.enrol("shy", "purse", await town.mandate(ask_above="10"))
    for units, verb, state in ((50, "approve", "captured"), (51, "deny", "refused")):
        body = town.payment(units, machine="shy")
        answer = await town.ask("POST", "/v1/payments", body)
        path = f"/v1/payments/{answer.json()['id']}"
        assert (answer.status_code, answer.headers["location"]) == (202, path)
        assert (await ask("POST", f"{path}/{verb}", who="buyer.owner"))["state"] == state
        again = await town.ask("POST", "/v1/payments", body)
        assert again.status_code == (200 if verb == "approve" else 422)


async def cancelling(ask: Told) -> None:
    town = ask.town
    signed = town.order(11)
    body = cancel_of(signed, town.machines["meter"].signer)
    told = await ask("POST", "/v1/payments/cancel", body, who="nobody")
    assert (told["state"], told["reason"]) == ("refused", "cancelled")
    refused = await town.ask("POST", "/v1/payments", body_of(signed))
    assert refused.json()["code"] == "cancelled"


async def batches(ask: Told) -> None:
    town = ask.town
    orders = [town.payment(5), town.payment(200_000), town.payment(7) | {"signature": "x"}]
    told = await ask("POST", "/v1/payments/batch", {"payments": orders}, who="nobody")
    paid, refused, broken = told["payments"]
    assert (paid["state"], paid["problem"]) == ("captured", None)
    assert (refused["state"], refused["problem"]["code"]) == ("refused", "mandate-largest")
    assert (broken["id"], broken["problem"]["code"]) == (None, "malformed-base64")


async def sessions(ask: Told) -> None:
    town = ask.town
    opened = await ask("POST", "/v1/sessions", town.opening(500), who="nobody")
    session = opened["session"]
    path = f"/v1/sessions/{session['id']}"
    top_up = town.payment(50, resource=top_up_resource(session["id"]))
    more = await ask("POST", f"{path}/deposits", top_up, who="nobody")
    assert (opened["payment"]["state"], more["session"]["deposit"]) == ("held", "550")
    drawn = await ask(
        "POST", f"{path}/vouchers", {"voucher": town.voucher(session, 520)}, who="nobody"
    )
    assert (drawn["promised"], drawn["deposit"]) == ("520", "550")
    many = [
        {"session": session["id"], "voucher": town.voucher(session, units)} for units in (530, 5)
    ]
    items = (await ask("POST", "/v1/vouchers", {"vouchers": many}, who="nobody"))["vouchers"]
    assert items[0]["drawn"]["promised"] == "530"
    assert items[1]["problem"]["code"] == "voucher-superseded"
    await ticks(ask, session)
    ended = await ask("POST", f"{path}/end", who="meter")
    assert (ended["state"], ended["ended_by"]) == ("open", "payer")
    closed = await ask("POST", f"{path}/close", who="seller.seller")
    assert (closed["state"], closed["captured"], closed["unsettled"]) == ("closed", "540", 0)
    shown = await ask("GET", path, who="meter")
    assert shown["tariff"]["counts"] == "request"
    del shown["tariff"]
    assert (await ask("GET", "/v1/sessions", who="buyer.read"))["items"] == [shown]


async def ticks(ask: Told, session: dict[str, Any]) -> None:
    town, nobody = ask.town, {"who": "nobody"}
    path, climber = f"/v1/sessions/{session['id']}", town.climber(session)
    body = {"voucher": town.ladder(session, climber, 2, units=530, sequence=2)}
    await ask("POST", f"{path}/vouchers", body, **nobody)
    tick, more, bare = (town.tick(session, climber, count) for count in (1, 3, 5))
    drawn = await ask("POST", f"{path}/ticks", {"tick": to_base64url(tick)}, **nobody)
    assert (drawn["promised"], drawn["ticks"]) == ("532", "1")
    many = {"ticks": [{"session": session["id"], "tick": to_base64url(more)}]}
    [item] = (await ask("POST", "/v1/ticks", many, **nobody))["ticks"]
    assert item["drawn"]["promised"] == "536"
    told = await ask("POST", f"/v1/accounts/{session['payee']}/ticks", bare, **nobody)
    [item] = told["sessions"]
    assert (item["drawn"]["promised"], item["right"]) == ("540", 1)


async def facilitator(ask: Told) -> None:
    kinds = await ask("GET", "/supported", who="nobody")
    assert kinds["kinds"][0]["scheme"] == "exact"
    body = x402_body(ask.town, ask.town.order(10))
    assert (await ask("POST", "/verify", body, who="seller.seller"))["isValid"]
    assert (await ask("POST", "/settle", body, who="seller.seller"))["success"]
    assert (await ask("GET", "/discovery/resources", who="nobody"))["items"] == []
    assert "farthing enrol" in await ask("GET", "/llms.txt", who="nobody")


async def cases(ask: Told) -> None:
    """A device pays two hundred times as much as ever before; somebody says that it may."""
    await ask.town.enrol("modest", "purse", await ask.town.mandate())
    for units in (5, 1000):
        odd = await ask.town.pay(units, machine="modest")
    [listed] = (await ask("GET", "/v1/cases?state=open"))["items"]
    assert (listed["payment"], listed["verdict"]) == (odd["id"], None)
    found = await ask("GET", f"/v1/cases/{listed['id']}")
    assert found["of"]["risk"]["reasons"][0]["said"] == "200 times what this device usually pays"
    first = found["related"][0]
    assert (first["by"], first["amount"]) == ("device", "5")
    told = {"verdict": "legitimate", "reason": "its owner moved house"}
    decided = await ask("POST", f"/v1/cases/{listed['id']}/decide", told)
    assert (decided["state"], decided["decided_by"]) == ("decided", "operator")
    assert (await ask("GET", "/v1/cases?state=open"))["items"] == []


@pytest.mark.rule("owasp-api.9", on="hub")
def test_the_description_is_whole():
    endpoints = all_endpoints()
    told = describe(endpoints, "https://hub.example")
    text = json.dumps(told)
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in told["components"]["schemas"], name
    assert len({endpoint.name for endpoint in endpoints}) == len(endpoints)
    for endpoint in endpoints:
        operation = told["paths"][endpoint.path][endpoint.method.lower()]
        assert operation["summary"]
        assert str(endpoint.status) in operation["responses"]
        assert bool(operation["security"]) == (endpoint.scopes is not None)
        if endpoint.method == "POST" and endpoint.body is not None:
            assert "requestBody" in operation
