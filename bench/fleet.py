"""A fleet to pay with: devices under mandates of two budgets, and sellers' accounts to pay to.

Each device has an account and a mandate of its own. Everything is made through the books.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from farthing import ids
from farthing.app import open_hub
from farthing.books.base import Books
from farthing.clock import NS, system_clock
from farthing.core.accounts import Credit, OpenAccount
from farthing.core.devices import EnrolDevice, Invitation, InviteDevice, code_hash
from farthing.core.mandates import Budget, Mandate, SetMandate
from farthing.core.orders import Order, SignedOrder
from farthing.core.owners import CreateOwner
from farthing.core.periods import ZoneChange
from farthing.errors import FarthingError
from farthing.keys import Ed25519Signer, new_signer
from farthing.settings import Config

ASSET = "USD"
PRICE = 1500
_FUNDS = 10**15
_DEVICES_PER_OWNER = 100
_DEVICES_PER_SELLER = 10
_LIFETIME_SECONDS = 3000
_BUDGETS = [
    Budget(name="today", per="day", limit=_FUNDS),
    Budget(name="this month", per="month", limit=_FUNDS),
]


@dataclass(frozen=True, slots=True)
class Spender:
    """A device that can sign."""

    device: str
    signer: Ed25519Signer


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who pays and who is paid, on the hub with this id."""

    hub: str
    spenders: Sequence[Spender]
    payees: Sequence[str]

    def orders(self, count: int, *, resource: str = "", payee: str = "") -> list[SignedOrder]:
        """Sign orders beforehand, the devices taking turns."""
        return [
            sign(self.hub, self.spenders[i % len(self.spenders)],
                 payee or self.payees[i % len(self.payees)], resource)
            for i in range(count)
        ]  # fmt: skip


def sign(hub: str, spender: Spender, payee: str, resource: str) -> SignedOrder:
    """Sign one order with a new nonce."""
    now_ns = system_clock()
    order = Order(
        hub=hub,
        device=spender.device,
        payee=payee,
        asset=ASSET,
        amount=PRICE,
        nonce=ids.encode(ids.fresh(now_ns // 1_000_000)),
        expires=now_ns // NS + _LIFETIME_SECONDS,
        resource=resource,
    )
    return SignedOrder(order, spender.signer.sign(order.signed_bytes()))


async def furnish(config: Config, devices: int) -> Fleet:
    """Make owners, accounts with money, mandates, devices and sellers in a new hub's books."""
    hub = await open_hub(config)
    try:
        made = _Making(hub.books)
        spenders = await made.devices(devices)
        payees = await made.payees(max(1, devices // _DEVICES_PER_SELLER))
        return Fleet(hub.ctx.identity.hub, spenders, payees)
    finally:
        await hub.close()


class _Making:
    def __init__(self, books: Books) -> None:
        self._books = books

    async def _do(self, units: Sequence[object]) -> None:
        for answer in await self._books.commit(units):  # type: ignore[arg-type]
            if isinstance(answer, FarthingError):
                raise answer

    async def _owners(self, count: int) -> list[str]:
        owners = [_fresh("own") for _ in range(count)]
        await self._do([CreateOwner(owner, "fleet", "UTC") for owner in owners])
        return owners

    async def payees(self, count: int) -> list[str]:
        [owner] = await self._owners(1)
        accounts = [_fresh("acc") for _ in range(count)]
        await self._do([OpenAccount(account, owner, ASSET, "sales") for account in accounts])
        return accounts

    async def devices(self, count: int) -> list[Spender]:
        owners = await self._owners(-(-count // _DEVICES_PER_OWNER))
        whose = [owners[i // _DEVICES_PER_OWNER] for i in range(count)]
        accounts = [_fresh("acc") for _ in whose]
        mandates = [_fresh("man") for _ in whose]
        spenders = [Spender(_fresh("dev"), _ed25519()) for _ in whose]
        codes = [code_hash(spender.device) for spender in spenders]
        ends = time.time_ns() + 10**12
        await self._do([OpenAccount(a, o, ASSET, "") for a, o in zip(accounts, whose, strict=True)])
        await self._do([Credit(ids.decode(_fresh("crd")[4:]), a, ASSET, _FUNDS) for a in accounts])
        await self._do([_mandate(m, o) for m, o in zip(mandates, whose, strict=True)])
        await self._do(
            [
                InviteDevice(Invitation(c, _fresh("inv"), "", a, m, "meter", ends, ""), None)
                for c, a, m in zip(codes, accounts, mandates, strict=True)
            ]
        )
        await self._do(
            [
                EnrolDevice(spender.device, code, spender.signer.public)
                for spender, code in zip(spenders, codes, strict=True)
            ]
        )
        return spenders


def _mandate(ident: str, owner: str) -> SetMandate:
    wanted = Mandate(
        id=ident, owner=owner, asset=ASSET, name="", budgets=_BUDGETS, zones=[ZoneChange(0, "UTC")]
    )
    return SetMandate(wanted, None, ids.decode(_fresh("chg")[4:]), creates=True)


def _ed25519() -> Ed25519Signer:
    signer = new_signer()
    if not isinstance(signer, Ed25519Signer):
        raise TypeError("Ed25519 is what is measured")
    return signer


def _fresh(prefix: str) -> str:
    return ids.name(prefix, ids.fresh(time.time_ns() // 1_000_000))
