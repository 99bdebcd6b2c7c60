"""Counting itself: buckets, threads, and that nobody's payment hangs on it."""

import threading

import pytest

from farthing.books.sql import SqlBooks
from farthing.core.events import PER_LEAF, Event, Kind
from farthing.core.payments import State
from farthing.errors import Conflict
from farthing.observe.hub_watch import HubWatch
from farthing.observe.table import Metric
from farthing.observe.tally import Spread, Tally
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.conftest import SIGNER

from .reading import value


def test_a_value_on_a_bound_belongs_below_it_and_the_last_bucket_has_all():
    spread = Spread(Metric("x_seconds", "histogram", "", (), (1.0, 2.0)))
    for taken in (0.5, 1.0, 1.5, 2.0, 99.0):
        spread.at().add(taken)
    [(labels, buckets, total)] = spread.read()
    assert labels == ()
    assert buckets == [("1.0", 2), ("2.0", 4), ("+Inf", 5)]
    assert total == 104.0


def test_a_page_may_be_read_while_others_count():
    tally = Tally(Metric("x_total", "counter", "", ("n",)))
    spread = Spread(Metric("x_seconds", "histogram", "", ("n",), (1.0,)))
    going = True

    def count():
        number = 0
        while going and number < 20_000:
            number += 1
            tally.add((str(number),))
            spread.at(str(number)).add(0.5)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        for _ in range(20):
            assert all(count in (0, 1) for _, count in tally.read())
            assert all(buckets[-1][1] in (0, 1) for _, buckets, _ in spread.read())
    finally:
        going = False
        thread.join()


def test_the_parts_of_a_step_make_up_the_whole_and_a_fault_is_counted_for_both():
    watch = HubWatch("sqlite")
    with watch.step("authorise") as step:
        step.part("verify")
        step.part("commit")
    with pytest.raises(Conflict), watch.step("authorise") as step:
        step.part("verify")
        raise Conflict("payment-in-progress", "a code that there is")
    page = watch.board.page().decode()

    def taken(step, what):
        return value(page, f"farthing_payment_seconds_{what}", step=step)

    assert (taken("authorise", "count"), taken("verify", "count")) == (2, 2)
    assert taken("commit", "count") == 1
    assert taken("authorise", "sum") >= taken("verify", "sum") + taken("commit", "sum")
    failures = "farthing_payment_failures_total"
    assert value(page, failures, step="authorise", code="payment-in-progress") == 1
    assert value(page, failures, step="verify", code="payment-in-progress") == 1


def test_what_two_owners_may_know_is_counted_once():
    watch = HubWatch("sqlite")
    body = {"asset": "USD", "captured": "1500"}
    both = [
        Event(7 * PER_LEAF + place, owner, Kind.PAYMENT_CAPTURED.value, "pay_x", 1, body)
        for place, owner in enumerate(["own_a", "own_b"])
    ]
    watch.committed(0.1, 0.2, 1, both)
    page = watch.board.page().decode()
    assert value(page, "farthing_events_total", kind="payment.captured") == 1
    assert value(page, "farthing_events_total", kind="payment.held") == 0
    assert value(page, "farthing_captured_units_total", asset="USD") == 1500


async def test_a_watch_that_fails_costs_no_payment(tmp_path, readers, caplog):
    def broken(*_told):
        raise RuntimeError("who watches is broken")

    database = SqliteDatabase(tmp_path / "books.db", readers)
    migrate(database)
    clock = HandClock()
    with Threads(1) as writer:
        books = SqlBooks(database, lambda: SIGNER, clock, writer, on_batch=broken)
        world = World(books, database, clock)
        world.begin()
        spender, payee = await world.spender(100), await world.account()
        paid = (await world.do(world.pay(spender, payee, 10))).payment
        commits = books.commits
        await books.close()
    database.close()
    assert paid.state is State.CAPTURED
    assert commits >= 4
    assert "who watches is broken" in caplog.text
