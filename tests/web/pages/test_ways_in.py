"""What is left to sign in with, whatever is asked at the same time: in one hub, and through two."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from farthing.app import open_hub
from farthing.codec import canonical_json, to_base64url
from farthing.core.people import PEOPLE
from farthing.settings import Config
from farthing.store.queries import one
from farthing.web.app import HubApp
from tests.web.api.test_two_hubs import shared
from tests.web.api.town import LOCAL, Town, open_town

from .authenticator import Authenticator
from .browser import ORIGIN, Browser

AT_ONCE = 4
Shared = tuple[Config, Any]
__all__ = ["shared"]


class Synced(Authenticator):
    """A passkey that counts nothing, like those that several devices share."""

    def show(self, told: dict[str, Any]) -> dict[str, Any]:
        self.count = -1
        return super().show(told)


class House:
    """Ada, signed in in two browsers with a passkey each, one at each of two hubs."""

    def __init__(self, town: Town, browsers: list[Browser]) -> None:
        self.town, self.browsers = town, browsers
        self.ada = browsers[0].person["id"]

    async def codes(self, browser: Browser) -> list[str]:
        proof = canonical_json(await browser.prove("recovery-codes", "")).decode()
        shown = await browser.submit("/account/recovery-codes", {"proof": proof})
        assert shown.status_code == 200, shown.text
        return re.findall('class="code"[^>]*>([^<]+)<', shown.text)

    async def good(self, code: str) -> bool:
        begun = await Browser(self.town).post("/join/begin", {"code": code})
        return begun.status_code == 200

    async def removed(self, browser: Browser, ident: str) -> int:
        proof = canonical_json(await browser.prove("remove-passkey", ident)).decode()
        form = {"proof": proof, "subject": ident}
        return (await browser.submit("/account/passkeys/remove", form)).status_code


@asynccontextmanager
async def housed(tmp_path: Path, shared: Shared) -> AsyncGenerator[House]:
    config, door = shared
    async with open_town(tmp_path, config=config, door=door) as town:
        second = await open_hub(config, door=door)
        try:
            first, other = Browser(town), Browser(town, HubApp(second.desk))
            first.key, other.key = Synced(ORIGIN), Synced(ORIGIN)
            await first.joined()
            link = await town.made("POST", f"/v1/people/{first.person['id']}/links", {}, who=LOCAL)
            assert (await other.join(link["link"].partition("#")[2])).status_code == 200
            assert (await first.sign_in()).status_code == 200
            yield House(town, [first, other])
        finally:
            await second.close()


async def test_of_recovery_codes_made_at_once_the_last_eight_are_good(
    tmp_path: Path, shared: Shared
):
    async with housed(tmp_path, shared) as house:
        made = await asyncio.gather(
            *(house.codes(browser) for _ in range(AT_ONCE) for browser in house.browsers)
        )
        good = [[await house.good(code) for code in codes] for codes in made]
        assert sorted(sum(each) for each in good) == [0] * (2 * AT_ONCE - 1) + [8]


async def test_two_browsers_that_remove_each_others_passkey_leave_one(
    tmp_path: Path, shared: Shared
):
    async with housed(tmp_path, shared) as house:
        known = await house.town.hub.desk.people.register.passkeys(house.ada)
        [mine] = [one.id for one in known if one.id == to_base64url(house.browsers[0].key.ident)]
        [other] = [one.id for one in known if one.id != mine]
        told = await asyncio.gather(
            house.removed(house.browsers[0], other), house.removed(house.browsers[1], mine)
        )
        assert 303 in told
        assert len(await house.town.hub.desk.people.register.passkeys(house.ada)) == 1


async def test_of_links_made_at_once_one_is_good(tmp_path: Path, shared: Shared):
    async with housed(tmp_path, shared) as house:
        path = f"/v1/people/{house.ada}/links"
        made = await asyncio.gather(
            *(house.town.made("POST", path, {}, who=LOCAL) for _ in range(2 * AT_ONCE))
        )
        codes = [each["link"].partition("#")[2] for each in made]
        assert sum([await house.good(code) for code in codes]) == 1
        found = await house.town.hub.ctx.database.read(lambda tx: one(tx, PEOPLE, house.ada))
        assert found and found.ways_in == 2 * AT_ONCE + 1
