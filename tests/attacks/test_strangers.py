"""Other owners' things, other people's scopes, and JSON that is not what it seems."""

import asyncio

import pytest

from farthing import ids
from tests.web.api.town import FUNDS, config_in, open_town


def fresh(prefix: str, number: int = 1) -> str:
    return ids.name(prefix, number << 80)


OTHERS = [
    ("POST", "/v1/payments/{held}/capture", None, "buyer.seller"),
    ("POST", "/v1/payments/{held}/void", {}, "buyer.seller"),
    ("POST", "/v1/payments/{paid}/refunds", {}, "buyer.seller"),
    ("POST", "/v1/payments/{paid}/delivery", {"reason": "x"}, "buyer.seller"),
    ("POST", "/v1/payments/{asked}/approve", None, "seller.owner"),
    ("POST", "/v1/payments/{asked}/deny", None, "seller.owner"),
    ("POST", "/v1/accounts/{purse}/freeze", None, "seller.owner"),
    ("POST", "/v1/accounts/{purse}/close", None, "seller.owner"),
    ("GET", "/v1/accounts/{purse}", None, "seller.read"),
    ("POST", "/v1/mandates/{mandate}/revoke", None, "seller.owner"),
    ("POST", "/v1/mandates/{mandate}/decline", None, "seller.owner"),
    ("GET", "/v1/mandates/{mandate}", None, "seller.read"),
    ("PUT", "/v1/mandates/{mandate}", {"asset": "USD"}, "seller.owner"),
    ("POST", "/v1/devices/{meter}/revoke", None, "seller.owner"),
    ("GET", "/v1/devices/{meter}", None, "seller.read"),
    ("PUT", "/v1/devices/{meter}/mandate", {"mandate": "{mandate}"}, "seller.owner"),
    (
        "POST", "/v1/devices/invitations", {"account": "{purse}", "mandate": "{mandate}"},
        "seller.owner",
    ),
    ("POST", "/v1/offers/{offer}/withdraw", None, "buyer.owner"),
    ("POST", "/v1/keys/{key}/revoke", None, "seller.owner"),
]  # fmt: skip


async def furnish(town) -> dict[str, str]:
    """One of everything: theirs, and an id of each kind that nobody has."""
    await town.enrol("asker", "purse", await town.mandate(ask_above="1"))
    offer = {"payee": town.accounts["shop"], "path": "/a", "asset": "USD", "amount": "5"}
    keys = (await town.made("GET", "/v1/keys", who="buyer.owner"))["items"]
    meter = town.machines["meter"]
    return {
        "held": (await town.hold())["payment"],
        "paid": (await town.pay())["id"],
        "asked": (await town.pay(machine="asker"))["id"],
        "purse": town.accounts["purse"],
        "mandate": meter.mandate,
        "meter": meter.id,
        "offer": (await town.made("POST", "/v1/offers", offer, who="seller.seller"))["id"],
        "key": keys[0]["id"],
    }


def absent(theirs: dict[str, str]) -> dict[str, str]:
    return {name: fresh(ident[:3], i + 1) for i, (name, ident) in enumerate(theirs.items())}


async def test_what_is_others_cannot_be_told_from_what_is_not_there(tmp_path):
    async with open_town(tmp_path) as town:
        theirs = await furnish(town)
        before = await town.dump()
        for method, path, body, who in OTHERS:
            said = []
            for names in (theirs, absent(theirs)):
                filled = None if body is None else {k: v.format(**names) for k, v in body.items()}
                answer = await town.ask(method, path.format(**names), filled, who=who)
                said.append((answer.status_code, answer.json()))
            assert said[0] == said[1], (method, path)
            assert said[0][0] == 404, (method, path, said)
        assert await town.dump() == before


SELLERS = ("capture", "void", "refunds", "delivery")


async def test_no_scope_does_anothers_work(tmp_path):
    async with open_town(tmp_path) as town:
        theirs = await furnish(town)
        before = await town.dump()
        for verb in SELLERS:
            for who in ("seller.owner", "seller.read", "meter"):
                path = f"/v1/payments/{theirs['held']}/{verb}"
                answer = await town.ask("POST", path, {"reason": "x"}, who=who)
                assert answer.status_code in (401, 403), (verb, who, answer.text)
        for verb in ("approve", "deny"):
            for who in ("buyer.seller", "buyer.read", "asker"):
                answer = await town.ask("POST", f"/v1/payments/{theirs['asked']}/{verb}", who=who)
                assert answer.status_code in (401, 403), (verb, who, answer.text)
        for scopes in (["operator"], ["owner", "operator"], ["seller"]):
            answer = await town.ask("POST", "/v1/keys", {"scopes": scopes}, who="buyer.owner")
            assert answer.status_code == 403, scopes
        other = {"scopes": ["owner"], "owner": town.owners["seller"]}
        assert (await town.ask("POST", "/v1/keys", other, who="buyer.owner")).status_code == 403
        assert await town.dump() == before


UNITS = [
    True, 1, 1.0, "1.0", "01", "+1", " 1", "1 ", "1_0", "\u0661", "\uff11", "1e3", "-1", "",
    "0x1", "9223372036854775808", "99999999999999999999", None, [], {"units": "1"},
]  # fmt: skip


@pytest.mark.rule("asvs.2.2.1", on="hub")
@pytest.mark.parametrize("units", UNITS, ids=repr)
async def test_units_are_written_one_way(tmp_path, units):
    async with open_town(tmp_path) as town:
        held = (await town.hold())["payment"]
        account = {"account": town.accounts["shop"], "asset": "USD"}
        tries = [
            ("/v1/credits", {**account, "units": units}, "local"),
            (f"/v1/payments/{held}/refunds", {"units": units}, "seller.seller"),
        ]
        if units is not None:  # Left out means all of it.
            tries.append((f"/v1/payments/{held}/capture", {"units": units}, "seller.seller"))
        for path, body, who in tries:
            answer = await town.ask("POST", path, body, who=who)
            assert answer.status_code in (400, 409), answer.text
        assert await town.available("shop") == 0


@pytest.mark.rule("rfc7493.numbers", on="hub")
@pytest.mark.parametrize(
    "members",
    [
        {"hold_seconds": True}, {"hold_seconds": 60.0}, {"hold_seconds": "60"},
        {"hold_seconds": 10**30}, {"hold_seconds": -1}, {"capture": 1}, {"capture": "true"},
        {"only_recorded": 0}, {"claim": 5}, {"claim": "x" * 65}, {"category": None},
    ],
    ids=repr,
)  # fmt: skip
async def test_numbers_texts_and_truths_are_not_mixed_up(tmp_path, members):
    async with open_town(tmp_path) as town:
        answer = await town.ask(
            "POST", "/v1/payments/authorise", town.payment() | members, who="seller.seller"
        )
        assert answer.status_code == 400, answer.text
        assert await town.available("purse") == FUNDS


async def test_a_hold_outlives_its_hub_and_is_captured_or_expires_after(tmp_path):
    config = config_in(tmp_path)
    async with open_town(tmp_path, config=config) as town:
        kept, lost = (await town.hold(seconds=60))["payment"], (await town.hold(seconds=1))
        keys, accounts = dict(town.keys), dict(town.accounts)
    async with open_town(tmp_path, config=config) as town:
        town.keys, town.accounts = keys, accounts
        path = f"/v1/payments/{kept}/capture"
        assert (await town.made("POST", path, who="seller.seller"))["state"] == "captured"
        await asyncio.sleep(1.6)
        look = f"/v1/payments/{lost['payment']}"
        assert (await town.made("GET", look, who="seller.read"))["state"] == "expired"
        path = f"{look}/capture"
        late = await town.ask("POST", path, who="seller.seller")
        assert (late.status_code, late.json()["code"]) == (409, "not-held")
        assert await town.balance("purse") == {
            "available": str(FUNDS - 1500), "held": "0", "incoming": "0",
            "received": str(FUNDS), "spent": "1500",
        }  # fmt: skip
