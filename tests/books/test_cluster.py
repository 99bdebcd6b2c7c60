"""Money in a cluster and records beside it: lost answers, lost hubs, and books that do not fit.

Each on a cluster in memory, and on a TigerBeetle where there is one.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from farthing import ids
from farthing.books.cluster import CHAIN_MAX, ClusterDiffers
from farthing.books.cluster_writing import MARK, Settle
from farthing.books.sql import KeptBy, SqlBooks
from farthing.core.decisions import Outcome, Plan
from farthing.core.fees import FEES_MAX
from farthing.core.ledger import Account, Transfer, linked
from farthing.core.mandates import BUDGETS_MAX, Budget
from farthing.core.payments import PAYMENTS, State
from farthing.core.rebuilt import Moved, Rebuilt
from farthing.core.refunds import GiveBack
from farthing.core.replay import counters
from farthing.core.settling import Capture, Expire, Void
from farthing.errors import OutcomeUnknown, Unavailable
from farthing.services.audit import audit
from farthing.store.mapping import mapping
from farthing.store.postgres import PostgresDatabase
from farthing.store.queries import events_after
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.fake_cluster import FakeCluster
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.books.auditor import check_history
from tests.clusters import a_part
from tests.conftest import SIGNER
from tests.places import empty_books

DAY = Budget(name="day", per="day", limit=1000)


@pytest.fixture(params=["in memory", "tigerbeetle"])
def cluster(request):
    return FakeCluster() if request.param == "in memory" else a_part()


class Disturbed:
    """A cluster whose answers can be lost: before it heard, or after it did what was asked."""

    def __init__(self, whole):
        self._whole = whole
        self.loses = ""
        self.times = 0

    def __getattr__(self, name):
        return getattr(self._whole, name)

    def post(self, transfers):
        return self._lossy(self._whole.post, transfers)

    def open_accounts(self, accounts):
        return self._lossy(self._whole.open_accounts, accounts)

    def _lossy(self, ask, rows):
        lost = rows and self.times > 0
        self.times -= bool(lost)
        if lost and self.loses == "the request":
            raise Unavailable("cluster-unreachable", "lost")
        done = ask(rows)
        if lost:
            raise Unavailable("cluster-unreachable", "lost")
        return done


class Hub:
    """Books in a file or on a server, and a cluster: they can be lost and opened again.

    Shape: `place` is the file, or the words that name the server's database.
    """

    def __init__(self, place, cluster, clock=None):
        self.place, self.cluster = place, cluster
        self.clock = clock or HandClock()
        self.readers, self.writer = Threads(1), Threads(1)
        self.heads = []
        self.open()

    def open(self):
        kind = PostgresDatabase if isinstance(self.place, str) else SqliteDatabase
        self.database = kind(self.place, self.readers)
        kept_by = KeptBy(self.cluster, lambda: 77)
        told = (lambda: SIGNER, self.clock, self.writer, self.heads.append)
        self.books = SqlBooks(self.database, *told, kept_by=kept_by)

    def reopen(self):
        self.database.close()
        self.open()

    def world(self, seed=0):
        return World(self.books, self.database, self.clock, seed)

    async def audit(self):
        await self.database.read(check_history)
        return (await audit(self.database, None, cluster=self.cluster)).text

    def close(self):
        self.database.close()
        self.readers.close()
        self.writer.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where the records are."""
    if request.param == "sqlite":
        return empty_books(tmp_path / "books.db")
    return request.getfixturevalue("postgres_dsn")


@pytest.fixture
def hub(place, cluster):
    hub = Hub(place, Disturbed(cluster))
    yield hub
    hub.close()


@pytest.fixture
def hub_in_file(tmp_path, cluster):
    hub = Hub(empty_books(tmp_path / "books.db"), Disturbed(cluster))
    yield hub
    hub.close()


async def lived_in(hub):
    """A world with a charge, a hold, a capture, a void, an expiry, a refusal and a refund."""
    world = hub.world()
    world.begin()
    buyer, shop = await world.spender(1000, DAY), await world.account()
    await world.do(world.pay(buyer, shop, 30))
    held = [(await world.do(world.pay(buyer, shop, 20, hold=60))).payment for _ in range(3)]
    await world.do(Capture(held[0].id, None, 15))
    await world.do(Void(held[1].id, None))
    await world.do(world.pay(buyer, shop, 5000))
    world.clock.move(63)
    assert (await world.do(Expire(held[2].id))).state is State.EXPIRED
    charged = (await world.do(world.pay(buyer, shop, 40))).payment
    await world.do(GiveBack(ids.name("ref", world.fresh()), charged.id, None, 10, ""))
    await world.do(world.pay(buyer, shop, 7, hold=600))
    return world, buyer, shop


@pytest.mark.parametrize("loses", ["the request", "the answer"])
async def test_a_payment_whose_outcome_was_lost_is_told_when_it_is_asked_for_again(hub, loses):
    world, buyer, shop = await lived_in(hub)
    before = await world.available(shop)
    unit = world.pay(buyer, shop, 11)
    hub.cluster.loses, hub.cluster.times = loses, 1
    with pytest.raises(OutcomeUnknown):
        await world.do(unit)
    assert not hub.books.writable
    again = await world.do(unit)
    assert (again.payment.state, again.fresh) == (State.CAPTURED, False)
    assert hub.books.writable
    assert await world.available(shop) == before + 11
    assert await hub.audit() == "ok"
    assert [head.number for head in hub.heads] == list(range(1, len(hub.heads) + 1))


@pytest.mark.parametrize("loses", ["the request", "the answer"])
async def test_a_hub_that_was_lost_in_a_commit_ends_it_when_it_is_back(hub, loses):
    world, buyer, shop = await lived_in(hub)
    unit = world.pay(buyer, shop, 11, hold=60)
    hub.cluster.loses, hub.cluster.times = loses, 1
    with pytest.raises(OutcomeUnknown):
        await world.do(unit)
    hub.reopen()
    assert await hub.audit() == "ok", "what is intended is no difference"
    await hub.books.commit_one(Settle())
    world = hub.world(seed=1)
    payment = await world.payment(unit.name)
    assert payment.state is State.HELD
    assert not (await world.do(unit)).fresh
    assert (await world.do(Capture(payment.id, None))).state is State.CAPTURED
    assert await hub.audit() == "ok"


async def test_a_refusal_and_the_events_of_a_lost_commit_are_kept_as_well(hub):
    world, buyer, shop = await lived_in(hub)
    units = [world.pay(buyer, shop, 11), world.pay(buyer, shop, 5000)]
    poor = await world.spender(1)
    units.append(world.pay(poor, shop, 2))
    hub.cluster.loses, hub.cluster.times = "the answer", 1
    with pytest.raises(OutcomeUnknown):
        await world.do_all(units)
    hub.reopen()
    await hub.books.commit_one(Settle())
    told = await hub.database.read(lambda tx: events_after(tx, None, 0, 500))
    kinds = [{event.kind for event in told if event.subject == unit.name} for unit in units]
    assert kinds == [{"payment.captured"}, {"payment.refused"}, {"payment.refused"}]
    assert (await hub.world().payment(units[2].name)).reason == "insufficient-funds"
    assert await hub.audit() == "ok"


async def test_while_the_cluster_is_away_nothing_is_done_and_then_it_goes_on(hub):
    world, buyer, shop = await lived_in(hub)
    before = await world.available(shop)
    hub.cluster.loses, hub.cluster.times = "the request", 3
    with pytest.raises(OutcomeUnknown):
        await world.do(world.pay(buyer, shop, 1))
    for _ in range(2):
        with pytest.raises(Unavailable):
            await world.do(world.pay(buyer, shop, 2))
    assert await hub.books.probe()
    assert await world.available(shop) == before + 1
    assert await hub.audit() == "ok"


async def test_what_moves_nothing_asks_the_cluster_nothing(hub):
    world, buyer, shop = await lived_in(hub)
    hub.cluster.loses, hub.cluster.times = "the request", 1
    await world.owner()
    refused = await world.do(world.pay(buyer, shop, 100_000))
    assert refused.payment.state is State.REFUSED
    assert hub.cluster.times == 1


async def test_balances_and_payments_are_made_again_from_the_cluster_alone(hub):
    await lived_in(hub)
    accounts = [k.account for k in hub.cluster.every_account() if k.account.id != MARK]
    transfers = [kept.transfer for kept in hub.cluster.every_transfer()]
    rebuilt = Rebuilt(accounts, transfers)
    rebuilt.replay.check_balances(accounts)
    stored = await hub.database.read(
        lambda tx: tx.rows(
            "SELECT id, debits_pending, debits_posted, credits_pending, credits_posted"
            " FROM accounts JOIN balances USING (timestamp)"
        )
    )
    made = {ident: counters(account) for ident, account in rebuilt.replay.accounts.items()}
    assert made == {int.from_bytes(row[0], "big"): row[1:] for row in stored}
    mapped = mapping(PAYMENTS)
    payments = [
        mapped.row(row) for row in await hub.database.read(lambda tx: tx.rows(mapped.select))
    ]
    moved = [p for p in payments if p.state not in (State.REFUSED, State.AWAITING)]
    assert {p.state for p in moved} == {State.CAPTURED, State.HELD, State.VOIDED, State.EXPIRED}
    assert {
        i: (m.state, m.amount, m.captured, m.refunded) for i, m in rebuilt.payments.items()
    } == {p.id: (p.state, p.amount, p.captured, p.refunded) for p in moved}
    kept = await hub.database.read(lambda tx: tx.rows("SELECT id, timeout, flags FROM transfers"))
    assert {(t.id, t.timeout, t.flags) for t in transfers} == {
        (int.from_bytes(ident, "big"), *rest) for ident, *rest in kept
    }


async def test_a_transfer_that_the_books_do_not_have_is_found_and_named(hub):
    _, buyer, shop = await lived_in(hub)
    sides = ids.number("acc", buyer.account), ids.number("acc", shop)
    hub.cluster.post([Transfer(12345, *sides, 1, 1, 10, timestamp=1)])
    assert (
        await hub.audit()
        == f"transfer (id {12345:032x}): the cluster has it, and the books have not"
    )
    hub.reopen()
    with pytest.raises(ClusterDiffers) as told:
        await hub.books.commit_one(Settle())
    assert told.value.code == "cluster-differs"
    assert "has transfers that these books do not have" in told.value.detail


async def test_books_that_were_put_back_from_an_older_copy_are_refused(hub_in_file, tmp_path):
    hub = hub_in_file
    world, buyer, shop = await lived_in(hub)
    hub.database.close()
    shutil.copy(hub.place, tmp_path / "older")
    hub.open()
    lost = (await hub.world(seed=1).do(world.pay(buyer, shop, 1))).payment
    available = await hub.world().available(shop)
    first = list(hub.cluster.every_transfer())[-2].transfer.id  # A budget counts it as well.
    hub.database.close()
    shutil.copy(tmp_path / "older", hub.place)
    hub.open()
    with pytest.raises(ClusterDiffers):
        await hub.world(seed=2).do(world.pay(buyer, shop, 2))
    said = f"transfer (id {first:032x}): the cluster has it, and the books have not"
    assert await hub.audit() == said
    accounts = [k.account for k in hub.cluster.every_account() if k.account.id != MARK]
    rebuilt = Rebuilt(accounts, [kept.transfer for kept in hub.cluster.every_transfer()])
    assert rebuilt.payments[lost.id] == Moved(State.CAPTURED, 1, 1)
    seller = rebuilt.replay.accounts[ids.number("acc", shop)]
    left = seller.credits_posted - seller.debits_posted - seller.debits_pending
    assert left == available, "nothing of the money is lost"


async def test_a_cluster_that_keeps_the_books_of_another_hub_is_refused(hub, tmp_path):
    await lived_in(hub)
    other = Hub(empty_books(tmp_path / "other.db"), hub.cluster)
    with pytest.raises(ClusterDiffers) as told:
        await other.books.commit_one(Settle())
    assert told.value.code == "another-cluster"
    other.close()


async def test_a_cluster_that_has_nothing_of_these_books_is_refused(hub, cluster):
    await lived_in(hub)
    hub.cluster = FakeCluster() if isinstance(cluster, FakeCluster) else a_part()
    hub.reopen()
    with pytest.raises(ClusterDiffers) as told:
        await hub.books.commit_one(Settle())
    assert told.value.code == "another-cluster"


async def test_a_cluster_with_accounts_of_somebody_elses_is_refused(hub):
    hub.cluster.open_accounts([Account(5, 1, 1, timestamp=9)])
    with pytest.raises(ClusterDiffers) as told:
        await hub.books.commit_one(Settle())
    assert told.value.code == "another-cluster"


@dataclass(frozen=True)
class Chain:
    """A unit that moves one unit of money so many times, all or none."""

    debit: str
    credit: str
    idents: Sequence[int]
    reads = accounts = ()

    def plan(self, _view):
        sides = ids.number("acc", self.debit), ids.number("acc", self.credit)
        rows = [Transfer(ident, *sides, 1, 1, 10) for ident in self.idents]
        return Plan(lambda _: Outcome(None), chains=[linked(rows)])


async def test_a_chain_that_a_cluster_would_not_take_is_refused_before_it_is_begun(hub):
    world, buyer, shop = await lived_in(hub)
    before = await world.available(shop)
    fits, too_long = (
        Chain(buyer.account, shop, [world.fresh() for _ in range(n)])
        for n in (CHAIN_MAX, CHAIN_MAX + 1)
    )
    told = await hub.books.commit([world.pay(buyer, shop, 2), too_long, fits])
    assert (told[1].code, told[1].status) == ("chain-too-long", 400)
    assert await world.available(shop) == before + 2 + CHAIN_MAX
    assert (await world.do(world.pay(buyer, shop, 3))).payment.state is State.CAPTURED
    assert await hub.audit() == "ok"


async def test_the_longest_chain_that_a_payment_makes_is_taken(hub):
    world = hub.world()
    world.begin()
    budgets = [Budget(name=f"b{n}", per="day", limit=1000) for n in range(BUDGETS_MAX)]
    buyer, shop = await world.spender(1000, *budgets), await world.account()
    done = await world.do(world.pay(buyer, shop, 3))
    assert done.payment.state is State.CAPTURED
    assert 1 + BUDGETS_MAX + FEES_MAX < CHAIN_MAX


class Lying:
    """A cluster that tells one transfer otherwise, or leaves it out."""

    def __init__(self, whole, which, change):
        self._whole, self._which, self._change = whole, which, change

    def __getattr__(self, name):
        return getattr(self._whole, name)

    def every_transfer(self):
        for number, kept in enumerate(self._whole.every_transfer(), 1):
            told = self._change(kept) if number == self._which else kept
            if told is not None:
                yield told

    def every_account(self):
        for number, kept in enumerate(self._whole.every_account(), 1):
            told = self._change(kept) if -number == self._which else kept
            if told is not None:
                yield told


def left_out(_kept):
    return None


def changed(name):
    def change(kept):
        row = kept[0]
        return kept._replace(
            **{kept._fields[0]: type(row)(**{**fields(row), name: getattr(row, name) + 1})}
        )

    return change


def fields(row):
    return {name: getattr(row, name) for name in row.__struct_fields__}


@pytest.mark.parametrize(
    ("which", "change", "told"),
    [
        (3, left_out, "transfer 3 (id {}): the cluster does not have it"),
        (3, changed("amount"), "transfer 3 (id {}): its amount is "),
        (3, changed("user_data"), "transfer 3 (id {}): its user data is "),
        (-3, changed("credits_posted"), "account acc_"),
        (-3, left_out, "account acc_"),
    ],
)
async def test_the_audit_names_the_first_difference(hub, which, change, told):
    await lived_in(hub)
    third = list(hub.cluster.every_transfer())[2].transfer.id
    hub.cluster = Lying(hub.cluster, which, change)
    assert (await hub.audit()).startswith(told.format(f"{third:032x}"))


async def test_history_covers_the_clusters_times(hub):
    await lived_in(hub)
    newest = "(SELECT timestamp FROM transfers ORDER BY number DESC LIMIT 1)"
    for sql in (
        f"UPDATE cluster_times SET cluster_ns = cluster_ns + 1 WHERE timestamp = {newest}",
        f"DELETE FROM cluster_times WHERE timestamp = {newest}",
    ):
        hub.database.transact(lambda tx, sql=sql: tx.run(sql))
        report = await audit(hub.database, None)
        assert not report.ok, sql
    assert "covers" in report.text


async def test_a_time_of_nothing_is_found(hub):
    await lived_in(hub)
    hub.database.transact(lambda tx: tx.run("INSERT INTO cluster_times VALUES (5, 6)"))
    assert (await audit(hub.database, None)).text == (
        "cluster time 5: it belongs to no account and no transfer"
    )
