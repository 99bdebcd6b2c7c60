"""Two people guard the line above which two approve: on pages, by API, and in the console."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from farthing.codec import canonical_json
from farthing.testing.worlds import HandClock
from tests.web.api.town import LOCAL, open_town

from .browser import Browser
from .test_limits import Editing
from .test_two_people import another

WANTS = "Ada wants this instead, and it takes a second person."
MINE = "You want this instead. Somebody else may agree until"


class Guarded(Editing):
    """A device under a line, whose owner has two people."""

    bea: Browser

    @property
    def device(self) -> str:
        """Its page."""
        return self.path.removesuffix("/limits")

    async def text(self, who: Browser, path: str = "") -> str:
        """Read a page as words."""
        return re.sub("<[^>]+>", "", (await who.page(path or self.device)).text)

    async def agreement(self, who: Browser) -> str:
        """Read what the page of the device lets somebody agree to."""
        found = re.search('data-subject="([^"]+)"', (await who.page(self.device)).text)
        assert found
        return found[1]

    async def agrees(self, who: Browser, agreement: str, proven: str = "") -> Any:
        """Agree with the passkey; `proven` is what it confirms, where that is something else."""
        told = await who.prove("agree-limits", proven or agreement)
        form = {"agreement": agreement, "proof": canonical_json(told).decode()}
        return await who.submit(f"{self.path}/agree", form)


@contextlib.asynccontextmanager
async def guarded_in(folder: Path, **more: Any) -> AsyncIterator[Guarded]:
    async with open_town(folder, clock=HandClock()) as town:
        mandate = await town.mandate(**({"largest": "2000000", "two_above": "1500000"} | more))
        await town.enrol("bike", "purse", mandate)
        two = Guarded(town, await Browser(town).joined(), mandate)
        two.bea = await another(town)
        yield two


async def test_what_one_wants_is_shown_to_both_and_is_so_once_the_other_agrees(tmp_path: Path):
    async with guarded_in(tmp_path) as two:
        form = await two.form(two_above="")
        shown = (await two.ada.submit(f"{two.path}/check", form)).text
        assert "so it takes two" in shown
        assert "Ask somebody else to agree" in shown
        assert (await two.set(two_above="")).status_code == 401
        assert (await two.proven(two_above="")).status_code == 303
        now = await two.now()
        assert (now["two_above"], now["revision"]) == ("1500000", 1)
        assert now["proposed"]["by"] == two.ada.person["id"]
        assert now["proposed"]["wanted"]["two_above"] is None
        mine, hers = await two.text(two.ada), await two.text(two.bea)
        assert MINE in mine
        assert "Agree\n" not in mine
        assert "Withdraw" in mine
        assert WANTS in hers
        assert "Decline" in hers
        assert "a change waits for a second person" in await two.text(two.bea, "/wallet")
        assert (await two.agrees(two.bea, await two.agreement(two.bea))).status_code == 303
        now = await two.now()
        assert (now["two_above"], now["proposed"]) == (None, None)
        assert WANTS not in await two.text(two.bea)


async def test_who_wants_it_does_not_agree_and_a_passkey_agrees_to_exactly_this(tmp_path: Path):
    async with guarded_in(tmp_path) as two:
        await two.proven(two_above="1.80")
        first = await two.agreement(two.bea)
        assert (await two.agrees(two.ada, first)).status_code == 403
        assert (await two.bea.submit(f"{two.path}/agree", {"agreement": first})).status_code == 401
        await two.proven(two_above="")
        assert (await two.agrees(two.bea, first)).status_code == 409
        second = await two.agreement(two.bea)
        assert (await two.agrees(two.bea, second, proven=first)).status_code == 401
        assert (await two.now())["two_above"] == "1500000"


@pytest.mark.parametrize("who", ["ada", "bea", "a ward", "a key", "the operator"])
async def test_anybody_lets_it_be(tmp_path: Path, who: str):
    async with guarded_in(tmp_path) as two:
        await two.proven(two_above="")
        if who in ("a key", "the operator"):
            asks = "buyer.owner" if who == "a key" else LOCAL
            path = f"/v1/mandates/{two.mandate}/decline"
            assert (await two.town.made("POST", path, who=asks))["proposed"] is None
        else:
            ward = await another(two.town, name="Mia", roles=["ward"])
            browser = {"ada": two.ada, "bea": two.bea, "a ward": ward}[who]
            assert (await browser.submit(f"{two.path}/decline", {})).status_code == 303
        now = await two.now()
        assert (now["proposed"], now["two_above"]) == (None, "1500000")


async def test_a_ward_does_not_agree(tmp_path: Path):
    async with guarded_in(tmp_path) as two:
        await two.proven(two_above="")
        ward = await another(two.town, name="Mia", roles=["ward"])
        shown = (await ward.page(two.device)).text
        assert "agree-limits" not in shown
        agreement = await two.agreement(two.bea)
        assert (await two.agrees(ward, agreement)).status_code == 403


@pytest.mark.parametrize("who", ["buyer.owner", LOCAL])
async def test_neither_a_key_nor_the_operator_loosens_the_line(tmp_path: Path, who: str):
    async with guarded_in(tmp_path) as two:
        before = await two.now()
        for line in (None, "1500001"):
            body = {"asset": "USD", "two_above": line}
            told = await two.town.ask("PUT", f"/v1/mandates/{two.mandate}", body, who=who)
            assert (told.status_code, told.json()["code"]) == (403, "two-people-needed")
        looser = await two.town.mandate()
        body = {"mandate": looser}
        path = f"/v1/devices/{two.town.machines['bike'].id}/mandate"
        told = await two.town.ask("PUT", path, body, who=who)
        assert (told.status_code, told.json()["code"]) == (403, "two-people-needed")
        body = {"account": two.town.accounts["purse"], "mandate": looser, "name": "second"}
        told = await two.town.ask("POST", "/v1/devices/invitations", body, who=who)
        assert (told.status_code, told.json()["code"]) == (403, "two-people-needed")
        assert await two.now() == before


async def test_a_further_device_of_the_wallet_comes_with_the_line(tmp_path: Path):
    async with guarded_in(tmp_path) as two:
        form = {"account": two.town.accounts["purse"], "name": "Van", "per": "day"}
        shown = (await two.ada.submit("/wallet/devices/new/check", form)).text
        assert "Two people have to approve above $1.50." in re.sub("<[^>]+>", "", shown)
        found = re.search('data-subject="([^"]+)"', shown)
        assert found
        proof = canonical_json(await two.ada.prove("enrol-device", found[1])).decode()
        made = await two.ada.submit("/wallet/devices/new/make", form | {"proof": proof})
        assert made.status_code == 200, made.text
        mandates = (await two.town.made("GET", "/v1/mandates", who="buyer.owner"))["items"]
        assert [one["two_above"] for one in mandates].count("1500000") == 2


async def test_who_approves_does_not_say_who_the_second_person_is(tmp_path: Path):
    async with guarded_in(tmp_path) as two:
        town = two.town
        boss = await another(town, name="Cid", roles=["owner", "operator"])
        form = {"name": "Cid again", "owner": town.owners["buyer"], "role": "owner", "operator": ""}
        for path, act, more in (
            ("invite", "invite-person", form),
            ("link", "link-person", {"person": two.bea.person["id"]}),
        ):
            subject = more.get("person") or await _read_back(boss, form)
            proof = canonical_json(await boss.prove(act, subject)).decode()
            told = await boss.submit(f"/console/people/{path}", more | {"proof": proof})
            assert told.status_code == 403, told.text
            assert "This takes two people" in told.text
        ward = form | {"role": "ward"}
        proof = canonical_json(
            await boss.prove("invite-person", await _read_back(boss, ward))
        ).decode()
        told = await boss.submit("/console/people/invite", ward | {"proof": proof})
        assert told.status_code == 200
        line = {"asset": "USD", "owner": town.owners["seller"], "two_above": "1"}
        await town.made("POST", "/v1/mandates", line, who=LOCAL)
        other = form | {"owner": town.owners["seller"]}
        proof = canonical_json(
            await boss.prove("invite-person", await _read_back(boss, other))
        ).decode()
        assert (await boss.submit("/console/people/invite", other | {"proof": proof})).is_success


async def _read_back(boss: Browser, form: dict[str, str]) -> str:
    shown = (await boss.submit("/console/people/check", form)).text
    found = re.search('data-subject="([^"]+)"', shown)
    assert found, shown
    return found[1]
