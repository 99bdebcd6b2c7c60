"""A ward sees all of a wallet and stops what it likes; a guardian says what is allowed."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.codec import canonical_json
from tests.web.api.town import LOCAL, Town, open_town

from .browser import Browser
from .test_approving import SMALL, Asked


@contextlib.asynccontextmanager
async def family(folder: Path) -> AsyncIterator[tuple[Town, Browser, Browser]]:
    """A teenager's wallet: a mother who decides, and a daughter whose phone pays."""
    async with open_town(folder) as town:
        credit = {"account": town.accounts["purse"], "units": "90000000", "asset": "USD"}
        await town.made("POST", "/v1/credits", credit, who=LOCAL)
        limits = {"largest": "30000000", "payees": [town.accounts["shop"]], "ask_above": "1000000"}
        await town.enrol("big", "purse", await town.mandate(**limits))
        mia = Browser(town)
        assert (await mia.join(await mia.invited(name="Mia", roles=["ward"]))).status_code == 200
        yield town, await Browser(town).joined(), mia


async def test_a_guardian_approves_what_a_ward_wants_and_the_ward_does_not(tmp_path: Path):
    async with family(tmp_path) as (town, mother, mia):
        hers, mothers = Asked(town, mia), Asked(town, mother)
        payment = await hers.asks(SMALL)
        shown = (await mia.page(f"/wallet/payments/{payment}")).text
        assert "Your guardian is asked and decides." in shown
        assert "Your guardian is asked above" in shown
        assert 'value="approve"' not in shown
        refused = await hers.answer(payment)
        assert (refused.status_code, await hers.state(payment)) == (403, "awaiting")
        assert "Your guardian decides this." in refused.text
        assert (await mothers.answer(payment)).status_code == 303
        assert await hers.state(payment) == "captured"
        other = await hers.asks(SMALL)
        assert (await hers.answer(other, "deny")).status_code == 303
        assert await hers.state(other) == "refused"


async def test_a_ward_sees_why_something_was_refused(tmp_path: Path):
    async with family(tmp_path) as (town, mother, mia):
        body = {"asset": "USD", "owner": town.owners["seller"], "name": "arcade"}
        arcade = (await town.made("POST", "/v1/accounts", body, who=LOCAL))["id"]
        order = town.payment(5, machine="big", payee=arcade)
        assert (await town.ask("POST", "/v1/payments", order)).json()["code"] == "mandate-payee"
        assert "your guardian does not allow this payee" in (await mia.page("/wallet")).text
        assert "not one of the payees you allow" in (await mother.page("/wallet")).text
        german = await mia.page("/wallet", **{"accept-language": "de"})
        assert "Ihr Vormund erlaubt diesen Empfänger nicht" in german.text


async def test_a_ward_freezes_and_only_a_guardian_unfreezes(tmp_path: Path):
    async with family(tmp_path) as (town, mother, mia):
        path = f"/wallet/devices/{town.machines['big'].id}"
        assert (await mia.submit(f"{path}/freeze", {})).status_code == 303
        assert (await mia.submit(f"{path}/unfreeze", {})).status_code == 403
        assert "until your guardian unfreezes it" in (await mia.page(path)).text
        assert (await mother.submit(f"{path}/unfreeze", {})).status_code == 303


@pytest.mark.parametrize(
    ("act", "path"),
    [
        ("revoke-device", "/wallet/devices/{device}/revoke"),
        ("enrol-device", "/wallet/devices/new/make"), ("pay-out", "/wallet/money/out"),
        ("make-key", "/shop/keys/make"),
    ],
)  # fmt: skip
async def test_a_wards_passkey_allows_and_moves_nothing(tmp_path: Path, act: str, path: str):
    async with family(tmp_path) as (town, _, mia):
        device = town.machines["big"].id
        proof = canonical_json(await mia.prove(act, device)).decode()
        answer = await mia.submit(path.format(device=device), {"proof": proof})
        assert answer.status_code == 403
        assert "Your guardian decides this." in answer.text


async def test_a_ward_narrows_limits_and_does_not_widen_them(tmp_path: Path):
    async with family(tmp_path) as (town, _, mia):
        path = f"/wallet/devices/{town.machines['big'].id}/limits"
        revision = re.search(r'name="revision" value="(\d+)"', (await mia.page(path)).text)
        assert revision
        payee = {f"payee.{town.accounts['shop']}": "on"}
        form = {"revision": revision[1], "ask_above": "1", "largest": "31"} | payee
        assert (await mia.submit(f"{path}/set", form)).status_code == 403
        assert (await mia.submit(f"{path}/set", form | {"largest": "2"})).status_code == 303


async def test_who_is_both_is_a_guardian(tmp_path: Path):
    async with family(tmp_path) as (town, _, _mia):
        father = Browser(town)
        await father.join(await father.invited(name="Leo", roles=["owner", "ward"]))
        payment = await Asked(town, father).asks(SMALL)
        assert (await Asked(town, father).answer(payment)).status_code == 303


async def test_a_wards_notice_approves_nothing(tmp_path: Path):
    async with family(tmp_path) as (town, _, mia):
        asked = Asked(town, mia)
        payment = await asked.asks(SMALL)
        kept = await town.hub.desk.payments.find(payment)
        ticket = town.hub.desk.notices.ask_ticket(mia.person["id"], kept, approves=True)
        said = await mia.post("/push/answer", {"ticket": ticket, "answer": "approve"})
        assert (said.status_code, said.json()["code"]) == (403, "guardian-needed")
        denied = await mia.post("/push/answer", {"ticket": ticket, "answer": "deny"})
        assert denied.json()["state"] == "refused"
