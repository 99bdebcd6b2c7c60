"""Two people answer on pages while others do: one outcome, by two different people, money exact."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hub_process import HubProcess
from tests.web.api.town import body_of

from .market import PRICE, Buyer, Goods, Market
from .people import Person
from .wire import Told, at_once

LINE = PRICE - 1


@pytest.fixture
def firm(market: Market) -> "Firm":
    return Firm(market)


class Firm:
    """An owner with a device under a line, and two people who approve."""

    def __init__(self, market: Market, **terms: Any) -> None:
        self.market, self.owner = market, market.made("/v1/owners", name="firm")["id"]
        account = market.account(self.owner)
        market.made("/v1/credits", account=account, units="1000000", asset="USD")
        market.funds += 1_000_000
        told = {"owner": self.owner, "two_above": str(LINE)} | terms
        self.buyer: Buyer = market.spender(account, **told)
        self.ada, self.bea = [Person(market, self.owner, name) for name in ("Ada", "Bea")]

    def asks(self, amount: int = PRICE) -> tuple[str, Any]:
        """Ask for a new payment; give its id and the order's body."""
        body = body_of(self.market.order(self.buyer, amount))
        [asked] = self.market.post("/v1/payments", [body])
        assert (asked.status, asked.json["state"]) == (202, "awaiting")
        return asked.json["id"], body

    def shown(self, payment: str) -> dict[str, Any]:
        return self.market.shown(f"/v1/payments/{payment}")

    def said(self, payment: str) -> list[tuple[str, str]]:
        """List who said what, in the order in which it was heard."""
        answers = self.shown(payment)["answers"]
        return [(one["answer"], one["by"] or one["means"]) for one in answers]


def at(*asks: Any) -> list[Told]:
    return asyncio.run(at_once(asks))


def test_two_who_approve_at_one_moment_over_every_hub_have_it_paid_once(firm: Firm):
    for count in range(1, 4):
        payment, body = firm.asks()
        asks = [*firm.ada.answers(payment, "approve"), *firm.bea.answers(payment, "approve")]
        told = at(*asks * 8)
        assert Counter(answer.status for answer in told) == {303: len(told)}
        assert firm.shown(payment)["state"] == "captured"
        assert sorted(firm.said(payment)) == sorted(
            [("approve", firm.ada.id), ("approve", firm.bea.id)]
        )
        again = firm.market.post("/v1/payments", [body] * 10)
        assert {answer.status for answer in again} == {200}
        assert firm.market.spent(firm.buyer) == count * PRICE


def test_one_person_in_two_browsers_and_with_a_key_is_not_two(firm: Firm):
    payment, _ = firm.asks()
    other = firm.ada.again()
    assert other != firm.ada.secret
    mine = [*firm.ada.answers(payment, "approve"), *firm.ada.answers(payment, "approve", other)]
    path = f"/v1/payments/{payment}/approve"
    keyed = firm.market.asks(path, [None] * 4, **firm.market.bearer)
    told = at(*[*mine, *keyed] * 5)
    assert Counter(answer.status for answer in told) == {303: 5 * len(mine), 403: 5 * len(keyed)}
    assert firm.shown(payment)["state"] == "awaiting"
    assert firm.said(payment) == [("approve", firm.ada.id)]
    assert firm.market.spent(firm.buyer) == 0
    at(*firm.bea.answers(payment, "approve"))
    assert firm.market.spent(firm.buyer) == PRICE


def test_of_yes_and_no_at_one_moment_one_is_what_becomes_of_it(firm: Firm):
    taken = 0
    for _ in range(6):
        payment, body = firm.asks()
        at(firm.ada.answers(payment, "approve")[0])
        yes, no = firm.bea.answers(payment, "approve"), firm.ada.answers(payment, "deny")
        path = f"/v1/payments/{payment}/deny"
        keyed = firm.market.asks(path, [None] * 2, **firm.market.bearer)
        at(*[*yes, *no, *keyed] * 4)
        state, said = firm.shown(payment)["state"], firm.said(payment)
        assert [what for what, _ in said] in (["approve", "approve"], ["approve", "deny"])
        assert state == ("captured" if said[-1][0] == "approve" else "refused")
        taken += state == "captured"
        again = firm.market.post("/v1/payments", [body] * 5)
        assert {answer.status for answer in again} == {200 if state == "captured" else 422}
        assert firm.market.spent(firm.buyer) == taken * PRICE


@pytest.mark.prove
@pytest.mark.parametrize("silence", ["refuse", "allow"])
def test_of_an_answer_and_the_deadline_one_is_what_becomes_of_it(market: Market, silence: str):
    two = silence == "refuse"
    terms = {"two_above": str(LINE)} if two else {"two_above": None, "ask_above": str(LINE)}
    firm = Firm(market, ask_seconds=10, on_timeout=silence, **terms)
    began = time.time()
    asked = [firm.asks(PRICE + n)[0] for n in range(8)]  # Equal ones that wait would be one.
    if two:
        at(*(firm.ada.answers(payment, "approve")[0] for payment in asked))
    forms = [firm.bea.answers(payment, "approve" if two else "deny") for payment in asked]
    states = dict.fromkeys(asked, "awaiting")
    for place, answers in enumerate(forms):
        time.sleep(max(0.0, began + 9.85 + 0.07 * place - time.time()))
        at(*answers)
    deadline = time.time() + 10
    while "awaiting" in states.values() and time.time() < deadline:
        states = {payment: firm.shown(payment)["state"] for payment in asked}
    assert set(states.values()) <= {"captured", "held", "refused", "expired"}
    for payment, state in states.items():
        last = firm.said(payment)[-1]
        assert len(firm.said(payment)) == (2 if two else 1)
        assert (state == "refused") == (last[0] == "deny"), (state, last)
        if two:
            assert last in (("approve", firm.bea.id), ("deny", "deadline"))
        else:
            assert last in (("approve", "deadline"), ("deny", firm.bea.id))
    paid = sum(int(firm.shown(payment)["captured"]) for payment in asked)
    assert market.spent(firm.buyer) == paid


@pytest.mark.prove
def test_the_same_holds_through_two_workers(tmp_path: Path):
    with HubProcess(tmp_path, FARTHING_SERVER_WORKERS="2") as hub:
        market = Market([hub], Goods())
        test_two_who_approve_at_one_moment_over_every_hub_have_it_paid_once(Firm(market))
        test_one_person_in_two_browsers_and_with_a_key_is_not_two(Firm(market))
        test_of_yes_and_no_at_one_moment_one_is_what_becomes_of_it(Firm(market))
        market.settled()
        market.http.close()
