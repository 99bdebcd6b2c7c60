"""Traits are streamed alike live and in a replay, know only what was told, and are bounded."""

from hypothesis import given

from farthing.core.judgements import Ordered
from farthing.risk.days import DAYS, LATE_DAYS, NEVER, Days
from farthing.risk.traits import NAMES, Traits

from .orders import NOON, histories, order
from .test_memory import size_of

DAY = 86_400


def named(traits: Traits, ordered: Ordered) -> dict[str, int]:
    """Give the traits of an order by their names."""
    return dict(zip(NAMES, traits.of(ordered), strict=True))


def lived(history: list[tuple[Ordered, bool]], traits: Traits) -> list[list[int]]:
    """Hand payments in, tell of the bad ones a week later, and give what was known at each."""
    found: list[list[int]] = []
    late = list(history)
    for ordered, _ in history:
        while late and late[0][0].at + 7 * DAY <= ordered.at:
            if late[0][1]:
                traits.tell_bad(late[0][0])
            late.pop(0)
        found.append(traits.of(ordered))
        traits.keep(ordered)
    return found


@given(histories())
def test_a_replay_finds_the_traits_that_were_found_live(history: list[tuple[Ordered, bool]]):
    looked_at_often = Traits()
    for ordered, _ in history:
        looked_at_often.of(ordered)
    assert lived(history, Traits()) == lived(history, Traits())
    assert lived(history, looked_at_often) == lived(history, Traits())


@given(histories())
def test_traits_do_not_know_what_comes_after(history: list[tuple[Ordered, bool]]):
    known = lived(history, Traits())
    for cut in range(0, len(history), 7):
        assert lived(history[:cut], Traits()) == known[:cut]


@given(histories())
def test_what_is_not_told_yet_changes_nothing(history: list[tuple[Ordered, bool]]):
    if not history:
        return
    now = history[-1][0].at
    other = [(one, bad != (one.at + 7 * DAY > now)) for one, bad in history]
    assert lived(history, Traits())[-1] == lived(other, Traits())[-1]


@given(histories())
def test_all_traits_are_whole_numbers_under_their_names(history: list[tuple[Ordered, bool]]):
    for traits in lived(history, Traits()):
        assert len(traits) == len(NAMES) == len(set(NAMES))
        assert all(type(value) is int for value in traits)


def test_the_traits_of_a_device_are_what_it_paid():
    traits = Traits()
    for n in range(4):
        traits.keep(order(units=100 * (n + 1), at=NOON + n * 600, place="home"))
    found = named(traits, order(units=1000, at=NOON + 4 * 600, place="home"))
    assert (found["units"], found["hour"], found["gap_seconds"]) == (1000, 12, 600)
    assert (found["hour_payments"], found["hour_units"]) == (4, 1000)
    assert (found["times_usual"], found["times_largest"]) == (4000, 2500)
    assert (found["pair_payments"], found["place_payments"], found["places_known"]) == (4, 4, 1)
    later = named(traits, order(at=NOON + 3 * DAY, place="elsewhere"))
    assert (later["day_payments"], later["week_payments"], later["month_payments"]) == (0, 4, 4)
    assert (later["place_hours"], later["place_payments"]) == (-1, 0)
    assert named(traits, order(at=NOON + 3 * DAY, place="home"))["place_hours"] == 72


def test_a_payee_that_was_bad_is_known_for_it_once_the_day_is_judged():
    traits, bad = Traits(), order(device="dev_2", at=NOON)
    traits.keep(order(at=NOON))
    traits.keep(bad)
    traits.of(order(at=NOON + 7 * DAY))
    traits.tell_bad(bad)
    early = named(traits, order(at=NOON + 7 * DAY))
    assert (early["payee_bad_newest"], early["payee_bad_known"]) == (7, 0)
    late = named(traits, order(at=NOON + LATE_DAYS * DAY))
    assert (late["payee_bad_known"], late["payee_bad_share"]) == (1, 500)
    assert (late["payee_bad_streak"], late["bad_known"], late["bad_share"]) == (0, 0, 0)
    guilty = named(traits, order(device="dev_2", at=NOON + LATE_DAYS * DAY))
    assert (guilty["bad_known"], guilty["bad_share"], guilty["bad_newest"]) == (1, 1000, 8)


def test_what_is_told_of_whom_nobody_knows_any_more_is_no_harm():
    traits = Traits(devices_max=1, payees_max=1)
    forgotten = order(device="dev_1", payee="acc_1")
    traits.keep(forgotten)
    traits.keep(order(device="dev_2", payee="acc_2"))
    traits.tell_bad(forgotten)
    assert named(traits, order(at=NOON + 9 * DAY))["bad_known"] == 0


def test_days_are_forgotten_and_what_is_told_of_them_too():
    days = Days()
    days.reach(NOON)
    days.add(5)
    days.reach(NOON + (DAYS - 1) * DAY)
    assert (days.counts[-1], days.units[-1]) == (1, 5)
    days.tell_bad(NOON)
    assert days.bad_ages() == (DAYS - 1, DAYS - 1)
    days.reach(NOON + DAYS * DAY)
    days.tell_bad(NOON)
    days.tell_bad(NOON + 99 * DAY)
    assert (sum(days.counts), days.bad_ages()) == (0, (NEVER, NEVER))


def test_days_do_not_go_backwards():
    days = Days()
    days.reach(NOON)
    days.reach(NOON - 3 * DAY)
    days.add(5)
    assert days.counts[0] == 1
    days.reach(NOON + DAY)
    assert days.counts[:2] == [0, 1]


def test_a_streak_ends_at_the_first_day_with_a_good_payment():
    days = Days()
    for day, (count, bad) in enumerate([(2, 1), (3, 3), (0, 0), (1, 1)]):
        days.reach(NOON + day * DAY)
        for n in range(count):
            days.add(1)
            if n < bad:
                days.tell_bad(NOON + day * DAY)
    days.reach(NOON + (3 + LATE_DAYS) * DAY)
    assert days.bad_streak() == 4
    assert days.bad_known() == (5, 833)


def test_traits_are_bounded_whatever_is_paid():
    traits = Traits(devices_max=3, payees_max=5)
    sizes: list[int] = []
    for n in range(2400):
        at = NOON + n * 3700
        traits.keep(order(device=f"dev_{n % 7}", payee=f"acc_{n}", place=f"place {n}", at=at))
        if n in (1199, 2399):
            sizes.append(size_of(traits))
    assert sizes[1] <= sizes[0] * 1.05
