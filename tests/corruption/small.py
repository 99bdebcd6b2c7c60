"""A small real book: little of everything, so that each of its bytes can be changed in turn."""

import shutil

from farthing import ids
from farthing.books.sql import SqlBooks
from farthing.core.accounts import SetAccountState
from farthing.core.closing import EndSession
from farthing.core.devices import EnrolDevice, Invitation, InviteDevice, code_hash
from farthing.core.fees import FeeTerms
from farthing.core.identity import AdmitKey, certify
from farthing.core.mandates import Budget
from farthing.core.offers import OfferRecord, SetOffer
from farthing.core.owners import CreateKey, Scope, secret_hash
from farthing.core.refunds import GiveBack
from farthing.core.settling import Capture, MarkDelivery
from farthing.keys import Ed25519Signer
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.drawing import Drawer
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.conftest import SIGNER
from tests.services.lived_in import ROOT, paid

MOMENTS = 3


async def make(folder):
    """Write the books, keeping copies of earlier moments; give their heads.

    Shape: `books.db` as a closed hub leaves it; `moment-N.db` the same earlier; `log.db` and
           `log.db-wal` as they lay on the disk in the last moment before it was closed.
    """
    heads, clock = [], HandClock()
    with Threads(1) as readers, Threads(1) as writer:
        for moment, live in enumerate((_pay, _administer, _freeze)):
            database = SqliteDatabase(folder / "books.db", readers)
            migrate(database)
            books = SqlBooks(database, lambda: SIGNER, clock, writer, heads.append)
            world = World(books, database, clock, moment)
            await live(world)
            if live is _freeze:
                for end in ("", "-wal"):
                    shutil.copy(folder / f"books.db{end}", folder / f"log.db{end}")
            await books.close()
            database.close()
            if live is not _freeze:
                shutil.copy(folder / "books.db", folder / f"moment-{moment}.db")
            clock.move(1000)
    return heads


async def _pay(world):
    world.begin()
    await world.do(AdmitKey(certify(ROOT, SIGNER.public, world.clock.now - 1)))
    shop = await world.account()
    buyer = await world.spender(900, Budget(name="day", per="day", limit=700))
    await paid(world, buyer, shop, 70)
    held = (await paid(world, buyer, shop, 30, hold=60)).id
    await world.do(Capture(held, None, 20))
    await paid(world, buyer, shop, 40, hold=60)
    await world.do(GiveBack(ids.name("ref", world.fresh()), held, None, 15, "half"))
    await paid(world, buyer, shop, 600)
    await _give_a_fee(world, shop)


async def _give_a_fee(world, shop):
    buyer = await world.spender(50)
    world.fees = {"USD": FeeTerms(of="hub", account=await world.account(), ppm=200_000)}
    sold = await paid(world, buyer, shop, 50)
    world.fees = {}
    await world.do(GiveBack(ids.name("ref", world.fresh()), sold.id, None, 25, ""))


async def _freeze(world):
    """Let a hold run out, freeze, and refuse who has too little."""
    frozen = await world.account()
    await world.do(SetAccountState(frozen, None, "frozen", world.fresh()))
    await paid(world, await world.spender(0), frozen, 5)


async def _administer(world):
    owner = await world.owner()
    secret = secret_hash("secret")
    key = ids.name("key", world.fresh())
    await world.do(CreateKey(key, owner, secret, [Scope.SELLER], "label"))
    account, mandate = await world.account(owner), await world.mandate(owner)
    code, ends = code_hash("code"), world.clock.now_ns + 10**12
    asked = Invitation(code, ids.name("inv", world.fresh()), "", account, mandate.id, "n", ends, "")
    await world.do(InviteDevice(asked, None))
    key = Ed25519Signer(bytes((1,)) * 32).public
    await world.do(EnrolDevice(ids.name("dev", world.fresh()), code, key))
    offer = OfferRecord(
        id=ids.name("off", world.fresh()), owner=owner, payee=account, method="GET", path="/one",
        asset="USD", amount=5, description="water",
    )  # fmt: skip
    await world.do(SetOffer(offer, None, creates=True))
    await _meter(world)


async def _meter(world):
    """Close one session, end another as its payer, and leave a third open; note a delivery."""
    own = Drawer(world, await world.spender(900), await world.account())
    closed, ended, left = [await own.open(40) for _ in range(3)]
    await own.top_up(closed, 9)
    for session in (closed, ended, left):
        await world.do(own.draw(session, 30, 2))
    await own.close(closed, 20)
    await world.do(EndSession(ended.id, ended.owner))
    bought = await paid(world, own.spender, own.payee, 7)
    await world.do(MarkDelivery(bought.id, None, "broke off"))
