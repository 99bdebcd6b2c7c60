"""Drawing a session: the highest promise counts, in time, up to the deposit."""

import pytest

from farthing.clock import NS
from farthing.core.drawing import Draw
from farthing.core.sessions import (
    SESSIONS,
    Phase,
    current,
)
from farthing.core.ticks import Ladder
from farthing.errors import Conflict, PaymentRefused
from tests.core.session_rows import (
    SESSION,
    change,
    draw,
    promise,
    shown,
)


def test_a_promise_is_drawn_and_kept():
    view = shown(now_ns=9)
    ladder = Ladder(b"a" * 16, 3, 9)
    unit = Draw(SESSION.id, promise(10, 4, ladder=ladder).at((2, b"v" * 16)), "own_2")
    done = unit.plan(view)
    assert done.answer == change(
        SESSION, units=16, sequence=4, voucher=b"raw 10", ticks=2, tick=b"v" * 16, changed_ns=9
    )
    [write] = done.writes
    assert write.row == done.answer and write.table is SESSIONS
    assert [read.key for read in unit.reads] == [SESSION.id] and unit.accounts == ()


def test_a_lower_promise_is_refused_and_an_equal_one_is_a_yes():
    session = change(SESSION, units=10, sequence=5, voucher=b"raw 10")
    assert draw(10, sequence=9).plan(shown(session)).answer is session
    with pytest.raises(Conflict) as raised:
        draw(9, sequence=9).plan(shown(session))
    assert raised.value.code == "voucher-superseded"
    assert raised.value.more == current(session)
    assert draw(11, sequence=2).plan(shown(session)).answer.sequence == 5


def test_the_first_promise_may_be_of_nothing_but_a_ladder():
    ladder = Ladder(b"a" * 16, 3, 9)
    drawn = draw(0, sequence=0, ladder=ladder).plan(shown()).answer
    assert (drawn.units, drawn.voucher, drawn.tick) == (0, b"raw 0", b"a" * 16)


@pytest.mark.parametrize(
    ("unit", "view", "kind", "said"),
    [
        (draw(101), shown(), PaymentRefused, "voucher-beyond-deposit"),
        (draw(5), shown(now_ns=40 * NS), PaymentRefused, "voucher-expired"),
        (draw(5, expiry=99), shown(now_ns=50 * NS), PaymentRefused, "session-over"),
        (draw(5, True, expiry=99), shown(now_ns=90 * NS), PaymentRefused, "session-over"),
        (draw(5, True), shown(now_ns=80 * NS), PaymentRefused, "voucher-expired"),
        (draw(5), shown(now_ns=9, device=9), PaymentRefused, "session-revoked"),
        (draw(5), shown(now_ns=9, mandate=9), PaymentRefused, "session-revoked"),
        (draw(5), shown(now_ns=9, mandate=9, device=20), PaymentRefused, "session-revoked"),
        (draw(5, True), shown(now_ns=40 * NS + 9, device=9), PaymentRefused, "session-revoked"),
        (draw(5), shown(payer="frozen"), PaymentRefused, "account-frozen"),
        (draw(5), shown(change(SESSION, state=Phase.CLOSED)), Conflict, "session-closed"),
    ],
)
def test_what_is_too_much_or_too_late_is_not_drawn(unit, view, kind, said):
    with pytest.raises(kind) as raised:
        unit.plan(view)
    assert raised.value.code == said
    if said != "account-frozen":
        assert raised.value.more == current(view.get(SESSIONS, SESSION.id))


@pytest.mark.parametrize(
    ("unit", "view"),
    [
        (draw(100), shown()),
        (draw(5), shown(now_ns=40 * NS - 1)),
        (draw(5, expiry=99), shown(now_ns=50 * NS - 1)),
        (draw(5, True, expiry=99), shown(now_ns=90 * NS - 1)),
        (draw(5, True), shown(now_ns=80 * NS - 1)),
        (draw(5), shown(now_ns=8, device=9)),
        (draw(5), shown(now_ns=8, mandate=9, device=20)),
        (draw(5, True), shown(now_ns=40 * NS + 8, device=9)),
        (draw(5, True), shown(payer="frozen")),
    ],
)
def test_what_comes_just_in_time_is_drawn(unit, view):
    assert unit.plan(view).answer.units == unit.promise.units
