"""Who answered an ask stands on its payment's page by name, for the payer's owner alone."""

from pathlib import Path

import pytest

from farthing.cli.views import payments
from tests.web.api.town import LOCAL

from .browser import Browser
from .test_approving import LARGE, SMALL, asked_in


@pytest.mark.parametrize(
    ("amount", "said", "means", "words"),
    [
        (SMALL, "approve", "session", "<dt>Approved</dt><dd>Ada, signed in"),
        (LARGE, "approve", "passkey", "<dt>Approved</dt><dd>Ada, with a passkey"),
        (LARGE, "deny", "session", "<dt>Denied</dt><dd>Ada, signed in"),
    ],
)
async def test_a_page_names_who_answered_it_and_how(
    tmp_path: Path, amount: int, said: str, means: str, words: str
):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(amount)
        proof = {"proof": await asked.proof(payment)} if means == "passkey" else {}
        await asked.answer(payment, said, **proof)
        path = f"/v1/payments/{payment}"
        [kept] = (await asked.town.made("GET", path, who="buyer.owner"))["answers"]
        assert (kept["answer"], kept["means"], kept["by"]) == (said, means, asked.ada.person["id"])
        assert words in (await asked.ada.page(f"/wallet/payments/{payment}")).text


async def test_neither_the_payee_nor_the_device_is_told(tmp_path: Path):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(SMALL)
        await asked.answer(payment)
        asked.town.clock.move(1)
        for who in ("seller.seller", "big"):
            shown = await asked.town.made("GET", f"/v1/payments/{payment}", who=who)
            assert "answers" not in shown
        seller = await Browser(asked.town).joined("seller")
        shown = (await seller.page(f"/wallet/payments/{payment}")).text
        assert payment in shown
        assert "Approved" not in shown


@pytest.mark.parametrize(("who", "means"), [("buyer.owner", "key"), (LOCAL, "operator")])
async def test_a_program_that_answers_is_named_by_its_key(tmp_path: Path, who: str, means: str):
    async with asked_in(tmp_path) as asked:
        payment = await asked.asks(LARGE)
        told = await asked.town.made("POST", f"/v1/payments/{payment}/deny", who=who)
        [kept] = told["answers"]
        assert (kept["means"], bool(kept["by"])) == (means, means == "key")
        words = {"key": "with the API key", "operator": "by the operator of the hub"}
        shown = (await asked.ada.page(f"/wallet/payments/{payment}")).text
        assert f"<dt>Denied</dt><dd>{words[means]}" in shown
        row = " ".join(payments({})([told]))
        assert (f"denied by {kept['by']} (key)" if kept["by"] else "denied by the operator") in row
