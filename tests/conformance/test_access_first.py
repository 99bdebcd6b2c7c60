"""Who asks is settled before money is; and asking alone changes nothing."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.web.app import all_endpoints
from tests.web.api.town import open_town
from tests.web.shop import serving

from .hall import Place, asks_afresh, open_hall


class Login:
    """A seller's own login, in front of whatever it guards."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (b"x-member", b"yes") in scope["headers"]:
            await self.app(scope, receive, send)
            return
        fields = [(b"www-authenticate", b'Basic realm="members"'), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 401, "headers": fields})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.rule("mpp.access-first")
async def test_a_login_in_front_is_asked_first(place: Place):
    """Nobody hears a price, and nobody's payment is looked at, before the login let them in."""
    async with open_hall(place) as hall:
        paying = hall.credential(await hall.ask())
        member = {"x-member": "yes"}
        async with serving(Login(hall)) as url, httpx.AsyncClient(base_url=url) as client:
            for headers in ({}, paying):
                answer = await client.get("/paid", headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].startswith("Basic ")
            assert asks_afresh(await client.get("/paid", headers=member))
            assert await hall.payments() == []
            assert (await client.get("/paid", headers=member | paying)).status_code == 200


@pytest.mark.rule("mpp.access-first", on="hub")
async def test_the_hub_asks_who_it_is_first(tmp_path: Path):
    """Without a key nobody hears whether an order, a body or a thing is any good."""
    async with open_town(tmp_path) as town:
        for content in (b"{", b"{}", b'{"order": 1}'):
            for path in ("/v1/payments/authorise", "/settle", "/v1/mandates"):
                answer = await town.ask("POST", path, content=content)
                assert (answer.status_code, answer.json()["code"]) == (401, "key-missing"), path
        answer = await town.ask("POST", "/v1/payments/pay_none/capture", {})
        assert answer.status_code == 401


@pytest.mark.rule("asvs.3.5.3", on="hub")
async def test_asking_changes_nothing(tmp_path: Path):
    """Every endpoint that is read, by GET and by HEAD, leaves every row as it was."""
    async with open_town(tmp_path) as town:
        await town.pay()
        before = await town.dump()
        read = [one for one in all_endpoints() if one.method == "GET" and "{" not in one.path]
        for endpoint in read:
            for method in ("HEAD",) if endpoint.streams else ("GET", "HEAD"):
                answer = await town.ask(method, endpoint.path, who="operator")
                assert answer.status_code < 500, endpoint.path
        assert len(read) > 10
        assert await town.dump() == before
