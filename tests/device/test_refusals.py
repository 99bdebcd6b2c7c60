"""A seller that says no to a signed order and keeps it: only the hub's word is believed."""

import asyncio
from typing import Any

import msgspec
import pytest

from farthing.device import AlreadyPaid, AnswerLost, GivenUp, paid, unproven
from farthing.device.giving_up import ANEW
from farthing.device.journal import request_name
from farthing.errors import OutcomeUnknown, PaymentRefused

from .test_client import Scene
from .world import SHOP, problem

LIES = [(402, "verification-failed"), (400, "malformed-credential")]
ERRORS = [(404, "not-here"), (410, "gone"), (403, "forbidden")]
LANGUAGES = ["mpp", "x402"]


@pytest.fixture(params=["memory", "folder"])
def scene(request: Any, tmp_path: Any) -> Scene:
    return Scene(tmp_path / "journal" if request.param == "folder" else None)


@pytest.mark.parametrize("prefer", LANGUAGES)
@pytest.mark.parametrize("lie", LIES)
def test_an_order_that_was_refused_is_cancelled_and_cannot_be_cashed_later(
    scene: Scene, lie: Any, prefer: str
):
    scene.world.lies = lie
    fault = scene.fails(PaymentRefused, client={"prefer": prefer})
    assert fault.code == lie[1]
    assert scene.world.cancelled == [fault.more["payment"]]
    assert scene.open_entries == 0
    assert [scene.world.cash(order) for order in scene.world.hoard] == [False]
    scene.world.lies = None
    assert paid(scene.ask(client={"prefer": prefer})) is not None
    assert scene.world.total() == 1500


@pytest.mark.parametrize("prefer", LANGUAGES)
@pytest.mark.parametrize("lie", LIES + ERRORS)
def test_an_order_that_was_cashed_before_the_cancel_is_paid_once_however_often_one_asks(
    scene: Scene, lie: Any, prefer: str
):
    scene.world.lies, scene.world.cashes_first = lie, True
    for _ in range(3):
        fault = scene.fails(AnswerLost, client={"prefer": prefer})
        assert fault.paid.receipt["statement"]["payment"] == fault.more["payment"]
        assert str(fault.paid.amount) == "0.0015 USD"
    assert len(set(scene.wire.credentials())) == 1
    assert scene.world.total() == 1500
    # The answer is given in the end, and the next request is a purchase of its own.
    scene.world.lies = None
    [taken] = scene.world.taken.values()
    taken.request = ("GET", "/weather?city=Oslo", b"")
    assert scene.ask(client={"prefer": prefer}).text == "sunny"
    assert (scene.world.total(), scene.open_entries) == (1500, 0)


def test_what_was_cashed_and_given_back_is_over(scene: Scene):
    scene.world.lies, scene.world.cashes_first = LIES[0], True
    scene.fails(AnswerLost)
    [taken] = scene.world.taken.values()
    taken.refunded = True
    scene.world.lies = None
    assert paid(scene.ask()) is not None
    assert len(set(scene.wire.credentials())) == 2


@pytest.mark.parametrize("lie", LIES + ERRORS)
def test_while_the_hub_is_away_nothing_is_said_to_be_untaken_and_nothing_signed_anew(
    scene: Scene, lie: Any
):
    scene.world.lies, scene.wire.hub_away = lie, True
    for _ in range(3):
        fault = scene.fails(OutcomeUnknown)
        assert (fault.code, fault.more["state"]) == ("outcome-unknown", "")
        assert scene.open_entries == 1
    assert len(set(scene.wire.credentials())) == 1
    # A later run settles the old order first.
    scene.wire.hub_away = False
    scene.world.lies = None
    order = scene.world.hoard[0]
    assert scene.ask().text == "sunny"
    scene.world.cash(order)
    assert scene.world.total() == 1500
    assert scene.open_entries == 0


def test_a_later_run_cancels_the_old_order_before_it_signs_anew(scene: Scene):
    scene.world.lies, scene.wire.hub_away = LIES[0], True
    scene.fails(OutcomeUnknown)
    scene.wire.hub_away = False
    scene.fails(PaymentRefused)  # It signed anew, and that one was refused and cancelled, too.
    assert len(set(scene.wire.credentials())) == 2
    assert len(scene.world.cancelled) == 2
    assert not any(scene.world.cash(order) for order in scene.world.hoard)


@pytest.mark.parametrize("state", ["held", "awaiting"])
def test_a_hold_is_left_to_the_seller_and_an_ask_is_withdrawn(scene: Scene, state: str):
    scene.world.lies, scene.world.cashes_first = LIES[0], True

    def held(order: Any) -> None:
        scene.world.take_as(order, state)

    scene.world.cash = held  # type: ignore[method-assign]
    if state == "awaiting":
        assert scene.fails(PaymentRefused).code == LIES[0][1]
        assert [t.reason for t in scene.world.taken.values()] == ["cancelled"]
        return
    for _ in range(2):
        fault = scene.fails(OutcomeUnknown)
        assert (fault.code, fault.more["state"]) == ("outcome-unknown", "held")
    assert len(set(scene.wire.credentials())) == 1
    [taken] = scene.world.taken.values()
    taken.state = "expired"
    scene.world.lies = None
    assert paid(scene.ask()) is not None
    assert len(set(scene.wire.credentials())) == 2


def test_a_plain_error_costs_nothing_once_the_hub_has_said_so(scene: Scene):
    scene.world.lies = (404, "not-here")
    response = scene.ask()
    assert (response.status_code, paid(response), unproven(response)) == (404, None, None)
    assert scene.open_entries == 0
    assert not scene.world.cash(scene.world.hoard[0])


def test_already_paid_is_believed_with_a_proof_only(scene: Scene):
    scene.world.lies = (409, "already-paid")
    fault = scene.fails(PaymentRefused)
    assert fault.code == "cancelled"
    assert not scene.world.cash(scene.world.hoard[0])
    scene.world.cashes_first = True
    told = scene.fails(AlreadyPaid)
    assert told.paid.receipt["statement"]["state"] == "captured"
    scene.wire.hub_away = True
    scene.world.cashes_first = False
    scene.fails(OutcomeUnknown)
    assert scene.open_entries == 1


@pytest.mark.parametrize("status", [200, 204, 302])
def test_an_answer_that_nobody_was_paid_for_is_given_and_not_called_paid(scene: Scene, status: int):
    scene.world.lies = (status, "")
    response = scene.ask()
    assert (response.status_code, paid(response)) == (status, None)
    assert unproven(response).state == "unknown-there"
    assert scene.world.cancelled == []  # It was bought: the seller may still be paid for it.
    assert scene.open_entries == 1
    # It can be cashed once; the same request goes on with it and signs nothing new.
    assert scene.world.cash(scene.world.hoard[0])
    assert paid(scene.ask()) is not None
    assert (scene.world.total(), scene.open_entries) == (1500, 0)


def test_an_answer_while_the_hub_is_away_is_not_called_paid(scene: Scene):
    scene.world.gives_receipts = False
    scene.wire.hub_away = True
    response = scene.ask()
    assert (response.text, paid(response)) == ("sunny", None)
    assert "the hub could not be asked" in str(unproven(response))
    scene.wire.hub_away = False
    assert paid(scene.ask()) is not None
    assert scene.world.total() == 1500


def test_a_receipt_of_an_earlier_payment_pays_for_it_and_the_second_order_is_cancelled(
    scene: Scene,
):
    first = paid(scene.ask())
    earlier = scene.world.taken[first.payment]
    honest = scene.world.receipt
    scene.world.receipt = lambda _: honest(earlier)
    scene.world.lies = (200, "")
    scene.world.lies_with_receipt = True
    made = paid(scene.ask())
    assert made.payment == first.payment
    assert len(scene.world.cancelled) == 1
    scene.world.receipt = honest
    assert not scene.world.cash(scene.world.hoard[0])
    assert (scene.world.total(), scene.open_entries) == (1500, 0)


def test_an_old_journal_entry_without_its_order_is_looked_up(scene: Scene):
    scene.wire.troubles = ["request-lost"] * 5
    scene.fails(OutcomeUnknown)
    [entry] = scene.purse.journal.unresolved()
    claimed = scene.purse.journal.claim(entry.request)
    claimed.resolve()
    scene.purse.journal.write(msgspec.structs.replace(entry, order={})).release()
    scene.world.lies = LIES[0]
    scene.fails(OutcomeUnknown)
    assert (scene.world.cancelled, scene.open_entries) == ([], 1)
    scene.clock.now_ns += 4000 * 10**9
    scene.world.lies = None
    assert paid(scene.ask()) is not None


def test_several_open_orders_of_one_request_are_all_settled_before_a_new_one(scene: Scene):
    url, journal = f"{SHOP}/weather", scene.purse.journal
    scene.world.lies, scene.wire.hub_away = LIES[0], True
    in_use: list[Any] = []
    for _ in range(3):  # Each while the ones before it are in use.
        scene.fails(OutcomeUnknown, url)
        in_use.append(journal.claim(request_name("GET", url, b"")))
    for claimed in in_use:
        claimed.release()
    assert scene.open_entries == 3
    scene.wire.hub_away = False
    scene.fails(PaymentRefused, url)
    assert scene.open_entries == 0
    assert len(set(scene.wire.credentials())) == 4
    assert len(scene.world.cancelled) == 4


@pytest.mark.parametrize(("cashed", "left"), [(False, 0), (True, 1)])
def test_reconciling_forgets_an_old_order_only_when_the_hub_says_it_is_dead(
    scene: Scene, cashed: bool, left: int
):
    async def reconcile() -> None:
        async with scene.client() as http:
            await http.paying.reconcile()

    scene.world.lies, scene.wire.hub_away = LIES[0], True
    scene.fails(OutcomeUnknown)
    scene.wire.hub_away = False
    if cashed:  # Just after the look-up, which saw nothing of it.
        scene.world.cash(scene.world.hoard[0])
        scene.world.status_of = lambda *_: problem(404, "no-such-payment")
    scene.clock.now_ns += 4000 * 10**9
    asyncio.run(reconcile())
    assert scene.open_entries == left


def anew(scene: Scene, **options: Any) -> tuple[list[GivenUp], Any]:
    """Pay the request anew; give what was given up, and the answer."""
    told: list[GivenUp] = []
    return told, scene.ask(extensions={ANEW: told.append}, **options)


def test_money_that_a_seller_keeps_without_an_answer_is_given_up_knowingly(scene: Scene):
    scene.world.lies, scene.world.cashes_first = LIES[0], True
    lost = scene.fails(AnswerLost)
    scene.world.lies = None
    told, response = anew(scene)
    assert (response.text, scene.open_entries) == ("sunny", 0)
    assert paid(response).payment != lost.more["payment"]
    [one] = told
    assert (one.payment, one.state, one.lost) == (lost.more["payment"], "captured", True)
    assert "ask the seller for a refund" in str(one)
    assert scene.world.total() == 3000


def test_an_order_that_was_not_cashed_is_cancelled_as_it_is_given_up(scene: Scene):
    scene.wire.troubles = ["request-lost"] * 5
    scene.fails(OutcomeUnknown)
    told, response = anew(scene)
    assert [(one.lost, "nothing was taken" in str(one)) for one in told] == [(False, True)]
    assert scene.world.cancelled == [told[0].payment]
    assert paid(response) is not None
    assert (scene.world.total(), scene.open_entries) == (1500, 0)


def test_all_that_is_open_of_a_request_is_given_up_and_nothing_of_another(scene: Scene):
    scene.wire.troubles = ["request-lost"] * 5
    scene.fails(OutcomeUnknown, f"{SHOP}/other")
    scene.world.lies, scene.world.cashes_first = LIES[0], True
    scene.fails(AnswerLost)
    scene.world.lies = None
    told, _ = anew(scene)
    assert [one.lost for one in told] == [True]
    assert scene.open_entries == 1
    assert anew(scene)[0] == []


def test_while_the_hub_is_away_nothing_is_given_up_and_nothing_signed_anew(scene: Scene):
    scene.world.lies, scene.wire.hub_away = LIES[0], True
    scene.fails(OutcomeUnknown)
    told: list[GivenUp] = []
    fault = scene.fails(OutcomeUnknown, extensions={ANEW: told.append})
    assert "cannot be given up" in fault.detail
    assert (told, scene.open_entries) == ([], 1)
    assert len(set(scene.wire.credentials())) == 1
    scene.wire.hub_away, scene.world.lies = False, None
    assert paid(anew(scene)[1]) is not None
