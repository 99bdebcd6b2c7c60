"""Metering beside the machine: what a seller is asked, bounded and told."""

import asyncio
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from farthing.core.ladders import Climber
from farthing.core.meters import Meter, counted, opened, owing
from farthing.core.sessions import top_up_resource
from farthing.core.tariffs import Tariff, flat_rate
from farthing.core.ticks import Tick, write_tick
from farthing.errors import Conflict, FarthingError, PaymentRefused, Unauthenticated, Unavailable
from farthing.keys import new_signer
from farthing.services.metering import Metering, MeterLimits, Wanted
from farthing.store.meter_book import MeterBook
from farthing.threads import Threads
from tests.contracts.test_session_hub_contract import World, world

THREADS, CHECKS = Threads(2), Threads(2)
TARIFF = flat_rate("USD", "request", 3, 2)


class Seller:
    """A payee that meters, with its hub and one device."""

    def __init__(self, here: World, folder: Path, **limits: Any) -> None:
        self.here, self.folder, self.limits = here, folder, limits
        self.open()

    def open(self) -> None:
        self.book = MeterBook(self.folder / "meters.db", THREADS)
        self.meters = Metering(
            self.here.hub,
            self.book,
            verifiers=CHECKS,
            writer=THREADS,
            clock=self.here.fake.clock,
            limits=MeterLimits(**self.limits),
        )

    def restart(self) -> None:
        self.book.close()
        self.open()

    def wanted(self, tariff: Tariff = TARIFF, purpose: str = "shop.example") -> Wanted:
        return Wanted(self.here.payee, tariff, purpose)

    async def present(self, seen: Any, units: int, **more: Any) -> Meter:
        voucher = self.here.voucher(seen, units, more.pop("signer", None), more.pop("ladder", None))
        return await self.meters.present(seen.session, voucher.raw, self.wanted(**more))

    async def serve(self, seen: Any) -> Meter:
        self.meters.reserve(seen.session, 1)
        return await self.meters.use(seen.session, 1, reserved=1)


@pytest.fixture
def selling(tmp_path):
    def run(story: Any, **limits: Any) -> None:
        async def go() -> None:
            async with world("fake", tmp_path) as here:
                await story(Seller(here, tmp_path, **limits))

        asyncio.run(go())

    return run


def test_a_thousand_vouchers_in_any_order_with_losses_and_repeats_end_in_the_highest(selling):
    async def story(seller: Seller):
        seen = await seller.here.open(5000)
        vouchers = [seller.here.voucher(seen, units).raw for units in range(1, 1001)]
        rng = random.Random(4)
        sent = rng.sample(vouchers, 900) + rng.choices(vouchers, k=300) + [vouchers[-1]]
        rng.shuffle(sent)
        asked = (seller.meters.present(seen.session, raw, seller.wanted()) for raw in sent)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        codes = {getattr(answer, "code", "yes") for answer in answers}
        assert codes <= {"yes", "voucher-superseded"}
        assert seller.here.fake.calls == ["open", "look_up"]
        seller.restart()
        assert seller.meters.find(seen.session).units == 1000
        await seller.meters.settle()
        assert (await seller.here.hub.look_up(seen.session)).promised == 1000

    selling(story)


def test_the_hub_is_asked_once_for_a_session_and_not_for_its_vouchers(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        for units in (3, 3, 5, 9):
            await seller.present(seen, units)
            await seller.serve(seen)
        assert seller.here.fake.calls == ["open", "look_up"]

    selling(story)


@pytest.mark.rule("session.monotone", "session.stop", on="middleware")
def test_a_refusal_says_how_it_stands_and_how_much_is_needed(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 3)
        await seller.serve(seen)
        await seller.serve(seen)
        with pytest.raises(PaymentRefused) as caught:
            await seller.serve(seen)
        told = caught.value.problem()
        assert (told["code"], told["needed"], told["promised"]) == ("voucher-needed", "5", "3")
        assert (told["count"], told["owed"], told["deposit"]) == ("2", "3", "1000")
        with pytest.raises(Conflict) as lower:
            await seller.present(seen, 2)
        assert (lower.value.code, lower.value.more["promised"]) == ("voucher-superseded", "3")

    selling(story)


@pytest.mark.rule("session.voucher-order", on="middleware")
def test_a_voucher_of_another_key_or_for_something_else_is_not_taken(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        with pytest.raises(Unauthenticated):
            await seller.present(seen, 3, signer=new_signer())
        for other in ({"tariff": flat_rate("USD", "request", 4)}, {"purpose": "other.example"}):
            with pytest.raises(PaymentRefused) as caught:
                await seller.present(seen, 3, **other)
            assert caught.value.code == "wrong-session"
        assert seller.meters.find(seen.session) is None

    selling(story)


class Climbing:
    """A payer with a ladder. Shape: its voucher promises `base` units, each tick `each` more."""

    def __init__(self, seller: Seller, seen: Any, base: int = 0, each: int = 3, most: int = 9999):
        self.seller, self.seen = seller, seen
        self.climber = Climber(opened(seen).alias, bytes([base % 256] * 16), most)
        units = base or 1
        self.raw = seller.here.voucher(seen, units, ladder=self.climber.ladder(each)).raw
        self.base = units

    def tick(self, count: int, wrong: bytes = b"") -> bytes:
        alias = opened(self.seen).alias
        return write_tick(Tick(alias, count, wrong or self.climber.value(count)))

    async def show(self, count: int, *, alone: bool = True, wrong: bytes = b"") -> Meter:
        raw = b"" if alone else self.raw
        return await self.seller.meters.present(
            self.seen.session, raw, self.seller.wanted(), self.tick(count, wrong)
        )


def code_of(caught: Any) -> str:
    return caught.value.code


def test_ticks_are_taken_without_the_hub_and_are_on_disk_when_they_are(selling):
    async def story(seller: Seller):
        seen = await seller.here.open(5000)
        payer = Climbing(seller, seen)
        assert (await payer.show(1, alone=False)).units == 4
        for count in (2, 2, 5, 40, 1000):
            meter = await payer.show(count)
            assert (meter.units, meter.ticks) == (1 + 3 * count, count)
            seller.restart()
            assert seller.meters.find(seen.session) == meter
        assert seller.here.fake.calls == ["open", "look_up"]
        assert seller.meters.unsettled("USD") == 3001
        await seller.meters.settle()
        assert (await seller.here.hub.look_up(seen.session)).promised == 3001
        assert seller.meters.unsettled("USD") == 0
        await payer.show(1500)
        await seller.serve(seen)
        closed = await seller.meters.close(seen.session)
        assert (closed.promised, closed.captured) == (4501, 2)

    selling(story)


def test_a_tick_that_is_wrong_lower_too_far_or_of_nobody_is_not_taken(selling):
    async def story(seller: Seller):
        seen, other = await seller.here.open(50_000), await seller.here.open(500)
        payer = Climbing(seller, seen, most=20_000)
        with pytest.raises(Unauthenticated) as caught:
            await payer.show(1)  # Its voucher was not heard, and the hub is not asked for it.
        assert (code_of(caught), seller.here.fake.calls) == ("bad-tick", ["open", "open"])
        await payer.show(10, alone=False)
        for count, wrong in (
            (11, bytes(16)),
            (3000, bytes(16)),
            (5, bytes(16)),
            (20_001, b"x" * 16),
        ):
            with pytest.raises(Unauthenticated) as caught:
                await payer.show(count, wrong=wrong)
            assert code_of(caught) == "bad-tick"
        with pytest.raises(Conflict) as lower:
            await payer.show(9)
        assert (code_of(lower), lower.value.more["promised"]) == ("voucher-superseded", "31")
        with pytest.raises(PaymentRefused) as far:
            await payer.show(10 + 4097)
        assert code_of(far) == "tick-too-far"
        assert seller.meters.find(seen.session).units == 31
        assert (await payer.show(10 + 4097, alone=False)).units == 1 + 3 * 4107
        # No tick goes on from the voucher of another session, nor from one without a ladder.
        await seller.present(other, 3)
        with pytest.raises(Unauthenticated):
            await seller.meters.present(other.session, b"", seller.wanted(), payer.tick(4108))
        with pytest.raises(PaymentRefused) as beyond:
            await payer.show(17_000, alone=False)
        assert code_of(beyond) == "voucher-beyond-deposit"

    selling(story)


def test_vouchers_and_ladders_go_on_from_each_other_and_the_highest_counts(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        first = Climbing(seller, seen, each=1)
        await first.show(20, alone=False)
        await seller.present(seen, 30)
        with pytest.raises(Unauthenticated):
            await first.show(40)  # It is no tick of the voucher that counts now.
        assert (await first.show(40, alone=False)).units == 41
        second = Climbing(seller, seen, base=41, each=5)
        meter = await seller.meters.present(seen.session, second.raw, seller.wanted())
        assert (meter.units, meter.ticks, meter.voucher) == (41, 0, second.raw)
        assert (await second.show(2)).units == 51
        seller.restart()
        await seller.meters.settle()
        assert seller.meters.find(seen.session).handed == 51

    selling(story)


def test_ticks_side_by_side_in_any_order_end_in_the_highest(selling):
    async def story(seller: Seller):
        seen = await seller.here.open(5000)
        payer = Climbing(seller, seen, each=1)
        await payer.show(1, alone=False)
        counts = random.Random(4).sample(range(1, 400), 399)
        asked = (payer.show(count) for count in counts)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        codes = {getattr(answer, "code", "yes") for answer in answers}
        assert codes <= {"yes", "voucher-superseded"}
        seller.restart()
        assert seller.meters.find(seen.session).units == 400

    selling(story)


def test_what_ticks_promise_and_the_hub_has_not_heard_is_bounded(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        payer = Climbing(seller, seen)
        await payer.show(10, alone=False)
        seller.here.fake.fail(2)
        with pytest.raises(Unavailable) as caught:
            await payer.show(20)
        assert code_of(caught) == "too-much-unsettled"
        seller.here.fake.fail(0)
        assert (await payer.show(20)).units == 61

    selling(story, unsettled_max=50)


def test_a_request_is_one_write_and_what_it_uses_is_none(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        writes: list[int] = []
        keep = seller.book.keep
        seller.meters._kept._pen._keep = lambda *kept: (writes.append(len(kept[0])), keep(*kept))[1]
        for served in range(1, 6):
            voucher = seller.here.voucher(seen, 2 * served).raw
            await seller.meters.accept(seen.session, voucher, seller.wanted())
            seller.meters.reserve(seen.session, 1)
            await seller.meters.kept(seen.session, 1)
            assert len(writes) == served
            await seller.meters.use(seen.session, 1, reserved=1)
            assert len(writes) == served

    selling(story)


def test_sessions_that_are_served_while_the_disk_is_busy_share_the_next_write(selling):
    async def story(seller: Seller):
        seen = [await seller.here.open() for _ in range(8)]
        for each in seen:
            await seller.present(each, 3)
        writes: list[int] = []
        keep, busy = seller.book.keep, threading.Event()
        loop, began = asyncio.get_running_loop(), asyncio.Event()

        def slow(*kept: Any) -> None:
            writes.append(len(kept[0]))
            loop.call_soon_threadsafe(began.set)
            assert busy.wait(20)
            keep(*kept)

        seller.meters._kept._pen._keep = slow
        for each in seen:
            seller.meters.reserve(each.session, 1)
        asked = [asyncio.create_task(seller.meters.kept(each.session, 1)) for each in seen]
        await asyncio.wait_for(began.wait(), 20)
        for each in seen:
            seller.meters.reserve(each.session, 1)
        asked += [asyncio.create_task(seller.meters.kept(each.session, 1)) for each in seen]
        await asyncio.sleep(0)
        busy.set()
        await asyncio.gather(*asked)
        assert writes == [8, 8]

    selling(story)


def test_a_crash_counts_what_was_set_aside_and_keeps_its_voucher(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        voucher = seller.here.voucher(seen, 9).raw
        await seller.meters.accept(seen.session, voucher, seller.wanted())
        seller.meters.reserve(seen.session, 4)
        await seller.meters.kept(seen.session, 4)
        assert seller.meters.find(seen.session).count == 0
        seller.restart()
        found = seller.meters.find(seen.session)
        assert (found.units, found.count, owing(found)) == (9, 4, 6)
        with pytest.raises(PaymentRefused):
            seller.meters.reserve(seen.session, 3)  # What is left of nine units is two.
        seller.meters.reserve(seen.session, 2)

    selling(story)


def test_what_is_let_go_is_written_with_the_next(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 9)
        seller.meters.reserve(seen.session, 4)
        await seller.meters.kept(seen.session, 4)
        seller.meters.release(seen.session, 4)
        await seller.meters.kept(seen.session)  # Nobody waits for it.
        [written] = seller.book.all()
        assert written.count == 4
        await seller.meters.settle()
        [written] = seller.book.all()
        assert (written.count, written.handed) == (0, 9)

    selling(story)


def test_what_cannot_be_written_is_not_served_and_let_go(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 3)

        def full(*_kept: Any) -> None:
            raise Unavailable("store-unavailable", "the disk is full")

        keep, seller.meters._kept._pen._keep = seller.meters._kept._pen._keep, full
        seller.meters.reserve(seen.session, 2)
        with pytest.raises(Unavailable):
            await seller.meters.kept(seen.session, 2)
        seller.meters._kept._pen._keep = keep
        seller.meters.reserve(seen.session, 2)  # All of it is free again.
        await seller.meters.kept(seen.session, 2)
        [written] = seller.book.all()
        assert written.count == 2

    selling(story)


def test_nothing_is_served_while_the_hub_knows_of_too_little(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 40)
        seller.here.fake.fail(2)
        with pytest.raises(Unavailable) as caught:
            await seller.present(seen, 60)
        assert caught.value.code == "too-much-unsettled"
        seller.here.fake.fail(0)
        assert (await seller.present(seen, 60)).units == 60
        assert seller.meters.unsettled("USD") == 0

    selling(story, unsettled_max=50)


def test_a_deposit_that_was_topped_up_is_asked_for_when_a_voucher_goes_past_it(selling):
    async def story(seller: Seller):
        seen = await seller.here.open(10)
        await seller.present(seen, 10)
        with pytest.raises(PaymentRefused) as caught:
            await seller.present(seen, 11)
        assert caught.value.code == "voucher-beyond-deposit"
        more = seller.here.order(5, top_up_resource(seen.session))
        await seller.here.hub.top_up(seen.session, more)
        assert (await seller.present(seen, 15)).deposit == 15

    selling(story)


@pytest.mark.rule("session.close", on="middleware")
def test_a_revoked_session_is_handed_in_late_and_closed_for_what_is_owed(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 30)
        await seller.serve(seen)
        await seller.here.revoke()
        await seller.meters.settle()
        with pytest.raises(FarthingError) as caught:
            await seller.present(seen, 60)
        assert caught.value.code == "session-revoked"
        await seller.meters.close_ended()
        after = await seller.here.hub.look_up(seen.session)
        assert (after.closed, after.promised, after.captured) == (True, 30, 2)
        assert seller.meters.find(seen.session) is None

    selling(story)


def test_a_session_that_its_payer_has_ended_is_closed_for_what_is_owed(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 30)
        await seller.serve(seen)
        await seller.meters.settle()
        seller.here.fake.end(seen.session)
        await seller.meters.look_again()
        await seller.meters.close_ended()
        after = await seller.here.hub.look_up(seen.session)
        assert (after.closed, after.promised, after.captured) == (True, 30, 2)

    selling(story)


def test_the_hub_is_asked_about_an_idle_session_once_a_minute(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 30)
        before = len(seller.here.fake.calls)
        for _ in range(5):
            await seller.meters.look_again()
        assert seller.here.fake.calls[before:] == ["look_up"]

    selling(story)


def test_what_could_not_be_asked_while_the_hub_was_away_is_asked_the_next_time(selling):
    async def story(seller: Seller):
        for _ in range(3):
            await seller.present(await seller.here.open(), 30)
        before = len(seller.here.fake.calls)
        seller.here.fake.fail()
        await seller.meters.look_again()
        assert len(seller.here.fake.calls) == before + 1
        for _ in range(3):
            await seller.meters.look_again()
        assert seller.here.fake.calls[before:] == ["look_up"] * 3

    selling(story)


def test_a_session_is_not_closed_under_an_answer_and_never_served_after(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 30)
        seller.meters.reserve(seen.session, 1)
        with pytest.raises(Conflict) as caught:
            await seller.meters.close(seen.session)
        assert caught.value.code == "session-in-use"
        await seller.meters.use(seen.session, 1, reserved=1)
        assert (await seller.meters.close(seen.session)).captured == 2
        with pytest.raises(Conflict):
            await seller.present(seen, 40)

    selling(story)


def test_answers_side_by_side_do_not_use_one_promise_twice(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 3)  # Two of them.
        asked = (seller.serve(seen) for _ in range(5))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        codes = [getattr(answer, "code", "yes") for answer in answers]
        assert sorted(codes) == ["voucher-needed"] * 3 + ["yes"] * 2

    selling(story)


def test_a_voucher_that_is_still_being_checked_does_not_bring_a_closed_session_back(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 3)
        let_go = threading.Event()
        for _ in range(2):
            CHECKS.run(let_go.wait)
        checked = asyncio.create_task(seller.present(seen, 60))
        await asyncio.sleep(0.01)
        await seller.meters.close(seen.session)
        let_go.set()
        with pytest.raises(Conflict) as caught:
            await checked
        assert caught.value.code == "session-closed"
        assert seller.meters.find(seen.session) is None

    selling(story)


def test_a_seller_that_waits_goes_on_as_soon_as_more_is_promised(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.present(seen, 2)
        waiting = asyncio.create_task(seller.meters.wait_covered(seen.session, 3, 5))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await seller.present(seen, 5)
        assert await waiting
        assert not await seller.meters.wait_covered(seen.session, 1, 0.05)

    selling(story)


def test_who_has_lost_the_count_does_not_serve_it_again(selling):
    async def story(seller: Seller):
        seen = await seller.here.open()
        await seller.here.hub.hand_in([seller.here.voucher(seen, 30)])
        meter = opened(await seller.here.hub.look_up(seen.session))
        assert (meter.count, owing(meter)) == (20, 30)

    selling(story)


def test_parts_of_one_add_up_and_can_be_given_back():
    meter = Meter(
        session="ses_" + "0" * 26,
        device="",
        payee="",
        asset="USD",
        key="",
        tariff=TARIFF.written().decode(),
        purpose="",
        deposit=0,
        ends_ns=0,
        closes_ns=0,
    )
    for _ in range(7):
        meter = counted(meter, 0, 400_000_000)
    assert (meter.count, meter.part) == (2, 800_000_000)
    back = counted(meter, -1, -900_000_000)
    assert (back.count, back.part) == (0, 900_000_000)
