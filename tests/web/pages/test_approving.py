"""An approval is of exactly what was shown, once, by who may, with a passkey where it is large."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from farthing.codec import canonical_json
from farthing.core.payments import PAYMENTS
from farthing.services.challenges import challenge_of
from farthing.store.queries import one
from farthing.testing.worlds import HandClock
from farthing.web.pages.approvals import approval_of, terms_of
from tests.web.api.town import LOCAL, Town, config_in, open_town

from .authenticator import Authenticator
from .browser import ORIGIN, Browser

LARGE, SMALL = 20_000_001, 20_000_000


class Asked:
    """A payment that waits, and a person who is asked."""

    def __init__(self, town: Town, ada: Browser) -> None:
        self.town, self.ada = town, ada

    async def asks(self, amount: int) -> str:
        """Let a device ask for this much."""
        paid = await self.town.ask("POST", "/v1/payments", self.town.payment(amount, machine="big"))
        assert paid.json()["state"] == "awaiting", paid.text
        return paid.json()["id"]

    async def terms(self, payment: str) -> str:
        """Give what the page's form carries of the terms."""
        kept = await self.town.hub.ctx.database.read(lambda tx: one(tx, PAYMENTS, payment))
        assert kept is not None
        return terms_of(kept)

    async def answer(self, payment: str, said: str = "approve", **more: str) -> Any:
        """Send the form."""
        form = {"answer": said, "terms": await self.terms(payment)} | more
        return await self.ada.submit(f"/wallet/payments/{payment}/answer", form)

    async def proof(self, payment: str) -> str:
        """Confirm it with the passkey."""
        return canonical_json(await self.ada.prove("approve", payment)).decode()

    async def state(self, payment: str) -> str:
        """Tell where it stands."""
        return (await self.town.made("GET", f"/v1/payments/{payment}", who=LOCAL))["state"]


@contextlib.asynccontextmanager
async def asked_in(folder: Path) -> AsyncIterator[Asked]:
    async with open_town(folder, clock=HandClock(), config=config_in(folder)) as town:
        credit = {"account": town.accounts["purse"], "units": "90000000", "asset": "USD"}
        await town.made("POST", "/v1/credits", credit, who=LOCAL)
        await town.enrol("big", "purse", await town.mandate(ask_above="1", ask_seconds=600))
        yield Asked(town, await Browser(town).joined())


async def test_a_small_one_is_approved_by_a_form_alone_and_twice_is_no_harm(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(SMALL)
        for _ in range(2):
            answer = await asked.answer(payment)
            assert answer.headers["location"] == f"/wallet/payments/{payment}"
        assert await asked.state(payment) == "captured"


@pytest.mark.rule("asvs.7.5.3", on="hub")
async def test_a_large_one_needs_a_passkey_and_denying_never_does(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(LARGE)
        refused = await asked.answer(payment)
        assert (refused.status_code, await asked.state(payment)) == (401, "awaiting")
        assert "This needs your passkey" in refused.text
        assert (await asked.answer(payment, "deny")).status_code == 303
        assert await asked.state(payment) == "refused"


async def test_a_large_one_is_approved_with_a_passkey_and_again_is_no_harm(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(LARGE)
        proof = await asked.proof(payment)
        for _ in range(2):
            assert (await asked.answer(payment, proof=proof)).status_code == 303
        assert await asked.state(payment) == "captured"


async def test_what_one_payment_was_approved_with_approves_no_other(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        first, second = await asked.asks(LARGE), await asked.asks(LARGE + 1)
        proof = await asked.proof(first)
        refused = await asked.answer(second, proof=proof)
        assert (refused.status_code, await asked.state(second)) == (401, "awaiting")
        assert await asked.state(first) == "awaiting"


async def test_a_form_that_was_shown_for_other_terms_approves_nothing(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        small, other = await asked.asks(5), await asked.asks(SMALL)
        refused = await asked.answer(other, terms=await asked.terms(small))
        assert (refused.status_code, await asked.state(other)) == (409, "awaiting")
        assert "This is not what you were shown" in refused.text


async def test_a_proof_is_of_who_is_signed_in_here_and_of_no_other_session(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(LARGE)
        proof = await asked.proof(payment)
        await asked.ada.sign_in()
        assert (await asked.answer(payment, proof=proof)).status_code == 401
        stranger = Authenticator(ORIGIN)
        asked.ada.key = stranger
        assert (await asked.answer(payment, proof=await asked.proof(payment))).status_code == 401
        assert await asked.state(payment) == "awaiting"


async def test_another_owner_neither_sees_nor_answers_it(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(SMALL)
        eve = Asked(asked.town, await Browser(asked.town).joined("seller"))
        for said in ("approve", "deny"):  # It is paid by it, and that is no reason to answer.
            assert (await eve.answer(payment, said)).status_code == 404
        assert await asked.state(payment) == "awaiting"
        told = await eve.ada.post(
            "/proofs", {"act": "approve", "subject": payment}, **{"x-csrf": await eve.ada.mark()}
        )
        assert told.status_code == 404


async def test_an_answer_that_is_none_changes_nothing(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(SMALL)
        assert (await asked.answer(payment, "perhaps")).status_code == 400
        assert (await asked.answer(payment, proof="{")).status_code in (303, 400)


async def test_after_the_deadline_the_mandates_own_rule_holds(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(SMALL)
        asked.town.clock.move(601)
        await asked.answer(payment)
        assert await asked.state(payment) == "refused"


def test_the_challenge_is_the_hash_of_random_bytes_and_of_every_term():
    act = {"act": "approve", "amount": "5"}
    assert challenge_of(bytes(32), act) != challenge_of(bytes(32), act | {"amount": "6"})
    assert challenge_of(bytes(32), act) != challenge_of(bytes([1]) * 32, act)


async def test_every_term_is_in_the_approval(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(SMALL)
        kept = await asked.town.hub.ctx.database.read(lambda tx: one(tx, PAYMENTS, payment))
        assert kept is not None
        told = approval_of(kept)
        assert told["amount"] == str(SMALL)
        assert (told["payee"], told["device"]) == (kept.payee, kept.device)
        assert (told["asset"], told["payment"]) == ("USD", payment)
