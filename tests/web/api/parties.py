"""Three owners with one of everything, and a right request to each endpoint about any of it."""

import contextlib
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from farthing.codec import to_base64url
from farthing.core.devices import rotation_bytes
from farthing.core.orders import SignedOrder
from farthing.core.sessions import top_up_resource
from farthing.core.webhooks import WEBHOOKS_MAX
from farthing.keys import new_signer
from farthing.settings import RiskSettings
from tests.notifiers.pigeon import Pigeon

from .access_table import KEYS, Row
from .test_facilitator import x402_body
from .town import (
    LOCAL,
    Machine,
    Town,
    body_of,
    cancel_of,
    changed,
    config_in,
    enrolment,
    open_town,
)

ME, THEM, OTHERS = "buyer", "seller", "others"
"""Who asks; whom it deals with; and who deals with them, of which it knows nothing."""

SIDES = {
    "payer": (ME, THEM),
    "sibling": (ME, THEM),  # Paid by another device of the same owner.
    "payee": (THEM, ME),
    "stranger": (OTHERS, THEM),
}
"""Payer and payee, by what the asker has to do with a payment."""

NEEDS = {
    "capture": "held", "void": "held", "approve": "asked", "deny": "asked",
}  # fmt: skip
PREFIXES = {"account": "acc", "key": "key", "mandate": "man", "device": "dev", "offer": "off",
            "address": "adr", "session": "ses", "webhook": "whk", "topup": "top", "payout": "out",
            "owner": "own", "person": "per", "case": "cas",
            "payee": "acc", "payment": "pay"}  # fmt: skip
UNKNOWN_KEY = "fk_" + to_base64url(bytes(32))
_numbers = itertools.count(1)


class Request(NamedTuple):
    """A request without its asker."""

    method: str
    path: str
    body: Any = None


def nobodys(kind: str) -> str:
    """Make an id that nothing has, another one every time."""
    return f"{PREFIXES[kind]}_{next(_numbers):026}"


class Parties:
    """Makes things that belong to one owner or another."""

    def __init__(self, town: Town) -> None:
        self.town, self.pigeon = town, Pigeon()

    async def settle(self) -> None:
        """Add the third owner, keys of every scope, a revoked one, and devices."""
        town = self.town
        made = await self._made("/v1/owners", {"name": OTHERS})
        town.owners[OTHERS] = made["id"]
        for party in (ME, THEM, OTHERS):
            purse = await self.account(party)
            town.accounts[party] = purse
            credit = {"account": purse, "units": "100000", "asset": "USD"}
            await self._made("/v1/credits", credit)
            await town.enrol(party, party, await self.mandate(party))
            await town.enrol(f"asking {party}", party, await self.mandate(party, ask_above="1"))
        for name in ("sibling", "lost device"):
            await town.enrol(name, ME, await self.mandate(ME))
        await self._made(f"/v1/devices/{town.machines['lost device'].id}/revoke")
        for scope in KEYS:
            town.keys[scope] = (await self._key(ME, scope))["secret"]
        revoked = await self._key(ME, *KEYS)
        town.keys |= {"revoked key": revoked["secret"], "unknown key": UNKNOWN_KEY}
        await self._made(f"/v1/keys/{revoked['id']}/revoke")
        town.machines["device"] = town.machines[ME]

    async def _made(self, path: str, body: Any = None) -> Any:
        return await self.town.made("POST", path, body, who=LOCAL)

    async def _key(self, party: str, *scopes: str) -> Any:
        wanted = {"scopes": scopes, "owner": self.town.owners[party]}
        return await self._made("/v1/keys", wanted)

    async def owner(self, party: str) -> str:
        """Name an owner."""
        return self.town.owners[party]

    async def account(self, party: str) -> str:
        """Open an account."""
        body = {"asset": "USD", "owner": self.town.owners[party]}
        return (await self._made("/v1/accounts", body))["id"]

    payee = account

    async def key(self, party: str) -> str:
        """Make a key."""
        return (await self._key(party, "read"))["id"]

    async def person(self, party: str) -> str:
        """Let somebody sign in."""
        body = {"name": "somebody", "roles": ["owner"], "owner": self.town.owners[party]}
        return (await self._made("/v1/people", body))["id"]

    async def address(self, party: str) -> str:
        """Give somebody an address: that of the newest code."""
        path = f"/v1/people/{await self.person(party)}/addresses"
        made = await self._made(path, await _addressing(self, party))
        await self.town.hub.desk.notices.quiet()
        return made["id"]

    async def mandate(self, party: str, **terms: Any) -> str:
        """Make a mandate."""
        return await self.town.mandate(party, **terms)

    async def device(self, party: str) -> str:
        """Enrol a device."""
        return (await self.town.enrol("newest", party, await self.mandate(party))).id

    async def code(self, party: str) -> str:
        """Invite a device."""
        body = {"account": self.town.accounts[party], "mandate": await self.mandate(party)}
        return (await self._made("/v1/devices/invitations", body))["code"]

    async def offer(self, party: str) -> str:
        """Put up an offer."""
        body = {"payee": self.town.accounts[party], "path": "/x", "asset": "USD", "amount": "1"}
        return (await self._made("/v1/offers", body))["id"]

    async def movement(self, party: str, noun: str) -> str:
        """Begin a top-up or a payout."""
        body = await _moving(self, party) | {"account": self.town.accounts[party]}
        return (await self._made(f"/v1/{noun}s", body))["id"]

    async def topup(self, party: str) -> str:
        """Begin a top-up."""
        return await self.movement(party, "topup")

    async def payout(self, party: str) -> str:
        """Begin a payout."""
        return await self.movement(party, "payout")

    async def case(self, _party: str) -> str:
        """Have a payment flagged, for there were too many within a minute."""
        while not (listed := await self.town.made("GET", "/v1/cases?limit=1", who=LOCAL))["items"]:
            await self.payment("paid", "payer")
        return listed["items"][0]["id"]

    async def webhook(self, party: str) -> str:
        """Add a webhook."""
        body = {"url": "https://shop.example/paid", "owner": self.town.owners[party]}
        await self.make_room()
        return (await self._made("/v1/webhooks", body))["id"]

    async def make_room(self) -> None:
        """Remove all webhooks where there are many: an owner may have so many and no more."""
        listed = await self.town.made("GET", "/v1/webhooks?limit=500", who=LOCAL)
        left = [one["id"] for one in listed["items"] if one["state"] != "removed"]
        if len(left) >= WEBHOOKS_MAX:
            for ident in left:
                await self._made(f"/v1/webhooks/{ident}/remove")

    def order(self, relation: str, payee: str = "") -> SignedOrder:
        """Sign an order between the sides that this relation has."""
        payer, paid = SIDES[relation]
        machine = "sibling" if relation == "sibling" else payer
        return self.town.order(5, machine=machine, payee=payee or self.town.accounts[paid])

    async def payment(self, state: str, relation: str) -> str:
        """Make a payment that is held, paid, or awaits its owner."""
        if state == "paid":
            return (await self._made("/v1/payments", body_of(self.order(relation))))["id"]
        payer, paid = SIDES[relation]
        machine = f"asking {payer}" if state == "asked" else payer
        body = body_of(self.town.order(5, machine=machine, payee=self.town.accounts[paid]))
        return (await self._made("/v1/payments/authorise", body | {"hold_seconds": 600}))["payment"]

    async def session(self, relation: str) -> Any:
        """Open a session between the sides that this relation has."""
        payer, paid = SIDES[relation]
        machine = "sibling" if relation == "sibling" else payer
        payee = self.town.accounts[paid]
        self.newest = await self.town.session(machine=machine, payee=payee)
        return self.newest

    async def request(self, row: Row, relation: str = "") -> Request:
        """Write a request that is right if the asker may ask it, about a new thing.

        Shape: `relation` is what the asker has to do with the thing; `nowhere` for no such thing.
        """
        path, party = row.path, THEM if relation == "stranger" else ME
        if found := re.search(r"\{(\w+)\}", row.path):
            ident = await self._ident(found[1], row, relation, party)
            path = path.replace(found[0], ident)
        path += QUERIES.get(row.request, "")
        return Request(row.method, path, await self._body(row, relation, party))

    async def _ident(self, kind: str, row: Row, relation: str, party: str) -> str:
        if relation == "nowhere":
            return nobodys(kind)
        if kind == "session":
            return (await self.session(relation or "payer"))["id"]
        if kind == "payment":
            return await self.payment(NEEDS.get(row.path.rpartition("/")[2], "paid"), relation)
        return await getattr(self, kind)(party)

    async def _body(self, row: Row, relation: str, party: str) -> Any:
        if row.request in ORDERS:
            nowhere = relation == "nowhere"
            signed = self.order("payer", nobodys("payee")) if nowhere else self.order(relation)
            return ORDERS[row.request](self.town, signed)
        make = BODIES.get(row.request)
        body = await make(self, party) if make is not None else None
        member = NAMED.get(row.request)
        if member is not None:
            whose = nobodys(member) if relation == "nowhere" else await getattr(self, member)(party)
            body = body | {member: whose}
            if row.request == "POST /v1/payouts" and relation != "nowhere":
                credit = {"account": whose, "units": "9", "asset": "USD"}
                await self._made("/v1/credits", credit)
        return body


def rotation(machine: Machine, ident: str) -> dict[str, str]:
    """Write the body that gives a device a new key."""
    new = new_signer()
    message = rotation_bytes(ident, new.public)
    return {
        "public_key": new.public,
        "signature_old": to_base64url(machine.signer.sign(message)),
        "signature_new": to_base64url(new.sign(message)),
    }


def fixed(**body: Any) -> Any:
    """Give a body that is always the same."""

    async def made(_parties: Parties, _party: str) -> Any:
        return dict(body)

    return made


async def _paying(parties: Parties, _party: str) -> Any:
    return body_of(parties.order("payer"))


async def _cancelling(parties: Parties, _party: str) -> Any:
    machine = parties.town.machines[SIDES["payer"][0]]
    return cancel_of(parties.order("payer"), machine.signer)


async def _crediting(parties: Parties, party: str) -> Any:
    return {"account": parties.town.accounts[party], "units": "1", "asset": "USD"}


async def _enrolling(parties: Parties, party: str) -> Any:
    return enrolment(await parties.code(party), new_signer())


async def _rotating(parties: Parties, _party: str) -> Any:
    machine = parties.town.machines["newest"]
    return rotation(machine, machine.id)


async def _inviting(parties: Parties, party: str) -> Any:
    return {"account": parties.town.accounts[party], "mandate": await parties.mandate(party)}


async def _inviting_person(parties: Parties, party: str) -> Any:
    return {"name": "somebody", "roles": ["owner"], "owner": parties.town.owners[party]}


async def _addressing(_parties: Parties, _party: str) -> Any:
    return {"way": "email", "place": f"ada{next(_numbers)}@home.example"}


async def _proving(parties: Parties, _party: str) -> Any:
    return {"code": parties.pigeon.code}


async def _assigning(parties: Parties, party: str) -> Any:
    return {"mandate": await parties.mandate(party)}


async def _batching(parties: Parties, _party: str) -> Any:
    return {"payments": [body_of(parties.order("payer"))]}


async def _opening(parties: Parties, _party: str) -> Any:
    return parties.town.opening(machine=ME, payee=parties.town.accounts[THEM])


async def _topping_up(parties: Parties, _party: str) -> Any:
    payee, ident = parties.town.accounts[THEM], parties.newest["id"]
    return parties.town.payment(5, machine=ME, payee=payee, resource=top_up_resource(ident))


async def _drawing(parties: Parties, _party: str) -> Any:
    return {"voucher": parties.town.voucher(parties.newest, 1, machine=ME)}


async def _drawing_many(parties: Parties, _party: str) -> Any:
    session = await parties.session("payer")
    voucher = parties.town.voucher(session, 1, machine=ME)
    return {"vouchers": [{"session": session["id"], "voucher": voucher}]}


async def _ticking(parties: Parties, _party: str) -> Any:
    town, session = parties.town, parties.newest
    climber = town.climber(session)
    raw = town.ladder(session, climber, 1, machine=ME)
    drawn = await town.ask("POST", f"/v1/sessions/{session['id']}/vouchers", {"voucher": raw})
    assert drawn.is_success or drawn.status_code == 401, drawn.text
    return {"tick": to_base64url(town.tick(session, climber, 1))}


async def _ticking_many(parties: Parties, _party: str) -> Any:
    session = await parties.session("payer")
    return {"ticks": [{"session": session["id"]} | await _ticking(parties, "")]}


async def _ticking_bare(_parties: Parties, _party: str) -> Any:
    return bytes(28)


async def _offering(parties: Parties, party: str) -> Any:
    return {"payee": parties.town.accounts[party], "path": "/y", "asset": "USD", "amount": "1"}


async def _moving(parties: Parties, party: str) -> Any:
    return {"account": parties.town.accounts[party], "units": "1", "asset": "USD"}


async def _hooking(parties: Parties, _party: str) -> Any:
    await parties.make_room()
    return {"url": "https://shop.example/paid"}


def _authorising(_town: Town, signed: SignedOrder) -> Any:
    return body_of(signed)


ORDERS = {
    "POST /v1/payments/authorise": _authorising,
    "POST /verify": x402_body,
    "POST /settle": x402_body,
}
"""Requests about an order that a seller received: how they carry it."""

BODIES = {
    "POST /v1/payments": _paying,
    "POST /v1/payments/batch": _batching,
    "POST /v1/sessions": _opening,
    "POST /v1/sessions/{session}/deposits": _topping_up,
    "POST /v1/sessions/{session}/vouchers": _drawing,
    "POST /v1/vouchers": _drawing_many,
    "POST /v1/sessions/{session}/ticks": _ticking,
    "POST /v1/ticks": _ticking_many,
    "POST /v1/accounts/{account}/ticks": _ticking_bare,
    "POST /v1/payments/cancel": _cancelling,
    "POST /v1/payments/{payment}/delivery": fixed(reason="cut"),
    "POST /v1/owners": fixed(name="new"),
    "POST /v1/keys": fixed(scopes=["read"]),
    "POST /v1/people": _inviting_person,
    "PUT /v1/people/{person}/notices": fixed(language="de"),
    "POST /v1/people/{person}/addresses": _addressing,
    "POST /v1/addresses/{address}/prove": _proving,
    "POST /v1/accounts": fixed(asset="USD"),
    "POST /v1/credits": _crediting,
    "POST /v1/mandates": fixed(asset="USD"),
    "PUT /v1/mandates/{mandate}": fixed(asset="USD"),
    "POST /v1/devices/invitations": _inviting,
    "POST /v1/devices/enrol": _enrolling,
    "POST /v1/devices/{device}/rotate": _rotating,
    "PUT /v1/devices/{device}/mandate": _assigning,
    "POST /v1/offers": _offering,
    "PUT /v1/offers/{offer}": _offering,
    "POST /v1/webhooks": _hooking,
    "POST /v1/topups": _moving,
    "POST /v1/payouts": _moving,
    "POST /v1/cases/{case}/decide": fixed(verdict="fraud", reason="odd", anew=True),
    "POST /v1/webhooks/{webhook}/rotate": fixed(),
    "POST /v1/webhooks/{webhook}/replay": fixed(),
}
"""How the other bodies are made, for things of one party."""

NAMED = {
    "POST /v1/keys": "owner",
    "POST /v1/accounts": "owner",
    "POST /v1/mandates": "owner",
    "POST /v1/devices/invitations": "account",
    "POST /v1/offers": "payee",
    "POST /v1/webhooks": "owner",
    "POST /v1/topups": "account",
    "POST /v1/payouts": "account",
}
"""Which member of a body names the thing that a request without an id in its path is about."""

QUERIES = {"GET /v1/events": "?limit=500"}


@contextlib.asynccontextmanager
async def open_parties(folder: Path, **more: Any) -> AsyncIterator[Parties]:
    """Open a hub with three owners and one of everything."""
    risk = RiskSettings(mode="shadow", rules={"velocity": {"orders_per_minute_max": 3}})
    config = changed(config_in(folder), risk=risk)
    async with open_town(folder, config=config, **more) as town:
        parties = Parties(town)
        town.hub.desk.notices.ways = {"email": parties.pigeon}
        await parties.settle()
        yield parties
