"""Mandates by themselves: each limit at its edge, and budgets set to what a limit leaves."""

import msgspec
import pytest

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import ASSETS, BUDGET_LEDGERS, AccountCode, AssetRecord, TransferCode
from farthing.core.events import EVENTS, Kind
from farthing.core.ledger import Account, AccountFlags, Transfer, TransferFlags, TransferResult
from farthing.core.mandates import (
    MANDATES,
    Budget,
    BudgetLine,
    Mandate,
    RevokeMandate,
    SetMandate,
    adjustment,
    budget_line,
    grant,
    must_ask,
    rule_refusal,
    shortfall,
)
from farthing.core.periods import ZoneChange
from farthing.core.refusals import Refusal
from farthing.errors import Conflict, InvariantBroken, Malformed, Missing
from tests.core.shown import Shown

NOW = 1_800_000_000  # A Friday, 08:00 in UTC.
UTC = [ZoneChange(0, "UTC")]
DAY = Budget(name="day", per="day", limit=10)
MANDATE = Mandate(
    id=ids.name("man", 5), owner="own_1", asset="USD", name="m", zones=UTC, budgets=[DAY]
)
USD = (ASSETS, AssetRecord("USD", 6, 3))
change = msgspec.structs.replace


def refusal(units: int = 1, payee: str = "a", category: str = "c", now: int = NOW, **terms):
    return rule_refusal(change(MANDATE, **terms), payee, category, units, now)


@pytest.mark.parametrize(
    ("terms", "asked", "said"),
    [
        ({}, {}, None),
        ({"revoked_ns": 1}, {}, Refusal.MANDATE_REVOKED),
        ({"expires": NOW + 1}, {}, None),
        ({"expires": NOW}, {}, Refusal.MANDATE_EXPIRED),
        ({"expires": NOW - 1}, {}, Refusal.MANDATE_EXPIRED),
        ({"payees": ["a", "b"]}, {"payee": "b"}, None),
        ({"payees": ["a", "b"]}, {"payee": "c"}, Refusal.MANDATE_PAYEE),
        ({"categories": ["c", "d"]}, {"category": "d"}, None),
        ({"categories": ["c", "d"]}, {"category": ""}, Refusal.MANDATE_CATEGORY),
        ({"hours": ["08:00-09:00"]}, {}, None),
        ({"hours": ["09:00-10:00"]}, {}, Refusal.MANDATE_HOURS),
        ({"largest": 5}, {"units": 5}, None),
        ({"largest": 5}, {"units": 6}, Refusal.MANDATE_LARGEST),
    ],
)
def test_a_mandate_refuses_from_its_edge_on(terms, asked, said):
    assert refusal(**asked, **terms) is said


def test_hours_are_read_in_the_newest_zone():
    zones = [*UTC, ZoneChange(5, "Asia/Tokyo")]
    assert change(MANDATE, zones=zones).zone == "Asia/Tokyo"
    assert refusal(zones=zones, hours=["17:00-17:01"]) is None
    assert refusal(zones=zones, hours=["08:00-08:01"]) is Refusal.MANDATE_HOURS


def test_an_owner_is_asked_above_a_threshold_and_not_at_it():
    assert not must_ask(MANDATE, 10**18)
    asking = change(MANDATE, ask_above=0)
    assert must_ask(asking, 1) and not must_ask(asking, 0)


@pytest.mark.parametrize(
    ("payees", "categories", "covered"),
    [([], [], True), (["a"], [], True), (["b"], [], False), ([], ["c"], True),
     ([], ["d"], False), (["a"], ["d"], False), (["b"], ["c"], False), (["a"], ["c"], True)],
)  # fmt: skip
def test_a_budget_covers_what_its_lists_name(payees, categories, covered):
    budget = change(DAY, payees=payees, categories=categories)
    assert budget.covers("a", "c") is covered


def test_the_accounts_of_a_budget_follow_from_its_period_for_ever():
    line = budget_line(MANDATE, DAY, 3, NOW)
    assert line == budget_line(MANDATE, DAY, 3, NOW + 57_599)
    assert line != budget_line(MANDATE, DAY, 3, NOW + 57_600)
    assert (line.name, line.limit, line.ledger) == ("day", 10, 3 + BUDGET_LEDGERS)
    assert [f"{ident:032x}" for ident in (line.available, line.spent, line.limits)] == PINNED
    assert ids.time_ms(line.spent) == (NOW - NOW % 86400) * 1000


PINNED = [
    "01a316a4dc00a77ebd7e256e595dce00",
    "01a316a4dc005b3a02d785e5b8308e00",
    "01a316a4dc00061208792331e723ba00",
]


LINE = BudgetLine("day", ids.place(1 << 80, 0), 22, 33, 10, 1_000_003)


def test_a_budget_is_opened_and_filled_once():
    view = Shown(NOW * NS)
    accounts, [filling] = grant(view, LINE)
    limited = int(AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS)
    assert accounts == [
        Account(LINE.available, 1_000_003, AccountCode.BUDGET, limited),
        Account(22, 1_000_003, AccountCode.SPENT),
        Account(33, 1_000_003, AccountCode.LIMITS),
    ]
    assert filling == Transfer(
        ids.place(LINE.available, 1), 33, LINE.available, 10, 1_000_003, TransferCode.LIMIT
    )
    view.accounts[LINE.available] = accounts[0]
    assert grant(view, LINE) == ([], [])


def counted(given: int, spent: int = 0, held: int = 0, taken: int = 0):
    """Give the accounts of a budget that was given so much, and of what is spent and held."""
    available = Account(
        LINE.available, 1_000_003, 20,
        credits_posted=given, debits_posted=spent + taken, debits_pending=held,
    )  # fmt: skip
    return available, Account(22, 1_000_003, 21, credits_posted=spent)


@pytest.mark.parametrize(
    ("sides", "wanting"),
    [
        (counted(10), 0),
        (counted(4), 6),
        (counted(15), -5),
        (counted(10, spent=3, held=2), 0),
        (counted(8, spent=3, held=2), 2),
        (counted(20, spent=9, held=4), -7),  # The limit is exceeded already: nothing is left.
        (counted(20, spent=9, taken=7), -3),
        (counted(20, held=11), -9),
    ],
)
def test_what_is_wanting_is_what_the_limit_leaves_beyond_what_there_is(sides, wanting):
    assert shortfall(LINE, *sides) == wanting


def seen(sides) -> Shown:
    view = Shown(NOW * NS)
    view.accounts = {side.id: side for side in sides}
    return view


def test_a_budget_in_use_is_set_from_or_to_where_limits_come_from():
    more, less = adjustment(seen(counted(4)), LINE, 9), adjustment(seen(counted(15)), LINE, 9)
    assert more == Transfer(9, 33, LINE.available, 6, 1_000_003, TransferCode.LIMIT)
    assert less == Transfer(9, LINE.available, 33, 5, 1_000_003, TransferCode.LIMIT)
    assert adjustment(seen(counted(10)), LINE, 9) is None
    for given, debit in ((9, 33), (11, LINE.available)):
        moved = adjustment(seen(counted(given)), LINE, 9)
        assert moved is not None and (moved.debit_account_id, moved.amount) == (debit, 1)


@pytest.mark.parametrize("there", [0, 1])
def test_a_budget_that_is_not_in_use_is_left_alone(there):
    assert adjustment(seen([counted(4)[there]]), LINE, 9) is None


def set_to(wanted: Mandate = MANDATE, *, creates: bool = False, by: str | None = None):
    return SetMandate(wanted, by, 1 << 90, creates)


def problem(unit, view, kind) -> str:
    with pytest.raises(kind) as raised:
        unit.plan(view)
    return raised.value.code


def test_a_mandate_is_made_once():
    view = Shown(NOW * NS, USD)
    plan = set_to(creates=True, by="own_1").plan(view)
    assert plan.chains == []
    done = plan.then([])
    assert done.answer == change(MANDATE, created_ns=NOW * NS)
    assert done.writes[0].row == done.answer and done.writes[0].table is MANDATES
    assert done.subject == 5
    told = next(write.row for write in done.writes if write.table is EVENTS)
    assert (told.kind, told.subject, told.body) == (
        Kind.MANDATE_SET,
        MANDATE.id,
        {"revision": "1"},
    )
    said = msgspec.json.decode(done.statement)
    assert (said["kind"], said["subject"]) == ("mandate.set", MANDATE.id)
    view = Shown(NOW * NS, USD, (MANDATES, MANDATE))
    assert problem(set_to(creates=True), view, Conflict) == "id-taken"


@pytest.mark.parametrize(
    ("expires", "fits"), [(0, True), (NOW + 1, True), (NOW, False), (1, False)]
)
def test_a_mandate_does_not_end_before_it_begins(expires, fits):
    unit = set_to(change(MANDATE, expires=expires), creates=True)
    view = Shown(NOW * NS + 5, USD)
    if fits:
        unit.plan(view)
    else:
        assert problem(unit, view, Malformed) == "mandate-expired-already"


def test_what_is_not_there_is_not_set():
    assert problem(set_to(creates=True), Shown(NOW * NS), Missing) == "unknown-asset"
    assert problem(set_to(), Shown(NOW * NS, USD), Missing) == "no-such-mandate"
    there = Shown(NOW * NS, USD, (MANDATES, MANDATE))
    assert problem(set_to(by="own_2"), there, Missing) == "no-such-mandate"
    other = (MANDATES, change(MANDATE, asset="EUR"))
    assert problem(set_to(), Shown(NOW * NS, USD, other), Conflict) == "asset-mismatch"


@pytest.mark.parametrize("by", [None, "own_1"])
def test_a_mandate_is_changed_whole_and_keeps_whose_and_since_when_it_is(by):
    before = change(MANDATE, revision=4, created_ns=11, revoked_ns=22)
    wanted = change(MANDATE, owner="somebody", largest=3, budgets=[], created_ns=99)
    plan = set_to(wanted, by=by).plan(Shown(NOW * NS, USD, (MANDATES, before)))
    done = plan.then([])
    assert done.answer == change(
        before, largest=3, budgets=[], revision=5, created_ns=11, revoked_ns=22
    )


@pytest.mark.parametrize("revision", [0, 4])
def test_a_change_is_made_to_the_mandate_that_was_read(revision):
    view = Shown(NOW * NS, USD, (MANDATES, change(MANDATE, revision=4)))
    unit = SetMandate(MANDATE, None, 1 << 90, creates=False, revision=revision)
    assert unit.plan(view).then([]).answer.revision == 5


@pytest.mark.parametrize("revision", [3, 5])
def test_a_change_to_a_mandate_that_was_changed_meanwhile_is_refused(revision):
    view = Shown(NOW * NS, USD, (MANDATES, change(MANDATE, revision=4)))
    unit = SetMandate(MANDATE, None, 1 << 90, creates=False, revision=revision)
    assert problem(unit, view, Conflict) == "mandate-changed"


def test_budgets_in_use_are_set_in_one_chain_with_an_id_of_their_own_each():
    budgets = [DAY, Budget(name="unused", per="day", limit=1), Budget(name="b", per="1h", limit=50)]
    mandate = change(MANDATE, budgets=budgets)
    view = Shown(NOW * NS + NS - 1, USD, (MANDATES, mandate))
    lines = [budget_line(mandate, budget, 3, NOW) for budget in budgets]
    for line in (lines[0], lines[2]):
        view.accounts[line.available] = Account(line.available, line.ledger, 20, credits_posted=30)
        view.accounts[line.spent] = Account(line.spent, line.ledger, 21)
    [[first, second]] = set_to(mandate).plan(view).chains
    sent = (lines[0].available, lines[0].limits, 20)
    assert (first.debit_account_id, first.credit_account_id, first.amount) == sent
    sent = (lines[2].limits, lines[2].available, 20)
    assert (second.debit_account_id, second.credit_account_id, second.amount) == sent
    assert (first.id, second.id) == (ids.place(1 << 90, 1), ids.place(1 << 90, 3))
    assert first.flags == int(TransferFlags.LINKED) and not second.flags


def test_a_budget_that_was_changed_too_often_is_a_conflict_and_another_failure_our_fault():
    view = Shown(NOW * NS, USD, (MANDATES, MANDATE))
    then, results = set_to().plan(view).then, TransferResult
    then([[results.CREATED, results.CREATED]])
    with pytest.raises(Conflict) as raised:
        then([[results.LINKED_EVENT_FAILED, results.OVERFLOWS_DEBITS_POSTED]])
    assert raised.value.code == "budget-changed-too-often"
    with pytest.raises(InvariantBroken):
        then([[results.LINKED_EVENT_FAILED, results.EXCEEDS_CREDITS]])


KEPT = 70 * 86400
"""As long as the longest period and the change of a zone that it holds can matter."""


def zones_after(before: list[ZoneChange], zone: str) -> list[ZoneChange]:
    wanted = change(MANDATE, zones=[ZoneChange(NOW, zone)])
    view = Shown(NOW * NS, USD, (MANDATES, change(MANDATE, zones=before)))
    return set_to(wanted).plan(view).then([]).answer.zones


def test_a_changed_zone_is_remembered_with_those_that_may_still_matter():
    assert zones_after(UTC, "UTC") == UTC
    assert zones_after(UTC, "Asia/Tokyo") == [*UTC, ZoneChange(NOW, "Asia/Tokyo")]
    old = [*UTC, ZoneChange(NOW - KEPT - 1, "Asia/Dubai"), ZoneChange(NOW - KEPT, "Asia/Baku")]
    recent = ZoneChange(NOW - KEPT + 1, "Asia/Tokyo")
    new = ZoneChange(NOW, "UTC")
    assert zones_after([*old, recent], "UTC") == [old[2], recent, new]
    assert zones_after([*old], "UTC") == [old[2], new]


def test_a_zone_is_changed_eight_times_within_what_is_remembered():
    recent = [ZoneChange(NOW - 100 + i, f"Etc/GMT+{i + 1}") for i in range(8)]
    assert len(zones_after(recent[1:], "UTC")) == 8
    with pytest.raises(Conflict) as raised:
        zones_after(recent, "UTC")
    assert raised.value.code == "time-zone-changed-too-often"


@pytest.mark.parametrize("by", [None, "own_1"])
def test_a_mandate_is_revoked_once_by_whom_it_is(by):
    unit = RevokeMandate(MANDATE.id, by)
    view = Shown(NOW * NS, (MANDATES, MANDATE))
    done = unit.plan(view)
    assert done.answer == change(MANDATE, revoked_ns=NOW * NS)
    assert done.writes[0].row == done.answer and done.writes[0].table is MANDATES
    assert msgspec.json.decode(done.statement)["kind"] == "mandate.revoked"
    again = unit.plan(Shown(NOW * NS + 9, (MANDATES, done.answer)))
    assert (again.answer, list(again.writes)) == (done.answer, [])


def test_nobody_elses_mandate_is_revoked():
    view = Shown(NOW * NS, (MANDATES, MANDATE))
    assert problem(RevokeMandate(MANDATE.id, "own_2"), view, Missing) == "no-such-mandate"
    assert problem(RevokeMandate("man_x", None), view, Missing) == "no-such-mandate"
