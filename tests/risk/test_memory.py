"""What is remembered follows from the orders alone, is bounded, and never knows what comes."""

import sys
from collections import deque

from hypothesis import given
from msgspec.structs import replace

from farthing.core.judgements import Ordered, Ranked
from farthing.risk.base import Facts
from farthing.risk.known import HOURS_COUNTED_MAX, PAYEES_MAX, PLACES_MAX, RANKS_MAX
from farthing.risk.memory import Memory, local_hour

from .orders import NOON, histories, order

DAY = 86_400


def lived(history: list[tuple[Ordered, bool]], memory: Memory) -> list[Facts]:
    """Hand a history in, and tell what was known at each order."""
    found: list[Facts] = []
    for ordered, paid in history:
        found.append(memory.facts(ordered))
        memory.keep(ordered, paid=paid)
    return found


@given(histories())
def test_a_replay_knows_at_each_order_what_was_known_live(history: list[tuple[Ordered, bool]]):
    live = Memory()
    asked_often: list[Facts] = []
    for ordered, paid in history:
        for _ in range(2):  # Live, orders are looked at that nobody keeps: the balance was short.
            known = live.facts(ordered)
        live.facts(order(device="dev_9", payee="acc_3", at=ordered.at))
        asked_often.append(known)
        live.keep(ordered, paid=paid)
    assert lived(history, Memory()) == asked_often


@given(histories())
def test_what_is_known_at_an_order_does_not_depend_on_what_comes_after(
    history: list[tuple[Ordered, bool]],
):
    known = lived(history, Memory())
    for cut in range(0, len(history), 7):
        assert lived(history[:cut], Memory()) == known[:cut]


@given(histories())
def test_the_facts_are_those_of_a_plain_count(history: list[tuple[Ordered, bool]]):
    for at, found in enumerate(lived(history, Memory())):
        now = history[at][0]
        paid = [one for one, was_paid in history[:at] if was_paid]
        own = [one for one in paid if one.device == now.device]
        assert found.device_payments == len(own)
        assert found.largest_units == max((one.units for one in own), default=0)
        assert found.pair_payments == sum(one.payee == now.payee for one in own)
        assert found.place_payments == sum(one.place == now.place != "" for one in own)
        assert found.placed_payments == sum(one.place != "" for one in own)
        assert found.payee_payments == sum(one.payee == now.payee for one in paid)
        tried = [one for one, _ in history[:at] if one.device == now.device]
        assert found.minute_orders == sum(one.at // 10 > now.at // 10 - 6 for one in tried)
        assert found.last_hour_units == sum(
            one.units for one in own if one.at // 600 > now.at // 600 - 6
        )


def test_another_device_and_another_payee_are_nothing_to_this_one():
    memory = Memory()
    before = memory.facts(order())
    memory.keep(order(device="dev_2", payee="acc_2"), paid=True)
    assert memory.facts(order()) == before


def test_only_what_was_paid_becomes_a_habit():
    memory = Memory()
    memory.keep(order(units=10**9, place="elsewhere"), paid=False)
    known = memory.facts(order(place="elsewhere"))
    assert known.minute_orders == 1
    assert (known.usual_units, known.largest_units, known.pair_payments) == (0, 0, 0)
    assert (known.places_known, known.payee_payments) == (0, 0)


def test_the_usual_amount_follows_the_newest_payments():
    memory = Memory()
    memory.keep(order(units=100), paid=True)
    assert memory.facts(order()).usual_units == 100
    memory.keep(order(units=200), paid=True)
    assert memory.facts(order()).usual_units == 150
    for _ in range(60):
        memory.keep(order(units=8000), paid=True)
    assert 7990 < memory.facts(order()).usual_units <= 8000


def test_small_amounts_are_followed_as_well_as_large_ones():
    memory = Memory()
    memory.keep(order(units=1), paid=True)
    for _ in range(60):
        memory.keep(order(units=8), paid=True)
    assert memory.facts(order()).usual_units == 8
    for _ in range(60):
        memory.keep(order(units=1), paid=True)
    assert memory.facts(order()).usual_units == 1


def heard(*ranks: tuple[int, int]) -> Memory:
    """A memory that has heard of a device's ranks, each so many seconds after an order."""
    memory = Memory()
    memory.keep(order(), paid=True)
    for after, rank in ranks:
        memory.heed([Ranked(order().device, rank, order().at + after)])
    return memory


def rank_after(memory: Memory, seconds: int) -> int:
    return memory.facts(replace(order(), at=order().at + seconds)).model_rank


def test_each_rank_of_the_last_hour_counts_until_its_own_hour_is_over():
    memory = heard((0, 99_999), (600, 99_950), (1200, 99_970), (1800, 0))
    assert [rank_after(memory, at) for at in (0, 3599, 3600, 4799, 4800, 5399, 5400)] == [
        99_999, 99_999, 99_970, 99_970, 0, 0, 0,
    ]  # fmt: skip


def test_of_many_ranks_none_is_forgotten_before_its_hour_is_over():
    ranks = [(at, 99_999 - at) for at in range(40)]
    memory = heard(*ranks)
    found = [rank_after(memory, 3600 + at) for at in range(40)]
    assert all(rank >= 99_999 - at - 1 for at, rank in enumerate(found[:-1]))
    assert found[-1] == 0
    assert len(memory.device(order().device).lower_ranks) < RANKS_MAX


def test_an_hour_is_that_of_the_owners_zone_and_of_its_summer():
    winter = 1_768_478_400  # 2026-01-15T12:00:00Z
    assert local_hour("Europe/Berlin", winter // 900) == 13
    assert local_hour("Europe/Berlin", (winter + 180 * DAY) // 900) == 14
    assert local_hour("Asia/Kathmandu", winter // 900) == 17
    assert local_hour("Asia/Kathmandu", (winter + 900) // 900) == 18


def test_midnight_is_beside_the_last_hour_of_the_day():
    memory = Memory()
    memory.keep(order(at=NOON + 11 * 3600), paid=True)  # 23:00
    assert memory.facts(order(at=NOON + 12 * 3600)).hour_payments == 1
    assert memory.facts(order(at=NOON + 13 * 3600)).hour_payments == 0
    memory = Memory()
    memory.keep(order(at=NOON + 12 * 3600), paid=True)  # 00:00
    assert memory.facts(order(at=NOON + 11 * 3600)).hour_payments == 1


def test_a_stranger_is_one_only_once():
    memory = Memory()
    for _ in range(3):
        memory.keep(order(), paid=True)
    memory.keep(order(device="dev_2"), paid=True)
    known = memory.facts(order())
    assert (known.payee_day_strangers, known.payee_month_strangers) == (2, 2)
    assert memory.facts(order(at=NOON + 2 * DAY)).payee_day_strangers == 0
    assert memory.facts(order(at=NOON + 2 * DAY)).payee_month_strangers == 2
    assert memory.facts(order(at=NOON + 28 * DAY)).payee_month_strangers == 0


def test_the_oldest_is_forgotten_for_a_new_one():
    memory = Memory(devices_max=2, payees_max=2)
    for device in ("dev_1", "dev_2", "dev_1", "dev_3"):
        memory.keep(order(device=device, payee=f"acc_{device}"), paid=True)
    assert memory.known == (2, 2)
    assert memory.facts(order(device="dev_1")).device_payments == 2
    assert memory.facts(order(device="dev_2")).device_payments == 0
    assert memory.facts(order(payee="acc_dev_2")).payee_payments == 0


def test_memory_is_bounded_whatever_is_ordered():
    memory = Memory(devices_max=3, payees_max=5)
    sizes: list[int] = []
    for n in range(3000):
        memory.keep(
            order(device=f"dev_{n % 7}", payee=f"acc_{n}", place=f"place {n}", at=NOON + n * 777),
            paid=True,
        )
        if n in (999, 2999):
            sizes.append(size_of(memory))
    assert memory.known == (3, 5)
    assert sizes[1] <= sizes[0] * 1.05


def test_a_device_remembers_the_payees_and_places_that_it_paid_last():
    memory = Memory()
    for n in range(PAYEES_MAX + 1):
        memory.keep(order(payee=f"acc_{n}", place=f"place {n}"), paid=True)
    assert memory.facts(order(payee="acc_0")).pair_payments == 0
    assert memory.facts(order(payee="acc_1")).pair_payments == 1
    assert memory.facts(order()).places_known == PLACES_MAX


def test_hours_are_halved_before_they_overflow():
    memory = Memory()
    for _ in range(HOURS_COUNTED_MAX):
        memory.keep(order(), paid=True)
    known = memory.facts(order())
    assert known.hour_payments == known.hours_counted == HOURS_COUNTED_MAX // 2


def size_of(thing: object) -> int:
    """Add up the bytes of an object and of all that it holds, each once."""
    seen, left, total = set[int](), deque([thing]), 0
    while left:
        one = left.popleft()
        if id(one) in seen:
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        if isinstance(one, dict):
            left.extend([*one.keys(), *one.values()])
        elif isinstance(one, list | tuple | set):
            left.extend(one)
        else:
            names = [n for kind in type(one).__mro__ for n in getattr(kind, "__slots__", ())]
            left.extend(getattr(one, name) for name in names if hasattr(one, name))
            left.extend(vars(one).values() if hasattr(one, "__dict__") else ())
    return total
