"""What a person is told, is theirs to say: the page keeps what was chosen, and nothing else."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from farthing.settings import NoticeSettings
from tests.notifiers.pigeon import Pigeon
from tests.receiver import receiving
from tests.web.api.town import LOCAL, Town, changed, config_in, open_town

from .browser import Browser

HERE = "/account/notices"
MAIL = "ada@home.example"
CHOSEN = {
    "security.email": "on", "money.push": "on", "money.digest": "3600", "account.digest": "0",
    "quiet_from": "22:00", "quiet_to": "07:00", "zone": "Europe/Berlin", "language": "de",
    "amounts": "on",
}  # fmt: skip


@contextlib.asynccontextmanager
async def visited(folder: Path) -> AsyncIterator[tuple[Town, Browser, Pigeon]]:
    async with open_town(folder) as town:
        town.hub.desk.notices.ways["email"] = pigeon = Pigeon()  # pyright: ignore[reportIndexIssue]
        yield town, await Browser(town).joined(), pigeon


async def wishes(town: Town, ada: Browser) -> dict[str, Any]:
    return await town.made("GET", f"/v1/people/{ada.person['id']}/notices", who=LOCAL)


async def address(town: Town, ada: Browser) -> str:
    assert (await ada.submit(f"{HERE}/add", {"way": "email", "place": MAIL})).status_code == 303
    await town.hub.desk.notices.quiet()
    found = re.search(r'name="address" value="([^"]+)"', (await ada.page(HERE)).text)
    assert found
    return found[1]


async def test_what_was_chosen_is_kept_and_shown_again(tmp_path: Path):
    async with visited(tmp_path) as (town, ada, _):
        assert (await ada.submit(f"{HERE}/set", CHOSEN)).status_code == 303
        told = await wishes(town, ada)
        assert told["quiet"] == ["22:00-07:00"]
        assert (told["time_zone"], told["language"]) == ("Europe/Berlin", "de")
        assert told["shows_amounts"] is True
        money = told["classes"]["money"]
        assert (money["ways"], money["digest_seconds"]) == (["push"], 3600)
        assert told["classes"]["account"]["ways"] == []
        assert told["classes"]["security"]["ways"][0] == "email"
        shown = (await ada.page(HERE)).text
        assert 'value="22:00"' in shown
        assert 'name="money.push" value="on" checked' in shown
        assert 'name="account.email" value="on" checked' not in shown


async def test_a_way_that_this_hub_does_not_offer_now_stays_as_it_was(tmp_path: Path):
    async with visited(tmp_path) as (town, ada, _):
        assert "sms" in (await wishes(town, ada))["classes"]["security"]["ways"]
        await ada.submit(f"{HERE}/set", CHOSEN)
        assert (await wishes(town, ada))["classes"]["security"]["ways"] == ["email", "sms"]


@pytest.mark.parametrize(
    "fields",
    [
        {"quiet_from": ""}, {"quiet_to": "25:00"}, {"zone": "Atlantis"}, {"language": "la"},
        {"money.digest": "5"}, {"zone": "x" * 61},
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_changes_nothing(tmp_path: Path, fields: dict[str, str]):
    async with visited(tmp_path) as (town, ada, _):
        before = await wishes(town, ada)
        assert (await ada.submit(f"{HERE}/set", CHOSEN | fields)).status_code == 400
        assert await wishes(town, ada) == before


async def test_a_mailbox_is_told_once_its_code_was_shown(tmp_path: Path):
    async with visited(tmp_path) as (town, ada, pigeon):
        ident = await address(town, ada)
        assert "waits for its code" in (await ada.page(HERE)).text
        wrong = {"address": ident, "code": "000000" if pigeon.code != "000000" else "000001"}
        assert (await ada.submit(f"{HERE}/prove", wrong)).status_code == 403
        proven = await ada.submit(f"{HERE}/prove", {"address": ident, "code": pigeon.code})
        assert proven.status_code == 303
        shown = (await ada.page(HERE)).text
        assert MAIL in shown
        assert "waits for its code" not in shown
        assert (await ada.submit(f"{HERE}/remove", {"address": ident})).status_code == 303
        assert MAIL not in (await ada.page(HERE)).text


async def test_nobody_touches_the_address_of_another_person_of_the_same_owner(tmp_path: Path):
    async with visited(tmp_path) as (town, ada, pigeon):
        ident = await address(town, ada)
        bob = await Browser(town).joined()
        for what in ("prove", "code", "remove"):
            form = {"address": ident, "code": pigeon.code}
            assert (await bob.submit(f"{HERE}/{what}", form)).status_code == 404
        assert MAIL in (await ada.page(HERE)).text
        assert MAIL not in (await bob.page(HERE)).text


async def test_a_browser_adds_itself_and_no_form_does(tmp_path: Path):
    async with visited(tmp_path) as (_, ada, _pigeon):
        form = {"way": "push", "place": "https://push.example/x"}
        assert (await ada.submit(f"{HERE}/add", form)).status_code == 400


async def test_where_nobody_is_told_the_page_says_how(tmp_path: Path):
    async with open_town(tmp_path) as town:
        town.hub.desk.notices.ways.clear()  # pyright: ignore[reportAttributeAccessIssue]
        shown = (await (await Browser(town).joined()).page(HERE)).text
        assert "email_host" in shown
        assert "<form" not in shown.partition("<main")[2]


async def test_what_signs_a_persons_webhook_is_shown_once_and_verifies_what_comes(tmp_path: Path):
    config = changed(
        config_in(tmp_path), notices=NoticeSettings(webhooks=True, allow_networks=["127.0.0.0/8"])
    )
    with receiving() as receiver:
        async with open_town(tmp_path, config=config) as town:
            ada, told = await Browser(town).joined(), {"way": "webhook", "place": receiver.url}
            assert 'type="url"' in (await ada.page(HERE)).text
            shown = []
            for _ in range(2):
                page = await ada.submit(f"{HERE}/add", told)
                shown += re.findall("data-secret>(whsec_[^<]+)<", page.text)
                await town.hub.desk.notices.quiet()
            assert len(set(shown)) == 2
            assert "whsec_" not in (await ada.page(HERE)).text
        for secret, got in zip(shown, receiver.got, strict=True):
            assert Webhook(secret).verify(got.body, got.headers)["type"] == "notice.code"
