"""Charging a session request by request: once each, and never more than is promised."""

import pytest

from farthing.clock import NS
from farthing.core.closing import CloseSession
from farthing.core.records import Read
from farthing.core.session_charges import (
    ASIDE_MAX,
    CHARGES,
    Aside,
    Charge,
    Charges,
    SetAside,
    charged_of,
)
from farthing.core.sessions import (
    SESSIONS,
    Phase,
    Session,
    current,
)
from farthing.errors import Conflict, Malformed, PaymentRefused
from tests.core.session_rows import SESSION, change, draw, problem, shown
from tests.core.shown import Shown

WANTED = ("acc_2", "USD", SESSION.tariff, "GET /a")


def aside(units: int, sequence: int = 1, most: int = 10, seconds: int = 5, **more) -> SetAside:
    return SetAside(draw(units, sequence=sequence, **more), WANTED, most, seconds)


def charged(*asides: Aside, charged: int = 20, sequence: int = 3) -> Charges:
    return Charges(session=SESSION.id, charged=charged, sequence=sequence, aside=list(asides))


def with_charges(charges: Charges, session: Session = SESSION, now_ns: int = 0) -> Shown:
    view = shown(session, now_ns)
    view.rows[CHARGES.name, SESSION.id] = charges
    return view


def test_the_first_request_is_set_aside_beside_what_was_promised_before():
    session = change(SESSION, units=20, sequence=3, voucher=b"v")
    done = aside(30, 4).plan(shown(session, 7))
    assert done.answer.charges == charged(Aside(4, 10, 7 + 5 * NS), sequence=4)
    assert (done.answer.session.units, done.answer.units) == (30, 0)
    assert [write.table for write in done.writes] == [SESSIONS, CHARGES]
    assert done.writes[1].row == done.answer.charges
    unit = aside(30, 4)
    assert list(unit.reads) == [Read(SESSIONS, SESSION.id), Read(CHARGES, SESSION.id)]
    assert unit.accounts == ()


@pytest.mark.parametrize("part", range(4))
def test_a_session_that_was_opened_for_something_else_is_not_charged(part):
    wanted = list(WANTED)
    wanted[part] = b"x" if part == 2 else "x"
    unit = SetAside(draw(30), (wanted[0], wanted[1], wanted[2], wanted[3]), 10, 5)
    assert problem(unit, shown()) == "wrong-session"


def test_each_voucher_pays_for_one_request():
    view = with_charges(charged(), change(SESSION, units=20, sequence=3))
    assert aside(30, 4).plan(view).answer.charges.sequence == 4
    for sequence in (3, 2):
        with pytest.raises(Conflict) as raised:
            aside(30, sequence).plan(view)
        assert raised.value.code == "voucher-used"
        assert raised.value.more["charged"] == "20"


def test_all_that_is_charged_and_set_aside_is_promised():
    kept = Aside(2, 5, 10)
    view = with_charges(charged(kept), change(SESSION, units=20, sequence=3), 9)
    with pytest.raises(PaymentRefused) as raised:
        aside(34, 4).plan(view)
    assert raised.value.code == "voucher-needed"
    more = raised.value.more
    assert (more["needed"], more["charged"], more["set_aside"]) == ("35", "20", "5")
    assert more["promised"] == "34"
    assert aside(35, 4).plan(view).answer.charges.aside[0] == kept
    # Its time is over: it is set aside no longer, and is still its request's to charge.
    late = with_charges(charged(kept), change(SESSION, units=20, sequence=3), 10)
    assert aside(30, 4).plan(late).answer.charges.aside[0] == kept


def test_a_voucher_that_promises_no_more_is_taken_only_while_the_session_runs():
    session = change(SESSION, units=30, sequence=3, voucher=b"v")
    assert aside(30, 4).plan(with_charges(charged(), session)).answer.session is session
    over = with_charges(charged(), session, 50 * NS)
    assert problem(aside(30, 4, expiry=99), over) == "session-over"


@pytest.mark.parametrize(("under_way", "over"), [(63, 0), (64, 1), (60, 9)])
def test_so_many_requests_may_be_under_way_and_those_that_are_over_make_room(under_way, over):
    asides = [Aside(i, 0, 1 if i < over else 100) for i in range(under_way)]
    view = with_charges(charged(*asides, sequence=64), now_ns=1)
    kept = aside(30, 65).plan(view).answer.charges.aside
    forgotten = over if under_way >= ASIDE_MAX else 0
    assert kept == [*asides[forgotten:], Aside(65, 10, 1 + 5 * NS)]


def test_more_requests_than_that_are_refused():
    asides = [Aside(i, 0, 2) for i in range(ASIDE_MAX)]
    view = with_charges(charged(*asides, sequence=64), now_ns=1)
    assert problem(aside(30, 65), view, Conflict) == "session-in-use"


def test_a_request_is_charged_what_it_came_to_once():
    mine, other = Aside(3, 10, 100), Aside(2, 5, 100)
    session = change(SESSION, units=35, sequence=3, voucher=b"v")
    view = with_charges(charged(other, mine), session)
    unit = Charge(aside(35, 3), 4)
    done = unit.plan(view)
    assert done.answer.charges == charged(other, charged=24)
    assert (done.answer.session, done.answer.units) == (session, 4)
    [write] = done.writes
    assert write.table is CHARGES and write.row == done.answer.charges
    again = with_charges(done.answer.charges, session)
    assert problem(unit, again, Conflict) == "duplicate-settlement"
    assert list(unit.reads) == [Read(SESSIONS, SESSION.id), Read(CHARGES, SESSION.id)]
    assert unit.accounts == ()


@pytest.mark.parametrize(("units", "fits"), [(0, True), (10, True), (11, False)])
def test_no_more_is_charged_than_was_set_aside(units, fits):
    view = with_charges(charged(Aside(3, 10, 100)), change(SESSION, units=35, sequence=3))
    unit = Charge(aside(35, 3), units)
    if fits:
        assert unit.plan(view).answer.charges.charged == 20 + units
    else:
        assert problem(unit, view, Malformed) == "capture-too-large"


def test_a_request_that_was_not_set_aside_before_is_set_aside_and_charged_at_once():
    done = Charge(aside(30, 4), 6).plan(with_charges(charged()))
    assert done.answer.charges == charged(charged=26, sequence=4)
    assert [write.table for write in done.writes] == [SESSIONS, CHARGES]
    assert (done.answer.session.units, done.answer.units) == (30, 6)


def test_a_closed_session_is_not_charged():
    closed = change(SESSION, state=Phase.CLOSED, units=35)
    view = with_charges(charged(Aside(3, 10, 100)), closed)
    with pytest.raises(Conflict) as raised:
        Charge(aside(35, 3), 4).plan(view)
    assert (raised.value.code, raised.value.more) == ("session-closed", current(closed))


@pytest.mark.parametrize(("units", "fits"), [(10, True), (11, False)])
def test_what_is_charged_too_late_is_charged_of_what_is_left(units, fits):
    late, other = Aside(3, 20, 5), Aside(4, 5, 100)
    session = change(SESSION, units=35, sequence=4)
    view = with_charges(charged(late, other, sequence=4), session, now_ns=5)
    unit = Charge(aside(35, 3, most=20), units)
    if fits:
        assert unit.plan(view).answer.charges == charged(other, charged=30, sequence=4)
    else:
        assert problem(unit, view) == "charged-too-late"


def test_a_sessions_end_takes_what_was_charged_and_never_more_than_was_promised():
    session = change(SESSION, units=30)
    assert charged_of(shown(session), session) == 30
    assert charged_of(with_charges(charged(charged=20), session), session) == 20
    assert charged_of(with_charges(charged(charged=40), session), session) == 30
    view = with_charges(charged(charged=20), session)
    assert CloseSession(SESSION.id, "own_2").plan(view).answer.captured == 20
