"""A real hub in this process: SQLite books, an owner, a device with money, a priced route."""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farthing import ids, keys
from farthing.books.sql import SqlBooks
from farthing.clock import system_clock
from farthing.core.accounts import ASSETS, AssetRecord, Credit, OpenAccount
from farthing.core.devices import EnrolDevice, Invitation, InviteDevice, code_hash
from farthing.core.identity import AdmitKey, certify
from farthing.core.mandates import Budget, Mandate, SetMandate
from farthing.core.owners import CreateOwner
from farthing.core.periods import ZoneChange
from farthing.core.prices import Offer, PriceList
from farthing.money import Amount, Asset
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.services.context import Context, HubIdentity
from farthing.services.payments import EmbeddedHub, Payments
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads
from farthing.web.paywall import Paywall

USD = Asset("USD", 6)
FUNDS = 1_000_000


@dataclass
class Shop:
    """What a test needs of the running hub."""

    paywall: Paywall
    signer: keys.Ed25519Signer
    root: keys.Ed25519Signer
    device: str
    payee: str
    payer: str
    ctx: Context
    served: list[dict[str, str]]

    async def units(self, account: str) -> int:
        """Count what an account holds, posted, by the books."""
        number = ids.number("acc", account)
        row = await self.ctx.database.read(
            lambda tx: tx.rows(
                "SELECT credits_posted - debits_posted FROM accounts"
                " JOIN balances USING (timestamp) WHERE id = ?",
                (number.to_bytes(16, "big"),),
            )
        )
        return row[0][0]


def fresh(prefix: str) -> str:
    return ids.name(prefix, ids.fresh(time.time_ns() // 1_000_000))


@contextlib.asynccontextmanager
async def open_shop(folder: Path, price: int = 1500, largest: int = 10_000) -> AsyncIterator[Shop]:
    """Open books in a folder, and a shop on them."""
    pools = [Threads(1), Threads(2), Threads(1)]
    database = SqliteDatabase(folder / "hub.db", pools[1])
    migrate(database)
    root = keys.Ed25519Signer(secrets.token_bytes(32))
    head_key = keys.Ed25519Signer(secrets.token_bytes(32))
    certificate = certify(root, head_key.public, int(time.time()) - 1)
    books = SqlBooks(database, lambda: head_key, system_clock, pools[0])
    ctx = Context(
        books,
        database,
        system_clock,
        secrets.randbits,
        pools[2],
        HubIdentity(certificate.hub, root.public, {head_key.public: certificate}),
        {"USD": USD},
    )
    try:
        yield await _furnish(ctx, certificate, root, price, largest)
    finally:
        await books.close()
        database.close()
        for pool in pools:
            pool.close()


async def _furnish(ctx: Context, certificate: Any, root: Any, price: int, largest: int) -> Shop:
    database, books = ctx.database, ctx.books
    database.transact(lambda tx: tx.put(ASSETS, [AssetRecord("USD", 6, 1)]))
    await books.commit_one(AdmitKey(certificate))
    buyer, seller, mandate = fresh("own"), fresh("own"), fresh("man")
    payer, payee = fresh("acc"), fresh("acc")
    for owner in (buyer, seller):
        await books.commit_one(CreateOwner(owner, "somebody", "Europe/Oslo"))
    await books.commit_one(OpenAccount(payer, buyer, "USD", "paying"))
    await books.commit_one(OpenAccount(payee, seller, "USD", "paid"))
    await books.commit_one(Credit(ids.number("crd", fresh("crd")), payer, "USD", FUNDS))
    allowed = Mandate(
        id=mandate,
        owner=buyer,
        asset="USD",
        name="daily",
        largest=largest,
        budgets=[Budget(name="day", per="day", limit=FUNDS)],
        zones=[ZoneChange(0, "Europe/Oslo")],
    )
    await books.commit_one(SetMandate(allowed, None, ids.number("chg", fresh("chg")), True))
    signer = keys.Ed25519Signer(secrets.token_bytes(32))
    code, device = code_hash("code"), fresh("dev")
    ends = time.time_ns() + 10**12
    invited = Invitation(code, fresh("inv"), buyer, payer, mandate, "meter", ends, "")
    await books.commit_one(InviteDevice(invited, None))
    await books.commit_one(EnrolDevice(device, code, signer.public))
    served: list[dict[str, str]] = []

    async def weather(scope: Any, receive: Any, send: Any) -> None:
        served.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"sunny"})

    offer = Offer(
        name="weather",
        path="/weather",
        price=Amount(price, USD),
        payee=payee,
        methods=frozenset({"GET", "POST"}),
    )
    paywall = Paywall(
        weather,
        hub=EmbeddedHub(Payments(ctx), ctx),
        hub_id=ctx.identity.hub,
        languages=[Mpp([secrets.token_bytes(32)]), X402()],
        assets={"USD": USD},
        prices=PriceList(offers=(offer,)),
        realm="shop.example",
    )
    return Shop(paywall, signer, root, device, payee, payer, ctx, served)
