"""The API is asked only so often: by one address, with one key, with proofs that do not hold."""

import dataclasses
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from farthing.settings import LimitSettings, Server
from farthing.web.app import HubApp

from .town import Town, open_town

FAR = ("203.0.113.9", 4711)


def client_of(town: Town, client: Any = FAR, server: Server | None = None, **limits: int) -> Any:
    """Ask the same hub from far away, with limits of one's own."""
    config = msgspec.structs.replace(town.hub.desk.config, limits=LimitSettings(**limits))
    if server is not None:
        config = msgspec.structs.replace(config, server=server)
    app = HubApp(dataclasses.replace(town.hub.desk, config=config))
    transport = httpx.ASGITransport(app=app, client=client)
    return httpx.AsyncClient(transport=transport, base_url="http://hub.test")


async def statuses(http: httpx.AsyncClient, count: int, path: str, **more: Any) -> list[int]:
    return [(await http.get(path, **more)).status_code for _ in range(count)]


@pytest.mark.rule("mpp.retry-after", "rfc6585.429", on="hub")
async def test_one_address_is_told_to_wait_and_how_long(tmp_path: Path):
    async with open_town(tmp_path) as town:
        http = client_of(town, address_per_second=1, address_burst=5)
        assert await statuses(http, 6, "/.well-known/farthing") == [200] * 5 + [429]
        answer = await http.get("/.well-known/farthing")
        assert answer.json()["code"] == "too-many-requests"
        assert "headers" not in answer.json()
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        other = client_of(town, ("203.0.113.10", 1), address_per_second=1, address_burst=5)
        assert await statuses(other, 5, "/.well-known/farthing") == [200] * 5
        guessing = client_of(town, failures_per_minute=2)
        wrong = {"authorization": "Bearer fk_wrong"}
        assert await statuses(guessing, 3, "/v1/payments", headers=wrong) == [401, 401, 429]
        told = await guessing.get("/v1/payments", headers=wrong)
        assert 25 <= int(told.headers["retry-after"]) <= 30


async def test_an_ipv6_host_has_its_whole_network_to_itself_and_no_more(tmp_path: Path):
    async with open_town(tmp_path) as town:
        limits = {"address_per_second": 1, "address_burst": 2}
        http = client_of(town, ("2001:db8::1", 1), **limits)
        assert await statuses(http, 3, "/.well-known/farthing") == [200, 200, 429]
        transport: Any = http._transport
        transport.client = ("2001:db8::ffff", 1)
        assert await statuses(http, 1, "/.well-known/farthing") == [429]


@pytest.mark.rule("owasp-api.4", on="hub")
async def test_a_key_has_a_rate_of_its_own_wherever_it_comes_from(tmp_path: Path):
    async with open_town(tmp_path) as town:
        http = client_of(town, address_burst=1, key_per_second=1, key_burst=4)
        mine = {"authorization": f"Bearer {town.keys['buyer.read']}"}
        assert await statuses(http, 5, "/v1/accounts", headers=mine) == [200] * 4 + [429]
        others = [secret for name, secret in town.keys.items() if name != "buyer.read"]
        other = {"authorization": f"Bearer {others[0]}"}
        assert await statuses(http, 1, "/v1/accounts", headers=other) != [429]


@pytest.mark.rule("asvs.2.4.1", "asvs.6.3.1", on="hub")
async def test_proofs_that_do_not_hold_are_slowed_and_good_ones_are_not(tmp_path: Path):
    async with open_town(tmp_path) as town:
        http = client_of(town, failures_per_minute=3)
        wrong = {"authorization": "Bearer fk_" + "A" * 43}
        assert await statuses(http, 5, "/v1/accounts", headers=wrong) == [401] * 3 + [429] * 2
        mine = {"authorization": f"Bearer {town.keys['buyer.read']}"}
        assert await statuses(http, 3, "/v1/accounts", headers=mine) == [200] * 3


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_this_machine_is_free(tmp_path: Path, address: str):
    async with open_town(tmp_path) as town:
        http = client_of(town, (address, 1), address_per_second=1, address_burst=2)
        assert await statuses(http, 10, "/.well-known/farthing") == [200] * 10


async def test_behind_a_trusted_proxy_the_forwarded_address_counts(tmp_path: Path):
    async with open_town(tmp_path) as town:
        server = Server(trusted_proxies=["10.0.0.0/8"])
        limits = {"address_per_second": 1, "address_burst": 2}
        http = client_of(town, ("10.0.0.7", 1), server, **limits)
        one, two = ({"x-forwarded-for": f"198.51.100.{n}"} for n in (1, 2))
        assert await statuses(http, 3, "/.well-known/farthing", headers=one) == [200, 200, 429]
        assert await statuses(http, 2, "/.well-known/farthing", headers=two) == [200, 200]
