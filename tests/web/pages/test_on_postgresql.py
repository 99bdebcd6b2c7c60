"""Every page opens on PostgreSQL too: what SQLite takes for a query need not be one there."""

import re
from pathlib import Path

import msgspec
import pytest

from farthing.settings import BooksSettings
from farthing.web.pages.app import PAGES
from tests.web.api.town import config_in, open_town

from .browser import Browser

ELSEWHERE = ("/a/", "/notices/stop/", "/sign-in/organisation", "/static/", "/console/cases/")
"""What needs more than somebody who is signed in."""

ASKED = ["/console/log?find=payment.", "/console/log?find={payment}",
         *(f"/console/motion?state={state}" for state in ("awaiting", "sessions", "unsettled")),
         *(f"/console/cases?state={state}" for state in ("proposed", "decided"))]  # fmt: skip


@pytest.mark.postgres
async def test_every_page_opens(tmp_path: Path, postgres_dsn: str):
    books = BooksSettings(engine="postgresql", dsn=postgres_dsn)
    config = msgspec.structs.replace(config_in(tmp_path), books=books)
    async with open_town(tmp_path, config=config) as town:
        things = {"payment": (await town.pay())["id"], "device": town.machines["meter"].id}
        grace = Browser(town)
        code = await grace.invited(roles=["owner", "operator"])
        assert (await grace.join(code)).status_code == 200
        shown = [one.path for one in PAGES if one.method == "GET" and not one.streams]
        shown = [path for path in shown if not path.startswith(ELSEWHERE)] + ASKED
        assert len(shown) > 25
        for path in shown:
            whole = re.sub(r"\{(\w+)\}", lambda found: things[found[1]], path)
            assert (await grace.page(whole)).status_code in (200, 303), path
